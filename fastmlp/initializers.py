"""Initial weights: uniform in [-limit, limit), the same bits on every machine; biases start at zero."""

import math

from .activations import ACTIVATIONS
from .architecture import layer_views
from .random_streams import WEIGHTS, stream


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
        u = stream(seed, WEIGHTS, layer).random_sample(weights.shape)
        weights[...] = (2.0 * u - 1.0) * limit
        bias[...] = 0
