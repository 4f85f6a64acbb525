Functions of the files of C that c.py writes: fastmlp/reference, operation by operation, for one row.

Every function is a part of its own, under a line that names it and the parts that it needs; a network's file gets those that
it uses. mlp_real is float or double, and MLP_FMA its fma. Functions whose names end in 24 are for float, those in 53 for double.

//: soft_fma24
/* a b + c with one rounding: the product is exact in double, and a sum that is made odd where it is not exact can be rounded
 * once more (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), 2008). */
static inline float mlp_fma(float a, float b, float c) {
    double product = (double)a * (double)b, sum = product + (double)c, part = sum - product;
    double error = (product - (sum - part)) + ((double)c - part);
    uint64_t bits = mlp_to_bits(sum);
    if (error < 0 || error > 0) bits = (bits - (uint64_t)((error < 0) == (sum > 0))) | 1;
    return (float)mlp_from_bits(bits);
}

//: soft_fma53
/* |x| = m 2^e, and bit 62 the first of m, for a finite x other than 0. */
static uint64_t mlp_unpack(double x, int *e) {
    uint64_t bits = mlp_to_bits(x), m = bits & 0xFFFFFFFFFFFFFull;
    int exponent = (int)(bits >> 52 & 0x7FF);
    if (exponent) m |= 1ull << 52;
    *e = (exponent ? exponent : 1) - 1075;
    for (; !(m >> 62); m <<= 1) --*e;
    return m;
}

/* Moves (high, low) to the right; what falls off leaves its trace in the last bit. */
static void mlp_shift(uint64_t *high, uint64_t *low, int by) {
    for (; by >= 64; by = *high || *low ? by - 64 : 0) {
        *low = *high | (*low != 0);
        *high = 0;
    }
    if (by) {
        *low = *high << (64 - by) | *low >> by | (*low << (64 - by) != 0);
        *high >>= by;
    }
}

/* a b + c with one rounding, in integers of 128 bits: (high, low) 2^e. */
static double mlp_fma(double a, double b, double c) {
    uint64_t ma, mb, middle, other_middle, high, low, c_high, c_low, q;
    int e, eb, ec, exponent, shift = 10, negative = (a < 0) != (b < 0), c_negative = c < 0;
    if (a == 0 || b == 0 || a - a != 0 || b - b != 0) return a * b + c;
    if (c - c != 0) return c;
    ma = mlp_unpack(a, &e);
    mb = mlp_unpack(b, &eb);
    e += eb;
    middle = (ma >> 32) * (mb & 0xFFFFFFFF) + ((ma & 0xFFFFFFFF) * (mb & 0xFFFFFFFF) >> 32);
    other_middle = (ma & 0xFFFFFFFF) * (mb >> 32) + (middle & 0xFFFFFFFF);
    high = (ma >> 32) * (mb >> 32) + (middle >> 32) + (other_middle >> 32);
    low = ma * mb;
    if (c != 0) {
        c_low = mlp_unpack(c, &ec);
        c_high = c_low >> 1;
        c_low <<= 63;
        ec -= 63;
        if (e > ec) mlp_shift(&c_high, &c_low, e - ec);
        else mlp_shift(&high, &low, ec - e), e = ec;
        if (negative == c_negative) {
            low += c_low;
            high += c_high + (low < c_low);
        } else if (high > c_high || (high == c_high && low >= c_low)) {
            high -= c_high + (low < c_low);
            low -= c_low;
        } else {
            high = c_high - high - (c_low < low);
            low = c_low - low;
            negative = c_negative;
        }
        if (!(high | low)) return 0.0;
    }
    for (; !(high >> 62); low <<= 1, e--) high = high << 1 | low >> 63;
    high |= low != 0;
    exponent = e + 64 + 10 + 1075;
    if (exponent < 1) shift += 1 - exponent, exponent = 1;  /* subnormal: fewer bits are left */
    q = 0;
    if (shift < 64) {
        uint64_t rest = high & ((1ull << shift) - 1), half = 1ull << (shift - 1);
        q = (high >> shift) + (rest > half || (rest == half && (high >> shift & 1)));
    }
    q = exponent > 2046 ? 0x7FFull << 52 : q + ((uint64_t)(exponent - 1) << 52);
    return mlp_from_bits(q | (uint64_t)negative << 63);
}

