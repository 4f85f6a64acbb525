# softplus, silu, gelu and their kin with their derivatives: fastmlp/reference/smooth.py, operation by operation, in double.
#
# As in elementary.pxi nothing branches, and names end in 24 for float32 and in 53 for float64. Where a function's value and
# derivative have parts in common, one body computes both, and the compiler leaves out what its caller does not use.

cdef extern from *:
    """
    #define SELU_SCALE 1.0507009873554805
    #define SELU_SCALE_ALPHA 1.7580993408473766
    #define TANH_LINEAR 1.5957691216057308
    #define TANH_CUBIC 0.07135481627260025
    #define NORMAL_DENSITY 0.3989422804014327
    #define SQRT_2 0x1.6a09e667f3bcdp0
    #define SHIFT 211.0
    #define EXP_MINUS_SHIFT 0x1.81b3f492a453bp-305

    static const double NORMAL_SERIES_24[12] = {
        -0x1.c929bb270187cp-15, -0x1.5a9d1ff9971e7p-15, 0x1.235e4a4aee5f7p-11, -0x1.a5b80e002f454p-11,
        -0x1.8905849657467p-9, 0x1.54b8e2ca84cd3p-6, -0x1.1b1b2347b1064p-4, 0x1.51f62a26dfceep-3, -0x1.410edac4f0d02p-2,
        0x1.fb31655a35424p-2, -0x1.54ad03e5c389ep-1, 0x1.89d3abe1d24d1p-1,
    };
    static const double NORMAL_SERIES_53[22] = {
        -0x1.5ca78c5d52b08p-29, -0x1.7dc58b285eebdp-28, 0x1.88e0413711d86p-26, 0x1.ad33b410aa927p-25,
        -0x1.7d6304aa5407bp-23, -0x1.1f23247dc78afp-22, 0x1.8e585a732639fp-20, 0x1.deff82cfe446ep-22,
        -0x1.96a547b3716dbp-17, 0x1.11ce3d885c8a0p-16, 0x1.2b8927c963f35p-14, -0x1.544964c0dd0cbp-12,
        0x1.1ab34522cfe7fp-12, 0x1.4034e56c9230dp-9, -0x1.c83edf4256667p-7, 0x1.71707b5740dd4p-5, -0x1.c15806fa4b4b6p-4,
        0x1.be33e6ee9997ep-3, -0x1.77dbb5cdda91cp-2, 0x1.1239b3f8c06d5p-1, -0x1.5ed05c7e41a2ep-1, 0x1.8c2b8893b5c8dp-1,
    };
    ALWAYS_INLINE double normal_series_24(double t) {
        double s = NORMAL_SERIES_24[0];
        UNROLL for (int i = 1; i < 12; i++) s = s * t + NORMAL_SERIES_24[i];
        return s;
    }
    ALWAYS_INLINE double normal_series_53(double t) {
        double s = NORMAL_SERIES_53[0];
        UNROLL for (int i = 1; i < 22; i++) s = s * t + NORMAL_SERIES_53[i];
        return s;
    }
    """
    const double SELU_SCALE, SELU_SCALE_ALPHA, TANH_LINEAR, TANH_CUBIC, NORMAL_DENSITY, SQRT_2, SHIFT, EXP_MINUS_SHIFT
    double normal_series_24(double t) noexcept nogil
    double normal_series_53(double t) noexcept nogil


cdef struct Smooth:
    double value, derivative


cdef inline double real_elu(double x) noexcept nogil:
    return x if x > 0 else real_expm1_of_negative(x)


cdef inline double real_selu(double x) noexcept nogil:
    return SELU_SCALE * x if x > 0 else SELU_SCALE_ALPHA * real_expm1_of_negative(x)


cdef inline double real_expm1_of_negative(double x) noexcept nogil:
    # Of 0 where x > 0: without the large arguments of expm1, which take an exponential more.
    cdef TwoParts d
    cdef double result
    x = 0.0 if x > 0 else x
    if sizeof(real) == 4:
        return expm1_24(x)
    d = expm1_parts(x)
    result = d.t + d.error
    return x if x == 0 else result


cdef inline double log_from_1_to_2(double u) noexcept nogil:
    # log24 or log53, without the ends of their range, which would keep loops out of vector registers.
    cdef bint upper = u >= SQRT_2
    cdef double k = 1.0 if upper else 0.0, f = (u * 0.5 if upper else u) - 1.0
    cdef double s = f / (2.0 + f), s2 = s * s, p, half_f2
    if sizeof(real) == 4:
        p = 2.0 / 13.0
    else:
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
    if sizeof(real) == 4:
        return k * LN2 + (2.0 * s + (s * s2) * p)
    half_f2 = (0.5 * f) * f
    return k * LN2_HIGH - ((half_f2 - (s * (half_f2 + s2 * p) + k * LN2_LOW)) - f)


cdef inline double real_softplus(double x) noexcept nogil:
    cdef double t = real_exp(-x if x > 0 else x), u = 1.0 + t
    return (x if x > 0 else 0.0) + (log_from_1_to_2(u) + (t - (u - 1.0)) / u)


cdef inline double sigmoid24_unclamped(double x) noexcept nogil:
    # For |x| < 700. That of elementary.pxi stops at 104, where a float32 ends; here a product with x follows.
    cdef Reduced24 d = reduce24(-x)
    return 1.0 / (1.0 + (1.0 + d.expm1_r) * d.scale)


