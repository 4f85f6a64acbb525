"""The activations and their gradients, after fastmlp/reference/activations.py, operation by operation.

Each is a pair of C functions over runs of n numbers, found by its name in fastmlp/activations.py and compiled where a
network uses it. Users' own come as addresses of such functions. Softmax goes by rows, and has a function of its own.
"""

import functools
from typing import NamedTuple

import numba
from numba import types

from ..activations import ACTIVATIONS
from . import smooth
from .compiling import compile_c_function, jit
from .elementary import exp
from .elementary import sigmoid as sigmoid_of_number
from .elementary import tanh as tanh_of_number
from .intrinsics import as_item, call, moved, where
from .tile import CHUNK

SIDE = 16  # rows that softmax goes through at a time


class Activation(NamedTuple):
    """The addresses of an activation's functions, 0 where there is none.

    forward: (z*, a*, n), a (n,) holds z and becomes f(z), unless it keeps z: then z lies apart. 0 for softmax.
    gradient: (a*, g*, n), or (z*, g*, n) if it keeps z: g (n,), dL/da, becomes dL/dz = dL/da f'(z). 0: no derivative of
    its own.
    """

    forward: int
    gradient: int
    keeps_z: bool


def identity(z, a, n):
    pass


def identity_gradient(a, g, n):
    pass


def relu(z, a, n):
    zero = as_item(a, 0)
    for i in range(n):
        a[i] = where(a[i] <= zero, zero, a[i])


def relu_gradient(a, g, n):
    zero = as_item(a, 0)
    for i in range(n):
        g[i] = where(a[i] > zero, g[i], zero)


def sigmoid(z, a, n):
    for i in range(n):
        a[i] = sigmoid_of_number(a[i])


def sigmoid_gradient(a, g, n):
    one = as_item(a, 1)
    for i in range(n):
        g[i] = g[i] * (a[i] * (one - a[i]))


def tanh(z, a, n):
    for i in range(n):
        a[i] = tanh_of_number(a[i])


def tanh_gradient(a, g, n):
    one = as_item(a, 1)
    for i in range(n):
        g[i] = g[i] * (one - a[i] * a[i])


def leaky_relu(z, a, n):
    zero, slope = as_item(a, 0), as_item(a, 0.01)
    for i in range(n):
        a[i] = where(a[i] > zero, a[i], slope * a[i])


def leaky_relu_gradient(a, g, n):
    zero, slope = as_item(a, 0), as_item(a, 0.01)
    for i in range(n):
        g[i] = where(a[i] > zero, g[i], slope * g[i])


def elu(z, a, n):
    for i in range(n):
        a[i] = smooth.elu(a[i])


def elu_gradient(a, g, n):
    zero, one = as_item(a, 0), as_item(a, 1)
    for i in range(n):
        g[i] = where(a[i] > zero, g[i], g[i] * (a[i] + one))


def selu(z, a, n):
    for i in range(n):
        a[i] = smooth.selu(a[i])


def selu_gradient(a, g, n):
    zero, scale, scale_alpha = as_item(a, 0), as_item(a, smooth.SELU_SCALE), as_item(a, smooth.SELU_SCALE_ALPHA)
    for i in range(n):
        g[i] = where(a[i] > zero, scale * g[i], g[i] * (a[i] + scale_alpha))


def softplus(z, a, n):
    for i in range(n):
        a[i] = smooth.softplus(z[i])


def softplus_gradient(z, g, n):
    for i in range(n):
        g[i] = g[i] * smooth.softplus_derivative(z[i])


def silu(z, a, n):
    for i in range(n):
        a[i] = smooth.silu(z[i])


def silu_gradient(z, g, n):
    for i in range(n):
        g[i] = g[i] * smooth.silu_derivative(z[i])


def gelu(z, a, n):
    for i in range(n):
        a[i] = smooth.gelu(z[i])


def gelu_gradient(z, g, n):
    for i in range(n):
        g[i] = g[i] * smooth.gelu_derivative(z[i])


def gelu_tanh(z, a, n):
    for i in range(n):
        a[i] = smooth.gelu_tanh(z[i])


def gelu_tanh_gradient(z, g, n):
    for i in range(n):
        g[i] = g[i] * smooth.gelu_tanh_derivative(z[i])


def exponential(z, a, n):
    for i in range(n):
        a[i] = exp(a[i])


FUNCTIONS = {
    "identity": (identity, identity_gradient),
    "relu": (relu, relu_gradient),
    "sigmoid": (sigmoid, sigmoid_gradient),
    "tanh": (tanh, tanh_gradient),
    "leaky_relu": (leaky_relu, leaky_relu_gradient),
    "elu": (elu, elu_gradient),
    "selu": (selu, selu_gradient),
    "softplus": (softplus, softplus_gradient),
    "silu": (silu, silu_gradient),
    "gelu": (gelu, gelu_gradient),
    "gelu_tanh": (gelu_tanh, gelu_tanh_gradient),
    "softmax": (None, None),
    "exp": (exponential, None),
}


def activation_of(activation, dtype):
    """The Activation of a name, or of a user's own, compiled on first use. ValueError for a name that is not here."""
    if not isinstance(activation, str):
        return Activation(*activation.addresses(dtype), True)
    if activation not in FUNCTIONS:
        raise ValueError(f"the Numba backend has no activation {activation!r}")
    addresses = (0 if function is None else compiled(function, dtype).address for function in FUNCTIONS[activation])
    return Activation(*addresses, ACTIVATIONS[activation].keeps_z)


@functools.cache
def compiled(function, dtype):
    p = types.CPointer(numba.from_dtype(dtype))
    return compile_c_function(function, types.void(p, p, types.int64))


@jit
def copy_run(x, y, n):
    for i in range(n):
        y[i] = x[i]


@jit
def activate_block(forward, z, a, rows, n, row, maxima, totals):
    """a (rows, n) = f(z), rows `row` apart, see Activation.forward. maxima, totals (SIDE,): what softmax leaves there."""
    if forward == 0:
        for r in range(0, rows, SIDE):
            softmax(moved(a, r * n), min(SIDE, rows - r), n, maxima, totals)
    elif n == row:
        call(forward, (z, a, rows * n))
    else:
        for r in range(rows):
            call(forward, (moved(z, r * row), moved(a, r * row), n))


@jit
def sum_in_order(values, n):
    total = as_item(values, 0)
    for start in range(0, n, CHUNK):
        s = as_item(values, 0)
        for k in range(start, min(start + CHUNK, n)):
            s = s + values[k]
        total = total + s
    return total


@jit
def softmax(z, rows, n, maxima, totals):
    """z (rows, n) becomes p_j = e_j / s in place; maxima, totals (rows,): each row's m and s.

    What goes through a row in order is kept apart from what goes through all numbers alike, so that the latter runs in
    vector registers whatever n is."""
    for r in range(rows):
        m = z[r * n]
        for j in range(1, n):
            m = where(z[r * n + j] > m, z[r * n + j], m)
        maxima[r] = m
        for j in range(n):
            z[r * n + j] = z[r * n + j] - m
    for i in range(rows * n):
        z[i] = exp(z[i])
    for r in range(rows):
        totals[r] = total = sum_in_order(moved(z, r * n), n)
        for j in range(n):
            z[r * n + j] = z[r * n + j] / total
