"""The loop of training: epochs in slices of steps.

A slice takes about 50 ms in the backend, without Python; between slices there is time for callbacks and for Ctrl-C.
"""

import contextlib
import math
import time
import warnings
from typing import NamedTuple

from ..optimizers import Optimizer
from ..random_streams import shuffled_rows
from ..reference import Dropout, Samples, Steps
from .callbacks import Callback, is_of_batches
from .history import History
from .interrupts import deferred_interrupt
from .metrics import Penalties, Rows, evaluate, measured, of_answers
from .scores import Metric

SLICE_SECONDS = 0.05


class Plan(NamedTuple):
    """The checked arguments of a fit."""

    samples: Samples
    validation: Samples | None
    epochs: range  # their numbers, from 0 or initial_epoch
    batch_size: int
    optimizer: Optimizer
    dropout: Dropout | None
    shuffle: bool
    seed: int
    task: str
    callbacks: list[Callback]
    metrics: tuple[Metric, ...]
    training_metrics: bool  # whether they are of the training data, too


def fit(engine, parameters, state, plan) -> History:
    """Train an engine's network, whose parameters these are; returns what it adds to the state's History.

    An epoch whose loss or parameters are not finite is undone, and the last.
    """
    history, before = state.history, state.history.epochs
    history.ended = history.interrupted_rows = None
    state.stop_training, state.row = False, 0
    with deferred_interrupt() as interrupted, contextlib.ExitStack() as stack:
        for callback in plan.callbacks:
            stack.callback(callback.close)
        for callback in plan.callbacks:
            callback.on_train_begin({})
        if plan.epochs:
            _take_epochs(engine, parameters, state, plan, interrupted)
        for callback in plan.callbacks:
            callback.on_train_end(history.since(before).last())
    return history.since(before)


def _take_epochs(engine, parameters, state, plan, interrupted):
    """Train until the last epoch is over, a callback ends it, or the numbers are no longer finite."""
    slices = Slices(plan.batch_size, by_batch=any(map(is_of_batches, plan.callbacks)))
    plan.optimizer.begin(state, parameters, -(-len(plan.samples.x) // plan.batch_size))
    try:
        for epoch in plan.epochs:
            if state.stop_training:
                break
            go_back = state.kept(parameters)
            if not _take_epoch(engine, parameters, state, plan, slices, epoch, interrupted):
                go_back()
                state.history.ended = breakdown(f"epoch {epoch + 1}", plan.optimizer.learning_rate, stacklevel=6)
                break
    finally:
        state.history.interrupted_rows = state.row or None
        plan.optimizer.finish(state, parameters)


def _take_epoch(engine, parameters, state, plan, slices, epoch, interrupted):
    """Train for an epoch, or until a callback ends training; whether all numbers stayed finite."""
    n_rows, batch_size = len(plan.samples.x), plan.batch_size
    rows = Rows(plan.samples, plan.task)
    penalties = Penalties(plan.optimizer, batch_size, n_rows)
    order = shuffled_rows(n_rows, plan.seed, state.epoch) if plan.shuffle else None
    of_batches = plan.callbacks if slices.by_batch else ()
    for callback in plan.callbacks:
        callback.on_epoch_begin(epoch, {})
    began = time.perf_counter()
    for start, stop in slices.of(n_rows):
        for callback in of_batches:
            callback.on_train_batch_begin(start // batch_size, {})
        steps = Steps(start, stop, batch_size, order, state.step)
        update = plan.optimizer.update(state, steps.count, engine.dtype)
        loss = engine.train(plan.samples, update, steps, rows.losses, rows.correct, penalties.of(steps), plan.dropout)
        if not math.isfinite(loss):
            return False
        state.step, state.row = state.step + steps.count, stop
        for callback in of_batches:
            callback.on_train_batch_end(start // batch_size, {"loss": loss})
        for callback in plan.callbacks:
            callback.on_rows_end(stop - start)
        if stop < n_rows and interrupted():
            raise KeyboardInterrupt
        if stop < n_rows and state.stop_training:
            return True
    seconds = time.perf_counter() - began
    if not engine.all_finite(parameters[None]):
        return False
    state.epoch, state.row = state.epoch + 1, 0
    trained, found = rows.evaluation(order), {}
    try:
        found |= measured(trained, penalties.mean())
        with plan.optimizer.averaged(state, parameters):
            if plan.training_metrics:
                trained = trained._replace(metrics=of_answers(engine, plan.samples, plan.task, plan.metrics))
                found |= measured(trained)
            if plan.validation:
                found |= measured(evaluate(engine, plan.validation, plan.task, plan.metrics), prefix="val_")
    finally:
        found["seconds"] = seconds
        state.history.record(found)
    for callback in plan.callbacks:
        callback.on_epoch_end(epoch, found)
    if interrupted():
        raise KeyboardInterrupt
    return True


def breakdown(when, learning_rate, stacklevel=5):
    """Warn that training broke down; returns what happened, in a line. stacklevel: which caller is the user's line."""
    rate = f"{learning_rate:g}" if isinstance(learning_rate, float) else str(learning_rate)
    what = f"training broke down in {when}, with learning rate {rate}: the loss or a parameter was not finite"
    warnings.warn(
        f"{what}. Try a learning rate ten times smaller, and inputs and targets of about unit size",
        RuntimeWarning,
        stacklevel=stacklevel,
    )
    return what


class Slices:
    """Cuts epochs into slices of whole batches that take about SLICE_SECONDS, by the time that the last one took.

    by_batch: into slices of one batch each.
    """

    def __init__(self, batch_size, by_batch=False):
        self.batch_size, self.by_batch = batch_size, by_batch
        self.batches = 1

    def of(self, n_rows):
        """(start, stop) of each slice in turn, in rows; a slice is timed from when it is handed out until the next is asked for."""
        start = 0
        while start < n_rows:
            stop = min(start + self.batches * self.batch_size, n_rows)
            began = time.perf_counter()
            yield start, stop
            seconds = max(time.perf_counter() - began, 1e-9)
            fitting = int((stop - start) / self.batch_size * SLICE_SECONDS / seconds)
            if not self.by_batch:
                self.batches = max(1, min(fitting, 8 * self.batches))  # one lucky measurement does not make a long slice
            start = stop
