# exp, expm1, log, log1p, sigmoid and tanh: fastmlp/reference/elementary.py, operation by operation, in double.
#
# Each is free of branches, so that the loops that call them run in vector registers. Those named 53 serve float64 and
# the losses, those named 24 float32; real_* are the ones for `real`, which the caller rounds to.

cdef extern from *:
    """
    #define LOG2_E 1.4426950408889634
    #define LN2 0x1.62e42fefa39efp-1
    #define LN2_HIGH 0x1.62e42fee00000p-1
    #define LN2_LOW 0x1.a39ef35793c76p-33
    #define ROUNDER 6755399441055744.0
    #define SQRT_HALF 0x3FE6A09E667F3BCDull
    #define ONE 0x3FF0000000000000ull
    #define TINY 0x1p-1022
    #define POSITIVE_INFINITY __builtin_inf()
    #define NOT_A_NUMBER __builtin_nan("")
    """
    const double LOG2_E, LN2, LN2_HIGH, LN2_LOW, ROUNDER, TINY, POSITIVE_INFINITY, NOT_A_NUMBER
    const uint64_t SQRT_HALF, ONE


cdef struct Reduced:
    double k, r, rest


cdef inline Reduced reduce_exp(double x) noexcept nogil:
    cdef Reduced d
    cdef double high, low, error, s
    d.k = (x * LOG2_E + ROUNDER) - ROUNDER
    high = x - d.k * LN2_HIGH
    low = d.k * LN2_LOW
    d.r = high - low
    error = (high - d.r) - low
    s = 1.0 / 6227020800.0
    s = s * d.r + 1.0 / 479001600.0
    s = s * d.r + 1.0 / 39916800.0
    s = s * d.r + 1.0 / 3628800.0
    s = s * d.r + 1.0 / 362880.0
    s = s * d.r + 1.0 / 40320.0
    s = s * d.r + 1.0 / 5040.0
    s = s * d.r + 1.0 / 720.0
    s = s * d.r + 1.0 / 120.0
    s = s * d.r + 1.0 / 24.0
    s = s * d.r + 1.0 / 6.0
    s = s * d.r + 0.5
    d.rest = (d.r * d.r) * s + (error + error * d.r)
    return d


cdef inline double power_of_2(double k) noexcept nogil:
    return from_bits((to_bits(k + ROUNDER) + 1023) << 52)


cdef struct TwoParts:
    double t, error


cdef inline TwoParts exp53_parts(double x) noexcept nogil:
    cdef Reduced d
    cdef TwoParts result
    cdef double half, first, second, expm1_r, exp_r, exp_r_error
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    d = reduce_exp(x)
    expm1_r = d.r + d.rest
    exp_r = 1.0 + expm1_r
    exp_r_error = ((1.0 - exp_r) + expm1_r) + ((d.r - expm1_r) + d.rest)
    half = (d.k * 0.5 + ROUNDER) - ROUNDER
    first = power_of_2(half)
    second = power_of_2(d.k - half)
    result.t = (exp_r * first) * second
    result.error = (exp_r_error * first) * second
    return result


cdef inline double exp53(double x) noexcept nogil:
    return exp53_parts(x).t


cdef inline TwoParts expm1_parts(double x) noexcept nogil:
    cdef Reduced d
    cdef TwoParts result
    cdef double scale, expm1_r, expm1_r_error, offset, product
    d = reduce_exp(-60.0 if x < -60.0 else x)
    scale = power_of_2(d.k)
    expm1_r = d.r + d.rest
    expm1_r_error = (d.r - expm1_r) + d.rest
    offset = scale - 1.0
    product = scale * expm1_r
    result.t = offset + product
    result.error = ((offset - result.t) + product) + scale * expm1_r_error
    return result


cdef inline double expm1_53(double x) noexcept nogil:
    cdef TwoParts d = expm1_parts(0.0 if x > 700.0 else x)
    cdef double result = d.t + d.error
    result = x if x == 0 else result
    return exp53(x) if x > 700.0 else result


cdef inline double log53(double x) noexcept nogil:
    cdef bint subnormal = x < TINY
    cdef double scaled = x * 18014398509481984.0 if subnormal else x
    cdef uint64_t shifted = to_bits(scaled) + (ONE - SQRT_HALF)
    cdef double m = from_bits((shifted & 0xFFFFFFFFFFFFFull) + SQRT_HALF)
    cdef double k = from_bits(((shifted >> 52) & 0xFFF) + to_bits(ROUNDER)) - (ROUNDER + 1023.0)
    cdef double f, s, s2, p, half_f2, result
    k = k - 54.0 if subnormal else k
    f = m - 1.0
    s = f / (2.0 + f)
    s2 = s * s
    p = 2.0 / 23.0
    p = p * s2 + 2.0 / 21.0
    p = p * s2 + 2.0 / 19.0
    p = p * s2 + 2.0 / 17.0
    p = p * s2 + 2.0 / 15.0
    p = p * s2 + 2.0 / 13.0
    p = p * s2 + 2.0 / 11.0
    p = p * s2 + 2.0 / 9.0
    p = p * s2 + 2.0 / 7.0
    p = p * s2 + 2.0 / 5.0
    p = p * s2 + 2.0 / 3.0
    half_f2 = (0.5 * f) * f
    result = k * LN2_HIGH - ((half_f2 - (s * (half_f2 + s2 * p) + k * LN2_LOW)) - f)
    result = -POSITIVE_INFINITY if x == 0 else result
    result = NOT_A_NUMBER if x < 0 else result
    return x if (x == POSITIVE_INFINITY or x != x) else result


