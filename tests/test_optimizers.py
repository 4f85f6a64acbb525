"""Optimizers: the numbers of their steps, their state, and that fit is the gradients and the update by hand."""

from functools import partial

import numpy as np
import pytest
from conftest import needs_kernels, needs_numba

import fastmlp
from fastmlp import MLP, SGD, Adam, AdamW, RMSprop, reference
from fastmlp.random_streams import shuffled_rows
from fastmlp.reference import norms
from fastmlp.schedules import Cosine
from fastmlp.training.state import TrainingState
from fastmlp.update_rules import RULES

BACKENDS = ["reference", pytest.param("compiled", marks=needs_kernels), pytest.param("numba", marks=needs_numba)]

OPTIMIZERS = [
    SGD(),
    SGD(learning_rate=0.2, momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    SGD(momentum=0.8, dampening=0.3, l2=1e-3),
    SGD(momentum=0.9, form="keras", learning_rate=Cosine(0.3, steps=20)),
    Adam(learning_rate=0.01),
    Adam(learning_rate=0.01, form="keras", clip_value=1e-3),
    AdamW(learning_rate=0.01, weight_decay=0.1, penalise_biases=True),
    Adam(learning_rate=lambda step: 0.01 / (1 + step), l1=1e-3, average=0.9),
    RMSprop(learning_rate=0.01),
    RMSprop(learning_rate=0.01, form="keras", clip_norm=0.1),
    RMSprop(learning_rate=0.01, momentum=0.5, l2=1e-2, l1=1e-2, weight_decay=0.1, average=0.5, clip_norm=0.05),
    RMSprop(learning_rate=0.01, momentum=0.5, form="keras"),
]
NAMES = [f"{i}-{type(optimizer).__name__}" for i, optimizer in enumerate(OPTIMIZERS)]
random = np.random.RandomState(0)
X, Y = random.random_sample((50, 6)).astype(np.float32), random.randint(0, 4, 50)


def network(backend="reference", **options):
    return MLP([6, 5, 4], loss="cross_entropy", seed=1, backend=backend, **options)


def by_hand(net, optimizer, epochs, batch_size):
    """What fit does, from gradients and the update of the reference."""
    state = TrainingState()
    optimizer.begin(state, net.parameters, -(-len(X) // batch_size))
    flat = net.parameters
    for epoch in range(epochs):
        order = shuffled_rows(len(X), net.seed, epoch)
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            _, gradients = net.gradients(X[rows], Y[rows])
            update = optimizer.update(state, 1, net.dtype)
            scale = update.clip_norm and norms.clipping_scale(gradients.parameters, *update.clip_norm)
            begin = 0
            for weights, bias in zip(net.weights, net.biases):
                for part, penalised in ((weights, True), (bias, optimizer.penalise_biases)):
                    here = slice(begin, begin := begin + part.size)
                    on = [penalised or line not in ("l2", "l1", "decay") for line in update.lines]
                    lines = [line for line, is_on in zip(update.lines, on) if is_on]
                    n = len(RULES[update.rule].numbers)
                    numbers = [*update.numbers[0][:n], *update.numbers[0][n:][np.array(on, bool)]]
                    reference.update(update.rule, flat[here], gradients.parameters[here],
                                     [array[here] for array in update.state], numbers, lines, scale)  # fmt: skip
    optimizer.finish(state, net.parameters)
    return state


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_fit_is_the_gradients_and_the_update_by_hand(backend, optimizer):
    net, twin = network(backend), network()
    net.fit(X, Y, epochs=2, batch_size=8, optimizer=optimizer, verbose=0)
    state = by_hand(twin, optimizer, 2, 8)
    assert net.hash() == twin.hash()
    assert set(net.state.arrays) == set(state.arrays)
    for name, array in state.arrays.items():
        assert net.state.arrays[name].tobytes() == array.tobytes(), name
    assert net.state.step == net.state.rule_steps == 14


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_fits_continue_one_another(optimizer):
    whole, parts = network(), network()
    losses = whole.fit(X, Y, epochs=5, batch_size=8, optimizer=optimizer, verbose=0).loss
    history = parts.fit(X, Y, epochs=2, batch_size=8, optimizer=optimizer, verbose=0).loss
    assert history + parts.fit(X, Y, epochs=3, batch_size=8, optimizer=optimizer, verbose=0).loss == losses
    assert whole.hash() == parts.hash()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_steps_are_those_of_fit(optimizer):
    net, stepped = network(), network()
    net.fit(X, Y, epochs=1, batch_size=8, shuffle=False, optimizer=optimizer, verbose=0)
    for start in range(0, 50, 8):
        stepped.train_step(X[start : start + 8], Y[start : start + 8], optimizer=optimizer)
    optimizer.finish(stepped.state, stepped.parameters)
    assert net.hash() == stepped.hash()


def test_state_is_forgotten_where_asked_or_of_another_rule():
    net, fresh = network(), network()
    net.fit(X, Y, epochs=1, optimizer="adam", verbose=0)
    fresh.parameters[...] = net.parameters
    fresh.state.epoch = 1
    net.fit(X, Y, epochs=1, optimizer="adam", keep_optimizer=False, verbose=0)
    fresh.fit(X, Y, epochs=1, optimizer="adam", verbose=0)
    assert net.hash() == fresh.hash()
    net.fit(X, Y, epochs=1, optimizer="rmsprop", verbose=0)
    assert net.state.rule == "rmsprop" and set(net.state.arrays) == {"v"} and net.state.rule_steps == 2


def test_an_average_is_what_the_network_holds():
    net = network()
    optimizer = Adam(learning_rate=0.01, average=0.9)
    net.fit(X, Y, epochs=1, batch_size=8, optimizer=optimizer, verbose=0, validation_data=(X, Y))
    average, trained = net.state.arrays["average"], net.state.arrays["trained"]
    assert net.parameters.tobytes() == average.tobytes() != trained.tobytes()
    assert net.history.val_loss[-1] == net.evaluate(X, Y).loss
    net.parameters[0] += 1  # by hand: training goes on from what is there
    changed = net.parameters.copy()
    net.fit(X, Y, epochs=1, batch_size=8, learning_rate=0.0, optimizer="adam", verbose=0)
    assert net.parameters.tobytes() == changed.tobytes()


def test_penalties_are_reported_beside_the_loss():
    net = network()
    history = net.fit(X, Y, epochs=2, batch_size=50, optimizer=SGD(learning_rate=0.0, l2=0.5, l1=0.25), verbose=0)
    w = np.concatenate([weights.ravel() for weights in net.weights]).astype(float)
    assert history.penalty == pytest.approx([0.25 * (w**2).sum() + 0.25 * np.abs(w).sum()] * 2, rel=1e-12)
    assert network().fit(X, Y, epochs=1, verbose=0).penalty == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_dropout_is_of_seed_step_layer_row_and_unit(backend):
    def trained(seed=1, cut=False, **options):
        net = MLP([6, 9, 5, 4], "tanh", loss="cross_entropy", seed=seed, backend=backend)
        for epochs in (1, 1) if cut else (2,):
            net.fit(X, Y, epochs=epochs, batch_size=20, verbose=0, **options)
        return net.hash()

    dropped = trained(dropout=0.3, input_dropout=0.1)
    assert (
        dropped == trained(dropout=[0.3, 0.3], input_dropout=0.1, cut=True) != trained(dropout=[0.3, 0.0], input_dropout=0.1)
    )
    assert trained(dropout=0.0) == trained() != trained(dropout=0.3)


@pytest.mark.parametrize("make, error, words", [
    (lambda: SGD(learning_rate=-1), ValueError, "learning_rate must be a number from 0"),
    (lambda: SGD(learning_rate="fast"), TypeError, "learning_rate"),
    (lambda: SGD(momentum=1.5), ValueError, "momentum must be a number from 0 to 1, not 1.5"),
    (lambda: SGD(nesterov=True), ValueError, "nesterov needs momentum"),
    (lambda: SGD(momentum=0.9, nesterov=True, dampening=0.1), ValueError, "dampening"),
    (lambda: Adam(beta_1=1), ValueError, "beta_1 must be below 1"),
    (lambda: Adam(epsilon=0), ValueError, "epsilon must be a number above 0"),
    (lambda: Adam(clip_norm=1.0, clip_value=1.0), ValueError, "clip_norm and clip_value"),
    (lambda: Adam(average=1.5), ValueError, "average must be a number from 0 to 1"),
    (lambda: Adam(form="jax"), ValueError, "form must be one of torch, keras"),
    (lambda: Adam(l2=float("nan")), ValueError, "l2"),
    (lambda: RMSprop(rho=1.0), ValueError, "rho must be below 1"),
    (lambda: network().fit(X, Y, optimizer="adm"), ValueError, "optimizer must be one of sgd, adam, adamw, rmsprop"),
    (lambda: network().fit(X, Y, optimizer=3), TypeError, "optimizer must be one of"),
    (lambda: network().fit(X, Y, optimizer=Adam(), learning_rate=0.1), ValueError, "learning_rate is the optimizer's"),
    (lambda: network().fit(X, Y, optimizer=Adam(beta_2=1 - 1e-12)), ValueError, "beta_2 .* is 1 in float32"),
    (lambda: network().fit(X, Y, optimizer=Adam(epsilon=1e-38)), ValueError, "epsilon 1e-38 is too small for float32"),
    (lambda: network().fit(X, Y, optimizer=Adam(learning_rate=1e300)), ValueError, "too large for float32"),
    (lambda: network().fit(X, Y, dropout=1.0), ValueError, "dropout must be a number from 0 to below 1, not 1.0"),
    (lambda: network().fit(X, Y, dropout=[0.1, 0.1]), ValueError, "dropout must be one number, or 1"),
    (lambda: network().fit(X, Y, input_dropout="half"), TypeError, "input_dropout must be a number"),
    (lambda: network().fit(X, Y, learning_rate=lambda step: -1.0), ValueError, "learning_rate"),
])  # fmt: skip
def test_wrong_options(make, error, words):
    with pytest.raises(error, match=words):
        make()


# Against PyTorch: 20 steps on given gradients; bounds in units of the last place of |w0| + the path, see the design's evidence:
# within 25 for all, with room for other versions of PyTorch.

PEERS = [
    (SGD(learning_rate=0.01), "SGD", dict(lr=0.01)),
    (SGD(learning_rate=0.01, momentum=0.9), "SGD", dict(lr=0.01, momentum=0.9)),
    (SGD(learning_rate=0.01, momentum=0.9, nesterov=True), "SGD", dict(lr=0.01, momentum=0.9, nesterov=True)),
    (SGD(learning_rate=0.01, momentum=0.9, dampening=0.1, l2=0.1), "SGD",
     dict(lr=0.01, momentum=0.9, dampening=0.1, weight_decay=0.1)),
    (Adam(learning_rate=0.01), "Adam", dict(lr=0.01)),
    (Adam(learning_rate=0.01, l2=0.1), "Adam", dict(lr=0.01, weight_decay=0.1)),
    (AdamW(learning_rate=0.01, weight_decay=0.1), "AdamW", dict(lr=0.01, weight_decay=0.1)),
    (RMSprop(learning_rate=0.01, rho=0.9), "RMSprop", dict(lr=0.01, alpha=0.9)),
    (RMSprop(learning_rate=0.01, rho=0.9, momentum=0.5), "RMSprop", dict(lr=0.01, alpha=0.9, momentum=0.5)),
]  # fmt: skip


def twenty_gradients(draw, dtype):
    for _ in range(20):
        g = (draw.standard_normal(2000) * 10.0 ** draw.uniform(-7, 1, 2000)).astype(dtype)
        g[draw.random_sample(2000) < 0.05] = 0
        yield g


@pytest.mark.parametrize("dtype, unit", [("float32", 2.0**-24), ("float64", 2.0**-53)])
@pytest.mark.parametrize("optimizer, theirs, options", PEERS, ids=[f"{i}-{peer[1]}" for i, peer in enumerate(PEERS)])
def test_twenty_steps_are_pytorchs(optimizer, theirs, options, dtype, unit):
    torch = pytest.importorskip("torch")
    draw = np.random.RandomState(5)
    w = draw.standard_normal(2000).astype(dtype)
    start, path, state = w.copy(), np.zeros(2000), TrainingState()
    parameter = torch.nn.Parameter(torch.from_numpy(w.copy()))
    peer = getattr(torch.optim, theirs)([parameter], **options)
    optimizer.begin(state, w)
    for g in twenty_gradients(draw, dtype):
        before, update = w.copy(), optimizer.update(state, 1, np.dtype(dtype))
        reference.update(update.rule, w, g, update.state, update.numbers[0], update.lines)
        path += np.abs(w.astype(float) - before)
        parameter.grad = torch.from_numpy(g)
        peer.step()
    difference = np.abs(parameter.detach().numpy().astype(float) - w) / (np.abs(start) + path)
    assert difference.max() / unit < 40


# Against scikit-learn, whose forms are Keras's: gradient descent has its bits, Adam is within a bound that is derived.

RATES = [0.01 / (1 + step) ** 0.3 for step in range(20)]  # one that changes in each step


def beside_scikit_learn(optimizer, theirs, dtype):
    """(their weights, ours, the gradients) after each of 20 steps on given gradients; their rate is ours."""
    draw = np.random.RandomState(5)
    ours = draw.standard_normal(2000).astype(dtype)
    weights, state = ours.copy(), TrainingState()
    optimizer.begin(state, ours)
    peer = theirs([weights])
    for step, g in enumerate(twenty_gradients(draw, dtype)):
        update = optimizer.update(state, 1, np.dtype(dtype))
        reference.update(update.rule, ours, g, update.state, update.numbers[0], update.lines)
        if callable(optimizer.learning_rate):
            peer.learning_rate = RATES[step]
        peer.update_params([weights], [g])
        yield weights, ours, g


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.01, RATES.__getitem__], ids=["constant", "changing"])
@pytest.mark.parametrize("momentum, nesterov", [(0.0, False), (0.9, False), (0.9, True)])
def test_gradient_descent_has_the_bits_of_scikit_learns(momentum, nesterov, rate, dtype):
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    own = SGD(learning_rate=rate, momentum=momentum, nesterov=nesterov, form="keras")
    theirs = partial(peers.SGDOptimizer, learning_rate_init=0.01, momentum=momentum, nesterov=nesterov)
    for weights, ours, _ in beside_scikit_learn(own, theirs, dtype):
        assert weights.tobytes() == ours.tobytes()


def far_from_adam(optimizer, theirs, dtype):
    """How far Adam's weights are from scikit-learn's, as a share of the bound.

    With M the mean of |g| as m is of g: after s steps m has 2s roundings of its terms and is off by 2s u M, v by 2s + 1 of itself,
    its root by half of that; with those of root, sum, product, quotient and rate, a step a m / (sqrt v + e) is off by (3s + 6) u
    times a M / (sqrt v + e), and the weight by u of itself. The rate a = rate sqrt(1 - b2^s) / (1 - b1^s) is a float64, where
    b^s is off by s + 1 roundings, and 1 - b^s by b^s / (1 - b^s) as much. Each side is off by the sum over the steps.
    """
    u, b1, b2 = np.finfo(dtype).eps / 2, *(float(np.dtype(dtype).type(b)) for b in (0.9, 0.999))
    k1, k2 = (float(np.dtype(dtype).type(1 - b)) for b in (0.9, 0.999))
    m, v, limit, worst = np.zeros(2000), np.zeros(2000), np.zeros(2000), 0.0
    for s, (weights, ours, g) in enumerate(beside_scikit_learn(optimizer, theirs, dtype), 1):
        m, v = b1 * m + k1 * np.abs(g.astype(float)), b2 * v + k2 * g.astype(float) ** 2
        p1, p2 = 0.9**s, 0.999**s
        of_rate = 2.0**-53 * ((s + 1) * (p2 / (1 - p2) / 2 + p1 / (1 - p1)) + 4)
        a = 0.01 * np.sqrt(1 - p2) / (1 - p1)
        limit += u * np.abs(ours.astype(float)) + ((3 * s + 6) * u + of_rate) * a * m / (np.sqrt(v) + 1e-8)
        worst = max(worst, (np.abs(weights.astype(float) - ours) / (2.01 * limit)).max())
    return worst


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_is_scikit_learns_to_rounding(dtype):
    peers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    theirs = partial(peers.AdamOptimizer, learning_rate_init=0.01)
    assert far_from_adam(Adam(learning_rate=0.01, form="keras"), theirs, dtype) <= 1
    assert far_from_adam(Adam(learning_rate=0.01, form="torch"), theirs, dtype) > 100  # where epsilon stands matters


def test_public_names():
    assert fastmlp.Adam is Adam and set(fastmlp.optimizers.OPTIMIZERS.values()) == {SGD, Adam, AdamW, RMSprop}
