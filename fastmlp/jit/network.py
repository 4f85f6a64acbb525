"""A network at work: blocks of rows go forward, and in training backward, through all its layers.

The threads of a team call `run` together. In training they share the arrays of a Plan: each phase of a step splits its
output among the threads (every element has one owner, who computes it whole), and a barrier ends the phase. In inference
each takes the next block of rows until none is left, in arrays of its own. All memory is allocated before.

Rows of x are read where they lie, in the order asked for; only what is of another type, or to be divided by the
input scale, is unpacked into a batch first.
"""

from typing import NamedTuple

import numpy as np

from .activations import SIDE, activate_block, copy_run
from .barrier import rows_are_done, take_rows, wait, wait_for_rows
from .compiling import entry, inline, jit
from .dropout import drop_block
from .intrinsics import address, as_item, call, data, moved, pointer
from .losses import class_of, n_right_labels, output_gradient, row_losses
from .norms import clipping_scale, penalty_of, sum_penalties, update_share
from .products import BUFFER, WIDEST
from .tile import CHUNK, lanes

FORWARD, EVALUATE, GRADIENT, TRAIN = range(4)


class Layer(NamedTuple):
    """A row of the layer table. Places are counted in numbers: of the flat parameters, or of the memory for one row."""

    n_in: int
    n_out: int
    weights: int  # in the parameters and in the gradients
    bias: int
    a: int  # in memory; of the output layer, z
    z: int  # the same as a, unless the activation keeps z
    grad_z: int
    forward: int  # see activations.Activation
    gradient: int
    keeps_z: int


class Plan(NamedTuple):
    """What calls with so many rows at a time have in common, and where their arrays are."""

    mode: int
    batch: int  # rows at a time
    pixels: int  # whether x is uint8
    unpacks: int  # whether x is put into memory first: of another type or scale, or behind dropout
    input_scale: float  # what it is divided by there
    memory: int  # address of the layers' arrays
    own_memory: int  # bytes of them that each thread has of its own
    unpacked: int  # the place in memory of what is unpacked
    onward: int  # TRAIN: what to add to a layer's a for the place of what dropout leaves of it
    sums: int  # TRAIN: the address of float64 sums of blocks of parameters or gradients
    scratch: int  # address
    own_scratch: int  # bytes of each thread
    multiply: int  # address of products.multiply
    terms: int  # from here on, see losses.Loss
    error: int
    factor: float
    through_activation: int
    parameter: float


class Task(NamedTuple):
    """What one call works on. Addresses are 0 for what is not there."""

    start: int  # rows
    stop: int
    x: int  # address
    x_row: int  # bytes from one row to the next
    out: int = 0  # FORWARD: the outputs
    y: int = 0
    y_row: int = 0
    labels: int = 0  # whether y is int64
    losses: int = 0
    correct: int = 0  # of uint8, or
    n_right: int = 0  # of int32
    order: int = 0  # int64 row numbers, or 0: rows in their order
    divisor: float = 0.0  # GRADIENT: of the sum of the rows' losses
    carries: int = 0  # GRADIENT: whether the gradients hold totals of rows before these
    weights: int = 0  # of rows
    mean_over_rows: int = 0  # TRAIN: whether the mean divides by the number of rows, not by the sum of their weights
    smooths: int = 0  # whether targets become y * target_scale + target_offset
    target_scale: float = 0.0
    target_offset: float = 0.0
    update: int = 0  # TRAIN: its description, see updates.py,
    bias_update: int = 0  # that of biases,
    numbers: int = 0  # and the numbers of its first step
    numbers_step: int = 0  # from the numbers of one step to the next's
    clips: int = 0  # TRAIN: whether the update waits for all gradients, which are clipped by their norm
    clip_norm: float = 0.0
    clip_eps: float = 0.0
    penalties: int = 0  # TRAIN: float64, one for each step,
    coefficients: int = 0  # from its (l2, l1)
    coefficients_step: int = 0
    penalises_biases: int = 0
    thresholds: int = 0  # TRAIN: of dropout, int64, of the inputs and each hidden layer
    seed: int = 0
    before: int = 0  # how many steps were taken before these
    begin: int = 0  # TRAIN: the row to begin with, where others were taken already
    stopped: int = (
        0  # TRAIN: int64 (1, first row), where a batch was stopped before its update, since a sum of the first layer
    )
    # was not finite, as it is wherever an input is not; or 0, not to look


