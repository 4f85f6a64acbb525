"""Initial weights and shuffles: their bits, and that they depend on seed and position only."""

import copy
import hashlib
import math
import pickle
import tempfile
import tracemalloc

import numpy as np
import pytest

from fastmlp import MLP, initializers
from fastmlp.random_streams import shuffled_rows

# SHA-256 of a shuffle and of initial weights. They change only with the rule that draws them.
SHUFFLE = "01aa923d5abf77b1666b449a6c696b6679d442754442d7c5edea3f58269d3bbd"
WEIGHTS = "b7f3b7cadee127cc370351e51da51537d8f8d56228a022307c41566b63d21c49"


def network(activation="sigmoid", dtype="float64", seed=3, sizes=(40, 30, 20)):
    return MLP(sizes, activation, dtype=dtype, seed=seed, backend="reference")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation, fan", [("sigmoid", 70), ("tanh", 70), ("identity", 70), ("relu", 40)])
def test_weights_are_uniform_within_the_limit_of_their_layer(activation, fan, dtype):
    net = network(activation, dtype)
    u = np.random.RandomState([3, 0, 0]).random_sample(1200).reshape(40, 30)
    assert net.weights[0].tobytes() == ((2 * u - 1) * math.sqrt(6 / fan)).astype(dtype).tobytes()
    u = np.random.RandomState([3, 0, 1]).random_sample(600).reshape(30, 20)
    assert net.weights[1].tobytes() == ((2 * u - 1) * math.sqrt(6 / 50)).astype(dtype).tobytes()
    assert all(b.tobytes() == bytes(b.nbytes) for b in net.biases)


def test_weights_are_drawn_in_blocks_with_the_same_numbers(monkeypatch):
    whole = network()
    monkeypatch.setattr(initializers, "BLOCK", 77)
    assert network().hash() == whole.hash()
    tracemalloc.start()
    try:
        monkeypatch.undo()
        net = network(sizes=(2000, 1000), dtype="float32")
        assert tracemalloc.get_traced_memory()[1] < net.parameters.nbytes + 4e6
    finally:
        tracemalloc.stop()


def test_a_layer_does_not_depend_on_the_layers_after_it():
    wide = network(sizes=(40, 30, 7, 20))
    assert wide.weights[0].tobytes() == network().weights[0].tobytes()


def test_seeds_are_kept_and_differ():
    assert network(seed=4).hash() != network(seed=3).hash() == network(seed=np.int64(3)).hash()
    drawn = [network(seed=None) for _ in range(2)]
    assert drawn[0].seed != drawn[1].seed and 0 <= drawn[0].seed < 2**32
    assert network(seed=drawn[0].seed).hash() == drawn[0].hash()
    network(seed=2**32 - 1)


def test_the_bits_that_numpy_has_frozen():
    assert hashlib.sha256(shuffled_rows(1000, 5, 7).astype("<i8").tobytes()).hexdigest() == SHUFFLE
    assert network().hash() == WEIGHTS


def test_shuffles_are_permutations_that_differ_by_seed_and_epoch():
    orders = [shuffled_rows(100, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert all(sorted(order) == list(range(100)) and order.dtype == np.int64 for order in orders)
    assert len({order.tobytes() for order in orders}) == 3


# SHA-256 of what the names give for 40-30-20, seed 3, in float64, first 16 digits. They change only with the rule that draws them.
BITS = {
    "glorot_uniform": "b7f3b7cadee127cc",
    "he_uniform": "8065de1de688b8d7",
    "lecun_uniform": "98cd2299f59f65e6",
    "glorot_normal": "5e8564f7ebb3af16",
    "he_normal": "3d16092cbb96a827",
    "lecun_normal": "1d54dd7caf204274",
    "orthogonal": "20e788d25524ffaa",
    "zeros": "ca2ad22ff68c50b2",
}
VARIANCES = {
    "glorot_uniform": 2 / 700, "glorot_normal": 2 / 700, "he_uniform": 2 / 300, "he_normal": 2 / 300, "lecun_uniform": 1 / 300,
    "lecun_normal": 1 / 300,
}  # fmt: skip


def made(init, sizes=(40, 30, 20), dtype="float64", seed=3, **options):
    return MLP(sizes, dtype=dtype, seed=seed, backend="reference", init=init, **options)


@pytest.mark.parametrize("name", initializers.INITIALIZERS)
def test_bits_of_names(name):
    net = made(name)
    assert net.hash()[:16] == BITS[name]
    single = made(name, dtype="float32")
    assert all(w.tobytes() == v.astype(np.float32).tobytes() for w, v in zip(single.weights, net.weights))
    assert all(b.tobytes() == bytes(b.nbytes) for b in net.biases)


@pytest.mark.parametrize("name", initializers.INITIALIZERS)
def test_no_number_depends_on_the_blocks(name, monkeypatch):
    whole = made(name)
    monkeypatch.setattr(initializers, "BLOCK", 78)
    assert made(name).hash() == whole.hash()


@pytest.mark.parametrize("name", VARIANCES)
def test_mean_and_variance(name):
    w = made(name, (300, 400, 2)).weights[0]
    assert abs(w.mean()) < 4 * math.sqrt(VARIANCES[name] / w.size)
    assert w.var() == pytest.approx(VARIANCES[name], rel=0.02)
    most = math.sqrt(3 * VARIANCES[name]) if "uniform" in name else 2 * math.sqrt(VARIANCES[name]) / initializers.SHRUNK
    assert 0.99 * most < np.abs(w).max() <= most


def test_normal_numbers():
    z = next(initializers._standard_normal(np.random.RandomState(0), 10**6))
    share = [np.mean(z < x) for x in (-2, -1, 0, 0.5, 1, 2)]
    assert share == pytest.approx([0.5 * math.erfc(-x / math.sqrt(2)) for x in (-2, -1, 0, 0.5, 1, 2)], abs=0.008)
    within = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))  # the variance of what is left
    assert math.isclose(initializers.SHRUNK, math.sqrt(within), rel_tol=1e-15)