//: dense
/* z (n_out) = b + x W, W being (n_in, n_out). A sum is of chunks of 256 terms, each a chain of fma from +0. Loops run over outputs,
 * and take four terms at a time, so that compilers can keep many sums in vector registers. */
#define MLP_CHUNK 256
#define MLP_SIDE 64

static inline void mlp_add_block(const mlp_real *x, const mlp_real *w, mlp_real *z, size_t terms, size_t n_out, size_t n) {
    mlp_real s[MLP_SIDE];
    for (size_t j = 0; j < n; j++) s[j] = 0;
    for (; terms >= 4; terms -= 4, x += 4, w += 4 * n_out) {
        const mlp_real x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
        const mlp_real *w1 = w + n_out, *w2 = w1 + n_out, *w3 = w2 + n_out;
        for (size_t j = 0; j < n; j++) s[j] = MLP_FMA(x3, w3[j], MLP_FMA(x2, w2[j], MLP_FMA(x1, w1[j], MLP_FMA(x0, w[j], s[j]))));
    }
    for (; terms; terms--, x++, w += n_out)
        for (size_t j = 0; j < n; j++) s[j] = MLP_FMA(*x, w[j], s[j]);
    for (size_t j = 0; j < n; j++) z[j] = z[j] + s[j];
}

static inline void mlp_add_chunk(const mlp_real *x, const mlp_real *w, mlp_real *z, size_t terms, size_t n_out) {
    size_t j = 0;
    for (; j + MLP_SIDE < n_out; j += MLP_SIDE) mlp_add_block(x, w + j, z + j, terms, n_out, MLP_SIDE);
    mlp_add_block(x, w + j, z + j, terms, n_out, n_out - j);
}

static inline void mlp_dense(const mlp_real *x, const mlp_real *w, const mlp_real *b, mlp_real *z, size_t n_in, size_t n_out) {
    for (size_t j = 0; j < n_out; j++) z[j] = b[j];
    for (size_t terms; n_in; n_in -= terms, x += terms, w += terms * n_out) {
        terms = n_in < MLP_CHUNK ? n_in : MLP_CHUNK;
        mlp_add_chunk(x, w, z, terms, n_out);
    }
}

//: scaled_dense: dense
/* The same for x / scale. */
static inline void mlp_scaled_dense(const mlp_real *x, mlp_real scale, const mlp_real *w, const mlp_real *b, mlp_real *z,
                                    size_t n_in, size_t n_out) {
    mlp_real scaled[MLP_CHUNK];
    for (size_t j = 0; j < n_out; j++) z[j] = b[j];
    for (size_t terms; n_in; n_in -= terms, x += terms, w += terms * n_out) {
        terms = n_in < MLP_CHUNK ? n_in : MLP_CHUNK;
        for (size_t k = 0; k < terms; k++) scaled[k] = x[k] / scale;
        mlp_add_chunk(scaled, w, z, terms, n_out);
    }
}

//: relu
static inline mlp_real mlp_relu(mlp_real z) { return z <= 0 ? 0 : z; }

//: leaky_relu
static inline mlp_real mlp_leaky_relu(mlp_real z) { return z > 0 ? z : (mlp_real)0.01 * z; }

//: powers
#define MLP_LOG2_E 1.4426950408889634
#define MLP_LN2 0x1.62e42fefa39efp-1
#define MLP_LN2_HIGH 0x1.62e42fee00000p-1
#define MLP_LN2_LOW 0x1.a39ef35793c76p-33
#define MLP_ROUNDER 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer, which then stands in the low bits */

/* 2^k for a whole number k, -1022 <= k <= 1023. */
static inline double mlp_power_of_2(double k) { return mlp_from_bits((mlp_to_bits(k + MLP_ROUNDER) + 1023) << 52); }

