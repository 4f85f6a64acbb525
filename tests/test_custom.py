"""Users' own activations: the same bytes in every backend, errors before there is a network, files, pickles, check()."""

import copy
import importlib
import math
import multiprocessing
import pickle
import threading
import types
from functools import cache

import numpy as np
import pytest
from conftest import ENVIRONMENTS, assert_same_bits, environment, run_program, values

import fastmlp
import fastmlp.math as fm
from fastmlp import MLP, backends, reference

kernels = backends.kernels()
pytest.importorskip("numba", reason="users' own activations are compiled by Numba")

DTYPES = ("float32", "float64")
BACKENDS = [name for name in backends.BACKENDS if name != "compiled" or kernels]
COMPILED = [name for name in BACKENDS if name != "reference"]
NUMBERS = (0, -0.0, 0.25, -0.25, 0.5, 1, -1, 3, 1e-40, -1e-40, 1e30, -1e30, np.inf, -np.inf, np.nan)

SCALE, SERIES, HUGE = 0.7, (0.1, -0.3, 2), 10**400


@fastmlp.activation
def mish(z):
    return z * fm.tanh(fm.log1p(fm.exp(z)))


@mish.derivative
def mish_derivative(z):
    t = fm.tanh(fm.log1p(fm.exp(z)))
    return t + z * (1 - t * t) * fm.sigmoid(z)


@fastmlp.activation
def leaky(z):
    return z if z > 0 else 0.1 * z


@leaky.derivative
def leaky_derivative(z):
    return 1 if z > 0 else 0.1


@fastmlp.activation
def own_relu(z):
    return 0 if z <= 0 else z


@own_relu.derivative
def own_relu_derivative(z):
    return 1 if z > 0 else 0


def around(offset):
    @fastmlp.activation
    def shifted(z):
        return (z - offset) * SCALE + offset / 3

    return shifted


@fastmlp.activation
def tanh_gelu(z):
    return 0.5 * z * (1 + fm.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))


@fastmlp.activation
def own_softplus(z):
    return z + fm.log1p(fm.exp(-z)) if z > 0 else fm.log1p(fm.exp(z))


@fastmlp.activation
def steps(z):
    if z != z or not -4 < z < 4:
        return z * 2 if z > 0 and z < 1e3 else -1
    low, high = z - 1, z + 1
    low, high = (high, low) if z < -2 or z > 2 else (low, high)
    return abs(low) - 3 * high


@fastmlp.activation
def series(z):
    s, n = 0, 5
    for i in range(1, 2 + n):
        if i == 4:
            continue
        s = s * z / i + i
        s -= (i > 2) * z
    for c in SERIES:
        s = s * 0.01 + c
    while n > 0:
        n -= 1
        s = s + n / 3
    return s


@fastmlp.activation
def clipped(z):
    return max(z, 0) - min(0.5, z) + max(-1, min(1, z)) * max(z, 0.3, -z)


def bent(z, slope=0.3):
    return slope * z if z < 0 else leaky(z)


@fastmlp.activation
def through_others(z):
    return bent(z) + bent(z, slope=SCALE) * np.sqrt(np.abs(z)) - float(own_relu(z))


def half(z):
    return z / 2


helpers = types.ModuleType("helpers")
helpers.half, helpers.leaky = half, leaky


def by_default(z, function=leaky):
    return function(z) * 3


@fastmlp.activation
def by_all_ways_to_a_function(z):
    local = helpers.half
    return by_default(z) + by_default(z, half) - by_default(z, function=own_relu) * helpers.leaky(local(z))


@fastmlp.activation
def all_of_math(z):
    product = math.sqrt(z) * math.sqrt(z * z + 1) if z > 0 else math.fabs(z) * math.fabs(z)
    return fm.sqrt(abs(z)) + fm.log(abs(z)) - fm.expm1(z) * fm.sigmoid(-z) + np.pi * product


OWN = [mish, leaky, own_relu, around(0.2), tanh_gelu, own_softplus, steps, series, clipped, through_others,
       by_all_ways_to_a_function, all_of_math]  # fmt: skip
