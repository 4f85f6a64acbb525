"""Losses, activations and weights against PyTorch, Keras and scikit-learn, where they are installed.

Both sides round each operation, in other orders: numbers agree to the bounds below, in units of the last place u of the type.
A gradient of mean losses is a quotient of sums over rows whose terms are at most some units, so that it agrees to a few u of
its own largest number.
"""

import numpy as np
import pytest

from fastmlp import SGD, Adam, Huber, Quantile, reference, schedules
from fastmlp.activations import ACTIVATIONS
from fastmlp.training.state import TrainingState

DTYPES = ("float32", "float64")
random = np.random.RandomState(3)
Z, Y = random.standard_normal((40, 5)) * 2, random.standard_normal((40, 5))
LABELS = random.randint(0, 5, 40)
WEIGHTS, CLASS_WEIGHTS = random.random_sample(40) + 0.1, np.array([0.5, 1, 2, 3, 1.5])


def near(actual, expected, units, dtype):
    """To so many u of the largest number expected, at least of 1."""
    expected = np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=units * scale * np.finfo(dtype).eps / 2)


def gradient(loss, output, z, y, **options):
    a = reference.activate(output, z)
    return reference.row_losses(loss, z, a, y), reference.output_gradient(loss, output, a, y, z, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["leaky_relu", "elu", "selu", "softplus", "silu", "gelu", "gelu_tanh"])
