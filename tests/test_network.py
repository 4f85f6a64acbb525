"""What a network gives: shapes, bits, gradients, and that its arrays are live."""

import copy
import hashlib
import inspect
import pickle
import warnings

import numpy as np
import pytest
from conftest import needs_kernels

import fastmlp
from fastmlp import ACTIVATIONS, MLP, Huber, Quantile, reference
from fastmlp.losses import LOSSES


def small(backend="reference", **options):
    return MLP([6, 5, 4], backend=backend, **{"seed": 1, "output_activation": "sigmoid", **options})


def data(rows=7, seed=0):
    random = np.random.RandomState(seed)
    return random.random_sample((rows, 6)).astype(np.float32), random.randint(0, 4, rows)


def test_the_digit_network_of_the_readme():
    net = MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, backend="reference")
    assert net.n_parameters == 13002
    assert [w.shape for w in net.weights] == [(784, 16), (16, 16), (16, 10)]
    assert [b.shape for b in net.biases] == [(16,), (16,), (10,)]
    assert net.hash() == "c514bb239ea55d7972621f2041b53ccc4755596d10253e10fd99036d8d1277a6"
    assert repr(net) == (
        "MLP([784, 16, 16, 10], sigmoid -> sigmoid -> sigmoid, loss='squared_error', dtype='float32', "
        "task='classes', 13002 parameters, backend='reference')"
    )


def test_weights_are_views_of_the_flat_parameters(backend):
    net = small(backend)
    expected = np.concatenate([a.ravel() for pair in zip(net.weights, net.biases) for a in pair])
    assert net.parameters.tobytes() == expected.tobytes()
    assert net.parameters.ctypes.data % 64 == 0
    net.biases[1][2] = 50
    assert net.parameters[-2] == 50
    assert net(np.zeros(6))[2] == 1  # the backend computes with the same memory
    with pytest.raises(AttributeError):
        net.parameters = np.zeros(net.n_parameters)


def test_the_public_hash_is_of_the_little_endian_parameters_in_order():
    net = small(dtype="float64")
    flat = b"".join(a.astype("<f8").tobytes() for pair in zip(net.weights, net.biases) for a in pair)
    assert net.hash() == hashlib.sha256(flat).hexdigest()


def test_forward_is_the_dense_layers_one_after_another(backend):
    net, (x, _) = small(backend, activation="relu", dtype="float64"), data()
    a = x.astype(np.float64)
    for w, b, name in zip(net.weights, net.biases, ("relu", "sigmoid")):
        a = reference.dense_forward(a, w, b, name)
    assert net(x).tobytes() == net.forward(x).tobytes() == a.tobytes()
    activations = net.activations(x)
    assert [layer.shape for layer in activations] == [(7, 6), (7, 5), (7, 4)]
    assert activations[0].tobytes() == x.astype(np.float64).tobytes()
    assert activations[2].tobytes() == a.tobytes()


@pytest.mark.parametrize(
    "as_given",
    [
        lambda x: x.tolist(),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        np.asfortranarray,
        lambda x: x[::-1].copy()[::-1],
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: np.concatenate([x, x], axis=1)[:, :6],
        lambda x: np.concatenate([x, x], axis=1)[:, 6:],
        lambda x: x.reshape(7, 2, 3),
        lambda x: np.frombuffer(b"?" + x.tobytes(), np.float32, offset=1).reshape(7, 6),
    ],
)
def test_inputs_of_any_layout_give_the_same_bits(backend, as_given):
    net, (x, _) = small(backend), data()
    assert net(as_given(x)).tobytes() == net(x).tobytes()


def test_rows_in_line_pass_without_a_copy():
    net, (x, _) = small(), data()
    seen = []
    net._engine.forward = lambda x, out=None: seen.append(x)
    wide = np.concatenate([x, x], axis=1)
    net(wide[:, :6])
    net(np.zeros((3, 6), np.uint8))
    assert np.shares_memory(seen[0], wide) and seen[1].dtype == np.uint8


def test_the_backend_gets_rows_that_ascend_and_are_aligned():
    net, (x, _) = small(), data()
    labels = np.arange(7) % 4
    seen = []
    net._engine.forward = lambda x, out=None: seen.append(x)
    net._engine.evaluate = lambda samples, losses, correct: seen.extend((samples.x, samples.y, losses.fill(0)))
    unaligned = np.frombuffer(b"?" + x.tobytes(), np.float32, offset=1).reshape(7, 6)
    for layout in (x[::-1], unaligned, x[:, ::-1], np.asfortranarray(x)):
        net(layout)
        assert seen[-1].flags.aligned and seen[-1].strides[1] == 4 and seen[-1].strides[0] >= 0
        assert seen[-1].tobytes() == layout.tobytes()
    unaligned = np.frombuffer(b"?" + labels.tobytes(), np.int64, offset=1)
    for layout in (labels[::-1], unaligned, np.repeat(labels, 2)[::2]):
        net.evaluate(x, layout)
        assert seen[-2].flags.aligned and seen[-2].strides == (8,)
        assert seen[-2].tolist() == layout.tolist()


