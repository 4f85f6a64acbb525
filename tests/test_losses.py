"""Losses, weights of rows and label smoothing as fit and its kin take them: what they mean, and what they refuse."""

import numpy as np
import pytest
from conftest import needs_kernels

import fastmlp
from fastmlp import MLP, Huber, Quantile, reference
from fastmlp.random_streams import shuffled_rows

random = np.random.RandomState(0)
X, LABELS = random.random_sample((50, 6)).astype(np.float32), random.randint(0, 4, 50)
WEIGHTS = random.random_sample(50) * random.choice([0, 1, 3], 50)
NUMBERS = random.random_sample((50, 4))


def network(backend="reference", **options):
    return MLP(**{"layer_sizes": [6, 5, 4], "loss": "cross_entropy", "seed": 1, "backend": backend, **options})


def test_weights_of_1_are_no_weights(backend):
    plain, weighted = network(backend), network(backend)
    losses = plain.fit(X, LABELS, epochs=2, batch_size=8, verbose=0).loss
    ones = np.ones(50)
    assert (
        weighted.fit(X, LABELS, epochs=2, batch_size=8, verbose=0, sample_weight=ones, class_weight=[1, 1, 1, 1]).loss
        == losses
    )
    assert plain.hash() == weighted.hash()
    assert plain.train_step(X, LABELS, 0.1) == weighted.train_step(X, LABELS, 0.1, sample_weight=ones)
    assert plain.hash() == weighted.hash()


@pytest.mark.parametrize("weight_mean", ["weights", "rows"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile", "poisson", "cross_entropy",
                                  "binary_cross_entropy"])  # fmt: skip
def test_fit_takes_the_weighted_steps_that_its_definition_says(backend, loss, weight_mean):
    net, by_hand = network(backend, loss=loss), network(backend, loss=loss)
    y = NUMBERS if loss in ("squared_error", "absolute_error", "huber", "quantile", "poisson") else np.eye(4)[LABELS]
    history = net.fit(
        X, y, epochs=1, batch_size=8, learning_rate=0.5, verbose=0, sample_weight=WEIGHTS, weight_mean=weight_mean
    )
    order, weights, losses = shuffled_rows(50, 1, 0), WEIGHTS.astype(np.float32).astype(np.float64), []
    for start in range(0, 50, 8):
        rows = order[start : start + 8]
        losses += [by_hand.evaluate(X[row][None], y[row][None]).loss for row in rows]
        _, gradients = by_hand.gradients(X[rows], y[rows], WEIGHTS[rows], weight_mean)
        by_hand.parameters[...] -= np.float32(0.5) * gradients.parameters
    assert net.hash() == by_hand.hash()
    total = reference.ordered_sum(weights[order] * np.array(losses))
    assert history.loss == [total / reference.ordered_sum(weights[order])]


def test_a_weight_of_2_is_the_row_twice():
    net = network(dtype="float64")
    weights = np.arange(50) % 3
    twice = np.repeat(np.arange(50), weights)
    (loss, weighted), (expected, repeated) = net.gradients(X, LABELS, weights), net.gradients(X[twice], LABELS[twice])
    assert loss == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-10, atol=1e-15)
    assert net.evaluate(X, LABELS, weights).loss == loss
    assert net.evaluate(X, LABELS, weights).n_correct == net.evaluate(X, LABELS).n_correct


def test_what_weight_mean_divides_by():
    net, weights = network(dtype="float64"), np.full(50, 3.0)
    plain = net.gradients(X, LABELS)[1].parameters
    np.testing.assert_allclose(net.gradients(X, LABELS, weights)[1].parameters, plain, rtol=1e-12, atol=1e-17)
    np.testing.assert_allclose(net.gradients(X, LABELS, weights, "rows")[1].parameters, 3 * plain, rtol=1e-12, atol=1e-17)


def test_weights_of_0_alone_change_nothing(backend):
    net = network(backend)
    before = net.hash()
    assert net.train_step(X, LABELS, 0.5, sample_weight=np.zeros(50)) == 0 and net.hash() == before
    assert not net.gradients(X, LABELS, np.zeros(50))[1].parameters.any()