//: horner
/* The polynomial with these coefficients, the highest power's first. */
static inline double mlp_horner(const double *coefficients, int n, double x) {
    double s = coefficients[0];
    for (int i = 1; i < n; i++) s = s * x + coefficients[i];
    return s;
}

//: reduce24: powers horner
/* x = k ln 2 + r: 2^k, and e^r - 1. */
typedef struct { double scale, expm1_r; } mlp_reduced24;

static inline mlp_reduced24 mlp_reduce24(double x) {
    static const double series[] = {1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5};
    double k = (x * MLP_LOG2_E + MLP_ROUNDER) - MLP_ROUNDER, r = x - k * MLP_LN2;
    mlp_reduced24 d;
    d.scale = mlp_power_of_2(k);
    d.expm1_r = r + (r * r) * mlp_horner(series, 7, r);
    return d;
}

//: exp24: reduce24
static inline double mlp_exp24(double x) {
    mlp_reduced24 d;
    x = x > 89.0 ? 89.0 : x;
    x = x < -104.0 ? -104.0 : x;
    d = mlp_reduce24(x);
    return (1.0 + d.expm1_r) * d.scale;
}

//: expm1_24: reduce24
static inline double mlp_expm1_24(double x) {
    double clamped = x > 89.0 ? 89.0 : x;
    mlp_reduced24 d = mlp_reduce24(clamped < -60.0 ? -60.0 : clamped);
    return x == 0 ? x : (d.scale - 1.0) + d.scale * d.expm1_r;
}

//: sigmoid24: exp24
static inline double mlp_sigmoid24(double x) {
    double t = mlp_exp24(x < 0 ? x : -x);
    return (x < 0 ? t : 1.0) / (1.0 + t);
}

//: tanh24: expm1_24
static inline double mlp_tanh24(double x) {
    double magnitude = x < 0 ? -x : x, t = mlp_expm1_24(2.0 * (magnitude > 10.0 ? 10.0 : magnitude)), positive = t / (t + 2.0);
    return x == 0 ? x : x < 0 ? -positive : positive;
}

//: elu24: expm1_24
static inline double mlp_elu24(double x) { return x > 0 ? x : mlp_expm1_24(x); }

//: selu
#define MLP_SELU_SCALE 1.0507009873554805
#define MLP_SELU_SCALE_ALPHA 1.7580993408473766

//: selu24: selu expm1_24
static inline double mlp_selu24(double x) { return x > 0 ? MLP_SELU_SCALE * x : MLP_SELU_SCALE_ALPHA * mlp_expm1_24(x); }

//: log
/* u = 2^k (1 + f), for u from 1 to 2. */
typedef struct { double k, f; } mlp_reduced_log;

static inline mlp_reduced_log mlp_reduce_log(double u) {
    int upper = u >= 0x1.6a09e667f3bcdp0; /* the square root of 2 */
    mlp_reduced_log d;
    d.k = upper ? 1.0 : 0.0;
    d.f = (upper ? u * 0.5 : u) - 1.0;
    return d;
}

//: softplus24: exp24 log
static inline double mlp_log24(double u) {
    static const double series[] = {2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3};
    mlp_reduced_log d = mlp_reduce_log(u);
    double s = d.f / (2.0 + d.f), s2 = s * s;
    return d.k * MLP_LN2 + (2.0 * s + (s * s2) * mlp_horner(series, 6, s2));
}

static inline double mlp_softplus24(double x) {
    double t = mlp_exp24(x > 0 ? -x : x), u = 1.0 + t;
    return (x > 0 ? x : 0.0) + (mlp_log24(u) + (t - (u - 1.0)) / u);
}

//: clamp
static inline double mlp_not_below(double x, double low) { return x < low ? low : x; }
static inline double mlp_not_above(double x, double high) { return x > high ? high : x; }

//: unclamped_sigmoid24: reduce24 clamp
/* For |x| < 700. */
static inline double mlp_unclamped_sigmoid24(double x) {
    mlp_reduced24 d = mlp_reduce24(-x);
    return 1.0 / (1.0 + (1.0 + d.expm1_r) * d.scale);
}

