"""What MLP.fit does before the first step: its arguments checked, the run that they begin or resume, and the loop's Plan of it."""

from typing import Any, NamedTuple

from .. import validation
from ..architecture import Architecture
from ..arrays import Floats
from ..backends import Environment
from ..optimizers import Optimizer, optimizer_of
from ..reference import Dropout, Samples
from ..reference.dropout import threshold
from . import checkpoints, reading, records, scores
from .callbacks import Callback, callbacks_of
from .checkpoints import Checkpoints, Found, Run
from .data_adapter import DataAdapter, Weighting
from .early_stopping import early_stopping_of
from .loop import Plan
from .metrics import names_measured
from .progress import for_verbosity
from .scores import Metric
from .sources import Arrays, Source, batches_of
from .state import TrainingState


class Arguments(NamedTuple):
    """The arguments of MLP.fit, in its order, as they were given; see there."""

    x: Any
    y: Any
    epochs: Any
    batch_size: Any
    learning_rate: Any
    shuffle: Any
    validation_data: Any
    verbose: Any
    optimizer: Any
    dropout: Any
    input_dropout: Any
    keep_optimizer: Any
    sample_weight: Any
    class_weight: Any
    weight_mean: Any
    label_smoothing: Any
    callbacks: Any
    metrics: Any
    training_metrics: Any
    early_stopping: Any
    validation_split: Any
    initial_epoch: Any
    steps_per_epoch: Any
    checkpoint: Any
    checkpoint_every: Any
    resume: Any


class Checked(NamedTuple):
    """What the arguments stand for."""

    source: Source
    shuffle: bool
    held_out: Samples | None
    epochs: int
    initial_epoch: int
    optimizer: Optimizer
    thresholds: tuple[int, ...]  # of dropout
    verbose: int
    metrics: tuple[Metric, ...]
    training_metrics: bool
    measured: list[str]  # the names of what epochs measure
    callbacks: list[Callback]


def checked(asked: Arguments, adapter: DataAdapter, environment: Environment, state: TrainingState) -> Checked:
    """The arguments checked, for the network of an adapter. Raises ValueError or TypeError, naming the argument."""
    architecture = adapter.architecture
    batch_size, shuffle = validation.integer("batch_size", asked.batch_size, 1), validation.flag("shuffle", asked.shuffle)
    source, held_out = _data(asked, batch_size, shuffle, adapter, environment, state)
    epochs = validation.integer("epochs", asked.epochs, 0)
    initial_epoch = validation.integer("initial_epoch", asked.initial_epoch, 0)
    validation.flag("keep_optimizer", asked.keep_optimizer)
    optimizer = optimizer_of(asked.optimizer, asked.learning_rate, architecture.dtype)
    rates = validation.dropout_rates(asked.input_dropout, asked.dropout, len(architecture.layer_sizes) - 2)
    verbose = int(asked.verbose) if isinstance(asked.verbose, bool) else asked.verbose
    verbose = validation.integer("verbose", verbose, 0, 3)
    if asked.validation_data is not None and held_out is not None:
        raise ValueError("validation_data and validation_split are two ways to say it: give one of them")
    if asked.validation_data is not None:
        held_out = adapter.validation_samples(asked.validation_data)
    metrics = scores.metrics_of(asked.metrics, architecture.task, architecture.layer_sizes[-1])
    training_metrics = validation.flag("training_metrics", asked.training_metrics)
    training_metrics = bool(metrics) and (training_metrics or held_out is None)
    if training_metrics and source.samples is None:
        raise ValueError("metrics of training data need arrays in memory: give validation_data for them")
    if source.steps is None and optimizer.counts_epochs:
        raise ValueError("a schedule that counts epochs needs steps_per_epoch where the data has no length")
    has_penalty, has_validation = bool(optimizer.l2 or optimizer.l1), held_out is not None
    measured = names_measured(architecture.task, has_penalty, metrics, training_metrics, has_validation)
    optimizer.check_measured(measured)
    callbacks = early_stopping_of(asked.early_stopping) + callbacks_of(asked.callbacks)
    checkpoints.check(asked.checkpoint, asked.checkpoint_every, asked.resume)
    return Checked(
        source, shuffle, held_out, epochs, initial_epoch, optimizer, tuple(map(threshold, rates)), verbose, metrics,
        training_metrics, measured, callbacks,
    )  # fmt: skip


