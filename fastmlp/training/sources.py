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


class Arrays:
    """Samples in memory: an epoch is one chunk.

    shuffle: whether every epoch takes the rows in a new order, shuffled_rows.
    """

    def __init__(self, samples: Samples, batch_size: int, shuffle: bool) -> None:
        self.samples, self.batch_size, self.shuffle = samples, batch_size, shuffle
        self.rows = len(samples.x)
        self.steps = -(-self.rows // batch_size)

    def chunks(self, seed: int, epoch: int, row: int) -> Iterator[Chunk]:
        """The chunks of an epoch, from a row on that begins a step."""
        order = shuffled_rows(self.rows, seed, epoch) if self.shuffle else None
        yield Chunk(self.samples, self.batch_size, order, row)
