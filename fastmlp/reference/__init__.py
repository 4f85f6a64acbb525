"""The definition of fastmlp: every result down to its last bit, in plain NumPy, to be read.

    arithmetic.py    fused multiply-add and ordered sums
    elementary.py    exp, log, sigmoid, tanh and their kin
    layers.py        z = x W + b, a = f(z), and the chain rule through them
    losses.py        what a batch costs, and the gradient at the output
    training.py      one step of gradient descent, and a whole network over a flat parameter array
    philox.py        random numbers addressed by their position

The compiled kernels and the Numba ones compute the same bits faster; the tests compare bytes.
"""

from .arithmetic import CHUNK, check_environment, fma, ordered_sum, sum_of_products
from .elementary import exp, expm1, log, log1p, sigmoid, tanh
from .layers import activate, activation_gradient, dense_backward, dense_forward
from .losses import output_gradient, row_losses
from .training import Engine, sgd_update

__all__ = [
    "CHUNK", "Engine", "activate", "activation_gradient", "check_environment", "dense_backward", "dense_forward",
    "exp", "expm1", "fma", "log", "log1p", "ordered_sum", "output_gradient", "row_losses", "sgd_update", "sigmoid",
    "sum_of_products", "tanh",
]
