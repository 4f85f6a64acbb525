"""Functions for users' own activations: the reference's arithmetic in every backend, the same bits everywhere.

    import fastmlp.math as fm

Each takes a number or an array, float32 or float64, and gives its type back; other real numbers count as float64.
Numbers go through the reference, arrays through the fastest backend that is there. Inside an activation that Numba
compiles these functions are Numba's own (fastmlp/custom/compiling.py).
"""

import os
import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import backends, reference
from .arrays import FloatDtype, Floats

__all__ = ["exp", "expm1", "log", "log1p", "sigmoid", "sqrt", "tanh"]


def exp(z: ArrayLike) -> Any:
    """e to the power z.

    >>> exp(1.0)
    np.float64(2.718281828459045)
    """
    return _applied("exp", z)


def expm1(z: ArrayLike) -> Any:
    """e to the power z, minus 1, exact to the last bits also for small z."""
    return _applied("expm1", z)


def log(z: ArrayLike) -> Any:
    """The natural logarithm of z; -inf at 0, NaN below.

    >>> log(np.array([1, 2, 4], np.float32))
    array([0.       , 0.6931472, 1.3862944], dtype=float32)
    """
    return _applied("log", z)


def log1p(z: ArrayLike) -> Any:
    """log(1 + z), exact to the last bits also for small z."""
    return _applied("log1p", z)


def sigmoid(z: ArrayLike) -> Any:
    """1 / (1 + exp(-z)).

    >>> sigmoid(np.array([-1000.0, 0, 1000]))
    array([0. , 0.5, 1. ])
    """
    return _applied("sigmoid", z)


def tanh(z: ArrayLike) -> Any:
    """(exp(z) - exp(-z)) / (exp(z) + exp(-z))."""
    return _applied("tanh", z)


def sqrt(z: ArrayLike) -> Any:
    """The square root of z; NaN below 0."""
    z = _real(z)
    with np.errstate(all="ignore"):
        return np.sqrt(z)


def _applied(name: str, z: ArrayLike) -> Any:
    z = _real(z)
    module = _of_arrays(z.dtype) if z.ndim else reference
    return getattr(module, name)(z.reshape(-1)).reshape(z.shape)[()]


def _real(z: ArrayLike) -> Floats:
    z = np.asarray(z)
    if z.dtype not in (np.float32, np.float64):
        if z.dtype.kind not in "iuf":
            raise TypeError(f"z must be a real number or an array of them, not dtype {z.dtype}")
        z = z.astype(np.float64)
    return z


def _of_arrays(dtype: FloatDtype) -> ModuleType:
    """The module whose functions take arrays: FASTMLP_BACKEND's if it names one, else the fastest that is there.

    Numba is not imported for this, which would take longer than it saves.
    """
    asked = os.environ.get("FASTMLP_BACKEND") or "compiled"
    if asked == "compiled" and backends.kernels():
        return backends.functions("compiled")[dtype]
    if asked != "reference" and f"{__package__}.jit" in sys.modules:
        from . import jit

        return jit
    return reference