TYPES = ["u1", "i2", "u4", "i8", "f4", ">f4", "f8"]


@pytest.mark.filterwarnings("ignore:x is far from unit size")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1, 255, 16, 0.3])
def test_a_number_is_its_value_in_every_type_and_divided_by_the_scale(backend, scale, dtype):
    net, plain = small(backend, input_scale=scale, dtype=dtype), small(backend, dtype=dtype)
    levels, y = (np.arange(42).reshape(7, 6) * 6 + 1), np.arange(7) % 4
    divided = levels.astype(dtype) / np.dtype(dtype).type(scale)
    assert divided.tobytes() == net.activations(levels)[0].tobytes()
    expected, loss, of_one = plain(divided).tobytes(), plain.gradients(divided, y)[0], plain(divided[2]).tobytes()
    trained = plain.train_step(divided, y, 0.5), plain.train_step(divided, y, 0.5), plain.hash()
    fitted = small(backend, dtype=dtype)
    fitted.fit(divided, y, epochs=2, batch_size=3, verbose=0)
    for kind in TYPES:
        x, net = levels.astype(kind), small(backend, input_scale=scale, dtype=dtype)
        assert net(x).tobytes() == expected and net.gradients(x, y)[0] == loss and net(x[2]).tobytes() == of_one
        assert net(x.tolist()).tobytes() == expected
        assert (net.train_step(x, y, 0.5), net.train_step(x, y, 0.5), net.hash()) == trained
        net = small(backend, input_scale=scale, dtype=dtype)
        net.fit(x, y, epochs=2, batch_size=3, verbose=0)
        assert net.hash() == fitted.hash()


def test_four_rows_of_xor_train_in_every_type(backend):
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    hashes = set()
    for kind in ("u1", "i1", "i8", "?", "f4"):
        net = MLP([2, 8, 2], "tanh", loss="cross_entropy", seed=0, backend=backend)
        net.fit(x.astype(kind), y, epochs=60, batch_size=4, learning_rate=1.0, verbose=0)
        hashes.add(net.hash())
        assert net.evaluate(x, y).accuracy == 1
    assert len(hashes) == 1


def test_the_scale_is_said_and_kept(backend, tmp_path):
    net = small(backend, input_scale=255)
    assert net.input_scale == 255 and "input_scale=255" in repr(net) and "input_scale" not in repr(small(backend))
    net.save(tmp_path / "net.npz")
    assert MLP.load(tmp_path / "net.npz").input_scale == copy.copy(net).input_scale == 255


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf, "255", None, True, 1j, 1e-60, 1e300, 10**400])
def test_scales_that_are_none(scale):
    with pytest.raises((ValueError, TypeError), match="input_scale must be a finite number above 0"):
        small(input_scale=scale)


def test_values_far_from_unit_size_are_told_once(backend):
    x, y = np.random.RandomState(0).randint(0, 256, (50, 6)), np.arange(50) % 4
    for train in (lambda net: net.fit(x, y, epochs=1, verbose=0), lambda net: net.train_step(x, y, 0.1)):
        net = small(backend)
        with pytest.warns(UserWarning, match=r"far from unit size.*root mean square is 1\d\d\).*input_scale=255"):
            train(net)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train(net)
            train(small(backend, input_scale=255))


def test_one_sample(backend):
    net, (x, _) = small(backend), data()
    for sample in (x[0], x[0].reshape(2, 3), x[0].reshape(2, 3, 1)):
        assert net(sample).shape == (4,)
        assert net(sample).tobytes() == net(x)[0].tobytes()
    assert [a.shape for a in net.activations(x[0])] == [(6,), (5,), (4,)]
    one_image = net(x[:1].reshape(1, 2, 3))
    assert one_image.shape == (1, 4) and one_image.tobytes() == net(x)[:1].tobytes()


def test_zero_rows(backend):
    net = small(backend)
    assert net(np.zeros((0, 6), np.float32)).shape == (0, 4)
    assert net(np.zeros((0, 2, 3))).shape == (0, 4)
    assert [a.shape for a in net.activations(np.zeros((0, 6)))] == [(0, 6), (0, 5), (0, 4)]
    assert net.predict(np.zeros((0, 6))).shape == (0,)


