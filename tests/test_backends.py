"""Which backend runs, on how many threads, and what is said about it."""

import contextlib
import math
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from conftest import needs_kernels, run_program

import fastmlp
from fastmlp import MLP, backends, reference, threads
from fastmlp.backends import kernels

FACTS = {"compiler": "gcc 12.2", "openmp": True, "isas_built": ["portable", "avx2"], "isa": "avx2"}


@pytest.fixture
def without_kernels(monkeypatch):
    """Neither compiled kernels nor Numba."""

    def missing():
        raise ImportError("the backend 'numba' needs Numba")

    monkeypatch.setattr(backends, "kernels", lambda: None)
    monkeypatch.setattr(backends, "numba_is_installed", lambda: False)
    monkeypatch.setitem(backends.BACKENDS, "numba", missing)
    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)


@pytest.fixture
def with_kernels(monkeypatch):
    """Kernels that are the reference under another name."""
    module = types.SimpleNamespace(DefaultEnvironment=contextlib.nullcontext)
    stand_in = types.SimpleNamespace(Engine=reference.Engine, chosen=lambda: {np.dtype(np.float32): module},
                                     config=lambda: dict(FACTS))  # fmt: skip
    monkeypatch.setattr(backends, "kernels", lambda: stand_in)
    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)
    return stand_in


def test_it_is_imported_without_docstrings():
    subprocess.run([sys.executable, "-OO", "-c", "import fastmlp"], check=True)


def test_the_argument_comes_before_the_environment(with_kernels, monkeypatch):
    assert backends.load().name == "compiled"
    monkeypatch.setenv("FASTMLP_BACKEND", "reference")
    assert backends.load().name == "reference"
    assert backends.load("compiled") == ("compiled", with_kernels.Engine, contextlib.nullcontext)
    assert MLP([2, 2]).backend == "reference" and MLP([2, 2], backend="compiled").backend == "compiled"


def test_the_reference_stands_in_where_nothing_was_compiled(without_kernels):
    assert backends.load()[:2] == ("reference", reference.Engine)


def test_numba_comes_before_the_reference(without_kernels, monkeypatch, recwarn):
    parts = (reference.Engine, contextlib.nullcontext)
    monkeypatch.setitem(backends.BACKENDS, "numba", lambda: parts)
    monkeypatch.setattr(backends, "numba_is_installed", lambda: True)
    assert backends.load() == ("numba", *parts)
    with pytest.warns(RuntimeWarning, match="its Numba backend.*To get them, .*FASTMLP_BACKEND=numba"):
        backends.warn_if_slow()


def test_unknown_and_missing_backends(without_kernels, monkeypatch):
    with pytest.raises(ValueError, match="backend must be one of reference, compiled, numba, not 'gpu'"):
        MLP([2, 2], backend="gpu")
    with pytest.raises(TypeError, match="backend must be one of"):
        MLP([2, 2], backend=3)
    with pytest.raises(ImportError, match="'compiled' was not built.*install a C compiler"):
        MLP([2, 2], backend="compiled")
    monkeypatch.setenv("FASTMLP_BACKEND", "fast")
    with pytest.raises(ValueError, match="FASTMLP_BACKEND must be one of reference, compiled, numba, not 'fast'"):
        MLP([2, 2])


def test_the_warning_comes_only_where_nobody_chose(without_kernels, monkeypatch, recwarn):
    for checkout, remedy in ((True, "pip install -e .* in the checkout"), (False, "install a C compiler")):
        monkeypatch.setattr(backends, "_is_checkout", lambda there=checkout: there)
        with pytest.warns(RuntimeWarning, match=f"slow NumPy reference.*{remedy}"):
            backends.warn_if_slow()
    recwarn.clear()
    monkeypatch.setenv("FASTMLP_BACKEND", "reference")
    backends.warn_if_slow()
    assert not recwarn


def test_the_warning_comes_once_and_at_import(monkeypatch):
    code = (
        "import sys; sys.modules['fastmlp.kernels'] = sys.modules['numba'] = None\n"  # to import: ModuleNotFoundError
        "import fastmlp\n"
        "fastmlp.MLP([2, 2]); fastmlp.MLP([2, 2])([0, 0]); fastmlp.show_config()"
    )
    for name in ("FASTMLP_BACKEND", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)
    done = run_program(code)
    assert done.stderr.count("RuntimeWarning: fastmlp is running on its slow NumPy reference") == 1
    assert "backend           reference" in done.stdout


def test_trouble_with_the_kernels_is_not_taken_for_their_absence(monkeypatch):
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "fastmlp.kernels":
                raise ImportError("FASTMLP_ISA=avx1024 is not an instruction set")

    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "fastmlp.kernels", raising=False)
    monkeypatch.delattr(fastmlp, "kernels", raising=False)
    with pytest.raises(ImportError, match="avx1024"):
        backends.load()


@needs_kernels
def test_built_kernels_are_the_default(monkeypatch):
    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)
    assert MLP([2, 2]).backend == "compiled"
    assert set(kernels().config()) == set(FACTS)


