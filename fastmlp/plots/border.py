"""The border of the pictures: what users give them is checked and converted here, and nowhere below."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..activations import AnyActivation
from ..architecture import TASKS
from ..arrays import Integers
from ..containers import describe, numbers
from ..squares import side_of
from ..training import scores
from ..training.data_adapter import DataAdapter
from .canvas import Columns


@runtime_checkable
class Network(Protocol):
    """What pictures ask of an MLP, which is not imported here: its history draws itself."""

    _adapter: DataAdapter

    @property
    def layer_sizes(self) -> tuple[int, ...]: ...
    @property
    def layer_activations(self) -> tuple[AnyActivation, ...]: ...
    @property
    def weights(self) -> tuple[np.ndarray, ...]: ...
    @property
    def biases(self) -> tuple[np.ndarray, ...]: ...
    @property
    def task(self) -> str: ...
    def forward(self, x: ArrayLike) -> np.ndarray: ...
    def activations(self, x: ArrayLike) -> list[np.ndarray]: ...


class Answered(NamedTuple):
    """Samples (rows, n_in) with their classes, the network's outputs (rows, n_out), and its answers, -1 where it has none."""

    x: np.ndarray
    y: Integers
    outputs: np.ndarray
    answers: Integers


def network_of(net: Any) -> Network:
    """net, which must be an MLP."""
    if not isinstance(net, Network):
        raise TypeError(f"net must be a fastmlp.MLP, not {describe(net)}")
    return net


def axes_of(ax: Any) -> Axes | None:
    """ax, which must be matplotlib's Axes, or None."""
    if ax is not None and not isinstance(ax, Axes):
        several = isinstance(ax, (np.ndarray, tuple, list))
        hint = ": give one of them, such as the second of what plt.subplots() returns" if several else ""
        raise TypeError(f"ax must be matplotlib Axes, or None for new ones, not {describe(ax)}{hint}")
    return ax


def history_of(history: Any) -> Columns:
    """history, which must be a History, or columns like it."""
    if not isinstance(history, Mapping):
        raise TypeError(f"history must be a History, such as MLP.fit returns, not {describe(history)}")
    n_epochs = len(history.get("loss", ()))
    for name, column in history.items():
        if len(column) != n_epochs:
            raise ValueError(f"history must have an entry for each of its {n_epochs} epochs, but {name} has {len(column)}")
    return history


def sample(net: Network, image: Any) -> np.ndarray:
    """image as one sample (n_in,), in its own type."""
    array, n_in = numbers("image", image), net.layer_sizes[0]
    if array.size != n_in:
        raise ValueError(f"image must be one sample of {n_in} numbers, not {describe(image)}")
    return array.reshape(n_in)


def side_of_images(name: str, n_in: int) -> int:
    """The side of the square that n_in pixels make, which those of the argument called name must."""
    side = side_of(n_in)
    if side is None:
        raise ValueError(f"{name} must hold square images, and {n_in} numbers make no square")
    return side


def answered(net: Network, x: Any, y: Any) -> Answered:
    """x, y and what net answers, which must tell classes apart."""
    if net.task != "classes":
        raise ValueError(f"net must tell classes apart, and this one's task is {net.task!r}: {TASKS[net.task]}")
    samples = net._adapter.samples(x, y)
    outputs = net.forward(samples.x)
    y = samples.y if samples.y.ndim == 1 else scores.answers(samples.y, net.task)
    return Answered(samples.x, y, outputs, scores.answers(outputs, net.task))


def folder_of(folder: Any) -> Path:
    """folder as a Path."""
    try:
        return Path(folder)
    except TypeError:
        raise TypeError(f"folder must be a string or a path, not {describe(folder)}") from None
