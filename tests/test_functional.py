"""The public functions: the reference's bytes for every backend, dtype, layout and number of threads, and every error."""

import os
import subprocess
import sys
import threading
from functools import cache

import numpy as np
import pytest
from conftest import needs_kernels
from registry import BENT
from test_parity import LAYOUTS, assert_same_bits, numbers_of, probabilities, rng_of, states_of, values

import fastmlp
import fastmlp.functional as F
import fastmlp.math as fm
from fastmlp import reference
from fastmlp.activations import ACTIVATIONS
from fastmlp.backends import kernels, numba_is_installed
from fastmlp.losses import LOSSES
from fastmlp.optimizers import RULES

BACKENDS = ["reference", *(["compiled"] if kernels() else []), *(["numba"] if numba_is_installed() else [])]
DTYPES = ("float32", "float64")
HIDDEN = [row.name for row in ACTIVATIONS.values() if row.hidden]
ENDS = [(loss.name, output) for loss in LOSSES.values() for output in loss.output_activations]


@fastmlp.activation
def bend(z):
    return z if z > 0 else z * fm.sigmoid(z)


@bend.derivative
def bend_derivative(z):
    return 1.0 if z > 0 else fm.sigmoid(z) * (1.0 + z * (1.0 - fm.sigmoid(z)))


@fastmlp.activation
def underivable(z):
    return z * z


# Every function with arguments of every kind: (name, the arguments that are arrays, the others).


def cases(dtype, sizes=((5, 17, 33), (1, 1, 1), (3, 300, 2), (0, 3, 2))):
    rng = rng_of(dtype)

    def draw(*shape):
        return values(rng, shape, dtype, "ordinary")

    for rows, n_in, n in sizes:
        x, w, b, z, g = draw(rows, n_in), draw(n_in, n), draw(n), draw(rows, n), draw(rows, n)
        yield "sum_of_products", dict(a=x, b=w, seed=b), {}
        yield "sum_of_products", dict(a=x, b=w), dict(seed=0.1)
        for activation in (*ACTIVATIONS, bend):
            yield "dense_forward", dict(x=x, weights=w, bias=b), dict(activation=activation)
            yield "activate", dict(z=z), dict(activation=activation)
        for activation in HIDDEN:
            a = reference.activate(activation, z)
            yield "activation_gradient", dict(a=a, grad_a=g, z=z), dict(activation=activation)
        yield "activation_gradient", dict(a=z, grad_a=g, z=z), dict(activation=bend)
        yield "softmax", dict(z=z), {}
        for input_gradient in (True, False):
            yield "dense_backward", dict(x=x, weights=w, grad_z=g), dict(input_gradient=input_gradient)
        for loss, output in ENDS:
            a = reference.activate(output, z) if n else z
            y = probabilities(rng, z.shape, dtype) if LOSSES[loss].compares_probabilities else draw(rows, n)
            yield "row_losses", dict(z=z, a=a, y=y), dict(loss=loss)
            for divisor in (None, 77):
                yield "output_gradient", dict(a=a, y=y, z=z), dict(loss=loss, activation=output, divisor=divisor)
        yield "output_gradient", dict(a=z, y=g, z=z), dict(loss="squared_error", activation=bend)
        yield "ordered_sum", dict(values=x), {}
        yield "ordered_sum", dict(values=x[0] if rows else b), {}
        yield "ordered_sum", dict(values=draw(2, 3, n)), {}


def wanted(name, arrays, others):
    arguments = arrays | others
    if name == "softmax":
        return [reference.activate("softmax", **arrays)]
    result = getattr(reference, name)(**arguments)
    return [part for part in (result if isinstance(result, tuple) else (result,)) if part is not None]


def got(name, arrays, others, **options):
    result = getattr(F, name)(**arrays, **others, **options)
    return [part for part in (result if isinstance(result, tuple) else (result,)) if part is not None]


def rooms(results, laid):
    """Arrays to write results into, in a layout, whose numbers are NaN."""
    filled = [np.full(np.shape(result), np.nan, np.asarray(result).dtype) for result in results]
    return [laid(array) if array.ndim else array for array in filled]


