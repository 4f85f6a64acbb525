"""What several test files use: backends and kernels, arrays and how they lie, programs in processes of their own."""

import os

# Threads that have nothing to do sleep: where they spin, as libgomp's do by default, they take the processor of another worker of
# pytest-xdist. Read when the library is loaded, so before anything else.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's and SciPy's, which spin as well

import ctypes
import ctypes.util
import hashlib
import importlib.util
import pickle
import platform
import signal
import subprocess
import sys
import textwrap
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
import quick_fma

from fastmlp.backends import kernels, numba_is_installed
from fastmlp.reference import arithmetic

needs_kernels = pytest.mark.skipif(kernels() is None, reason="the compiled kernels were not built")
needs_numba = pytest.mark.skipif(not numba_is_installed(), reason="Numba is not installed")
MODULES = [
    pytest.param(module, id=module.__name__.rsplit(".", 1)[1])
    for isa in (kernels().available() if kernels() else [])
    for module in kernels().modules(isa).values()
]


@pytest.fixture(params=["reference", pytest.param("compiled", marks=needs_kernels), pytest.param("numba", marks=needs_numba)])
def backend(request):
    return request.param


@pytest.fixture(autouse=True, scope="session")
def interrupts():
    """SIGINT interrupts, also where the shell that started the tests in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def whole_teams():
    """Teams of the kernels are as large as asked for, also where other programs keep the processors busy."""
    for module in MODULES:
        module.values[0].wait_for_whole_teams(True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One worker more than processors: tests of the page, of signals and of processes wait more than they compute."""
    return (os.cpu_count() or 1) + 1


LONGEST = [
    "jit", "parity", "page_browser", "invariance", "sklearn_scores", "custom", "processes", "concurrency", "checkpoints",
    "functional", "network", "training", "interop_c", "cli", "sources", "page", "sklearn_theirs", "typing",
]  # fmt: skip


def pytest_collection_modifyitems(items):
    """The files that take longest first: none of them is then what the other workers wait for in the end; and Numba, of which
    test_jit compiles nearly all, has it compiled when others need it."""
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


class Later:
    """A large library, imported when something of it is first asked for, since every worker of pytest-xdist imports every
    file of tests, and one runs this library's. Where it is not installed, the file is skipped."""

    def __init__(self, name):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed", allow_module_level=True)
        self.name = name

    def __getattr__(self, attribute):
        if attribute.startswith("_"):  # as pytest asks of whatever is in a file
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self.name), attribute)


def run_program(program, folder=None, **environment):
    """A Python program in a process of its own: its exit status, and what it wrote."""
    return subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=os.environ | environment, text=True,
                          capture_output=True, timeout=120, cwd=folder)  # fmt: skip


needs_page_protection = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="protects a page of memory by Linux's numbers"
)


def read_to_the_end(imports, modules):
    """Products whose arguments end where memory does, by modules: an expression for {type: module}; in a process of its own,
    since reading the protected page after them would end it."""
    done = run_program(f"""
        import ctypes, mmap
        import numpy as np
        {imports}

        size = 32 * mmap.PAGESIZE
        memory = mmap.mmap(-1, size + mmap.PAGESIZE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(base + size), mmap.PAGESIZE, 0) == 0
        for dtype, module in {modules}.items():
            for n in (*range(40), 1030):
                for terms in (1, 2, 7):
                    b = np.ndarray((terms, n), dtype, memory, size - terms * n * dtype().itemsize)
                    b[...] = 2
                    for m in (1, 3, 60):
                        assert (module.sum_of_products(np.ones((m, terms), dtype), b, b[-1]) == 2 * terms + 2).all()
                    for columns in (1, 2, 3):
                        assert (module.sum_of_products(b, np.ones((n, columns), dtype), 0) == 2 * n).all()
                    assert (module.sum_of_products(b.T[:, :1], b[:1], 0) == 4).all()
    """)
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True, scope="session")
def kept(tmp_path_factory):
    """The folder where once_a_run keeps results: of this run, for all of its workers."""
    global KEPT
    own = tmp_path_factory.getbasetemp()
    KEPT = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "kept"
    KEPT.mkdir(exist_ok=True)


@pytest.fixture(autouse=True, scope="session")
def quick_reference(kept):
    """The reference has C's fma for the length of the run, which is returned; None where there is no compiler."""
    fma = quick_fma.built(KEPT)
    if fma:
        arithmetic._fma32 = arithmetic._fma64 = fma
    return fma


@pytest.fixture
def own_fma(monkeypatch):
    """The reference as it is."""
    for name, function in quick_fma.OWN.items():
        monkeypatch.setattr(arithmetic, name, function)


@pytest.fixture
def c_fma(quick_reference):
    if quick_reference is None:
        pytest.skip("needs a C compiler")
    return np.errstate(all="ignore")(quick_reference)


def once_a_run(key, compute):
    """compute(), or what another worker of pytest-xdist, or another file's test, had from it."""
    path = KEPT / hashlib.sha256(repr(key).encode()).hexdigest()
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(pickle.dumps(compute()))
        partial.replace(path)
    return pickle.loads(path.read_bytes())


