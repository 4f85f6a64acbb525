"""Optimizers beside PyTorch's, Keras's and scikit-learn's, where they are installed: 20 steps on given gradients, and of networks.

Differences on given gradients are in units u of |w0| + the path of each weight. What the bounds come from, in float32 and float64:

- w is rounded in each step on both sides: 20 of w and the path. An update is rounded a few times; what that makes in a mean with
  share mu stays for 1 / (1 - mu) steps, 10 for 0.9. SGD of every kind, and RMSprop, which takes a root: 40. A rate that decays
  is off by 20 u after 20 steps where one side takes a power and the other multiplies, which stays for 10 steps of momentum, of
  which each moves by less than the last: 60.
- Adam's m and v, of which v is rounded once more than theirs, are off by 1.5 u of their terms in each of 20 steps, v by half of
  that in its root, and the quotient by 2: 60 with room for an m whose terms cancel.
- beta_2^t in float64 is theirs by a power and ours by products, t u / 2 off, of which 1 - beta_2^t = t / 1000 makes 500 u, and the
  root 250.
- Keras takes beta_2^t in float32: 0.999 itself is off by 0.22 u there, so that its power is by 0.22 t u, and the power is rounded
  to 1 u on its own, two where the library is off by one place. The root of 1 - beta_2^t is off by 110 + 1000 / t, of which
  t = 2 is the largest: at t = 1 nothing is rounded.

Another form of an optimizer (epsilon within the root, a rate that changes within the momentum) is a quarter of the path off.
"""

import os

import numpy as np
import pytest
from rounding import units_apart

from fastmlp import MLP, SGD, Adam, AdamW, Huber, RMSprop, reference, schedules
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.training.state import TrainingState
from fastmlp.update_rules import RULES

DTYPES = ("float32", "float64")
FALLING, NESTEROV = schedules.Exponential(0.01, 0.9), dict(momentum=0.9, nesterov=True)
ADAM_64, KERAS_ADAM_32 = 60 + 250, 60 + 110 + 500


def apart(optimizer, dtype, begin):
    """By how many u an optimizer and another library's are apart after 20 steps, on gradients of sizes from 1e-7 to 10 with zeros
    among them. begin(w) makes the other: a function that takes a step with the gradients given, and returns its weights."""
    draw = np.random.RandomState(5)
    w = draw.standard_normal(2000).astype(dtype)
    start, path, state, step = w.copy(), np.zeros(2000), TrainingState(), begin(w.copy())
    optimizer.begin(state, w)
    for _ in range(20):
        g = (draw.standard_normal(2000) * 10.0 ** draw.uniform(-7, 1, 2000)).astype(dtype)
        g[draw.random_sample(2000) < 0.05] = 0
        before, update = w.copy(), optimizer.update(state, 1, np.dtype(dtype))
        theirs = step(g.copy())
        reference.update(update.rule, w, g, update.state, update.numbers[0], update.lines)
        path += np.abs(w.astype(float) - before)
    assert theirs.dtype == w.dtype
    return (np.abs(theirs.astype(float) - w) / (np.abs(start) + path)).max() / (np.finfo(dtype).eps / 2)


# PyTorch's.

