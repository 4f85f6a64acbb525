"""Random numbers that depend on the seed and on what they are for, and on nothing else: the same bits on every machine."""

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

WEIGHTS, SHUFFLES = 0, 1  # which stream of the seed a draw comes from


def shuffled_rows(n_rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order in which an epoch (counted from 0 over the network's life) takes the rows: int64 (n_rows,)."""
    return stream(seed, SHUFFLES, epoch).permutation(n_rows).astype(np.int64, copy=False)


BLOCKS = 16  # of a group, in shuffled_blocks


def shuffled_blocks(
    n_rows: int, block: int, seed: int, epoch: int
) -> Iterator[tuple[list[tuple[int, int]], NDArray[np.int64]]]:
    """An order for rows that are read from a disk, where neighbours come fast: whole blocks of so many rows, in random order.

    Yields for each group of BLOCKS blocks their (start, stop), and the order in which the rows of the group, block after block,
    are taken.
    """
    starts = stream(seed, SHUFFLES, epoch).permutation(-(-n_rows // block)) * block
    for group, first in enumerate(range(0, len(starts), BLOCKS)):
        bounds = [(int(start), min(int(start) + block, n_rows)) for start in starts[first : first + BLOCKS]]
        yield bounds, stream(seed, SHUFFLES, epoch, group).permutation(sum(stop - start for start, stop in bounds))


def stream(*key: int) -> np.random.RandomState:
    """The thread's one RandomState, seeded as RandomState(key) is: to make a new one takes 0.15 ms."""
    if not hasattr(_of_thread, "state"):
        _of_thread.state = np.random.RandomState(0)
    state: np.random.RandomState = _of_thread.state
    state.seed(key)
    return state


_of_thread = threading.local()
