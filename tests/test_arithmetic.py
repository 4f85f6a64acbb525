"""Fused multiply-add and ordered sums: the reference against C's fma and exact fractions, the kernels against it."""

from fractions import Fraction

import numpy as np
import pytest
from conftest import MODULES

from fastmlp import reference

pytestmark = pytest.mark.usefixtures("own_fma")

DTYPES = ("float32", "float64")
COUNT = 100_000


def assert_same_bits(actual, expected, *arguments):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    bits = f"u{expected.dtype.itemsize}"
    same = (actual.view(bits) == expected.view(bits)) | (np.isnan(actual) & np.isnan(expected))
    for index in map(tuple, np.argwhere(~same)[:3]):
        given = ", ".join(float(a[index]).hex() for a in arguments)
        pytest.fail(f"({given}) gives {float(actual[index]).hex()}, expected {float(expected[index]).hex()}")


def ordinary(dtype, count=COUNT, seed=0, exponents=30):
    rng = np.random.RandomState(seed)
    return [(rng.standard_normal(count) * 2.0 ** rng.randint(-exponents, exponents, count)).astype(dtype)
            for _ in range(3)]  # fmt: skip


def triples(dtype, family, count=COUNT, seed=0):
    """Three arrays a, b, c of one family."""
    if family == "ordinary":
        return ordinary(dtype, count, seed)
    if family == "random bits":
        rng = np.random.RandomState([1, seed])
        return [np.frombuffer(rng.bytes(np.dtype(dtype).itemsize * count), dtype) for _ in range(3)]
    if family == "cancelling":  # c is close to -a b, or half way between two numbers once the product is added
        a, b, c = ordinary(dtype, count, seed)
        with np.errstate(all="ignore"):
            c = np.where(np.arange(count) % 2 == 0, -(a * b), -(a * b) * np.abs(c)).astype(dtype)
            near = np.arange(count) % 3 == 0
            return [a, b, np.where(near, np.nextafter(c, np.array(np.inf, dtype)), c)]
    if family == "double rounding":  # c + a b lies so near the middle of two numbers that twice the digits do not tell
        rng, (c, sign, _) = np.random.RandomState([2, seed]), ordinary(dtype, count, seed)
        d = (rng.randint(1, 1000, count) * np.finfo(dtype).eps).astype(dtype)
        return [1 + d, np.copysign((1 - d) * np.spacing(np.abs(c)) / 2, sign), c]  # a b is 1 - d^2 halves of c's last place
    # "specials": every combination of the values at which something changes
    info = np.finfo(dtype)
    positive = [
        0.0, info.smallest_subnormal, info.tiny, info.tiny * (1 - info.eps), info.eps, 1.0, 1 + info.eps, 1.5, 3.0,
        2.0 ** (info.minexp // 2), 2.0 ** (info.maxexp // 2), 2.0 ** (info.maxexp - 1), info.max, np.inf, np.nan,
    ]  # fmt: skip
    special = np.array(positive + [-x for x in positive], dtype)
    return [part.ravel() for part in np.meshgrid(special, special, special)]


FAMILIES = ("ordinary", "random bits", "cancelling", "double rounding", "specials")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_s_fma_is_c_s(family, dtype, c_fma):
    arguments = triples(dtype, family, COUNT if (family, dtype) != ("random bits", "float64") else COUNT // 5)
    assert_same_bits(reference.fma(*arguments), c_fma(*arguments), *arguments)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_kernels_fma_is_c_s(family, module, c_fma):
    arguments = triples(module.dtype.name, family)
    assert_same_bits(module.fma(*arguments), c_fma(*arguments), *arguments)


@pytest.mark.parametrize("module", MODULES)
def test_the_kernels_fma_is_the_reference_s_on_random_bits(module):
    arguments = triples(module.dtype.name, "random bits", 20_000)
    assert_same_bits(module.fma(*arguments), reference.fma(*arguments), *arguments)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 15, 17])
def test_the_kernels_fma_of_few_elements(size, module):
    arguments = [a[:size] for a in triples(module.dtype.name, "ordinary")]
    assert_same_bits(module.fma(*arguments), reference.fma(*arguments), *arguments)


def exact_fma(a, b, c):
    """One fma of finite numbers that does not underflow, by exact fractions and Python's own rounding to float64."""
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return type(a)(float(a) * float(b) + float(c))  # the sign of a sum of zeros
    nearest = float(exact)
    if isinstance(a, np.float32) and Fraction(nearest) != exact:  # round to odd first, so as to round once
        toward = np.inf if exact > Fraction(nearest) else -np.inf
        if np.float64(nearest).view(np.int64) % 2 == 0:
            nearest = np.nextafter(nearest, toward)
    return type(a)(nearest)