LAYER, PLAN, TASK = (
    np.dtype([(name, np.float64 if kind is float else np.int64) for name, kind in fields.__annotations__.items()])
    for fields in (Layer, Plan, Task)
)


class Scratch(NamedTuple):
    """What a thread has of its own beside a batch's arrays: pointers, see scratch_of."""

    x_lines: object  # addresses of the rows of x
    lines: object  # and of those of another matrix
    terms: object  # (SIDE, n_out) float64
    zeros: object  # (WIDEST,)
    ones: object  # (rows,)
    buffer: object  # for products
    a: object  # (SIDE, n_out)
    y: object
    maxima: object  # (SIDE,)
    totals: object
    weights: object


def scratch_bytes(rows, n_out, itemsize):
    """The size of one thread's scratch for batches of so many rows, a multiple of 16."""
    return 8 * (2 * rows + SIDE * n_out) + itemsize * (WIDEST + rows + BUFFER + 2 * SIDE * n_out + 3 * SIDE)


@inline
def scratch_of(p, start, rows, n_out):
    words, numbers = pointer(np.int64, start), pointer(p, start + 8 * (2 * rows + SIDE * n_out))
    zeros = numbers
    ones = moved(zeros, WIDEST)
    buffer = moved(ones, rows)
    a = moved(buffer, BUFFER)
    y = moved(a, SIDE * n_out)
    maxima = moved(y, SIDE * n_out)
    for i in range(WIDEST):
        zeros[i] = 0
    for i in range(rows):
        ones[i] = 1
    return Scratch(words, moved(words, rows), pointer(np.float64, start + 16 * rows), zeros, ones, buffer, a, y, maxima,
                   moved(maxima, SIDE), moved(maxima, 2 * SIDE))  # fmt: skip


