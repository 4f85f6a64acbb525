"""What the threads of a team share while they run compiled code: a barrier, and a counter of rows.

All of it stands in words of one int64 array, a cache line apart.
"""

import numpy as np

from .compiling import jit
from .intrinsics import atomic_add, atomic_load, atomic_store, give_way, moved, pause

WAITING, ROUND, ABORTED, ROWS_TAKEN, ROWS_DONE = range(0, 40, 8)
SPINS = 64  # one to three microseconds


def sync_words():
    return np.zeros(40, np.int64)


@jit
def rest(spins):
    """The one we wait for may be waiting for this very processor."""
    if spins < SPINS:
        pause()
    else:
        give_way()


@jit
def wait(sync, team):
    """Wait until all of the team are here: True, or False if that will never be, because the call was aborted."""
    if team == 1:
        return True
    round_, spins = moved(sync, ROUND), 0
    this_round = atomic_load(round_)
    if atomic_add(moved(sync, WAITING), 1) == team - 1:
        atomic_store(moved(sync, WAITING), 0)
        atomic_store(round_, this_round + 1)
        return True
    while atomic_load(round_) == this_round:
        if atomic_load(moved(sync, ABORTED)) != 0:
            return False
        rest(spins)
        spins += 1
    return True


@jit
def take_rows(sync, n):
    """The first of the next n rows that nobody has taken."""
    return atomic_add(moved(sync, ROWS_TAKEN), n)


@jit
def rows_are_done(sync, n):
    atomic_add(moved(sync, ROWS_DONE), n)


@jit
def wait_for_rows(sync, n):
    """Wait until n rows are done: those that others have taken."""
    spins = 0
    while atomic_load(moved(sync, ROWS_DONE)) < n:
        rest(spins)
        spins += 1