def test_class_weights(backend):
    counts = np.bincount(LABELS, minlength=4)
    of_rows = {"balanced": (50 / (4 * counts))[LABELS], "dict": np.where(LABELS == 2, 5.0, 1.0), "array": LABELS * 0.5}
    given = {"balanced": "balanced", "dict": {2: 5}, "array": [0, 0.5, 1, 1.5]}
    for kind, class_weight in given.items():
        for y in (LABELS, np.eye(4)[LABELS]):
            net, expected = network(backend), network(backend)
            net.fit(X, y, epochs=1, verbose=0, class_weight=class_weight, sample_weight=WEIGHTS)
            expected.fit(X, y, epochs=1, verbose=0, sample_weight=WEIGHTS * of_rows[kind])
            assert net.hash() == expected.hash()
    single = [MLP([6, 1], loss="binary_cross_entropy", seed=0, backend=backend) for _ in range(2)]
    single[0].fit(X, LABELS % 2, epochs=1, verbose=0, class_weight={1: 3})
    single[1].fit(X, LABELS % 2, epochs=1, verbose=0, sample_weight=1 + 2 * (LABELS % 2))
    assert single[0].hash() == single[1].hash()


@pytest.mark.parametrize("loss, sizes, n_classes", [("cross_entropy", [6, 5, 4], 4), ("binary_cross_entropy", [6, 5, 1], 2)])
def test_smoothed_labels_are_other_targets(backend, loss, sizes, n_classes):
    y = LABELS if n_classes == 4 else LABELS % 2
    T, one_hot = np.float32, np.eye(4, dtype=np.float32)[y] if n_classes == 4 else y.astype(np.float32)[:, None]
    drawn = one_hot * T(1 - 0.1) + T(0.1 / n_classes)
    net, expected = (network(backend, loss=loss, layer_sizes=sizes) for _ in range(2))
    history = net.fit(X, y, epochs=2, batch_size=8, verbose=0, label_smoothing=0.1, validation_data=(X, y))
    wanted = expected.fit(X, drawn, epochs=2, batch_size=8, verbose=0)
    assert net.hash() == expected.hash() and history.loss == wanted.loss
    assert history.val_loss[-1] == net.evaluate(X, y).loss  # as the labels are
    assert net.train_step(X, y, 0.1, label_smoothing=0.1) == expected.train_step(X, drawn, 0.1)


@pytest.mark.parametrize("given, loss", [("huber", Huber(1.0)), ("quantile", Quantile(0.5)), (Huber(0.3), Huber(0.3)),
                                         (Quantile(q=0.9), Quantile(0.9)), (Huber(delta=2), Huber(2.0))])  # fmt: skip
def test_a_loss_with_a_parameter(tmp_path, backend, given, loss):
    net = network(backend, loss=given)
    assert net.loss == loss and f"loss={loss!r}" in repr(net)
    net.fit(X, NUMBERS, epochs=1, verbose=0)
    net.save(tmp_path / "net.npz")
    twin = MLP.load(tmp_path / "net.npz", backend=backend)
    assert twin.loss == loss and repr(twin) == repr(net)
    twin.fit(X, NUMBERS, epochs=1, verbose=0)
    net.fit(X, NUMBERS, epochs=1, verbose=0)
    assert net.hash() == twin.hash()


@needs_kernels
def test_what_the_losses_are_smallest_at():
    """A constant output ends at what its loss estimates: the mean, the median, a quantile; for counts again the mean."""
    y = random.standard_exponential(999)
    estimates = {"squared_error": y.mean(), "absolute_error": np.median(y), Quantile(0.9): np.quantile(y, 0.9),
                 "poisson": y.mean()}  # fmt: skip
    for loss, expected in estimates.items():
        net = MLP([1, 1], loss=loss, dtype="float64", seed=0, backend="compiled")
        for rate in (0.3, 0.03, 0.003):
            for _ in range(300):
                net.train_step(np.zeros((999, 1)), y, rate)
        assert net(np.zeros(1))[0] == pytest.approx(expected, abs=0.02)


