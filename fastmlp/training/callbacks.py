"""Who is told how training goes: a bar, and a line an epoch. The loop calls their methods and knows nothing else of them."""

import contextlib
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
    """The callbacks that verbose asks for: 0 none, 1 a bar and lines on terminals, 2 lines anywhere, a bar on a terminal."""
    callbacks = []
    if verbose and _is_terminal(sys.stderr):
        with contextlib.suppress(ImportError):
            callbacks.append(ProgressBar())
    if verbose == 2 or verbose == 1 and _is_terminal(sys.stdout):
        callbacks.append(EpochLines())
    return callbacks


class ProgressBar(Callback):
    """tqdm's bar on standard error, one an epoch. Raises ImportError without tqdm."""

    def __init__(self):
        from tqdm import tqdm

        self.make, self.bar = tqdm, None

    def on_epoch_begin(self, epoch, epochs, rows):
        self.bar = self.make(total=rows, desc=f"epoch {epoch}/{epochs}", unit="row", unit_scale=True, leave=False)

    def on_rows_end(self, rows):
        self.bar.update(rows)

    def on_epoch_end(self, epoch, epochs, seconds, trained, validation):
        self.bar.close()

    def on_train_end(self):
        if self.bar is not None:
            self.bar.close()


class EpochLines(Callback):
    """A line on standard output after every epoch."""

    def on_epoch_end(self, epoch, epochs, seconds, trained, validation):
        parts = [f"epoch {epoch:{len(str(epochs))}}/{epochs}", f"loss {trained.loss:.6f}"]
        if validation is not None:
            parts.append(f"validation loss {validation.loss:.6f}")
        counted = validation or trained
        if counted.n_correct is not None:
            parts.append(f"{counted.n_correct} / {counted.n}")
        print("  ".join([*parts, f"{seconds:.2f} s"]), flush=True)


def _is_terminal(stream):
    return stream is not None and stream.isatty()