def as_out(name, places):
    return tuple([*places, None][:3]) if name == "dense_backward" else places[0]


@cache
def cases_with_results(dtype):
    """The cases without empty arrays (see test_empty_arrays), with the reference's results; nobody writes into any of them."""
    full = [
        (name, arrays, others) for name, arrays, others in cases(dtype)
        if np.prod(np.shape(next(iter(arrays.values())))) != 0 or name == "sum_of_products"
    ]  # fmt: skip
    return [(name, arrays, others, wanted(name, arrays, others)) for name, arrays, others in full]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_in_every_layout(backend, dtype):
    layouts = [layout for layout in LAYOUTS if layout != "read-only"]
    for i, (name, arrays, others, expected) in enumerate(cases_with_results(dtype)):
        for layout in ("as given", layouts[1 + i % (len(layouts) - 1)], "read-only"):
            laid = {key: LAYOUTS[layout](array) for key, array in arrays.items()}
            context = f"{name} {others} {backend} {dtype} {layout}"
            if backend != "reference" or layout == "as given":  # whose time is for one of both where layouts differ
                assert_same_bits(got(name, laid, others, backend=backend), expected, context)
            places = rooms(expected, LAYOUTS["as given" if layout == "read-only" else layout])
            result = got(name, laid, others, backend=backend, out=as_out(name, places))
            assert_same_bits(result, expected, context + " with out")
            assert all(one is place for one, place in zip(result, places)), context
            assert all(np.array_equal(laid[key], arrays[key], equal_nan=True) for key in arrays), f"{context} changed x"


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_arrays(backend):
    for name, arrays, others in cases("float32", [(0, 3, 2), (2, 0, 3), (2, 3, 0)]):
        n = arrays[next(iter(arrays))].shape[-1]
        if name in ("row_losses", "output_gradient") and n == 0:
            with pytest.raises(ValueError, match="must have at least one column"):
                got(name, arrays, others, backend=backend)
            continue
        results = got(name, arrays, others, backend=backend)
        for result in results:
            assert result.size == 0 or name in ("sum_of_products", "dense_forward", "dense_backward", "ordered_sum") or n
    assert_same_bits(
        [F.sum_of_products(np.ones((2, 0)), np.ones((0, 3)), 7, backend=backend)], [np.full((2, 3), 7.0)], "seed"
    )
    assert F.dense_backward(np.ones((0, 2)), np.ones((2, 3)), np.ones((0, 3)), backend=backend)[0].tolist() == [[0.0] * 3] * 2


LARGE = [(70, 40, 600), (2, 1300, 801), (40, 700, 150), (1, 1030, 1999), (2100, 90, 11)]


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_on_every_number_of_threads(dtype):
    """Teams of the kernels, on sizes that are worth one, give the bytes of one thread."""
    module = kernels().chosen()[np.dtype(dtype)]
    module.branches_taken()
    for name, arrays, others in cases(dtype, LARGE):
        if others.get("activation") is bend and not numba_is_installed():
            continue
        one = got(name, arrays, others, backend="compiled", n_threads=1)
        for threads in (2, 3):
            for out in (None, as_out(name, rooms(one, LAYOUTS["as given"]))):
                context = f"{name} {others} {dtype} {threads} threads"
                assert_same_bits(got(name, arrays, others, backend="compiled", n_threads=threads, out=out), one, context)
    assert {"streamed", "A packed by columns", "B transposed"} <= module.branches_taken()


@needs_kernels
def test_elementwise_teams_leave_nothing_out():
    """More numbers than the reference takes in a moment: a part of them beside the reference, and all beside one thread."""
    z = values(rng_of("teams"), (1103, 701), "float32", "ordinary")
    y = probabilities(rng_of("teams"), z.shape, "float32")
    for name, arguments in {
        "activate": ("tanh", z), "softmax": (z,), "activation_gradient": ("sigmoid", z, y), "ordered_sum": (z,),
        "output_gradient": ("squared_error", "sigmoid", z, y), "row_losses": ("cross_entropy", z, z, y),
    }.items():  # fmt: skip
        function = getattr(F, name)
        results = [function(*arguments, backend="compiled", n_threads=n) for n in (1, 2, 3, 7)]
        for result in results[1:]:
            assert_same_bits([result], [results[0]], name)
        few = [argument[-20:] if isinstance(argument, np.ndarray) else argument for argument in arguments]
        divisor = {"divisor": len(z)} if name == "output_gradient" else {}
        assert_same_bits([results[0][-20:]], [function(*few, **divisor, backend="reference")], name)
    assert_same_bits([F.ordered_sum(z.T, n_threads=3)], [F.ordered_sum(z.T, backend="reference")], "sums over rows")


