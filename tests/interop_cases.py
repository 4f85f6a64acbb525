"""What the tests of networks as C and as JavaScript ask: networks, rows, and numbers at which functions do all that they can do."""

import numpy as np
import test_arithmetic
from conftest import rng_of, values

import fastmlp

HIDDEN = [row.name for row in fastmlp.ACTIVATIONS.values() if row.hidden]
KINDS = "ordinary", "zeros", "special", "subnormal"


def networks():
    """Networks whose files hold every function, with layers of every kind of size, and one whose outputs show every bit of sums."""
    for dtype in ("float32", "float64"):
        options = dict(dtype=dtype, seed=0, backend="reference")
        yield with_biases(fastmlp.MLP([517, 67, 130, 5], "identity", input_scale=255, **options))
        yield with_biases(fastmlp.MLP([3] + [4, 64, 5] * 3 + [66, 9, 258], HIDDEN, loss="cross_entropy", **options))
        yield with_biases(fastmlp.MLP([3, 1], loss="poisson", **options))


def with_biases(net):
    """The network with biases, which have zeros among them."""
    for bias in net.biases:
        bias[...] = values(rng_of(len(bias)), bias.shape, net.dtype, "zeros")
    return net


def rows_for(net):
    """Rows of several kinds, among them infinities and NaN."""
    shape, scale = (2, net.layer_sizes[0]), net.dtype.type(net.input_scale)
    with np.errstate(over="ignore"):
        return np.concatenate([values(rng_of(kind, shape), shape, net.dtype, kind) * scale for kind in KINDS])


def numbers_for_fma(dtype):
    """Three arrays of all that is difficult."""
    parts = [test_arithmetic.triples(dtype, family, 1000) for family in test_arithmetic.FAMILIES]
    # c, and half its last place save a little that no float64 sum of float32 holds: what is odd decides.
    info, k = np.finfo(dtype), np.arange(1, 500, dtype=dtype)
    half = info.dtype.type(2.0 ** -((info.nmant + 1) // 2))
    parts += [[sign * (1 + k * info.eps) * half, (1 - k * info.eps) * half, 1 + k * info.eps] for sign in (1, -1)]
    return [np.concatenate(same).astype(dtype) for same in zip(*parts)]


def numbers_for_activations(dtype, count):
    """Numbers of every range in which an activation has something to say."""
    parts = [values(rng_of(kind), 500, dtype, kind) for kind in KINDS]
    parts += [np.linspace(-limit, limit, 1001, dtype=dtype) for limit in (1, 10, 42, 800)]
    return np.resize(np.concatenate(parts), count)
