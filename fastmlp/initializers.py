"""Initial weights: uniform in [-limit, limit), the same bits on every machine; biases start at zero."""

import math

from .activations import ACTIVATIONS
from .architecture import layer_views
from .random_streams import WEIGHTS, stream

BLOCK = 2**16  # weights that are drawn at a time: the numbers are the same, and take no memory to speak of


def glorot_uniform(n_in, n_out):
    """limit = sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010)."""
    return math.sqrt(6 / (n_in + n_out))


def he_uniform(n_in, n_out):
    """limit = sqrt(6 / n_in), for layers with relu or a user's own activation (He et al. 2015)."""
    return math.sqrt(6 / n_in)


INITIALIZERS = {"glorot_uniform": glorot_uniform, "he_uniform": he_uniform}


def initialize(parameters, layer_sizes, activations, seed):
    """Fill the flat array: w = (2 u - 1) limit in float64, rounded once to the array's dtype; b = 0.

    The uniform u of layer i come from RandomState([seed, 0, i]), a stream that NumPy keeps frozen.
    """
    for layer, ((weights, bias), activation) in enumerate(zip(layer_views(parameters, layer_sizes), activations)):
        limit = INITIALIZERS[ACTIVATIONS.get(activation, activation).initializer](*weights.shape)
        draws, flat = stream(seed, WEIGHTS, layer), weights.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            block[...] = (2.0 * draws.random_sample(block.size) - 1.0) * limit
        bias[...] = 0