//: silu24: unclamped_sigmoid24
static inline double mlp_silu24(double x) {
    x = mlp_not_below(x, -150.0);
    return x * mlp_unclamped_sigmoid24(mlp_not_above(x, 150.0));
}

//: gelu_tanh
#define MLP_TANH_LINEAR 1.5957691216057308
#define MLP_TANH_CUBIC 0.07135481627260025

//: gelu_tanh24: gelu_tanh unclamped_sigmoid24
static inline double mlp_gelu_tanh24(double x) {
    double c;
    x = mlp_not_below(x, -15.0);
    c = mlp_not_above(x, 15.0);
    return x * mlp_unclamped_sigmoid24(c * (MLP_TANH_LINEAR + MLP_TANH_CUBIC * (c * c)));
}

//: gelu: clamp
/* x Phi(x), where Phi(-|x|) = power * rest and power = e^(-x^2/2). */
static inline double mlp_gelu(double x, double c, double power, double rest) {
    return c < 0 ? power * (c * rest) : x * (1.0 - power * rest);
}

//: gelu24: gelu reduce24
static inline double mlp_gelu24(double x) {
    static const double series[] = {
        -0x1.c929bb270187cp-15, -0x1.5a9d1ff9971e7p-15, 0x1.235e4a4aee5f7p-11, -0x1.a5b80e002f454p-11, -0x1.8905849657467p-9,
        0x1.54b8e2ca84cd3p-6, -0x1.1b1b2347b1064p-4, 0x1.51f62a26dfceep-3, -0x1.410edac4f0d02p-2, 0x1.fb31655a35424p-2,
        -0x1.54ad03e5c389ep-1, 0x1.89d3abe1d24d1p-1,
    };
    double c, magnitude, r;
    mlp_reduced24 d;
    x = mlp_not_below(x, -15.0);
    c = mlp_not_above(x, 15.0);
    magnitude = c < 0 ? -c : c;
    d = mlp_reduce24((magnitude * magnitude) * -0.5);
    r = 1.0 / (magnitude + 5.0);
    return mlp_gelu(x, c, (1.0 + d.expm1_r) * d.scale, r * mlp_horner(series, 12, 1.0 - 10.0 * r));
}

//: reduce53: powers horner
/* x = k ln 2 + r, and e^(x - k ln 2) = 1 + r + rest. */
typedef struct { double k, r, rest; } mlp_reduced53;

static inline mlp_reduced53 mlp_reduce53(double x) {
    static const double series[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5,
    };
    double k = (x * MLP_LOG2_E + MLP_ROUNDER) - MLP_ROUNDER, high = x - k * MLP_LN2_HIGH, low = k * MLP_LN2_LOW, error;
    mlp_reduced53 d;
    d.k = k;
    d.r = high - low;
    error = (high - d.r) - low;
    d.rest = (d.r * d.r) * mlp_horner(series, 12, d.r) + (error + error * d.r);
    return d;
}

//: two_parts
/* A number, and what its rounding lost. */
typedef struct { double t, error; } mlp_two_parts;

//: exp_parts: reduce53 two_parts
static inline mlp_two_parts mlp_exp_parts(double x) {
    mlp_reduced53 d;
    mlp_two_parts result;
    double half, first, second, expm1_r, exp_r, exp_r_error;
    x = x > 710.0 ? 710.0 : x;
    x = x < -746.0 ? -746.0 : x;
    d = mlp_reduce53(x);
    expm1_r = d.r + d.rest;
    exp_r = 1.0 + expm1_r;
    exp_r_error = ((1.0 - exp_r) + expm1_r) + ((d.r - expm1_r) + d.rest);
    half = (d.k * 0.5 + MLP_ROUNDER) - MLP_ROUNDER; /* 2^k itself may lie outside the range where e^x does not */
    first = mlp_power_of_2(half);
    second = mlp_power_of_2(d.k - half);
    result.t = (exp_r * first) * second;
    result.error = (exp_r_error * first) * second;
    return result;
}

//: exp53: exp_parts
static inline double mlp_exp53(double x) { return mlp_exp_parts(x).t; }

