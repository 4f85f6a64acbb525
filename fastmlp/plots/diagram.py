"""The drawing that learners know: columns of neurons, and the lines between them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from ..activations import AnyActivation
from ..arrays import Doubles, Integers
from ..squares import SMALLEST_IMAGE, side_of
from ..training import scores
from .border import Network, axes_of, network_of, sample
from .canvas import HIGHLIGHT, MUTED, NEGATIVE, POSITIVE, axes, bare

MOST_DRAWN = 16  # neurons of a layer
STEP = 0.75  # from layer to layer, of the height of a column
BOTTOM, TOP = -0.6, 0.52


def network(net: Network, image: ArrayLike, ax: Axes | None = None) -> Axes:
    """A network at work on one image: neurons as bright as they are active, lines as wide as weight times activation.

    net: an MLP. image: one sample, n_in numbers or uint8 pixels. At most 16 neurons of a layer are drawn, dots and the
    true count stand for the rest, among which is no answer. Blue lines speak for the neuron on their right, orange ones against
    it; a yellow ring is the answer: the class, or each label that holds. Activations other than sigmoid and softmax are scaled by
    the layer's largest magnitude; negative ones are orange. ax: matplotlib Axes to draw on; None makes new ones. Returns them.
    Raises ValueError or TypeError, naming the argument.
    """
    net, ax = network_of(net), axes_of(ax)
    layers = net.activations(sample(net, image))
    answer = scores.answers(layers[-1][None], net.task)[0]
    activations = [np.asarray(a, np.float64) for a in layers]
    side = side_of(net.layer_sizes[0]) or 0
    is_picture = side >= SMALLEST_IMAGE
    columns = [_Column(i, a) for i, a in enumerate(activations[:-1])]
    columns.append(_Column(len(columns), activations[-1], True, _winners(answer, net.task, net.layer_sizes[-1])))
    radius = min(column.radius for column in columns[is_picture:])
    for column in columns:
        column.radius = radius
    left, right = -0.6 if is_picture else -0.15, columns[-1].x + 0.3
    ax = bare(axes(ax, 3.6 * (right - left), 3.6 * (TOP - BOTTOM)))
    ax.set_aspect("equal")
    for before, after, weights in zip(columns, columns[1:], net.weights):
        if not (before.layer == 0 and is_picture):
            _draw_lines(ax, before, after, np.asarray(weights, np.float64))
    if is_picture:
        x = activations[0].reshape(side, side)
        ax.imshow(x, "gray", vmin=0, vmax=1, extent=(-0.55, 0.05, -0.3, 0.3), interpolation="nearest", zorder=2)
        _draw_bundle(ax, columns[1], np.asarray(net.weights[0], np.float64) * activations[0][:, None])
        ax.text(-0.25, -0.36, f"{net.layer_sizes[0]} inputs", ha="center", va="top", fontsize=8, color=MUTED)
    for column in columns[is_picture:]:
        column.draw(ax, net.layer_activations[column.layer - 1] if column.layer else None)
        title = (
            "inputs" if not column.layer else "hidden" if not column.is_last else "outputs" if column.size > 1 else "output"
        )
        ax.text(column.x, -0.53, f"{column.size} {title}", ha="center", va="top", fontsize=8, color=MUTED)
    ax.set_xlim(left, right)
    ax.set_ylim(BOTTOM, TOP)
    return ax


class _Column:
    """Where the neurons of a layer stand, and how active they are."""

    def __init__(self, layer: int, activations: Doubles, is_last: bool = False, winners: Sequence[int] = ()) -> None:
        self.layer, self.activations, self.is_last, self.winners = layer, activations, is_last, winners
        self.x, self.size = STEP * layer, len(activations)
        places: list[int | None] = list(range(self.size))  # None are dots
        if self.size > MOST_DRAWN:
            half = MOST_DRAWN // 2
            hidden = [winner for winner in winners if half <= winner < self.size - half]
            middle = [None, hidden[0], None] if hidden else [None]
            half -= len(hidden[:1])
            places = [*range(half), *middle, *range(self.size - half, self.size)]
        gap = 1 / max(len(places), 10)
        self.radius = 0.36 * gap
        heights = [gap * ((len(places) - 1) / 2 - slot) for slot in range(len(places))]
        self.drawn = [neuron for neuron in places if neuron is not None]
        self.y = [y for neuron, y in zip(places, heights) if neuron is not None]
        self.dots = [y for neuron, y in zip(places, heights) if neuron is None]

    def draw(self, ax: Axes, activation: AnyActivation | None) -> None:
        bounded = activation in ("sigmoid", "softmax")
        scale = 1.0 if bounded else np.abs(self.activations[np.isfinite(self.activations)]).max(initial=0) or 1.0
        for neuron, y in zip(self.drawn, self.y):
            share = float(np.clip(self.activations[neuron] / scale, -1, 1))
            face = _mix("#000000", "#ffffff" if share >= 0 else NEGATIVE, abs(share)) if share == share else "#c026d3"
            edge, width = (HIGHLIGHT, 2) if neuron in self.winners else (MUTED, 0.7)
            ax.add_patch(Circle((self.x, y), self.radius, facecolor=face, edgecolor=edge, linewidth=width, zorder=3))
            if self.is_last:
                weight = "bold" if neuron in self.winners else "normal"
                name = f"{neuron}   " if self.size > 1 else ""
                text = f"{name}{self.activations[neuron]:.2f}".replace("-", "−")
                ax.text(self.x + 0.05, y, text, va="center", fontsize=8, weight=weight)
        for y in self.dots:
            ax.text(self.x, y, "⋮", ha="center", va="center", fontsize=11, color=MUTED)


def _winners(answer: Integers, task: str, n_out: int) -> list[int]:
    """The outputs that are the answer: that of the class, or of each label that holds; of numbers none."""
    if task == "numbers":
        return []
    if task == "classes" and n_out > 1:
        return [int(answer)]
    return [int(neuron) for neuron in np.flatnonzero(np.atleast_1d(answer) == 1)]


def _draw_lines(ax: Axes, before: "_Column", after: "_Column", weights: Doubles) -> None:
    products = weights[np.ix_(before.drawn, after.drawn)] * before.activations[before.drawn][:, None]
    products[~np.isfinite(products)] = 0
    segments, strengths = [], []
    for i, y_from in enumerate(before.y):
        for j, y_to in enumerate(after.y):
            segments.append([(before.x + before.radius, y_from), (after.x - after.radius, y_to)])
            strengths.append(products[i, j])
    _add(ax, segments, strengths)


def _draw_bundle(ax: Axes, first: _Column, products: Doubles) -> None:
    """One curve from the image to each neuron, for the sum of its products."""
    products[~np.isfinite(products)] = 0
    t = np.linspace(0, 1, 30)
    ease = t * t * (3 - 2 * t)
    start, stop = 0.06, first.x - first.radius
    segments = [np.column_stack([start + (stop - start) * t, y * ease]) for y in first.y]
    _add(ax, segments, products.sum(axis=0)[first.drawn])


def _add(ax: Axes, segments: Sequence[ArrayLike], strengths: ArrayLike) -> None:
    strengths = np.asarray(strengths)
    share = np.abs(strengths) / (np.abs(strengths).max(initial=0) or 1)
    order = np.argsort(share)
    order = order[share[order] > 0.02]  # the fainter ones cannot be seen
    colours = [(*_rgb(POSITIVE if strengths[k] > 0 else NEGATIVE), 0.06 + 0.94 * share[k] ** 0.8) for k in order]
    lines = LineCollection(
        [segments[k] for k in order], colors=colours, linewidths=0.3 + 2.4 * share[order], zorder=1, capstyle="round"
    )
    ax.add_collection(lines)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _mix(dark: str, light: str, share: float) -> tuple[float, ...]:
    return tuple(a + (b - a) * share for a, b in zip(_rgb(dark), _rgb(light)))
