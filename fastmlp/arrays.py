"""What annotations call arrays and their dtypes, and flat arrays that begin on a cache line."""

import numpy as np
from numpy.typing import NDArray

FloatDtype = np.dtype[np.floating]  # a network's, float32 or float64
Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

CACHE_LINE = 64  # bytes


def aligned_zeros(size: int, dtype: FloatDtype) -> Floats:
    """Zeros that begin on a cache line, where vector loads and stores do not straddle two."""
    raw = np.zeros(size * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size * dtype.itemsize].view(dtype)


def aligned(array: Floats) -> Floats:
    """The flat array, or where it does not begin on a cache line a copy that does."""
    if array.ctypes.data % CACHE_LINE == 0:
        return array
    result = aligned_zeros(array.size, array.dtype)
    result[...] = array
    return result
