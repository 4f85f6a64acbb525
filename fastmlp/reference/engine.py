"""The interface of the backends, and its definition: a network's computation over one flat parameter array.

Every backend has the class Engine with these methods and bits. What it is asked for comes in three parts: the Samples to
look at, the Steps to take through them, and the Update to make in each. The caller has checked all of them.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeGuard

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..activations import AnyActivation
from ..architecture import layer_views
from ..arrays import Doubles, Floats
from ..losses import LOSSES, AnyLoss, name_of
from .activations import FUNCTIONS as ACTIVATION_FUNCTIONS
from .activations import activate, activation_gradient
from .arithmetic import CHUNK, check_environment, sum_of_products
from .dropout import drop, kept_units, scale_of
from .layers import dense_backward
from .losses import FUNCTIONS as LOSS_FUNCTIONS
from .losses import batch_divisor, output_gradient, row_losses, smoothed, weighted_mean
from .norms import clipping_scale, penalty
from .tables import named
from .updates import update as apply_rule

BLOCK = 1024  # rows that are taken at a time where nothing else says how many, to bound the memory for them


class Samples(NamedTuple):
    """Inputs with their targets.

    x: (rows, n_in) in the parameters' dtype or uint8, before it is divided by the engine's input_scale; rows contiguous.
    y: (rows, n_out) in the parameters' dtype, or int64 labels (rows,), which stand for their one-hot rows (with a single
        output: for 0 and 1).
    weights: (rows,) in the parameters' dtype, of at least 0, by which rows count; None: all alike. Recorded losses are
        without them.
    mean_over_rows: whether a batch's mean divides by the number of its rows, not by the sum of their weights.
    smoothing: from 0 to 1, how far targets are drawn towards 1 / classes, in losses and gradients alike.
    """

    x: np.ndarray
    y: np.ndarray
    weights: Floats | None = None
    mean_over_rows: bool = False
    smoothing: float = 0.0


class Batch(NamedTuple):
    """Rows taken together: Samples' as the arithmetic takes them, y also before smoothing, for its classes."""

    x: Floats
    y: Floats
    given_y: Floats
    weights: Floats | None


