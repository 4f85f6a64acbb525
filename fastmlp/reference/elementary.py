"""exp, expm1, log, log1p, sigmoid and tanh from + - * /, comparisons, selects and bits: no libm.

Each is computed in float64: a range reduction, then a Taylor series by Horner's rule. Every literal and every operation
below is float64, in the order written. A float32 result has 24 bits and is rounded once at the end, so that shorter
series do for it, and rounding errors need no care: the functions whose names end in 24. Those that end in 53 are for
float64.
"""

import math

import numpy as np

LOG2_E = 1.4426950408889634
LN2 = float.fromhex("0x1.62e42fefa39efp-1")
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # ln 2 = LN2_HIGH + LN2_LOW; k * LN2_HIGH is exact for |k| < 2^20
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, which then stands in the low bits
EXP_SERIES = [1.0 / math.factorial(n) for n in range(13, 1, -1)]  # 1/13!, ..., 1/2!
EXP_SERIES_24 = EXP_SERIES[5:]  # 1/8!, ..., 1/2!
LOG_SERIES = [2.0 / (2 * n + 1) for n in range(11, 0, -1)]  # 2/23, ..., 2/3
LOG_SERIES_24 = LOG_SERIES[5:]  # 2/13, ..., 2/3


def exp(z):
    """e to the power z."""
    return _in_float64(z, _exp24, _exp53)


def expm1(z):
    """e to the power z, minus 1, exact to the last bits also for small z."""
    return _in_float64(z, _expm1_24, _expm1_53)


def log(z):
    """The natural logarithm; -inf at 0, NaN below."""
    return _in_float64(z, _log24, _log53)


def log1p(z):
    """log(1 + z), exact to the last bits also for small z."""
    return _in_float64(z, lambda x: _log1p(x, _log24), lambda x: _log1p(x, _log53))


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return _in_float64(z, _sigmoid24, _sigmoid53)


def tanh(z):
    """(exp(z) - exp(-z)) / (exp(z) + exp(-z))."""
    return _in_float64(z, _tanh24, _tanh53)


def _in_float64(z, to_24_bits, to_53_bits):
    z = np.asarray(z)
    function = to_24_bits if z.dtype == np.float32 else to_53_bits
    with np.errstate(all="ignore"):
        return function(z.astype(np.float64)).astype(z.dtype)


def _exp24(x):
    x = np.where(x > 89.0, 89.0, x)  # beyond, float32 is infinite
    x = np.where(x < -104.0, -104.0, x)  # and here zero
    scale, expm1_r = _reduce24(x)
    return (1.0 + expm1_r) * scale


def _expm1_24(x):
    clamped = np.where(x > 89.0, 89.0, x)
    scale, expm1_r = _reduce24(np.where(clamped < -60.0, -60.0, clamped))
    return np.where(x == 0, x, (scale - 1.0) + scale * expm1_r)


def _reduce24(x):
    """(2^k, e^r - 1) with x = k ln 2 + r, k whole, |r| <= ln 2 / 2."""
    k = (x * LOG2_E + ROUNDER) - ROUNDER
    r = x - k * LN2
    return _power_of_two(k), r + (r * r) * _horner(EXP_SERIES_24, r)


def _log24(x):
    k, f = _reduce_log(x)
    s = f / (2.0 + f)
    s2 = s * s
    return _log_at_the_ends(x, k * LN2 + (2.0 * s + (s * s2) * _horner(LOG_SERIES_24, s2)))


def _tanh24(x):
    magnitude = np.where(x < 0, -x, x)
    t = _expm1_24(2.0 * np.where(magnitude > 10.0, 10.0, magnitude))
    positive = t / (t + 2.0)
    return np.where(x == 0, x, np.where(x < 0, -positive, positive))


def _horner(coefficients, x):
    """The polynomial with these coefficients, the highest power's first."""
    series = coefficients[0]
    for coefficient in coefficients[1:]:
        series = series * x + coefficient
    return series


def _exp53(x):
    t, _ = _exp53_in_two_parts(x)
    return t


def _exp53_in_two_parts(x):
    """(t, e) with t = e^x rounded, and t + e = e^x to more than 53 bits where it is not subnormal."""
    x = np.where(x > 710.0, 710.0, x)
    x = np.where(x < -746.0, -746.0, x)
    k, r, rest = _reduce(x)
    expm1_r = r + rest
    exp_r = 1.0 + expm1_r
    exp_r_error = ((1.0 - exp_r) + expm1_r) + ((r - expm1_r) + rest)
    # Two factors, because 2^k itself may lie outside the range of float64 where e^x does not.
    half = (k * 0.5 + ROUNDER) - ROUNDER
    first, second = _power_of_two(half), _power_of_two(k - half)
    return (exp_r * first) * second, (exp_r_error * first) * second


