"""The loop over epochs of solver="sgd" and "adam", as scikit-learn has it, with epochs that run in fastmlp's engine.

Every random draw, count, warning and printed line is where scikit-learn's loop has it; batches are not seen from here.
"""

import contextlib
import sys
import warnings
from functools import cached_property
from operator import index
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from .. import optimizers, validation
from ..reference import Dropout, Engine, Samples, Steps
from ..reference.dropout import threshold
from ..schedules import ReduceOnPlateau
from ..training.loop import Slices
from . import losses
from .optimizers import SGD, Adam, OnFlatArrays, Own, adopted
from .parameters import Parameters
from .sparse import is_worth_it

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)

THEIRS = sys.modules[neural_network.MLPClassifier.__module__]
THEIR_LINE = neural_network.MLPClassifier._fit_stochastic.__code__.co_firstlineno


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as scikit-learn's module does, so that filters which name it go on to work."""
    registry = vars(THEIRS).setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, str(THEIRS.__file__), THEIR_LINE, THEIRS.__name__, registry)


class Validation(NamedTuple):
    """What early stopping looks at; y as the estimator's score takes it, samples as the engine does."""

    X: Any
    y: Any
    weights: np.ndarray | None
    samples: Samples


def samples_of(estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, dtype: np.dtype) -> Samples:
    """Checked data as the engine takes them; classes as labels where each row has one."""
    x = inputs_of(X, dtype)
    if y.dtype == bool and estimator.out_activation_ == "softmax":
        y = y.argmax(axis=1)
    elif y.ndim == 2:
        y = np.ascontiguousarray(y, dtype)
    smoothing = float(getattr(estimator, "label_smoothing", 0.0))
    return Samples(x, y, None if weights is None else np.ascontiguousarray(weights, dtype), False, smoothing)


def inputs_of(X: Any, dtype: np.dtype) -> Any:
    """Inputs as the engine takes them: rows in C order, or CSR where that is worth it."""
    if is_worth_it(X):
        return X.tocsr().astype(dtype, copy=False)
    return np.ascontiguousarray(X.toarray() if issparse(X) else X, dtype)


OPTIONS = {"l2": "alpha", "l1": "l1", "clip_norm": "gradient_clip", "average": "average"}  # of Optimizers: of estimators


def options(estimator: Any) -> dict[str, Any]:
    """What the estimator's parameters say of an Optimizer, beside its rule."""
    values = ((name, getattr(estimator, parameter)) for name, parameter in OPTIONS.items())
    return {name: None if value is None else float(value) for name, value in values}


def new_optimizer(estimator: Any, sizes: tuple[int, ...]) -> OnFlatArrays:
    """The optimizer of a new fit."""
    own = estimator.optimizer
    if isinstance(own, str):
        numbers: dict[str, Any] = {
            name: float(getattr(estimator, name))
            for name in ("beta_1", "beta_2", "epsilon", "momentum")
            if name in optimizers.OPTIMIZERS[own].__dataclass_fields__ and not (own == "rmsprop" and name == "momentum")
        }
        own = optimizers.OPTIMIZERS[own](learning_rate=float(estimator.learning_rate_init), **numbers)
    if own is not None:
        require_plain(own)
        return Own(sizes, own)
    if estimator.solver == "sgd":
        names = "learning_rate_init", "learning_rate", "momentum", "nesterovs_momentum", "power_t"
        return SGD(sizes, *(getattr(estimator, name) for name in names))
    return Adam(sizes, *(getattr(estimator, name) for name in ("learning_rate_init", "beta_1", "beta_2", "epsilon")))


def require_plain(own: optimizers.Optimizer) -> None:
    """Raise ValueError where an optimizer has what the estimator's parameters say."""
    if isinstance(own.learning_rate, ReduceOnPlateau):
        raise ValueError("optimizer must not have ReduceOnPlateau here: use solver='sgd' with learning_rate='adaptive'")
    for name, parameter in OPTIONS.items():
        if getattr(own, name) != getattr(optimizers.Optimizer, name):
            raise ValueError(
                f"optimizer must not have {name}={getattr(own, name)!r} here: give {parameter} to the estimator itself"
            )


def fit_stochastic(estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, incremental: bool) -> None:
    """Train by epochs until the loss, or the score, no longer gets better, or max_iter; for one epoch if incremental."""
    parameters = estimator._linked_parameters()
    dtype = parameters.flat.dtype
    if not incremental or getattr(estimator, "_optimizer", None) is None:
        estimator._optimizer = new_optimizer(estimator, parameters.sizes)
    else:
        estimator._optimizer = adopted(estimator._optimizer, parameters.sizes)
    if estimator.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    rows, held_out = split(estimator, X, y, weights, dtype)
    n_samples = X.shape[0] if rows is None else len(rows)
    epochs = Epochs(estimator, parameters, samples_of(estimator, X, y, weights, dtype), weights, rows, n_samples)
    try:
        take_epochs(estimator, epochs, held_out, n_samples, incremental)
    except KeyboardInterrupt:
        warn("Training interrupted by user.")
    epochs.finish()
    if estimator.early_stopping:
        for view, best in zip(parameters.coefs + parameters.intercepts, estimator._best_coefs + estimator._best_intercepts):
            view[...] = best
    if not epochs.engine.all_finite(parameters.flat[None]):
        raise ValueError(NOT_FINITE)


