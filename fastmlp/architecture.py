"""What a network is, apart from its parameters, and where each layer lies in the one flat array of them.

The order of the parameters is W0, b0, W1, b1, ...; weights are (n_in, n_out) in C order.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .activations import AnyActivation
from .arrays import FloatDtype, Floats
from .losses import AnyLoss

Task = Literal["classes", "labels", "numbers"]
TASKS = {
    "classes": "each row belongs to one of several classes, or with one output to class 0 or 1",
    "labels": "each output says whether its label holds, several at once or none",
    "numbers": "the outputs are the answer",
}


class Architecture(NamedTuple):
    """What a network is, checked (see validation.py)."""

    layer_sizes: tuple[int, ...]  # input first
    activations: tuple[AnyActivation, ...]  # for each layer
    loss: AnyLoss
    dtype: FloatDtype
    input_scale: float = 1.0  # what inputs are divided by
    task: str = "numbers"  # one of TASKS


def n_parameters(layer_sizes: Sequence[int]) -> int:
    """The number of weights and biases of a network with these layer sizes, input first."""
    return sum((n_in + 1) * n_out for n_in, n_out in zip(layer_sizes, layer_sizes[1:]))


def layer_views(flat: Floats, layer_sizes: Sequence[int]) -> list[tuple[Floats, Floats]]:
    """Views into the flat array: a list of (weights (n_in, n_out), bias (n_out,)), one pair a layer."""
    views, start = [], 0
    for n_in, n_out in zip(layer_sizes, layer_sizes[1:]):
        middle, stop = start + n_in * n_out, start + (n_in + 1) * n_out
        views.append((flat[start:middle].reshape(n_in, n_out), flat[middle:stop]))
        start = stop
    return views
