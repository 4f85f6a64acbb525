"""What Numba's Python cannot say in scalars: one rounding for a product and a sum, selects without branches, and bits."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

DOUBLE, INT64 = ir.DoubleType(), ir.IntType(64)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once, for three floats of one type."""

    def generate(context, builder, signature, values):
        return builder.fma(*values)

    return a(a, a, a), generate


@intrinsic
def where(typingctx, condition, chosen, other):
    """chosen if condition else other, with both computed, so that loops around it run in vector registers."""

    def generate(context, builder, signature, values):
        return builder.select(*values)

    return chosen(types.boolean, chosen, chosen), generate


@intrinsic
def to_bits(typingctx, x):
    """The int64 of a float64's bits."""

    def generate(context, builder, signature, values):
        return builder.bitcast(values[0], INT64)

    return types.int64(types.float64), generate


@intrinsic
def from_bits(typingctx, bits):
    """The float64 of an int64's bits."""

    def generate(context, builder, signature, values):
        return builder.bitcast(values[0], DOUBLE)

    return types.float64(types.int64), generate


def polynomial(coefficients):
    """The intrinsic of a float64 x that evaluates the polynomial with these coefficients by Horner's rule, the highest
    power's first: s = s * x + c, two roundings each."""

    @intrinsic
    def horner(typingctx, x):
        def generate(context, builder, signature, values):
            series = DOUBLE(coefficients[0])
            for coefficient in coefficients[1:]:
                series = builder.fadd(builder.fmul(series, values[0]), DOUBLE(coefficient))
            return series

        return types.float64(types.float64), generate

    return horner
