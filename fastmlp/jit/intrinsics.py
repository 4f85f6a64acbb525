"""What Numba's Python cannot say: one rounding for a product and a sum, selects without branches, bits, pointers,
atomic operations, and calls through a pointer."""

import os

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .compiling import entry
from .target import X86

DOUBLE, INT64 = ir.DoubleType(), ir.IntType(64)


def of_values(result, generate):
    """What an intrinsic returns: its signature, given as result(arguments), and generate(builder, *values) behind it."""
    return result, lambda context, builder, signature, values: generate(builder, *values)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once, for three floats of one type."""
    return of_values(a(a, a, a), lambda builder, x, y, z: builder.fma(x, y, z))


@intrinsic
def where(typingctx, condition, chosen, other):
    """chosen if condition else other, with both computed, so that loops around it run in vector registers."""
    return of_values(chosen(types.boolean, chosen, chosen), lambda builder, c, x, y: builder.select(c, x, y))


@intrinsic
def to_bits(typingctx, x):
    """The int64 of a float64's bits."""
    return of_values(types.int64(types.float64), lambda builder, value: builder.bitcast(value, INT64))


@intrinsic
def from_bits(typingctx, bits):
    """The float64 of an int64's bits."""
    return of_values(types.float64(types.int64), lambda builder, value: builder.bitcast(value, DOUBLE))


def polynomial(coefficients):
    """The intrinsic of a float64 x that evaluates the polynomial with these coefficients by Horner's rule, the highest
    power's first: s = s * x + c, two roundings each."""

    def horner(builder, x):
        series = DOUBLE(coefficients[0])
        for coefficient in coefficients[1:]:
            series = builder.fadd(builder.fmul(series, x), DOUBLE(coefficient))
        return series

    @intrinsic
    def evaluate(typingctx, x):
        return of_values(types.float64(types.float64), horner)

    return evaluate


# Pointers are types.CPointer(T): p[i] reads and writes, and the type of the elements goes along.


@intrinsic
def data(typingctx, array):
    """The pointer to the first element of an array."""

    def generate(context, builder, signature, values):
        return context.make_array(array)(context, builder, values[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def pointer(typingctx, kind, address):
    """The pointer with an address: to what a pointer `kind` points to, or to numbers of the class `kind`."""
    result = kind if isinstance(kind, types.CPointer) else types.CPointer(kind.instance_type)

    def generate(context, builder, signature, values):
        return builder.inttoptr(values[1], context.get_value_type(result))

    return result(kind, types.int64), generate


@intrinsic
def address(typingctx, p):
    return of_values(types.int64(p), lambda builder, value: builder.ptrtoint(value, INT64))


@entry
def address_of(array):
    """The address of an array's first element; NumPy takes four times as long to tell."""
    return address(data(array))


@intrinsic
def moved(typingctx, p, n):
    """The pointer n elements further."""
    return of_values(p(p, types.int64), lambda builder, value, elements: builder.gep(value, [elements]))


@intrinsic
def as_item(typingctx, p, value):
    """A number as what p points to, rounded once."""

    def generate(context, builder, signature, values):
        return context.cast(builder, values[1], value, p.dtype)

    return p.dtype(p, value), generate


@intrinsic
def call(typingctx, function, arguments):
    """void function(...), the C function at an address, with a tuple of arguments: numbers and pointers."""

    def generate(context, builder, signature, values):
        unpacked = cgutils.unpack_tuple(builder, values[1])
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in unpacked])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), unpacked)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate


# Words that threads share are int64 behind a pointer.


@intrinsic
def atomic_add(typingctx, p, n):
    """Adds n to the word at p; returns what it was before."""

    def generate(builder, word, value):
        return builder.atomic_rmw("add", word, value, "acq_rel")

    return of_values(types.int64(p, types.int64), generate)


@intrinsic
def atomic_load(typingctx, p):
    return of_values(types.int64(p), lambda builder, word: builder.load_atomic(word, "acquire", 8))


@intrinsic
def atomic_store(typingctx, p, n):
    def generate(context, builder, signature, values):
        builder.store_atomic(values[1], values[0], "release", 8)
        return context.get_dummy_value()

    return types.void(p, types.int64), generate


def calls_c(name, result, exists=True):
    """The intrinsic that calls a C function without arguments, or does nothing where there is none."""

    @intrinsic
    def call_it(typingctx):
        def generate(context, builder, signature, values):
            if exists:
                kind = ir.FunctionType(result, [])
                builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
            return context.get_dummy_value()

        return types.void(), generate

    return call_it


pause = calls_c("llvm.x86.sse2.pause", ir.VoidType(), X86)
give_way = calls_c("sched_yield", ir.IntType(32), os.name == "posix")