def _data(asked: Arguments, batch_size: int, shuffle: bool, adapter: DataAdapter, environment: Environment,
          state: TrainingState) -> tuple[Source, Samples | None]:  # fmt: skip
    """Where the rows of epochs come from, and those of validation_split."""
    x, y, share, steps, sample_weight = asked.x, asked.y, asked.validation_split, asked.steps_per_epoch, asked.sample_weight
    batches = batches_of(x, y)
    if batches is not None or reading.is_on_disk(x, adapter.architecture.layer_sizes[0]):
        weighting = Weighting(sample_weight, asked.class_weight, asked.weight_mean, asked.label_smoothing)
        converter = reading.Converter(adapter, environment, state, weighting)
        source = reading.source_of(converter, batches, x, y, batch_size, shuffle, steps)
        if share:
            raise ValueError("validation_split needs arrays in memory: give validation_data")
        return source, None
    held_out = None
    # Rows that training goes through are looked at there, for much less.
    looks = bool(share or asked.input_dropout or steps is not None)
    samples = adapter.samples(x, y, finite="xy" if looks else "y")
    if share:
        samples, sample_weight, held_out = adapter.split(samples, sample_weight, share)
    samples = adapter.weighted(samples, sample_weight, asked.class_weight, asked.weight_mean, asked.label_smoothing)
    if not state.step:
        validation.warn_of_large_inputs(samples.x, adapter.architecture.input_scale, stacklevel=6)
    n_rows = len(samples.x)
    batch_size = min(batch_size, n_rows)
    return Arrays(samples, batch_size, shuffle, validation.steps_of(steps, n_rows, batch_size)), held_out


class Begun(NamedTuple):
    """Where a fit stands before its first step; found: the checkpoint that it resumes; record: of this fit, if it gets one."""

    run: Run
    found: Found | None
    record: records.Fit | None
    epochs: range  # their numbers, from 0 or initial_epoch
    seed: int

    @property
    def is_over(self) -> bool:
        """Whether the run had come to its end before."""
        return self.run.stopped or self.run.done and not self.epochs


def begin(asked: Arguments, checked: Checked, architecture: Architecture, parameters: Floats, state: TrainingState, seed: int,
          seed_is_drawn: bool) -> Begun:  # fmt: skip
    """Bring parameters and state to where this fit begins, or goes on from its checkpoint.

    seed_is_drawn: whether nobody asked for the seed, so that the checkpoint's takes its place.
    """
    source = checked.source
    run = Run(state.epoch, state.history.epochs, source.rows, source.batch_size, checked.shuffle)
    found = checkpoints.found(asked.checkpoint, architecture) if asked.resume else None
    record = None
    if found or len(state.fits) < records.MOST:
        given = None if asked.validation_data is None else checked.held_out
        record = records.begun(_recorded(asked, checked), checked.callbacks, source.samples, given, parameters, state.last_hash,
                               found and found.record)  # fmt: skip
    if found:
        assert record
        own_seed = None if seed_is_drawn else seed
        checkpoints.check_same(asked.checkpoint, found, architecture, own_seed, run, checked.callbacks, record)
        run, seed = found.run, found.saved.seed
        parameters[...] = found.saved.parameters
        state.become(found.saved.state)
    else:
        state.row = 0
        if not asked.keep_optimizer:
            state.forget_optimizer()
    epochs = range(checked.initial_epoch + state.epoch - run.first_epoch, checked.epochs)
    return Begun(run, found, record, epochs, seed)


def plan_of(asked: Arguments, checked: Checked, begun: Begun, net: Any) -> Plan:
    """The Plan of a fit that has begun, with its record among those of net, the MLP, and all that is told how it goes."""
    source, held_out, callbacks, state = checked.source, checked.held_out, checked.callbacks, net.state
    recorders: list[Callback] = []
    record = begun.record
    if record:
        if begun.found and state.fits:
            record = state.fits[-1].continued(record)
        else:
            state.fits.append(record)
        recorders = [records.Recorder(record, state.step, state.epoch)]
    writer = None
    if asked.checkpoint is not None:
        states = begun.found.states if begun.found else []
        writer = Checkpoints(asked.checkpoint, asked.checkpoint_every, begun.run, checked.optimizer, callbacks, states)
    told = callbacks + for_verbosity(checked.verbose) + recorders + ([writer] if writer else [])
    params = {"epochs": checked.epochs, "steps": source.steps, "batch_size": source.batch_size, "rows": source.rows,
              "metrics": checked.measured}  # fmt: skip
    for callback in told:
        callback.set_model(net)
        callback.set_params(params)
    left_out = Dropout(checked.thresholds, begun.seed) if any(checked.thresholds) else None
    return Plan(
        source, held_out, begun.epochs, checked.optimizer, left_out, begun.seed, net.task, told, checked.metrics,
        checked.training_metrics, writer, begun.run,
    )  # fmt: skip


def _recorded(asked: Arguments, checked: Checked) -> dict[str, Any]:
    """The arguments that a record has."""
    return {
        "epochs": asked.epochs, "initial_epoch": asked.initial_epoch, "batch_size": asked.batch_size, "shuffle": asked.shuffle,
        "dropout": asked.dropout, "input_dropout": asked.input_dropout, "keep_optimizer": asked.keep_optimizer,
        "class_weight": asked.class_weight, "weight_mean": asked.weight_mean, "label_smoothing": asked.label_smoothing,
        "steps_per_epoch": asked.steps_per_epoch, "validation_split": asked.validation_split, "metrics": asked.metrics,
        "training_metrics": asked.training_metrics, "optimizer": checked.optimizer,
    }  # fmt: skip