# Update rules.


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES.values(), ids=str)
def test_update_rules(backend, dtype, rule):
    rng = rng_of(rule.name, dtype)
    w, g = (values(rng, (7, 33), dtype, "ordinary") for _ in range(2))
    state = [array.reshape(7, 33) for array in states_of(rng, rule, (), 7 * 33, dtype)]
    numbers = numbers_of(rng, rule, 1, dtype)[0]
    expected = [w.reshape(-1).copy(), *(array.reshape(-1).copy() for array in state)]
    reference.update(rule.name, expected[0], g.reshape(-1), expected[1:], numbers)
    for layout in LAYOUTS:
        laid = LAYOUTS["as given" if layout == "read-only" else layout]
        actual = [laid(w).copy() if layout == "as given" else laid(w.copy()), *(laid(array.copy()) for array in state)]
        F.update(rule.name, actual[0], LAYOUTS[layout](g), actual[1:], list(map(float, numbers)), backend=backend)
        assert_same_bits([array.reshape(-1) for array in actual], expected, f"{rule.name} {backend} {dtype} {layout}")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", ["as given", "strided"])
def test_sgd_update(backend, layout):
    w, g = (values(rng_of("sgd", i), (5, 9), "float32", "ordinary") for i in range(2))
    expected = w.reshape(-1).copy()
    reference.sgd_update(expected, g.reshape(-1), 0.37)
    actual = LAYOUTS[layout](w.copy())
    assert F.sgd_update(actual, g, 0.37, backend=backend) is None
    assert_same_bits([actual.reshape(-1)], [expected], layout)


@needs_kernels
def test_update_teams_leave_nothing_out():
    """As many numbers as three threads are woken for."""
    rng, rule = rng_of("update teams"), RULES["adam"]
    w, g = (values(rng, 1_200_003, "float32", "ordinary") for _ in range(2))
    state, numbers = states_of(rng, rule, (), w.size, "float32"), numbers_of(rng, rule, 1, "float32")[0]
    expected = [w.copy(), *(array.copy() for array in state)]
    reference.update("adam", expected[0], g, expected[1:], numbers)
    for threads in (1, 2, 3):
        actual = [w.copy(), *(array.copy() for array in state)]
        F.update("adam", actual[0], g, actual[1:], list(map(float, numbers)), backend="compiled", n_threads=threads)
        assert_same_bits(actual, expected, f"{threads} threads")
        actual = w.copy()
        F.sgd_update(actual, g, 0.37, backend="compiled", n_threads=threads)
        with np.errstate(under="ignore"):
            assert_same_bits([actual], [w - np.float32(0.37) * g], f"{threads} threads, sgd")


def test_the_docstring_of_update_lists_every_rule():
    for rule in RULES.values():
        assert f"{rule.name}: {rule.formula}" in F.update.__doc__


