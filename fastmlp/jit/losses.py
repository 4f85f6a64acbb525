"""The losses of rows, the gradient at the output, and the classes of rows, after fastmlp/reference/losses.py.

A loss is one C function and a row of the table below, found by its name in fastmlp/losses.py. Rows of n numbers follow one
another.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
from numba import types

from .activations import sum_in_order
from .compiling import compile_c_function, jit
from .elementary import exp53, log1p53, log53
from .intrinsics import as_item, call, moved, where


class Loss(NamedTuple):
    """terms: the address of a C function (z*, a*, y*, maxima*, totals*, rows, n, terms*) that writes, in float64, what each
    output adds to its row's loss, from z, a, y (rows, n), and from softmax's m and s (rows,), where the output is softmax.
    """

    terms: int
    factor: float  # of the sum of a row's terms
    through_activation: bool  # whether the gradient a - y goes through the output activation's derivative


def squared_error(z, a, y, maxima, totals, rows, n, terms):
    for i in range(rows * n):
        e = np.float64(a[i]) - np.float64(y[i])
        terms[i] = e * e


def cross_entropy(z, a, y, maxima, totals, rows, n, terms):
    for r in range(rows):
        m, log_total = np.float64(maxima[r]), log53(np.float64(totals[r]))
        for i in range(r * n, (r + 1) * n):
            t = np.float64(y[i])
            terms[i] = where(t == 0.0, 0.0, -(t * ((np.float64(z[i]) - m) - log_total)))


def binary_cross_entropy(z, a, y, maxima, totals, rows, n, terms):
    for i in range(rows * n):
        x, t = np.float64(z[i]), np.float64(y[i])
        terms[i] = (where(x > 0.0, x, 0.0) - x * t) + log1p53(exp53(where(x > 0.0, -x, x)))


FUNCTIONS = {  # with Loss.factor and Loss.through_activation
    "squared_error": (squared_error, 0.5, True),
    "cross_entropy": (cross_entropy, 1.0, False),
    "binary_cross_entropy": (binary_cross_entropy, 1.0, False),
}


def loss_of(name, dtype):
    """The Loss of a name, compiled on first use. ValueError for a name that is not here."""
    if name not in FUNCTIONS:
        raise ValueError(f"the Numba backend has no loss {name!r}")
    function, *properties = FUNCTIONS[name]
    return Loss(compiled(function, dtype).address, *properties)


@functools.cache
def compiled(function, dtype):
    p, n = types.CPointer(numba.from_dtype(dtype)), types.int64
    return compile_c_function(function, types.void(p, p, p, p, p, n, n, types.CPointer(types.float64)))


@jit
def row_losses(terms_of, factor, z, a, y, rows, n, maxima, totals, terms, losses):
    """losses (rows,) in float64, from z, a, y (rows, n); see Loss. terms: float64 (rows * n,) to work in."""
    call(terms_of, (z, a, y, maxima, totals, rows, n, terms))
    for r in range(rows):
        losses[r] = factor * sum_in_order(moved(terms, r * n), n)


@jit
def output_gradient(through_activation, gradient, derived, a, y, g, n, divisor):
    """g (n,) = dL/dz from a and y (n,), for L the sum of the rows' losses over divisor.

    derived: what the activation's gradient function reads, a or z.
    """
    divisor = as_item(a, divisor)
    for i in range(n):
        g[i] = (a[i] - y[i]) / divisor
    if through_activation != 0:
        call(gradient, (derived, g, n))


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
