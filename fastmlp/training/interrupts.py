"""Ctrl-C while a network trains: it sets a flag, which the loop looks at between slices of steps."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Make Ctrl-C set a flag instead of raising anywhere; yields the function that tells whether it did.

    Only the main thread receives signals, and a handler that the program installed itself is left alone.
    """
    pressed: list[bool] = []
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    try:
        signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
