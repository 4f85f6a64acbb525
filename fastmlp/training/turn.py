"""Whose turn it is to train a network: one call's at a time, whatever threads, signals and forks do meanwhile."""

import os
import threading
import weakref


class Turn:
    """Who trains a network writes

        try:
            del turn.free
        except AttributeError:
            raise busy(turn) from None
        try:
            ...
        finally:
            turn.free = True

    To delete an attribute, which must not be a slot, is one step with Python's global lock and without: of several threads one
    succeeds. And no call stands where a signal could come between, so that nothing is left behind, wherever it falls.
    """

    free: bool  # there or not, and never False
    fitting: int | None  # the thread whose fit it is, which tells callbacks from other threads

    def __init__(self) -> None:
        self.free, self.fitting = True, None
        _turns.add(self)


_turns: weakref.WeakSet[Turn] = weakref.WeakSet()


def busy(turn: Turn) -> RuntimeError:
    """The error for a network that is being trained already."""
    if turn.fitting == threading.get_ident():
        return RuntimeError(
            "this network is being trained by the fit that calls this, by a callback or a metric: train a copy"
        )
    return RuntimeError("this network is being trained by another thread; train a copy, or wait for that to end")


def _after_fork() -> None:
    """The threads that trained when a child was forked are not in the child."""
    for turn in _turns:
        turn.fitting, turn.free = None, True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