class Steps(NamedTuple):
    """Which rows to train on, and how many at a time: rows order[start:stop], in steps of batch_size, fewer in the last.

    order: int64 row numbers; None takes the rows in their order.
    before: how many steps were taken before these, over the network's life; dropout depends on it.
    """

    start: int
    stop: int
    batch_size: int
    order: NDArray[np.int64] | None = None
    before: int = 0

    @property
    def n_steps(self) -> int:
        """How many steps they are."""
        return -(-(self.stop - self.start) // self.batch_size)


class Dropout(NamedTuple):
    """Which units are left out in training, see dropout.py.

    thresholds: one of 16 bits for the inputs and each hidden layer; 0 leaves none out.
    """

    thresholds: tuple[int, ...]
    seed: int


class Update(NamedTuple):
    """What is done to the parameters in each step: a rule of fastmlp.update_rules.RULES, and lines around it.

    numbers: in the parameters' dtype, for each step of a call the rule's numbers, then one for each line; (1, ...) where all
        steps take the same.
    state: the rule's arrays, then the average if that is a line; like the parameters.
    lines: of fastmlp.update_rules.LINES, in their order. l2, l1 and decay are of weights only, unless penalise_biases.
    clip_norm: (largest, eps) of the whole gradient's norm, see norms.py.
    """

    rule: str
    numbers: Floats
    state: tuple[Floats, ...] = ()
    lines: tuple[str, ...] = ()
    penalise_biases: bool = False
    clip_norm: tuple[float, float] | None = None


PENALTIES = ("l2", "l1", "decay")
Correct = NDArray[np.uint8 | np.int32]
Kept = list[tuple[NDArray[np.bool_], np.floating] | None]


class Engine:
    """A network's computation over its flat parameter array.

    layer_sizes: input first. activations: for each layer a name, or a user's own. loss: a name, or a Huber or Quantile.
    parameters: the flat array, read, and written in place by train and apply. input_scale: what inputs are divided by, both in
    the parameters' dtype, whatever type they come in. Raises ValueError for an activation or a loss that the backend does not
    have.
    """

    def __init__(self, layer_sizes: Sequence[int], activations: Sequence[AnyActivation], loss: AnyLoss,
                 parameters: Floats, n_threads: int = 1, input_scale: float = 1.0) -> None:  # fmt: skip
        for activation in activations:
            if isinstance(activation, str):
                named(ACTIVATION_FUNCTIONS, "activation", activation)
        named(LOSS_FUNCTIONS, "loss", name_of(loss))
        self.sizes = layer_sizes
        self.layers = layer_views(parameters, layer_sizes)
        self.functions = activations
        self.loss = loss
        self.parameters = parameters
        self.dtype = parameters.dtype
        self.input_scale = self.dtype.type(input_scale)

    def takes(self, x: object) -> TypeGuard[np.ndarray]:
        """Whether a user's x can be passed on as it is; if not, validation.py is to be asked.

        That is an array (rows, n_in) of the parameters' dtype in C order, with a row in it.
        """
        return is_ready(x, self.dtype, 2) and x.shape[1] == self.sizes[0] and len(x) > 0

    def takes_samples(self, x: object, y: object) -> bool:
        """Whether a user's x and y can be passed on as they are to train on.

        y: labels of a network with several outputs, or finite targets (rows, n_out) of a loss that takes any. Both are apart
        from the parameters, which change. Whether x is finite, train says.
        """
        n_out = self.sizes[-1]
        if not self.takes(x):
            return False
        if is_ready(y, self.dtype, 2):
            suits = y.shape == (len(x), n_out) and np.isfinite(y).all() and LOSSES[name_of(self.loss)].takes_any_targets
        else:
            suits = is_ready(y, np.int64, 1) and n_out > 1 and len(y) == len(x) and y.min() >= 0 and y.max() < n_out
        return bool(suits and not any(np.may_share_memory(array, self.parameters) for array in (x, y)))

    def forward(self, x: np.ndarray, out: Floats | None = None) -> Floats:
        """The outputs (rows, n_out) for x, written into out where given."""
        check_environment()
        if out is None:
            out = np.empty((len(x), self.sizes[-1]), self.dtype)
        for start in range(0, len(x), BLOCK):
            _, activations, _ = self._forward(self._inputs(x[start : start + BLOCK]))
            out[start : start + BLOCK] = activations[-1]
        return out

    def activations(self, x: np.ndarray) -> list[Floats]:
        """Every layer's activations, input first: a list of arrays (rows, size)."""
        check_environment()
        return self._forward(self._inputs(x))[1]

    def evaluate(self, samples: Samples, losses: Doubles, correct: Correct | None) -> None:
        """Fill losses (rows,) float64, and correct (rows,) unless it is None, without training; see train."""
        check_environment()
        for start in range(0, len(samples.x), BLOCK):
            rows = slice(start, min(start + BLOCK, len(samples.x)))
            batch = self._batch(samples, rows)
            sums, activations, _ = self._forward(batch.x)
            self._assess(sums[-1], activations[-1], batch, rows, losses, correct)

    def gradients(self, samples: Samples, gradients: Floats, losses: Doubles, divisor: float | None = None,
                  carry: bool = False) -> None:  # fmt: skip
        """Write d(sum of the rows' losses / divisor)/d(parameters) into the flat array gradients, and fill losses (rows,).

        divisor: the sum of the rows' weights, or their number, unless given. carry: go on from the totals that gradients
        holds, of rows before these: a batch that is taken in blocks, all but the last multiples of 256 rows, gives the bits
        of the whole.
        """
        check_environment()
        if not carry:
            gradients[...] = 0
        if divisor is None:
            divisor = batch_divisor(samples.weights, len(samples.x), samples.mean_over_rows)
        totals = np.empty_like(gradients)
        for start in range(0, len(samples.x), CHUNK):
            rows = slice(start, min(start + CHUNK, len(samples.x)))
            batch = self._batch(samples, rows)
            sums, activations, _ = self._forward(batch.x)
            losses[rows] = row_losses(self.loss, sums[-1], activations[-1], batch.y)
            self._backward(sums, activations, batch, divisor, totals, activations)
            with np.errstate(all="ignore"):
                gradients[...] = gradients + totals

    def apply(self, gradients: Floats, update: Update) -> None:
        """One step from gradients that were made elsewhere: the first of update's."""
        check_environment()
        self._apply(gradients, update, update.numbers[0])

    def train(self, samples: Samples, update: Update, steps: Steps | None = None, losses: Doubles | None = None,
              correct: Correct | None = None, penalties: tuple[Doubles, Doubles] | None = None,
              dropout: Dropout | None = None) -> float | None:  # fmt: skip
        """Take the steps, or one on all rows; return the mean loss of their rows, by their weights.

        Where an input of a step is not finite, it and those after it are not taken, and the result is None.
        losses (float64, one for each position of the order) receives at start:stop each row's loss, both before that step's
        update, where given, and correct whether its class was right (uint8), or how many of its labels were (int32).
        dropout: a Dropout. penalties: (coefficients, out), both float64: out, one for each step, receives the penalty
        before its update, from the step's coefficients
        (l2, l1), or those that stand for all.
        """
        check_environment()
        steps = steps or Steps(0, len(samples.x), len(samples.x))
        start, stop, batch_size, order, before = steps
        losses = np.empty(stop) if losses is None else losses
        gradients = np.empty_like(self.parameters)
        for i, first in enumerate(range(start, stop, batch_size)):
            step = slice(first, min(first + batch_size, stop))
            of_step = step if order is None else order[step]
            if not np.isfinite(samples.x[of_step]).all():
                return None
            batch = self._batch(samples, of_step)
            kept = self._kept_units(dropout, len(batch.x), before + i)
            sums, activations, dropped = self._forward(batch.x, kept)
            self._assess(sums[-1], activations[-1], batch, step, losses, correct)
            # All gradients use the weights from before the step, so nothing is updated until the last is known.
            divisor = batch_divisor(batch.weights, len(batch.x), samples.mean_over_rows)
            self._backward(sums, activations, batch, divisor, gradients, dropped, kept)
            if penalties is not None:
                coefficients, out = penalties
                segments = [part for layer in self.layers for part in layer[: 1 + update.penalise_biases]]
                out[i] = penalty(segments, *map(float, coefficients[i if len(coefficients) > 1 else 0]))
            self._apply(gradients, update, update.numbers[i if len(update.numbers) > 1 else 0])
        rows, weights = slice(start, stop), samples.weights
        return weighted_mean(losses[rows], None if weights is None else weights[rows if order is None else order[rows]])

    def all_finite(self, array: np.ndarray) -> bool:
        """Whether neither NaN nor infinity is in an array (rows, columns)."""
        return all(np.isfinite(array[start : start + BLOCK]).all() for start in range(0, len(array), BLOCK))

    def _batch(self, samples: Samples, rows: slice | NDArray[np.int64]) -> Batch:
        y, weights = self._targets(samples.y[rows]), None if samples.weights is None else samples.weights[rows]
        n_classes = self.sizes[-1] if self.functions[-1] == "softmax" else 2
        drawn = smoothed(y, samples.smoothing, n_classes) if samples.smoothing else y
        return Batch(self._inputs(samples.x[rows]), drawn, y, weights)

    def _forward(self, x: Floats, kept: Kept | None = None) -> tuple[list[Floats], list[Floats], list[Floats]]:
        """([z of layer 1, ..., z of the output layer], [x, a of layer 1, ..., a of the output layer], what of these goes on:
        the same, but for the units that dropout leaves out)."""
        sums, activations, onward = [], [x], []
        for i, ((weights, bias), function) in enumerate(zip(self.layers, self.functions)):
            onward.append(dropped(activations[-1], kept, i))
            sums.append(sum_of_products(onward[-1], weights, seed=bias))
            activations.append(activate(function, sums[-1]))
        return sums, activations, onward

    def _backward(self, sums: list[Floats], activations: list[Floats], batch: Batch, divisor: float, gradients: Floats,
                  onward: list[Floats], kept: Kept | None = None) -> None:  # fmt: skip
        """Write the gradients of all layers, the output layer's first, into the flat array."""
        views = layer_views(gradients, self.sizes)
        grad_z = output_gradient(self.loss, self.functions[-1], activations[-1], batch.y, sums[-1], divisor, batch.weights)
        for i in reversed(range(len(self.layers))):
            grad_w, grad_b, grad_a = dense_backward(onward[i], self.layers[i][0], grad_z, input_gradient=i > 0)
            views[i][0][...], views[i][1][...] = grad_w, grad_b
            if grad_a is not None:
                grad_z = activation_gradient(self.functions[i - 1], activations[i], dropped(grad_a, kept, i), sums[i - 1])

    def _kept_units(self, dropout: Dropout | None, rows: int, step: int) -> Kept | None:
        """For the inputs and each hidden layer (the units that are kept, their scale), or None where all are."""
        if dropout is None:
            return None
        return [
            (kept_units(rows, n, t16, dropout.seed, step, layer), scale_of(t16, self.dtype.type)) if t16 else None
            for layer, (n, t16) in enumerate(zip(self.sizes, dropout.thresholds))
        ]

    def _apply(self, gradients: Floats, update: Update, numbers: Floats) -> None:
        scale = None if update.clip_norm is None else clipping_scale(gradients, *update.clip_norm)
        views = [layer_views(flat, self.sizes) for flat in (self.parameters, gradients, *update.state)]
        for layers in zip(*views):
            for segment, (parameters, grads, *state) in enumerate(zip(*layers)):
                lines, mine = update.lines, numbers
                if segment == 1 and not update.penalise_biases:
                    lines = tuple(line for line in lines if line not in PENALTIES)
                    n_numbers = len(numbers) - len(update.lines)
                    on = [line in lines for line in update.lines]
                    mine = np.concatenate([numbers[:n_numbers], numbers[n_numbers:][on]])
                apply_rule(update.rule, parameters, grads, state, mine, lines, scale)

    def _assess(self, z: Floats, a: Floats, batch: Batch, rows: slice, losses: Doubles, correct: Correct | None) -> None:
        losses[rows] = row_losses(self.loss, z, a, batch.y)
        if correct is not None:
            right = n_right_labels if correct.dtype == np.int32 else is_right_class
            correct[rows] = right(a, batch.given_y)

    def _inputs(self, x: np.ndarray) -> Floats:
        with np.errstate(all="ignore"):
            scaled: Floats = x.astype(self.dtype, copy=False) / self.input_scale
            return scaled

    def _targets(self, y: np.ndarray) -> Floats:
        if y.ndim == 2:
            return y
        n_out = self.sizes[-1]
        if n_out == 1:
            return y.astype(self.dtype)[:, None]
        is_class: NDArray[np.bool_] = y[:, None] == np.arange(n_out)
        return is_class.astype(self.dtype)


def dropped(a: Floats, kept: Kept | None, i: int) -> Floats:
    """What dropout leaves of layer i's activations, or of their gradients."""
    part = kept[i] if kept else None
    return drop(a, *part) if part else a


IN_LINE = 0x101  # the bits C_CONTIGUOUS and ALIGNED of an array's flags


def is_ready(value: object, dtype: DTypeLike, ndim: int) -> TypeGuard[np.ndarray]:
    """Whether it is an array as the backends take it: of this dtype, in C order and aligned."""
    return type(value) is np.ndarray and value.ndim == ndim and value.dtype == dtype and value.flags.num & IN_LINE == IN_LINE


def classes(outputs: Floats) -> NDArray[np.int64]:
    """The class of each row: the index of its first largest output; with a single output, whether it exceeds 1/2.

    A row that holds a NaN has none: -1.
    """
    if outputs.shape[1] == 1:
        return np.where(np.isnan(outputs[:, 0]), -1, outputs[:, 0] > 0.5).astype(np.int64)
    best, largest = np.zeros(len(outputs), np.int64), outputs[:, 0]
    for j in range(1, outputs.shape[1]):
        larger = outputs[:, j] > largest
        best, largest = np.where(larger, j, best), np.where(larger, outputs[:, j], largest)
    return np.where(np.isnan(outputs).any(axis=1), -1, best)


def labels(outputs: Floats) -> NDArray[np.int64]:
    """For each output whether its label holds, 1 where it exceeds 1/2, else 0; -1 where it is NaN."""
    return np.where(np.isnan(outputs), -1, outputs > 0.5).astype(np.int64)


def is_right_class(a: Floats, y: Floats) -> NDArray[np.bool_]:
    """Whether each row has a class, and it is that of its targets."""
    found = classes(a)
    right: NDArray[np.bool_] = (found == classes(y)) & (found >= 0)
    return right


def n_right_labels(a: Floats, y: Floats) -> NDArray[np.int64]:
    """How many labels of each row are those of its targets."""
    right: NDArray[np.bool_] = (labels(a) == labels(y)) & ~np.isnan(a)
    n_right: NDArray[np.int64] = np.count_nonzero(right, axis=1)
    return n_right
