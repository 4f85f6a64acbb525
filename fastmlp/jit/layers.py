"""What a layer does to its sums: activations and their gates, losses and output gradients.

Each follows its namesake in fastmlp/reference/ operation by operation. Arrays are pointers; rows of n numbers follow one
another where nothing else is said. What goes through a row in order is kept apart from what goes through all numbers
alike, so that the latter runs in vector registers whatever n is.
"""

import numpy as np

from .compiling import jit
from .elementary import exp, exp53, log1p53, log53, sigmoid, tanh
from .intrinsics import as_item, call, moved, where
from .tile import CHUNK

IDENTITY, RELU, SIGMOID, TANH, SOFTMAX, CUSTOM = range(6)  # as numbered in fastmlp/activations.py
SQUARED_ERROR, CROSS_ENTROPY, BINARY_CROSS_ENTROPY = range(3)  # as numbered in fastmlp/losses.py


@jit
def copy_run(x, y, n):
    for i in range(n):
        y[i] = x[i]


@jit
def activate_run(activation, function, z, a, n):
    """a (n,) = f(z), for the activations that go element by element; z may be a. function: the address of a CUSTOM one."""
    if activation == RELU:
        zero = as_item(z, 0)
        for i in range(n):
            a[i] = where(z[i] <= zero, zero, z[i])
    elif activation == SIGMOID:
        for i in range(n):
            a[i] = sigmoid(z[i])
    elif activation == TANH:
        for i in range(n):
            a[i] = tanh(z[i])
    elif activation == CUSTOM:
        call(function, (z, a, n))
    else:
        copy_run(z, a, n)


@jit
def gate_run(activation, function, z, a, g, n):
    """g (n,), dL/da, becomes dL/dz = dL/da f'(z). function: the address of a CUSTOM one, which alone reads z."""
    one = as_item(a, 1)
    if activation == RELU:
        zero = as_item(a, 0)
        for i in range(n):
            g[i] = where(a[i] > zero, g[i], zero)
    elif activation == SIGMOID:
        for i in range(n):
            g[i] = g[i] * (a[i] * (one - a[i]))
    elif activation == TANH:
        for i in range(n):
            g[i] = g[i] * (one - a[i] * a[i])
    elif activation == CUSTOM:
        call(function, (z, g, n))


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
    """z (rows, n) becomes p_j = e_j / s in place; maxima, totals (rows,): each row's m and s."""
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


@jit
def row_losses(loss, z, a, y, rows, n, maxima, totals, terms, losses):
    """losses (rows,) in float64, from z, a, y (rows, n). maxima, totals (rows,): softmax's m and s, for cross entropy.
    terms: float64 (rows * n,) to work in."""
    if loss == SQUARED_ERROR:
        for i in range(rows * n):
            e = np.float64(a[i]) - np.float64(y[i])
            terms[i] = e * e
    elif loss == CROSS_ENTROPY:
        for r in range(rows):
            m, log_total = np.float64(maxima[r]), log53(np.float64(totals[r]))
            for i in range(r * n, (r + 1) * n):
                t = np.float64(y[i])
                terms[i] = where(t == 0.0, 0.0, -(t * ((np.float64(z[i]) - m) - log_total)))
    else:
        for i in range(rows * n):
            x, t = np.float64(z[i]), np.float64(y[i])
            terms[i] = (where(x > 0.0, x, 0.0) - x * t) + log1p53(exp53(where(x > 0.0, -x, x)))
    for r in range(rows):
        total = sum_in_order(moved(terms, r * n), n)
        losses[r] = 0.5 * total if loss == SQUARED_ERROR else total


@jit
def output_gradient(loss, activation, gate, z, a, y, g, n, rows):
    """g (n,) = dL/dz from z, a and y (n,), a part of a batch of `rows` rows."""
    count = as_item(a, rows)
    for i in range(n):
        g[i] = (a[i] - y[i]) / count
    if loss == SQUARED_ERROR:
        gate_run(activation, gate, z, a, g, n)


@jit
def class_of(outputs, n):
    """The index of the first largest output; with a single output, whether it exceeds 1/2."""
    if n == 1:
        return np.int64(outputs[0] > 0.5)
    best, largest = 0, outputs[0]
    for j in range(1, n):
        larger = outputs[j] > largest
        best, largest = where(larger, j, best), where(larger, outputs[j], largest)
    return best
