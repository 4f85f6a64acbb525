"""The Engine of fastmlp.reference.training through Numba: it lays out a job and its memory, and starts the team."""

import functools
import struct
import sys

import numpy as np
from numba import from_dtype, types
from numba.core import event

from ..layout import layer_views
from ..losses import LOSSES
from . import functions, network
from .environment import check_environment
from .layers import CUSTOM
from .network import EVALUATE, FORWARD, GRADIENT, JOB, LAYER, TRAIN, Job, Layer, scratch_bytes
from .products import multiply_for
from .team import run_together
from .tile import CHUNK

INFERENCE_ROWS = 384  # rows that go through all layers at a time
PIXEL_ROWS = 96  # fewer where they are unpacked first: these lie in the second-level cache then
SHARE_PAYS = 400_000  # products that a thread must have of its own in a step before a team is worth its barriers,
CALL_PAYS = 4_000_000  # and in a call before it is worth waking
FEW_ROWS = 12  # below this many rows a step is shared out only in a network with
MANY_WEIGHTS = 200_000  # this many weights

_pack = struct.Struct("".join("d" if kind is float else "q" for kind in Job.__annotations__.values())).pack


@functools.cache
def compiled(dtype):
    """network.run for one type, with the address of its products, from the disk or compiled now."""
    number = from_dtype(dtype)
    flat, words = types.Array(number, 1, "C"), types.Array(types.int64, 1, "C")
    tables = [types.Array(from_dtype(table), 1, "C") for table in (JOB, LAYER)]
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

    def __init__(self, layer_sizes, activations, loss, parameters, n_threads=1):
        check_environment()
        self.parameters, self.dtype, self.n_threads = parameters, parameters.dtype, n_threads
        self.sizes, self.names, self.loss = layer_sizes, activations, LOSSES[loss].number
        self.multiply = compiled(self.dtype).address
        described = [functions.described(activation, self.dtype) for activation in activations]
        n_out, kept = layer_sizes[1:], sum(size for size, own in zip(layer_sizes[1:], described) if own[0] == CUSTOM)
        self.inference_place, layers = sum(n_out) + kept, []
        weights = a = 0
        own_z = sum(n_out)
        for n_in, n, (number, *addresses) in zip(layer_sizes, n_out, described):
            z = own_z if number == CUSTOM else a
            layers.append(Layer(n_in, n, number, weights, weights + n_in * n, a, z, self.inference_place + a, *addresses))
            weights, a, own_z = weights + (n_in + 1) * n, a + n, own_z + n * (number == CUSTOM)
        self.layers = np.array(layers, LAYER)
        self.training_place = self.inference_place + sum(n_out)
        self.products = sum(n_in * n for n_in, n in zip(layer_sizes, n_out))
        self.workspace = None  # of train: (batch, whether pixels, team) and its arrays

    def forward(self, x, out):
        """Write the outputs for x into out (rows, n_out)."""
        check_environment()
        self._infer(FORWARD, x, out=_address(out))

    def quick_forward(self, x):
        """The outputs in a new array, if x is an array (rows, n_in) of this type in C order with a row in it, else None."""
        if type(x) is not np.ndarray or x.dtype != self.dtype or x.ndim != 2 or not x.flags.c_contiguous:
            return None
        rows, n_in = x.shape
        if n_in != self.sizes[0] or rows == 0 or not x.flags.aligned or not x.dtype.isnative:
            return None
        out = np.empty((rows, self.sizes[-1]), self.dtype)
        self.forward(x, out)
        return out

    def activations(self, x):
        """Every layer's activations, input first: a list of arrays (rows, size)."""
        check_environment()
        results = [x.astype(self.dtype) / self.dtype.type(255) if x.dtype == np.uint8 else x]
        for (weights, bias), name in zip(layer_views(self.parameters, self.sizes), self.names):
            results.append(functions.dense_forward(results[-1], weights, bias, name))
        return results

    def evaluate(self, x, y, losses, correct):
        """Fill losses (rows,) float64, and correct (rows,) uint8 unless it is None, without training."""
        check_environment()
        y = _rows_in_line(y)
        self._infer(EVALUATE, x, **_targets(y, losses, correct))

    def gradients(self, x, y, gradients):
        """Write d(mean loss)/d(parameters) into the flat array gradients; return the mean loss."""
        check_environment()
        y, losses, rows = _rows_in_line(y), np.empty(len(x)), len(x)
        team = self._team(rows, 3, rows)
        memory = self._memory(rows, team, self.training_place, x, shared=True)
        self._run(GRADIENT, team, memory, gradients, x, 0, rows, rows, **_targets(y, losses, None))
        return float(functions.ordered_sum(losses) / rows)

    def train(self, x, y, order, start, stop, batch_size, learning_rate, losses, correct):
        """Steps of gradient descent on the rows order[start:stop]; see fastmlp.reference.Engine.train."""
        check_environment()
        y, batch = _rows_in_line(y), min(batch_size, stop - start)
        team = self._team(batch, 3, stop - start)
        kept_for = batch, x.dtype == np.uint8, team
        if self.workspace is None or self.workspace[0] != kept_for:
            totals = np.empty(self.parameters.size if batch > CHUNK else 1, self.dtype)
            self.workspace = kept_for, self._memory(batch, team, self.training_place, x, shared=True), totals
        _, memory, totals = self.workspace
        self._run(TRAIN, team, memory, totals, x, start, stop, batch, rate=learning_rate,
                  order=0 if order is None else _address(order), **_targets(y, losses, correct))  # fmt: skip

    def _infer(self, mode, x, **fields):
        rows = len(x)
        if rows == 0:
            return
        team = min(self._team(rows, 1, rows), rows)
        most = PIXEL_ROWS if x.dtype == np.uint8 else INFERENCE_ROWS
        batch = -(-rows // (team * -(-rows // (team * most))))  # as many blocks for each thread
        memory = self._memory(batch, team, self.inference_place, x, shared=False)
        self._run(mode, team, memory, self.parameters, x, 0, rows, batch, **fields)

    def _team(self, rows, passes, rows_in_call):
        """How many threads a call with so many rows at a time is worth."""
        products = self.products * passes
        if passes > 1 and rows < FEW_ROWS and self.products < MANY_WEIGHTS:
            return 1  # the updated weights would travel between the caches for too little work on them
        return max(1, min(self.n_threads, rows * products // SHARE_PAYS, rows_in_call * products // CALL_PAYS))

    def _memory(self, batch, team, place, x, shared):
        """The memory of a job: (array, places for one row, bytes for the layers' arrays, bytes of scratch)."""
        rows = -(-batch // 16) * 16
        own = (place + (self.sizes[0] if x.dtype == np.uint8 else 0)) * rows * self.dtype.itemsize
        scratch = -(-scratch_bytes(rows, self.sizes[-1], self.dtype.itemsize) // 64) * 64
        return np.empty(64 + own * (1 if shared else team) + scratch * team, np.uint8), place, own, scratch, shared

    def _run(self, mode, team, memory, gradients, x, start, stop, batch, **fields):
        held, place, own, own_scratch, shared = memory
        begin = (_address(held) + 63) // 64 * 64
        job = Job(mode, self.loss, start, stop, batch, _address(x), x.strides[0], x.dtype == np.uint8, place, begin,
                  0 if shared else own, begin + own * (1 if shared else team), own_scratch, self.multiply, **fields)  # fmt: skip
        jobs = np.frombuffer(bytearray(_pack(*job)), JOB)

        def part(count, sync, thread, held=held):  # held: a thread that comes late still writes into its scratch
            network.run(jobs, self.layers, self.parameters, gradients, sync, count, thread)

        run_together(part, team)


def _address(array):
    return array.__array_interface__["data"][0]


def _rows_in_line(y):
    """y, or a copy whose rows are contiguous."""
    return np.ascontiguousarray(y) if y.ndim == 2 and y.strides[1] != y.itemsize else y


def _targets(y, losses, correct):
    return {"y": _address(y), "y_row": y.strides[0], "labels": y.ndim == 1, "losses": _address(losses),
            "correct": 0 if correct is None else _address(correct)}  # fmt: skip
