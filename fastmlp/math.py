"""Functions for users' own activations: the reference's arithmetic in every backend, the same bits everywhere.

    import fastmlp.math as fm

Each takes a number or an array, float32 or float64, and gives its type back; other real numbers count as float64.
Inside an activation that Numba compiles they are the compiled ones (fastmlp/custom/compiling.py).
"""

import numpy as np

from . import reference

__all__ = ["exp", "expm1", "log", "log1p", "sigmoid", "sqrt", "tanh"]


def exp(z):
    """e to the power z."""
    return _applied(reference.exp, z)


def expm1(z):
    """e to the power z, minus 1, exact to the last bits also for small z."""
    return _applied(reference.expm1, z)


def log(z):
    """The natural logarithm; -inf at 0, NaN below."""
    return _applied(reference.log, z)


def log1p(z):
    """log(1 + z), exact to the last bits also for small z."""
    return _applied(reference.log1p, z)


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return _applied(reference.sigmoid, z)


def tanh(z):
    """(exp(z) - exp(-z)) / (exp(z) + exp(-z))."""
    return _applied(reference.tanh, z)


def sqrt(z):
    """The square root; NaN below 0."""
    return _applied(np.sqrt, z)


def _applied(function, z):
    z = np.asarray(z)
    if z.dtype not in (np.float32, np.float64):
        if z.dtype.kind not in "iuf":
            raise TypeError(f"z must be a real number or an array of them, not dtype {z.dtype}")
        z = z.astype(np.float64)
    with np.errstate(all="ignore"):
        return function(z.reshape(-1)).reshape(z.shape)[()]
