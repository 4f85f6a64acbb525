"""Where the rows of an epoch come from: the loop asks a source for Chunks, and knows nothing else of the data."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..random_streams import shuffled_rows
from ..reference import Samples


class Chunk(NamedTuple):
    """Samples to train on: those from position start on of the order, in steps of batch_size."""

    samples: Samples
    batch_size: int
    order: np.ndarray | None = None
    start: int = 0

    @property
    def rows(self) -> int:
        """How many positions the order has."""
        return len(self.samples.x if self.order is None else self.order)


class Arrays:
    """Samples in memory: an epoch is one chunk.

    shuffle: whether every epoch takes the rows in a new order, shuffled_rows. steps: of an epoch, if not all: the first of its
    order, or without shuffling the rows after those of the epoch before, and from the beginning again after the last.
    """

    def __init__(self, samples: Samples, batch_size: int, shuffle: bool, steps: int | None = None) -> None:
        self.samples, self.batch_size, self.shuffle = samples, batch_size, shuffle
        n_rows = len(samples.x)
        self.rows = n_rows if steps is None else min(steps * batch_size, n_rows)
        self.steps = -(-self.rows // batch_size)

    def chunks(self, seed: int, epoch: int, row: int) -> Iterator[Chunk]:
        """The chunks of an epoch, from a row on that begins a step."""
        yield Chunk(self.samples, self.batch_size, self._order(seed, epoch), row)

    def _order(self, seed: int, epoch: int) -> np.ndarray | None:
        n_rows = len(self.samples.x)
        if self.shuffle:
            return shuffled_rows(n_rows, seed, epoch)[: self.rows]
        if self.rows == n_rows:
            return None
        return (np.arange(self.rows, dtype=np.int64) + epoch * self.rows) % n_rows
