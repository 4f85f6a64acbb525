"""The definition of fastmlp: every result down to its last bit, in plain NumPy, to be read.

    arithmetic.py    fused multiply-add and ordered sums
    elementary.py    exp, log, sigmoid, tanh and their kin
    smooth.py        softplus, silu, gelu and their kin, with their derivatives
    activations.py   a = f(z), and the gradient back through it
    layers.py        z = x W + b, and the chain rule through it
    losses.py        what a batch costs, and the gradient at the output
    updates.py       how parameters change, given their gradients
    norms.py         sums over flat arrays: clipping by the norm, penalties
    dropout.py       which units are left out in a step of training
    engine.py        the interface of the backends: a whole network over a flat parameter array
    tables.py        how functions are found by the names of the public tables
    philox.py        random numbers addressed by their position

The compiled kernels and the Numba ones compute the same bits faster; the tests compare bytes.
"""

from .activations import activate, activation_gradient
from .arithmetic import CHUNK, check_environment, fma, ordered_sum, sum_of_products
from .elementary import exp, expm1, log, log1p, sigmoid, tanh
from .engine import Correct, Dropout, Engine, Samples, Steps, Update, classes, labels
from .layers import dense_backward, dense_forward
from .losses import output_gradient, row_losses
from .norms import sum_of_magnitudes, sum_of_squares
from .updates import sgd_update, update

__all__ = [
    "CHUNK", "Correct", "Dropout", "Engine", "Samples", "Steps", "Update", "activate", "activation_gradient",
    "check_environment", "classes",
    "dense_backward", "dense_forward", "exp", "expm1", "fma", "labels", "log", "log1p", "ordered_sum", "output_gradient",
    "row_losses", "sgd_update", "sigmoid", "sum_of_magnitudes",
    "sum_of_products", "sum_of_squares", "tanh", "update",
]  # fmt: skip
