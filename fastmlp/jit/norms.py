"""What needs all parameters or all gradients of a step: penalties, clipping by the norm, and the update that follows it;
after fastmlp/reference/norms.py.

Blocks of SUM_BLOCK numbers are shared out, and each thread adds up the sums of all blocks for itself.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..reference.norms import LANES, SUM_BLOCK
from .barrier import wait
from .compiling import entry, jit
from .intrinsics import as_item, call, data, moved, pointer, where
from .vectors import INT, INT32, Vectors

DOUBLE = ir.DoubleType()


@intrinsic
def sum_of_block(typingctx, x, n, magnitudes):
    """The sum of the squares of x (n,), or of its magnitudes, by the lane rule, float64."""

    def generate(context, builder, signature, values):
        return Sum(builder, ir.FloatType() if x.dtype == types.float32 else DOUBLE).write(*values)

    return types.float64(x, types.int64, types.boolean), generate


class Sum(Vectors):
    """Writes what sum_of_block does."""

    def __init__(self, builder, number):
        super().__init__(builder, number, LANES)

    def write(self, x, n, magnitudes):
        builder, wide = self.builder, ir.VectorType(DOUBLE, LANES)
        sums = cgutils.alloca_once_value(builder, ir.Constant(wide, None))

        def add(k, mask):
            value = self.load(builder.gep(x, [k]), mask)
            magnitude = self.call("fabs", self.vector, [value])
            if self.number != DOUBLE:
                value, magnitude = builder.fpext(value, wide), builder.fpext(magnitude, wide)
            term = builder.select(magnitudes, magnitude, builder.fmul(value, value))
            builder.store(builder.fadd(builder.load(sums), term), sums)

        whole = builder.and_(n, INT(-LANES))
        with cgutils.for_range_slice(builder, INT(0), whole, INT(LANES)) as (k, _):
            add(k, None)
        with builder.if_then(builder.icmp_signed("<", whole, n)):
            add(whole, self.first_lanes(builder.sub(n, whole)))
        lanes, total = builder.load(sums), DOUBLE(0.0)
        for lane in range(LANES):
            total = builder.fadd(total, builder.extract_element(lanes, INT32(lane)))
        return total


def blocks_of(n):
    """How many blocks n numbers have."""
    return (n + SUM_BLOCK - 1) // SUM_BLOCK


count_blocks = jit(blocks_of)


@jit
def sum_share(x, n, magnitudes, sums, thread, team):
    """sums (blocks,): this thread's share of the sums of the blocks of x (n,)."""
    blocks = count_blocks(n)
    for block in range(blocks * thread // team, blocks * (thread + 1) // team):
        start = block * SUM_BLOCK
        sums[block] = sum_of_block(moved(x, start), min(SUM_BLOCK, n - start), magnitudes)


@jit
def added_up(sums, n):
    total = 0.0
    for i in range(n):
        total = total + sums[i]
    return total


@entry
def lane_sum(x, magnitudes, sums):
    """sums: of the blocks, to work in."""
    sum_share(data(x), len(x), magnitudes, data(sums), 0, 1)
    return added_up(data(sums), len(sums))


@jit
def sum_penalties(layers, penalises_biases, p, sums, thread, team):
    """sums: for each segment this thread's share of its blocks' squares, then of their magnitudes."""
    for i in range(len(layers)):
        layer = layers[i]
        for magnitudes in (False, True):
            sum_share(moved(p, layer.weights), layer.n_in * layer.n_out, magnitudes, sums, thread, team)
            sums = moved(sums, count_blocks(layer.n_in * layer.n_out))
        if penalises_biases:
            for magnitudes in (False, True):
                sum_share(moved(p, layer.bias), layer.n_out, magnitudes, sums, thread, team)
                sums = moved(sums, count_blocks(layer.n_out))


@jit
def penalty_of(layers, penalises_biases, sums, l2, l1):
    """The penalty, from the sums that all threads have filled."""
    total = 0.0
    for i in range(len(layers)):
        layer = layers[i]
        for segment in range(2 if penalises_biases else 1):
            blocks = count_blocks(layer.n_out if segment else layer.n_in * layer.n_out)
            squares, magnitudes = added_up(sums, blocks), added_up(moved(sums, blocks), blocks)
            total = total + ((0.5 * l2) * squares + l1 * magnitudes)
            sums = moved(sums, 2 * blocks)
    return total


@jit
def clipping_scale(gradients, n, clip_norm, clip_eps, sums, sync, thread, team):
    """What clipping by their norm multiplies gradients (n,) with; by a team, whose threads all learn it."""
    sum_share(gradients, n, False, sums, thread, team)
    wait(sync, team)
    norm = math.sqrt(added_up(sums, count_blocks(n))) + clip_eps
    return as_item(gradients, where(norm > clip_norm, clip_norm / norm, 1.0))


@jit
def update_share(update, bias_update, numbers, scale, layers, gradients, n, thread, team):
    """This thread's share of all n parameters, from their gradients, cut at cache lines."""
    lines = (n + 15) // 16
    first, stop = lines * thread // team * 16, min(lines * (thread + 1) // team * 16, n)
    for i in range(len(layers)):
        layer = layers[i]
        update_run(update, numbers, scale, gradients, max(first, layer.weights), min(stop, layer.bias))
        update_run(bias_update, numbers, scale, gradients, max(first, layer.bias), min(stop, layer.bias + layer.n_out))


@jit
def update_run(update, numbers, scale, gradients, first, stop):
    if first < stop:
        described, n = pointer(np.int64, update), stop - first
        call(described[0], (described, numbers, scale, first, 1, n, n, moved(gradients, first)))


@entry
def apply(update, bias_update, numbers, layers, gradients, clips, clip_norm, clip_eps, sums, sync, team, thread):
    """One thread's part of a step of a described update from flat gradients."""
    g, n = data(gradients), len(gradients)
    if wait(data(sync), team):
        scale = as_item(g, 1)
        if clips:
            scale = clipping_scale(g, n, clip_norm, clip_eps, data(sums), data(sync), thread, team)
        update_share(update, bias_update, data(numbers), scale, layers, g, n, thread, team)
        wait(data(sync), team)


@entry
def apply_flat(update, numbers, scale, gradients):
    """A step of all parameters alike."""
    g = data(gradients)
    update_run(update, data(numbers), as_item(g, scale), g, 0, len(gradients))
