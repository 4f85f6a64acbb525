"""exp, log, tanh and their kin: within 1 ulp (float32) or 2 (float64) of mpmath, and the same bytes everywhere."""

import mpmath
import numpy as np
import pytest
from conftest import MODULES

from fastmlp import reference

ULPS = {"float32": 1, "float64": 2}
TRUTH = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "tanh": mpmath.tanh,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
}  # fmt: skip


def arguments(name, dtype, count, seed=1):
    """Samples of every range in which the function has something to say."""
    rng, info = np.random.RandomState(seed), np.finfo(dtype)
    smallest, largest = np.log2(float(info.smallest_subnormal)), np.log2(float(info.max))
    sizes = 2.0 ** rng.uniform(smallest, largest, count)  # test samples: their last bits do not matter
    if name == "log":
        near_one = 1 + rng.choice([-1, 1], count) * 2.0 ** -rng.uniform(1, info.nmant, count)
        return np.concatenate([sizes, near_one, np.sqrt(0.5) + rng.uniform(-1e-5, 1e-5, count // 4)]).astype(dtype)
    if name == "log1p":
        near_pole = -1 + 2.0 ** -rng.uniform(0, info.nmant + 1, count)
        return np.concatenate([sizes, near_pole, -(2.0 ** rng.uniform(smallest, 0, count))]).astype(dtype)
    highest = {"float32": 88.7, "float64": 709.7}[dtype]
    lowest = {"exp": {"float32": -103.9, "float64": -745.1}[dtype]}.get(name, -highest)
    small = 2.0 ** rng.uniform(smallest, 3, count) * rng.choice([-1, 1], count)
    ties = (rng.randint(-20, 20, count // 4) + 0.5) * np.log(2)  # where the range reduction changes its mind
    x = np.concatenate([rng.uniform(lowest, highest, count), rng.uniform(-24, 24, count), small, ties])
    return x.astype(dtype)


def ulps_off(result, x, truth, dtype):
    """The distance of the result from the true value, in units of the last place of the latter."""
    exact = truth(mpmath.mpf(float(x)))
    if exact == 0:
        return abs(float(result)) / float(np.finfo(dtype).smallest_subnormal)
    info = np.finfo(dtype)
    last = max(int(mpmath.floor(mpmath.log(abs(exact), 2))) - info.nmant, int(np.log2(float(info.smallest_subnormal))))
    return abs(mpmath.mpf(float(result)) - exact) / mpmath.mpf(2) ** last


@pytest.mark.parametrize("dtype", ULPS)
@pytest.mark.parametrize("name", TRUTH)
def test_within_the_promised_distance_of_the_truth(name, dtype, count=3000):
    x = arguments(name, dtype, count)
    results = getattr(reference, name)(x)
    assert results.dtype == dtype
    with mpmath.workprec(200):
        off = [ulps_off(result, value, TRUTH[name], dtype) for result, value in zip(results, x)]
    worst = int(np.argmax(off))
    assert off[worst] <= ULPS[dtype], f"{name}({float(x[worst]).hex()}) is {float(off[worst]):.3f} ulp off"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ULPS)
@pytest.mark.parametrize("name", TRUTH)
def test_within_the_promised_distance_of_the_truth_at_length(name, dtype):
    test_within_the_promised_distance_of_the_truth(name, dtype, count=50_000)


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("dtype", ULPS)
@pytest.mark.parametrize("name, pairs", [
    ("exp", [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0)]),
    ("expm1", [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (1e4, INF), (-1e4, -1.0)]),
    ("log", [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN)]),
    ("log1p", [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-2.0, NAN), (-INF, NAN)]),
    ("sigmoid", [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e4, 1.0), (-1e4, 0.0)]),
    ("tanh", [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e4, 1.0), (-1e4, -1.0)]),
])  # fmt: skip
def test_special_values(name, pairs, dtype):
    x, expected = np.array([*pairs, (NAN, NAN)], dtype).T
    results = getattr(reference, name)(x)
    np.testing.assert_array_equal(results, expected)  # NaN equals NaN here
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(results[zeros]), np.signbit(expected[zeros]))


@pytest.mark.parametrize("dtype", ULPS)
def test_tiny_arguments_pass_through(dtype):
    tiny = np.finfo(dtype).smallest_subnormal * np.array([1, -1, 2, -3], dtype)
    for name in ("expm1", "log1p", "tanh"):
        np.testing.assert_array_equal(getattr(reference, name)(tiny), tiny)


@pytest.mark.parametrize("dtype", ULPS)
@pytest.mark.parametrize("name", ("tanh", "expm1"))
def test_small_arguments_keep_their_sign(name, dtype):
    x = arguments(name, dtype, 2000)
    np.testing.assert_array_equal(np.signbit(getattr(reference, name)(x)), np.signbit(x))


def test_tanh_is_odd():
    for dtype in ULPS:
        x = arguments("tanh", dtype, 2000)
        np.testing.assert_array_equal(reference.tanh(-x), -reference.tanh(x))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("name", TRUTH)
def test_the_kernels_give_the_reference_s_bytes(name, module):
    dtype = module.dtype
    bits = np.frombuffer(np.random.RandomState(5).bytes(200_000 * dtype.itemsize), dtype)
    special = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, *(s * v for s in (1, -1) for v in (
        np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal, 709.8, 710, 745.2, 746, 700, 60,
        22, 88.73, 104))], dtype)  # fmt: skip
    x = np.concatenate([special, arguments(name, dtype.name, 20_000), bits])
    expected, results = getattr(reference, name)(x), getattr(module, name)(x)
    kind = f"u{dtype.itemsize}"
    same = (results.view(kind) == expected.view(kind)) | (np.isnan(results) & np.isnan(expected))
    assert same.all(), f"{name}({float(x[~same][0]).hex()}) is {results[~same][0]}, expected {expected[~same][0]}"
    for size in range(9):  # the ends of vectors
        np.testing.assert_array_equal(getattr(module, name)(x[50 : 50 + size]), results[50 : 50 + size])
