"""All pictures of a network, written to a folder: what the command line's --plot does."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..containers import numbers
from ..squares import side_of
from .border import Network, folder_of, history_of, network_of
from .canvas import Columns, write_png
from .curves import learning_curves
from .diagram import network
from .mistakes import confusion_matrix, worst_mistakes
from .weights import receptive_field, weights


def save_network(net: Network, folder: str | PathLike[str], image: ArrayLike | None = None) -> list[Path]:
    """Write the weights of every layer, and with an image the network at work on it, as PNG; returns the paths.

    net: an MLP. folder: made where it is missing. image: one sample, or None. Raises ValueError or TypeError, naming the argument.
    """
    net, folder = network_of(net), folder_of(folder)
    pictures = {f"weights-{layer + 1}": weights(net, layer) for layer in range(len(net.weights))}
    if image is not None:
        pictures["network"] = network(net, image)
        if side_of(net.layer_sizes[0]) is not None:
            most_active = int(np.argmax(net.activations(image)[1]))
            pictures["receptive-field"] = receptive_field(net, most_active, image)
    return _save(pictures, folder)


def save_training(net: Network, history: Columns, x: np.ndarray, y: ArrayLike, folder: str | PathLike[str]) -> list[Path]:
    """Write save_network's pictures, the learning curves, and how net does on images x with labels y; returns the
    paths.

    net: an MLP that tells classes apart. history: what its fit returned. x, y: square images and their classes, as MLP.evaluate
    takes them. folder: made where it is missing. Raises ValueError or TypeError, naming the argument.
    """
    net, history, folder = network_of(net), history_of(history), folder_of(folder)
    pictures = {"learning-curves": learning_curves(history)} if history.get("loss") else {}
    pictures["confusion-matrix"] = confusion_matrix(net, x, y)
    pictures["worst-mistakes"] = worst_mistakes(net, x, y)
    return save_network(net, folder, numbers("x", x)[0]) + _save(pictures, folder)


def _save(pictures: Mapping[str, Axes], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in pictures]
    for path, ax in zip(paths, pictures.values()):
        write_png(ax, path)
    return paths
