"""What the bits do not depend on: other rows, backend, instruction set, threads, layout, the environment, forks."""

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product

import numpy as np
import pytest
from conftest import ENVIRONMENTS, LAYOUTS, assert_same_bits, environment
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from fastmlp import ACTIVATIONS, MLP, SGD, reference, schedules
from fastmlp.backends import kernels
from fastmlp.reference import Samples, Steps, Update

if kernels() is None:
    pytest.skip("the compiled kernels were not built", allow_module_level=True)

ISAS = kernels().available()
DTYPES = ("float32", "float64")
EVERYWHERE = list(product(ISAS, DTYPES))
THREADS = (1, 2, 3)
RUNS = [  # hidden activation, output activation, loss
    ("sigmoid", "sigmoid", "squared_error"), ("relu", "softmax", "cross_entropy"), ("tanh", "tanh", "squared_error"),
    ("relu", "sigmoid", "binary_cross_entropy"), ("identity", "identity", "squared_error"),
    ("sigmoid", "softmax", "cross_entropy"), ("tanh", "relu", "squared_error"),
]  # fmt: skip
SIZES = (24, 17, 9, 4)


def module_of(isa, dtype):
    return kernels().modules(isa)[np.dtype(dtype)]


def network(backend="reference", n_threads=1, isa=None, sizes=SIZES, **options):
    """A network, its engine taken from an instruction set's module where one is named."""
    net = MLP(sizes, seed=3, backend=backend, n_threads=n_threads, task="classes", **options)
    if isa is not None:
        engine = module_of(isa, net.dtype).Engine
        net._engine = engine(net.layer_sizes, net.layer_activations, net.loss, net.parameters, n_threads, net.input_scale)
    return net


@cache
def data(rows, n_in, n_out):
    rng = np.random.RandomState(rows)
    return rng.standard_normal((rows, n_in)).astype(np.float32), rng.randint(0, n_out, rows)


def trained(rows, batch_size, epochs=2, learning_rate=0.5, pixels=False, **options):
    """Everything that a run shows: the hash, the history, an evaluation, outputs and gradients."""
    net = network(**options, input_scale=255 if pixels else 1)
    x, y = data(rows, net.layer_sizes[0], net.layer_sizes[-1])
    if pixels:
        x = (x * 60 + 128).clip(0, 255).astype(np.uint8)
    history = net.fit(x, y, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, verbose=0)
    loss, gradients = net.gradients(x, y)
    outputs = net.forward(x)
    return (
        net.hash(), history.loss, history.accuracy, net.evaluate(x, y), loss, gradients.parameters.tobytes(),
        outputs.tobytes(), [a.tobytes() for a in net.activations(x)], net.predict(x).tobytes(),
        net.train_step(x, y, 0.25), net.hash(),
    )  # fmt: skip


@cache
def trained_by_the_reference(options):
    return trained(**dict(options))


def reference_run(**options):
    return trained_by_the_reference(tuple(options.items()))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden, output, loss", RUNS)
def test_whole_runs(hidden, output, loss, dtype, isa):
    options = dict(rows=300, batch_size=32, learning_rate=0.05, activation=hidden, output_activation=output, loss=loss,
                   dtype=dtype)  # fmt: skip
    for n_threads in THREADS:
        assert trained(**options, backend="compiled", isa=isa, n_threads=n_threads) == reference_run(**options)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pixels", [False, True])
def test_whole_runs_that_share_work_out(pixels, dtype, isa):
    """Batches so large that threads pay, and that totals are carried between chunks of rows."""
    options = dict(rows=401, batch_size=300, epochs=1, activation="relu", loss="cross_entropy", dtype=dtype,
                   sizes=(60, 70, 40, 5), pixels=pixels)  # fmt: skip
    for n_threads in THREADS:
        assert trained(**options, backend="compiled", isa=isa, n_threads=n_threads) == reference_run(**options)


@pytest.mark.parametrize("isa", ISAS)
def test_threads_that_overtake_each_other(isa):
    """More threads than processors, small layers of unlike sizes, totals carried: again and again the same bits."""
    x, y = data(700, 90, 3)
    hashes = set()
    for n_threads in [1] + [4] * 25:
        net = network("compiled", n_threads, isa, sizes=(90, 40, 3))
        net.fit(x, y, epochs=2, batch_size=350, learning_rate=0.1, verbose=0)
        hashes.add(net.hash())
    assert len(hashes) == 1