cdef struct Scaled:
    double s, scale


cdef inline Scaled sigmoid53_scaled(double x) noexcept nogil:
    # s * scale = sigmoid(x), and s a normal number even where that is subnormal, for x > -900.
    cdef Scaled d
    d.s = sigmoid53(x + SHIFT if x < -700.0 else x)
    d.scale = EXP_MINUS_SHIFT if x < -700.0 else 1.0
    return d


cdef inline double not_below(double x, double low) noexcept nogil:
    return low if x < low else x


cdef inline double not_above(double x, double high) noexcept nogil:
    return high if x > high else x


cdef inline Smooth silu24(double x) noexcept nogil:
    cdef Smooth f
    cdef double c, s
    x = not_below(x, -150.0)
    c = not_above(x, 150.0)
    s = sigmoid24_unclamped(c)
    f.value = x * s
    f.derivative = s + (c * s) * (1.0 - s)
    return f


cdef inline Smooth silu53(double x) noexcept nogil:
    cdef Smooth f
    cdef Scaled d
    cdef double c
    x = not_below(x, -760.0)
    c = not_above(x, 760.0)
    d = sigmoid53_scaled(c)
    f.value = (x * d.s) * d.scale
    f.derivative = (d.s + (c * d.s) * (1.0 - d.s)) * d.scale
    return f


cdef inline double gelu_tanh_derivative(double c, double s) noexcept nogil:
    return s + (s * (1.0 - s)) * (c * (TANH_LINEAR + (3.0 * TANH_CUBIC) * (c * c)))


cdef inline Smooth gelu_tanh24(double x) noexcept nogil:
    cdef Smooth f
    cdef double c, s
    x = not_below(x, -15.0)
    c = not_above(x, 15.0)
    s = sigmoid24_unclamped(c * (TANH_LINEAR + TANH_CUBIC * (c * c)))
    f.value = x * s
    f.derivative = gelu_tanh_derivative(c, s)
    return f


cdef inline TwoParts two_product(double a, double b) noexcept nogil:
    # (p, e) with p = a * b rounded and a * b = p + e exactly.
    cdef double t = 134217729.0 * a, a_high = t - (t - a), a_low = a - a_high
    cdef double u = 134217729.0 * b, b_high = u - (u - b), b_low = b - b_high
    cdef TwoParts p
    p.t = a * b
    p.error = ((a_high * b_high - p.t) + a_high * b_low + a_low * b_high) + a_low * b_low
    return p


cdef inline TwoParts two_sum(double a, double b) noexcept nogil:
    cdef TwoParts s
    cdef double b_part
    s.t = a + b
    b_part = s.t - a
    s.error = (a - (s.t - b_part)) + (b - b_part)
    return s


cdef inline Smooth gelu_tanh53(double x) noexcept nogil:
    cdef Smooth f
    cdef TwoParts square, cubic, factor, argument
    cdef Scaled d
    cdef double c, s
    x = not_below(x, -22.0)
    c = not_above(x, 22.0)
    square = two_product(c, c)
    cubic = two_product(TANH_CUBIC, square.t)
    factor = two_sum(TANH_LINEAR, cubic.t)
    argument = two_product(c, factor.t)
    d = sigmoid53_scaled(argument.t)
    s = d.s + (d.s * (1.0 - d.s)) * (argument.error + c * (factor.error + (cubic.error + TANH_CUBIC * square.error)))
    f.value = (x * s) * d.scale
    f.derivative = gelu_tanh_derivative(c, s) * d.scale
    return f


cdef inline Smooth gelu_of(double x, double c, double power, double rest) noexcept nogil:
    # (x Phi(x), Phi(x) + x phi(x)), where Phi(-|x|) = power * rest and power = e^(-x^2/2).
    cdef Smooth f
    cdef double tail = power * rest, phi = tail if c < 0 else 1.0 - tail
    f.value = power * (c * rest) if c < 0 else x * phi
    f.derivative = phi + c * (power * NORMAL_DENSITY)
    return f


cdef inline Smooth gelu24(double x) noexcept nogil:
    cdef Reduced24 d
    cdef double c, magnitude, r
    x = not_below(x, -15.0)
    c = not_above(x, 15.0)
    magnitude = -c if c < 0 else c
    d = reduce24((magnitude * magnitude) * -0.5)
    r = 1.0 / (magnitude + 5.0)
    return gelu_of(x, c, (1.0 + d.expm1_r) * d.scale, r * normal_series_24(1.0 - 10.0 * r))


cdef inline Smooth gelu53(double x) noexcept nogil:
    cdef TwoParts square
    cdef double c, magnitude, power, r
    x = not_below(x, -39.0)
    c = not_above(x, 39.0)
    magnitude = -c if c < 0 else c
    square = two_product(magnitude, magnitude)
    power = exp53(square.t * -0.5)
    r = 1.0 / (magnitude + 5.5)
    return gelu_of(x, c, power - power * (square.error * 0.5), r * normal_series_53(1.0 - 11.0 * r))


cdef inline Smooth real_silu(double x) noexcept nogil:
    return silu24(x) if sizeof(real) == 4 else silu53(x)


cdef inline Smooth real_gelu_tanh(double x) noexcept nogil:
    return gelu_tanh24(x) if sizeof(real) == 4 else gelu_tanh53(x)


cdef inline Smooth real_gelu(double x) noexcept nogil:
    return gelu24(x) if sizeof(real) == 4 else gelu53(x)