//: expm1_parts: reduce53 two_parts
/* For x <= 700. */
static inline mlp_two_parts mlp_expm1_parts(double x) {
    mlp_reduced53 d = mlp_reduce53(x < -60.0 ? -60.0 : x);
    double scale = mlp_power_of_2(d.k), expm1_r = d.r + d.rest, expm1_r_error = (d.r - expm1_r) + d.rest;
    double offset = scale - 1.0, product = scale * expm1_r;
    mlp_two_parts result;
    result.t = offset + product;
    result.error = ((offset - result.t) + product) + scale * expm1_r_error;
    return result;
}

//: expm1_53: expm1_parts
static inline double mlp_expm1_53(double x) {
    mlp_two_parts d = mlp_expm1_parts(x);
    return x == 0 ? x : d.t + d.error;
}

//: sigmoid53: exp_parts
static inline double mlp_sigmoid53(double x) {
    mlp_two_parts d = mlp_exp_parts(x < 0 ? x : -x);
    double denominator = 1.0 + d.t, quotient = (x < 0 ? d.t : 1.0) / denominator;
    double denominator_error = ((1.0 - denominator) + d.t) + d.error, reciprocal = x < 0 ? 1.0 - quotient : quotient;
    return quotient + ((x < 0 ? d.error : 0.0) - quotient * denominator_error) * reciprocal;
}

//: tanh53: expm1_parts
static inline double mlp_tanh53(double x) {
    double magnitude = x < 0 ? -x : x, denominator, quotient, denominator_error, correction, positive;
    mlp_two_parts d = mlp_expm1_parts(2.0 * (magnitude > 22.0 ? 22.0 : magnitude));
    denominator = d.t + 2.0;
    quotient = (d.t < 2.0 ? d.t : 2.0) / denominator;
    denominator_error = ((2.0 - denominator) + d.t) + d.error;
    correction = (d.error - quotient * denominator_error) * ((1.0 - quotient) * 0.5);
    positive = d.t < 2.0 ? quotient + correction : 1.0 - quotient;
    return x == 0 ? x : x < 0 ? -positive : positive;
}

//: elu53: expm1_53
static inline double mlp_elu53(double x) { return x > 0 ? x : mlp_expm1_53(x); }

//: selu53: selu expm1_53
static inline double mlp_selu53(double x) { return x > 0 ? MLP_SELU_SCALE * x : MLP_SELU_SCALE_ALPHA * mlp_expm1_53(x); }

//: softplus53: exp53 log
static inline double mlp_log53(double u) {
    static const double series[] = {
        2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3,
    };
    mlp_reduced_log d = mlp_reduce_log(u);
    double s = d.f / (2.0 + d.f), s2 = s * s, half_f2 = (0.5 * d.f) * d.f;
    double rest = s * (half_f2 + s2 * mlp_horner(series, 11, s2)) + d.k * MLP_LN2_LOW;
    return d.k * MLP_LN2_HIGH - ((half_f2 - rest) - d.f);
}

static inline double mlp_softplus53(double x) {
    double t = mlp_exp53(x > 0 ? -x : x), u = 1.0 + t;
    return (x > 0 ? x : 0.0) + (mlp_log53(u) + (t - (u - 1.0)) / u);
}

//: scaled_sigmoid: sigmoid53 clamp
/* s * scale = sigmoid(x), and s a normal number even where that is subnormal, for x > -900. */
typedef struct { double s, scale; } mlp_scaled;

static inline mlp_scaled mlp_scaled_sigmoid(double x) {
    mlp_scaled d;
    d.s = mlp_sigmoid53(x < -700.0 ? x + 211.0 : x);
    d.scale = x < -700.0 ? 0x1.81b3f492a453bp-305 : 1.0; /* e^-211 */
    return d;
}

//: silu53: scaled_sigmoid
static inline double mlp_silu53(double x) {
    mlp_scaled d;
    x = mlp_not_below(x, -760.0);
    d = mlp_scaled_sigmoid(mlp_not_above(x, 760.0));
    return (x * d.s) * d.scale;
}