def take_epochs(estimator: Any, epochs: "Epochs", held_out: Validation | None, n_samples: int, incremental: bool) -> None:
    optimizer, early_stopping = estimator._optimizer, estimator.early_stopping
    shuffled = np.arange(n_samples) if estimator.shuffle and n_samples > 1 else None  # the order of one row takes no draw
    of_stopping = (held_out.X, held_out.y, held_out.weights) if early_stopping and held_out else (None, None, None)
    told = estimator._told
    estimator.n_iter_ = 0
    for _ in range(estimator.max_iter):
        if told:
            told.epoch_begins()
        if shuffled is not None:
            shuffled = shuffled[estimator._random_state.permutation(n_samples)]
        estimator.loss_ = epochs.take(shuffled)
        estimator.n_iter_ += 1
        estimator.t_ += n_samples
        estimator.loss_curve_.append(estimator.loss_)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_:d}, loss = {estimator.loss_:.8f}")
        with epochs.averaged():
            if held_out:
                estimator.validation_loss_curve_.append(epochs.loss_of(held_out))
            estimator._update_no_improvement_count(early_stopping, *of_stopping)
            is_ended = told is not None and told.epoch_ends()
        optimizer.iteration_ends(estimator.t_)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            what = "Validation score" if early_stopping else "Training loss"
            epochs_since = f"for {estimator.n_iter_no_change:d} consecutive epochs."
            message = f"{what} did not improve more than tol={estimator.tol:f} {epochs_since}"
            if optimizer.trigger_stopping(message, estimator.verbose):
                break
            estimator._no_improvement_count = 0
        if incremental or is_ended:
            break
        if estimator.n_iter_ == estimator.max_iter:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
            )


