"""Training: epochs in slices of steps, what they record, and how Ctrl-C ends them.

A slice takes about 50 ms in the backend, without Python; between slices there is time for progress and for Ctrl-C.
"""

import contextlib
import signal
import sys
import threading
import time
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np

from . import notebook
from .border import have_classes
from .initializers import shuffled_rows
from .reference.arithmetic import CHUNK

SLICE_SECONDS = 0.05


class Plan(NamedTuple):
    """The checked arguments of a fit."""

    epochs: int
    batch_size: int
    learning_rate: float
    shuffle: bool
    verbose: int


class Evaluation(NamedTuple):
    """How a network does on some data; accuracy and n_correct are None where there are no classes."""

    loss: float  # mean over the rows
    accuracy: float | None  # n_correct / n
    n_correct: int | None
    n: int


@dataclass
class History:
    """What a fit recorded: lists with one entry a completed epoch, also as history["loss"] and so on.

    loss: the mean loss of the rows, each taken just before the step that trained on it.
    accuracy: the share of rows whose class was right, likewise; empty where there are no classes.
    val_loss, val_accuracy: on the validation data after the epoch; empty without it, or without classes in it.
    seconds: the time for training on the epoch, without validation.
    interrupted_rows: None, or how many rows of a further epoch had been trained on when Ctrl-C ended it.
    """

    loss: list = field(default_factory=list)
    accuracy: list = field(default_factory=list)
    val_loss: list = field(default_factory=list)
    val_accuracy: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    interrupted_rows: int | None = None

    @property
    def epochs(self):
        """How many epochs were completed."""
        return len(self.loss)

    def keys(self):
        return [f.name for f in fields(self) if f.name != "interrupted_rows"]

    def __getitem__(self, key):
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def _repr_html_(self):
        return notebook.history_html(self)

    def _record(self, seconds, trained, validation):
        self.seconds.append(seconds)
        self.loss.append(trained.loss)
        if trained.accuracy is not None:
            self.accuracy.append(trained.accuracy)
        if validation is not None:
            self.val_loss.append(validation.loss)
            if validation.accuracy is not None:
                self.val_accuracy.append(validation.accuracy)


def fit(net, x, y, validation_data, plan):
    """Train net on checked data; see MLP.fit."""
    with SoleTrainer(net), _undone_by_errors(net), _deferred_interrupt() as interrupted:
        net.history = history = History()
        if plan.epochs:
            _learn_task(net, y)
        losses, correct = _results(net, y)
        slices = _Slices(plan.batch_size)
        for epoch in range(1, plan.epochs + 1):
            order = shuffled_rows(len(x), net.seed, net.epochs_trained) if plan.shuffle else None
            began = time.perf_counter()
            with _progress(f"epoch {epoch}/{plan.epochs}", len(x), plan.verbose) as advance:
                for start, stop in slices.of(len(x)):
                    net._engine.train(x, y, order, start, stop, plan.batch_size, plan.learning_rate, losses, correct)
                    advance(stop - start)
                    if interrupted() and stop < len(x):
                        history.interrupted_rows = stop
                        raise KeyboardInterrupt
            seconds = time.perf_counter() - began
            net._epochs_trained += 1
            trained = _summary(losses, correct)
            validation = evaluate(net, *validation_data) if validation_data else None
            history._record(seconds, trained, validation)
            if plan.verbose == 2 or plan.verbose == 1 and _is_terminal(sys.stdout):
                print(_epoch_line(epoch, plan.epochs, seconds, trained, validation), flush=True)
            if interrupted():
                raise KeyboardInterrupt
    return history


def step(net, x, y, learning_rate):
    """One step on all rows of checked data: the mean loss before it."""
    losses = np.empty(len(x))
    with _undone_by_errors(net):
        _learn_task(net, y)
        net._engine.train(x, y, None, 0, len(x), len(x), learning_rate, losses, None)
    return ordered_mean(losses)


def evaluate(net, x, y):
    """The Evaluation of net on checked data."""
    losses, correct = _results(net, y)
    net._engine.evaluate(x, y, losses, correct)
    return _summary(losses, correct)


