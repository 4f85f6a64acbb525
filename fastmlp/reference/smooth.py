"""softplus, silu, gelu and their kin, and the derivatives that are written in z: as elementary.py, without libm.

Each is computed in float64 and rounded once: the functions whose names end in 24 are for float32, those in 53 for float64.
Arguments are clamped where the function has become z, or nothing, to all bits, so that no exponential overflows.

Phi is the distribution function of the normal distribution: Phi(-X) = e^(-X^2/2) r P(t), for X >= 0, with r = 1 / (X + c),
t = 1 - 2c r, which maps all X to [-1, 1], and a polynomial P that was fitted to it.
"""

import numpy as np

from .arithmetic import _two_product, _two_sum
from .elementary import (
    _exp24,
    _exp53,
    _expm1_24,
    _expm1_53,
    _horner,
    _in_float64,
    _log1p,
    _log24,
    _log53,
    _reduce24,
    _sigmoid53,
    expm1,
)  # fmt: skip

SELU_SCALE = 1.0507009873554805  # lambda, and lambda alpha, of Klambauer et al. 2017
SELU_SCALE_ALPHA = 1.7580993408473766
TANH_LINEAR = 1.5957691216057308  # 2 sqrt(2 / pi), and that times 0.044715, of Hendrycks and Gimpel 2016
TANH_CUBIC = 0.07135481627260025
NORMAL_DENSITY = 0.3989422804014327  # 1 / sqrt(2 pi)
SHIFT = 211.0  # e^-211 lies within a thousandth of a last place of a float64
EXP_MINUS_SHIFT = float.fromhex("0x1.81b3f492a453bp-305")
NORMAL_SERIES_24 = [float.fromhex(c) for c in """
    -0x1.c929bb270187cp-15 -0x1.5a9d1ff9971e7p-15 0x1.235e4a4aee5f7p-11 -0x1.a5b80e002f454p-11 -0x1.8905849657467p-9
    0x1.54b8e2ca84cd3p-6 -0x1.1b1b2347b1064p-4 0x1.51f62a26dfceep-3 -0x1.410edac4f0d02p-2 0x1.fb31655a35424p-2
    -0x1.54ad03e5c389ep-1 0x1.89d3abe1d24d1p-1""".split()]  # fmt: skip
NORMAL_SERIES = [float.fromhex(c) for c in """
    -0x1.5ca78c5d52b08p-29 -0x1.7dc58b285eebdp-28 0x1.88e0413711d86p-26 0x1.ad33b410aa927p-25 -0x1.7d6304aa5407bp-23
    -0x1.1f23247dc78afp-22 0x1.8e585a732639fp-20 0x1.deff82cfe446ep-22 -0x1.96a547b3716dbp-17 0x1.11ce3d885c8a0p-16
    0x1.2b8927c963f35p-14 -0x1.544964c0dd0cbp-12 0x1.1ab34522cfe7fp-12 0x1.4034e56c9230dp-9 -0x1.c83edf4256667p-7
    0x1.71707b5740dd4p-5 -0x1.c15806fa4b4b6p-4 0x1.be33e6ee9997ep-3 -0x1.77dbb5cdda91cp-2 0x1.1239b3f8c06d5p-1
    -0x1.5ed05c7e41a2ep-1 0x1.8c2b8893b5c8dp-1""".split()]  # fmt: skip


def elu(z):
    """z where z > 0, else e^z - 1."""
    return np.where(z > 0, z, expm1(z))


def selu(z):
    """S z where z > 0, else S alpha (e^z - 1)."""
    return _in_float64(z, lambda x: _selu(x, _expm1_24), lambda x: _selu(x, _expm1_53))


def softplus(z):
    """log(1 + e^z); its derivative is sigmoid(z)."""
    return _in_float64(z, lambda x: _softplus(x, _exp24, _log24), lambda x: _softplus(x, _exp53, _log53))


def silu(z):
    """z sigmoid(z)."""
    return _in_float64(z, lambda x: _silu24(x)[0], lambda x: _silu53(x)[0])


def silu_derivative(z):
    """The derivative of silu: s + z s (1 - s), with s = sigmoid(z)."""
    return _in_float64(z, lambda x: _silu24(x)[1], lambda x: _silu53(x)[1])


def gelu_tanh(z):
    """z sigmoid(2 sqrt(2 / pi) (z + 0.044715 z^3)), which is nearly gelu."""
    return _in_float64(z, lambda x: _gelu_tanh24(x)[0], lambda x: _gelu_tanh53(x)[0])


