"""The losses of rows, the gradient at the output, and the classes of rows, after fastmlp/reference/losses.py.

A loss is two C functions and a row of the table below, found by its name in fastmlp/losses.py. Rows of n numbers follow one
another.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
from numba import types

from ..losses import name_of, parameter_of
from .activations import sum_in_order
from .compiling import compile_c_function, jit
from .elementary import exp53, log1p53, log53
from .intrinsics import as_item, call, moved, where


class Loss(NamedTuple):
    """terms: the address of a C function (z*, a*, y*, maxima*, totals*, parameter, rows, n, terms*) that writes, in float64,
    what each output adds to its row's loss, from z, a, y (rows, n), and from softmax's m and s (rows,), where the output is
    softmax. error: of one (a*, y*, parameter, g*, n) that writes the loss's derivative by a into g (n,).
    """

    terms: int
    error: int
    factor: float  # of the sum of a row's terms
    through_activation: bool  # whether the gradient goes through the output activation's derivative
    parameter: float = 0.0  # such as Huber's delta, as the dtype rounds it


def squared_error(z, a, y, maxima, totals, parameter, rows, n, terms):
    for i in range(rows * n):
        e = np.float64(a[i]) - np.float64(y[i])
        terms[i] = e * e


def absolute_error(z, a, y, maxima, totals, parameter, rows, n, terms):
    for i in range(rows * n):
        e = np.float64(a[i]) - np.float64(y[i])
        terms[i] = where(e < 0.0, -e, e)


def huber(z, a, y, maxima, totals, delta, rows, n, terms):
    for i in range(rows * n):
        e = np.float64(a[i]) - np.float64(y[i])
        x = where(e < 0.0, -e, e)
        terms[i] = where(x <= delta, 0.5 * (x * x), delta * (x - 0.5 * delta))


def quantile(z, a, y, maxima, totals, q, rows, n, terms):
    for i in range(rows * n):
        e = np.float64(a[i]) - np.float64(y[i])
        terms[i] = where(e > 0.0, (1.0 - q) * e, -(q * e))


def poisson(z, a, y, maxima, totals, parameter, rows, n, terms):
    for i in range(rows * n):
        t = np.float64(y[i])
        rest = where(t == 0.0, 0.0, t * log53(t)) - t
        terms[i] = (np.float64(a[i]) - t * np.float64(z[i])) + rest


def cross_entropy(z, a, y, maxima, totals, parameter, rows, n, terms):
    for r in range(rows):
        m, log_total = np.float64(maxima[r]), log53(np.float64(totals[r]))
        for i in range(r * n, (r + 1) * n):
            t = np.float64(y[i])
            terms[i] = where(t == 0.0, 0.0, -(t * ((np.float64(z[i]) - m) - log_total)))


def binary_cross_entropy(z, a, y, maxima, totals, parameter, rows, n, terms):
    for i in range(rows * n):
        x, t = np.float64(z[i]), np.float64(y[i])
        terms[i] = (where(x > 0.0, x, 0.0) - x * t) + log1p53(exp53(where(x > 0.0, -x, x)))


def difference(a, y, parameter, g, n):
    for i in range(n):
        g[i] = a[i] - y[i]


def sign_of_difference(a, y, parameter, g, n):
    zero, one = as_item(a, 0), as_item(a, 1)
    for i in range(n):
        d = a[i] - y[i]
        g[i] = where(d > zero, one, where(d < zero, -one, d))


def clipped_difference(a, y, delta, g, n):
    for i in range(n):
        d = a[i] - y[i]
        g[i] = where(d > delta, delta, where(d < -delta, -delta, d))


def quantile_error(a, y, q, g, n):
    zero, rest = as_item(a, 0), as_item(a, 1) - q
    for i in range(n):
        d = a[i] - y[i]
        g[i] = where(d > zero, rest, where(d < zero, -q, d))


FUNCTIONS = {  # with Loss.factor and Loss.through_activation
    "squared_error": (squared_error, difference, 0.5, True),
    "absolute_error": (absolute_error, sign_of_difference, 1.0, True),
    "huber": (huber, clipped_difference, 1.0, True),
    "quantile": (quantile, quantile_error, 1.0, True),
    "poisson": (poisson, difference, 1.0, False),
    "cross_entropy": (cross_entropy, difference, 1.0, False),
    "binary_cross_entropy": (binary_cross_entropy, difference, 1.0, False),
}


def loss_of(loss, dtype):
    """The Loss of a name, or of an object of fastmlp.losses, compiled on first use. ValueError for a name not here."""
    name = name_of(loss)
    if name not in FUNCTIONS:
        raise ValueError(f"the Numba backend has no loss {name!r}")
    terms, error, factor, through_activation = FUNCTIONS[name]
    number, n = numba.from_dtype(dtype), types.int64
    p, doubles = types.CPointer(number), types.CPointer(types.float64)
    terms = compiled(terms, types.void(p, p, p, p, p, types.float64, n, n, doubles))
    error = compiled(error, types.void(p, p, number, p, n))
    return Loss(terms.address, error.address, factor, through_activation, float(dtype.type(parameter_of(loss))))


compiled = functools.cache(compile_c_function)


@jit
def row_losses(loss, z, a, y, rows, n, maxima, totals, terms, losses):
    """losses (rows,) in float64, from z, a, y (rows, n) for a Loss. terms: float64 (rows * n,) to work in."""
    call(loss.terms, (z, a, y, maxima, totals, loss.parameter, rows, n, terms))
    for r in range(rows):
        losses[r] = loss.factor * sum_in_order(moved(terms, r * n), n)


@jit
def output_gradient(loss, gradient, derived, a, y, g, rows, n, weighted, weights, divisor):
    """g (rows, n) = dL/dz from a and y, for L the sum of the rows' losses over divisor, times weights (rows,) if weighted.

    derived: what the activation's gradient function reads, a or z.
    """
    call(loss.error, (a, y, as_item(a, loss.parameter), g, rows * n))
    if weighted != 0:
        for r in range(rows):
            for i in range(r * n, (r + 1) * n):
                g[i] = g[i] * weights[r]
    divisor = as_item(a, divisor)
    for i in range(rows * n):
        g[i] = g[i] / divisor
    if loss.through_activation != 0:
        call(gradient, (derived, g, rows * n))


@jit
def class_of(outputs, n):
    """The index of the first largest output; with a single output, whether it exceeds 1/2; -1 where there is a NaN."""
    for j in range(n):
        if outputs[j] != outputs[j]:
            return -1
    if n == 1:
        return np.int64(outputs[0] > 0.5)
    best, largest = 0, outputs[0]
    for j in range(1, n):
        larger = outputs[j] > largest
        best, largest = where(larger, j, best), where(larger, outputs[j], largest)
    return best


@jit
def n_right_labels(a, y, n):
    """How many outputs lie on the same side of 1/2 as their targets, which NaN does on neither."""
    count = 0
    for j in range(n):
        count += (a[j] > 0.5 and y[j] > 0.5) or (a[j] <= 0.5 and y[j] <= 0.5)
    return count
