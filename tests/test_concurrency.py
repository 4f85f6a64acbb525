"""Python threads that call at once, with the global lock and without it: the bits of one call after the other, or an error."""

import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from conftest import run_program

import fastmlp.functional as F
from fastmlp import MLP, Adam

X = np.random.RandomState(0).standard_normal((8, 12)).astype(np.float32)
Y = np.arange(8) % 4
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.fixture(autouse=True)
def restless():
    """With the global lock, too, threads take turns within a call."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(*functions):
    """The results of functions that as many threads begin to call at the same moment."""
    begin = threading.Barrier(len(functions))

    def call(function):
        begin.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(call, functions))


def network(backend, seed=0, sizes=(12, 16, 4)):
    return MLP(list(sizes), loss="cross_entropy", seed=seed, backend=backend, n_threads=2)


def step(net):
    net.train_step(X, Y, 0.1)


def plain_fit(net):
    net.fit(X, Y, epochs=1, batch_size=len(X), learning_rate=0.1, shuffle=False, verbose=0)


def adam_step(net):
    net.train_step(X, Y, optimizer=Adam())


def dropping_fit(net):
    net.fit(X, Y, epochs=1, batch_size=3, learning_rate=0.1, dropout=0.5, verbose=0)


WAYS = step, adam_step, dropping_fit


def calls_of(backend):
    return 20 if backend == "reference" else 500


MANY = 10  # times as many calls of what is so short that two seldom meet


def successes(train, net, calls):
    """How many of so many calls took their turn; the others must have found it taken."""
    taken = 0
    for _ in range(calls):
        try:
            train(net)
            taken += 1
        except RuntimeError as error:
            assert "is being trained by another thread" in str(error)
    return taken


def trained(net, train, calls):
    for _ in range(calls):
        train(net)
    return net.hash(), net.state.step


@pytest.mark.parametrize(
    "ways, many",
    [((step, step), MANY), ((adam_step, adam_step), 1), ((step, plain_fit), 1), ((dropping_fit, dropping_fit), 1)],
)
def test_of_those_who_train_one_network_one_goes_on(backend, ways, many):
    net, calls = network(backend), many * calls_of(backend)
    for _ in range(3):
        taken = sum(at_once(*(partial(successes, way, net, calls) for way in ways * 2)))
        assert taken and net._turn.free
        assert (net.hash(), net.state.step) == trained(network(backend), ways[0], taken)
        net.reset()


def test_a_reset_among_those_who_train(backend):
    net, calls = network(backend), calls_of(backend) * MANY
    at_once(*(partial(successes, way, net, calls) for way in (step, step, MLP.reset)))
    assert (net.hash(), net.state.step) == trained(network(backend), step, net.state.step)


def readings(net):
    """The bytes of all that can be asked of a network, for few rows and for so many that a team pays."""
    found = []
    for times in (1, 100):
        x, y = np.concatenate([X] * times), np.concatenate([Y] * times)
        loss, gradients = net.gradients(x, y)
        evaluation = net.evaluate(x, y)
        found += [net.forward(x), net.predict(x), *net.activations(x), loss, gradients.parameters, evaluation.loss]
    return b"".join(np.asarray(array).tobytes() for array in found)


def functions(backend):
    w, b, wide = np.full((12, 40), 0.25, np.float32), np.zeros(40, np.float32), np.concatenate([X] * 1000)
    a = F.dense_forward(wide, w, b, "sigmoid", backend=backend)
    grad = F.activation_gradient("sigmoid", a, a, backend=backend)
    F.sgd_update(w, F.dense_backward(wide, w, grad, backend=backend)[0], 0.1, backend=backend)
    losses = F.row_losses("squared_error", a, a, grad, backend=backend)
    return b"".join(array.tobytes() for array in (a, grad, w, losses, F.softmax(a, backend=backend)))


def test_those_who_read_one_network_while_others_train_others(backend):
    net, calls = network(backend), calls_of(backend) // 10
    training = [lambda seed=seed, way=way: trained(network(backend, seed), way, calls) for seed, way in enumerate(WAYS)]
    expected, expected_functions, expected_training = readings(net), functions(backend), [train() for train in training]
    reading = [lambda: {readings(net) for _ in range(calls)}] * 2
    results = at_once(*reading, lambda: {functions(backend) for _ in range(calls)}, *training)
    assert results == [{expected}, {expected}, {expected_functions}, *expected_training]


@pytest.mark.parametrize("way", WAYS)
def test_those_who_read_a_network_do_not_disturb_who_trains_it(backend, way):
    net, calls = network(backend), calls_of(backend) // 5
    *_, result = at_once(*[lambda: [readings(net) for _ in range(calls // 2)]] * 2, lambda: trained(net, way, calls))
    assert result == trained(network(backend), way, calls)


def test_it_needs_no_global_lock():
    if not FREE_THREADED:
        pytest.skip("this Python has a global lock")
    done = run_program("""
        import sys
        import numpy as np
        import fastmlp

        net = fastmlp.MLP([3, 4, 2], task="classes", seed=0)
        net.fit(np.eye(3), [0, 1, 1], epochs=1, verbose=0)
        assert not sys._is_gil_enabled()
    """, PYTHON_GIL="")  # fmt: skip
    assert done.returncode == 0, done.stderr