cdef inline double log1p_of(double x, double u, double log_u) noexcept nogil:
    cdef double error = x - (u - 1.0) if x < 1.0 else 1.0 - (u - x)
    cdef double result = log_u + error / u
    result = x if x == 0 else result
    return log_u if (u == 0 or u == POSITIVE_INFINITY) else result


cdef inline double log1p53(double x) noexcept nogil:
    return log1p_of(x, 1.0 + x, log53(1.0 + x))


cdef inline double tanh53(double x) noexcept nogil:
    cdef double magnitude = -x if x < 0 else x
    cdef TwoParts d
    cdef double denominator, quotient, denominator_error, correction, positive
    magnitude = 22.0 if magnitude > 22.0 else magnitude
    d = expm1_parts(2.0 * magnitude)
    denominator = d.t + 2.0
    quotient = (d.t if d.t < 2.0 else 2.0) / denominator
    denominator_error = ((2.0 - denominator) + d.t) + d.error
    correction = (d.error - quotient * denominator_error) * ((1.0 - quotient) * 0.5)
    positive = quotient + correction if d.t < 2.0 else 1.0 - quotient
    positive = -positive if x < 0 else positive
    return x if x == 0 else positive


cdef inline double sigmoid53(double x) noexcept nogil:
    cdef TwoParts d = exp53_parts(x if x < 0 else -x)
    cdef double denominator = 1.0 + d.t
    cdef double quotient = (d.t if x < 0 else 1.0) / denominator
    cdef double denominator_error = ((1.0 - denominator) + d.t) + d.error
    cdef double reciprocal = 1.0 - quotient if x < 0 else quotient
    return quotient + ((d.error if x < 0 else 0.0) - quotient * denominator_error) * reciprocal


cdef struct Reduced24:
    double scale, expm1_r


cdef inline Reduced24 reduce24(double x) noexcept nogil:
    cdef Reduced24 d
    cdef double k = (x * LOG2_E + ROUNDER) - ROUNDER
    cdef double r = x - k * LN2
    cdef double s = 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    d.expm1_r = r + (r * r) * s
    d.scale = power_of_2(k)
    return d


cdef inline double exp24(double x) noexcept nogil:
    cdef Reduced24 d
    x = 89.0 if x > 89.0 else x
    x = -104.0 if x < -104.0 else x
    d = reduce24(x)
    return (1.0 + d.expm1_r) * d.scale


cdef inline double expm1_24(double x) noexcept nogil:
    cdef double clamped = 89.0 if x > 89.0 else x
    cdef Reduced24 d = reduce24(-60.0 if clamped < -60.0 else clamped)
    cdef double result = (d.scale - 1.0) + d.scale * d.expm1_r
    return x if x == 0 else result


cdef inline double log24(double x) noexcept nogil:
    cdef uint64_t shifted = to_bits(x) + (ONE - SQRT_HALF)
    cdef double m = from_bits((shifted & 0xFFFFFFFFFFFFFull) + SQRT_HALF)
    cdef double k = from_bits(((shifted >> 52) & 0xFFF) + to_bits(ROUNDER)) - (ROUNDER + 1023.0)
    cdef double f, s, s2, p, result
    f = m - 1.0
    s = f / (2.0 + f)
    s2 = s * s
    p = 2.0 / 13.0
    p = p * s2 + 2.0 / 11.0
    p = p * s2 + 2.0 / 9.0
    p = p * s2 + 2.0 / 7.0
    p = p * s2 + 2.0 / 5.0
    p = p * s2 + 2.0 / 3.0
    result = k * LN2 + (2.0 * s + (s * s2) * p)
    result = -POSITIVE_INFINITY if x == 0 else result
    result = NOT_A_NUMBER if x < 0 else result
    return x if (x == POSITIVE_INFINITY or x != x) else result


cdef inline double log1p24(double x) noexcept nogil:
    return log1p_of(x, 1.0 + x, log24(1.0 + x))


cdef inline double sigmoid24(double x) noexcept nogil:
    cdef double t = exp24(x if x < 0 else -x)
    return (t if x < 0 else 1.0) / (1.0 + t)


cdef inline double tanh24(double x) noexcept nogil:
    cdef double magnitude = -x if x < 0 else x
    cdef double t, positive
    t = expm1_24(2.0 * (10.0 if magnitude > 10.0 else magnitude))
    positive = t / (t + 2.0)
    positive = -positive if x < 0 else positive
    return x if x == 0 else positive


cdef inline double real_exp(double x) noexcept nogil:
    return exp24(x) if sizeof(real) == 4 else exp53(x)


cdef inline double real_expm1(double x) noexcept nogil:
    return expm1_24(x) if sizeof(real) == 4 else expm1_53(x)


cdef inline double real_log(double x) noexcept nogil:
    return log24(x) if sizeof(real) == 4 else log53(x)


cdef inline double real_log1p(double x) noexcept nogil:
    return log1p24(x) if sizeof(real) == 4 else log1p53(x)


cdef inline double real_sigmoid(double x) noexcept nogil:
    return sigmoid24(x) if sizeof(real) == 4 else sigmoid53(x)


cdef inline double real_tanh(double x) noexcept nogil:
    return tanh24(x) if sizeof(real) == 4 else tanh53(x)
