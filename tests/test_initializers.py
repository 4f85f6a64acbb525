"""Initial weights and shuffles: their bits, and that they depend on seed and position only."""

import hashlib
import math
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