def ordered_mean(losses):
    """fastmlp.reference.ordered_sum(losses) / len(losses), with its bits: to accumulate is to add one by one."""
    if len(losses) <= CHUNK:
        return (0.0 + float(np.add.accumulate(losses)[-1])) / len(losses)
    whole = len(losses) // CHUNK * CHUNK
    with np.errstate(all="ignore"):
        chunks = np.add.accumulate(losses[:whole].reshape(-1, CHUNK), axis=1)[:, -1]
        last = np.add.accumulate(losses[whole:])[-1:]
        total = np.add.accumulate(np.concatenate([[0.0], chunks, last]))[-1]
    return float(total) / len(losses)


def _results(net, y):
    """Arrays for the rows' losses and for whether their classes are right; None for these without classes."""
    classes = have_classes(y, net.layer_activations[-1])
    return np.empty(len(y)), np.empty(len(y), np.uint8) if classes else None


def _summary(losses, correct):
    n, n_correct = len(losses), None if correct is None else int(np.count_nonzero(correct))
    return Evaluation(ordered_mean(losses), None if correct is None else n_correct / n, n_correct, n)


def _learn_task(net, y):
    """The first targets decide whether the network tells classes apart."""
    if net.is_classifier is None:
        net._is_classifier = have_classes(y, net.layer_activations[-1])


class _Slices:
    """Cuts epochs into slices of whole batches that take about SLICE_SECONDS, by the time that the last one took."""

    def __init__(self, batch_size):
        self.batch_size = batch_size
        self.batches = 1

    def of(self, n_rows):
        start = 0
        while start < n_rows:
            stop = min(start + self.batches * self.batch_size, n_rows)
            began = time.perf_counter()
            yield start, stop
            seconds = max(time.perf_counter() - began, 1e-9)
            fitting = int((stop - start) / self.batch_size * SLICE_SECONDS / seconds)
            self.batches = max(1, min(fitting, 8 * self.batches))  # one lucky measurement does not make a long slice
            start = stop


class SoleTrainer:
    """A context manager: within it no other thread trains the network; RuntimeError where one does already."""

    __slots__ = ("lock",)

    def __init__(self, net):
        self.lock = net._training

    def __enter__(self):
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("this network is being trained by another thread; train a copy, or wait for that to end")

    def __exit__(self, *error):
        self.lock.release()


@contextlib.contextmanager
def _undone_by_errors(net):
    """Leave net as it was if an activation of the user's own raises on the way.

    Nothing else does, and compiled activations cannot: what could raise in them is refused when they are compiled.
    """
    if net.backend != "reference" or all(isinstance(activation, str) for activation in net.layer_activations):
        yield
        return
    before = net.parameters.copy(), net.epochs_trained, net.is_classifier
    history = net.history
    try:
        yield
    except Exception:
        net._restore(*before)
        net.history = history
        raise


@contextlib.contextmanager
def _deferred_interrupt():
    """Make Ctrl-C set a flag instead of raising anywhere; yields the function that tells whether it did.

    Only the main thread receives signals, and a handler that the program installed itself is left alone.
    """
    pressed = []
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


def _is_terminal(stream):
    return stream is not None and stream.isatty()


@contextlib.contextmanager
def _progress(title, n_rows, verbose):
    """Yields advance(rows): a bar on standard error if that is a terminal and tqdm is installed, else nothing."""
    bar_class = None
    if verbose and _is_terminal(sys.stderr):
        with contextlib.suppress(ImportError):
            from tqdm import tqdm as bar_class
    if bar_class is None:
        yield lambda rows: None
        return
    with bar_class(total=n_rows, desc=title, unit="row", unit_scale=True, leave=False) as bar:
        yield bar.update


def _epoch_line(epoch, epochs, seconds, trained, validation):
    parts = [f"epoch {epoch:{len(str(epochs))}}/{epochs}", f"loss {trained.loss:.6f}"]
    if validation is not None:
        parts.append(f"validation loss {validation.loss:.6f}")
    counted = validation or trained
    if counted.n_correct is not None:
        parts.append(f"{counted.n_correct} / {counted.n}")
    return "  ".join([*parts, f"{seconds:.2f} s"])
