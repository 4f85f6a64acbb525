"""Proofs at length: fma on 10^8 triples of each type, elementary functions on all 2^32 float32 and on 10^8 float64 inputs.

They take minutes to an hour, and are run (`pytest -m slow tests/test_proofs.py`) when what they prove changes. The README
says so: its table of proofs carries the hash of the source files that each of them proved, which a quick test compares.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_arithmetic import FAMILIES, assert_same_bits, triples
from test_elementary import arguments

from fastmlp import reference
from fastmlp.backends import kernels

pytestmark = pytest.mark.usefixtures("own_fma")

ROOT = Path(__file__).parent.parent
PACKAGE, README = ROOT / "fastmlp", ROOT / "README.md"
SOURCES = {
    "fma": ["reference/arithmetic.py", "kernels/simd.h", "kernels/softfma.h"],
    "elementary functions": ["reference/elementary.py", "kernels/elementary.pxi"],
    "Numba": ["jit/elementary.py", "kernels/elementary.pxi"],
    "smooth": [
        f"{file}.{suffix}"
        for backend, suffix in (("reference", "py"), ("kernels", "pxi"), ("jit", "py"))
        for file in (f"{backend}/elementary", f"{backend}/smooth")
    ],
}
SMOOTH = (
    "elu",
    "selu",
    "softplus",
    "silu",
    "gelu",
    "gelu_tanh",
    "silu_derivative",
    "gelu_derivative",
    "gelu_tanh_derivative",
)
FUNCTIONS = ("exp", "expm1", "log", "log1p", "sigmoid", "tanh")
COUNT = 10**8
BLOCK = 2**18  # inputs at a time: their intermediate results stay in the cache


def source_hash(name):
    return hashlib.sha256(b"".join((PACKAGE / file).read_bytes() for file in SOURCES[name])).hexdigest()[:16]


@pytest.mark.parametrize("name", SOURCES)
def test_the_readme_s_proofs_are_of_these_sources(name):
    """If this fails, a source file changed that was proved: run the slow tests here, then write its hash down."""
    hashes = re.findall(rf"^\| {name}\b.*`([0-9a-f]{{16}})` \|$", README.read_text(), re.MULTILINE)
    assert hashes and set(hashes) == {source_hash(name)}


def modules(dtype):
    return [kernels().modules(isa)[np.dtype(dtype)] for isa in kernels().available()] if kernels() else []


def numba():
    return pytest.importorskip("fastmlp.jit", reason="Numba is not installed", exc_type=ImportError)


def in_threads(function, parts):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(function, parts):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fma_of_many_triples(dtype, c_fma):
    """Of every family as many; but few float64 triples of random bits, which the reference takes by fractions."""
    compiled = [*modules(dtype), numba()]
    families = [family for family in FAMILIES if family != "specials"]

    def check(part):
        family, seed = part
        given = triples(dtype, family, BLOCK, seed)
        expected = c_fma(*given)
        assert_same_bits(reference.fma(*given), expected, *given)
        for module in compiled:
            assert_same_bits(module.fma(*given), expected, *given)

    parts = [(families[i % 4], i) for i in range(COUNT // BLOCK + 1)]
    if dtype == "float64":
        parts = [(families[i % 4] if i % 20 == 1 or families[i % 4] != "random bits" else "cancelling", i)
                 for i in range(COUNT // BLOCK + 1)]  # fmt: skip
    in_threads(check, parts)


def truth(name, x):
    """The function in a wider type, from the C library."""
    if name == "sigmoid":
        return 1 / (1 + np.exp(-x))
    return getattr(np, name)(x)


def assert_near(name, x, result, most_ulps, wide):
    """The distance to the true value is at most so many units of its last place; infinities as rounding has them."""
    info = np.finfo(x.dtype)
    with np.errstate(all="ignore"):
        exact = truth(name, x.astype(wide))
        _, exponent = np.frexp(np.where(np.isfinite(exact), exact, 1))
        unit = np.ldexp(np.ones(1, wide), np.maximum(exponent - 1, info.minexp) - info.nmant)
        off = np.abs(result.astype(wide) - exact) / unit
        beyond = np.abs(exact) > info.max
        good = (off <= most_ulps) | (result == exact) | (np.isnan(exact) & np.isnan(result))
        good |= beyond & (np.isinf(result) | (np.abs(result) == info.max)) & (np.sign(result) == np.sign(exact))
    assert good.all(), f"{name}({float(x[~good][0]).hex()}) is {result[~good][0]!r}, in truth {exact[~good][0]!r}"


def check_function(name, x, most_ulps, wide):
    expected = getattr(reference, name)(x)
    for module in modules(x.dtype):
        assert_same_bits(getattr(module, name)(x), expected, x)
    assert_near(name, x, expected, most_ulps, wide)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_float32(name):
    def check(start):
        check_function(name, np.arange(start, start + BLOCK, dtype=np.uint32).view(np.float32), 1, np.float64)

    in_threads(check, range(0, 2**32, BLOCK))


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_many_float64(name):
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("needs a long double of 64 bits")

    def check(seed):
        check_function(name, arguments(name, "float64", BLOCK // 4, seed), 2, np.longdouble)

    in_threads(check, range(COUNT // len(arguments(name, "float64", BLOCK // 4)) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numba_gives_the_kernels_bits(name):
    """For every float32, and as many float64 as the kernels were proved on."""
    of_numba = getattr(numba(), name)

    def check(x):
        assert_same_bits(of_numba(x), getattr(modules(x.dtype)[0], name)(x), x)

    in_threads(lambda start: check(np.arange(start, start + BLOCK, dtype=np.uint32).view(np.float32)),
               range(0, 2**32, BLOCK))  # fmt: skip
    in_threads(lambda seed: check(arguments(name, "float64", BLOCK // 4, seed)),
               range(COUNT // len(arguments(name, "float64", BLOCK // 4)) + 1))  # fmt: skip


TRUTH = r"""
#include <math.h>
typedef long double L;
static const L G0 = 1.5957691216057308, G1 = 0.07135481627260025, S = 1.0507009873554805, SA = 1.7580993408473766;
static L sigma(L x) { return 1 / (1 + expl(-x)); }
static L phi(L x) { return expl(-x * x / 2) * 0.398942280401432677939946059934381868L; }
static L Phi(L x) { return erfcl(-x * 0.707106781186547524400844362104849039L) / 2; }
static L elu(L x) { return x > 0 ? x : expm1l(x); }
static L selu(L x) { return x > 0 ? S * x : SA * expm1l(x); }
static L softplus(L x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
static L silu(L x) { return x == -INFINITY ? 0 : x * sigma(x); }
static L silu_derivative(L x) { L s = sigma(x); return isinf(x) ? s : s + x * s * sigma(-x); }
static L gelu(L x) { return x == -INFINITY ? 0 : x * Phi(x); }
static L gelu_derivative(L x) { return isinf(x) ? x > 0 : Phi(x) + x * phi(x); }
static L gelu_tanh(L x) { return x < -1000 ? 0 : x * sigma(x * (G0 + G1 * (x * x))); }
static L gelu_tanh_derivative(L x) {
    L v = x * (G0 + G1 * (x * x));
    return fabsl(x) > 1000 ? x > 0 : sigma(v) + sigma(v) * sigma(-v) * x * (G0 + 3 * G1 * (x * x));
}
"""


@pytest.fixture(scope="module")
def long_double(tmp_path_factory):
    """function(name, x): a smooth function of an array in long double."""
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("needs a long double of 64 bits")
    compiler = shutil.which("cc") or shutil.which("gcc") or pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("c")
    loops = "".join(f"void of_{name}(const L *x, L *r, long n) {{ for (long i = 0; i < n; i++) r[i] = {name}(x[i]); }}\n"
                    for name in SMOOTH)  # fmt: skip
    (folder / "truth.c").write_text(TRUTH + loops)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "truth.c", "-o", "truth.so", "-lm"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "truth.so"))

    def function(name, x):
        x = x.astype(np.longdouble)
        result = np.empty_like(x)
        of = getattr(library, f"of_{name}")
        of(*(ctypes.c_void_p(array.ctypes.data) for array in (x, result)), ctypes.c_long(x.size))
        return result

    return function


def smooth(module, name, x):
    """A smooth function by its activation: a derivative is what comes back of a gradient of 1."""
    activation = name.removesuffix("_derivative")
    if activation == name:
        return module.activate(name, x)
    return module.activation_gradient(activation, x, np.ones_like(x), x)


def check_smooth(name, x, long_double, most_ulps, least=0.0, near_zeros=0.0):
    """Every backend gives the reference's bits, which are so many units of the last place from the truth, at least of
    `least`; or nearer to it than near_zeros, where the function goes through 0."""
    result = smooth(reference, name, x)
    for module in [*modules(x.dtype), numba()]:
        assert_same_bits(smooth(module, name, x), result, x)
    with np.errstate(all="ignore"):
        exact, info = long_double(name, x), np.finfo(x.dtype)
        _, exponent = np.frexp(np.maximum(np.where(np.isfinite(exact), np.abs(exact), 1), least))
        unit = np.ldexp(np.ones(1, np.longdouble), np.maximum(exponent - 1, info.minexp) - info.nmant)
        off = np.abs(result - exact)
        good = (off <= most_ulps * unit) | (off < near_zeros) | (result == exact) | (np.isnan(exact) & np.isnan(result))
        good |= (np.abs(exact) > info.max) & np.isinf(result) & (np.sign(result) == np.sign(exact))
    assert good.all(), f"{name}({float(x[~good][0]).hex()}) is {result[~good][0]!r}, in truth {exact[~good][0]!r}"


def check_every_float32(name, start, long_double):
    """1 ulp; a derivative may be off by more where it is 0, but then by less than 1e-9."""
    x = np.arange(start, start + BLOCK, dtype=np.uint32).view(np.float32)
    check_smooth(name, x, long_double, 1, near_zeros=1e-9 if "derivative" in name else 0.0)


def check_float64(name, seed, long_double):
    """2 ulp for values, 3 for silu, 10 for gelu_tanh, 12 for gelu; derivatives to 32 units of the last place of
    themselves or of 1/8, whichever is more."""
    x = smooth_arguments(name, BLOCK // 4, seed)
    if "derivative" in name:
        check_smooth(name, x, long_double, 32, least=0.125)
    else:
        check_smooth(name, x, long_double, {"gelu": 12, "gelu_tanh": 10, "silu": 3}.get(name, 2))


def smooth_arguments(name, count, seed):
    """Samples of every range in which the function has something to say."""
    rng = np.random.RandomState(seed)
    lowest = {"gelu": -40, "gelu_tanh": -23, "elu": -60, "selu": -60}.get(name.removesuffix("_derivative"), -765)
    small = 2.0 ** rng.uniform(-1074, 10, count) * rng.choice([-1, 1], count)
    return np.concatenate([rng.uniform(lowest, 0, count), rng.uniform(-10, 10, count), rng.uniform(-2, 2, count), small])


@pytest.mark.parametrize("name", SMOOTH)
def test_some_smooth_numbers(name, long_double, monkeypatch):
    """The proofs below on some of their inputs, so that the ordinary run knows that they can be run."""
    monkeypatch.setattr(sys.modules[__name__], "BLOCK", 2**15)
    for start in (0, 0x3F000000, 0x7F7E0000, 0xBF000000, 0xC1800000, 0xFF7E0000):
        check_every_float32(name, start, long_double)
    check_float64(name, 0, long_double)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_every_smooth_float32(name, long_double):
    in_threads(lambda start: check_every_float32(name, start, long_double), range(0, 2**32, BLOCK))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_many_smooth_float64(name, long_double):
    in_threads(lambda seed: check_float64(name, seed, long_double), range(COUNT // BLOCK + 1))