TORCH = {
    "sgd": (SGD(learning_rate=0.01), "SGD", {}, (40, 40)),
    "momentum": (SGD(learning_rate=0.01, momentum=0.9), "SGD", {"momentum": 0.9}, (40, 40)),
    "nesterov": (SGD(learning_rate=0.01, **NESTEROV), "SGD", NESTEROV, (40, 40)),
    "momentum, falling": (SGD(learning_rate=FALLING, momentum=0.9), "SGD", {"momentum": 0.9}, (60, 60)),
    "dampening, l2": (SGD(learning_rate=0.01, momentum=0.9, dampening=0.1, l2=0.1), "SGD",
                      {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1}, (40, 40)),
    "adam": (Adam(learning_rate=0.01), "Adam", {}, (60, ADAM_64)),
    "adam, l2": (Adam(learning_rate=0.01, l2=0.1), "Adam", {"weight_decay": 0.1}, (60, ADAM_64)),
    "adamw": (AdamW(learning_rate=0.01, weight_decay=0.1), "AdamW", {"weight_decay": 0.1}, (60, ADAM_64)),
    "adamw, falling": (AdamW(learning_rate=FALLING, weight_decay=0.1), "AdamW", {"weight_decay": 0.1}, (60, ADAM_64)),
    "rmsprop": (RMSprop(learning_rate=0.01, rho=0.9), "RMSprop", {"alpha": 0.9}, (40, 40)),
    "rmsprop_momentum": (RMSprop(learning_rate=0.01, rho=0.9, momentum=0.5), "RMSprop", {"alpha": 0.9, "momentum": 0.5}, (40, 40)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TORCH)
def test_twenty_steps_are_pytorchs(name, dtype):
    torch = pytest.importorskip("torch")
    optimizer, theirs, options, bounds = TORCH[name]

    def begin(w):
        parameter = torch.nn.Parameter(torch.from_numpy(w))
        peer = getattr(torch.optim, theirs)([parameter], lr=0.01, **options)
        schedule = torch.optim.lr_scheduler.ExponentialLR(peer, 0.9 if optimizer.learning_rate is FALLING else 1.0)

        def step(g):
            parameter.grad = torch.from_numpy(g)
            peer.step()
            schedule.step()
            return parameter.detach().numpy()

        return step

    assert apart(optimizer, dtype, begin) <= bounds[DTYPES.index(dtype)]


# Keras's.

AS_KERAS = dict(learning_rate=0.01, form="keras")
KERAS = {
    "sgd": (SGD(**AS_KERAS), "SGD", {}, (40, 40)),
    "momentum": (SGD(momentum=0.9, **AS_KERAS), "SGD", {"momentum": 0.9}, (40, 40)),
    "nesterov": (SGD(**NESTEROV, **AS_KERAS), "SGD", NESTEROV, (40, 40)),
    "momentum, falling": (SGD(momentum=0.9, learning_rate=FALLING, form="keras"), "SGD", {"momentum": 0.9}, (60, 60)),
    "adam": (Adam(epsilon=1e-7, **AS_KERAS), "Adam", {}, (KERAS_ADAM_32, ADAM_64)),
    "adamw": (AdamW(epsilon=1e-7, weight_decay=0.1, **AS_KERAS), "AdamW", {"weight_decay": 0.1}, (KERAS_ADAM_32, ADAM_64)),
    "rmsprop": (RMSprop(rho=0.9, epsilon=1e-7, **AS_KERAS), "RMSprop", {"rho": 0.9}, (40, 40)),
    "rmsprop_momentum": (RMSprop(rho=0.9, epsilon=1e-7, momentum=0.5, **AS_KERAS), "RMSprop", {"rho": 0.9, "momentum": 0.5},
                         (40, 40)),
}  # fmt: skip


@pytest.fixture
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


@pytest.fixture
def floatx(keras):
    """Sets the type of Keras's own numbers for a test."""
    before = keras.config.floatx()
    yield keras.config.set_floatx
    keras.config.set_floatx(before)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KERAS)
def test_twenty_steps_are_keras_s(name, dtype, keras, floatx):
    optimizer, theirs, options, bounds = KERAS[name]
    floatx(dtype)  # the type of its learning rates

    def begin(w):
        falls = optimizer.learning_rate is FALLING
        rate = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.9) if falls else 0.01
        variable, peer = keras.Variable(w, dtype=dtype), getattr(keras.optimizers, theirs)(rate, **options)

        def step(g):
            peer.apply([keras.ops.convert_to_tensor(g)], [variable])
            return keras.ops.convert_to_numpy(variable.value)

        return step

    assert apart(optimizer, dtype, begin) <= bounds[DTYPES.index(dtype)]


# scikit-learn's: its SGD does the same operations, with the signs of all turned, and is equal. Rates 1 / sqrt(n) and n^-p differ
# by 2 u, which stay in v for 10 steps: with the rounding of a product and of a sum 30 u of the path, and 20 roundings of w.

