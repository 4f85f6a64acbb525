"""exp, expm1, log, log1p, sigmoid and tanh of one number: fastmlp/reference/elementary.py, operation by operation.

All is computed in float64, without branches, so that the loops that call these functions run in vector registers.
Those named 53 serve float64 and the losses, those named 24 float32. The six without a number take a scalar of either
type and return its type.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from .compiling import OPTIONS, jit
from .intrinsics import from_bits, polynomial, to_bits, where

LOG2_E = 1.4426950408889634
LN2 = float.fromhex("0x1.62e42fefa39efp-1")
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDER = 6755399441055744.0
ROUNDER_BITS = int(np.float64(ROUNDER).view(np.int64))
MANTISSA = 0xFFFFFFFFFFFFF
SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2) and of 1
ONE = 0x3FF0000000000000
TINY = 2.0**-1022

exp_series = polynomial([1.0 / math.factorial(n) for n in range(13, 1, -1)])
exp_series_24 = polynomial([1.0 / math.factorial(n) for n in range(8, 1, -1)])
log_series = polynomial([2.0 / n for n in range(23, 1, -2)])
log_series_24 = polynomial([2.0 / n for n in range(13, 1, -2)])


@jit
def power_of_two(k):
    return from_bits((to_bits(k + ROUNDER) + 1023) << 52)


@jit
def reduce53(x):
    k = (x * LOG2_E + ROUNDER) - ROUNDER
    high = x - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    error = (high - r) - low
    return k, r, (r * r) * exp_series(r) + (error + error * r)


@jit
def exp53_in_two_parts(x):
    x = where(x > 710.0, 710.0, x)
    x = where(x < -746.0, -746.0, x)
    k, r, rest = reduce53(x)
    expm1_r = r + rest
    exp_r = 1.0 + expm1_r
    exp_r_error = ((1.0 - exp_r) + expm1_r) + ((r - expm1_r) + rest)
    half = (k * 0.5 + ROUNDER) - ROUNDER
    first, second = power_of_two(half), power_of_two(k - half)
    return (exp_r * first) * second, (exp_r_error * first) * second


@jit
def exp53(x):
    return exp53_in_two_parts(x)[0]


@jit
def expm1_in_two_parts(x):
    k, r, rest = reduce53(where(x < -60.0, -60.0, x))
    scale = power_of_two(k)
    expm1_r = r + rest
    expm1_r_error = (r - expm1_r) + rest
    offset = scale - 1.0
    product = scale * expm1_r
    t = offset + product
    return t, ((offset - t) + product) + scale * expm1_r_error


@jit
def expm1_53(x):
    big = x > 700.0
    t, t_error = expm1_in_two_parts(where(big, 0.0, x))
    return where(big, exp53(x), where(x == 0.0, x, t + t_error))


@jit
def reduce_log(x):
    shifted = to_bits(x) + (ONE - SQRT_HALF)
    m = from_bits((shifted & MANTISSA) + SQRT_HALF)
    k = from_bits(((shifted >> 52) & 0xFFF) + ROUNDER_BITS) - (ROUNDER + 1023.0)
    return k, m - 1.0


@jit
def log_at_the_ends(x, result):
    result = where(x == 0.0, -np.inf, result)
    result = where(x < 0.0, np.nan, result)
    return where((x == np.inf) | (x != x), x, result)


@jit
def log53(x):
    subnormal = x < TINY
    k, f = reduce_log(where(subnormal, x * 18014398509481984.0, x))
    k = where(subnormal, k - 54.0, k)
    s = f / (2.0 + f)
    s2 = s * s
    half_f2 = (0.5 * f) * f
    return log_at_the_ends(x, k * LN2_HIGH - ((half_f2 - (s * (half_f2 + s2 * log_series(s2)) + k * LN2_LOW)) - f))


@jit
def log1p_from(x, u, log_u):
    error = where(x < 1.0, x - (u - 1.0), 1.0 - (u - x))
    result = where(x == 0.0, x, log_u + error / u)
    return where((u == 0.0) | (u == np.inf), log_u, result)


@jit
def log1p53(x):
    return log1p_from(x, 1.0 + x, log53(1.0 + x))


@jit
def sigmoid53(x):
    negative = x < 0.0
    t, t_error = exp53_in_two_parts(where(negative, x, -x))
    denominator = 1.0 + t
    quotient = where(negative, t, 1.0) / denominator
    denominator_error = ((1.0 - denominator) + t) + t_error
    reciprocal = where(negative, 1.0 - quotient, quotient)
    return quotient + (where(negative, t_error, 0.0) - quotient * denominator_error) * reciprocal


@jit
def with_sign_of(x, positive):
    return where(x == 0.0, x, where(x < 0.0, -positive, positive))


@jit
def tanh53(x):
    magnitude = where(x < 0.0, -x, x)
    magnitude = where(magnitude > 22.0, 22.0, magnitude)
    t, t_error = expm1_in_two_parts(2.0 * magnitude)
    small = t < 2.0
    denominator = t + 2.0
    quotient = where(small, t, 2.0) / denominator
    denominator_error = ((2.0 - denominator) + t) + t_error
    correction = (t_error - quotient * denominator_error) * ((1.0 - quotient) * 0.5)
    return with_sign_of(x, where(small, quotient + correction, 1.0 - quotient))


@jit
def reduce24(x):
    k = (x * LOG2_E + ROUNDER) - ROUNDER
    r = x - k * LN2
    return power_of_two(k), r + (r * r) * exp_series_24(r)


@jit
def exp24(x):
    x = where(x > 89.0, 89.0, x)
    x = where(x < -104.0, -104.0, x)
    scale, expm1_r = reduce24(x)
    return (1.0 + expm1_r) * scale


@jit
def expm1_24(x):
    clamped = where(x > 89.0, 89.0, x)
    scale, expm1_r = reduce24(where(clamped < -60.0, -60.0, clamped))
    return where(x == 0.0, x, (scale - 1.0) + scale * expm1_r)


@jit
def log24(x):
    k, f = reduce_log(x)
    s = f / (2.0 + f)
    s2 = s * s
    return log_at_the_ends(x, k * LN2 + (2.0 * s + (s * s2) * log_series_24(s2)))


@jit
def log1p24(x):
    return log1p_from(x, 1.0 + x, log24(1.0 + x))


@jit
def sigmoid24(x):
    t = exp24(where(x < 0.0, x, -x))
    return where(x < 0.0, t, 1.0) / (1.0 + t)


@jit
def tanh24(x):
    magnitude = where(x < 0.0, -x, x)
    t = expm1_24(2.0 * where(magnitude > 10.0, 10.0, magnitude))
    return with_sign_of(x, t / (t + 2.0))


def by_type(to_24_bits, to_53_bits):
    """The function of a float32, evaluated by the first and rounded, or of a float64, by the second."""

    def either(x):
        raise NotImplementedError("Numba chooses below")

    @overload(either, jit_options=OPTIONS)
    def choose(x):
        if x == types.float32:
            return lambda x: np.float32(to_24_bits(np.float64(x)))
        if x == types.float64:
            return lambda x: to_53_bits(x)

    @jit
    def function(x):
        return either(x)

    return function


exp = by_type(exp24, exp53)
expm1 = by_type(expm1_24, expm1_53)
log = by_type(log24, log53)
log1p = by_type(log1p24, log1p53)
sigmoid = by_type(sigmoid24, sigmoid53)
tanh = by_type(tanh24, tanh53)