# Types.


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_real_numbers_take_the_dtype_of_the_arrays(backend):
    x, w = np.ones((2, 3), np.float32), np.array([[1], [2], [3]])
    for b in (w, w.tolist(), w.astype(np.uint8), w.astype(np.float16), w.astype(np.float32).astype(">f4")):
        result = F.sum_of_products(x, b, [True], backend=backend)
        assert result.dtype == np.float32 and result.tolist() == [[7.0]] * 2
    assert F.sum_of_products([[1, 2]], [[3], [4]], 5, backend=backend).dtype == np.float64
    assert F.activate("relu", np.array([-1, 2], np.int8), backend=backend).tolist() == [0.0, 2.0]
    assert F.activate("relu", np.array([-1, 2], ">f4"), backend=backend).dtype == np.float32
    tenth = F.sum_of_products(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32), 0.1, backend=backend)
    assert tenth[0, 0] == np.float32(0.1)
    assert np.isinf(F.activate("identity", [np.longdouble("1e4000")], backend=backend)).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_result_is_a_new_array(backend):
    z = np.ones((2, 3), np.float32)
    for result in (F.activate("identity", z, backend=backend), F.activation_gradient("identity", z, z, backend=backend)):
        assert not np.shares_memory(result, z)
    assert type(F.ordered_sum(z[0], backend=backend)) is np.float32


# Errors.

X, W, B = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32), np.ones(4, np.float32)
Z = np.ones((2, 4), np.float32)
wide = np.ones((4, 8), np.float32)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