def test_show_config(with_kernels, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fastmlp.config() | FACTS == fastmlp.config()
    fastmlp.show_config()
    shown = capsys.readouterr().out
    for words in (fastmlp.__version__, "gcc 12.2", "portable, avx2; chosen: avx2", "compiled", "3 unless told"):
        assert words in shown


def test_show_config_says_that_a_build_without_openmp_has_one_thread(with_kernels, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with_kernels.config = lambda: {**FACTS, "openmp": False}
    assert fastmlp.config()["threads"] == 1
    fastmlp.show_config()
    assert "OpenMP            no: this build works on one thread" in capsys.readouterr().out


def test_show_config_without_kernels(without_kernels, capsys):
    assert fastmlp.config()["isa"] is None and fastmlp.config()["backend"] == "reference"
    fastmlp.show_config()
    assert "the compiled kernels were not built" in capsys.readouterr().out


@pytest.mark.parametrize("value, expected", [("3", 3), (" 5,2 ", 5), ("0", 7), ("-1", 7), ("many", 7), ("", 7)])
def test_omp_num_threads_comes_first_if_it_is_valid(monkeypatch, value, expected):
    monkeypatch.setattr(threads, "_processors", lambda: 7)
    monkeypatch.setattr(threads, "cpu_quota", lambda: math.inf)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.default_threads() == expected
    assert MLP([2, 2], backend="reference").n_threads == expected
    assert MLP([2, 2], backend="reference", n_threads=2).n_threads == 2


@pytest.mark.parametrize("processors, quota, expected", [(8, 1.5, 2), (2, 8.0, 2), (4, math.inf, 4), (4, 0.1, 1)])
def test_threads_by_processors_and_quota(monkeypatch, processors, quota, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_processors", lambda: processors)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert threads.default_threads() == expected


@pytest.mark.parametrize("backend", ["reference", pytest.param("compiled", marks=needs_kernels)])
def test_more_threads_than_any_work_can_use(backend, monkeypatch):
    most = threads.most_threads()
    with pytest.warns(UserWarning, match=f"n_threads=100000 is more than .*: {most} are taken"):
        net = MLP([300, 100, 10], loss="cross_entropy", seed=0, n_threads=100_000, backend=backend)
    assert net.n_threads == most
    x, y = np.random.RandomState(0).random_sample((500, 300)), np.arange(500) % 10
    twin = MLP([300, 100, 10], loss="cross_entropy", seed=0, n_threads=1, backend=backend)
    assert net.train_step(x, y, 0.1) == twin.train_step(x, y, 0.1) and net(x).tobytes() == twin(x).tobytes()
    monkeypatch.setenv("OMP_NUM_THREADS", "40000")
    assert threads.default_threads() == most


@needs_kernels
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity masks here")
@pytest.mark.parametrize("setting", ["OMP_PROC_BIND=true", "OMP_PLACES=cores", "GOMP_CPU_AFFINITY=0-1023"])
def test_a_thread_that_openmp_bound_counts_all_processors(setting):
    name, value = setting.split("=")
    environment = {**os.environ, name: value, "OMP_NUM_THREADS": ""}
    program = "import os; n = len(os.sched_getaffinity(0)); import fastmlp; print(fastmlp.config()['threads'], n)"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    n_threads, processors = map(int, done.stdout.split())
    assert n_threads == max(1, math.ceil(min(processors, threads.cpu_quota())))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity masks here")
def test_the_affinity_mask_counts(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 6})
    for name in threads.BINDING:
        monkeypatch.delenv(name, raising=False)
    assert threads._processors() == 3


@pytest.mark.parametrize(
    "membership, files, quota",
    [
        ("0::/a/b\n", {"a/b/cpu.max": "250000 100000", "a/cpu.max": "max 100000"}, 2.5),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "150000 100000"}, 1.5),
        ("0::/../elsewhere\n", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/\n", {}, math.inf),
        ("4:cpu,cpuacct:/d\n3:memory:/d\n",
         {"cpu,cpuacct/d/cpu.cfs_quota_us": "300000", "cpu,cpuacct/d/cpu.cfs_period_us": "100000"}, 3.0),
        ("4:cpu:/d\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("3:memory:/d\n", {"cpu.max": "100000 100000"}, math.inf),
    ],
)  # fmt: skip
def test_quotas_of_control_groups(tmp_path, membership, files, quota):
    (tmp_path / "membership").write_text(membership)
    for name, contents in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents + "\n")
    assert threads.cpu_quota(tmp_path / "root", tmp_path / "membership") == quota


def test_no_control_groups(tmp_path):
    assert threads.cpu_quota(tmp_path, tmp_path / "missing") == math.inf


@needs_kernels
def test_an_instruction_set_that_is_not_there_is_an_error_of_the_first_network_not_of_the_import(monkeypatch):
    program = "import fastmlp\ntry:\n    fastmlp.MLP([3, 2])\nexcept ValueError as error:\n    print(error)"
    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)
    done = run_program(program, FASTMLP_ISA="mmx")
    assert done.stdout == "FASTMLP_ISA is 'mmx', expected one of avx512, avx2, portable\n"
    assert not done.stderr


@needs_kernels
@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="asks Linux")
@pytest.mark.parametrize("isa, flags", [
    ("avx2", {"avx2", "fma"}), ("avx512", {"avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"}),
])  # fmt: skip
def test_what_the_processor_has(isa, flags):
    """The processor's own answer is the system's."""
    with open("/proc/cpuinfo") as file:
        found = next((set(line.split()) for line in file if line.startswith("flags")), set())
    module = kernels().modules("portable")[np.dtype(np.float32)]
    assert module.cpu_supports(isa) == (flags <= found)
