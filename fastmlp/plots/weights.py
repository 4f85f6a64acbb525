"""What neurons look for: their weights as images."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..squares import SMALLEST_IMAGE, side_of
from ..validation import integer
from .border import Network, axes_of, network_of, sample, side_of_images
from .canvas import SIGNED, axes, bare, symmetric, tiles, whole_numbers

MOST_NEURONS = 64


def weights(net: Network, layer: int = 0, ax: Axes | None = None) -> Axes:
    """The incoming weights of every neuron of a layer: blue for, orange against, pale is zero; one scale for all.

    net: an MLP. layer: 0 is the first hidden layer. Where the layer's inputs make a square (784 = 28 x 28), each neuron
    is an image of that side, at most 64 of them; elsewhere the whole matrix is one image, a column a neuron. ax: matplotlib
    Axes to draw on; None makes new ones. Returns them. Raises ValueError or TypeError, naming the argument.
    """
    net, ax = network_of(net), axes_of(ax)
    layer = integer("layer", layer, 0, len(net.weights))
    matrix = np.asarray(net.weights[layer], np.float64)
    n_in, n_out = matrix.shape
    side = side_of(n_in)
    if side is None or side < 3:
        ax = axes(ax, 5, 4)
        image = ax.imshow(matrix, SIGNED, symmetric(matrix), interpolation="nearest", aspect="auto")
        ax.set(xlabel="neuron", ylabel="its weight from input")
        ax.set_title(f"weights of layer {layer + 1}", fontsize=10)
        for axis in (ax.xaxis, ax.yaxis):
            whole_numbers(axis)
        ax.figure.colorbar(image, ax=ax, label="weight")
        return ax
    drawn = min(n_out, MOST_NEURONS)
    columns = min(drawn, 5 if drawn <= 10 else 8)
    sheet, corners = tiles(matrix.T[:drawn].reshape(-1, side, side), columns, gap=max(1, side // 7))
    ax = bare(axes(ax, 1.05 * columns + 0.8, 1.08 * -(-drawn // columns) + 0.5))
    image = ax.imshow(sheet, SIGNED, symmetric(sheet), interpolation="nearest")
    for i, (left, top) in enumerate(corners):
        ax.text(left - 0.5, top - 0.5 - side / 50, str(i), fontsize=7, color="#6b7280", va="bottom")
    more = f", the first {drawn} of {n_out}" if drawn < n_out else ""
    ax.set_title(f"weights of the neurons of layer {layer + 1}{more}", fontsize=10, pad=14)
    ax.figure.colorbar(image, ax=ax, label="weight", fraction=0.03, pad=0.02)
    return ax


def receptive_field(net: Network, neuron: int, image: ArrayLike, ax: Axes | None = None) -> Axes:
    """Weights times image of a neuron of the first layer, pixel by pixel: what in this image speaks for it and against.

    net: an MLP. neuron: its number. image: n_in numbers or uint8 pixels that make a square. ax: matplotlib Axes to draw on; None
    makes new ones. Returns them. The title holds the sum z = sum_i w_i x_i + b and a = f(z). Raises ValueError or TypeError,
    naming the argument.
    """
    net, ax = network_of(net), axes_of(ax)
    neuron = integer("neuron", neuron, 0, net.layer_sizes[1])
    side = side_of_images("image", net.layer_sizes[0])
    layer_activations = net.activations(sample(net, image))
    x = np.asarray(layer_activations[0], np.float64)
    products = np.asarray(net.weights[0][:, neuron], np.float64) * x
    bias = float(net.biases[0][neuron])
    ax = bare(axes(ax, 4.6, 4.4))
    shown = ax.imshow(products.reshape(side, side), SIGNED, symmetric(products), interpolation="nearest")
    if side >= SMALLEST_IMAGE:
        ax.contour(x.reshape(side, side), levels=[0.5], colors="#6b7280", linewidths=0.8)
    ax.figure.colorbar(shown, ax=ax, label="weight times pixel", fraction=0.045, pad=0.02)
    a = float(layer_activations[1][neuron])
    ax.set_title(
        f"neuron {neuron}: for +{products[products > 0].sum():.2f}, against −{-products[products < 0].sum():.2f}, "
        f"bias {bias:+.2f}\nz = {products.sum() + bias:.3f}, {net.layer_activations[0]}, a = {a:.4f}".replace("-", "−"),
        fontsize=10,
    )
    return ax
