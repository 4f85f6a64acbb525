"""Python threads that run compiled code together.

One pool serves the process, and one call at a time: a call that finds it taken runs on its own thread alone, so that no
two ever wait for each other. Numba's own threading layers would abort or hang in a forked process or under several Python
threads; this pool is made anew after a fork.
"""

import os
import queue
import threading

from .barrier import ABORTED, ROWS_TAKEN, sync_words


class _Pool:
    def __init__(self):
        self.taken = threading.Lock()
        self.size, self.parts = 0, queue.SimpleQueue()

    def has(self, count):
        """Whether so many threads are there; they are started, unless the system has no more or the interpreter ends."""
        try:
            while self.size < count:
                threading.Thread(target=_serve, args=(self.parts,), name="fastmlp", daemon=True).start()
                self.size += 1
        except RuntimeError:
            return False
        return True

    def start(self, function, *arguments, count):
        """function(*arguments, thread) for thread 1 .. count, each on a thread of its own."""
        for thread in range(1, count + 1):
            self.parts.put((function, *arguments, thread))


def _serve(parts):
    while True:
        function, *arguments = parts.get()
        function(*arguments)
        del function, arguments  # the arrays in it are not to wait for the next part


_pool = _Pool()


def _after_fork():
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def run_together(part, wanted):
    """part(team, sync, thread) for each thread of a team of `wanted`, or of one if the pool is taken; this thread is 0.

    sync: the words that they share. Returns when part has returned here; it waits in compiled code for what it needs
    of the others.
    """
    sync, pool = sync_words(), _pool
    if wanted == 1 or not pool.taken.acquire(blocking=False):
        return part(1, sync, 0)
    try:
        if not pool.has(wanted - 1):
            return part(1, sync, 0)
        pool.start(part, wanted, sync, count=wanted - 1)
        part(wanted, sync, 0)
    except BaseException:
        # An interrupt may have come before this thread joined the others, who wait for it, or take all rows without it.
        sync[ABORTED], sync[ROWS_TAKEN] = 1, 2**62
        raise
    finally:
        pool.taken.release()
