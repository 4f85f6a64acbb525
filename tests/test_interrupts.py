"""Whatever is interrupted can go on: wherever a signal falls, no lock, no handler and no half a step stays behind."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import timeit

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.backends import kernels, numba_is_installed

needs_kernels = pytest.mark.skipif(kernels() is None, reason="the compiled kernels were not built")
needs_numba = pytest.mark.skipif(not numba_is_installed(), reason="Numba is not installed")


@pytest.fixture(params=["reference", pytest.param("compiled", marks=needs_kernels), pytest.param("numba", marks=needs_numba)])
def backend(request):
    return request.param


X = np.random.RandomState(0).standard_normal((4, 3)).astype(np.float32)
Y = np.array([0, 1, 1, 0])
# The last two take the same way through train_step, and the reference its time for it.
SIGNALS = {"compiled": 5000, "numba": 2500, "reference": 500 if numba_is_installed() else 2500}


def network(backend):
    return MLP([3, 4, 2], loss="cross_entropy", seed=0, backend=backend)


def train_on(net, calls):
    """Steps on all rows, by train_step and by fit, for so many calls or until something raises."""
    for i in range(calls):
        if i % 2:
            net.train_step(X, Y, 0.1)
        else:
            net.fit(X, Y, epochs=1, batch_size=4, learning_rate=0.1, shuffle=False, verbose=0)


@pytest.fixture
def alarms(monkeypatch):
    """alarms(seconds): Ctrl-C after that time."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs a timer that sends signals")
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_signals_at_random_moments(backend, alarms):
    net, moments, threads = network(backend), random.Random(0), threading.active_count()
    longest = max(3e-4, min(timeit.repeat(lambda: train_on(net, 2), number=1, repeat=10)))
    for alarm in range(SIGNALS[backend]):
        try:
            alarms(moments.uniform(1e-6, longest))
            train_on(net, 10**9)
        except KeyboardInterrupt:
            pass
        assert net._turn.free, alarm
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, alarm
    assert threading.active_count() <= threads + 1  # a pool's, which is kept
    net.train_step(X, Y, 0.1)
    twin = network("compiled" if kernels() else "reference")  # the same bits
    for _ in range(net.state.step):
        twin.train_step(X, Y, 0.1)
    assert twin.hash() == net.hash() and net.state.step > SIGNALS[backend] // 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_its_parent_trains_may_train_its_copy(backend):
    program = f"""
        import os, signal, threading, warnings
        import numpy as np
        from fastmlp import MLP

        warnings.simplefilter("ignore")
        x, y = np.random.RandomState(0).random_sample((500, 20)), np.arange(500) % 4
        net = MLP([20, 30, 4], loss="cross_entropy", seed=0, backend={backend!r}, n_threads=2)
        net.train_step(x, y, 0.1)
        trainer = threading.Thread(target=lambda: net.fit(x, y, epochs=10**6, batch_size=5, verbose=0), daemon=True)
        trainer.start()
        while hasattr(net._turn, "free"):
            pass
        for _ in range(5):
            child = os.fork()
            if not child:
                signal.alarm(60)  # ends a child that hangs
                net.train_step(x, y, 0.1)
                net.fit(x, y, epochs=1, verbose=0)
                os._exit(0 if net._turn.free else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        try:
            net.train_step(x, y, 0.1)  # while the parent's own thread still trains it
        except RuntimeError as error:
            assert "trained by another thread" in str(error)
        else:
            raise AssertionError
        os._exit(0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=300, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