BAD = [
    (dict(sample_weight=WEIGHTS[:9]), ValueError, "sample_weight must be one weight for each row, of shape (50,), not shape (9,)"),
    (dict(sample_weight=-WEIGHTS), ValueError, "sample_weight must be finite and at least 0, but row"),
    (dict(sample_weight=np.full(50, np.nan)), ValueError, "sample_weight must be finite and at least 0, but row 0 is nan"),
    (dict(sample_weight=np.full(50, 1e39)), ValueError, "too large for float32"),
    (dict(sample_weight="balanced"), TypeError, "sample_weight must hold real numbers"),
    (dict(class_weight="equal"), ValueError, "class_weight must be one of balanced"),
    (dict(class_weight={4: 1}), ValueError, "a class of class_weight must be an integer of at least 0 and below 4"),
    (dict(class_weight={"a": 1}), TypeError, "a class of class_weight must be an integer"),
    (dict(class_weight={1: -1}), ValueError, "class_weight[1] must be finite and at least 0"),
    (dict(class_weight=[1, 2]), ValueError, 'class_weight must be "balanced", a dict, or one weight for each class'),
    (dict(weight_mean="sum"), ValueError, "weight_mean must be one of weights, rows, not 'sum'"),
    (dict(label_smoothing=1.5), ValueError, "label_smoothing must be a number from 0 to 1, not 1.5"),
    (dict(label_smoothing="much"), TypeError, "label_smoothing must be a number from 0 to 1"),
]  # fmt: skip


@pytest.mark.parametrize("options, error, words", BAD)
def test_bad_options(options, error, words):
    net = network()
    before = net.hash()
    with pytest.raises(error) as caught:
        net.fit(X, LABELS, **options)
    assert words in str(caught.value) and net.hash() == before


@pytest.mark.parametrize("make, error, words", [
    (lambda: network(loss=Huber(0)), ValueError, "delta of the loss must be a finite number above 0"),
    (lambda: network(loss=Huber(np.inf)), ValueError, "delta of the loss"),
    (lambda: network(loss=Huber(1e-60)), ValueError, "above 0 in float32, not 1e-60"),
    (lambda: network(loss=Huber("1")), TypeError, "delta of the loss"),
    (lambda: network(loss=Quantile(1)), ValueError, "q of the loss must be a number between 0 and 1"),
    (lambda: network(loss="poisson", output_activation="identity"), ValueError, "output_activation 'identity' does not go with"),
    (lambda: network(output_activation="exp"), ValueError, "output_activation 'exp' does not go with"),
    (lambda: network(activation="exp"), ValueError, "activation must be one of"),
    (lambda: network(loss="poisson").fit(X, -NUMBERS), ValueError, "y must be at least 0 for this loss, but row 0"),
    (lambda: network(loss="huber").fit(X, NUMBERS, label_smoothing=0.1), ValueError, "label_smoothing is for the losses"),
    (lambda: network(loss="huber").fit(X, NUMBERS, class_weight="balanced"), ValueError, "class_weight needs targets that name"),
    (lambda: network().fit(X, np.full((50, 4), 0.25), class_weight="balanced"), ValueError, "class_weight needs targets"),
])  # fmt: skip
def test_what_does_not_go_together(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


def test_a_damaged_loss_in_a_file(tmp_path):
    from fastmlp import persistence

    for header in ({"name": "huber"}, {"name": "huber", "q": 1}, {"name": "huber", "delta": -1}, {"delta": 1}, ["huber"], 3):
        with pytest.raises((ValueError, TypeError)):
            fastmlp.validation.network_loss(persistence._loss(header), np.dtype(np.float32))


def test_the_functions_take_losses_with_parameters(backend):
    z, y = NUMBERS, NUMBERS[::-1] * 2
    for loss in (Huber(0.3), Quantile(0.9), "huber"):
        given = Huber() if loss == "huber" else loss
        losses = fastmlp.functional.row_losses(loss, z, z, y, backend=backend)
        assert losses.tobytes() == reference.row_losses(given, z, z, y).tobytes()
        gradient = fastmlp.functional.output_gradient(loss, "identity", z, y, backend=backend)
        assert gradient.tobytes() == reference.output_gradient(given, "identity", z, y).tobytes()
    with pytest.raises(ValueError, match="delta of the loss"):
        fastmlp.functional.row_losses(Huber(-1), z, z, y, backend=backend)
    with pytest.raises(ValueError, match="'exp' does not go with loss 'huber'|does not go with loss Huber"):
        fastmlp.functional.output_gradient("huber", "exp", z, y, backend=backend)
    with pytest.raises(ValueError, match="'exp' has no derivative of its own"):
        fastmlp.functional.activation_gradient("exp", z, y, backend=backend)
