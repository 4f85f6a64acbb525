"""Losses, activations and weights against PyTorch, Keras and scikit-learn, where they are installed.

Both sides round each operation, in other orders: numbers agree to the bounds below, in units of the last place u of the type.
A gradient of mean losses is a quotient of sums over rows whose terms are at most some units, so that it agrees to a few u of
its own largest number. Optimizers are in test_optimizer_agreement.py, schedules in test_schedules.py.
"""

import os

import numpy as np
import pytest

from fastmlp import MLP, Huber, Quantile, reference
from fastmlp.activations import ACTIVATIONS
from fastmlp.losses import LOSSES, name_of

DTYPES = ("float32", "float64")
random = np.random.RandomState(3)
Z, Y = random.standard_normal((40, 5)) * 2, random.standard_normal((40, 5))
COUNTS, SEVERAL = np.abs(np.round(Y)), (Y > 0) * 1.0
LABELS = random.randint(0, 5, 40)
ONE_HOT = np.eye(5)[LABELS]
WEIGHTS, CLASS_WEIGHTS = random.random_sample(40) + 0.1, np.array([0.5, 1, 2, 3, 1.5])


def near(actual, expected, units, dtype):
    """To so many u of the largest number expected, at least of 1."""
    expected = np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=units * scale * np.finfo(dtype).eps / 2)


def each_near(actual, expected, units, dtype, z=0):
    """To so many u of each number expected, at least of 1, or of the z that it is a function of."""
    scale = np.maximum(np.maximum(1, np.abs(z)), np.abs(expected))
    far = np.abs(actual - expected) > units * scale * np.finfo(dtype).eps / 2
    assert not far.any(), (actual[far], expected[far])


def gradient(loss, output, z, y, **options):
    a = reference.activate(output, z)
    return reference.row_losses(loss, z, a, y), reference.output_gradient(loss, output, a, y, z, **options)


@pytest.fixture
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


# Activations: values to 8 u of 1, z or themselves, since z (1 + erf(z)) loses in its sum and PyTorch's erf is off by some u in
# float32; derivatives to 64, since theirs lose in 1 - s.


def inputs(dtype):
    return np.concatenate([Z, [[0, 1e-5, -1e-5, 15, -15], [80, -80, 0.5, -0.5, 3]]]).astype(dtype)


def of_torch(name):
    """PyTorch's function of this name: all have their own save those named here."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    others = {"identity": torch.nn.Identity(), "sigmoid": torch.sigmoid, "tanh": torch.tanh, "exp": torch.exp,
              "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"), "softmax": lambda z: F.softmax(z, dim=-1)}  # fmt: skip
    return others.get(name) or getattr(F, name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_torch(name, dtype):
    torch = pytest.importorskip("torch")
    x = inputs(dtype)
    z = torch.tensor(x, requires_grad=True)
    a = of_torch(name)(z)
    a.sum().backward()
    ours = reference.activate(name, x)
    each_near(ours, a.detach().numpy(), 8, dtype, x)
    if ACTIVATIONS[name].hidden:
        kept = x if ACTIVATIONS[name].keeps_z else None
        regular = x != 0  # where leaky_relu has no derivative
        derivative = reference.activation_gradient(name, ours, np.ones_like(x), kept)
        each_near(derivative[regular], z.grad.numpy()[regular], 64, dtype)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_keras(name, keras):
    functions = keras.activations
    others = {"identity": functions.linear, "exp": functions.exponential,
              "leaky_relu": lambda z: functions.leaky_relu(z, negative_slope=0.01),
              "gelu_tanh": lambda z: functions.gelu(z, approximate=True)}  # fmt: skip
    x = inputs("float32")
    theirs = (others.get(name) or getattr(functions, name))(keras.ops.convert_to_tensor(x))
    each_near(reference.activate(name, x), keras.ops.convert_to_numpy(theirs), 8, "float32", x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_of_sklearn(dtype):
    """scikit-learn's overwrite z, and multiply a gradient by the derivative at a."""
    base = pytest.importorskip("sklearn.neural_network._base")
    for name, theirs in base.ACTIVATIONS.items():
        ours, a = reference.activate({"logistic": "sigmoid"}.get(name, name), inputs(dtype)), inputs(dtype)
        theirs(a)
        each_near(ours, a, 4, dtype)
        if name in base.DERIVATIVES:
            expected = np.ones_like(a)
            base.DERIVATIVES[name](a, expected)
            derivative = reference.activation_gradient({"logistic": "sigmoid"}.get(name, name), ours, np.ones_like(a))
            each_near(derivative, expected, 16, dtype)


# Losses and their gradients.