def test_nan_and_infinity_pass_through_forward(backend):
    net = MLP([2, 1], backend=backend, seed=0)
    net.weights[0][...] = 1
    with np.errstate(invalid="raise", over="raise"):
        assert np.isnan(net([np.nan, 1.0])[0])
        assert net([np.inf, 1.0])[0] == np.inf
        assert net([1e300, 1.0])[0] == np.inf


def test_out_is_written_and_returned(backend):
    net, (x, _) = small(backend), data()
    out = np.empty((7, 4), np.float32)
    assert net.forward(x, out=out) is out
    assert out.tobytes() == net(x).tobytes()
    one = np.empty(4, np.float32)
    assert net.forward(x[0], out=one) is one and one.tobytes() == out[0].tobytes()


HIDDEN = [row.name for row in ACTIVATIONS.values() if row.hidden]
COMBINATIONS = [
    (HIDDEN[(i + j) % len(HIDDEN)], output, loss)
    for i, loss in enumerate(LOSSES)
    for j, output in enumerate(LOSSES[loss].output_activations)
]


@pytest.mark.parametrize("hidden, output, loss", COMBINATIONS)
def test_gradients_against_finite_differences(backend, hidden, output, loss):
    net = MLP([3, 4, 3], hidden, output, loss, dtype="float64", seed=3, backend=backend, task="numbers")
    random = np.random.RandomState(5)
    for b in net.biases:
        b[...] = random.random_sample(b.shape) * 0.5 + 0.1  # away from relu's corner
    x, y = random.random_sample((5, 3)), random.random_sample((5, 3))
    if loss == "cross_entropy":
        y /= y.sum(axis=1, keepdims=True)
    value, gradients = net.gradients(x, y)
    assert value == net.evaluate(x, y).loss
    assert gradients.weights[1].shape == (4, 3) and np.shares_memory(gradients.weights[1], gradients.parameters)
    assert gradients.biases[0].shape == (4,) and np.shares_memory(gradients.biases[0], gradients.parameters)
    assert_derivatives(net, gradients, lambda: net.evaluate(x, y).loss)


@pytest.mark.parametrize("loss", [*LOSSES, Huber(0.3), Quantile(0.8)], ids=str)
def test_weighted_gradients_against_finite_differences(backend, loss):
    net = MLP([3, 4, 3], "silu", loss=loss, dtype="float64", seed=3, backend=backend, task="numbers")
    random = np.random.RandomState(6)
    x, y, weights = random.random_sample((5, 3)), random.random_sample((5, 3)), np.array([0, 0.5, 1, 2, 3])
    if loss == "cross_entropy":
        y /= y.sum(axis=1, keepdims=True)
    value, gradients = net.gradients(x, y, weights)
    assert value == net.evaluate(x, y, weights).loss
    assert_derivatives(net, gradients, lambda: net.evaluate(x, y, weights).loss)


def assert_derivatives(net, gradients, loss, step=1e-6):
    """Each third gradient is how much the loss changes with its parameter."""
    for i in range(0, net.n_parameters, 3):
        kept = net.parameters[i]
        net.parameters[i] = kept + step
        above = loss()
        net.parameters[i] = kept - step
        below = loss()
        net.parameters[i] = kept
        assert gradients.parameters[i] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8)


def test_labels_one_hot_and_real_targets_agree(backend):
    net, (x, labels) = small(backend), data()
    one_hot = np.eye(4)[labels]
    results = [net.gradients(x, y) for y in (labels, labels.astype(np.uint8), labels.tolist(), one_hot, one_hot > 0)]
    assert len({loss for loss, _ in results}) == 1
    assert len({gradients.parameters.tobytes() for _, gradients in results}) == 1


def test_one_output_takes_targets_in_any_form(backend):
    net = MLP([6, 1], loss="binary_cross_entropy", seed=0, backend=backend)
    x, _ = data(4)
    forms = [0, 1, 1, 0], [False, True, True, False], [0.0, 1.0, 1.0, 0.0], [[0.0], [1.0], [1.0], [0.0]]
    assert len({net.gradients(x, y)[1].parameters.tobytes() for y in forms}) == 1
    assert len({net.evaluate(x, y) for y in forms}) == 1
    assert net.evaluate(x, [0.2, 1.0, 1.0, 0.0]).n_correct == net.evaluate(x, [0, 1, 1, 0]).n_correct
    regression = MLP([6, 1], seed=0, backend=backend)
    assert regression.gradients(x, [3, 5, -2, 7])[0] == regression.gradients(x, [3.0, 5.0, -2.0, 7.0])[0]


def test_evaluate_counts_the_rows_predicted_right(backend):
    net, (x, labels) = small(backend), data()
    net.train_step(x, labels, 0.0)
    evaluation = net.evaluate(x, labels)
    assert evaluation.n_correct == np.count_nonzero(net.predict(x) == labels)
    assert evaluation.accuracy == evaluation.n_correct / evaluation.n and evaluation.n == 7
    assert small(backend, task="numbers").evaluate(x, np.full((7, 4), 0.5))[1:] == (None, None, 7, None, None)


