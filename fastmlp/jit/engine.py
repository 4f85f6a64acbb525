"""The Engine of fastmlp.reference.engine through Numba: it lays out plans and their memory, and starts the team."""

import functools
import struct
import sys
import time

import numpy as np
from numba import from_dtype, types
from numba.core import event

from .. import reference
from ..architecture import layer_views
from ..reference.losses import batch_divisor
from . import functions, network, norms, updates
from .activations import activation_of
from .autotune import Autotune
from .environment import check_environment
from .intrinsics import address_of
from .losses import loss_of
from .network import EVALUATE, FORWARD, GRADIENT, LAYER, PLAN, TASK, TRAIN, Layer, Plan, Task, scratch_bytes
from .products import multiply_for
from .target import VECTOR_BYTES
from .team import run_together
from .tile import CHUNK

INFERENCE_ROWS = 192  # rows that go through all layers at a time
SHARE_PAYS = 4000  # vectors of products that a thread must have of its own in a step before a team is worth its barriers,
CALL_PAYS = 170_000  # and in a call, beyond the barriers, before it is worth waking
UPDATING = 4  # rows whose products take as long as to update the weights
UPDATE_PAYS = 400_000  # parameters that a thread must have of its own before a team is worth waking to update them
FEW_ROWS = 8  # below this many rows a step is shared out only in a network with
MANY_VECTORS = 18_000  # this many vectors of weights, or where most are cut by columns

_pack_task = struct.Struct("".join("d" if kind is float else "q" for kind in Task.__annotations__.values())).pack


@functools.cache
def compiled(dtype):
    """network.run for one type, with the address of its products, from the disk or compiled now."""
    number = from_dtype(dtype)
    flat, words = types.Array(number, 1, "C"), types.Array(types.int64, 1, "C")
    tables = [types.Array(from_dtype(table), 1, "C") for table in (PLAN, TASK, LAYER)]
    with event.install_listener("numba:compile", _Announcer(dtype)):
        network.run.compile((*tables, flat, flat, words, types.int64, types.int64))
    return multiply_for(dtype)


class _Announcer(event.Listener):
    """Says once that Numba compiles, where it does."""

    def __init__(self, dtype):
        self.dtype, self.said = dtype, False

    def on_start(self, event):
        if not self.said:
            self.said = True
            print(f"fastmlp: compiling the Numba kernels for {self.dtype}, once (about 15 s)...", file=sys.stderr)

    def on_end(self, event):
        pass