BAD = {
    "no shared axis": (lambda o: F.sum_of_products(X, np.ones((1, 4), np.float32), B, **o), ValueError,
                       "b must have shape (3, n_out) with a of shape (2, 3), not (1, 4)"),
    "a vector": (lambda o: F.sum_of_products(X[0], W, B, **o), ValueError, "a must have two axes, not shape (3,)"),
    "a vector for b": (lambda o: F.sum_of_products(X, B, B, **o), ValueError, "b must have shape (3, n_out)", "(4,)"),
    "a long seed": (lambda o: F.sum_of_products(X, W, X[0], **o), ValueError,
                    "seed must have shape (4,) with b of shape (3, 4), not (3,)"),
    "a seed of one": (lambda o: F.sum_of_products(X, W, np.ones(1, np.float32), **o), ValueError, "seed must have shape (4,)"),
    "a bias that is a number": (lambda o: F.dense_forward(X, W, 0.0, **o), ValueError, "bias must have shape (4,)", "()"),
    "two dtypes": (lambda o: F.sum_of_products(X, W.astype(np.float64), B, **o), TypeError,
                   "b must have the dtype of a, float32, not float64"),
    "two dtypes, one of them of another byte order": (lambda o: F.sum_of_products(X, W.astype(">f8"), B, **o), TypeError,
                                                      "b must have the dtype of a, float32"),
    "complex numbers": (lambda o: F.dense_forward(X.astype(complex), W, B, **o), TypeError, "x must hold real numbers"),
    "nothing": (lambda o: F.dense_forward(X, None, B, **o), TypeError, "weights must hold real numbers", "None"),
    "strings": (lambda o: F.activate("relu", "z", **o), TypeError, "z must hold real numbers"),
    "a ragged list": (lambda o: F.activate("relu", [[1, 2], [3]], **o), ValueError, "z must be a rectangular array"),
    "an unknown activation": (lambda o: F.dense_forward(X, W, B, "swoosh", **o), ValueError,
                              "activation must be one of identity, relu", "'swoosh'"),
    "an unknown activation of no matrix": (lambda o: F.activate("swoosh", 1.0, **o), ValueError, "activation must be one of"),
    "a plain function": (lambda o: F.activate(abs, X, **o), TypeError, "activation must be one of"),
    "a list for an activation": (lambda o: F.dense_forward(X, W, B, ["relu"], **o), TypeError, "activation must be one of"),
    "softmax of a vector": (lambda o: F.softmax(B, **o), ValueError, "z must have two axes, not shape (4,)"),
    "softmax's derivative": (lambda o: F.activation_gradient("softmax", Z, Z, **o), ValueError, "output_gradient takes it"),
    "no derivative": (lambda o: F.activation_gradient(underivable, Z, Z, Z, **o), ValueError, "underivable has no derivative"),
    "no z": (lambda o: F.activation_gradient(bend, Z, Z, **o), ValueError, "z must be given", "bend"),
    "no z at the output": (lambda o: F.output_gradient("squared_error", bend, Z, Z, **o), ValueError, "z must be given"),
    "gradients of another shape": (lambda o: F.activation_gradient("relu", Z, X, **o), ValueError,
                                   "grad_a must have shape (2, 4) with a of shape (2, 4), not (2, 3)"),
    "z of another shape": (lambda o: F.activation_gradient("relu", Z, Z, X, **o), ValueError, "z must have shape (2, 4)"),
    "backward, weights": (lambda o: F.dense_backward(X, W.T, Z, **o), ValueError,
                          "weights must have shape (3, n_out) with x of shape (2, 3), not (4, 3)"),
    "backward, gradient": (lambda o: F.dense_backward(X, W, Z[:1], **o), ValueError,
                           "grad_z must have shape (2, 4) with x of shape (2, 3) and weights of shape (3, 4), not (1, 4)"),
    "an unknown loss": (lambda o: F.row_losses("swoosh", Z, Z, Z, **o), ValueError, "loss must be one of squared_error"),
    "losses of labels": (lambda o: F.row_losses("cross_entropy", Z, Z, [0, 1], **o), ValueError, "y must have shape (2, 4)"),
    "losses of a vector": (lambda o: F.row_losses("squared_error", B, B, B, **o), ValueError, "z must have two axes"),
    "losses without outputs": (lambda o: F.row_losses("squared_error", Z[:, :0], Z[:, :0], Z[:, :0], **o), ValueError,
                               "z must have at least one column, not shape (2, 0)"),
    "a loss and another's output": (lambda o: F.output_gradient("cross_entropy", "relu", Z, Z, **o), ValueError,
                                    "activation 'relu' does not go with loss 'cross_entropy': that needs softmax"),
    "a loss and one's own output": (lambda o: F.output_gradient("cross_entropy", bend, Z, Z, Z, **o), ValueError,
                                    "does not go with loss 'cross_entropy'"),
    "a divisor of 0": (lambda o: F.output_gradient("squared_error", "relu", Z, Z, divisor=0, **o), ValueError,
                       "divisor must be a number above 0, not 0"),
    "a divisor that is none": (lambda o: F.output_gradient("squared_error", "relu", Z, Z, divisor=[1], **o), TypeError,
                               "divisor must be a number, not [1]"),
    "a sum of a number": (lambda o: F.ordered_sum(1.0, **o), ValueError, "values must have at least one axis"),
    "out of another shape": (lambda o: F.sum_of_products(X, W, B, out=np.ones((2, 5), np.float32), **o), ValueError,
                             "out must have shape (2, 4), not (2, 5)"),
    "out of another dtype": (lambda o: F.dense_forward(X, W, B, out=np.ones((2, 4)), **o), TypeError,
                             "out must have dtype float32, not float64"),
    "out that is a list": (lambda o: F.activate("relu", X, out=[0], **o), TypeError, "out must be an array of shape (2, 3)"),
    "out that is read-only": (lambda o: F.sum_of_products(X, W, B, out=read_only(Z), **o), ValueError, "out must be writable"),
    "out that is x": (lambda o: F.activate("relu", Z, out=Z, **o), ValueError, "out must not share memory with z"),
    "out that overlaps": (lambda o: F.sum_of_products(wide[:2, :3], W, B, out=wide[1:3, 2:6], **o), ValueError,
                          "out must not share memory with a"),
    "out that is the seed": (lambda o: F.sum_of_products(X[:1], W, wide[0, :4], out=wide[:1, :4], **o), ValueError,
                             "out must not share memory with seed"),
    "losses in float32": (lambda o: F.row_losses("squared_error", Z, Z, Z, out=np.ones(2, np.float32), **o), TypeError,
                          "out must have dtype float64"),
    "one out for three": (lambda o: F.dense_backward(X, W, Z, out=np.ones((3, 4)), **o), TypeError, "out must be three arrays"),
    "out for no gradient": (lambda o: F.dense_backward(X, W, Z, False, out=(None, None, X.copy()), **o), ValueError,
                            "out[2] must be None without input_gradient"),
    "outs that overlap": (lambda o: F.dense_backward(X, W, Z, out=(wide[:3, :4], wide[0, :4], None), **o), ValueError,
                          "out[1] must not share memory with out[0]"),
    "an out that is an input": (lambda o: F.dense_backward(X, W, Z, out=(None, None, X), **o), ValueError,
                                "out[2] must not share memory with x"),
    "no backend": (lambda o: F.activate("relu", X, backend="swoosh"), ValueError, "backend must be one of", "'swoosh'"),
    "a backend in a list": (lambda o: F.activate("relu", X, backend=["numba"]), TypeError, "backend must be one of"),
    "no threads": (lambda o: F.activate("relu", X, n_threads=0, **o), ValueError, "n_threads must be an integer of at least 1"),
    "half a thread": (lambda o: F.sum_of_products(X, W, B, n_threads=1.5, **o), TypeError, "n_threads must be an integer"),
    "True threads": (lambda o: F.sum_of_products(X, W, B, n_threads=True, **o), TypeError, "n_threads must be an integer"),
    "an unknown rule": (lambda o: F.update("swoosh", Z, Z.copy(), (), (), **o), ValueError, "rule must be one of sgd"),
    "parameters in a list": (lambda o: F.update("sgd", [1.0], [1.0], (), (1,), **o), TypeError, "parameters must be an array"),
    "whole parameters": (lambda o: F.sgd_update(np.ones(2, int), np.ones(2), 1, **o), TypeError, "parameters must be an array"),
    "read-only parameters": (lambda o: F.sgd_update(read_only(Z), Z, 1, **o), ValueError, "parameters must be writable"),
    "gradients of another dtype": (lambda o: F.sgd_update(Z, np.ones((2, 4)), 1, **o), TypeError,
                                   "gradients must have the dtype of parameters, float32, not float64"),
    "gradients transposed": (lambda o: F.sgd_update(Z, Z.T.copy(), 1, **o), ValueError, "gradients must have shape (2, 4)"),
    "gradients that are the parameters": (lambda o: F.sgd_update(Z, Z, 1, **o), ValueError,
                                          "parameters must not share memory with gradients"),
    "a negative rate": (lambda o: F.sgd_update(Z, Z.copy(), -1, **o), ValueError, "learning_rate must be a finite number"),
    "no rate": (lambda o: F.sgd_update(Z, Z.copy(), None, **o), TypeError, "learning_rate must be a finite number"),
    "too few numbers": (lambda o: F.update("adam", Z, Z.copy(), (Z.copy(), Z.copy()), (1,), **o), ValueError,
                        "numbers must be 6 numbers of this rule: b1, k1, b2, k2, a, e, not 1"),
    "too little state": (lambda o: F.update("momentum", Z, Z.copy(), (), (1, 1, 1), **o), ValueError,
                         "state must be 1 arrays of this rule: v, not 0"),
    "state that is none": (lambda o: F.update("momentum", Z, Z.copy(), 3, (1,) * 3, **o), TypeError, "state must be a sequence"),
    "state of another shape": (lambda o: F.update("momentum", Z, Z.copy(), (X,), (1, 1, 1), **o), ValueError,
                               "state[0] must have shape (2, 4), not (2, 3)"),
    "state of another dtype": (lambda o: F.update("momentum", Z, Z.copy(), (np.ones((2, 4)),), (1, 1, 1), **o), TypeError,
                               "state[0] must have dtype float32"),
    "state that is the parameters": (lambda o: F.update("momentum", Z, Z.copy(), (Z,), (1, 1, 1), **o), ValueError,
                                     "state[0] must not share memory with parameters"),
    "a number that is none": (lambda o: F.update("sgd", Z, Z.copy(), (), ("1",), **o), TypeError, "must hold real numbers"),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("call, error, words", [(call, e, words) for call, e, *words in BAD.values()], ids=BAD)
def test_errors(backend, call, error, words):
    before = [array.copy() for array in (X, W, B, Z, wide)]
    with pytest.raises((ValueError, TypeError)) as caught:
        call({"backend": backend})
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)
    assert all(np.array_equal(array, old) for array, old in zip((X, W, B, Z, wide), before))


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_read_or_written_beyond(dtype):
    """Arrays inside larger ones filled with NaN: it would show in a result, or be gone."""

    def inside(array, number=np.nan):
        around = np.full(array.size + 64, number, dtype)
        around[32 : 32 + array.size] = array.reshape(-1)
        return around, around[32 : 32 + array.size].reshape(array.shape)

    for rows, n_in, n in [(m, k, n) for m in (1, 3, 40, 200) for k in (1, 7, 70) for n in (1, 2, 15, 33, 130)]:
        x, w, b = np.ones((rows, n_in), dtype), np.ones((n_in, n), dtype), np.zeros(n, dtype)
        (_, x), (_, w), (_, b) = inside(x), inside(w), inside(b)
        around, out = inside(np.zeros((rows, n)))
        for call in (
            lambda: F.sum_of_products(x, w, b, out=out, n_threads=2) == n_in,
            lambda: F.dense_forward(x, w, b, "relu", out=out, n_threads=2) == n_in,
            lambda: F.dense_forward(x, w, b, "softmax", out=out, n_threads=2) == out.dtype.type(1) / out.dtype.type(n),
            lambda: F.sum_of_products(x, np.ascontiguousarray(w.T).T, b, out=out, n_threads=2) == n_in,
            lambda: F.activate("identity", out.copy(), out=out) == n_in,
        ):
            assert call().all() and np.isnan(around[:32]).all() and np.isnan(around[32 + out.size :]).all()
        around, out = inside(np.zeros((n_in, n)))
        ones = inside(np.ones((rows, n)))[1]
        assert (F.dense_backward(x, w, ones, out=(out, None, None), n_threads=2)[0] == rows).all()
        assert np.isnan(around[:32]).all() and np.isnan(around[32 + out.size :]).all()
        around, w = inside(np.ones((rows, n)))
        F.sgd_update(w, ones, 0.5)
        assert (w == 0.5).all() and np.isnan(around[:32]).all() and np.isnan(around[32 + w.size :]).all()