SKLEARN = {
    "sgd": (SGD(learning_rate=0.01), "SGD", {"momentum": 0.0, "nesterov": False}, (0, 0)),
    "momentum": (SGD(momentum=0.9, **AS_KERAS), "SGD", {"momentum": 0.9, "nesterov": False}, (0, 0)),
    "nesterov": (SGD(**NESTEROV, **AS_KERAS), "SGD", NESTEROV, (0, 0)),
    "invscaling": (SGD(learning_rate=schedules.InverseScaling(0.01), momentum=0.9, form="keras"), "SGD",
                   {"momentum": 0.9, "nesterov": False, "lr_schedule": "invscaling"}, (50, 50)),
    "adam": (Adam(**AS_KERAS), "Adam", {}, (60, ADAM_64)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SKLEARN)
def test_twenty_steps_are_sklearns(name, dtype):
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    optimizer, theirs, options, bounds = SKLEARN[name]

    def begin(w):
        peer, steps = getattr(peers, f"{theirs}Optimizer")([w], learning_rate_init=0.01, **options), iter(range(1, 21))

        def step(g):
            peer.update_params([w], [g])
            peer.iteration_ends(next(steps))  # the power of the next step, which divides by one more than this
            return w

        return step

    assert apart(optimizer, dtype, begin) <= bounds[DTYPES.index(dtype)]


@pytest.mark.parametrize("peers", [TORCH, KERAS], ids=["PyTorch", "Keras"])
def test_every_optimizer_and_rule_is_among_them(peers):
    assert {type(optimizer) for optimizer, *_ in peers.values()} == set(OPTIMIZERS.values())
    assert {optimizer.rule for optimizer, *_ in peers.values()} == set(RULES)


# Networks: 20 steps from the same weights on the same batches, of which each fifth is short. PyTorch's in float64, since of
# gradients that are rounding noise Adam makes steps as long as its others; Keras's, whose layers compute in float32 only, by SGD.
# The bound is that of the agreement with scikit-learn, 100 places of the largest weight: a gradient is sums of at most 40 terms of
# about its size, each rounded, which 20 steps of at most a tenth add up.

draw = np.random.RandomState(3)
X, LABELS, WEIGHTS = draw.standard_normal((112, 7)), draw.randint(0, 4, 112), draw.uniform(0.1, 2, 112)
NUMBERS, COUNTS, SEVERAL = draw.standard_normal((112, 4)), draw.poisson(2.0, (112, 4)), draw.randint(0, 2, (112, 4))
CLASS_WEIGHTS = [0.5, 1.0, 2.0, 1.5]
BATCHES = [slice(start, start + 23) for start in range(0, 112, 23)] * 4


def network(loss, activation, dtype):
    return MLP([7, 9, 4], activation, loss=loss, dtype=dtype, seed=1, backend="reference")


def trained(net, y, **options):
    """The arrays of a network after 20 steps."""
    net.fit(X, y, epochs=4, batch_size=23, shuffle=False, verbose=0, **options)
    return [*net.weights, *net.biases]


TORCH_NETWORKS = {  # loss, activation, targets, fit's options, PyTorch's optimizer and its options
    "cross_entropy, class weights": ("cross_entropy", "tanh", LABELS, {"class_weight": CLASS_WEIGHTS, "optimizer": "adam"},
                                     "Adam", {"lr": 0.001}),
    "cross_entropy, smoothed": ("cross_entropy", "silu", LABELS, {
        "label_smoothing": 0.1, "optimizer": AdamW(learning_rate=0.01, weight_decay=0.1, penalise_biases=True, clip_norm=0.3)},
        "AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    "squared_error": ("squared_error", "gelu", NUMBERS, {
        "optimizer": SGD(learning_rate=0.1, momentum=0.9, nesterov=True, l2=0.1, penalise_biases=True, clip_value=0.1)},
        "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "huber": (Huber(0.7), "elu", NUMBERS, {"optimizer": RMSprop(learning_rate=0.01, momentum=0.5), "sample_weight": WEIGHTS},
              "RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.5}),
    "poisson": ("poisson", "softplus", COUNTS, {"optimizer": RMSprop(learning_rate=0.01)}, "RMSprop", {"lr": 0.01, "alpha": 0.9}),
    "binary_cross_entropy": ("binary_cross_entropy", "relu", SEVERAL, {"learning_rate": 0.1, "sample_weight": WEIGHTS},
                             "SGD", {"lr": 0.1}),
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH_NETWORKS)
def test_networks_of_pytorch(name):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    loss, activation, y, options, theirs, of_peer = TORCH_NETWORKS[name]
    net, clip = network(loss, activation, "float64"), options.get("optimizer")
    parameters = [torch.nn.Parameter(torch.tensor(array)) for array in (*net.weights, *net.biases)]
    w1, w2, b1, b2 = parameters
    peer = getattr(torch.optim, theirs)(parameters, **of_peer)
    x, targets, weights = torch.tensor(X), torch.tensor(y), torch.tensor(options.get("sample_weight", np.ones(112)))
    smoothing, of_classes = options.get("label_smoothing", 0.0), options.get("class_weight")
    mean = {  # of a batch; fastmlp sums over outputs where PyTorch takes the mean
        "cross_entropy": lambda z, t, w: F.cross_entropy(
            z, t, weight=of_classes and torch.tensor(of_classes, dtype=z.dtype), label_smoothing=smoothing),
        "squared_error": lambda z, t, w: F.mse_loss(z, t) * 2,
        "huber": lambda z, t, w: (F.huber_loss(z, t, delta=0.7, reduction="none").sum(1) * w).sum() / w.sum(),
        "poisson": lambda z, t, w: F.poisson_nll_loss(z, t) * 4,
        "binary_cross_entropy": lambda z, t, w: F.binary_cross_entropy_with_logits(
            z, t.to(z.dtype), weight=w[:, None], reduction="sum") / w.sum(),
    }[loss if isinstance(loss, str) else loss.name]  # fmt: skip
    for rows in BATCHES:
        peer.zero_grad()
        mean(getattr(F, activation)(x[rows] @ w1 + b1) @ w2 + b2, targets[rows], weights[rows]).backward()
        if getattr(clip, "clip_norm", None):
            torch.nn.utils.clip_grad_norm_(parameters, clip.clip_norm)
        if getattr(clip, "clip_value", None):
            torch.nn.utils.clip_grad_value_(parameters, clip.clip_value)
        peer.step()
    assert units_apart([p.detach().numpy() for p in parameters], trained(net, y, **options)) <= 100


KERAS_NETWORKS = {  # loss, activation, targets, fit's options, Keras's optimizer and loss
    "cross_entropy, class weights": ("cross_entropy", "silu", LABELS, {
        "class_weight": CLASS_WEIGHTS, "optimizer": SGD(learning_rate=0.1, l2=0.02, l1=0.01)},
        lambda o: o.SGD(0.1), lambda k: k.SparseCategoricalCrossentropy(from_logits=True)),
    "cross_entropy, smoothed": ("cross_entropy", "tanh", np.eye(4)[LABELS], {
        "label_smoothing": 0.1, "sample_weight": WEIGHTS,
        "optimizer": SGD(learning_rate=0.1, momentum=0.9, form="keras", clip_norm=0.3)},
        lambda o: o.SGD(0.1, momentum=0.9, global_clipnorm=0.3),
        lambda k: k.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)),
    "squared_error": ("squared_error", "gelu", NUMBERS, {
        "sample_weight": WEIGHTS, "optimizer": SGD(learning_rate=0.2, momentum=0.9, nesterov=True, form="keras")},
        lambda o: o.SGD(0.2 * 2, momentum=0.9, nesterov=True), lambda k: k.MeanSquaredError()),
    "absolute_error": ("absolute_error", "softplus", NUMBERS, {
        "optimizer": SGD(learning_rate=schedules.Cosine(0.05, steps=30, low=0.1), momentum=0.5, form="keras")},
        lambda o: o.SGD(o.schedules.CosineDecay(0.05 * 4, 30, alpha=0.1), momentum=0.5), lambda k: k.MeanAbsoluteError()),
    "huber": (Huber(0.7), "selu", NUMBERS, {"sample_weight": WEIGHTS, "learning_rate": 0.05},
              lambda o: o.SGD(0.05 * 4), lambda k: k.Huber(0.7)),
    "binary_cross_entropy": ("binary_cross_entropy", "elu", SEVERAL, {"sample_weight": WEIGHTS, "learning_rate": 0.1},
                             lambda o: o.SGD(0.1 * 4), lambda k: k.BinaryCrossentropy(from_logits=True)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("name", KERAS_NETWORKS)
def test_networks_of_keras(name, keras):
    """Keras's mean over rows, whatever their weights, and over outputs, by which the learning rate is multiplied."""
    loss, activation, y, options, of_peer, of_loss = KERAS_NETWORKS[name]
    net, optimizer = network(loss, activation, "float32"), options.get("optimizer", SGD())
    regularizer = keras.regularizers.L1L2(optimizer.l1, optimizer.l2 / 2)
    parts = [
        keras.layers.Dense(9, activation, kernel_regularizer=regularizer),
        keras.layers.Dense(4, kernel_regularizer=regularizer),
    ]
    model = keras.Sequential([keras.Input((7,)), *parts])
    for part, weights, bias in zip(parts, net.weights, net.biases):
        part.set_weights([weights, bias])
    model.compile(of_peer(keras.optimizers), of_loss(keras.losses))
    of_rows, of_classes = options.get("sample_weight"), dict(enumerate(options.get("class_weight", []))) or None
    for rows in BATCHES:
        weights = of_rows if of_rows is None else of_rows[rows]
        model.train_on_batch(X[rows], y[rows], sample_weight=weights, class_weight=of_classes)
    theirs = [part.get_weights()[i] for i in (0, 1) for part in parts]
    assert units_apart(theirs, trained(net, y, weight_mean="rows", **options)) <= 100
