"""Sums over long flat arrays, in float64: squared norms, penalties, and clipping by the norm.

The lane rule: blocks of 4096 consecutive elements from the beginning of the array, the last filled up with +0; within a
block 16 lanes, lane l the sum of the elements 16 k + l in ascending k, from +0; then the lanes in order, and the blocks.
"""

from collections.abc import Iterable

import numpy as np

from ..arrays import Doubles, Floats

LANES, SUM_BLOCK = 16, 4096


def sum_of_squares(array: Floats) -> float:
    """The sum of the squares of a flat array of T, each product and each sum rounded to float64."""
    x = array.astype(np.float64)
    with np.errstate(all="ignore"):
        return _lane_sum(x * x)


def sum_of_magnitudes(array: Floats) -> float:
    """The sum of the absolute values of a flat array, likewise."""
    return _lane_sum(np.abs(array.astype(np.float64)))


def clipping_scale(gradients: Floats, largest: float, eps: float) -> np.floating:
    """What clipping by the global norm multiplies gradients with, rounded to their dtype: largest / n where n is larger, else
    1; n = sqrt(sum of squares) + eps. A norm of NaN clips nothing."""
    with np.errstate(all="ignore"):
        n = np.sqrt(np.float64(sum_of_squares(gradients))) + eps
        scale: np.floating = gradients.dtype.type(np.where(n > largest, largest / n, 1.0))
        return scale


def penalty(segments: Iterable[Floats], l2: float, l1: float) -> float:
    """The penalty of a network: the sum over its segments (weight matrices, and biases where they are penalised), in order, of
    (l2 / 2) sum w^2 + l1 sum |w|."""
    total = 0.0
    with np.errstate(all="ignore"):
        for segment in segments:
            flat = segment.reshape(-1)
            total = total + ((0.5 * l2) * sum_of_squares(flat) + l1 * sum_of_magnitudes(flat))
    return total


def _lane_sum(terms: Doubles) -> float:
    blocks = np.zeros((-(-terms.size // SUM_BLOCK), SUM_BLOCK // LANES, LANES))
    blocks.reshape(-1)[: terms.size] = terms
    total = 0.0
    with np.errstate(all="ignore"):
        s = np.zeros((len(blocks), LANES))
        for k in range(blocks.shape[1]):
            s = s + blocks[:, k]
        t = np.zeros(len(blocks))
        for lane in range(LANES):
            t = t + s[:, lane]
        for block in t:
            total = total + float(block)
    return total
