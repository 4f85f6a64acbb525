"""The loop of training: epochs in slices of steps.

A slice takes about 50 ms in the backend, without Python; between slices there is time for callbacks and for Ctrl-C.
"""

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from .. import validation
from ..arrays import Floats
from ..optimizers import Optimizer
from ..reference import Dropout, Engine, Samples, Steps
from .callbacks import Callback, is_of_batches
from .checkpoints import Checkpoints, Run
from .history import History
from .interrupts import deferred_interrupt
from .metrics import Records, Tally, evaluate, measured, of_answers, penalties_of, records
from .scores import Metric
from .sources import Chunk, Place, Source
from .state import TrainingState

SLICE_SECONDS = 0.05


class Plan(NamedTuple):
    """The checked arguments of a fit."""

    source: Source
    validation: Samples | None
    epochs: range  # their numbers, from 0 or initial_epoch
    optimizer: Optimizer
    dropout: Dropout | None
    seed: int
    task: str
    callbacks: list[Callback]
    metrics: tuple[Metric, ...]
    training_metrics: bool  # whether they are of the training data, too
    checkpoints: Checkpoints | None  # also the last of the callbacks
    run: Run


def fit(engine: Engine, parameters: Floats, state: TrainingState, plan: Plan) -> History:
    """Train an engine's network, whose parameters these are; returns what the state's History has of the run.

    It begins at the state's row of an epoch. An epoch whose loss or parameters are not finite is undone, and the last.
    """
    history, before = state.history, plan.run.first_recorded
    history.ended = history.interrupted_rows = None
    state.stop_training = False
    with deferred_interrupt() as interrupted, contextlib.ExitStack() as stack:
        for callback in plan.callbacks:
            stack.callback(callback.close)
        for callback in plan.callbacks:
            callback.on_train_begin({})
        try:
            if plan.epochs:
                _take_epochs(engine, parameters, state, plan, interrupted)
        except KeyboardInterrupt:
            if plan.checkpoints and interrupted():  # else it may have fallen into a step
                plan.checkpoints.write()
            raise
        for callback in plan.callbacks:
            callback.on_train_end(history.last() if history.epochs > before else {})
    return history.since(before)


def _take_epochs(
    engine: Engine, parameters: Floats, state: TrainingState, plan: Plan, interrupted: Callable[[], bool]
) -> None:
    """Train until the last epoch is over, a callback ends it, or the numbers are no longer finite."""
    slices = Slices(by_batch=any(map(is_of_batches, plan.callbacks)))
    plan.optimizer.begin(state, parameters, plan.source.steps or 1)
    if plan.source.steps and plan.optimizer.is_at_rest(state, plan.source.steps * len(plan.epochs)):
        warnings.warn(
            f"every learning rate of this fit is 0, so that nothing is learnt: its schedule goes on from step {state.rule_steps}, "
            "where the fits before have left it. keep_optimizer=False begins it anew",
            RuntimeWarning,
            stacklevel=5,
        )
    try:
        for epoch in plan.epochs:
            if state.stop_training:
                break
            go_back = state.kept(parameters)
            if not _take_epoch(engine, parameters, state, plan, slices, epoch, interrupted):
                go_back()
                if plan.source.samples is not None:  # others are looked at as they are read
                    validation.finite("x", plan.source.samples.x, engine)
                state.history.ended = breakdown(f"epoch {epoch + 1}", plan.optimizer.learning_rate, stacklevel=6)
                break
    finally:
        state.history.interrupted_rows = state.row or None
        plan.optimizer.finish(state, parameters)


def _take_epoch(engine: Engine, parameters: Floats, state: TrainingState, plan: Plan, slices: "Slices", epoch: int,
                interrupted: Callable[[], bool]) -> bool:  # fmt: skip
    """Train for an epoch, or the rest of one, or until a callback ends training; whether all numbers stayed finite."""
    if not state.row:
        state.so_far = Tally()
    tally, of_batches = state.so_far, plan.callbacks if slices.by_batch else []
    for callback in plan.callbacks:
        callback.on_epoch_begin(epoch, {})
    began = time.perf_counter() - tally.seconds
    place = Place(plan.seed, state.epoch, state.epoch - plan.run.first_epoch, state.row, tally.steps)
    with contextlib.closing(plan.source.chunks(place, interrupted)) as chunks:
        for chunk, start, stop, recorded in slices.of(chunks, plan.task):
            if state.row and interrupted():
                raise KeyboardInterrupt
            if state.row and state.stop_training:
                return True
            for callback in of_batches:
                callback.on_train_batch_begin(tally.steps, {})
            steps = Steps(start, stop, chunk.batch_size, chunk.order, state.step)
            update = plan.optimizer.update(state, steps.n_steps, engine.dtype)
            penalties = penalties_of(plan.optimizer, steps.n_steps)
            loss = engine.train(chunk.samples, update, steps, *recorded, penalties, plan.dropout)
            if loss is None or not math.isfinite(loss):
                return False
            tally.add(steps, chunk.samples, *recorded, penalties)
            tally.seconds = time.perf_counter() - began
            state.step, state.row = state.step + steps.n_steps, tally.rows
            for callback in of_batches:
                callback.on_train_batch_end(tally.steps - 1, {"loss": loss})
            for callback in plan.callbacks:
                callback.on_rows_end(stop - start)
    if not engine.all_finite(parameters[None]):
        return False
    state.epoch, state.row = state.epoch + 1, 0
    trained = tally.evaluation()
    found: dict[str, float] = {}
    try:
        found |= measured(trained, tally.penalty())
        with plan.optimizer.averaged(state, parameters):
            if plan.training_metrics and plan.source.samples:
                trained = trained._replace(metrics=of_answers(engine, plan.source.samples, plan.task, plan.metrics))
                found |= measured(trained)
            if plan.validation:
                found |= measured(evaluate(engine, plan.validation, plan.task, plan.metrics), prefix="val_")
    finally:
        found["seconds"] = tally.seconds
        state.history.record(found)
    plan.optimizer.after_epoch(state, found)
    for callback in plan.callbacks:
        callback.on_epoch_end(epoch, found)
    if interrupted():
        raise KeyboardInterrupt
    return True


def breakdown(when: str, learning_rate: object, stacklevel: int = 5) -> str:
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
    """Cuts chunks into slices of whole batches that take about SLICE_SECONDS, by the time that the last one took.

    by_batch: into slices of one batch each.
    """

    def __init__(self, by_batch: bool = False) -> None:
        self.by_batch = by_batch
        self.batches = 1

    def of(self, chunks: Iterable[Chunk], task: str) -> Iterator[tuple[Chunk, int, int, Records]]:
        """(chunk, start, stop, records) of each slice in turn; records are of the whole chunk."""
        for chunk in chunks:
            of_chunk = None
            for start, stop in self.of_rows(chunk.start, chunk.rows, chunk.batch_size):
                of_chunk = of_chunk or records(chunk.samples, task)
                yield chunk, start, stop, of_chunk

    def of_rows(self, start: int, rows: int, batch_size: int) -> Iterator[tuple[int, int]]:
        """(start, stop) of each slice in turn, from row start on.

        A slice is timed from when it is handed out until the next is asked for.
        """
        while start < rows:
            stop = min(start + self.batches * batch_size, rows)
            began = time.perf_counter()
            yield start, stop
            seconds = max(time.perf_counter() - began, 1e-9)
            fitting = int((stop - start) / batch_size * SLICE_SECONDS / seconds)
            if not self.by_batch:
                self.batches = max(1, min(fitting, 8 * self.batches))  # one lucky measurement does not make a long slice
            start = stop