def test_activations_of_torch(name, dtype):
    """Values to 4 u of 1 or themselves; derivatives to 64, since theirs lose in 1 - s."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    of_torch = {"gelu_tanh": lambda z: F.gelu(z, approximate="tanh")}.get(name, getattr(F, name, None))
    x = np.concatenate([Z.ravel(), [0, 1e-5, -1e-5, 15, -15, 90, -90]]).astype(dtype)
    z = torch.tensor(x, requires_grad=True)
    a = of_torch(z)
    a.sum().backward()
    ours = reference.activate(name, x)
    near(ours, a.detach().numpy(), 4, dtype)
    kept = x if ACTIVATIONS[name].keeps_z else None
    regular = x != 0  # where leaky_relu has no derivative
    near(reference.activation_gradient(name, ours, np.ones_like(x), kept)[regular], z.grad.numpy()[regular], 64, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_losses_of_torch(dtype):
    """Gradients of mean losses, ours a sum over outputs: those of torch's means times the 5 outputs."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    counts = np.abs(np.round(Y))
    pairs = [
        ("squared_error", "identity", Y, lambda z, y: F.mse_loss(z, y) * 2.5),
        ("absolute_error", "identity", Y, lambda z, y: F.l1_loss(z, y) * 5),
        (Huber(0.7), "identity", Y, lambda z, y: F.huber_loss(z, y, delta=0.7) * 5),
        (Quantile(0.5), "identity", Y, lambda z, y: F.l1_loss(z, y) * 2.5),
        ("poisson", "exp", counts, lambda z, y: (F.poisson_nll_loss(z, y) + (torch.xlogy(y, y) - y).mean()) * 5),
        ("binary_cross_entropy", "sigmoid", (Y > 0) * 1.0, lambda z, y: F.binary_cross_entropy_with_logits(z, y) * 5),
    ]
    for loss, output, y, of_torch in pairs:
        z, y = Z.astype(dtype), y.astype(dtype)
        given = torch.tensor(z, requires_grad=True)
        expected = of_torch(given, torch.tensor(y))
        expected.backward()
        losses, ours = gradient(loss, output, z, y)
        near(ours * 40, given.grad.numpy() * 40, 16, dtype)
        assert losses.mean() == pytest.approx(expected.item(), rel=float(64 * np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_and_smoothed_cross_entropy_of_torch(dtype, smoothing):
    torch = pytest.importorskip("torch")
    z, y = Z.astype(dtype), np.eye(5, dtype=dtype)[LABELS]
    weights = CLASS_WEIGHTS.astype(dtype)[LABELS]
    drawn = reference.losses.smoothed(y, smoothing, 5) if smoothing else y
    given = torch.tensor(z, requires_grad=True)
    rows = torch.nn.functional.cross_entropy(given, torch.tensor(LABELS), label_smoothing=smoothing, reduction="none")
    of_rows = torch.tensor(weights)
    ((rows * of_rows).sum() / of_rows.sum()).backward()
    losses, ours = gradient("cross_entropy", "softmax", z, drawn, weights=weights, divisor=float(weights.astype(float).sum()))
    near(ours * 40, given.grad.numpy() * 40, 16, dtype)
    np.testing.assert_allclose(losses, rows.detach().numpy(), rtol=64 * np.finfo(dtype).eps)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own
def test_losses_and_weights_of_keras(monkeypatch):
    """Keras means over outputs too, and over rows whatever their weights."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    dtype = np.float32
    z, y, weights = Z.astype(dtype), Y.astype(dtype), WEIGHTS.astype(dtype)
    row = np.eye(5, dtype=dtype)[LABELS]
    drawn = reference.losses.smoothed(row, 0.1, 5)
    pairs = [
        ("squared_error", "identity", y, keras.losses.MeanSquaredError(), z, y, 2.5),
        ("absolute_error", "identity", y, keras.losses.MeanAbsoluteError(), z, y, 5),
        (Huber(0.7), "identity", y, keras.losses.Huber(delta=0.7), z, y, 5),
        ("cross_entropy", "softmax", drawn, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), z, row, 1),
    ]  # fmt: skip
    for loss, output, targets, of_keras, logits, given, factor in pairs:
        losses, _ = gradient(loss, output, z, targets)
        expected = float(keras.ops.convert_to_numpy(of_keras(given, logits, sample_weight=weights)))
        assert (losses * weights).sum() / 40 == pytest.approx(expected * factor, rel=float(64 * np.finfo(dtype).eps))


# scikit-learn's optimizers; bounds in u of |w0| + the path, for float32 and float64. Its SGD does the same operations, with the
# signs of all turned: equal. Rates 1 / sqrt(n) and n^-p differ by 2 u; that and the rounding of a product and of a sum, 1/2 u
# each, stay in v for 1 / (1 - mu) = 10 steps: 30 u of the path, and 20 roundings of w. Adam's m and v, of which v is rounded once
# more than theirs, are off by 1.5 u of their terms in each of 20 steps, v by half of that in its root, and the quotient by 2: 60 u
# with room for an m whose terms cancel. beta_2^t, which is float64 on both sides, is theirs by pow and ours by products, t u / 2
# off, of which 1 - beta_2^t = t / 1000 makes 500 u, and the root 250.

SKLEARN = {
    "sgd": (SGD(learning_rate=0.01), "SGD", {"learning_rate_init": 0.01, "momentum": 0.0, "nesterov": False}, (0, 0)),
    "momentum": (SGD(learning_rate=0.01, momentum=0.9, form="keras"), "SGD",
                 {"learning_rate_init": 0.01, "momentum": 0.9, "nesterov": False}, (0, 0)),
    "nesterov": (SGD(learning_rate=0.01, momentum=0.9, nesterov=True, form="keras"), "SGD",
                 {"learning_rate_init": 0.01, "momentum": 0.9, "nesterov": True}, (0, 0)),
    "invscaling": (SGD(learning_rate=schedules.InverseScaling(0.01), momentum=0.9, form="keras"), "SGD",
                   {"learning_rate_init": 0.01, "momentum": 0.9, "nesterov": False, "lr_schedule": "invscaling"}, (50, 50)),
    "adam": (Adam(learning_rate=0.01, form="keras"), "Adam", {"learning_rate_init": 0.01}, (60, 60 + 250)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SKLEARN)
def test_twenty_steps_are_sklearns(name, dtype):
    """On given gradients, sizes from 1e-7 to 10 with zeros among them."""
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    optimizer, theirs, options, units = SKLEARN[name]
    draw = np.random.RandomState(5)
    w = draw.standard_normal(2000).astype(dtype)
    start, path, state, parameters = w.copy(), np.zeros(2000), TrainingState(), [w.copy()]
    peer = getattr(peers, f"{theirs}Optimizer")(parameters, **options)
    optimizer.begin(state, w)
    for step in range(20):
        g = (draw.standard_normal(2000) * 10.0 ** draw.uniform(-7, 1, 2000)).astype(dtype)
        g[draw.random_sample(2000) < 0.05] = 0
        before, update = w.copy(), optimizer.update(state, 1, np.dtype(dtype))
        reference.update(update.rule, w, g, update.state, update.numbers[0], update.lines)
        path += np.abs(w.astype(float) - before)
        peer.update_params(parameters, [g])
        peer.iteration_ends(step + 1)  # the power of the next step, which divides by step + 2
    difference = np.abs(parameters[0].astype(float) - w) / (np.abs(start) + path)
    assert parameters[0].dtype == w.dtype and difference.max() <= units[DTYPES.index(dtype)] * np.finfo(dtype).eps / 2


def test_balanced_weights_and_losses_of_sklearn():
    utils = pytest.importorskip("sklearn.utils.class_weight")
    from sklearn.metrics import mean_pinball_loss, mean_poisson_deviance

    from fastmlp.architecture import Architecture
    from fastmlp.validation import row_weights

    architecture = Architecture((3, 5), ("softmax",), "cross_entropy", np.dtype(np.float64), 1.0, "classes")
    ours = row_weights(WEIGHTS, "balanced", LABELS, architecture)
    np.testing.assert_allclose(ours, WEIGHTS * utils.compute_sample_weight("balanced", LABELS), rtol=1e-15)
    for q in (0.1, 0.5, 0.8):
        losses, _ = gradient(Quantile(q), "identity", Z, Y)
        assert (losses * WEIGHTS).sum() / WEIGHTS.sum() == pytest.approx(
            5 * mean_pinball_loss(Y, Z, alpha=q, sample_weight=WEIGHTS), rel=1e-14)  # fmt: skip
    counts = np.abs(np.round(Y[:, :1]))
    losses, _ = gradient("poisson", "exp", Z[:, :1], counts)
    assert 2 * losses.mean() == pytest.approx(mean_poisson_deviance(counts, np.exp(Z[:, :1])), rel=1e-13)