class Engine:
    """A network's computation over its flat parameter array; see fastmlp.reference.Engine."""

    def __init__(self, layer_sizes, activations, loss, parameters, n_threads=1, input_scale=1.0):
        check_environment()
        self.input_scale = parameters.dtype.type(input_scale)
        self.parameters, self.dtype, self.n_threads = parameters, parameters.dtype, n_threads
        self.sizes, self.functions, self.loss = layer_sizes, activations, loss
        described = [activation_of(activation, self.dtype) for activation in activations]
        self.loss_function = loss_of(loss, self.dtype)
        self.multiply = compiled(self.dtype).address
        n_out = layer_sizes[1:]
        self.inference_place = sum(n_out) + sum(n for n, activation in zip(n_out, described) if activation.keeps_z)
        layers, weights, a, own_z = [], 0, 0, sum(n_out)
        for n_in, n, activation in zip(layer_sizes, n_out, described):
            z = own_z if activation.keeps_z else a
            layers.append(Layer(n_in, n, weights, weights + n_in * n, a, z, self.inference_place + a, *activation))
            weights, a, own_z = weights + (n_in + 1) * n, a + n, own_z + n * activation.keeps_z
        self.layers = np.array(layers, LAYER)
        self.training_place = self.inference_place + sum(n_out)
        lanes = VECTOR_BYTES // self.dtype.itemsize
        vectors = [n_in * -(-n // lanes) for n_in, n in zip(layer_sizes, n_out)]
        self.vectors = sum(vectors)  # of weights
        by_columns = sum(count for count, n in zip(vectors, n_out) if n >= 8 * lanes)  # for a team of two
        self.mostly_by_columns = 2 * by_columns > self.vectors
        # Of blocks of each layer's weights and biases, for penalties; clipping has fewer.
        self.sums = 2 * sum(norms.blocks_of(n_in * n) + norms.blocks_of(n) for n_in, n in zip(layer_sizes, n_out))
        self.idle = {}  # the last plan of each mode, while no call uses it
        self.autotune = Autotune()  # of training
        self.described = None, False, None  # the last update, whether tiles make it, and its description

    takes, takes_samples = reference.Engine.takes, reference.Engine.takes_samples

    def forward(self, x, out=None):
        """The outputs (rows, n_out) for x, written into out where given."""
        check_environment()
        if out is None:
            out = np.empty((len(x), self.sizes[-1]), self.dtype)
        self._infer(FORWARD, (x, out), out=address_of(out))
        return out

    def activations(self, x):
        """Every layer's activations, input first: a list of arrays (rows, size)."""
        check_environment()
        with np.errstate(all="ignore"):
            results = [x.astype(self.dtype, copy=False) / self.input_scale]
        for (weights, bias), activation in zip(layer_views(self.parameters, self.sizes), self.functions):
            results.append(functions.dense_forward(results[-1], weights, bias, activation))
        return results

    def evaluate(self, samples, losses, correct):
        """Fill losses (rows,) float64, and correct (rows,) unless it is None, without training; see train."""
        check_environment()
        x, y = samples.x, _rows_in_line(samples.y)
        self._infer(EVALUATE, (x, y, losses, correct), **self._targets(samples, y, losses, correct))

    def gradients(self, samples, gradients, losses, divisor=None, carry=False):
        """Write the gradients of the rows' losses into a flat array. See fastmlp.reference.Engine.gradients."""
        check_environment()
        x, y, rows = samples.x, _rows_in_line(samples.y), len(samples.x)
        if divisor is None:
            divisor = batch_divisor(samples.weights, rows, samples.mean_over_rows)
        plan = _Prepared(self, GRADIENT, rows, x.dtype == np.uint8, self._team(rows, rows, True))
        self._run(plan, gradients, (x, y, losses, samples), 0, rows, plan.team, divisor=divisor, carries=carry,
                  **self._targets(samples, y, losses, None))  # fmt: skip

    def apply(self, gradients, update):
        """One step from gradients that were made elsewhere. See fastmlp.reference.Engine.apply."""
        check_environment()
        description, n = self._description(update), gradients.size
        arguments = (*updates.both_addresses(description), update.numbers[0], self.layers, gradients,
                     update.clip_norm is not None, *(update.clip_norm or (0.0, 0.0)),
                     np.empty(norms.blocks_of(n)))  # fmt: skip

        def part(team, sync, thread, held=(self, update, description)):  # see _run
            norms.apply(*arguments, sync, team, thread)

        run_together(part, max(1, min(self.n_threads, n // UPDATE_PAYS)))

    def train(self, samples, update, steps=None, losses=None, correct=None, penalties=None, dropout=None):
        """Take the steps, or one on all rows; return their mean loss, or None. See fastmlp.reference.Engine.train."""
        check_environment()
        x, y = samples.x, _rows_in_line(samples.y)
        start, stop, batch_size, order, before = steps or reference.Steps(0, len(x), len(x))
        losses = np.empty(stop) if losses is None else losses
        batch, numbers, description = min(batch_size, stop - start), update.numbers, self._description(update, fused=True)
        team = self._team(batch, stop - start, True)
        fields = self._targets(samples, y, losses, correct) | self._around(update, description, penalties)
        thresholds, drops, drops_inputs = None, False, False
        halt = np.array([0, start], np.int64)  # see Task.stopped
        if dropout is not None:
            thresholds = np.array(dropout.thresholds, np.int64)
            drops, drops_inputs = any(dropout.thresholds), dropout.thresholds[0] > 0
            fields |= {"thresholds": address_of(thresholds), "seed": dropout.seed, "before": before}
        arrays = x, y, order, losses, correct, update, description, samples, penalties, thresholds, halt
        clips = update.clip_norm is not None
        with self._plan(TRAIN, batch, x.dtype == np.uint8, team, drops, drops_inputs, clips) as plan:
            fields |= {"order": 0 if order is None else address_of(order), "numbers": address_of(numbers),
                       "numbers_step": numbers.shape[1] if len(numbers) > 1 else 0}  # fmt: skip
            self._take_steps(plan, arrays, start, stop, halt, stopped=address_of(halt), **fields)
            if halt[0] and not self.all_finite(x):
                return None
            if halt[0]:  # the weights are not finite, or too large: go on from there
                self._take_steps(plan, arrays, start, stop, np.array([0, halt[1]]), **fields)
        if samples.weights is None:
            return functions.mean_in_order(losses, start, stop)
        rows = slice(start, stop)
        return functions.weighted_mean(losses[rows], samples.weights[rows if order is None else order[rows]])

    def all_finite(self, array):
        """Whether neither NaN nor infinity is in an array (rows, columns)."""
        return functions.all_finite(array)

    def _targets(self, samples, y, losses, correct):
        """The fields of a Task about targets, weights and what is recorded of rows."""
        fields = {"y": address_of(y), "y_row": y.strides[0], "labels": y.ndim == 1, "losses": address_of(losses)}
        if correct is not None:
            fields["n_right" if correct.dtype == np.int32 else "correct"] = address_of(correct)
        if samples.weights is not None:
            fields |= {"weights": address_of(samples.weights), "mean_over_rows": samples.mean_over_rows}
        if samples.smoothing:
            n_classes, T = self.sizes[-1] if self.functions[-1] == "softmax" else 2, self.dtype.type
            scale, offset = T(1 - samples.smoothing), T(samples.smoothing / n_classes)
            fields |= {"smooths": 1, "target_scale": float(scale), "target_offset": float(offset)}
        return fields

    def _around(self, update, description, penalties):
        """The fields of a Task about the update, and the penalties before it."""
        weights, biases = updates.both_addresses(description)
        fields = {"update": weights, "bias_update": biases}
        if update.clip_norm is not None:
            clip_norm, clip_eps = update.clip_norm
            fields |= {"clips": True, "clip_norm": clip_norm, "clip_eps": clip_eps}
        if penalties is not None:
            coefficients, out = penalties
            step = 2 if len(coefficients) > 1 else 0
            fields |= {"penalties": address_of(out), "coefficients": address_of(coefficients), "coefficients_step": step,
                       "penalises_biases": update.penalise_biases}  # fmt: skip
        return fields

    def _description(self, update, fused=False):
        last, last_fused, description = self.described
        if update is not last or fused is not last_fused:
            rule, _, state, lines, penalise_biases, clip_norm = update
            description = updates.description(
                rule, self.parameters, state, lines, penalise_biases, clip_norm is not None, fused
            )
            self.described = update, fused, description
        return description

    def _infer(self, mode, arrays, **fields):
        x = arrays[0]
        rows, pixels = len(x), x.dtype == np.uint8
        if rows == 0:
            return
        team = min(self._team(rows, rows, False), rows)
        blocks = team * -(-rows // (team * INFERENCE_ROWS))  # as many for each thread
        with self._plan(mode, -(-rows // blocks), pixels, team) as plan:
            self._run(plan, self.parameters, arrays, 0, rows, plan.team, **fields)

    def _team(self, rows, rows_in_call, trains):
        """How many threads a call with so many rows at a time is worth."""
        work = rows * self.vectors
        if trains:
            # Weights that are cut by rows are updated by one thread and read by all: they travel between the caches.
            # Cut by columns they stay, though for a single row that does not always help.
            if rows < (2 if self.mostly_by_columns else FEW_ROWS) and self.vectors < MANY_VECTORS:
                return 1
            updating = UPDATING if self.mostly_by_columns else -UPDATING
            work = (rows + updating) * 2 * self.vectors  # not 3: the first layer, mostly the largest, has no gradient of x
        saved = -(-rows_in_call // rows) * (work - SHARE_PAYS)
        return max(1, min(self.n_threads, work // SHARE_PAYS, saved // CALL_PAYS))

    def _plan(self, *key):
        """The plan for (mode, rows at a time, whether pixels, team): the last one, or a new one."""
        plan = self.idle.pop(key[0], None)  # no other call has it then
        return plan if plan is not None and plan.key == key else _Prepared(self, *key)

    def _take_steps(self, plan, arrays, start, stop, halt, **fields):
        """The steps of rows start .. stop - 1 from row halt[1] on, in runs; before each the team may become another one."""
        begin, batch, team = halt[1], plan.key[1], plan.team
        while begin < stop and not halt[0]:
            end, threads = stop, 1
            if team > 1:
                end = min(stop, begin + -(-self.autotune.rows_at_once() // batch) * batch)
                threads = team if self.autotune.by_team else 1
            began = time.perf_counter()
            self._run(plan, plan.totals, arrays, start, end, threads, begin=begin, **fields)
            if team > 1:
                self.autotune.learn(end - begin, time.perf_counter() - began)
            begin = end

    def _run(self, plan, gradients, arrays, start, stop, threads, **fields):
        x = arrays[0]
        tasks = np.frombuffer(bytearray(_pack_task(*Task(start, stop, address_of(x), x.strides[0], **fields))), TASK)

        def part(team, sync, thread, held=arrays):  # a thread may still be at work when an interrupt has ended the call
            network.run(plan.table, tasks, self.layers, self.parameters, gradients, sync, team, thread)

        run_together(part, threads)


class _Prepared:
    """A Plan with its memory; as a context manager, it is kept for the next call."""

    def __init__(self, engine, mode, batch, pixels, team, *asked):
        self.engine, self.key, self.team = engine, (mode, batch, pixels, team, *asked), team
        drops, drops_inputs, clips = asked or (False, False, False)
        rows, itemsize, sizes = -(-batch // 16) * 16, engine.dtype.itemsize, engine.sizes
        places = engine.training_place if mode >= GRADIENT else engine.inference_place
        unpacks = pixels or drops_inputs or engine.input_scale != 1
        onward, unpacked = places, places + (sum(sizes[1:]) if drops else 0)
        size = (unpacked + (sizes[0] if unpacks else 0)) * rows * itemsize
        own_scratch = -(-scratch_bytes(rows, sizes[-1], itemsize) // 64) * 64
        own_size, sizes_in_all = (0, size) if mode >= GRADIENT else (size, size * team)
        self.memory = np.empty(64 + sizes_in_all + own_scratch * team, np.uint8)
        self.totals = np.empty(engine.parameters.size if mode == TRAIN and (batch > CHUNK or clips) else 1, engine.dtype)
        self.sums = np.empty(engine.sums if mode == TRAIN else 1)
        begin = (address_of(self.memory) + 63) // 64 * 64
        plan = Plan(mode, batch, pixels, unpacks, engine.input_scale, begin, own_size, unpacked, onward,
                    address_of(self.sums), begin + sizes_in_all, own_scratch, engine.multiply, *engine.loss_function)  # fmt: skip
        self.table = np.array([plan], PLAN)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        # A thread of a team may come late to the inference of this plan, and to anything that was interrupted.
        if self.team == 1 or self.key[0] == TRAIN and error is None:
            self.engine.idle[self.key[0]] = self


def _rows_in_line(y):
    """y, or a copy whose rows are contiguous."""
    return np.ascontiguousarray(y) if y.ndim == 2 and y.strides[1] != y.itemsize else y