def test_a_single_sigmoid_output_decides_at_one_half():
    net = MLP([6, 1], loss="binary_cross_entropy", seed=0, backend="reference")
    x, _ = data()
    net.fit(x, [0, 1, 1, 0, 1, 0, 1], epochs=1, verbose=0)
    assert net.predict(x).tolist() == [int(a > 0.5) for a in net(x)[:, 0]]


@pytest.mark.parametrize(
    "loss, output", [("squared_error", "identity"), ("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid")]
)
def test_the_loss_chooses_the_output_activation(loss, output):
    assert MLP([2, 3, 2], loss=loss, backend="reference").layer_activations == ("sigmoid", output)


def test_one_activation_a_hidden_layer(backend):
    net = MLP([6, 5, 4, 3], activation=["relu", "tanh"], backend=backend)
    assert net.layer_activations == ("relu", "tanh", "identity")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_independent_and_alive(backend, duplicate):
    net, (x, y) = small(backend), data()
    net.fit(x, y, epochs=1, verbose=0)
    twin = duplicate(net)
    assert twin.hash() == net.hash() and repr(twin) == repr(net)
    assert twin.epochs_trained == 1 and twin.history == net.history
    before = net.hash()
    twin.fit(x, y, epochs=1, verbose=0)
    assert net.hash() == before != twin.hash()
    net.fit(x, y, epochs=1, verbose=0)
    assert net.hash() == twin.hash()
    assert np.shares_memory(twin.weights[0], twin.parameters)


class Named(MLP):
    """A subclass with attributes of its own, and a default where none is kept."""

    def __init__(self, *arguments, names, **options):
        self.names = names
        super().__init__(*arguments, **options)

    def __setstate__(self, state):
        self.names = []
        super().__setstate__(state)

    def answer(self, x):
        return [self.names[i] for i in self.predict(x)]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_keep_what_users_add(backend, duplicate, tmp_path):
    x, y = data()
    net = Named([6, 5, 4], loss="cross_entropy", seed=1, backend=backend, names=list("abcd"))
    net.note = {"made": "today"}
    net.train_step(x, y, 0.1)
    twin = duplicate(net)
    assert type(twin) is Named and twin.answer(x) == net.answer(x) and twin.note == net.note
    assert (twin.note is net.note) == (duplicate is copy.copy)
    assert set(vars(twin)) == set(vars(net)) and twin._engine is not net._engine
    again = duplicate(twin)
    assert again.note == net.note and again.hash() == net.hash()
    net.save(tmp_path / "net.npz")
    loaded = Named.load(tmp_path / "net.npz", backend=backend)
    assert type(loaded) is Named and loaded.names == [] and loaded.hash() == net.hash()


def test_a_copy_has_a_history_of_its_own(backend):
    net = small(backend)
    net.fit(*data(), epochs=2, verbose=0)
    twin = copy.copy(net)
    twin.history.loss.append(0.0)
    assert net.history.epochs == 2 and twin.history is not net.history


@needs_kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden, output, loss", COMBINATIONS)
def test_backends_agree_in_bits(hidden, output, loss, dtype):
    x, y = data(33)
    runs = []
    for backend in ("reference", "compiled"):
        net = MLP([6, 5, 4], hidden, output, loss, dtype, seed=2, backend=backend, task="classes")
        history = net.fit(x, y, epochs=2, batch_size=8, verbose=0)
        evaluation = net.evaluate(x, y)
        runs.append((net.hash(), history.loss, history.accuracy, evaluation, net(x).tobytes()))
    assert runs[0] == runs[1]


def test_every_public_name_is_documented():
    for name in fastmlp.__all__:
        assert inspect.getdoc(getattr(fastmlp, name)), name
    for name, member in vars(MLP).items():
        if not name.startswith("_"):
            assert inspect.getdoc(member), name


def test_with_a_mean_over_rows_the_loss_that_is_told_divides_by_the_weights():
    x, y, weights = np.eye(4), np.arange(4) % 2, [2] * 4
    net = MLP([4, 3, 2], loss="cross_entropy", dtype="float64", seed=0, backend="reference")
    (by_weights, of_weights), (by_rows, of_rows) = (net.gradients(x, y, weights, mean) for mean in ("weights", "rows"))
    step = net.train_step(x, y, 0.0, sample_weight=weights, weight_mean="rows")
    assert by_rows == by_weights == step == net.gradients(x, y)[0]
    assert of_rows.parameters.tobytes() == (2 * of_weights.parameters).tobytes()