def _expm1_53(x):
    big = x > 700.0
    t, t_error = _expm1_in_two_parts(np.where(big, 0.0, x))
    result = np.where(x == 0, x, t + t_error)
    return np.where(big, _exp53(x), result)


def _expm1_in_two_parts(x):
    """(t, e) with t + e = e^x - 1 to more than 53 bits, for x <= 700: 2^k (e^r - 1) + (2^k - 1)."""
    k, r, rest = _reduce(np.where(x < -60.0, -60.0, x))
    scale = _power_of_two(k)
    expm1_r = r + rest
    expm1_r_error = (r - expm1_r) + rest
    offset = scale - 1.0
    product = scale * expm1_r
    t = offset + product
    return t, ((offset - t) + product) + scale * expm1_r_error


def _reduce(x):
    """(k, r, rest) with x = k ln 2 + r + (a rounding error), k whole, |r| <= ln 2 / 2, and e^(x - k ln 2) = 1 + r + rest."""
    k = (x * LOG2_E + ROUNDER) - ROUNDER
    high = x - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    error = (high - r) - low
    return k, r, (r * r) * _horner(EXP_SERIES, r) + (error + error * r)


def _power_of_two(k):
    """2^k for a whole number k, -1022 <= k <= 1023, put together from its bits."""
    return (((k + ROUNDER).view(np.int64) + 1023) << 52).view(np.float64)


def _log53(x):
    subnormal = x < 2.0**-1022
    k, f = _reduce_log(np.where(subnormal, x * 2.0**54, x))
    k = np.where(subnormal, k - 54.0, k)
    # log(1 + f) = 2 atanh(s), written so that the leading term f is exact.
    s = f / (2.0 + f)
    s2 = s * s
    half_f2 = (0.5 * f) * f
    result = k * LN2_HIGH - ((half_f2 - (s * (half_f2 + s2 * _horner(LOG_SERIES, s2)) + k * LN2_LOW)) - f)
    return _log_at_the_ends(x, result)


def _reduce_log(x):
    """(k, f) with x = 2^k (1 + f), k whole, sqrt(1/2) <= 1 + f < sqrt(2): log x = k ln 2 + 2 (s + s^3/3 + s^5/5 + ...)

    for s = f / (2 + f). The added constant carries into the exponent where 1 + f would be larger.
    """
    shifted = x.view(np.int64) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    exponent = (shifted >> 52) & 0xFFF
    m = ((shifted & 0xFFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD).view(np.float64)
    return (exponent + ROUNDER_BITS).view(np.float64) - (ROUNDER + 1023.0), m - 1.0


def _log_at_the_ends(x, result):
    result = np.where(x == 0, -np.inf, result)
    result = np.where(x < 0, np.nan, result)
    return np.where((x == np.inf) | (x != x), x, result)


ROUNDER_BITS = np.array(ROUNDER).view(np.int64)


def _log1p(x, log):
    u = 1.0 + x
    # What the rounding of 1 + x lost, given back to first order: log(u + e) = log u + e / u.
    error = np.where(x < 1.0, x - (u - 1.0), 1.0 - (u - x))
    log_u = log(u)
    result = np.where(x == 0, x, log_u + error / u)
    return np.where((u == 0) | (u == np.inf), log_u, result)


def _sigmoid24(x):
    t = _exp24(np.where(x < 0, x, -x))  # e^-|x|: no overflow on either side
    return np.where(x < 0, t, 1.0) / (1.0 + t)


def _sigmoid53(x):
    negative = x < 0
    t, t_error = _exp53_in_two_parts(np.where(negative, x, -x))
    denominator = 1.0 + t
    quotient = np.where(negative, t, 1.0) / denominator
    # To first order, what the errors of numerator and denominator do to the quotient; 1 / (1 + t) is sigmoid(|x|).
    denominator_error = ((1.0 - denominator) + t) + t_error
    reciprocal = np.where(negative, 1.0 - quotient, quotient)
    return quotient + (np.where(negative, t_error, 0.0) - quotient * denominator_error) * reciprocal


def _tanh53(x):
    magnitude = np.where(x < 0, -x, x)
    magnitude = np.where(magnitude > 22.0, 22.0, magnitude)
    # With t = e^2|x| - 1: tanh |x| = t / (t + 2) = 1 - 2 / (t + 2), the first for small t, the second for large t.
    t, t_error = _expm1_in_two_parts(2.0 * magnitude)
    small = t < 2.0
    denominator = t + 2.0
    quotient = np.where(small, t, 2.0) / denominator
    # To first order, what the errors of numerator and denominator do to the quotient; 1 / (t + 2) = (1 - tanh) / 2.
    denominator_error = ((2.0 - denominator) + t) + t_error
    correction = (t_error - quotient * denominator_error) * ((1.0 - quotient) * 0.5)
    positive = np.where(small, quotient + correction, 1.0 - quotient)
    return np.where(x == 0, x, np.where(x < 0, -positive, positive))
