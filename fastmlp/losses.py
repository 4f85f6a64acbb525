"""The losses: what each costs a row, its kernel number, and the output activations that it is defined for."""

from typing import NamedTuple


class Loss(NamedTuple):
    name: str
    number: int  # what the kernels call it
    formula: str  # of one row; a batch's loss is the mean of its rows
    output_activations: tuple  # the first is the default

    @property
    def compares_probabilities(self):
        """Whether the targets must be probabilities, from 0 to 1."""
        return self.name != "squared_error"


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("squared_error", 0, "1/2 sum_j (a_j - y_j)^2", ("identity", "relu", "sigmoid", "tanh")),
        Loss("cross_entropy", 1, "-sum_j y_j log a_j", ("softmax",)),
        Loss("binary_cross_entropy", 2, "-sum_j y_j log a_j + (1 - y_j) log(1 - a_j)", ("sigmoid",)),
    )
}
