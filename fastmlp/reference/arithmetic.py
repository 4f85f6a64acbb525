"""Fused multiply-add and ordered sums: the arithmetic under every layer, in plain NumPy.

NumPy's own ``@``, ``dot`` and ``sum`` give other bits on other machines, so nothing here uses them. Every
function takes float32 or float64 arrays of one dtype and rounds as that dtype does.
"""

from fractions import Fraction

import numpy as np

CHUNK = 256
"""How many consecutive terms are summed on their own before they join the total."""

_SPLITTER = 2.0**27 + 1


def sum_of_products(a, b, seed):
    """The matrix product a b, added to a seed, in a fixed order: total[i, j] = seed[j] + sum_k a[i, k] b[k, j].

    a is (m, k), b is (k, n), seed is (n,) or a scalar; the result is (m, n). The terms run in ascending k,
    in chunks of 256: within a chunk s = fma(a, b, s) starting from +0, then total = total + s.
    """
    terms = a.shape[1]
    total = np.empty((a.shape[0], b.shape[1]), a.dtype)
    total[...] = seed
    with np.errstate(all="ignore"):
        for start in range(0, terms, CHUNK):
            s = np.zeros_like(total)
            for k in range(start, min(start + CHUNK, terms)):
                s = fma(a[:, k, None], b[k], s)
            total = total + s
    return total


def ordered_sum(values):
    """The sum over the last axis by the same rule with plain additions: chunks of 256 in order, each from +0."""
    terms = values.shape[-1]
    total = np.zeros(values.shape[:-1], values.dtype)
    with np.errstate(all="ignore"):
        for start in range(0, terms, CHUNK):
            s = np.zeros_like(total)
            for k in range(start, min(start + CHUNK, terms)):
                s = s + values[..., k]
            total = total + s
    return total


def fma(a, b, c):
    """a * b + c with one rounding, as a fused multiply-add gives it; the arguments broadcast.

    Source: S. Boldo and G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
    rounding to odd", IEEE Transactions on Computers 57(4), 2008.
    """
    a, b, c = np.asarray(a), np.asarray(b), np.asarray(c)
    with np.errstate(all="ignore"):
        return _fma32(a, b, c) if c.dtype == np.float32 else _fma64(a, b, c)


def _fma32(a, b, c):
    product = a.astype(np.float64) * b  # exact: two 24-bit significands fit into 53 bits
    return _round_to_odd(*_two_sum(product, c)).astype(np.float32)


def _fma64(a, b, c):
    a, b, c = np.broadcast_arrays(a, b, c)
    product, product_error = _two_product(a, b)
    th, tl = _two_sum(c, product_error)
    vh, vl = _two_sum(product, th)
    result = vh + _round_to_odd(*_two_sum(tl, vl))

    # Outside this range a splitting overflows or a rounding error is too small to be a number.
    largest = 2.0**960
    ordinary = (np.abs(product) > 2.0**-900) & (np.abs(product) < largest) & (np.abs(c) < largest)
    ordinary &= (np.abs(a) < largest) & (np.abs(b) < largest)
    # A product of zero, infinity or NaN is exact, and an infinite or NaN addend decides alone.
    finite_product = np.isfinite(a) & np.isfinite(b)
    exact = (a == 0) | (b == 0) | ~finite_product
    result = np.where(exact, product + c, np.where(np.isfinite(c), result, c))
    for index in map(tuple, np.argwhere(~(ordinary | exact) & np.isfinite(c))):
        result[index] = _fma_exactly(a[index], b[index], c[index])
    return result


def _fma_exactly(a, b, c):
    """One float64 fma of finite numbers in exact rational arithmetic."""
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:  # a sum of zeros has the sign that the floating-point sum of their signs has
        return np.copysign(0.0, a) * np.copysign(1.0, b) + c if c == 0 else 0.0
    # Scaling by a power of two moves a subnormal result's last bit to the last bit of an integer.
    sign = -1.0 if exact < 0 else 1.0
    exact = abs(exact)
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    if exact < Fraction(2) ** exponent:
        exponent -= 1
    last_bit = max(exponent - 52, -1074)
    significand = round(exact / Fraction(2) ** last_bit)  # Python rounds half to even
    if significand.bit_length() + last_bit > 1024:
        return sign * np.inf
    return sign * float(Fraction(significand) * Fraction(2) ** last_bit)


def _two_sum(a, b):
    """(s, e) with s = a + b rounded and a + b = s + e exactly (Knuth)."""
    s = a + b
    b_part = s - a
    return s, (a - (s - b_part)) + (b - b_part)


def _two_product(a, b):
    """(p, e) with p = a * b rounded and a * b = p + e exactly (Dekker, with Veltkamp's splitting)."""
    p = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a):
    t = _SPLITTER * a
    high = t - (t - a)
    return high, a - high


def _round_to_odd(s, e):
    """Make an inexact sum odd: where the error e is not zero and s is even, move s by one unit towards e."""
    bits = s.view(np.int64)
    inexact = (e < 0) | (e > 0)
    shrinks = (e < 0) == (s > 0)
    return np.where(inexact, (bits - shrinks) | 1, bits).view(np.float64)


def check_environment():
    """Raise RuntimeError if this thread flushes subnormal numbers to zero or does not round to nearest.

    Another library may have left the processor so; NumPy would then compute other bits.
    """
    smallest, one, small = np.array(2.0**-1074), np.array(1.0), np.array(2.0**-60)
    if smallest + smallest == 0 or np.array(2.0**-1022) * 0.5 == 0:
        raise RuntimeError(
            "this thread flushes subnormal numbers to zero (torch.set_flush_denormal or a library built with "
            "-ffast-math does this); the reference cannot give its bits there: switch it off, or use the "
            "compiled backend"
        )
    if one + small != 1 or -one - small != -1 or one - small != 1:
        raise RuntimeError(
            "this thread does not round to nearest; the reference cannot give its bits there: restore the "
            "rounding mode, or use the compiled backend"
        )
