"""Sums in a fixed order, fast: the bits of fastmlp.reference.ordered_sum."""

import numpy as np

from ..reference import CHUNK


class RunningSum:
    """fastmlp.reference.ordered_sum of float64 values that come one after the other, with its bits.

    total: of the whole chunks so far; part: of the first `count` values of the next chunk.
    """

    def __init__(self, total: float = 0.0, part: float = 0.0, count: int = 0) -> None:
        self.total, self.part, self.count = total, part, count

    def add(self, values: np.ndarray) -> "RunningSum":
        """Add values (n,) one by one; returns itself."""
        with np.errstate(all="ignore"):
            if self.count:
                begun, values = np.split(values, [CHUNK - self.count])
                self.part = float(np.add.accumulate(np.concatenate([[self.part], begun]))[-1])
                self.count += len(begun)
                if self.count < CHUNK:
                    return self
                self.total, self.part, self.count = self.total + self.part, 0.0, 0
            whole = len(values) // CHUNK * CHUNK
            if whole:  # to accumulate is to add one by one
                chunks = np.add.accumulate(values[:whole].reshape(-1, CHUNK), axis=1)[:, -1]
                self.total = float(np.add.accumulate(np.concatenate([[self.total], chunks]))[-1])
            if whole < len(values):
                self.part, self.count = float(np.add.accumulate(values[whole:])[-1]), len(values) - whole
        return self

    @property
    def value(self) -> float:
        return self.total + self.part


def ordered_mean(values: np.ndarray) -> float:
    """fastmlp.reference.ordered_sum(values) / len(values), with its bits."""
    return ordered_sum(values) / len(values)


def ordered_sum(values: np.ndarray) -> float:
    """fastmlp.reference.ordered_sum of float64 values."""
    return RunningSum().add(values).value
