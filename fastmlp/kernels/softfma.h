/* Fused multiply-add where the processor has none: round to odd (Boldo and Melquiond 2008), as in
 * fastmlp/reference/arithmetic.py, and for the ends of float64's range integers of 128 bits.
 */
#ifndef FASTMLP_SOFTFMA_H
#define FASTMLP_SOFTFMA_H

#if FASTMLP_DOUBLE

static inline double round_to_odd(double s, double e) {
    uint64_t bits = to_bits(s);
    if (e < 0 || e > 0) bits = (bits - (uint64_t)((e < 0) == (s > 0))) | 1;
    return from_bits(bits);
}

static inline void split(double a, double *high, double *low) {
    double t = 134217729.0 * a;
    *high = t - (t - a);
    *low = a - *high;
}

static inline double two_sum(double a, double b, double *error) {
    double s = a + b, b_part = s - a;
    *error = (a - (s - b_part)) + (b - b_part);
    return s;
}

/* |x| = m 2^e with m a whole number whose top bit is bit 120. */
static unsigned __int128 unpack(double x, int *e) {
    uint64_t bits = to_bits(x), m = bits & 0xFFFFFFFFFFFFFull;
    int exponent = (int)(bits >> 52 & 0x7FF);
    *e = (exponent ? exponent : 1) - 1075;
    return exponent ? m | 1ull << 52 : m;
}

static unsigned __int128 normalise(unsigned __int128 m, int *e) {
    while (!(m >> 120)) { m <<= 1; --*e; }
    return m;
}

static double power_of_two(int e) { return from_bits((uint64_t)(e + 1023) << 52); }

/* a b + c for finite a, b, c with a and b not zero, anywhere in the range. */
static double fma_in_integers(double a, double b, double c) {
    int ea, eb, e, ec;
    unsigned __int128 product = unpack(a, &ea) * unpack(b, &eb), addend, sum;
    int negative = (a < 0) != (b < 0), shift, top = 0;
    e = ea + eb;
    sum = product = normalise(product, &e);
    if (c != 0) {
        addend = normalise(unpack(c, &ec), &ec);
        int c_negative = c < 0;
        if (ec > e || (ec == e && addend > product)) {  /* the larger one first */
            unsigned __int128 m = product; product = addend; addend = m;
            int t = e; e = ec; ec = t;
            t = negative; negative = c_negative; c_negative = t;
        }
        shift = e - ec;
        if (shift > 126) addend = 1;
        else if (shift) addend = addend >> shift | ((addend & (((unsigned __int128)1 << shift) - 1)) != 0);
        sum = negative == c_negative ? product + addend : product - addend;
        if (!sum) return 0.0;
    }
    for (unsigned __int128 m = sum; m >>= 1;) top++;
    int last = e + top - 52 < -1074 ? -1074 : e + top - 52;
    shift = last - e;
    uint64_t q;
    if (shift <= 0) q = (uint64_t)(sum << -shift);
    else if (shift > 126) q = 0;
    else {
        unsigned __int128 rest = sum & (((unsigned __int128)1 << shift) - 1), half = (unsigned __int128)1 << (shift - 1);
        q = (uint64_t)(sum >> shift);
        q += rest > half || (rest == half && (q & 1));
    }
    double result = (double)q;
    if (last > 971) result = 1.0 / 0.0;
    else if (last >= 0) result *= power_of_two(last);
    else result = result * power_of_two(last / 2) * power_of_two(last - last / 2);
    return negative ? -result : result;
}

static inline double soft_fma(double a, double b, double c) {
    double product = a * b, size = __builtin_fabs(product), largest = 0x1p960;
    if (size > 0x1p-900 && size < largest && __builtin_fabs(a) < largest && __builtin_fabs(b) < largest &&
        __builtin_fabs(c) < largest) {
        double ah, al, bh, bl, tl, vl, e;
        split(a, &ah, &al);
        split(b, &bh, &bl);
        double product_error = ((ah * bh - product) + ah * bl + al * bh) + al * bl;
        double th = two_sum(c, product_error, &tl), vh = two_sum(product, th, &vl);
        double z = two_sum(tl, vl, &e);
        return vh + round_to_odd(z, e);
    }
    if (a == 0 || b == 0 || a - a != 0 || b - b != 0) return product + c;
    if (c - c != 0) return c;
    return fma_in_integers(a, b, c);
}

ALWAYS_INLINE vec fma_vec(vec a, vec b, vec c) {
    return (vec){soft_fma(a[0], b[0], c[0]), soft_fma(a[1], b[1], c[1])};
}

#else

/* Four floats at once: their products are exact in double, so one sum made odd and one rounding are enough. */
typedef double wide __attribute__((vector_size(32)));
typedef int64_t wide_bits __attribute__((vector_size(32)));

ALWAYS_INLINE vec fma_vec(vec a, vec b, vec c) {
    wide product = __builtin_convertvector(a, wide) * __builtin_convertvector(b, wide);
    wide addend = __builtin_convertvector(c, wide);
    wide s = product + addend, part = s - product;
    wide e = (product - (s - part)) + (addend - part);
    wide_bits bits = (wide_bits)s, inexact = (e < 0) | (e > 0), shrinks = ~((e < 0) ^ (s > 0));
    bits = (inexact & ((bits + shrinks) | 1)) | (~inexact & bits);
    return __builtin_convertvector((wide)bits, vec);
}

#endif
#endif