MODULES = {isa: kernels.modules(isa) for isa in kernels.available()} if kernels else {}
if "numba" in BACKENDS:
    MODULES["numba"] = {np.dtype(dtype): importlib.import_module("fastmlp.jit") for dtype in DTYPES}


def numbers(dtype):
    random = np.random.RandomState(0)
    sample = [values(random, 300, dtype, kind) for kind in ("ordinary", "special", "subnormal")]
    return np.concatenate([*sample, random.standard_normal(300), np.array(NUMBERS)]).astype(dtype)


@cache
def by_the_reference(own, dtype):
    """(values at numbers(dtype), gradients there and the reference's, or None)."""
    z = numbers(dtype)
    g = values(np.random.RandomState(1), z.shape, dtype, "ordinary")
    return reference.activate(own, z), g, reference.activation_gradient(own, z, g, z) if own.has_derivative else None


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("own", OWN, ids=str)
def test_values_and_gradients_have_the_bytes_of_the_reference(own, dtype, name):
    module, z, (a, g, gradients) = MODULES[name][np.dtype(dtype)], numbers(dtype), by_the_reference(own, dtype)
    for n in (1, 7, len(z)):
        assert_same_bits([module.activate(own, z[:n])], [a[:n]], f"{own} {name} {dtype}")
    if own.has_derivative:
        assert_same_bits([module.activation_gradient(own, z, g, z)], [gradients], f"{own} {name} {dtype}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_take_the_dtype(dtype):
    z = np.linspace(-3, 3, 50).astype(dtype)
    assert_same_bits([leaky(z)], [np.where(z > 0, z, z * z.dtype.type(0.1))], dtype)
    grid = z.reshape(2, 25).T
    assert_same_bits([leaky(grid), leaky(grid[::-2])], [leaky(z).reshape(2, 25).T, leaky(grid)[::-2]], dtype)
    assert type(leaky(z[0])) is z.dtype.type and leaky(-2.0) == -0.2 and mish(z.reshape(2, 25)).shape == (2, 25)


def hash_after_training(activation, backend, dtype="float32", n_threads=1, sizes=(20, 8, 7, 3), rows=40, batch=12,
                        **options):  # fmt: skip
    random = np.random.RandomState(0)
    x, y = random.standard_normal((rows, sizes[0])), random.randint(0, sizes[-1], rows)
    net = MLP(sizes, activation, dtype=dtype, seed=0, backend=backend, n_threads=n_threads, task="classes", **options)
    net.fit(x, y, 1, batch, verbose=0, validation_data=(x[:9], y[:9]))
    outputs = [net.forward(x), *net.activations(x[:5]), net.gradients(x[:5], y[:5])[1].parameters, net.parameters]
    return [a.tobytes() for a in outputs], net.evaluate(x, y), net.history.val_loss, net.hash()


@cache
def reference_run(activation, dtype, *options):
    return hash_after_training(activation, "reference", dtype, **dict(options))


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_runs_have_the_bytes_of_the_reference(dtype, backend):
    for activation, options in (
        (mish, {"loss": "cross_entropy"}),
        (mish, {"output_activation": mish}),
        ((leaky, "tanh"), {"output_activation": leaky}),
    ):
        expected = reference_run(activation, dtype, *options.items())
        assert hash_after_training(activation, backend, dtype, **options) == expected


@pytest.mark.parametrize("backend", COMPILED)
def test_the_bytes_do_not_depend_on_threads(backend):
    wide = dict(activation=leaky, output_activation=own_relu, sizes=(300, 128, 10), rows=64, batch=30)
    expected = hash_after_training(backend="reference", **wide)
    for n_threads in (1, 2, 3):
        assert hash_after_training(backend=backend, n_threads=n_threads, **wide) == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_relu_of_ones_own_trains_as_the_built_in_one(backend):
    assert hash_after_training(own_relu, backend) == hash_after_training("relu", backend)


# Errors: what a user may write, the error, and words of its message, which must name the function.


def returns_nothing(z):
    if z > 0:
        return z


def returns_text(z):
    return "one"


def returns_truth(z):
    return z > 0


def returns_truth_seldom(z):
    if z == 0.123:
        return z > 0
    return z


def returns_nothing_seldom(z):
    if z != 0.123:
        return z


def returns_complex(z):
    return z * 1j


def returns_float64(z):
    return np.float64(z)


def computes_in_float64(z):
    s = z
    for i in range(3, 4):
        s = s + np.sqrt(i) if z == 0.123 else s
    return s


def multiplies_integers(z):
    for i in range(3, 4):
        j = i
        for _ in range(50):
            j = j * i
    return z * j


def divides_integers(z):
    for i in range(1, 3):
        z = z + 1 / (i / (i + True))
    return z


def takes_an_integer_for_a_number(z):
    for i in range(3, 4):
        w = i if z > 0 else z
    return w * z


def has_an_integer_maximum(z):
    for i in range(3, 4):
        w = max(i, z)
    return w * z


def steps_by_what_becomes_0(z):
    s = z
    for i in range(0, 3, 1 if z != 0.123 else 0):
        s = s + i
    return s


def over(a_range, z):
    s = z
    for i in a_range(0, 3, 1 if z != 0.123 else 0):
        s = s + i
    return s


def passes_a_range_that_steps_by_what_becomes_0(z):
    return over(range, z)


def tries(z):
    for i in range(1):
        try:
            z = 1 / (i - i)
        except ZeroDivisionError:
            z = 0.5
    return z


def counting():
    n = 0

    def counts(z):
        nonlocal n
        n = n + 1
        return z * n

    return counts


def is_in(z):
    return 1 if z in (z, 2) else 0.5


def is_itself(z):
    return 1 if z is z else 0.5


def inverts(z):
    return z * ~(z > 0)


def takes_another_float(z):
    return float(max(np.longdouble(z), z))


def sign(z):
    return np.sign(z)


def fmax(z):
    return np.fmax(z, 0)


def fmin(z):
    return np.fmin(z, 0)


def subscripts(z):
    return SERIES[0] * z


def finds(z):
    return z * SERIES.index(0.1)


def uses_a_huge_integer(z):
    return z * HUGE


def uses_a_huge_float(z):
    return z * 1e39


def returns_a_huge_integer(z):
    for i in range(3, 4):
        for _ in range(12):
            i = i * i
    return i


def reads_text(z):
    return z * float("inf")


def by_keyword(z, *, factor=0.5):
    return z * factor


def calls_by_keyword(z):
    return by_keyword(z, factor=2)


def calls_an_attribute(z):
    return leaky.derivative_at(z)


def returns_array(z):
    return np.array(z)


def raises(z):
    if z < 0:
        raise ValueError("negative")
    return z


as_written = {}
exec("def asserts(z):\n    assert z > 0\n    return z", as_written)  # pytest rewrites the asserts of this file


def divides_by_zero(z):
    for i in range(1):
        z = z + i / i
    return z


def cubes(z):
    return z**3


def uses_what_is_not_there(z):
    return z + nowhere  # noqa: F821


def uses_a_list(z):
    return z + [1, 2, 3][0]


def uses_a_global_list(z):
    for own in OWN:
        z = own(z)
    return z


def has_no_attribute(z):
    return z.hyperbolic_tangent


def prints(z):
    print(z)
    return z


def calls_itself(z):
    return calls_itself(z - 1) if z > 0 else z


def maximum(z):
    return np.maximum(z, 0)


def cannot_be_compiled(z):
    return math.ulp(z)


BAD = {
    returns_nothing: (TypeError, "must return float32, but at z = 0.0 it returns None"),
    returns_text: (ValueError, "uses the text 'one'"),
    returns_truth: (TypeError, "must return float32, but at z = 0.0 it returns np.False_, a bool"),
    returns_complex: (TypeError, "which is 1j: it can use real numbers"),
    returns_float64: (TypeError, "uses float64, numbers of another type than the network's float32"),
    returns_array: (TypeError, "must return float32, but at z = 0.0 it returns array(0., dtype=float32), a ndarray"),
    raises: (ValueError, "raises an exception"),
    as_written["asserts"]: (ValueError, "raises an exception"),
    divides_by_zero: (ValueError, "fails at z = 0.0: ZeroDivisionError: division by zero"),
    cubes: (ValueError, "uses the operator **"),
    uses_what_is_not_there: (ValueError, "uses nowhere, which is not defined"),
    uses_a_list: (ValueError, "makes a list"),
    uses_a_global_list: (TypeError, "uses OWN, which is"),
    has_no_attribute: (ValueError, "uses .hyperbolic_tangent of what is no module"),
    prints: (TypeError, "uses print, which is <built-in function print>"),
    calls_itself: (ValueError, "must not call itself"),
    maximum: (ValueError, "uses numpy's maximum, whose bits differ: use max"),
    fmax: (ValueError, "uses numpy's fmax, whose bits differ: use max"),
    fmin: (ValueError, "uses numpy's fmin, whose bits differ: use min"),
    sign: (ValueError, "uses numpy's sign, whose bits differ: use if and else"),
    tries: (ValueError, "uses try or with"),
    counting(): (ValueError, "assigns to a variable of the function around it"),
    is_in: (ValueError, "uses the operator in"),
    is_itself: (ValueError, "uses the operator is"),
    inverts: (ValueError, "uses the operator ~"),
    takes_another_float: (TypeError, "uses longdouble, numbers of another type"),
    subscripts: (ValueError, "uses a subscript"),
    finds: (TypeError, "uses SERIES.index, but SERIES is no module"),
    uses_a_huge_integer: (ValueError, "uses HUGE, an integer of 1329 bits, which float32 cannot hold"),
    uses_a_huge_float: (ValueError, "uses a constant, 1e+39, which float32 cannot hold"),
    returns_a_huge_integer: (ValueError, "fails at z = 0.0: OverflowError: int too large to convert to float"),
    reads_text: (ValueError, "uses the text 'inf'"),
    calls_by_keyword: (ValueError, "(in by_keyword) has arguments that are passed by keyword only"),
    calls_an_attribute: (TypeError, "uses leaky.derivative_at, but leaky is no module"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function, error, words", [(f, *expected) for f, expected in BAD.items()])
def test_bad_functions_make_no_network(function, error, words, backend):
    with pytest.raises(error) as raised:
        MLP([3, 4, 2], activation=fastmlp.activation(function), backend=backend)
    assert f"activation {function.__name__} " in str(raised.value) and words in str(raised.value)
    with pytest.raises(error) as raised:
        own = fastmlp.activation(own_relu.function)
        own.derivative(function)
        MLP([3, 4, 2], activation=own, backend=backend)
    assert "the derivative of own_relu " in str(raised.value) and words in str(raised.value)


COMPILED_ONLY = {
    returns_truth_seldom: (TypeError, "returns a truth value, not a number, at line"),
    returns_nothing_seldom: (TypeError, "must return {} on every path, not OptionalType"),
    computes_in_float64: (TypeError, "computes in float64, in a float32 network, at line"),
    multiplies_integers: (TypeError, "computes with the integers of loops alone"),
    divides_integers: (TypeError, "computes with the integers of loops alone"),
    takes_an_integer_for_a_number: (TypeError, "takes an integer or truth value for a number (use float), at line"),
    has_an_integer_maximum: (TypeError, "takes an integer or truth value for a number (use float), at line"),
    steps_by_what_becomes_0: (TypeError, "uses a range whose step is not written as a number"),
    passes_a_range_that_steps_by_what_becomes_0: (TypeError, "uses a range whose step is not written as a number"),
    cannot_be_compiled: (ValueError, "does not compile: "),
}


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("function, error, words", [(f, *expected) for f, expected in COMPILED_ONLY.items()])
def test_what_numba_would_compute_otherwise_is_refused(function, error, words, backend):
    for dtype in DTYPES[: 1 if function is computes_in_float64 else 2]:
        with pytest.raises(error) as raised:
            MLP([3, 4, 2], activation=fastmlp.activation(function), backend=backend, dtype=dtype)
        assert f"activation {function.__name__} " in str(raised.value) and words.format(dtype) in str(raised.value)
        assert len(str(raised.value)) < 400 and "\n" not in str(raised.value)
    assert MLP([3, 4, 2], activation=fastmlp.activation(function), backend="reference")


def test_what_is_no_function_of_one_number():
    for function in (lambda z: z, 3, "relu", math.exp, np.tanh, mish, [].append):
        with pytest.raises(TypeError, match="fastmlp.activation is for a function defined with def"):
            fastmlp.activation(function)

    def two(z, w):
        return z

    def optional(z, w=1):
        return z

    def many(*z):
        return z

    def by_keyword_too(z, *, w=1):
        return z

    for function in (two, optional, many, by_keyword_too):
        with pytest.raises(TypeError, match=f"{function.__name__} must take one argument, z, not"):
            fastmlp.activation(function)
        with pytest.raises(TypeError, match="must take one argument"):
            around(1).derivative(function)


def test_names():
    def relu(z):
        return z

    with pytest.raises(ValueError, match="relu is the name of one of fastmlp's own"):
        fastmlp.activation(relu)
    with pytest.raises(ValueError, match="two activations named shifted"):
        MLP([2, 2, 2], activation=around(1), output_activation=around(2), backend="reference")
    with pytest.raises(TypeError, match="activation must be a name.*decorate it with @fastmlp.activation"):
        MLP([2, 2, 2], activation=bent)
    with pytest.raises(TypeError, match="output_activation must be one of .*decorate it"):
        MLP([2, 2, 2], output_activation=bent)
    for loss in ("cross_entropy", "binary_cross_entropy"):
        with pytest.raises(ValueError, match="does not go with loss.*leaky needs loss squared_error"):
            MLP([2, 2, 2], output_activation=leaky, loss=loss)
    net = MLP([2, 2, 2, 2], activation=["relu", leaky], output_activation=mish, backend="reference")
    assert "relu -> leaky -> mish" in repr(net) and net.layer_activations == ("relu", leaky, mish)
    assert str(mish) == "mish" and repr(mish) == "<activation mish>"


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_needs_a_derivative(backend):
    own = around(0.5)
    net = MLP([3, 4, 2], activation=own, backend=backend, task="classes")
    x, y = np.ones((4, 3)), [0, 1, 0, 1]
    before = net.parameters.copy()
    assert net.evaluate(x, y).n == 4

    def refuses():
        for train in (lambda: net.fit(x, y), lambda: net.train_step(x, y, 0.1), lambda: net.gradients(x, y)):
            with pytest.raises(ValueError, match="shifted had no derivative when this network .*@shifted.derivative"):
                train()

    refuses()
    own.derivative(leaky_derivative)
    refuses()  # the network was compiled without it
    assert (net.parameters == before).all() and net.history.epochs == 0
    assert MLP([3, 4, 2], activation=own, backend=backend, task="classes").fit(x, y, epochs=1, verbose=0)
    with pytest.raises(ValueError, match="has a derivative already: leaky_derivative"):
        own.derivative(leaky_derivative)


@fastmlp.activation
def fails_late(z):
    return math.log(-1.0) if 1.25 < z < 1.5 else z


fails_late.derivative(leaky_derivative)


def test_a_function_that_fails_in_training_leaves_the_network_as_it_was():
    """Only the reference runs Python code there; the compiled code has no errors."""
    net = MLP([1, 1, 1], activation=fails_late, seed=0, backend="reference")
    net.weights[0][:], net.weights[1][:] = 1, 0
    x, y = np.zeros((64, 1)), np.ones((64, 1))
    net.fit(x, y, epochs=1, batch_size=4, verbose=0)
    before, epochs, history = net.parameters.copy(), net.epochs_trained, net.history
    x[50] = 1.375
    for train in (lambda: net.fit(x, y, batch_size=4, verbose=0), lambda: net.train_step(x, y, 0.1)):
        with pytest.raises(ValueError, match="activation fails_late fails at z = 1.37.*math domain error"):
            train()
        assert (net.parameters == before).all() and net.epochs_trained == epochs and net.history is history
    assert np.isfinite(net.fit(x[:50], y[:50], epochs=1, verbose=0).loss).all()


def test_without_numba():
    program = """
        import os, sys
        import numpy as np
        import fastmlp, fastmlp.math as fm

        @fastmlp.activation
        def own(z):
            return fm.exp(z)

        assert fastmlp.math is fm and "numba" not in sys.modules
        fastmlp.MLP([3, 4, 2], activation=own, backend="reference").forward(np.zeros((2, 3)))
        os.environ["FASTMLP_BACKEND"] = "numba"
        fm.exp(np.zeros((2, 3)))
        assert "numba" not in sys.modules
        sys.modules["numba"] = None
        try:
            fastmlp.MLP([3, 4, 2], activation=own, backend="compiled")
        except ImportError as error:
            print(error)
    """
    done = run_program(program, FASTMLP_BACKEND="reference")
    assert done.returncode == 0, done.stderr
    if kernels:
        assert 'pip install "fastmlp[numba]"' in done.stdout and 'backend="reference"' in done.stdout


def test_threads_compile_once():
    own, addresses = around(0.3), []
    threads = [threading.Thread(target=lambda: addresses.append(own.addresses(np.dtype("float32")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 4 and len(set(addresses)) == 1 and addresses[0][1] == 0


def test_a_function_is_copied_once_for_its_role_and_type(monkeypatch):
    """And so is each that it calls, whichever backends run it."""
    specialise, copied = importlib.import_module("fastmlp.custom.specialise"), []
    copy = specialise._copy
    monkeypatch.setattr(specialise, "_copy", lambda name, *rest: (copied.append(name), copy(name, *rest))[1])
    own = fastmlp.activation(through_others.function)
    own.derivative(leaky_derivative)
    for backend in BACKENDS:
        MLP([3, 4, 2], own, backend=backend).gradients(np.ones((2, 3)), np.eye(2))
    name = "activation through_others"
    assert sorted(copied) == [name, f"{name} (in bent)", f"{name} (in bent) (in leaky)", f"{name} (in own_relu)",
                              "the derivative of through_others"]  # fmt: skip


@pytest.mark.filterwarnings("ignore:First-class function type")  # Numba's word on such a choice
@pytest.mark.parametrize("backend", COMPILED)
def test_a_choice_of_functions(backend):
    def either(z):
        function = half if z > 0 else leaky
        return function(z)

    own, x = fastmlp.activation(either), np.linspace(-1, 1, 12).reshape(4, 3)
    outputs = [MLP([3, 4, 2], own, seed=0, backend=name).forward(x) for name in (backend, "reference")]
    assert_same_bits(outputs[:1], outputs[1:], backend)


# Globals are taken when the function is first used.


def test_what_a_global_becomes_later_changes_nothing(monkeypatch):
    own = around(0.1)
    before = own(1.5)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert own(1.5) == before and around(0.1)(1.5) != before


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_are_rounded_as_ever_or_not_at_all(backend, name):
    """Where a network or a call is made in another floating-point environment."""
    x = np.linspace(-2, 2, 12).reshape(4, 3)
    expected = MLP([3, 4, 2], around(0.1), seed=0, backend=backend).forward(x)
    own, called = around(0.1), around(0.1)
    with environment(name):
        for call in (called, called.derivative_at, called.check):
            with pytest.raises(RuntimeError, match="this thread"):
                call(np.float32([0.5]))
        try:
            net = MLP([3, 4, 2], own, seed=0, backend=backend)
        except RuntimeError:
            net = None
    assert (net is not None) == (backend == "compiled")
    net = net or MLP([3, 4, 2], own, seed=0, backend=backend)
    assert_same_bits([net.forward(x)], [expected], f"{backend} {name}")
    assert_same_bits([called(x)], [around(0.1)(x)], name)


def nested(inner):
    def outer(z):
        return inner(z) * 0.5

    return outer


def own_range(z):
    return z + 0.5


ranges = {"range": own_range}
exec("def shadows(z):\n    return range(z)", ranges)


@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_are_known_by_themselves_not_by_code_or_name(backend):
    twice, once = (fastmlp.activation(f) for f in (nested(nested(bent)), ranges["shadows"]))
    MLP([3, 4, 4, 2], [twice, once], backend=backend)
    assert twice(2.0) == 0.5 and once(2.0) == 2.5


# Files, pickles, processes.


@pytest.fixture
def saved(tmp_path):
    net = MLP([6, 5, 4], activation=mish, output_activation=leaky, seed=1, backend="reference")
    net.save(tmp_path / "own.npz")
    return tmp_path / "own.npz"


def test_a_saved_network_asks_for_its_activations(saved, capsys):
    net = MLP.load(saved, backend="reference", activations=[leaky, mish, tanh_gelu])
    assert net.layer_activations == (mish, leaky)
    assert net.hash() == MLP([6, 5, 4], mish, leaky, seed=1, backend="reference").hash()
    with pytest.raises(ValueError, match=r"own.npz' holds a network with the activation mish.*activations=\[mish\]\)"):
        MLP.load(saved)
    with pytest.raises(ValueError, match=r"activations=\[leaky\]"):
        MLP.load(saved, activations=[mish])
    for bad, words in ((mish, "must be a list"), ([bent], "not of <function bent.*decorate"), (["mish"], "not of 'mish'")):
        with pytest.raises(TypeError, match=f"activations .*{words}"):
            MLP.load(saved, activations=bad)
    with pytest.raises(ValueError, match="two activations named shifted"):
        MLP.load(saved, activations=[around(1), around(2)])
    from fastmlp.cli.main import main

    assert main(["show", str(saved)]) == 1
    assert "holds a network with the activation mish" in capsys.readouterr().err


def test_an_activation_that_fails_is_not_the_fault_of_the_file(saved):
    def mish(z):
        return None

    with pytest.raises(TypeError, match="^activation mish must return float32"):
        MLP.load(saved, activations=[fastmlp.activation(mish), leaky])


def test_pickles_and_copies_refer_to_the_name():
    for twin in (pickle.loads(pickle.dumps(mish)), copy.copy(mish), copy.deepcopy(mish)):
        assert twin is mish
    net = MLP([6, 5, 4], activation=mish, seed=1, backend="reference")
    for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert twin.hash() == net.hash() and twin.layer_activations[0] is mish
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(around(0.1))


def outputs(net):
    return net.forward(np.ones((3, 6))).tobytes()


def test_a_spawned_process_has_the_same_activation():
    net = MLP([6, 5, 4], activation=mish, seed=1, backend="reference")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(outputs, (net,)) == outputs(net)


# check().


def wrong_for_negative(z):
    return 1 if z > 0 else 0.125


def test_check_finds_where_a_derivative_is_worst():
    for own in (mish, leaky, own_relu):
        assert own.check().difference < 1e-8
    assert mish.check(z=[-30, 5e-324, 1e5]).difference < 1e-8
    assert own_relu.check(z=[0]) == (0, 0, 0, 0)
    wrong = fastmlp.activation(leaky.function)
    wrong.derivative(wrong_for_negative)
    worst = wrong.check()
    assert worst.z < 0 and worst.derivative == 0.125 and abs(worst.finite_difference - 0.1) < 1e-9
    assert abs(worst.difference - 0.025) < 1e-9
    assert wrong.check(z=np.ones((2, 2))).difference < 1e-9
    with pytest.raises(ValueError, match="shifted has no derivative: define it with @shifted.derivative"):
        around(1).check()
    for z in ([], [np.nan], np.inf):
        with pytest.raises(ValueError, match="z must hold finite numbers"):
            mish.check(z=z)


def nan_somewhere(z):
    return np.nan if z > 9 else 1


def test_check_takes_nan_for_the_worst():
    wrong = fastmlp.activation(own_relu.function)
    wrong.derivative(nan_somewhere)
    assert wrong.check().z > 9 and wrong.check().difference == np.inf


# fastmlp.math.


@pytest.mark.parametrize("name", fm.__all__)
def test_math_keeps_type_and_shape(name):
    function = getattr(fm, name)
    expected = getattr(reference, name, np.sqrt)
    for dtype in DTYPES:
        z = np.abs(numbers(dtype))[:60].reshape(3, 20)
        with np.errstate(all="ignore"):
            assert_same_bits([function(z)], [expected(z)], name)
        assert type(function(z[0, 0])) is z.dtype.type and function(z[:0]).shape == (0, 20)
    assert type(function(2.0)) is type(function(2)) is np.float64 and function([1, 2]).shape == (2,)
    with pytest.raises(TypeError, match="z must be a real number"):
        function("one")


ELEMENTARY = [name for name in fm.__all__ if name != "sqrt"]
CHOICES = ("", *BACKENDS)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", ELEMENTARY)
def test_math_of_arrays_has_the_bytes_of_the_reference(name, choice, monkeypatch):
    """Of any layout, whichever backend it goes through."""
    monkeypatch.setenv("FASTMLP_BACKEND", choice)
    function, expected = getattr(fm, name), getattr(reference, name)
    for dtype in DTYPES:
        z = numbers(dtype)[:120]
        unaligned = np.frombuffer(b"-" + z.tobytes(), np.uint8)[1:].view(dtype)
        layouts = (z, z[::-3], z.reshape(4, 30).T, z.reshape(2, 3, 4, 5)[:, ::2, 1:], np.broadcast_to(z[5], (2, 3)),
                   unaligned, z[:0], z[3:4].reshape(1, 1, 1))  # fmt: skip
        for array in layouts:
            assert_same_bits([function(array)], [expected(array)], f"{name} {dtype} {array.shape}")
            assert function(array).shape == array.shape and function(array).dtype == array.dtype
    for others in (np.arange(5), np.float16([0.5, 2]), np.array([0.5, 2], ">f4"), [[1, 2]]):
        assert_same_bits([function(others)], [expected(np.float64(others))], name)


@pytest.mark.parametrize("choice", CHOICES)
def test_math_goes_through_the_fastest_backend(choice, monkeypatch):
    """Numbers go through the reference."""
    monkeypatch.setenv("FASTMLP_BACKEND", choice)
    used, jit = [], importlib.import_module("fastmlp.jit")
    for module in (reference, jit):
        monkeypatch.setattr(module, "exp", lambda z, name=module.__name__: used.append(name) or z)
    fm.exp(1.0)
    fm.exp(np.ones(()))
    assert used == ["fastmlp.reference"] * 2
    fm.exp(np.ones(1))
    by_array = {"reference": ["fastmlp.reference"], "compiled": [], "numba": ["fastmlp.jit"]}
    assert used[2:] == by_array[choice or ("compiled" if kernels else "numba")]


@pytest.mark.skipif(not kernels, reason="only the compiled kernels set the environment")
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_math_of_arrays_does_not_depend_on_the_environment(name, monkeypatch):
    monkeypatch.setenv("FASTMLP_BACKEND", "compiled")
    z = {dtype: numbers(dtype) for dtype in DTYPES}
    expected = [getattr(reference, function)(z[dtype]) for function in ELEMENTARY for dtype in DTYPES]
    with environment(name):
        results = [getattr(fm, function)(z[dtype]) for function in ELEMENTARY for dtype in DTYPES]
    assert_same_bits(results, expected, name)