# Which backend, and where its numbers come from.


def run(code, **environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_environment_chooses(backend):
    code = "import fastmlp.functional as F; print(F._way(None, None).functions, F._way(None, None).n_threads)"
    text = run(code, FASTMLP_BACKEND=backend, OMP_NUM_THREADS="3").stdout
    assert {"reference": "fastmlp.reference", "compiled": "kernels", "numba": "fastmlp.jit"}[backend] in text
    assert text.split()[-1] == "3"


@needs_kernels
def test_a_team_runs_where_it_pays():
    """A user's activation sees the threads: one for a small layer, two for a large one."""
    seen = set()

    class Watch(type(BENT)):
        def __call__(self, z):
            seen.add(threading.get_ident())
            return z

    module = kernels().chosen()[np.dtype(np.float32)]
    for rows, teams in ((10, 1), (2000, 2)):
        seen.clear()
        module.dense_forward(np.ones((rows, 100), np.float32), np.ones((100, 10), np.float32), np.ones(10, np.float32),
                             Watch(), n_threads=2)  # fmt: skip
        assert len(seen) == (teams if module.openmp else 1)


def test_the_program_of_the_readme_replaces_numpy_bit_by_bit():
    """Each stage learns what NumPy's does, and the last one has the bits of MLP.train_step."""
    from benchmarks.replacing import Training, stages

    trainings = [Training((20, 9, 8, 4), 12, functions, batches=5) for functions in (*stages().values(), None)]
    for training in trainings:
        for _ in range(30):
            training.step()
    for training in trainings[1:-1]:
        for ours, theirs in zip(training.weights + training.biases, trainings[0].weights + trainings[0].biases):
            np.testing.assert_allclose(ours, theirs, atol=2e-6)
    net = trainings[-1].net
    assert_same_bits([*trainings[-2].weights, *trainings[-2].biases], [*net.weights, *net.biases], "the last stage")
    assert not np.array_equal(net.weights[0], fastmlp.MLP((20, 9, 8, 4), "relu", loss="cross_entropy", seed=0).weights[0])


def test_importing_it_imports_no_backend_but_the_reference():
    code = (
        "import fastmlp.functional, sys; print([name for name in sys.modules if name.startswith(('numba', 'fastmlp.jit'))])"
    )
    assert run(code).stdout.strip() == "[]"