//: two_product: two_parts
/* Dekker's, with Veltkamp's splitting. */
static inline mlp_two_parts mlp_two_product(double a, double b) {
    double t = 134217729.0 * a, a_high = t - (t - a), a_low = a - a_high;
    double u = 134217729.0 * b, b_high = u - (u - b), b_low = b - b_high;
    mlp_two_parts p;
    p.t = a * b;
    p.error = ((a_high * b_high - p.t) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return p;
}

//: gelu_tanh53: gelu_tanh scaled_sigmoid two_product
static inline mlp_two_parts mlp_two_sum(double a, double b) {
    mlp_two_parts s;
    double b_part;
    s.t = a + b;
    b_part = s.t - a;
    s.error = (a - (s.t - b_part)) + (b - b_part);
    return s;
}

static inline double mlp_gelu_tanh53(double x) {
    mlp_two_parts square, cubic, factor, argument;
    mlp_scaled d;
    double c, s;
    x = mlp_not_below(x, -22.0);
    c = mlp_not_above(x, 22.0);
    square = mlp_two_product(c, c);
    cubic = mlp_two_product(MLP_TANH_CUBIC, square.t);
    factor = mlp_two_sum(MLP_TANH_LINEAR, cubic.t);
    argument = mlp_two_product(c, factor.t);
    d = mlp_scaled_sigmoid(argument.t);
    s = argument.error + c * (factor.error + (cubic.error + MLP_TANH_CUBIC * square.error));
    s = d.s + (d.s * (1.0 - d.s)) * s;
    return (x * s) * d.scale;
}

//: gelu53: gelu exp53 two_product
static inline double mlp_gelu53(double x) {
    static const double series[] = {
        -0x1.5ca78c5d52b08p-29, -0x1.7dc58b285eebdp-28, 0x1.88e0413711d86p-26, 0x1.ad33b410aa927p-25, -0x1.7d6304aa5407bp-23,
        -0x1.1f23247dc78afp-22, 0x1.8e585a732639fp-20, 0x1.deff82cfe446ep-22, -0x1.96a547b3716dbp-17, 0x1.11ce3d885c8a0p-16,
        0x1.2b8927c963f35p-14, -0x1.544964c0dd0cbp-12, 0x1.1ab34522cfe7fp-12, 0x1.4034e56c9230dp-9, -0x1.c83edf4256667p-7,
        0x1.71707b5740dd4p-5, -0x1.c15806fa4b4b6p-4, 0x1.be33e6ee9997ep-3, -0x1.77dbb5cdda91cp-2, 0x1.1239b3f8c06d5p-1,
        -0x1.5ed05c7e41a2ep-1, 0x1.8c2b8893b5c8dp-1,
    };
    mlp_two_parts square;
    double c, magnitude, power, r;
    x = mlp_not_below(x, -39.0);
    c = mlp_not_above(x, 39.0);
    magnitude = c < 0 ? -c : c;
    square = mlp_two_product(magnitude, magnitude);
    power = mlp_exp53(square.t * -0.5);
    r = 1.0 / (magnitude + 5.5);
    return mlp_gelu(x, c, power - power * (square.error * 0.5), r * mlp_horner(series, 22, 1.0 - 11.0 * r));
}

//: softmax24: softmax exp24
#define MLP_EXP mlp_exp24

//: softmax53: softmax exp53
#define MLP_EXP mlp_exp53

//: softmax
static inline void mlp_softmax(mlp_real *z, size_t n) {
    mlp_real m = z[0], total = 0, s = 0;
    for (size_t j = 1; j < n; j++) m = z[j] > m ? z[j] : m;
    for (size_t j = 0; j < n; j++) z[j] = (mlp_real)MLP_EXP(z[j] - m);
    for (size_t j = 0; j < n; j++) {
        s = s + z[j];
        if (j + 1 == n || (j + 1) % MLP_CHUNK == 0) {
            total = total + s;
            s = 0;
        }
    }
    for (size_t j = 0; j < n; j++) z[j] = z[j] / total;
}