def gelu_tanh_derivative(z):
    """The derivative of gelu_tanh."""
    return _in_float64(z, lambda x: _gelu_tanh24(x)[1], lambda x: _gelu_tanh53(x)[1])


def gelu(z):
    """z Phi(z)."""
    return _in_float64(z, lambda x: _gelu24(x)[0], lambda x: _gelu53(x)[0])


def gelu_derivative(z):
    """The derivative of gelu: Phi(z) + z phi(z), with phi the density of the normal distribution."""
    return _in_float64(z, lambda x: _gelu24(x)[1], lambda x: _gelu53(x)[1])


def _selu(x, expm1):
    return np.where(x > 0, SELU_SCALE * x, SELU_SCALE_ALPHA * expm1(x))


def _softplus(x, exp, log):
    return np.where(x > 0, x, 0.0) + _log1p(exp(np.where(x > 0, -x, x)), log)


def _sigmoid24(x):
    """1 / (1 + e^-x) for |x| < 700. That of elementary.py stops at 104, where a float32 ends; here a product with x follows."""
    scale, expm1_r = _reduce24(-x)
    return 1.0 / (1.0 + (1.0 + expm1_r) * scale)


def _sigmoid53_scaled(x):
    """(s, scale) with s * scale = sigmoid(x), and s a normal number even where that is subnormal, for x > -900."""
    deep = x < -700.0
    return _sigmoid53(np.where(deep, x + SHIFT, x)), np.where(deep, EXP_MINUS_SHIFT, 1.0)


def _clamp(x, limit):
    """(x where it is not below -limit, x between both limits)."""
    x = np.where(x < -limit, -limit, x)
    return x, np.where(x > limit, limit, x)


def _silu24(x):
    x, c = _clamp(x, 150.0)
    s = _sigmoid24(c)
    return x * s, s + (c * s) * (1.0 - s)


def _silu53(x):
    x, c = _clamp(x, 760.0)
    s, scale = _sigmoid53_scaled(c)
    return (x * s) * scale, (s + (c * s) * (1.0 - s)) * scale


def _gelu_tanh24(x):
    x, c = _clamp(x, 15.0)
    s = _sigmoid24(c * (TANH_LINEAR + TANH_CUBIC * (c * c)))
    return x * s, _gelu_tanh_derivative(c, s)


def _gelu_tanh53(x):
    x, c = _clamp(x, 22.0)
    # The argument of sigmoid to twice the precision: where it is large, an error in its last place is one in all of e^.
    square, square_error = _two_product(c, c)
    cubic, cubic_error = _two_product(TANH_CUBIC, square)
    factor, factor_error = _two_sum(TANH_LINEAR, cubic)
    argument, error = _two_product(c, factor)
    error = error + c * (factor_error + (cubic_error + TANH_CUBIC * square_error))
    s, scale = _sigmoid53_scaled(argument)
    s = s + (s * (1.0 - s)) * error
    return (x * s) * scale, _gelu_tanh_derivative(c, s) * scale


def _gelu_tanh_derivative(c, s):
    return s + (s * (1.0 - s)) * (c * (TANH_LINEAR + (3.0 * TANH_CUBIC) * (c * c)))


def _gelu24(x):
    x, c = _clamp(x, 15.0)
    magnitude = np.where(c < 0, -c, c)
    scale, expm1_r = _reduce24((magnitude * magnitude) * -0.5)
    r = 1.0 / (magnitude + 5.0)
    return _gelu(x, c, (1.0 + expm1_r) * scale, r * _horner(NORMAL_SERIES_24, 1.0 - 10.0 * r))


def _gelu53(x):
    x, c = _clamp(x, 39.0)
    magnitude = np.where(c < 0, -c, c)
    square, error = _two_product(magnitude, magnitude)
    power = _exp53(square * -0.5)
    r = 1.0 / (magnitude + 5.5)
    return _gelu(x, c, power - power * (error * 0.5), r * _horner(NORMAL_SERIES, 1.0 - 11.0 * r))


def _gelu(x, c, power, rest):
    """(x Phi(x), Phi(x) + x phi(x)), where Phi(-|x|) = power * rest and power = e^(-x^2/2)."""
    negative, tail = c < 0, power * rest
    phi = np.where(negative, tail, 1.0 - tail)
    # With x in the second factor a power that is subnormal is the last to be multiplied.
    return np.where(negative, power * (c * rest), x * phi), phi + c * (power * NORMAL_DENSITY)