def spelled_out(a, b, seed, chunk=256):
    """The rule for sums of products, one number at a time."""
    T = a.dtype.type
    total = np.empty((len(a), b.shape[1]), a.dtype)
    for i in range(len(a)):
        for j in range(b.shape[1]):
            total[i, j] = seed[j]
            for start in range(0, a.shape[1], chunk):
                s = T(0)
                for k in range(start, min(start + chunk, a.shape[1])):
                    s = exact_fma(a[i, k], b[k, j], s)
                total[i, j] = total[i, j] + s
    return total


def product_arguments(dtype, rows, terms, n):
    rng = np.random.RandomState(terms)
    return [rng.standard_normal(shape).astype(dtype) for shape in ((rows, terms), (terms, n), (n,))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("terms", [0, 1, 2, 255, 256, 257, 511, 512, 513, 1025])
def test_sums_of_products_follow_the_rule(terms, dtype):
    a, b, seed = product_arguments(dtype, 2, terms, 3)
    assert_same_bits(reference.sum_of_products(a, b, seed), spelled_out(a, b, seed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_another_length_of_chunk_would_be_noticed(dtype, monkeypatch):
    arguments = product_arguments(dtype, 2, 513, 3)
    result = reference.sum_of_products(*arguments)
    for chunk in (255, 257, 128, 512, 1024):
        monkeypatch.setattr(reference.arithmetic, "CHUNK", chunk)
        other = reference.sum_of_products(*arguments)
        assert_same_bits(other, spelled_out(*arguments, chunk=chunk))
        assert not np.array_equal(other, result), chunk


@pytest.mark.parametrize("implementation", [reference, *MODULES])
@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_keep_the_sign_that_the_rule_gives(dtype, implementation):
    if implementation is not reference and implementation.dtype != dtype:
        pytest.skip("a module of the other dtype")
    minus, plus = np.array([-0.0], dtype), np.array([0.0], dtype)

    def sum_of(a, b, seed):
        total = implementation.sum_of_products(np.array([a], dtype), np.array(b, dtype)[:, None], seed)
        return np.asarray(total)[0]

    assert_same_bits(sum_of([], [], minus), minus)  # no terms: the seed
    assert_same_bits(sum_of([-0.0], [1], minus), plus)  # -0 * 1 + 0 = +0, and -0 + +0 = +0
    assert_same_bits(sum_of([0.0] * 600, [-1] * 600, minus), plus)
    tiny = -1e-30 if dtype == "float32" else -1e-300
    assert_same_bits(implementation.fma(*np.array([tiny, -tiny, 0.0], dtype).reshape(3, 1)), minus)
    assert_same_bits(sum_of([tiny], [-tiny], plus), plus)  # the chunk is -0, and is added to +0
    assert_same_bits(sum_of([tiny], [-tiny], minus), minus)
    assert_same_bits(sum_of([-0.0] * 700, [-0.0] * 700, plus), plus)
    for values in (minus, np.array([tiny, -tiny], dtype), np.full(300, -0.0, dtype), np.array([], dtype)):
        assert_same_bits(np.asarray(implementation.ordered_sum(values)), plus[0])


@pytest.mark.parametrize("implementation", [reference, *MODULES])
@pytest.mark.parametrize("terms", [0, 1, 7, 255, 256, 257, 512, 700])
def test_ordered_sums_follow_the_rule(terms, implementation):
    for dtype in DTYPES if implementation is reference else [implementation.dtype.name]:
        values = np.random.RandomState(terms).standard_normal((3, terms)).astype(dtype)
        expected = np.zeros(3, dtype)
        for row in range(3):
            for start in range(0, terms, 256):
                s = np.dtype(dtype).type(0)
                for value in values[row, start : start + 256]:
                    s = s + value
                expected[row] = expected[row] + s
        assert_same_bits(implementation.ordered_sum(values), expected)
        assert_same_bits(implementation.ordered_sum(np.asfortranarray(values)), expected)
        assert_same_bits(np.asarray(implementation.ordered_sum(values[0])), expected[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_fma_broadcasts(dtype):
    a, b, c = (part[:6] for part in triples(dtype, "ordinary"))
    expected = np.stack([reference.fma(np.full(6, x), b, c) for x in a])
    for implementation in (reference, *(p.values[0] for p in MODULES if p.values[0].dtype == dtype)):
        assert_same_bits(implementation.fma(a[:, None], b, c), expected)
        assert_same_bits(np.asarray(implementation.fma(a[0], b[1], c[1])), expected[0, 1])
