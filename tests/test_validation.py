"""Bad input: an error that names the argument, says what it was and what was expected, and changes nothing."""

import numpy as np
import pytest

from fastmlp import MLP

X = np.random.RandomState(0).random_sample((5, 6)).astype(np.float32)
Y = np.array([0, 1, 2, 3, 0])


@pytest.fixture(params=["float32", "float64"])
def net(request):
    return MLP([6, 5, 4], output_activation="sigmoid", seed=1, dtype=request.param, backend="reference")


def with_value(array, index, value):
    changed = np.array(array, np.float64)
    changed[index] = value
    return changed


def state(net):
    return net.hash(), net.epochs_trained, net.history.to_dict()


def refuses(net, call, error, *words):
    """The call raises this error with these words in its message, and the network stays as it was."""
    before = state(net)
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)
    assert state(net) == before


BAD_X = {
    "too narrow": (X[:, :5], ValueError, "x must have shape (rows, 6)", "(5, 5)"),
    "one sample too long": (np.zeros(7), ValueError, "x must have shape (rows, 6)", "(7,)"),
    "a scalar": (3.0, ValueError, "x must have shape", "()"),
    "images of another size": (np.zeros((5, 2, 4)), ValueError, "x must have shape", "(5, 2, 4)"),
    "a ragged list": ([[1, 2], [3]], ValueError, "x must be a rectangular array"),
    "objects": (X.astype(object), TypeError, "x must hold real numbers", "object"),
    "nothing": (None, TypeError, "x must hold real numbers", "None"),
    "complex numbers": (X.astype(complex), TypeError, "x must hold real numbers", "complex128"),
    "strings": (X.astype(str), TypeError, "x must hold real numbers", "<U"),
    "dates": (np.zeros((5, 6), "M8[s]"), TypeError, "x must hold real numbers", "datetime64"),
}
TRAINERS = {
    "fit": lambda net, x, y: net.fit(x, y, epochs=1, verbose=0),
    "train_step": lambda net, x, y: net.train_step(x, y, 0.1),
    "gradients": lambda net, x, y: net.gradients(x, y),
    "evaluate": lambda net, x, y: net.evaluate(x, y),
}
CALLS = {
    "forward": lambda net, x, y: net.forward(x),
    "call": lambda net, x, y: net(x),
    "predict": lambda net, x, y: net.predict(x),
    "activations": lambda net, x, y: net.activations(x),
    **TRAINERS,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("x, error, words", [(x, e, words) for x, e, *words in BAD_X.values()], ids=BAD_X)
def test_bad_inputs(net, call, x, error, words):
    refuses(net, lambda: call(net, x, Y), error, *words)


BAD_Y = {
    "too few": (Y[:4], ValueError, "y must have one entry for each of the 5 rows of x", "(4,)"),
    "a scalar": (1, ValueError, "y must have one entry for each", "()"),
    "a label too large": ([0, 1, 4, 0, 9], ValueError, "y must be labels from 0 to 3", "row 2 is 4"),
    "a label too small": ([0, 1, 0, -1, 0], ValueError, "y must be labels from 0 to 3", "row 3 is -1"),
    "a label beyond int64": (np.full(5, 2**64 - 1, np.uint64), ValueError, "y must be labels from 0 to 3", "is 184467"),
    "labels as floats": (Y.astype(float), ValueError, "y must be integer labels of shape (5,)", "(5, 4)", "float64"),
    "too narrow": (np.zeros((5, 3)), ValueError, "y must be integer labels", "(5, 4)", "(5, 3)"),
    "labels in a column": (Y[:, None], ValueError, "y must be integer labels", "(5, 1)"),
    "objects": (Y.astype(object), TypeError, "y must hold real numbers", "object"),
    "complex numbers": (np.zeros((5, 4), complex), TypeError, "y must hold real numbers", "complex128"),
    "strings": (Y.astype(str), TypeError, "y must hold real numbers", "<U"),
}


@pytest.mark.parametrize("call", TRAINERS.values(), ids=TRAINERS)
@pytest.mark.parametrize("y, error, words", [(y, e, words) for y, e, *words in BAD_Y.values()], ids=BAD_Y)
def test_bad_targets(net, call, y, error, words):
    refuses(net, lambda: call(net, X, y), error, *words)


@pytest.mark.parametrize("call", TRAINERS.values(), ids=TRAINERS)
def test_no_rows_to_train_on(net, call):
    refuses(net, lambda: call(net, X[:0], Y[:0]), ValueError, "x must have shape (rows, 6) with at least one row")
    refuses(net, lambda: call(net, X[0], Y[:1]), ValueError, "y must be integer labels of shape (1,)", "(1, 1)")


@pytest.mark.parametrize("call", [TRAINERS["fit"], TRAINERS["train_step"]], ids=["fit", "train_step"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_training_data_that_is_not_finite(net, call, value):
    real = np.full((5, 4), 0.5)
    numbers = MLP([6, 5, 4], seed=1, dtype=net.dtype, backend="reference")
    refuses(net, lambda: call(net, with_value(X, (3, 2), value), Y), ValueError, "x must be finite", "row 3, column 2")
    real[4, 1] = value
    refuses(numbers, lambda: call(numbers, X, real), ValueError, "y must be finite", "row 4, column 1")


def test_training_data_that_is_not_finite_after_the_first_block(net):
    x = np.zeros((9000, 6), np.float32)
    x[8999, 5] = np.nan
    refuses(net, lambda: net.fit(x, np.zeros(9000, int)), ValueError, "x must be finite", "row 8999, column 5")


def test_training_data_that_overflows_the_dtype():
    net = MLP([6, 5, 4], output_activation="sigmoid", seed=1, backend="reference")
    x = with_value(X, (1, 0), 1e300)
    refuses(net, lambda: net.fit(x, Y), ValueError, "x must be finite", "inf as float32")
    refuses(net, lambda: net.train_step(x, Y, 0.1), ValueError, "x must be finite", "inf as float32")


BAD_RATES = {
    "negative": (-0.1, ValueError),
    "NaN": (np.nan, ValueError),
    "infinite": (np.inf, ValueError),
    "an integer beyond floats": (10**400, ValueError),
    "a string": ("0.1", TypeError),
    "complex": (1j, TypeError),
    "an array": (np.ones(2), TypeError),
    "a bool": (True, TypeError),
}


@pytest.mark.parametrize("rate, error", BAD_RATES.values(), ids=BAD_RATES)
def test_bad_learning_rates(net, rate, error):
    words = "learning_rate must be a finite number of at least 0"
    refuses(net, lambda: net.fit(X, Y, learning_rate=rate), error, words)
    refuses(net, lambda: net.train_step(X, Y, rate), error, words)


def test_a_learning_rate_that_overflows_the_dtype():
    net = MLP([6, 5, 4], seed=1, backend="reference", task="classes")
    refuses(net, lambda: net.train_step(X, Y, 1e300), ValueError, "learning_rate 1e+300 is too large for float32")


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, not 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be an integer of at least 1, not 2.5"),
        ({"batch_size": True}, TypeError, "batch_size"),
        ({"epochs": -1}, ValueError, "epochs must be an integer of at least 0, not -1"),
        ({"epochs": "3"}, TypeError, "epochs must be an integer"),
        ({"verbose": 3}, ValueError, "verbose must be an integer"),
        ({"validation_data": X}, TypeError, "validation_data must be (x, y)"),
        ({"validation_data": (X[:, :3], Y)}, ValueError, "validation_data x must have shape (rows, 6)"),
        ({"validation_data": (X, Y[:3])}, ValueError, "validation_data y must have one entry for each of the 5 rows"),
        ({"validation_data": (X * np.float32(np.nan), Y)}, ValueError, "validation_data x must be finite"),
    ],
)
def test_bad_options_of_fit(net, options, error, words):
    refuses(net, lambda: net.fit(X, Y, **options), error, words)


def test_targets_that_are_no_probabilities():
    softmax = MLP([6, 4], loss="cross_entropy", seed=0, backend="reference")
    refuses(softmax, lambda: softmax.gradients(X, np.full((5, 4), -0.5)), ValueError, "y must be probabilities", "-0.5")
    refuses(softmax, lambda: softmax.gradients(X, np.ones((5, 4))), ValueError, "y must have rows that sum to 1", "4.0")
    softmax.gradients(X, np.full((5, 4), 0.25))
    binary = MLP([6, 1], loss="binary_cross_entropy", seed=0, backend="reference")
    refuses(binary, lambda: binary.gradients(X, np.full((5, 1), 1.5)), ValueError, "y must be probabilities", "1.5")
    refuses(binary, lambda: binary.gradients(X, [0, 1, 2, 0, 1]), ValueError, "y must be labels from 0 to 1", "row 2")


def read_only(array):
    array.flags.writeable = False
    return array


BAD_OUT = {
    "a list": (lambda: [[0.0] * 4] * 5, TypeError, "out must be an array of shape (5, 4)"),
    "another dtype": (lambda: np.empty((5, 4), np.float16), TypeError, "out must have dtype", "float16"),
    "another byte order": (lambda: np.empty((5, 4), ">f4"), TypeError, "out must have dtype float32", ">f4"),
    "another shape": (lambda: np.empty((5, 3), np.float32), ValueError, "out must have shape (5, 4), not (5, 3)"),
    "a flat array": (lambda: np.empty(20, np.float32), ValueError, "out must have shape (5, 4), not (20,)"),
    "read-only": (lambda: read_only(np.empty((5, 4), np.float32)), ValueError, "out must be writable"),
    "columns": (lambda: np.empty((4, 5), np.float32).T, ValueError, "out must be C-contiguous"),
    "unaligned": (
        lambda: np.empty(81, np.uint8)[1:].view(np.float32).reshape(5, 4),
        ValueError,
        "out must be C-contiguous and aligned",
    ),
}


@pytest.mark.parametrize("make, error, words", [(m, e, words) for m, e, *words in BAD_OUT.values()], ids=BAD_OUT)
def test_bad_out(make, error, words):
    net = MLP([6, 5, 4], seed=1, backend="reference")
    refuses(net, lambda: net.forward(X, out=make()), error, *words)


def test_out_that_overlaps():
    net = MLP([4, 4], seed=1, backend="reference")
    memory = np.ones(24, np.float32)
    x, out = memory[:16].reshape(4, 4), memory[8:].reshape(4, 4)
    refuses(net, lambda: net.forward(x, out=out), ValueError, "out must not share memory with x")
    assert (memory == 1).all()
    refuses(net, lambda: net.forward(x.copy(), out=net.weights[0]), ValueError, "out must not share", "parameters")


@pytest.mark.parametrize(
    "sizes, error, words",
    [
        ([784, 0, 10], ValueError, "layer_sizes[1] must be an integer of at least 1, not 0"),
        ([784, -3, 10], ValueError, "layer_sizes[1] must be an integer of at least 1, not -3"),
        ([784, 1.5, 10], TypeError, "layer_sizes[1] must be an integer of at least 1, not 1.5"),
        ([True, 10], TypeError, "layer_sizes[0]"),
        ([784], ValueError, "layer_sizes must be two or more integers"),
        ([], ValueError, "layer_sizes must be two or more integers"),
        (784, TypeError, "layer_sizes must be two or more integers"),
        ("784", TypeError, "layer_sizes must be two or more integers"),
        (np.array(784), TypeError, "layer_sizes must be two or more integers"),
    ],
)
def test_bad_layer_sizes(sizes, error, words):
    with pytest.raises(error) as caught:
        MLP(sizes, backend="reference")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"activation": "sine"}, ValueError, "activation must be one of identity, relu, sigmoid, tanh"),
        (
            {"activation": "softmax"},
            ValueError,
            "tanh, leaky_relu, elu, selu, softplus, silu, gelu, gelu_tanh, not 'softmax'",
        ),
        (
            {"activation": "ReLU"},
            ValueError,
            "tanh, leaky_relu, elu, selu, softplus, silu, gelu, gelu_tanh, not 'ReLU': did you mean 'relu'?",
        ),
        ({"activation": ["Tanh"]}, ValueError, "not 'Tanh': did you mean 'tanh'?"),
        ({"loss": "Cross Entropy"}, ValueError, "did you mean 'cross_entropy'?"),
        ({"output_activation": "Softmax"}, ValueError, "did you mean 'softmax'?"),
        ({"activation": None}, TypeError, "activation must be a name"),
        ({"activation": ["relu", "relu"]}, ValueError, "activation must be one name, or 1"),
        ({"activation": [3]}, TypeError, "activation must be one of"),
        ({"output_activation": "sine"}, ValueError, "output_activation must be one of"),
        ({"output_activation": "softmax"}, ValueError, "output_activation 'softmax' does not go with"),
        ({"loss": "cross_entropy", "output_activation": "sigmoid"}, ValueError, "that needs softmax"),
        ({"loss": "binary_cross_entropy", "output_activation": "relu"}, ValueError, "that needs sigmoid"),
        ({"layer_sizes": [6, 1], "loss": "cross_entropy"}, ValueError, "'softmax' needs at least 2 outputs"),
        (
            {"loss": "hinge"},
            ValueError,
            "loss must be one of squared_error, absolute_error, huber, quantile, poisson, cross_entropy",
        ),
        ({"loss": None}, TypeError, "loss must be one of"),
        ({"dtype": "float16"}, ValueError, "dtype must be float32 or float64, not 'float16'"),
        ({"dtype": ">f4"}, ValueError, "dtype must be float32 or float64"),
        ({"dtype": None}, ValueError, "dtype must be float32 or float64"),
        ({"dtype": "number"}, TypeError, "dtype must be float32 or float64"),
        ({"seed": -1}, ValueError, "seed must be an integer of at least 0 and below 4294967296, not -1"),
        ({"seed": 2**32}, ValueError, "seed must be an integer"),
        ({"seed": 1.0}, TypeError, "seed must be an integer"),
        ({"n_threads": 0}, ValueError, "n_threads must be an integer of at least 1"),
        ({"n_threads": "two"}, TypeError, "n_threads must be an integer"),
    ],
)
def test_bad_options_of_a_network(options, error, words):
    with pytest.raises(error) as caught:
        MLP(**{"layer_sizes": [6, 5, 4], "backend": "reference", **options})
    assert words in str(caught.value)
