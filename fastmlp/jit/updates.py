"""The update rules, after fastmlp/reference/updates.py, operation by operation: w = w - u, with u from g, the rule's arrays
and its numbers, and the lines around them.

A rule is one function of vectors, found by its name in fastmlp/update_rules.py; with the lines that an update asks for it is
compiled on first use. It is run over blocks: rows x columns of the flat arrays from `at` on, `row` apart, whose gradients lie
`columns` apart in a strip that the first-level cache holds. Whoever owns the parameters of a block owns their part of the
rule's arrays.
"""

import functools

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import update_rules
from ..reference.engine import PENALTIES
from .compiling import compile_c_function
from .intrinsics import address_of
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

    def __neg__(self):
        return Vector(self.code, self.code.builder.fneg(self.value))

    def __lt__(self, other):
        return self.code.builder.fcmp_ordered("<", self.value, other.value)

    def __gt__(self, other):
        return self.code.builder.fcmp_ordered(">", self.value, other.value)


def constant(x, number):
    """A number in all lanes, as the vector x has them."""
    return Vector(x.code, x.code.constant(number))


def select(condition, chosen, other):
    return Vector(chosen.code, chosen.code.builder.select(condition, chosen.value, other.value))


def sqrt(x):
    return Vector(x.code, x.code.call("sqrt", x.code.vector, [x.value]))


def settle(x):
    """x, but +0 where it is subnormal or -0; NaN passes."""
    tiny = np.finfo(np.float32 if x.code.number == ir.FloatType() else np.float64).tiny
    magnitude = Vector(x.code, x.code.call("fabs", x.code.vector, [x.value]))
    return select(magnitude < constant(x, float(tiny)), constant(x, 0.0), x)


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


def change(rule, lines, w, g, arrays, numbers):
    """The parameters and the arrays after a step, by a rule and the lines around it. lines: {name: its number}."""
    if "scale" in lines:
        g = g * lines["scale"]
    if "clip_value" in lines:
        c = lines["clip_value"]
        g = select(g > c, c, select(g < -c, -c, g))
    if "l2" in lines:
        g = g + lines["l2"] * w
    if "l1" in lines:
        l1, zero = lines["l1"], constant(w, 0.0)
        g = g + select(w > zero, l1, select(w < zero, -l1, zero))
    u, *state = rule(g, *arrays[: len(arrays) - ("average" in lines)], *numbers)
    if "decay" in lines:
        u = u + lines["decay"] * w
    w = w - u
    if "average" in lines:
        average = arrays[-1]
        state.append(average + lines["average"] * (w - average))
    return w, *state


@intrinsic(prefer_literal=True)
def update_block(typingctx, kind, update, numbers, scale, at, rows, columns, row, g):
    """The code of a kind of update for one block. kind: see kind_of; update, numbers: see description; scale: of the
    gradients, where the kind has it."""
    n = types.int64

    def generate(context, builder, signature, values):
        number = ir.FloatType() if g.dtype == types.float32 else ir.DoubleType()
        Block(builder, number, kind.literal_value).write(*values[1:])
        return context.get_dummy_value()

    return types.void(kind, update, numbers, g.dtype, n, n, n, n, g), generate


class Block(Vectors):
    """Writes what update_block does."""

    def __init__(self, builder, number, kind):
        super().__init__(builder, number)
        rule, *self.lines = kind.split()
        self.rule, self.n_numbers = RULES[rule], len(update_rules.RULES[rule].numbers)
        self.n_arrays = len(update_rules.RULES[rule].state) + ("average" in self.lines)

    def write(self, update, numbers, scale, at, rows, columns, row, g):
        builder, p = self.builder, self.number.as_pointer()
        arrays = [builder.inttoptr(builder.load(builder.gep(update, [INT(1 + k)])), p) for k in range(1 + self.n_arrays)]
        n_lines = len([line for line in self.lines if line != "scale"])
        numbers = [Vector(self, self.broadcast(builder.load(builder.gep(numbers, [INT(k)]))))
                   for k in range(self.n_numbers + n_lines)]  # fmt: skip
        numbers, of_lines = numbers[: self.n_numbers], [*numbers[self.n_numbers :], Vector(self, self.broadcast(scale))]
        lines = {line: number for line, number in zip(self.lines, of_lines) if not line.startswith(LEFT_OUT)}
        one_run = builder.icmp_signed("==", row, columns)
        columns = builder.select(one_run, builder.mul(rows, columns), columns)
        rows = builder.select(one_run, INT(1), rows)
        whole = builder.and_(columns, INT(-self.lanes))
        last = self.first_lanes(builder.sub(columns, whole))
        with cgutils.for_range(builder, rows) as loop:
            start = builder.add(at, builder.mul(loop.index, row))
            line = builder.gep(g, [builder.mul(loop.index, columns)])
            with cgutils.for_range_slice(builder, INT(0), whole, INT(self.lanes)) as (j, _):
                self.step(arrays, builder.add(start, j), builder.gep(line, [j]), numbers, lines, None)
            with builder.if_then(builder.icmp_signed("<", whole, columns)):
                self.step(arrays, builder.add(start, whole), builder.gep(line, [whole]), numbers, lines, last)

    def step(self, arrays, at, g, numbers, lines, mask):
        """One vector of parameters and of the arrays, at `at`, from its gradients."""
        places = [self.builder.gep(array, [at]) for array in arrays]
        w, *arrays = (Vector(self, self.load(place, mask)) for place in places)
        for new, place in zip(change(self.rule, lines, w, Vector(self, self.load(g, mask)), arrays, numbers), places):
            self.store(new.value, place, mask)


LEFT_OUT = "no_"


def kind_of(rule, lines=(), penalises=True, scales=False):
    """The name of what compiles to one function: the rule, and the lines whose numbers follow its own, with LEFT_OUT before
    those that are not for biases where they are not penalised; then whether gradients are scaled."""
    names = (line if penalises or line not in PENALTIES else LEFT_OUT + line for line in lines)
    return " ".join((rule, *names, *["scale"] * scales))


@functools.cache
def compiled(kind, dtype):
    """The C function (update*, numbers*, scale, at, rows, columns, row, g*) of a kind of update."""

    def run(update, numbers, scale, at, rows, columns, row, g):
        update_block(kind, update, numbers, scale, at, rows, columns, row, g)

    # Each kind's code has a name of its own in memory, too, where the code of several may be loaded from the disk.
    run.__name__ = run.__qualname__ = f"update_by_{kind.replace(' ', '_')}"
    number, n = numba.from_dtype(dtype), types.int64
    p = types.CPointer(number)
    return compile_c_function(run, types.void(types.CPointer(n), p, number, n, n, n, n, p))


def description(rule, parameters, state, lines=(), penalise_biases=True, scales=False, fused=False):
    """An update as compiled code knows it, int64: the addresses of the function for weights, of the parameters, and of the
    update's arrays; then the same for biases. A function is 0 for plain gradient descent where it is fused, since tiles make
    that update themselves.

    Beside it goes a pointer to the step's numbers. ValueError for a rule that is not here.
    """
    if rule not in RULES:
        raise ValueError(f"the Numba backend has no update rule {rule!r}")
    arrays, halves = list(map(address_of, (parameters, *state))), []
    for penalises in (True, penalise_biases):
        kind = kind_of(rule, lines, penalises, scales)
        halves += [0 if fused and kind == "sgd" else compiled(kind, parameters.dtype).address, *arrays]
    return np.array(halves, np.int64)


def both_addresses(description):
    """Of the part for weights, and of that for biases."""
    start = address_of(description)
    return start, start + description.nbytes // 2
