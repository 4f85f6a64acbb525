"""The update rules, after fastmlp/reference/updates.py, operation by operation: w = w - u, with u from g, the rule's arrays
and its numbers.

A rule is one function of vectors, found by its name in fastmlp/update_rules.py and compiled on first use. It is run over
blocks: rows x columns of the flat arrays from `at` on, `row` apart, whose gradients lie `columns` apart in a strip that the
first-level cache holds. Whoever owns the parameters of a block owns their part of the rule's arrays.
"""

import functools

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import update_rules
from .barrier import wait
from .compiling import compile_c_function, entry
from .intrinsics import address_of, call, data, moved
from .vectors import INT, Vectors


class Vector:
    """A vector of the code that a rule writes; each operation on it is an instruction."""

    def __init__(self, code, value):
        self.code, self.value = code, value

    def __add__(self, other):
        return Vector(self.code, self.code.builder.fadd(self.value, other.value))

    def __sub__(self, other):
        return Vector(self.code, self.code.builder.fsub(self.value, other.value))

    def __mul__(self, other):
        return Vector(self.code, self.code.builder.fmul(self.value, other.value))

    def __truediv__(self, other):
        return Vector(self.code, self.code.builder.fdiv(self.value, other.value))


def sqrt(x):
    return Vector(x.code, x.code.call("sqrt", x.code.vector, [x.value]))


def settle(x):
    """x, but +0 where it is subnormal or -0; NaN passes."""
    code = x.code
    tiny = np.finfo(np.float32 if code.number == ir.FloatType() else np.float64).tiny
    magnitude = code.call("fabs", code.vector, [x.value])
    small = code.builder.fcmp_ordered("<", magnitude, code.constant(float(tiny)))
    return Vector(code, code.builder.select(small, ir.Constant(code.vector, None), x.value))


# From the gradient, the rule's arrays and its numbers: u and what becomes of the arrays.


def sgd(g, r):
    return (r * g,)


def momentum(g, v, mu, k, r):
    v = settle((mu * v) + (k * g))
    return r * v, v


def nesterov(g, v, mu, k, r):
    p = k * g
    v = settle((mu * v) + p)
    return r * ((mu * v) + p), v


def adam(g, m, v, b1, k1, b2, k2, a, e):
    m = settle((b1 * m) + (k1 * g))
    v = settle((b2 * v) + ((k2 * g) * g))
    return (a * m) / (sqrt(v) + e), m, v


def rmsprop(g, v, b2, k2, k, e1, e2):
    v = settle((b2 * v) + ((k2 * g) * g))
    return (k * g) / (sqrt(v + e1) + e2), v


def rmsprop_momentum(g, v, m, b2, k2, k, e1, e2, mu, r):
    u, v = rmsprop(g, v, b2, k2, k, e1, e2)
    m = settle((mu * m) + u)
    return r * m, v, m


RULES = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adam": adam,
    "rmsprop": rmsprop,
    "rmsprop_momentum": rmsprop_momentum,
}


@intrinsic(prefer_literal=True)
def update_block(typingctx, rule, update, numbers, at, rows, columns, row, g):
    """The code of the rule with this name for one block; update, numbers: see description."""
    n = types.int64

    def generate(context, builder, signature, values):
        number = ir.FloatType() if g.dtype == types.float32 else ir.DoubleType()
        Block(builder, number, rule.literal_value).write(*values[1:])
        return context.get_dummy_value()

    return types.void(rule, update, numbers, n, n, n, n, g), generate


class Block(Vectors):
    """Writes what update_block does."""

    def __init__(self, builder, number, rule):
        super().__init__(builder, number)
        self.rule, self.n_arrays, self.n_numbers = RULES[rule], *counts(rule)

    def write(self, update, numbers, at, rows, columns, row, g):
        builder, p = self.builder, self.number.as_pointer()
        arrays = [builder.inttoptr(builder.load(builder.gep(update, [INT(1 + k)])), p) for k in range(1 + self.n_arrays)]
        numbers = [Vector(self, self.broadcast(builder.load(builder.gep(numbers, [INT(k)])))) for k in range(self.n_numbers)]
        one_run = builder.icmp_signed("==", row, columns)
        columns = builder.select(one_run, builder.mul(rows, columns), columns)
        rows = builder.select(one_run, INT(1), rows)
        whole = builder.and_(columns, INT(-self.lanes))
        last = self.first_lanes(builder.sub(columns, whole))
        with cgutils.for_range(builder, rows) as loop:
            start = builder.add(at, builder.mul(loop.index, row))
            line = builder.gep(g, [builder.mul(loop.index, columns)])
            with cgutils.for_range_slice(builder, INT(0), whole, INT(self.lanes)) as (j, _):
                self.step(arrays, builder.add(start, j), builder.gep(line, [j]), numbers, None)
            with builder.if_then(builder.icmp_signed("<", whole, columns)):
                self.step(arrays, builder.add(start, whole), builder.gep(line, [whole]), numbers, last)

    def step(self, arrays, at, g, numbers, mask):
        """One vector of parameters and of the rule's arrays, at `at`, from its gradients."""
        places = [self.builder.gep(array, [at]) for array in arrays]
        w, *state = (Vector(self, self.load(place, mask)) for place in places)
        u, *new_state = self.rule(Vector(self, self.load(g, mask)), *state, *numbers)
        for new, place in zip((w - u, *new_state), places):
            self.store(new.value, place, mask)


def counts(rule):
    """How many arrays and how many numbers a rule has."""
    return len(update_rules.RULES[rule].state), len(update_rules.RULES[rule].numbers)


@functools.cache
def compiled(rule, dtype):
    """The C function (update*, numbers*, at, rows, columns, row, g*) of a rule."""

    def run(update, numbers, at, rows, columns, row, g):
        update_block(rule, update, numbers, at, rows, columns, row, g)

    # Each rule's code has a name of its own in memory, too, where the code of several may be loaded from the disk.
    run.__name__ = run.__qualname__ = f"update_by_{rule}"
    p, n = types.CPointer(numba.from_dtype(dtype)), types.int64
    return compile_c_function(run, types.void(types.CPointer(n), p, n, n, n, n, p))


def require_bare(lines, **around):
    """ValueError for what may stand around a rule, and in fit, where this backend does not have it."""
    lacking = [*lines, *(name for name, asked in around.items() if asked is not None)]
    if lacking:
        raise ValueError(f"the Numba backend has no {' or '.join(lacking)}: use another backend")


def description(rule, parameters, state, fused=False):
    """An update as compiled code knows it, int64: the addresses of the rule's function, of the parameters, and of the rule's
    arrays. The function's is 0 for plain gradient descent where it is fused, since tiles make that update themselves.

    Beside it goes a pointer to the step's numbers. ValueError for a rule that is not here.
    """
    if rule not in RULES:
        raise ValueError(f"the Numba backend has no update rule {rule!r}")
    function = 0 if fused and rule == "sgd" else compiled(rule, parameters.dtype).address
    return np.array([function, *map(address_of, (parameters, *state))], np.int64)


@entry
def apply(update, numbers, gradients, sync, team, thread):
    """One thread's part of a step of a described update from flat gradients, cut at cache lines."""
    n, lines = len(gradients), (len(gradients) + 15) // 16
    first, stop = lines * thread // team * 16, min(lines * (thread + 1) // team * 16, n)
    if wait(data(sync), team):
        call(update[0], (data(update), data(numbers), first, 1, stop - first, stop - first, moved(data(gradients), first)))
        wait(data(sync), team)