@entry
def run(plans, tasks, layers, parameters, gradients, sync_words, team, thread):
    """One thread's part of a call. parameters, gradients: flat; in TRAIN gradients keeps totals between chunks, or all
    gradients where the update waits for them."""
    plan, task = plans[0], tasks[0]
    p, sync = data(parameters), data(sync_words)
    memory = pointer(p, plan.memory + thread * plan.own_memory)
    rows = (plan.batch + 15) // 16 * 16  # every array begins on a cache line
    scratch = scratch_of(p, plan.scratch + thread * plan.own_scratch, rows, layers[-1].n_out)
    learns = plan.mode >= GRADIENT
    if learns and not wait(sync, team):
        return
    first = max(task.start, task.begin) if learns else take_rows(sync, plan.batch)
    numbers = moved(pointer(p, task.numbers), (first - task.start) // plan.batch * task.numbers_step)
    while first < task.stop:
        count = min(plan.batch, task.stop - first)
        if learns:
            if not take_batch(plan, task, layers, p, data(gradients), numbers, sync, memory, rows, scratch, first, count, thread,
                              team):  # fmt: skip
                pointer(np.int64, task.stopped)[1] = first
                return
            first += plan.batch
            numbers = moved(numbers, task.numbers_step)
        else:
            take_batch(plan, task, layers, p, data(gradients), numbers, sync, memory, rows, scratch, first, count, 0, 1)
            rows_are_done(sync, count)
            first = take_rows(sync, plan.batch)
    if thread == 0 and not learns:
        wait_for_rows(sync, task.stop - task.start)


@jit
def take_batch(plan, task, layers, p, gradients, numbers, sync, memory, space, scratch, first, rows, thread, team):
    """Rows first .. first + rows - 1 through the network. The arrays in memory have space for `space` rows.

    Whether it was not stopped, for all threads alike: who looked later might see what another thread found in the next batch.
    """
    output = len(layers) - 1
    step = (first - task.start) // plan.batch
    take_inputs(plan, task, step, layers[0].n_in, moved(memory, space * plan.unpacked), first, rows, scratch, thread, team)
    # A thread that goes on with the rows that it computed itself waits for nobody; columns are of all rows.
    if plan.unpacks and by_columns(p, layers[0].n_out, team):
        wait(sync, team)
    for i in range(output + 1):
        layer = layers[i]
        z, a = moved(memory, space * layer.z), moved(memory, space * layer.a)
        if plan.mode == FORWARD and i == output:
            a = moved(pointer(p, task.out), first * layer.n_out)
            if layer.keeps_z == 0:
                z = a
        lines = scratch.x_lines
        if i > 0:
            lines = scratch.lines
            lines_of(onward(plan, task, layers, i, memory, space), layer.n_in, rows, lines)
        forward(plan, task, layer, p, lines, z, a, rows, plan.mode == FORWARD or i < output, i == 0, scratch, thread, team)
        if i < output and threshold(task, i + 1) != 0:
            r0, r1, c0, c1 = share(p, rows, layer.n_out, thread, team)
            left = onward(plan, task, layers, i + 1, memory, space)
            for r in range(r0, r1):
                copy_run(moved(a, r * layer.n_out + c0), moved(left, r * layer.n_out + c0), c1 - c0)
            drop(task, i + 1, step, left, layer.n_out, r0, r1, c0, c1, scratch)
        if by_columns(p, layer.n_out, team) or i < output and by_columns(p, layers[i + 1].n_out, team):
            wait(sync, team)
    if plan.mode == FORWARD:
        return True
    finish_outputs(plan, task, layers[output], p, memory, space, first, rows, scratch, thread, team)
    if plan.mode == EVALUATE:
        return True
    for i in range(output, 0, -1):
        if by_columns(p, layers[i].n_in, team) or i < output and by_columns(p, layers[i].n_out, team):
            wait(sync, team)
        backward(plan, task, step, i, layers[i], layers[i - 1], p, memory, space, rows, scratch, thread, team)
    sums = pointer(np.float64, plan.sums)
    if task.penalties != 0:
        sum_penalties(layers, task.penalises_biases, p, sums, thread, team)
    wait(sync, team)  # all gradients are there, and the weights have been read and may change
    if task.stopped != 0 and pointer(np.int64, task.stopped)[0] != 0:
        return False
    if task.penalties != 0 and thread == 0:
        coefficients = moved(pointer(np.float64, task.coefficients), step * task.coefficients_step)
        penalty = penalty_of(layers, task.penalises_biases, sums, coefficients[0], coefficients[1])
        pointer(np.float64, task.penalties)[step] = penalty
    for i in range(output, -1, -1):
        lines = scratch.x_lines
        if i > 0:
            lines = scratch.lines
            lines_of(onward(plan, task, layers, i, memory, space), layers[i].n_in, rows, lines)
        differentiate(plan, task, layers[i], p, gradients, numbers, lines, moved(memory, space * layers[i].grad_z), rows,
                      scratch, thread, team)  # fmt: skip
    wait(sync, team)
    if task.clips:
        n = layers[output].bias + layers[output].n_out
        scale = clipping_scale(gradients, n, task.clip_norm, task.clip_eps, sums, sync, thread, team)
        update_share(task.update, task.bias_update, numbers, scale, layers, gradients, n, thread, team)
        wait(sync, team)
    return True


@jit
def threshold(task, i):
    """That of dropout behind layer i, 0 for the inputs; 0 leaves no unit out."""
    return pointer(np.int64, task.thresholds)[i] if task.thresholds != 0 else 0


@jit
def onward(plan, task, layers, i, memory, space):
    """What goes on from layer i - 1 to layer i of the table: a, or what dropout leaves of it."""
    return moved(memory, space * (layers[i - 1].a + (plan.onward if threshold(task, i) != 0 else 0)))


@jit
def drop(task, i, step, a, n, r0, r1, c0, c1, scratch):
    """Dropout behind layer i of a block of a (rows, n), in place. What products work in is free meanwhile."""
    words = pointer(np.uint32, address(scratch.buffer))
    drop_block(threshold(task, i), task.seed, task.before + step, i, a, n, r0, r1, c0, c1, words)


@jit
def by_columns(p, columns, team):
    return columns // (2 * lanes(p)) >= 2 * team


@jit
def share(p, rows, columns, thread, team):
    """r0, r1, c0, c1: the rows and columns of a matrix that one thread owns."""
    if team == 1:
        return 0, rows, 0, columns
    if by_columns(p, columns, team):
        strip = 2 * lanes(p)
        strips = columns // strip
        c1 = strips * (thread + 1) // team * strip if thread + 1 < team else columns
        return 0, rows, strips * thread // team * strip, c1
    return rows * thread // team, rows * (thread + 1) // team, 0, columns


@jit
def lines_of(start, n, rows, lines):
    """lines (rows,): the addresses of the rows of a matrix (rows, n)."""
    for r in range(rows):
        lines[r] = address(moved(start, r * n))


@jit
def row_number(task, i):
    return pointer(np.int64, task.order)[i] if task.order != 0 else i


@inline
def take_inputs(plan, task, step, n, unpacked, first, rows, scratch, thread, team):
    """scratch.x_lines (rows,): the addresses of the rows of the batch, or of the copy that the team makes together."""
    lines, r0, r1 = scratch.x_lines, rows * thread // team, rows * (thread + 1) // team
    if not plan.unpacks:
        for r in range(rows):
            lines[r] = task.x + row_number(task, first + r) * task.x_row
        return
    lines_of(unpacked, n, rows, lines)
    scale = as_item(unpacked, plan.input_scale)
    for r in range(r0, r1):
        start, row = task.x + row_number(task, first + r) * task.x_row, moved(unpacked, r * n)
        if plan.pixels:
            pixels = pointer(np.uint8, start)
            for j in range(n):
                row[j] = as_item(unpacked, pixels[j]) / scale
        else:
            numbers = pointer(unpacked, start)
            for j in range(n):
                row[j] = numbers[j] / scale
    if threshold(task, 0) != 0:
        drop(task, 0, step, unpacked, n, r0, r1, 0, n, scratch)


@inline
def forward(plan, task, layer, p, lines, z, a, rows, activated, watched, scratch, thread, team):
    """z (rows, n_out) = x W + b and a = f(z), or z alone where not activated. watched: whether the task stops where z is not
    finite."""
    n = layer.n_out
    r0, r1, c0, c1 = share(p, rows, n, thread, team)
    call(plan.multiply, (lines, 0, layer.n_in, moved(p, layer.weights), n, 1, moved(p, layer.bias), 1, z, n, 0, 0, p, 0, r0,
                        r1, c0, c1, scratch.buffer))  # fmt: skip
    if watched and task.stopped != 0:
        infinite = 0
        for r in range(r0, r1):
            for c in range(c0, c1):
                infinite |= z[r * n + c] - z[r * n + c] != 0
        if infinite:
            pointer(np.int64, task.stopped)[0] = 1
    if activated:
        first = r0 * n + c0
        activate_block(layer.forward, moved(z, first), moved(a, first), r1 - r0, c1 - c0, n, scratch.maxima, scratch.totals)


@inline
def finish_outputs(plan, task, layer, p, memory, space, first, rows, scratch, thread, team):
    """The output layer's a from its z, each row's loss and class, and dL/dz for the way back; rows shared out."""
    n, r1 = layer.n_out, rows * (thread + 1) // team
    a, y = scratch.a, scratch.y
    divisor = task.divisor if plan.mode == GRADIENT else divisor_of(task, p, first, rows)
    for r in range(rows * thread // team, r1, SIDE):
        count = min(SIDE, r1 - r)
        z = moved(memory, space * layer.z + r * n)
        copy_run(z, a, count * n)
        activate_block(layer.forward, z, a, count, n, n, scratch.maxima, scratch.totals)
        targets(task, n, first + r, count, y)
        if task.correct != 0:
            correct = moved(pointer(np.uint8, task.correct), first + r)
            for i in range(count):
                found = class_of(moved(a, i * n), n)
                correct[i] = found >= 0 and found == class_of(moved(y, i * n), n)
        elif task.n_right != 0:
            n_right = moved(pointer(np.int32, task.n_right), first + r)
            for i in range(count):
                n_right[i] = n_right_labels(moved(a, i * n), moved(y, i * n), n)
        if task.smooths:
            smooth_targets(y, count * n, task.target_scale, task.target_offset)
        row_losses(plan, z, a, y, count, n, scratch.maxima, scratch.totals, scratch.terms,
                   moved(pointer(np.float64, task.losses), first + r))  # fmt: skip
        if plan.mode != EVALUATE:
            if task.weights != 0:
                for i in range(count):
                    scratch.weights[i] = pointer(p, task.weights)[row_number(task, first + r + i)]
            output_gradient(plan, layer.gradient, z if layer.keeps_z else a, a, y, moved(memory, space * layer.grad_z + r * n),
                            count, n, task.weights, scratch.weights, divisor)  # fmt: skip


@jit
def divisor_of(task, p, first, rows):
    """What the mean of rows first, first + 1, ... divides by: the ordered sum of their weights, or their number."""
    if task.weights == 0 or task.mean_over_rows != 0:
        return np.float64(rows)
    total = 0.0
    for start in range(first, first + rows, CHUNK):
        s = 0.0
        for i in range(start, min(start + CHUNK, first + rows)):
            s = s + np.float64(pointer(p, task.weights)[row_number(task, i)])
        total = total + s
    return 1.0 if total == 0.0 else total


@jit
def smooth_targets(y, n, scale, offset):
    """y (n,) drawn towards a number of its own for every class."""
    scale, offset = as_item(y, scale), as_item(y, offset)
    for i in range(n):
        y[i] = y[i] * scale + offset


@jit
def targets(task, n, first, rows, y):
    """y (rows, n): the targets of rows `first` and on; labels become ones among zeros."""
    for r in range(rows):
        start, row = task.y + row_number(task, first + r) * task.y_row, moved(y, r * n)
        if not task.labels:
            copy_run(pointer(y, start), row, n)
            continue
        label = pointer(np.int64, start)[0]
        for j in range(n):
            row[j] = 0
        if n == 1:
            row[0] = label
        else:
            row[label] = 1


@inline
def backward(plan, task, step, i, layer, before, p, memory, space, rows, scratch, thread, team):
    """before.grad_z (rows, n_in) = layer.grad_z W^T, behind dropout and through the derivative of before's activation; layer
    is the table's i-th."""
    n = layer.n_in
    r0, r1, c0, c1 = share(p, rows, n, thread, team)
    lines_of(moved(memory, space * layer.grad_z), layer.n_out, rows, scratch.lines)
    first, g = r0 * n + c0, moved(memory, space * before.grad_z)
    call(plan.multiply, (scratch.lines, 0, layer.n_out, moved(p, layer.weights), 1, layer.n_out, scratch.zeros, 0, g, n, 0, 0,
                        p, 0, r0, r1, c0, c1, scratch.buffer))  # fmt: skip
    if threshold(task, i) != 0:
        drop(task, i, step, g, n, r0, r1, c0, c1, scratch)
    derived = moved(memory, space * before.z + first)  # holds a where the activation does not keep z
    g = moved(g, first)
    if c1 - c0 == n:
        call(before.gradient, (derived, g, (r1 - r0) * n))
    else:
        for r in range(r1 - r0):
            call(before.gradient, (moved(derived, r * n), moved(g, r * n), c1 - c0))


@inline
def differentiate(plan, task, layer, p, gradients, numbers, lines, grad_z, rows, scratch, thread, team):
    """grad_w = x^T grad_z and grad_b, the same sum with every x = 1: to the gradients, or in TRAIN straight into weights
    and bias, unless the update waits for all. Columns are shared out as in forward, so that a thread's columns of the
    weights stay in its cache."""
    n = layer.n_out
    update, bias_update = (0, 0) if task.clips else (task.update, task.bias_update)
    r0, r1, c0, c1 = share(p, layer.n_in, n, thread, team)
    call(plan.multiply, (lines, 1, rows, grad_z, n, 1, scratch.zeros, 0, moved(gradients, layer.weights), n, task.carries,
                        update, numbers, layer.weights, r0, r1, c0, c1, scratch.buffer))  # fmt: skip
    if by_columns(p, n, team) or thread == team - 1:
        scratch.lines[0] = address(scratch.ones)
        call(plan.multiply, (scratch.lines, 0, rows, grad_z, n, 1, scratch.zeros, 0, moved(gradients, layer.bias), n,
                            task.carries, bias_update, numbers, layer.bias, 0, 1, c0, c1, scratch.buffer))  # fmt: skip