def for_each(cases, check):
    """check(case) for all of them, and one failure that says which of them fail, and how the first does."""
    failures = []
    for case in cases:
        try:
            check(case)
        except (AssertionError, pytest.fail.Exception) as error:
            failures.append((case, error))
    if failures:
        names = "\n".join(str(case) for case, _ in failures)
        raise AssertionError(f"{len(failures)} of {len(cases)} fail:\n{names}") from failures[0][1]


# Arrays.


def rng_of(*key):
    return np.random.RandomState(zlib.crc32(repr(key).encode()))


def values(rng, shape, dtype, kind):
    """Random numbers: of many sizes, or with many zeros of both signs, or with a few special or subnormal ones."""
    x = rng.standard_normal(shape) * 2.0 ** rng.randint(-12, 12, shape)
    info = np.finfo(dtype)
    extremes = {
        "zeros": [0.0, -0.0, 1.0, -1.0],
        "special": [np.inf, -np.inf, np.nan, 0.0, -0.0, info.max, -info.max, info.tiny],
        "subnormal": [info.smallest_subnormal, -info.tiny / 3, 3e-30, -1e-30, -0.0],
    }
    if kind != "ordinary":
        share = 0.7 if kind == "zeros" else 0.02 if x.size > 20 else 0.2
        x = np.where(rng.random_sample(shape) < share, rng.choice(extremes[kind], shape), x)
    return x.astype(dtype)


def assert_same_bits(actual, wanted, context):
    """The same arrays, byte for byte; any NaN is equal to any other."""
    assert len(actual) == len(wanted), context
    for got, want in zip(actual, wanted):
        got, want = np.asarray(got), np.asarray(want)
        assert got.shape == want.shape and got.dtype == want.dtype, (context, got.shape, want.shape, got.dtype)
        bits = f"u{want.dtype.itemsize}"
        same = np.ascontiguousarray(got).view(bits) == np.ascontiguousarray(want).view(bits)
        if want.dtype.kind == "f":
            same |= (np.isnan(got) & np.isnan(want)).reshape(same.shape)
        if not same.all():
            where = tuple(np.argwhere(~same.reshape(want.shape))[0]) if want.ndim else ()
            pytest.fail(
                f"{context}: {np.count_nonzero(~same)} of {same.size} differ, first at "
                f"{tuple(map(int, where))}: {float(got[where]).hex()}, expected {float(want[where]).hex()}"
            )


# How each layout holds an array; the values are the same.


def filling(a):
    """What lies between the elements, and must not be read."""
    return np.nan if a.dtype.kind == "f" else 7


def strided(a):
    wide = np.full(tuple(2 * n + 3 for n in a.shape), filling(a), a.dtype)
    view = wide[tuple(slice(1, 1 + 2 * n, 2) for n in a.shape)]
    view[...] = a
    return view


def reversed_axes(a):
    backwards = (slice(None, None, -1),) * a.ndim
    return a[backwards].copy()[backwards]


def at_byte(offset):
    def laid(a):
        raw = np.zeros(a.nbytes + 64, np.uint8)
        view = raw[offset : offset + a.nbytes].view(a.dtype).reshape(a.shape)
        view[...] = a
        return view

    return laid


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def wide_rows(a):
    wide = np.full((a.shape[0], a.shape[1] + 5), filling(a), a.dtype)
    wide[:, 2 : 2 + a.shape[1]] = a
    return wide[:, 2 : 2 + a.shape[1]]


LAYOUTS = {
    "as given": lambda a: a, "Fortran": np.asfortranarray, "strided": strided, "reversed": reversed_axes,
    "at byte 8": at_byte(8), "at byte 1": at_byte(1), "read-only": read_only,
}  # fmt: skip
ROW_LAYOUTS = {"as given": lambda a: a, "wide rows": wide_rows, "at byte 8": at_byte(8), "read-only": read_only}


# The floating-point environment, reached through the C library's fenv.

UPWARD = 0x800  # FE_UPWARD on x86
FLUSH = 0x8040  # flush to zero and denormals are zero, in MXCSR
MXCSR = 7  # its place among the 32-bit words of glibc's fenv_t


@contextmanager
def environment(name):
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        pytest.skip("the floating-point environment is reached through glibc on x86-64 only")
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    before, changed = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    libm.fegetenv(before)
    libm.fegetenv(changed)
    if name == "flush to zero":
        changed[MXCSR] |= FLUSH
    else:
        changed[MXCSR] |= UPWARD << 3
    libm.fesetenv(changed)

    def unchanged():
        now = (ctypes.c_uint32 * 8)()
        libm.fegetenv(now)
        return now[MXCSR] & 0xFFC0 == changed[MXCSR] & 0xFFC0

    try:
        yield unchanged
    finally:
        libm.fesetenv(before)


ENVIRONMENTS = ("flush to zero", "round upward")


class InterruptingEngine:
    """Presses Ctrl-C in the middle of its n-th slice, as a signal arrives while the kernels run."""

    def __init__(self, engine, slices):
        self.engine, self.slices = engine, slices

    def train(self, *arguments):
        self.slices -= 1
        if self.slices == 0:
            signal.raise_signal(signal.SIGINT)
        return self.engine.train(*arguments)

    def __getattr__(self, name):
        return getattr(self.engine, name)