class Epochs:
    """Trains an estimator's parameters for one epoch after another."""

    def __init__(self, estimator: Any, parameters: Parameters, samples: Samples, weights: np.ndarray | None,
                 rows: np.ndarray | None, n_samples: int):  # fmt: skip
        self.estimator, self.samples, self.weights, self.rows = estimator, samples, weights, rows
        self.flat, self.optimizer, self.loss = parameters.flat, estimator._optimizer, estimator._engine_loss()
        self.n_samples, self.batch_size = n_samples, batch_size_of(estimator, n_samples)
        self.of_engine = parameters, 3 * self.batch_size * parameters.flat.size, issparse(samples.x)
        self.engine = estimator._engine_of(parameters, self.loss, *self.of_engine[1:])
        self.dropout = dropout_of(estimator, len(parameters.sizes) - 2)
        self.several_labels = self.loss == "binary_cross_entropy" and parameters.sizes[-1] > 1 and not samples.smoothing
        self.are_clipped = False  # whether losses of labels were, in the last slice: only outputs before each step tell
        self.slices = Slices()
        n_steps = -(-n_samples // self.batch_size)
        self.optimizer.begin(parameters, options(estimator), n_steps)
        self.losses, self.penalties = np.empty(n_samples), np.zeros(n_steps)
        self.divisors = np.full(n_steps, float(self.batch_size))
        self.divisors[-1] = n_samples - self.batch_size * (n_steps - 1)

    def take(self, shuffled: np.ndarray | None) -> float:
        """Train on all rows, in this order; the loss as scikit-learn reports it."""
        divisors, weights = self.divisors, self.weights
        order = self.rows if shuffled is None else shuffled if self.rows is None else self.rows[shuffled]
        if weights is not None:
            weights = weights if order is None else weights[order]
            divisors = losses.sums_of_batches(weights, self.batch_size)
            if not divisors.all():
                raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        coefficients = np.array([[self.estimator.alpha, self.estimator.l1]], float) / divisors[:, None]
        for start, stop in self.slices.of_rows(0, self.n_samples, self.batch_size):
            if self.several_labels and self.dropout is None:
                self.train_on_labels(order, start, stop, divisors, coefficients)
            else:
                self.train(order, start, stop, divisors, coefficients)
        reported = losses.reported(self.losses, self.loss, self.samples, order)
        return losses.of_epoch(reported, weights, self.penalties, self.batch_size)

    def train(self, order: np.ndarray | None, start: int, stop: int, divisors: np.ndarray, coefficients: np.ndarray) -> None:
        """The steps of whole batches from row start to row stop, with the divisors and coefficients of penalties of all steps."""
        state = self.optimizer.state
        steps = Steps(start, stop, self.batch_size, order, state.step)
        first, count = start // self.batch_size, steps.n_steps
        update = self.optimizer.update(count, self.flat.dtype, divisors[first : first + count])
        is_penalised = self.estimator.alpha or self.estimator.l1
        penalties = (coefficients[first : first + count], self.penalties[first:]) if is_penalised else None
        if self.engine.train(self.samples, update, steps, self.losses, None, penalties, self.dropout) is None:
            raise ValueError(NOT_FINITE)  # X is not, which scikit-learn does not look for where it is to assume so
        state.step += count

    def train_on_labels(self, order: np.ndarray | None, start: int, stop: int, *of_steps: np.ndarray) -> None:
        """As train, with the losses of rows with several labels, each of which scikit-learn clips.

        Where a row's loss is below the clip, so are its labels'. Where one is not, the steps are taken again, one by one and with
        the outputs before each, and so are those that follow, until a slice has none.
        """
        if not self.are_clipped:
            go_back = self.optimizer.state.kept(self.flat)
            self.train(order, start, stop, *of_steps)
            self.are_clipped = losses.may_be_clipped(self.losses[start:stop], self.flat.dtype)
            if not self.are_clipped:
                return
            go_back()
        self.are_clipped = False
        for first in range(start, stop, self.batch_size):
            last = min(first + self.batch_size, stop)
            rows = slice(first, last) if order is None else order[first:last]
            before = losses.of_labels(self.samples.y[rows], self.before_sigmoid.forward(self.samples.x[rows]))
            self.train(order, first, last, *of_steps)
            self.are_clipped |= losses.may_be_clipped(self.losses[first:last], self.flat.dtype)
            self.losses[first:last] = before

    @cached_property
    def before_sigmoid(self) -> Engine:
        """The Engine whose outputs are the sums before sigmoid."""
        engine: Engine = self.estimator._engine_of_sums(*self.of_engine)
        return engine

    def loss_of(self, held_out: Validation) -> float:
        """The mean loss, without penalties."""
        found = np.empty(held_out.samples.x.shape[0])
        self.engine.evaluate(held_out.samples, found, None)
        if self.several_labels and losses.may_be_clipped(found, self.flat.dtype):
            found = losses.of_labels(held_out.samples.y, self.before_sigmoid.forward(held_out.samples.x))
        return float(np.average(losses.reported(found, self.loss, held_out.samples), weights=held_out.weights))

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Within it the parameters are their average, where the estimator asks for that."""
        if self.estimator.average is None:
            return contextlib.nullcontext()
        rule: optimizers.Optimizer = self.optimizer.rule()
        return rule.averaged(self.optimizer.state, self.flat)

    def finish(self) -> None:
        """Leave the average in the parameters."""
        if self.estimator.average is not None:
            self.optimizer.rule().finish(self.optimizer.state, self.flat)


def batch_size_of(estimator: Any, n_samples: int) -> int:
    """Rows a step."""
    if estimator.batch_size == "auto":
        return min(200, n_samples)
    if estimator.batch_size > n_samples:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return max(1, min(index(estimator.batch_size), n_samples))


def dropout_of(estimator: Any, n_hidden: int) -> Dropout | None:
    """The Dropout that the estimator asks for."""
    if type(estimator.dropout) is float and estimator.dropout == 0:
        return None
    thresholds = tuple(map(threshold, validation.dropout_rates(0.0, estimator.dropout, n_hidden)))
    if not any(thresholds):
        return None
    if not hasattr(estimator, "_dropout_seed"):  # drawn only where it is needed: else all draws are scikit-learn's
        estimator._dropout_seed = int(estimator._random_state.randint(2**32, dtype=np.uint32))
    return Dropout(thresholds, estimator._dropout_seed)


def split(
    estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, dtype: np.dtype
) -> tuple[np.ndarray | None, Validation | None]:
    """(the rows to train on, None for all; the Validation): the user's own, or rows that are drawn for early stopping."""
    if estimator._own_validation is not None:
        X_val, y_val, weights = estimator._own_validation
        return None, validation_of(estimator, X_val, y_val, weights, dtype)
    if not estimator.early_stopping:
        return None, None
    of_one_label = estimator._classifies and estimator.n_outputs_ == 1
    rows, held_out = train_test_split(
        np.arange(X.shape[0]), random_state=estimator._random_state, test_size=estimator.validation_fraction,
        stratify=y if of_one_label else None,
    )  # fmt: skip
    if len(held_out) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    held_out_weights = None if weights is None else weights[held_out]
    return rows, validation_of(estimator, _safe_indexing(X, held_out), y[held_out], held_out_weights, dtype)


def validation_of(estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, dtype: np.dtype) -> Validation:
    samples = samples_of(estimator, X, y, weights, dtype)._replace(smoothing=0.0)
    if estimator._classifies:
        y = estimator._label_binarizer.inverse_transform(y)
    return Validation(X, y, weights, samples)
