"""The loop of training: epochs in slices of steps.

A slice takes about 50 ms in the backend, without Python; between slices there is time for progress and for Ctrl-C.
"""

import math
import time
import warnings
from typing import NamedTuple

from ..optimizers import Optimizer
from ..random_streams import shuffled_rows
from ..reference import Dropout, Samples, Steps
from .callbacks import Callback
from .interrupts import deferred_interrupt
from .metrics import Penalties, Rows, evaluate, measured

SLICE_SECONDS = 0.05


class Plan(NamedTuple):
    """The checked arguments of a fit."""

    samples: Samples
    validation: Samples | None
    epochs: int
    batch_size: int
    optimizer: Optimizer
    dropout: Dropout | None
    shuffle: bool
    seed: int
    task: str
    callbacks: list[Callback]


def fit(engine, parameters, state, plan):
    """Train an engine's network, whose parameters these are; returns what it adds to the state's History.

    An epoch whose loss or parameters are not finite is undone, and the last.
    """
    history, before = state.history, state.history.epochs
    history.ended = history.interrupted_rows = None
    slices = Slices(plan.batch_size)
    with deferred_interrupt() as interrupted:
        try:
            if plan.epochs:
                plan.optimizer.begin(state, parameters, -(-len(plan.samples.x) // plan.batch_size))
            for epoch in range(1, plan.epochs + 1):
                go_back = state.kept(parameters)
                if not _take_epoch(engine, parameters, state, plan, slices, epoch, interrupted):
                    go_back()
                    history.ended = breakdown(f"epoch {epoch}", plan.optimizer.learning_rate)
                    break
        finally:
            if plan.epochs:
                plan.optimizer.finish(state, parameters)
            for callback in plan.callbacks:
                callback.on_train_end()
    return history.since(before)


def _take_epoch(engine, parameters, state, plan, slices, epoch, interrupted):
    """Train for an epoch; whether all numbers stayed finite."""
    n_rows = len(plan.samples.x)
    rows = Rows(plan.samples, plan.task)
    penalties = Penalties(plan.optimizer, plan.batch_size, n_rows)
    order = shuffled_rows(n_rows, plan.seed, state.epoch) if plan.shuffle else None
    for callback in plan.callbacks:
        callback.on_epoch_begin(epoch, plan.epochs, n_rows)
    began = time.perf_counter()
    for start, stop in slices.of(n_rows):
        steps = Steps(start, stop, plan.batch_size, order, state.step)
        update = plan.optimizer.update(state, steps.count, engine.dtype)
        loss = engine.train(plan.samples, update, steps, rows.losses, rows.correct, penalties.of(steps), plan.dropout)
        if not math.isfinite(loss):
            return False
        state.step, state.row = state.step + steps.count, stop
        for callback in plan.callbacks:
            callback.on_rows_end(stop - start)
        if interrupted() and stop < n_rows:
            state.history.interrupted_rows = stop
            raise KeyboardInterrupt
    seconds = time.perf_counter() - began
    if not engine.all_finite(parameters[None]):
        return False
    state.epoch, state.row = state.epoch + 1, 0
    trained, validation = rows.evaluation(order), None
    if plan.validation:
        with plan.optimizer.averaged(state, parameters):
            validation = evaluate(engine, plan.validation, plan.task)
    state.history.record(measured(trained, validation, penalties.mean(), seconds))
    for callback in plan.callbacks:
        callback.on_epoch_end(epoch, plan.epochs, seconds, trained, validation)
    if interrupted():
        raise KeyboardInterrupt
    return True


def breakdown(when, learning_rate):
    """Warn that training broke down; returns what happened, in a line."""
    rate = f"{learning_rate:g}" if isinstance(learning_rate, float) else str(learning_rate)
    what = f"training broke down in {when}, with learning rate {rate}: the loss or a parameter was not finite"
    warnings.warn(
        f"{what}. Try a learning rate ten times smaller, and inputs and targets of about unit size",
        RuntimeWarning,
        stacklevel=5,
    )
    return what


class Slices:
    """Cuts epochs into slices of whole batches that take about SLICE_SECONDS, by the time that the last one took."""

    def __init__(self, batch_size):
        self.batch_size = batch_size
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
            self.batches = max(1, min(fitting, 8 * self.batches))  # one lucky measurement does not make a long slice
            start = stop
