"""softplus, silu, gelu and their kin with their derivatives, of one number: fastmlp/reference/smooth.py, operation by operation.

As in elementary.py, names end in 24 for float32 and in 53 for float64; those without a number take a scalar of either type.
"""

from .compiling import inline, jit
from .elementary import (
    by_type,
    exp24,
    exp53,
    expm1_24,
    expm1_in_two_parts,
    log1p24,
    log1p53,
    reduce24,
    sigmoid,
    sigmoid53,
)  # fmt: skip
from .intrinsics import polynomial, where

SELU_SCALE = 1.0507009873554805
SELU_SCALE_ALPHA = 1.7580993408473766
TANH_LINEAR = 1.5957691216057308
TANH_CUBIC = 0.07135481627260025
NORMAL_DENSITY = 0.3989422804014327
SHIFT = 211.0
EXP_MINUS_SHIFT = float.fromhex("0x1.81b3f492a453bp-305")

normal_series_24 = polynomial([float.fromhex(c) for c in """
    -0x1.c929bb270187cp-15 -0x1.5a9d1ff9971e7p-15 0x1.235e4a4aee5f7p-11 -0x1.a5b80e002f454p-11 -0x1.8905849657467p-9
    0x1.54b8e2ca84cd3p-6 -0x1.1b1b2347b1064p-4 0x1.51f62a26dfceep-3 -0x1.410edac4f0d02p-2 0x1.fb31655a35424p-2
    -0x1.54ad03e5c389ep-1 0x1.89d3abe1d24d1p-1""".split()])  # fmt: skip
normal_series_53 = polynomial([float.fromhex(c) for c in """
    -0x1.5ca78c5d52b08p-29 -0x1.7dc58b285eebdp-28 0x1.88e0413711d86p-26 0x1.ad33b410aa927p-25 -0x1.7d6304aa5407bp-23
    -0x1.1f23247dc78afp-22 0x1.8e585a732639fp-20 0x1.deff82cfe446ep-22 -0x1.96a547b3716dbp-17 0x1.11ce3d885c8a0p-16
    0x1.2b8927c963f35p-14 -0x1.544964c0dd0cbp-12 0x1.1ab34522cfe7fp-12 0x1.4034e56c9230dp-9 -0x1.c83edf4256667p-7
    0x1.71707b5740dd4p-5 -0x1.c15806fa4b4b6p-4 0x1.be33e6ee9997ep-3 -0x1.77dbb5cdda91cp-2 0x1.1239b3f8c06d5p-1
    -0x1.5ed05c7e41a2ep-1 0x1.8c2b8893b5c8dp-1""".split()])  # fmt: skip


@inline
def selu24(x):
    return where(x > 0.0, SELU_SCALE * x, SELU_SCALE_ALPHA * expm1_24(x))


@inline
def elu24(x):
    return where(x > 0.0, x, expm1_24(x))


@inline
def expm1_53_of_negative(x):
    """Of 0 where x > 0: without the large arguments of expm1, which take an exponential more."""
    x = where(x > 0.0, 0.0, x)
    t, error = expm1_in_two_parts(x)
    return where(x == 0.0, x, t + error)


@inline
def elu53(x):
    return where(x > 0.0, x, expm1_53_of_negative(x))


@inline
def selu53(x):
    return where(x > 0.0, SELU_SCALE * x, SELU_SCALE_ALPHA * expm1_53_of_negative(x))


@inline
def softplus24(x):
    return where(x > 0.0, x, 0.0) + log1p24(exp24(where(x > 0.0, -x, x)))


@inline
def softplus53(x):
    return where(x > 0.0, x, 0.0) + log1p53(exp53(where(x > 0.0, -x, x)))


@inline
def sigmoid24_unclamped(x):
    scale, expm1_r = reduce24(-x)
    return 1.0 / (1.0 + (1.0 + expm1_r) * scale)


@inline
def sigmoid53_scaled(x):
    deep = x < -700.0
    return sigmoid53(where(deep, x + SHIFT, x)), where(deep, EXP_MINUS_SHIFT, 1.0)


@inline
def clamp(x, limit):
    x = where(x < -limit, -limit, x)
    return x, where(x > limit, limit, x)


@inline
def silu24(x):
    x, c = clamp(x, 150.0)
    s = sigmoid24_unclamped(c)
    return x * s, s + (c * s) * (1.0 - s)


@inline
def silu53(x):
    x, c = clamp(x, 760.0)
    s, scale = sigmoid53_scaled(c)
    return (x * s) * scale, (s + (c * s) * (1.0 - s)) * scale


@inline
def tanh_derivative(c, s):
    return s + (s * (1.0 - s)) * (c * (TANH_LINEAR + (3.0 * TANH_CUBIC) * (c * c)))


@inline
def gelu_tanh24(x):
    x, c = clamp(x, 15.0)
    s = sigmoid24_unclamped(c * (TANH_LINEAR + TANH_CUBIC * (c * c)))
    return x * s, tanh_derivative(c, s)


@inline
def split(a):
    t = 134217729.0 * a
    high = t - (t - a)
    return high, a - high


@inline
def two_product(a, b):
    p = a * b
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@inline
def two_sum(a, b):
    s = a + b
    b_part = s - a
    return s, (a - (s - b_part)) + (b - b_part)


@inline
def gelu_tanh53(x):
    x, c = clamp(x, 22.0)
    square, square_error = two_product(c, c)
    cubic, cubic_error = two_product(TANH_CUBIC, square)
    factor, factor_error = two_sum(TANH_LINEAR, cubic)
    argument, error = two_product(c, factor)
    error = error + c * (factor_error + (cubic_error + TANH_CUBIC * square_error))
    s, scale = sigmoid53_scaled(argument)
    s = s + (s * (1.0 - s)) * error
    return (x * s) * scale, tanh_derivative(c, s) * scale


@inline
def gelu_of(x, c, power, rest):
    negative, tail = c < 0.0, power * rest
    phi = where(negative, tail, 1.0 - tail)
    return where(negative, power * (c * rest), x * phi), phi + c * (power * NORMAL_DENSITY)


@inline
def gelu24(x):
    x, c = clamp(x, 15.0)
    magnitude = where(c < 0.0, -c, c)
    scale, expm1_r = reduce24((magnitude * magnitude) * -0.5)
    r = 1.0 / (magnitude + 5.0)
    return gelu_of(x, c, (1.0 + expm1_r) * scale, r * normal_series_24(1.0 - 10.0 * r))


@inline
def gelu53(x):
    x, c = clamp(x, 39.0)
    magnitude = where(c < 0.0, -c, c)
    square, error = two_product(magnitude, magnitude)
    power = exp53(square * -0.5)
    r = 1.0 / (magnitude + 5.5)
    return gelu_of(x, c, power - power * (error * 0.5), r * normal_series_53(1.0 - 11.0 * r))


def value_and_derivative(to_24_bits, to_53_bits):
    """Two functions of a scalar of either type, from functions that return (value, derivative) in float64."""

    def part(function, i):
        @jit
        def chosen(x):
            return function(x)[i]

        return chosen

    return (by_type(part(to_24_bits, i), part(to_53_bits, i)) for i in range(2))


elu = by_type(elu24, elu53)
selu = by_type(selu24, selu53)
softplus, softplus_derivative = by_type(softplus24, softplus53), sigmoid
silu, silu_derivative = value_and_derivative(silu24, silu53)
gelu_tanh, gelu_tanh_derivative = value_and_derivative(gelu_tanh24, gelu_tanh53)
gelu, gelu_derivative = value_and_derivative(gelu24, gelu53)