@pytest.mark.parametrize("isa", ISAS)
def test_a_team_that_is_tried_against_one_thread(isa):
    kernel, sizes = module_of(isa, "float32"), (300, 20, 5)
    if not kernel.openmp:
        pytest.skip("this build has no teams")
    nets = [network("compiled", n_threads, isa, sizes) for n_threads in (1, 2)]
    kernel.branches_taken()
    for net in nets[::-1]:
        epochs = 150 if isa == "portable" else 800  # so many that the other way is tried, or even again
        net.fit(*data(200, 300, 5), epochs=epochs, batch_size=10, learning_rate=0.1, verbose=0)
        taken = kernel.branches_taken()
        assert ("team" in taken) == (net is nets[1]) and "one thread" in taken
    assert nets[0].hash() == nets[1].hash()


@pytest.mark.parametrize("way", ["adam", "l2", "dropout"])
def test_what_is_each_steps_own_while_a_team_is_tried(way):
    """The numbers of a rule, its penalties and the step that dropout draws by, from one run of steps to the next.

    On the fastest instruction set: what goes from run to run is the same source on all.
    """
    with_l2 = SGD(learning_rate=schedules.Cosine(0.1, epochs=15), l2=1e-2)
    how = {"adam": {"optimizer": "adam"}, "l2": {"optimizer": with_l2}, "dropout": {"dropout": 0.3}}[way]
    hashes, losses = set(), set()
    for n_threads in (1, 2):
        net = network("compiled", n_threads, ISAS[0], sizes=(300, 20, 5))
        history = net.fit(*data(1700, 300, 5), epochs=15, batch_size=100, verbose=0, **how)
        hashes.add(net.hash())
        losses.add(tuple(history["loss"]))
    assert len(hashes) == len(losses) == 1


@pytest.mark.parametrize("scale", [1, 255, 7])
@pytest.mark.parametrize("isa", ISAS)
def test_steps_of_changing_size_and_type_on_one_network(isa, scale):
    """The memory that an engine keeps between calls is laid out anew for each."""
    for how in (("compiled", 1, isa), ("compiled", 2, isa)):
        assert hash_after_changing_steps(scale, *how) == hash_after_changing_steps(scale, "reference")


@cache
def hash_after_changing_steps(scale, *how):
    net, (x, y) = network(*how, sizes=(300, 20, 5), input_scale=scale), data(400, 300, 5)
    pixels = np.random.RandomState(0).randint(0, 256, x.shape).astype(np.uint8)
    for rows, inputs in product((40, 400, 7, 300), (x, pixels, x)):
        net.fit(inputs[:rows], y[:rows], epochs=1, batch_size=rows, learning_rate=0.1, verbose=0)
    return net.hash()


FEWER_THREADS = """
from test_invariance import trained
for sizes, rows, batch_size in (((300, 20, 5, 4), 200, 40), ((90, 120, 70, 3), 300, 300)):
    runs = [trained(rows, batch_size, backend="compiled", n_threads=n, sizes=sizes)[0] for n in (1, 3, 5)]
    assert len(set(runs)) == 1, sizes
"""


