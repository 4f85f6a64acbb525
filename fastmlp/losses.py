"""The table of losses: what each costs a row, and the output activations that it is defined for.

A row here, and the functions of the same name in reference/losses.py, kernels/losses.pxi and jit/losses.py are all that a
loss takes.
"""

from typing import NamedTuple


class Loss(NamedTuple):
    """A row of the table."""

    name: str
    formula: str  # of one row; a batch's loss is the mean of its rows
    output_activations: tuple  # the first is the default
    compares_probabilities: bool = False  # whether targets must be probabilities, from 0 to 1


LOSSES = {
    row.name: row
    for row in (
        Loss("squared_error", "1/2 sum_j (a_j - y_j)^2", ("identity", "relu", "sigmoid", "tanh")),
        Loss("cross_entropy", "-sum_j y_j log a_j", ("softmax",), compares_probabilities=True),
        Loss(
            "binary_cross_entropy", "-sum_j y_j log a_j + (1 - y_j) log(1 - a_j)", ("sigmoid",),
            compares_probabilities=True,
        ),
    )
}  # fmt: skip
