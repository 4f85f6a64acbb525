"""Threads, processes and other libraries around fastmlp: the same bits, no hang, no growth.

Every program here runs in a process of its own under a time-out, and asserts by itself.
"""

import importlib.util
import platform
import shutil
import subprocess
import sys
import textwrap
from functools import cache

import pytest
from conftest import run_program

from fastmlp.backends import kernels

if kernels() is None:
    pytest.skip("the compiled kernels were not built", allow_module_level=True)

COMMON = """
import numpy as np
from fastmlp import MLP
from fastmlp.backends import numba_is_installed

random = np.random.RandomState(0)
x = random.random_sample((600, 200)).astype(np.float32)
y = random.randint(0, 10, 600)


def work(seed):
    net = MLP([200, 300, 10], loss="cross_entropy", seed=seed, n_threads=2)
    net.fit(x, y, epochs=1, batch_size=100, verbose=0)
    return net.hash()
"""


def run(program, **environment):
    done = run_program(COMMON + textwrap.dedent(program), PYTHONWARNINGS="ignore", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


run_once = cache(run)


def needs(library):
    """Without importing it here."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


PROCESSES = """
    import importlib, multiprocessing, sys

    if __name__ == "__main__":
        expected = [work(seed) for seed in range(4)]  # the threads of the parent have run before it forks
        {pool}
            assert list(pool.map(work, range(4))) == expected
        assert work(0) == expected[0]
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_started_after_use(method, tmp_path):
    pool = f"with multiprocessing.get_context({method!r}).Pool(2) as pool:"
    program = tmp_path / "program.py"  # a spawned process imports its parent's file
    program.write_text(COMMON + textwrap.dedent(PROCESSES).format(pool=pool))
    done = subprocess.run([sys.executable, "-W", "ignore", program], timeout=120, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_processes_of_loky():
    pytest.importorskip("loky")
    run(PROCESSES.format(pool="import loky\n        with loky.get_reusable_executor(max_workers=2) as pool:"))


def test_many_python_threads_train_and_read_without_growth():
    """Each thread its own networks, and one network read by all: equal results, and no memory that stays.

    Of one heap for all threads (glibc makes one for each, which grow for a while), and without a queue of the calls. What
    is resident now is read from the system: the peak that getrusage tells is the parent's at first, which hides any growth.
    """
    run("""
        import os, threading
        from pathlib import Path

        shared, few = MLP([200, 300, 10], seed=1, n_threads=2), x[:100]  # worth a team still
        expected, hashes = shared.forward(few), [work(seed) for seed in range(8)]
        ended, begin, same = threading.Barrier(9), threading.Barrier(9), []

        def calls(seed):
            for reads in (50, 500):
                same.append(all((shared.forward(few) == expected).all() for _ in range(reads)) and work(seed) == hashes[seed])
                ended.wait()
                begin.wait()

        def resident():
            statm = Path("/proc/self/statm")
            return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if statm.exists() else 0

        workers = [threading.Thread(target=calls, args=(seed,)) for seed in range(8)]
        sizes = []
        for worker in workers:
            worker.start()
        for _ in range(2):
            ended.wait()
            sizes.append(resident())
            begin.wait()
        for worker in workers:
            worker.join()
        assert same == [True] * 16
        growth = sizes[1] - sizes[0]
        assert growth < 4000, growth  # kilobytes; one kilobyte leaked by each call would be 4,000
    """, MALLOC_ARENA_MAX="1")  # fmt: skip


def test_threadpoolctl_limits_the_team():
    pytest.importorskip("threadpoolctl")
    run("""
        from threadpoolctl import threadpool_limits
        from fastmlp.kernels import chosen

        module = chosen()[x.dtype]
        module.wait_for_whole_teams(True)
        if module.openmp:
            work(0)
            assert "team" in module.branches_taken()
            with threadpool_limits(1):
                limited = work(0)
            assert "team" not in module.branches_taken()
            assert work(0) == limited and "team" in module.branches_taken()
    """, OMP_NUM_THREADS="2")  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the team moves its threads on Linux alone")
def test_a_worker_does_not_stay_on_its_callers_processor():
    """Whether it slept or looked for the call: there it would wait for the end of the caller's time slice."""
    run("""
        import os, threading
        from fastmlp.kernels import chosen

        module, processors, me = chosen()[x.dtype], os.sched_getaffinity(0), threading.get_native_id()
        module.wait_for_whole_teams(True)
        if module.openmp and len(processors) > 1:
            net = MLP([200, 300, 10], seed=1, n_threads=2)
            net.forward(x)
            for processor in sorted(processors)[:2] * 100:
                os.sched_setaffinity(me, {processor})
                net.forward(x)
                others = [os.sched_getaffinity(int(task)) for task in os.listdir("/proc/self/task") if int(task) != me]
                assert processors - {processor} in others, (processor, others)
    """, OMP_NUM_THREADS="2")  # fmt: skip


def test_a_network_is_trained_by_one_thread_at_a_time():
    run("""
        import threading
        from fastmlp import Callback

        class UntilRefused(Callback):
            def on_epoch_end(self, epoch, logs):
                self.net.stop_training = len(refused) == 100

        net, refused = MLP([200, 300, 10], seed=1, n_threads=1, task="classes"), []
        options = dict(epochs=10**6, batch_size=1, verbose=0, callbacks=[UntilRefused()])
        other = threading.Thread(target=lambda: net.fit(x, y, **options), daemon=True)
        other.start()
        while hasattr(net._turn, "free") and other.is_alive():
            pass
        while len(refused) < 100:
            try:
                net.train_step(x, y, 0.1)
            except RuntimeError as error:
                refused.append(str(error))
            else:
                raise AssertionError
        assert all("trained by another thread" in words for words in refused)
        other.join()
    """)


@pytest.mark.parametrize("library", ["torch", "sklearn.neural_network"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_other_libraries_in_the_process(library, when):
    needs(library.split(".")[0])
    load = f"import {library}"
    first, second = (load, "") if when == "before" else ("", load)
    assert run(f"{first}\nwork(0)\n{second}\nprint(work(0))") == run_once("print(work(0))")


FLUSHED = """
    tiny = np.array([2.0 ** -126], np.float32)
    assert (tiny * np.float32(0.5) == 0).all(), "this test needs an environment that flushes to zero"
    small = x * np.float32(1e-38)
    net = MLP([200, 300, 10], seed=2, n_threads=2, backend="compiled")
    net.weights[0][...] *= 1e-3
    wide = small.astype(np.float64)
    print(net.forward(small).tobytes().hex(), net.forward(wide).tobytes().hex(), work(3))
    assert (tiny * np.float32(0.5) == 0).all(), "the caller's setting was not put back"
    for backend in ("reference", *(["numba"] if numba_is_installed() else [])):
        try:
            MLP([200, 3], backend=backend)
        except RuntimeError as error:
            assert "flushes" in str(error)
        else:
            raise AssertionError(f"{backend} did not refuse")
"""
FIRST_REFUSED = 'for backend in ("reference", *(["numba"] if numba_is_installed() else [])):'
X86 = platform.machine() in ("x86_64", "AMD64")


def unflushed():
    lines = [line for line in textwrap.dedent(FLUSHED).splitlines() if "assert (tiny" not in line]
    return run_once("\n".join(lines[: lines.index(FIRST_REFUSED)]))


def test_after_torch_flushes_denormals():
    needs("torch")
    assert run("import torch\ntorch.set_flush_denormal(True)\n" + textwrap.dedent(FLUSHED)) == unflushed()


@pytest.mark.skipif(not X86 or not shutil.which("gcc"), reason="needs gcc, whose fast-math start-up code flushes on x86")
def test_after_a_library_built_with_fast_math(tmp_path):
    (tmp_path / "fast.c").write_text("double twice(double x) { return 2 * x; }")
    subprocess.run(["gcc", "-ffast-math", "-shared", "-fPIC", "fast.c", "-o", "fast.so"], cwd=tmp_path, check=True)
    load = f"import ctypes\nctypes.CDLL({str(tmp_path / 'fast.so')!r})\n"
    assert run(load + textwrap.dedent(FLUSHED)) == unflushed()
