"""Optimizers: the numbers of their steps, their state, and that fit is the gradients and the update by hand."""

import copy
import pickle

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


def test_the_state_s_arrays_begin_on_cache_lines(tmp_path):
    """Vector loads that straddle two lines cost Adam 7% of a step on two threads."""
    net = network()
    net.fit(X, Y, epochs=1, optimizer=Adam(average=0.9), verbose=0)
    net.save(tmp_path / "net.npz")
    for one in (net, copy.deepcopy(net), pickle.loads(pickle.dumps(net)), MLP.load(tmp_path / "net.npz")):
        one.fit(X, Y, epochs=1, optimizer=Adam(average=0.9), verbose=0)
        assert {array.ctypes.data % 64 for name, array in one.state.arrays.items() if name != "trained"} == {0}


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
    (lambda: network().fit(X, Y, dropout=b"0"), TypeError, "dropout must be a number from 0 to below 1, not b'0'"),
    (lambda: network().fit(X, Y, dropout=[0.1, 0.1]), ValueError, "dropout must be one number, or 1"),
    (lambda: network().fit(X, Y, input_dropout="half"), TypeError, "input_dropout must be a number"),
    (lambda: network().fit(X, Y, learning_rate=lambda step: -1.0), ValueError, "learning_rate"),
])  # fmt: skip
def test_wrong_options(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_public_names():
    assert fastmlp.Adam is Adam and set(fastmlp.optimizers.OPTIMIZERS.values()) == {SGD, Adam, AdamW, RMSprop}
