"""The table of losses: what each costs a row, and what outputs and targets it is defined for.

A row here, and the functions of the same name in reference/losses.py, kernels/losses.pxi and jit/losses.py are all that a
loss takes. A loss with a parameter has a class here, whose objects stand where others have their name.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .activations import ACTIVATIONS

LossName = Literal[
    "squared_error", "absolute_error", "huber", "quantile", "poisson", "cross_entropy", "binary_cross_entropy"
]  # fmt: skip


class Loss(NamedTuple):
    """A row of the table."""

    name: str
    formula: str  # of one row; a batch's loss is the mean of its rows
    output_activations: tuple[str, ...]  # the first is the default
    compares_probabilities: bool = False  # whether targets must be probabilities, from 0 to 1
    counts: bool = False  # whether targets must be numbers of at least 0

    @property
    def takes_any_targets(self) -> bool:
        """Whether targets may be any finite numbers."""
        return not (self.compares_probabilities or self.counts)


@dataclass(frozen=True)
class Huber:
    """Half the square of what is off by up to delta, and beyond it what goes on straight: less moved by outliers.

    delta: a number above 0, in the targets' unit (Huber 1964).

    >>> net = fastmlp.MLP([3, 8, 1], "relu", loss=fastmlp.Huber(delta=0.5), seed=0)
    >>> net.loss
    Huber(delta=0.5)
    """

    delta: float = 1.0
    name = "huber"


@dataclass(frozen=True)
class Quantile:
    """What the q-quantile of the targets makes smallest: q times what is too low, 1 - q times what is too high.

    q: a number between 0 and 1 (Koenker and Bassett 1978).

    >>> z = a = [[1.0], [3.0]]
    >>> fastmlp.functional.row_losses(fastmlp.Quantile(q=0.75), z, a, [[2.0], [2.0]])
    array([0.75, 0.25])
    """

    q: float = 0.5
    name = "quantile"


AnyLoss = str | Huber | Quantile
WITH_PARAMETER = {loss.name: loss for loss in (Huber, Quantile)}
WITH_DERIVATIVE = tuple(row.name for row in ACTIVATIONS.values() if row.hidden)

LOSSES = {
    row.name: row
    for row in (
        Loss("squared_error", "1/2 sum_j (a_j - y_j)^2", WITH_DERIVATIVE),
        Loss("absolute_error", "sum_j |a_j - y_j|", WITH_DERIVATIVE),
        Loss("huber", "sum_j d^2 / 2 where d = |a_j - y_j| <= delta, else delta (d - delta / 2)", WITH_DERIVATIVE),
        Loss("quantile", "sum_j (1 - q) d where d = a_j - y_j > 0, else -q d", WITH_DERIVATIVE),
        Loss("poisson", "sum_j a_j - y_j log a_j + (y_j log y_j - y_j)", ("exp",), counts=True),
        Loss("cross_entropy", "-sum_j y_j log a_j", ("softmax",), compares_probabilities=True),
        Loss(
            "binary_cross_entropy", "-sum_j y_j log a_j + (1 - y_j) log(1 - a_j)", ("sigmoid",),
            compares_probabilities=True,
        ),
    )
}  # fmt: skip


def name_of(loss: AnyLoss) -> str:
    """The name of a loss, which is that or an object of a class above."""
    return loss if isinstance(loss, str) else loss.name


def parameter_of(loss: AnyLoss) -> float:
    """The parameter of a loss, its default where it is a name; 0 for losses without one."""
    if name_of(loss) not in WITH_PARAMETER:
        return 0.0
    loss = WITH_PARAMETER[loss]() if isinstance(loss, str) else loss
    return float(next(iter(vars(loss).values())))