@pytest.mark.parametrize("sizes", [(40, 30), (30, 40), (30, 30), (1, 5), (5, 1), (200, 200)])
def test_orthogonal(sizes):
    (w,) = made("orthogonal", sizes).weights
    product = w.T @ w if sizes[0] >= sizes[1] else w @ w.T
    assert np.abs(product - np.eye(min(sizes))).max() < 1e-11


def test_one_initializer_a_layer_own_arrays_and_functions():
    weights, bias = np.arange(12.0).reshape(3, 4), [5, 6]
    net = made([weights, (np.ones((4, 2)), bias)], (3, 4, 2))
    assert (net.weights[0] == weights).all() and (net.biases[0] == 0).all()
    assert (net.weights[1] == 1).all() and net.biases[1].tolist() == bias
    net.weights[0][...] = 0
    assert weights[2, 3] == 11
    assert made([[[1, 2], [3, 4]]], (2, 2)).weights[0].tolist() == [[1, 2], [3, 4]]
    mixed = made(["orthogonal", "default"])
    assert mixed.weights[0].tobytes() == made("orthogonal").weights[0].tobytes()
    assert mixed.weights[1].tobytes() == network().weights[1].tobytes()

    def own(shape, random):
        network()  # draws from the stream that all share
        return random.random_sample(shape)

    first, second = made(own), made(own)
    assert first.hash() == second.hash() != made(own, seed=4).hash()
    assert first.weights[0].tobytes() == np.random.RandomState([3, 0, 0]).random_sample((40, 30)).tobytes()


@pytest.mark.parametrize("wrong, error, words", [
    ("he", ValueError, "init of layer 1 must be one of default, glorot_uniform"), (3, TypeError, "init must be a name"),
    (["zeros"], ValueError, "2, one a layer, not 1"),
    ([np.ones((3, 4)), np.ones((2, 4))], ValueError, r"layer 2 must have shape \(4, 2\)"),
    ([np.ones((3, 4)), (np.ones((4, 2)), [1])], ValueError, "bias in init of layer 2"),
    ([np.full((3, 4), np.inf), "zeros"], ValueError, "finite"),
    ([np.full((3, 4), "a"), "zeros"], TypeError, "real numbers"),
    (lambda shape, random: np.ones(3), ValueError, "what init gives for layer 1"),
])  # fmt: skip
def test_what_is_no_initializer(wrong, error, words):
    with pytest.raises(error, match=words):
        made(wrong, (3, 4, 2))


X = np.random.RandomState(0).random_sample((20, 40))


def saved_and_loaded(net):
    with tempfile.TemporaryDirectory() as folder:
        net.save(f"{folder}/net.npz")
        return MLP.load(f"{folder}/net.npz", backend="reference")


@pytest.mark.parametrize("init", ["default", "orthogonal", ["zeros", "he_normal"]])
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), saved_and_loaded]
)
def test_reset(init, duplicate):
    net, fresh = made(init), made(init)
    net.fit(X, X[:, :20], epochs=1, optimizer="adam", verbose=0)
    net = duplicate(net)
    net.reset()
    assert net.hash() == fresh.hash() and net.epochs_trained == 0 and net.history == fresh.history and net.state.arrays == {}
    assert net.fit(X, X[:, :20], epochs=1, verbose=0).loss == fresh.fit(X, X[:, :20], epochs=1, verbose=0).loss
    net.reset(seed=4)
    assert net.seed == 4 and net.hash() == made(init, seed=4).hash()
    net.reset(init="lecun_normal")
    assert net.hash() == made("lecun_normal", seed=4).hash()


def test_what_cannot_be_reset(tmp_path):
    net = made([np.ones((3, 4)), np.ones((4, 2))], (3, 4, 2))
    before = net.hash()
    with pytest.raises(ValueError, match="init='default'"):
        net.reset()
    with pytest.raises(ValueError, match="layer 2"):
        net.reset(seed=5, init=["zeros", lambda shape, random: 0])
    assert net.hash() == before and net.seed == 3
    net.save(tmp_path / "net.npz")
    loaded = MLP.load(tmp_path / "net.npz", backend="reference")
    assert loaded.hash() == before
    loaded.reset(init="zeros")
    assert not loaded.parameters.any()
