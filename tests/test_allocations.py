"""A step allocates nothing: malloc itself is counted, by a library loaded before the C library, and Python's allocator,
which is told to go through malloc."""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from fastmlp.backends import kernels

pytestmark = [
    pytest.mark.skipif(kernels() is None, reason="the compiled kernels were not built"),
    pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("gcc"), reason="needs Linux and gcc"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="Python's allocator is always its own there"
    ),
]

COUNTER = """
#include <stddef.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
static long count;
long allocations(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }
static void one_more(void) { __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED); }
void *malloc(size_t n) { one_more(); return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { one_more(); return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { one_more(); return __libc_realloc(p, n); }
void *aligned_alloc(size_t to, size_t n) { one_more(); return __libc_memalign(to, n); }
int posix_memalign(void **p, size_t to, size_t n) { one_more(); *p = __libc_memalign(to, n); return *p ? 0 : 12; }
"""

PROGRAM = """
import ctypes, sys
import numpy as np
from fastmlp import MLP
from fastmlp.update_rules import RULES
from fastmlp.reference import Samples, Steps, Update

allocations = ctypes.CDLL(sys.argv[1]).allocations
allocations.restype = ctypes.c_long
sizes, batch, pixels, n_threads, rule = eval(sys.argv[2])
rows = 2000 * batch
random = np.random.RandomState(0)
x = random.randint(0, 256, (rows, sizes[0])).astype(np.uint8)
x = x if pixels else x.astype(np.float32)
y, order = random.randint(0, sizes[-1], rows), random.permutation(rows)
losses, correct = np.empty(rows), np.empty(rows, np.uint8)
net = MLP(sizes, "relu", loss="cross_entropy", seed=0, n_threads=n_threads)
numbers = np.full((1, len(RULES[rule].numbers)), 1e-3, np.float32)
update = Update(rule, numbers, tuple(np.zeros_like(net.parameters) for _ in RULES[rule].state))


def allocated_in(steps, planted=False):
    before = allocations()
    if planted:
        for first in range(0, steps * batch, batch):
            train(first, first + batch)
            np.empty(1000)
    else:
        train(0, steps * batch)
    return allocations() - before


def train(start, stop):
    net._engine.train(Samples(x, y), update, Steps(start, stop, batch, order), losses, correct)


allocated_in(101)  # after which the team of threads is there
one, thousand = allocated_in(101), allocated_in(1101)  # numbers up to 256 are never allocated
print(one, thousand, allocated_in(1000, planted=True))
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counter")
    (folder / "counter.c").write_text(COUNTER)
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "counter.c", "-o", "counter.so"], cwd=folder, check=True)
    return str(folder / "counter.so")


@pytest.mark.parametrize("case", [
    ((20, 16, 16, 10), 10, False, 1, "sgd"), ((20, 16, 10), 10, True, 1, "adam"), ((100, 64, 10), 300, False, 1, "sgd"),
    ((100, 100, 10), 40, False, 2, "momentum"),
])  # fmt: skip
def test_a_thousand_steps_allocate_nothing(counter, case):
    done = subprocess.run([sys.executable, "-c", PROGRAM, counter, repr(case)], text=True, capture_output=True,
                          env=os.environ | {"LD_PRELOAD": counter, "PYTHONMALLOC": "malloc"})  # fmt: skip
    if "__libc_" in done.stderr:
        pytest.skip("this C library has no names to count by")
    assert done.returncode == 0, done.stderr
    one, thousand, planted = map(int, done.stdout.split())
    assert thousand == one, f"1,000 steps more allocate {thousand - one} times"
    assert planted >= 1000
