"""What fit shows as it goes: a bar, and a line an epoch, as callbacks.

What is shown can never end training: where a stream is closed, broken or no stream at all, the rest is not shown.
"""

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TextIO

from .callbacks import Callback, Logs

P = ParamSpec("P")


def for_verbosity(verbose: int) -> list[Callback]:
    """The callbacks that verbose asks for.

    0: none. 1: a bar and lines on terminals; in a notebook tqdm's bar for it, or lines where that is not installed. 2: lines
    anywhere, and a bar on a terminal.
    """
    if verbose == 1 and _in_notebook():
        return [_available(NotebookBar) or EpochLines()]
    bar = _available(ProgressBar) if verbose and _is_terminal(sys.stderr) else None
    lines = EpochLines() if verbose == 2 or verbose == 1 and _is_terminal(sys.stdout) else None
    return [callback for callback in (bar, lines) if callback]


def _shown(method: Callable[Concatenate[Any, P], None]) -> Callable[Concatenate[Any, P], None]:
    """The method of a callback, which does nothing more once something that it writes to has failed."""

    @functools.wraps(method)
    def wrapped(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.failed:
            try:
                method(self, *args, **kwargs)
            except STREAM_FAILURES:
                self.failed = True

    return wrapped


STREAM_FAILURES = (OSError, ValueError, AttributeError, TypeError, RuntimeError)  # closed, broken, or no stream at all


class ProgressBar(Callback):
    """tqdm's bar on standard error, one an epoch. Raises ImportError without tqdm."""

    failed = False
    bar: Any = None

    def __init__(self) -> None:
        from tqdm import tqdm

        self.make = tqdm

    @_shown
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        description = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.bar = self.make(total=self.params["rows"], desc=description, unit="row", unit_scale=True, leave=False)

    @_shown
    def on_rows_end(self, rows: int) -> None:
        self.bar.update(rows)

    @_shown
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.bar.close()

    @_shown
    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class NotebookBar(Callback):
    """tqdm's bar of notebooks, one for all epochs, with the last epoch's loss. Raises ImportError without its packages."""

    failed = False
    bar: Any = None

    def __init__(self) -> None:
        import ipywidgets  # noqa: F401  what the bar is made of
        from tqdm.notebook import tqdm

        self.make = tqdm

    @_shown
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        epochs, rows = self.params["epochs"], self.params["rows"]
        if self.bar is None:
            self.bar = self.make(total=rows and (epochs - epoch) * rows, unit="row", unit_scale=True)
        self.bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)

    @_shown
    def on_rows_end(self, rows: int) -> None:
        self.bar.update(rows)

    @_shown
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.bar.set_postfix_str(_measured(logs or {}))

    @_shown
    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class EpochLines(Callback):
    """A line on standard output after every epoch."""

    failed = False

    @_shown
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        epochs, logs = str(self.params["epochs"]), logs or {}
        print(f"epoch {epoch + 1:{len(epochs)}}/{epochs}  {_measured(logs)}  {logs['seconds']:.2f} s", flush=True)


def _measured(logs: Mapping[str, float]) -> str:
    """What an epoch measured, as a History names it: losses with six digits, the rest with four."""
    digits = {name: 6 if "loss" in name or name == "penalty" else 4 for name in logs if name != "seconds"}
    return "  ".join(f"{name} {logs[name]:.{n}f}" for name, n in digits.items())


def _available(callback: Callable[[], Callback]) -> Callback | None:
    """One of these callbacks, or None where it lacks a package."""
    try:
        return callback()
    except ImportError:
        return None


def _is_terminal(stream: TextIO) -> bool:
    try:
        return bool(stream.isatty())
    except STREAM_FAILURES:
        return False


def _in_notebook() -> bool:
    """Whether this is a cell of Jupyter, VS Code or Colab: their IPython runs in a kernel, that of a terminal does not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")