def test_where_openmp_gives_fewer_threads_than_asked_for():
    environment = dict(os.environ, OMP_THREAD_LIMIT="2", PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    subprocess.run([sys.executable, "-c", FEWER_THREADS], env=environment, check=True, timeout=120)


RUN_BY_ENVIRONMENT = """
from test_invariance import trained
from fastmlp import config
print(config()["backend"], trained(rows=90, batch_size=20)[0])
"""


@pytest.mark.parametrize("environment", [{"FASTMLP_BACKEND": "reference"}] + [{"FASTMLP_ISA": isa} for isa in ISAS])
def test_runs_chosen_by_the_environment(environment):
    script = RUN_BY_ENVIRONMENT.replace("batch_size=20", "batch_size=20, backend=None, n_threads=2")
    folder = os.path.dirname(__file__)
    result = subprocess.run([sys.executable, "-c", script], cwd=folder, env=os.environ | environment,
                            capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    backend = environment.get("FASTMLP_BACKEND", "compiled")
    assert result.stdout.split() == [backend, reference_run(rows=90, batch_size=20)[0]]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("backend", ["reference", "compiled"])
def test_layout_of_the_data(backend, layout):
    x, y = data(70, SIZES[0], SIZES[-1])
    targets = np.eye(SIZES[-1], dtype=np.float32)[y]
    expected, other = network(backend), network(backend)
    expected.fit(x, targets, epochs=1, batch_size=9, verbose=0)
    other.fit(LAYOUTS[layout](x), LAYOUTS[layout](targets), epochs=1, batch_size=9, verbose=0)
    assert other.hash() == expected.hash()
    assert_same_bits([other.forward(LAYOUTS[layout](x))], [expected.forward(x)], layout)
    assert_same_bits(other.activations(LAYOUTS[layout](x)), expected.activations(x), layout)
    assert other.evaluate(LAYOUTS[layout](x), LAYOUTS[layout](y)) == expected.evaluate(x, y)


@pytest.mark.parametrize("isa", [None, *ISAS])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output, loss", [("softmax", "cross_entropy"), ("tanh", "squared_error")])
def test_a_row_does_not_depend_on_the_rows_around_it(output, loss, dtype, isa):
    backend = "reference" if isa is None else "compiled"
    options = dict(isa=isa, activation="relu", output_activation=output, loss=loss, dtype=dtype, sizes=(600, 33, 19, 5))
    nets = [network(backend, n_threads, **options) for n_threads in (THREADS if isa else (1,))]
    x = data(800, 600, 5)[0].astype(dtype)
    x[3], x[13] = np.nan, np.inf
    few = 60 if isa else 15  # for the sake of the reference's time
    alone = np.concatenate([nets[0].forward(x[i : i + 1]) for i in range(few)])
    for net in nets:
        for start, stop in ((0, few), (0, 2), (1, 8), (0, 800)) if isa else ((0, few), (1, 8)):
            rows = slice(start, min(stop, few))
            assert_same_bits([net.forward(x[start:stop])[: rows.stop - start]], [alone[rows]], (start, stop))
        assert_same_bits([net.activations(x[:few])[-1]], [alone], "activations")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_row_of_any_batch(examples):
    isa, dtype = examples.draw(st.sampled_from(EVERYWHERE))
    rows = examples.draw(st.integers(1, 40))
    sizes = tuple(examples.draw(st.integers(1, 40)) for _ in range(3))
    net = network("compiled", 1, isa, sizes=sizes, dtype=dtype)
    element = st.floats(-1e3, 1e3, width=32)
    x = examples.draw(arrays_of.arrays(dtype, (rows, sizes[0]), elements=element))
    i = examples.draw(st.integers(0, rows - 1))
    assert_same_bits([net.forward(x)[i]], [net.forward(x[i : i + 1])[0]], (isa, rows, i))


def matrices(dtype, shape):
    """Matrices of any numbers; in float64 of ordinary sizes, for the sake of the reference's time."""
    width = np.dtype(dtype).itemsize * 8
    if dtype == "float64":
        ordinary = st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100)
        return arrays_of.arrays(dtype, shape, elements=ordinary | st.sampled_from([0.0, -0.0, np.inf, np.nan, 1e-310]))
    return arrays_of.arrays(dtype, shape, elements=st.floats(width=width))


widths = st.integers(0, 20) | st.sampled_from([31, 32, 33])


@settings(max_examples=60, deadline=None)
@given(st.data(), widths, widths, st.integers(1, 40), st.sampled_from(list(ACTIVATIONS)))
def test_dense_forward_of_anything(examples, rows, n_in, n_out, activation):
    dtype = examples.draw(st.sampled_from(DTYPES))
    x, weights, bias = (examples.draw(matrices(dtype, shape)) for shape in ((rows, n_in), (n_in, n_out), (n_out,)))
    expected = reference.dense_forward(x, weights, bias, activation)
    for isa in ISAS:
        assert_same_bits([module_of(isa, dtype).dense_forward(x, weights, bias, activation)], [expected], isa)


@settings(max_examples=60, deadline=None)
@given(st.data(), widths, widths, widths, st.booleans())
def test_dense_backward_of_anything(examples, rows, n_in, n_out, input_gradient):
    dtype = examples.draw(st.sampled_from(DTYPES))
    shapes = (rows, n_in), (n_in, n_out), (rows, n_out)
    x, weights, grad_z = (examples.draw(matrices(dtype, shape)) for shape in shapes)
    expected = reference.dense_backward(x, weights, grad_z, input_gradient)
    for isa in ISAS:
        results = module_of(isa, dtype).dense_backward(x, weights, grad_z, input_gradient)
        assert_same_bits(results[:2], expected[:2], isa)
        if input_gradient:
            assert_same_bits(results[2:], expected[2:], isa)
        else:
            assert results[2] is None and expected[2] is None


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("isa, dtype", EVERYWHERE)
def test_the_kernels_set_their_own_environment(isa, dtype, name):
    module, rng = module_of(isa, dtype), np.random.RandomState(0)
    tiny = np.finfo(dtype).tiny
    a, b = (rng.standard_normal((17, 17)).astype(dtype) for _ in range(2))
    a *= tiny  # subnormal products and sums
    y, wide, positive, step = np.eye(17, dtype=dtype), b * 40, np.abs(b), 3 * a  # NumPy would compute them otherwise
    calls = [
        lambda: module.fma(a, b, a), lambda: module.sum_of_products(a, b, a[0]), lambda: module.ordered_sum(a),
        lambda: module.dense_forward(a, b, a[0], "tanh"), lambda: module.dense_backward(a, b, b)[0],
        lambda: module.dense_backward(a, b, b)[1], lambda: module.activation_gradient("sigmoid", a, b),
        lambda: module.output_gradient("squared_error", "tanh", a, a[::-1]), lambda: module.exp(wide),
        lambda: module.row_losses("squared_error", a, a, b), lambda: module.row_losses("cross_entropy", b, b, y),
        lambda: module.activate("sigmoid", wide), lambda: module.log(positive), lambda: module.log1p(positive),
        lambda: module.expm1(b), lambda: updated(module.sgd_update, a, step),
        lambda: layer_updated(module.dense_update, a, b),
    ]  # fmt: skip
    expected = [call() for call in calls]
    with environment(name) as unchanged:
        flushes = np.array([tiny], dtype) * np.array(0.5, dtype) == 0
        results = [call() for call in calls]
        left_alone = unchanged()
    assert left_alone and flushes.all() == (name == "flush to zero")
    assert_same_bits(results, expected, name)


def updated(sgd_update, parameters, gradients):
    w = parameters.copy()
    sgd_update(w.ravel(), gradients.ravel(), 0.375)
    return w


def layer_updated(dense_update, a, b):
    w, bias = a.copy(), a[0].copy()
    dense_update(b, w, bias, a, 0.375)
    return np.vstack([w, bias])


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_training_in_another_environment(n_threads, isa, name):
    x, y = data(400, 60, 5)
    x = x * np.float32(1e-36)  # subnormal gradients
    results = []
    for odd in (False, True):
        net = network("compiled", n_threads, isa, sizes=(60, 70, 5))
        losses, correct, gradients = np.empty(400), np.empty(400, np.uint8), np.empty_like(net.parameters)
        out, update = np.empty((400, 5), np.float32), Update("sgd", np.float32([[0.1]]))
        with environment(name) if odd else contextlib.nullcontext(lambda: True) as unchanged:
            net._engine.gradients(Samples(x, y), gradients, losses)
            loss = net._engine.train(Samples(x, y), update, Steps(0, 400, 300), losses, correct)
            steps = [net.train_step(x, y, rate) for rate in (0.1, 0.7, 1e-39)]  # rounded up, down, and to a subnormal
            net._engine.forward(x, out)
            left_alone = unchanged()
        assert left_alone
        results.append([np.array(loss), np.array(steps), gradients, net.parameters, losses, correct, out])
    assert_same_bits(results[1], results[0], name)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_reference_refuses_another_environment(name):
    net = network("reference")
    x, _ = data(5, SIZES[0], SIZES[-1])
    with environment(name), pytest.raises(RuntimeError, match="this thread"):
        net.forward(x)


FORK = """
import os, signal, sys, warnings
import numpy as np
from fastmlp import MLP
net = MLP([200, 300, 10], seed=1, n_threads=2, backend="compiled", task="classes")
x = np.random.RandomState(0).random_sample((500, 200)).astype(np.float32)
y = np.arange(500) % 10
def run():
    out = net.forward(x).tobytes()
    loss, gradients = net.gradients(x, y)
    return out, loss, gradients.parameters.tobytes()
expected = run()
child = os.fork()
if child == 0:
    signal.alarm(30)  # ends a child that hangs
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same = run() == expected
        again = run() == expected
    os._exit(0 if same and again and any("forked" in str(w.message) for w in caught) else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) or run() != expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork") or not kernels().config()["openmp"], reason="no fork, or no threads here")
def test_a_forked_child_computes_the_same_and_does_not_hang():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=60, check=True)


@pytest.mark.parametrize("backend, n_threads", [("reference", 1), ("compiled", 1), ("compiled", 2)])
def test_many_python_threads_on_one_network(backend, n_threads):
    net = network(backend, n_threads, sizes=(60, 120, 7))
    x = data(300 if backend == "compiled" else 8, 60, 7)[0]
    expected = net.forward(x).tobytes()
    callers = 6
    together = threading.Barrier(callers)

    def call(_):
        together.wait(30)
        return [net.forward(x).tobytes() == expected for _ in range(20 if backend == "compiled" else 2)]

    with ThreadPoolExecutor(callers) as pool:
        assert all(all(same) for same in pool.map(call, range(callers)))