def losses_of_torch(torch):
    """Losses, outputs, targets, and the sums of rows as PyTorch gives them."""
    F, none = torch.nn.functional, {"reduction": "none"}
    return [
        ("squared_error", "identity", Y, lambda z, y: F.mse_loss(z, y, **none) / 2),
        ("absolute_error", "identity", Y, lambda z, y: F.l1_loss(z, y, **none)),
        (Huber(0.7), "identity", Y, lambda z, y: F.huber_loss(z, y, delta=0.7, **none)),
        (Quantile(0.5), "identity", Y, lambda z, y: F.l1_loss(z, y, **none) / 2),
        ("poisson", "exp", COUNTS, lambda z, y: F.poisson_nll_loss(z, y, **none) + torch.xlogy(y, y) - y),
        ("binary_cross_entropy", "sigmoid", SEVERAL, lambda z, y: F.binary_cross_entropy_with_logits(z, y, **none)),
        ("cross_entropy", "softmax", ONE_HOT, lambda z, y: F.cross_entropy(z, y, **none)[:, None]),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_losses_of_torch(dtype, weighted):
    torch = pytest.importorskip("torch")
    weights = (WEIGHTS if weighted else np.ones(40)).astype(dtype)
    of_rows, divisor = torch.tensor(weights), float(weights.astype(float).sum())
    pairs = losses_of_torch(torch)
    assert {name_of(loss) for loss, *_ in pairs} == set(LOSSES)
    for loss, output, y, theirs in pairs:
        z, y = Z.astype(dtype), y.astype(dtype)
        given = torch.tensor(z, requires_grad=True)
        rows = theirs(given, torch.tensor(y)).sum(1)
        ((rows * of_rows).sum() / of_rows.sum()).backward()
        losses, ours = gradient(loss, output, z, y, **({"weights": weights, "divisor": divisor} if weighted else {}))
        near(ours * 40, given.grad.numpy() * 40, 16, dtype)
        np.testing.assert_allclose(losses, rows.detach().numpy(), rtol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_class_weights_and_smoothed_labels_of_torch(dtype):
    """PyTorch's mean of weighted classes divides by the sum of the rows' weights; it smooths labels over all classes."""
    F = pytest.importorskip("torch").nn.functional
    import torch

    z = Z.astype(dtype)
    weights = CLASS_WEIGHTS.astype(dtype)[LABELS]
    weighted = {"weights": weights, "divisor": float(weights.astype(float).sum())}
    smoothed = reference.losses.smoothed(ONE_HOT.astype(dtype), 0.1, 5)
    for y, ours, theirs in (
        (ONE_HOT.astype(dtype), weighted, {"weight": torch.tensor(CLASS_WEIGHTS.astype(dtype))}),
        (smoothed, {}, {"label_smoothing": 0.1}),
    ):
        given = torch.tensor(z, requires_grad=True)
        F.cross_entropy(given, torch.tensor(LABELS), **theirs).backward()
        near(gradient("cross_entropy", "softmax", z, y, **ours)[1] * 40, given.grad.numpy() * 40, 16, dtype)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own
def test_losses_and_weights_of_keras(keras):
    """Keras means over outputs too, and over rows whatever their weights. Its logarithm of counts is of a + 1e-7."""
    z, weights = Z.astype(np.float32), WEIGHTS.astype(np.float32)
    losses, of_logits = keras.losses, {"from_logits": True}
    pairs = [  # loss, output, targets, Keras's loss and targets, by what its mean over outputs is to be multiplied
        ("squared_error", "identity", Y, losses.MeanSquaredError(), Y, 2.5),
        ("absolute_error", "identity", Y, losses.MeanAbsoluteError(), Y, 5),
        (Huber(0.7), "identity", Y, losses.Huber(delta=0.7), Y, 5),
        ("poisson", "exp", COUNTS, losses.Poisson(), COUNTS, 5),
        ("binary_cross_entropy", "sigmoid", SEVERAL, losses.BinaryCrossentropy(**of_logits), SEVERAL, 5),
        ("binary_cross_entropy", "sigmoid", reference.losses.smoothed(SEVERAL.astype(np.float32), 0.1, 2),
         losses.BinaryCrossentropy(label_smoothing=0.1, **of_logits), SEVERAL, 5),
        ("cross_entropy", "softmax", ONE_HOT, losses.SparseCategoricalCrossentropy(**of_logits), LABELS, 1),
        ("cross_entropy", "softmax", reference.losses.smoothed(ONE_HOT.astype(np.float32), 0.1, 5),
         losses.CategoricalCrossentropy(label_smoothing=0.1, **of_logits), ONE_HOT, 1),
    ]  # fmt: skip
    assert {name_of(loss) for loss, *_ in pairs} == set(LOSSES) - {"quantile"}  # which Keras does not have
    for loss, output, y, theirs, given, factor in pairs:
        y, raw = y.astype(np.float32), np.exp(z) if output == "exp" else z
        rows, _ = gradient(loss, output, z, y)
        own = float((rows.astype(float) * weights).sum() / 40)
        if loss == "poisson":  # which leaves out what depends on y alone
            logs = np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0)
            own -= float(((logs - y).sum(1, dtype=float) * weights).sum() / 40)
        expected = float(keras.ops.convert_to_numpy(theirs(given, raw, sample_weight=weights)))
        distance = float((1e-7 * y / raw).sum(1).max()) if loss == "poisson" else 0
        assert own == pytest.approx(expected * factor, rel=float(64 * np.finfo(np.float32).eps), abs=distance)


def test_losses_of_sklearn():
    """As its linear models and trees have them: for one output, or for labels."""
    peers = pytest.importorskip("sklearn._loss")
    from sklearn._loss.loss import HuberLoss

    huber = HuberLoss()
    huber.closs.delta = 0.7
    pairs = [
        ("squared_error", "identity", Y, peers.HalfSquaredError()),
        ("absolute_error", "identity", Y, peers.AbsoluteError()),
        (Huber(0.7), "identity", Y, huber),
        *((Quantile(q), "identity", Y, peers.PinballLoss(quantile=q)) for q in (0.1, 0.5, 0.8)),
        ("poisson", "exp", COUNTS, peers.HalfPoissonLoss()),
        ("binary_cross_entropy", "sigmoid", SEVERAL, peers.HalfBinomialLoss()),
        ("cross_entropy", "softmax", ONE_HOT, peers.HalfMultinomialLoss(n_classes=5)),
    ]
    assert {name_of(loss) for loss, *_ in pairs} == set(LOSSES)
    for loss, output, y, theirs in pairs:
        z = Z if loss == "cross_entropy" else np.ascontiguousarray(Z[:, :1])
        y = y if loss == "cross_entropy" else y[:, :1]
        given = LABELS.astype(float) if loss == "cross_entropy" else np.ascontiguousarray(y[:, 0])
        raw = np.ascontiguousarray(z if loss == "cross_entropy" else z[:, 0])
        losses, ours = gradient(loss, output, z, y, weights=WEIGHTS, divisor=float(WEIGHTS.sum()))
        rows = theirs.loss(given, raw)
        if loss == "poisson":  # which leaves out what depends on y alone
            rows = rows + theirs.constant_to_optimal_zero(given)
        np.testing.assert_allclose(losses, rows, rtol=1e-13, atol=1e-14)
        near(ours.reshape(raw.shape) * WEIGHTS.sum(), theirs.gradient(given, raw, sample_weight=WEIGHTS), 16, "float64")


def test_balanced_weights_of_sklearn():
    utils = pytest.importorskip("sklearn.utils.class_weight")
    from fastmlp.architecture import Architecture
    from fastmlp.validation import row_weights

    architecture = Architecture((3, 5), ("softmax",), "cross_entropy", np.dtype(np.float64), 1.0, "classes")
    ours = row_weights(WEIGHTS, "balanced", LABELS, architecture)
    np.testing.assert_allclose(ours, WEIGHTS * utils.compute_sample_weight("balanced", LABELS), rtol=1e-15)


def test_weighted_evaluations_are_sklearns_metrics():
    """Sums over outputs, where scikit-learn's metrics take the mean over them."""
    metrics = pytest.importorskip("sklearn.metrics")
    for loss, y, theirs in (
        ("squared_error", Y, lambda y, a: metrics.mean_squared_error(y, a, sample_weight=WEIGHTS) * 2.5),
        ("absolute_error", Y, lambda y, a: metrics.mean_absolute_error(y, a, sample_weight=WEIGHTS) * 5),
        (Quantile(0.8), Y, lambda y, a: metrics.mean_pinball_loss(y, a, alpha=0.8, sample_weight=WEIGHTS) * 5),
        ("cross_entropy", LABELS, lambda y, a: metrics.log_loss(y, a, sample_weight=WEIGHTS)),
    ):
        net = MLP([5, 5], loss=loss, dtype="float64", seed=0, backend="reference")
        assert net.evaluate(Z, y, WEIGHTS).loss == pytest.approx(theirs(y, net.forward(Z)), rel=1e-13)
    net = MLP([5, 1], loss="poisson", dtype="float64", seed=0, backend="reference")
    deviance = metrics.mean_poisson_deviance(COUNTS[:, 0], net.forward(Z)[:, 0], sample_weight=WEIGHTS)
    assert 2 * net.evaluate(Z, COUNTS[:, 0], WEIGHTS).loss == pytest.approx(deviance, rel=1e-13)
