"""Who is told how training goes: a bar, and a line an epoch. The loop calls their methods and knows nothing else of them.

What is shown can never end training: where a stream is closed, broken or no stream at all, the rest is not shown.
"""

import functools
import sys


class Callback:
    """What the loop tells; each method does nothing unless a callback says otherwise."""

    def on_epoch_begin(self, epoch, epochs, rows):
        """Epoch 1, 2, ... of this fit, over so many rows, is about to begin."""

    def on_rows_end(self, rows):
        """So many more rows of the epoch have been trained on."""

    def on_epoch_end(self, epoch, epochs, seconds, trained, validation):
        """The epoch is over; trained and validation (or None) are its Evaluations."""

    def on_train_end(self):
        """Training has ended, or was interrupted."""


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
    def on_epoch_begin(self, epoch, epochs, rows):
        self.bar = self.make(total=rows, desc=f"epoch {epoch}/{epochs}", unit="row", unit_scale=True, leave=False)

    @_shown
    def on_rows_end(self, rows):
        self.bar.update(rows)

    @_shown
    def on_epoch_end(self, epoch, epochs, seconds, trained, validation):
        self.bar.close()

    @_shown
    def on_train_end(self):
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
    def on_epoch_begin(self, epoch, epochs, rows):
        if self.bar is None:
            self.bar = self.make(total=epochs * rows, unit="row", unit_scale=True)
        self.bar.set_description(f"epoch {epoch}/{epochs}", refresh=False)

    @_shown
    def on_rows_end(self, rows):
        self.bar.update(rows)

    @_shown
    def on_epoch_end(self, epoch, epochs, seconds, trained, validation):
        self.bar.set_postfix_str(_measured(trained, validation))

    @_shown
    def on_train_end(self):
        if self.bar is not None:
            self.bar.close()


class EpochLines(Callback):
    """A line on standard output after every epoch."""

    failed = False

    @_shown
    def on_epoch_end(self, epoch, epochs, seconds, trained, validation):
        measured = _measured(trained, validation)
        print(f"epoch {epoch:{len(str(epochs))}}/{epochs}  {measured}  {seconds:.2f} s", flush=True)


def _measured(trained, validation):
    parts = [f"loss {trained.loss:.6f}"]
    if validation is not None:
        parts.append(f"validation loss {validation.loss:.6f}")
    counted = validation or trained
    if counted.n_correct is not None:
        parts.append(f"{counted.n_correct} / {counted.n}")
    return "  ".join(parts)


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
