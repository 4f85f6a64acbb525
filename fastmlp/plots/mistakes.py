"""What a network takes for what, and the images on which it is most wrong."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import ArrayLike

from ..training import scores
from ..validation import integer
from .border import Network, answered, axes_of, network_of, side_of_images
from .canvas import MUTED, NEGATIVE, POSITIVE, axes, bare, tiles

RIGHT = LinearSegmentedColormap.from_list("right", ["#ffffff", POSITIVE])
WRONG = LinearSegmentedColormap.from_list("wrong", ["#ffffff", NEGATIVE])


def confusion_matrix(net: Network, x: ArrayLike, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """How many rows of each class (down) are taken for each (across): blue is right, orange wrong, by the class's
    share.

    net: an MLP that tells classes apart. x, y: samples and their classes, as MLP.evaluate takes them; rows whose outputs are not
    numbers are in no cell. ax: matplotlib Axes to draw on; None makes new ones. Returns them. Raises ValueError or TypeError for
    others, naming the argument.
    """
    net, ax = network_of(net), axes_of(ax)
    _, y, _, answers = answered(net, x, y)
    n = max(net.layer_sizes[-1], 2)
    counts = scores.confusion(y, answers, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = axes(ax, max(3.6, 0.42 * n + 1), max(3.6, 0.42 * n + 0.9))
    right = np.eye(n, dtype=bool)
    most_wrong = max(float(shares[~right].max()), 1e-9)
    colours = np.where(right[..., None], RIGHT(shares), WRONG(0.9 * shares / most_wrong))
    ax.imshow(colours, interpolation="nearest")
    if n <= 20:
        for i, j in zip(*np.nonzero(counts)):
            dark = shares[i, j] > 0.45 if i == j else shares[i, j] / most_wrong > 0.65
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8, color="white" if dark else "#1f2937")
        ax.set_xticks(range(n))
        ax.set_yticks(range(n))
    ax.tick_params(length=0)
    ax.spines[:].set_color("#d1d5db")
    ax.set_xlabel("what the network answers")
    ax.set_ylabel("what it is")
    ax.set_title(f"{np.trace(counts)} of {len(y)} right, {100 * np.trace(counts) / len(y):.2f}%", fontsize=10)
    return ax


def worst_mistakes(net: Network, x: ArrayLike, y: ArrayLike, n: int = 20, ax: Axes | None = None) -> Axes:
    """The n wrongly answered images whose right answer's output is the furthest behind that of the answer.

    net: an MLP that tells classes apart. x, y: square images and their classes, as MLP.evaluate takes them. n: integer >= 1.
    ax: matplotlib Axes to draw on; None makes new ones. Above each image: what it is, what the network answers, and that output.
    Returns the Axes. Raises ValueError or TypeError for others, naming the argument.
    """
    net, n, ax = network_of(net), integer("n", n, 1), axes_of(ax)
    side = side_of_images("x", net.layer_sizes[0])
    x, y, outputs, answers = answered(net, x, y)
    wrong = np.flatnonzero(answers != y)
    if outputs.shape[1] == 1:
        outputs = np.column_stack([1 - outputs[:, 0], outputs[:, 0]])
    outputs = outputs.astype(np.float64)
    margins = outputs[wrong, y[wrong]] - outputs[wrong, answers[wrong]]
    worst = wrong[np.argsort(margins, kind="stable")[:n]]
    ax = bare(axes(ax, 7.5, 1.5 * max(1, -(-len(worst) // 5)) + 0.4))
    ax.set_title(f"the worst of {len(wrong)} mistakes among {len(y)}", fontsize=10)
    if not len(worst):
        ax.text(0.5, 0.5, "no mistakes", ha="center", transform=ax.transAxes, color=MUTED)
        return ax
    sheet, corners = tiles(x[worst].reshape(-1, side, side), min(len(worst), 5), gap=max(1, side // 3))
    ax.imshow(sheet, "gray", interpolation="nearest")
    for row, (left, top) in zip(worst, corners):
        above = top - 0.5 - side / 40
        ax.text(left - 0.5, above, f"{y[row]} read as ", fontsize=8, va="bottom")
        answer = f"{answers[row]}  {outputs[row, answers[row]]:.2f}" if answers[row] >= 0 else "none"
        style: dict[str, Any] = {"fontsize": 8, "va": "bottom", "ha": "right", "color": NEGATIVE, "weight": "bold"}
        ax.text(left + side - 0.5, above, answer, **style)
    ax.set_ylim(sheet.shape[0], -0.5 - side / 3.5)
    return ax
