"""When training breaks down it says so, stops, and leaves the network of the last epoch that was finite."""

import warnings

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.backends import kernels, numba_is_installed

needs_kernels = pytest.mark.skipif(kernels() is None, reason="the compiled kernels were not built")
needs_numba = pytest.mark.skipif(not numba_is_installed(), reason="Numba is not installed")


@pytest.fixture(params=["reference", pytest.param("compiled", marks=needs_kernels), pytest.param("numba", marks=needs_numba)])
def backend(request):
    return request.param


X = np.random.RandomState(0).standard_normal((40, 6)).astype(np.float32)


def network(backend="reference"):
    return MLP([6, 5, 3], "identity", seed=1, backend=backend)


def test_fit_stops_at_the_last_finite_epoch(backend):
    net, twin = network(backend), network(backend)
    options = dict(batch_size=40, learning_rate=6.0, verbose=0)
    with pytest.warns(RuntimeWarning, match="broke down in epoch .*learning rate 6: .*ten times smaller"):
        history = net.fit(X, X[:, :3], epochs=100, **options)
    assert 1 < history.epochs < 100 and net.epochs_trained == net.state.step == history.epochs
    assert np.isfinite(history.loss).all() and np.isfinite(net.parameters).all() and len(history.seconds) == history.epochs
    assert history.ended.startswith(f"training broke down in epoch {history.epochs + 1}, with learning rate 6")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = twin.fit(X, X[:, :3], epochs=history.epochs, **options)
    assert twin.hash() == net.hash() and again.loss == history.loss and again.ended is None
    net.parameters[:] = network().parameters  # it can go on
    assert net.fit(X, X[:, :3], epochs=1, learning_rate=0.1, verbose=0).ended is None


def test_a_first_epoch_that_breaks_down_leaves_the_network_as_it_was(backend):
    net = network(backend)
    before = net.hash()
    for y, rate, batch_size in ((X[:, :3] * 1e5, 3e38, 40), (X[:, :3], 1e35, 20)):
        # A parameter overflows while the loss is finite, or the second step's loss is not.
        with pytest.warns(RuntimeWarning, match="epoch 1"):
            history = net.fit(X, y, epochs=3, batch_size=batch_size, learning_rate=rate, verbose=0)
        assert net.hash() == before and history.epochs == net.epochs_trained == net.state.step == 0 and history.ended


@pytest.mark.filterwarnings("ignore:x is far from unit size")
def test_inputs_that_overflow_once_they_are_divided_break_training_down(backend):
    net = MLP([6, 3], input_scale=1e-30, seed=1, backend=backend)  # x is finite: x / input_scale is not
    with pytest.warns(RuntimeWarning, match="broke down in step 1"):
        assert np.isnan(net.train_step(X * 1e10, X[:, :3], 0.1)) and net.state.step == 1


def test_a_step_that_breaks_down_says_so_once(backend):
    net = network(backend)
    net.train_step(X, X[:, :3], 1e30)
    with pytest.warns(RuntimeWarning, match="broke down in step 2, with learning rate 0.5"):
        assert not np.isfinite(net.train_step(X, X[:, :3], 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.train_step(X, X[:, :3], 0.5)
        net.train_step(X.tolist(), X[:, :3], 0.5)
