"""Sums in a fixed order, fast: the bits of fastmlp.reference.ordered_sum."""

import numpy as np

from ..reference import CHUNK


def ordered_mean(values: np.ndarray) -> float:
    """fastmlp.reference.ordered_sum(values) / len(values), with its bits."""
    return ordered_sum(values) / len(values)


def ordered_sum(values: np.ndarray) -> float:
    """fastmlp.reference.ordered_sum of float64 values, faster: to accumulate is to add one by one."""
    with np.errstate(all="ignore"):
        if len(values) <= CHUNK:
            return 0.0 + float(np.add.accumulate(values)[-1])
        whole = len(values) // CHUNK * CHUNK
        chunks = np.add.accumulate(values[:whole].reshape(-1, CHUNK), axis=1)[:, -1]
        last = np.add.accumulate(values[whole:])[-1:]
        return float(np.add.accumulate(np.concatenate([[0.0], chunks, last]))[-1])
