"""What fit shows as it goes: a bar, and a line an epoch, as callbacks.

What is shown can never end training: where a stream is closed, broken or no stream at all, the rest is not shown.
"""

import functools
import sys

from .callbacks import Callback


def for_verbosity(verbose):
    """The callbacks that verbose asks for.

    0: none. 1: a bar and lines on terminals; in a notebook tqdm's bar for it, or lines where that is not installed. 2: lines
    anywhere, and a bar on a terminal.
    """
    if verbose == 1 and _in_notebook():
        return [_available(NotebookBar) or EpochLines()]
    bar = _available(ProgressBar) if verbose and _is_terminal(sys.stderr) else None
    lines = EpochLines() if verbose == 2 or verbose == 1 and _is_terminal(sys.stdout) else None
    return [callback for callback in (bar, lines) if callback]


def _shown(method):
    """The method of a callback, which does nothing more once something that it writes to has failed."""

    @functools.wraps(method)
    def wrapped(self, *args):
        if not self.failed:
            try:
                method(self, *args)
            except STREAM_FAILURES:
                self.failed = True

    return wrapped


STREAM_FAILURES = (OSError, ValueError, AttributeError, TypeError, RuntimeError)  # closed, broken, or no stream at all


class ProgressBar(Callback):
    """tqdm's bar on standard error, one an epoch. Raises ImportError without tqdm."""

    failed = False

    def __init__(self):
        from tqdm import tqdm

        self.make, self.bar = tqdm, None

    @_shown
    def on_epoch_begin(self, epoch, logs=None):
        description = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.bar = self.make(total=self.params["rows"], desc=description, unit="row", unit_scale=True, leave=False)

    @_shown
    def on_rows_end(self, rows):
        self.bar.update(rows)

    @_shown
    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()

    @_shown
    def close(self):
        if self.bar is not None:
            self.bar.close()


class NotebookBar(Callback):
    """tqdm's bar of notebooks, one for all epochs, with the last epoch's loss. Raises ImportError without its packages."""

    failed = False

    def __init__(self):
        import ipywidgets  # noqa: F401  what the bar is made of
        from tqdm.notebook import tqdm

        self.make, self.bar = tqdm, None

    @_shown
    def on_epoch_begin(self, epoch, logs=None):
        epochs, rows = self.params["epochs"], self.params["rows"]
        if self.bar is None:
            self.bar = self.make(total=rows and (epochs - epoch) * rows, unit="row", unit_scale=True)
        self.bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)

    @_shown
    def on_rows_end(self, rows):
        self.bar.update(rows)

    @_shown
    def on_epoch_end(self, epoch, logs=None):
        self.bar.set_postfix_str(_measured(logs))

    @_shown
    def close(self):
        if self.bar is not None:
            self.bar.close()


class EpochLines(Callback):
    """A line on standard output after every epoch."""

    failed = False

    @_shown
    def on_epoch_end(self, epoch, logs=None):
        epochs = str(self.params["epochs"])
        print(f"epoch {epoch + 1:{len(epochs)}}/{epochs}  {_measured(logs)}  {logs['seconds']:.2f} s", flush=True)


def _measured(logs):
    """What an epoch measured, as a History names it: losses with six digits, the rest with four."""
    digits = {name: 6 if "loss" in name or name == "penalty" else 4 for name in logs if name != "seconds"}
    return "  ".join(f"{name} {logs[name]:.{n}f}" for name, n in digits.items())


def _available(callback):
    """One of these callbacks, or None where it lacks a package."""
    try:
        return callback()
    except ImportError:
        return None


def _is_terminal(stream):
    try:
        return bool(stream.isatty())
    except STREAM_FAILURES:
        return False


def _in_notebook():
    """Whether this is a cell of Jupyter, VS Code or Colab: their IPython runs in a kernel, that of a terminal does not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")
