"""Networks from plain arrays: either orientation, biases of any shape, and errors that show the shapes."""

import numpy as np
import pytest

import fastmlp

random = np.random.RandomState(0)
WEIGHTS = [random.random_sample((4, 5)), random.random_sample((5, 3)), random.random_sample((3, 2))]
BIASES = [random.random_sample(n) for n in (5, 3, 2)]
X = random.random_sample((6, 4))
SQUARE = [random.random_sample((3, 3)), random.random_sample((3, 3))]


def flipped(arrays):
    return [array.T for array in arrays]


@pytest.mark.parametrize("turn", [list, flipped], ids=["(in, out)", "(out, in)"])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (1, -1)], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist], ids=["arrays", "lists"])
def test_either_orientation(turn, shape, kind):
    weights = [kind(w) for w in turn(WEIGHTS)]
    net = fastmlp.from_layers(weights, [kind(b.reshape(shape)) for b in BIASES], "tanh", "sigmoid", seed=3)
    assert net.layer_sizes == (4, 5, 3, 2) and net.dtype == np.float64 and net.seed == 3
    assert net.layer_activations == ("tanh", "tanh", "sigmoid") and net.loss == "squared_error"
    for own, given in zip((*net.weights, *net.biases), (*WEIGHTS, *BIASES)):
        assert own.tobytes() == np.ascontiguousarray(given).tobytes()


def test_the_arguments_are_those_of_a_network():
    w, b = [a.astype(np.float32) for a in WEIGHTS], [a.astype(np.float16) for a in BIASES]
    net = fastmlp.from_layers(w, b, ["relu", "gelu"], loss="cross_entropy", input_scale=255, backend="reference")
    assert net.dtype == np.float32 and net.layer_activations == ("relu", "gelu", "softmax") and net.task == "classes"
    assert net.input_scale == 255 and net.backend == "reference"
    assert fastmlp.from_layers(w, BIASES).dtype == np.float64
    assert fastmlp.from_layers(WEIGHTS, b, dtype="float32").weights[0].tobytes() == w[0].tobytes()


def test_a_layer_without_biases_has_zeros():
    net = fastmlp.from_layers(WEIGHTS, [None, BIASES[1], None])
    assert not net.biases[0].any() and not net.biases[2].any() and net.biases[1].tobytes() == BIASES[1].tobytes()


def test_square_weights_are_turned_as_their_biases_stand():
    for shape, weights in (((1, 3), SQUARE), ((3, 1), flipped(SQUARE))):
        net = fastmlp.from_layers(SQUARE, [np.ones(shape)] * 2)
        assert net.weights[0].tobytes() == np.ascontiguousarray(weights[0]).tobytes()
    for biases in ([np.ones(3)] * 2, [None, None], [np.ones((3, 1)), np.ones((1, 3))]):
        with pytest.raises(ValueError, match=r"fit as \(n_in, n_out\) and as \(n_out, n_in\): give biases"):
            fastmlp.from_layers(SQUARE, biases)


def test_what_does_not_fit_is_shown_in_both_ways():
    with pytest.raises(ValueError) as caught:
        fastmlp.from_layers([WEIGHTS[0], WEIGHTS[1].T], BIASES[:2])
    assert "As (n_in, n_out): 4 -> 5 with 5 biases, 3 -> 5 with 3 biases" in str(caught.value)
    assert "As (n_out, n_in): 5 -> 4 with 5 biases, 5 -> 3 with 3 biases" in str(caught.value)


@pytest.mark.parametrize("weights, biases, error, word", [
    (WEIGHTS, BIASES[:2], ValueError, "there are 3 and 2"),
    ([], [], ValueError, "there are 0 and 0"),
    (3, BIASES, TypeError, "weights must be a list"),
    ("abc", BIASES, TypeError, "weights must be a list"),
    ([BIASES[0]], BIASES[:1], ValueError, "weights[0] must be a matrix"),
    (WEIGHTS[:1], [np.ones((5, 5))], ValueError, "biases[0] must have shape (n,), (n, 1) or (1, n), not (5, 5)"),
    (WEIGHTS[:1], [["a"] * 5], TypeError, "biases[0] must hold real numbers"),
], ids=str)  # fmt: skip
def test_what_is_refused(weights, biases, error, word):
    with pytest.raises(error) as caught:
        fastmlp.from_layers(weights, biases)
    assert word in str(caught.value)
