"""Checkpoints: whatever ends a training, and wherever, it goes on to the same bits, losses and state."""

import copy
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from functools import cache

import numpy as np
import pytest
from conftest import InterruptingEngine

from fastmlp import MLP, SGD, Adam, Callback, EarlyStopping, schedules
from fastmlp.backends import kernels, numba_is_installed
from fastmlp.reference import Samples
from fastmlp.training import checkpoints, loop, records, stored

X = np.random.RandomState(0).standard_normal((103, 6)).astype(np.float32)
Y = np.random.RandomState(1).randint(0, 4, 103)
BACKENDS = ["reference", *["compiled"] * bool(kernels()), *["numba"] * numba_is_installed()]
FAST = BACKENDS[:2][-1]  # to start and to run


def network(backend=FAST, **options):
    return MLP([6, 5, 4], "relu", loss="cross_entropy", seed=1, backend=backend, **options)


def fit(net, path=None, **options):
    return net.fit(X, Y, **{"epochs": 3, "batch_size": 10, "verbose": 0, "checkpoint": path, **options})


def same(net, twin):
    """Whether two networks are alike to the last bit, and in all that decides how their training goes on."""
    states = [{**stored.to_dict(one.state), "history": None, "so_far": None, "fits": None} for one in (net, twin)]
    fits = [one.state.fits for one in (net, twin)]
    records = [(f[0].began, [epoch for fit in f for epoch in fit.epochs], f[-1].ended, f[-1].rows) for f in fits]
    columns = [{name: values for name, values in one.history.items() if name != "seconds"} for one in (net, twin)]
    arrays = [{name: array.tobytes() for name, array in one.state.arrays.items()} for one in (net, twin)]
    return net.hash() == twin.hash() and all(a == b for a, b in (states, records, columns, arrays))


class Killed(Exception):
    pass


class Kill(Callback):
    """Ends training after so many slices (0: never) by an error, as a signal would: nothing is written any more."""

    def __init__(self, slices):
        self.slices = slices

    def on_rows_end(self, rows):
        self.slices -= 1
        if self.slices == 0:
            raise Killed


@pytest.fixture
def one_batch_a_slice(monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)


OPTIONS = {
    "plain": {},
    "adam, averaged": {"optimizer": Adam(average=0.99, clip_norm=1.0)},
    "momentum, penalties": {"optimizer": SGD(momentum=0.9, l2=1e-3, l1=1e-4)},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "weights": {"sample_weight": np.arange(103) % 3, "class_weight": "balanced"},
    "in order": {"shuffle": False, "label_smoothing": 0.1},
    "metrics": {"validation_data": (X, Y), "metrics": ["f1"]},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, one_batch_a_slice, options):
    whole, path = network(), tmp_path / "c.npz"
    fit(whole, **options)
    for slices in (1, 10, 11, 12, 25, 33):
        path.unlink(missing_ok=True)
        backends = iter(BACKENDS * 3)
        with pytest.raises(Killed):
            fit(network(), path, checkpoint_every=3, callbacks=[Kill(slices)], **options)
        if slices == 25:  # and once more
            with pytest.raises(Killed):
                fit(network(next(backends)), path, checkpoint_every=3, callbacks=[Kill(5)], resume=True, **options)
        again = network(next(backends), n_threads=2)
        history = fit(again, path, checkpoint_every=3, callbacks=[Kill(0)], resume=True, **options)
        assert same(whole, again) and history.loss == whole.history.loss and history.epochs == 3, slices
        assert same(whole, MLP.load(path, backend="reference"))


def test_the_history_is_that_of_the_whole_run(tmp_path, one_batch_a_slice):
    whole, first = network(), network()
    for net in (whole, first):
        fit(net, epochs=2)
    expected = fit(whole, epochs=4)
    with pytest.raises(Killed):
        fit(first, tmp_path / "c.npz", epochs=4, checkpoint_every="epoch", callbacks=[Kill(30)])
    second = network()
    history = fit(second, tmp_path / "c.npz", epochs=4, callbacks=[Kill(0)], resume=True)
    assert history.loss == expected.loss and second.history.loss == whole.history.loss and second.epochs_trained == 6


def test_without_a_file_training_begins_and_when_done_nothing_is_left_to_do(tmp_path):
    path, whole, net = tmp_path / "c.npz", network(), network()
    fit(whole)
    fit(net, path, resume=True)
    assert same(whole, net)
    once_more, before = network(), path.read_bytes()
    assert fit(once_more, path, resume=True).loss == whole.history.loss
    assert same(whole, once_more) and path.read_bytes() == before
    fit(whole, epochs=2)
    assert fit(once_more, path, epochs=5, resume=True).epochs == 5
    assert same(whole, once_more)


def test_a_network_without_a_seed_takes_that_of_its_checkpoint(tmp_path):
    path, whole = tmp_path / "c.npz", network()
    fit(whole, path, epochs=1)
    other = MLP([6, 5, 4], "relu", loss="cross_entropy", backend="reference")
    fit(other, path, epochs=3, resume=True)
    fit(whole, epochs=2)
    assert other.hash() == whole.hash() and other.seed == 1


@pytest.mark.parametrize("slices", [4, 11, 15, 33])
@pytest.mark.parametrize("optimizer", ["sgd", Adam(average=0.9)])
def test_after_ctrl_c_it_goes_on_inside_the_epoch(tmp_path, one_batch_a_slice, slices, optimizer):
    path, whole, net = tmp_path / "c.npz", network(), network()
    fit(whole, optimizer=optimizer)
    net._engine = InterruptingEngine(net._engine, slices)
    with pytest.raises(KeyboardInterrupt):
        fit(net, path, optimizer=optimizer)
    assert MLP.load(path, backend="reference").hash() == net.hash()
    net._engine = net._engine.engine
    again = network(BACKENDS[-1])
    for one in (net, again):  # the network that was interrupted, or a new one
        history = fit(one, path, optimizer=optimizer, resume=True)
        assert same(whole, one) and history.interrupted_rows is None


class Patience(Callback):
    """Ends training after three epochs of its own counting; its state goes with the checkpoint."""

    def __init__(self):
        self.seen, self.kept = 0, None

    def on_train_begin(self, logs=None):
        self.seen, self.kept = 0, np.zeros(2)

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        self.kept = np.array([logs["loss"], epoch])
        if self.seen == 3:
            self.net.stop_training = True

    def get_state(self):
        return {"seen": self.seen, "kept": self.kept, "name": "patience", "nothing": None}

    def set_state(self, state):
        assert state["name"] == "patience" and state["nothing"] is None
        self.seen, self.kept = state["seen"], state["kept"]


def test_callbacks_go_on_from_their_state(tmp_path, one_batch_a_slice):
    path, whole, own = tmp_path / "c.npz", network(), Patience()
    fit(whole, epochs=9, callbacks=[own, Callback()])
    assert whole.epochs_trained == 3
    with pytest.raises(Killed):
        fit(network(), path, epochs=9, callbacks=[Patience(), Kill(29)], checkpoint_every=1)
    again, callback = network(), Patience()
    fit(again, path, epochs=9, callbacks=[callback, Kill(0)], resume=True)
    assert same(whole, again) and callback.kept.tobytes() == own.kept.tobytes()
    stopped = network()
    fit(stopped, path, epochs=9, callbacks=[Patience(), Kill(0)], resume=True)  # ended before its last epoch: it is over
    assert same(whole, stopped)
    with pytest.raises(ValueError, match="so many callbacks: 2, which is 1 here"):
        fit(network(), path, epochs=9, callbacks=[Callback()], resume=True)
    with pytest.raises(ValueError, match=r"callbacks \['Patience', 'Kill'\], which is \['Kill', 'Patience'\] here"):
        fit(network(), path, epochs=9, callbacks=[Kill(0), Patience()], resume=True)


STATES = {
    "two axes": np.arange(6.0).reshape(2, 3),
    "no axes": np.array(2.5),
    "empty": np.zeros((0, 3), "f2"),
    "bools": np.array([True, False]),
    "words": np.array([["a", "bcd"]]),
    "big-endian": np.arange(3, dtype=">i2"),
    "in columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "complex": np.array([1 + 2j]),
    "scalar": np.float32(0.1),
    "truth": np.bool_(True),
    "list": [1, [2.5, None], {"a": "b"}],
}


class Stateful(Callback):
    def __init__(self, state=None):
        self.state = state

    def get_state(self):
        return self.state

    def set_state(self, state):
        self.state = state


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_states_of_callbacks_come_back_as_they_were(tmp_path, ending):
    path, read, nothing = tmp_path / f"c.{ending}", Stateful(), Stateful()
    fit(network(), path, epochs=1, callbacks=[Stateful(STATES), nothing])
    fit(network(), path, epochs=2, callbacks=[read, nothing], resume=True)
    assert read.state.keys() == STATES.keys() and nothing.state == {}
    for key, value in STATES.items():
        if isinstance(value, np.ndarray):
            assert (read.state[key].shape, read.state[key].tolist()) == (value.shape, value.tolist())
            assert read.state[key].dtype == value.dtype.newbyteorder("=") and read.state[key].flags.writeable
        else:
            assert read.state[key] == value and not isinstance(read.state[key], np.generic)


def test_an_older_checkpoint_has_arrays_of_callbacks_as_they_are(tmp_path):
    path, net, read = tmp_path / "c.npz", network(), Stateful()
    fit(net, path, epochs=1, callbacks=[Stateful({"a": np.arange(2.0)})])
    more = checkpoints.persistence.load(path).more
    del more["run"]["forms"]
    checkpoints.persistence.save(path, net._saved(more, {"callback 0 a": np.arange(2.0)}))
    fit(network(), path, epochs=2, callbacks=[read], resume=True)
    assert read.state["a"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "state, words",
    [
        ({"seen": {1, 2}}, "the callback Stateful cannot be written to a checkpoint: 'seen' is {1, 2}"),
        ({"seen": np.array([None])}, "'seen' is an array of shape"),
        ({"seen": np.ma.masked_array([1], [True])}, "'seen' is an array of shape"),
        ({"seen": (1, 2)}, "'seen' is .1, 2."),
        ({"seen": {1: 2}}, "'seen' is {1: 2}"),
        ({"seen": np.complex64(1)}, "'seen' is"),
        ({3: 4}, "get_state of the callback Stateful must return a dict with strings as keys, not {3: 4}"),
        ([3], "get_state of the callback Stateful must return a dict"),
    ],
)
def test_a_state_that_no_file_can_hold_is_refused_before_training(tmp_path, state, words):
    net = network()
    with pytest.raises(TypeError, match=words):
        fit(net, tmp_path / "c.npz", callbacks=[Stateful(state)])
    assert net.state.step == 0 and os.listdir(tmp_path) == []


@pytest.mark.parametrize("form", [["|O8", [1]], ["<f8", [-1]], ["<f8", [3]], ["<f8"], ["<f8,<f8", [1]], [8, [1]]])
def test_damaged_forms_of_arrays_are_refused(tmp_path, form):
    path, net = tmp_path / "c.npz", network()
    fit(net, path, epochs=1, callbacks=[Stateful({"a": np.zeros(2)})])
    saved = checkpoints.persistence.load(path)
    saved.more["run"]["forms"] = [{"a": form}]
    checkpoints.persistence.save(path, net._saved(saved.more, saved.arrays))
    with pytest.raises(ValueError, match="is a damaged checkpoint"):
        fit(network(), path, epochs=2, callbacks=[Stateful()], resume=True)


@pytest.mark.parametrize("slices", range(10, 120, 13))
def test_early_stopping_and_plateaus_go_on(tmp_path, one_batch_a_slice, slices):
    options = {"epochs": 30, "learning_rate": schedules.ReduceOnPlateau(1.0, monitor="loss", patience=1)}
    whole, again, path = network(), network(BACKENDS[-1]), tmp_path / "c.npz"
    fit(whole, early_stopping=EarlyStopping("loss", patience=3, min_delta=0.02), **options)
    assert whole.history.ended and whole.state.step > 11 * 11
    options |= {"checkpoint_every": 3}  # of eleven steps an epoch
    with pytest.raises(Killed):
        fit(
            network(),
            path,
            early_stopping=EarlyStopping("loss", patience=3, min_delta=0.02),
            callbacks=[Kill(slices)],
            **options,
        )
    fit(
        again,
        path,
        early_stopping=EarlyStopping("loss", patience=3, min_delta=0.02),
        callbacks=[Kill(0)],
        resume=True,
        **options,
    )
    assert same(whole, again) and again.history.ended == whole.history.ended


@pytest.mark.parametrize("every, writes", [("epoch", 3 + 1), (11, 3 + 1), (1, 33 + 1), (5, 6 + 1), (1000, 1), (None, 1)])
def test_how_often_it_is_written(tmp_path, monkeypatch, one_batch_a_slice, every, writes):
    steps = []
    write = checkpoints.Checkpoints.write
    monkeypatch.setattr(checkpoints.Checkpoints, "write", lambda self: (steps.append(self.net.state.step), write(self)))
    fit(network(), tmp_path / "c.npz", checkpoint_every=every)
    assert len(steps) == writes and steps[-1] == 33


def test_by_itself_it_takes_two_hundredths_of_the_time(tmp_path, monkeypatch, one_batch_a_slice):
    """With a clock that a step moves by a tenth of a second, and a checkpoint by a third."""
    now, writes = [0.0], []

    class Clock(Callback):
        def on_rows_end(self, rows):
            now[0] += 0.1

    def write(self):
        began = now[0]
        now[0] += 0.3
        writes.append(began)
        self.last = now[0] - began
        self.written += self.last

    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(checkpoints.Checkpoints, "write", write)
    fit(network(), tmp_path / "c.npz", epochs=60, callbacks=[Clock()])
    assert 1.0 <= writes[0] < 1.2 and 0.3 * (len(writes) - 2) <= 0.02 * now[0] < 0.3 * len(writes)


def test_a_write_that_fails_leaves_the_last_good_one(tmp_path, monkeypatch, one_batch_a_slice):
    path, whole, net, written = tmp_path / "c.npz", network(), network(), []
    fit(whole, optimizer=Adam(average=0.9))
    fsync = os.fsync

    def full(descriptor):
        written.append(1)
        if len(written) > 8:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    with (
        monkeypatch.context() as patched,
        pytest.raises(OSError, match="could not be written to this file, which holds the last"),
    ):
        patched.setattr(os, "fsync", full)
        fit(net, path, checkpoint_every=2, optimizer=Adam(average=0.9))
    assert os.listdir(tmp_path) == ["c.npz"]
    assert 0 < MLP.load(path, backend="reference").state.step < net.state.step < 33
    for one in (net, network()):
        fit(one, path, optimizer=Adam(average=0.9), resume=True)
        assert same(whole, one)


def rate(step):
    return 0.1


def faster(step):
    return 0.2


DATA = r"training data with SHA-256 \w{12}... .103 rows of float32., which is with SHA-256"
OTHERS = {
    "batch_size 10, which is 11 here": ({}, {"batch_size": 11}),
    "shuffle True, which is False here": ({}, {"shuffle": False}),
    "with learning_rate 0.1, which is 0.2 here$": ({}, {"learning_rate": 0.2}),
    r"optimizer SGD\(learning_rate=0.1, .*\), which is Adam\(learning_rate=0.001, ": ({}, {"optimizer": "adam"}),
    r"learning_rate 0.1, which is 0.2 here, and momentum 0.0, which is 0.5 here": (
        {}, {"optimizer": SGD(learning_rate=0.2, momentum=0.5)}),
    r"milestones \[5, 9\], which is \[5, 8\] here": (
        {"learning_rate": schedules.MultiStep(0.1, (5, 9))}, {"learning_rate": schedules.MultiStep(0.1, (5, 8))}),
    r"learning_rate 0.1, which is MultiStep\(": ({}, {"learning_rate": schedules.MultiStep(0.1, (5, 8))}),
    "optimizer with rate, which is with faster here": ({"learning_rate": rate}, {"learning_rate": faster}),
    "dropout 0.0, which is 0.3 here": ({}, {"dropout": 0.3}),
    "input_dropout 0.1, which is 0.0 here": ({"input_dropout": 0.1}, {}),
    "label_smoothing 0.0, which is 0.1 here": ({}, {"label_smoothing": 0.1}),
    "weight_mean 'weights', which is 'rows' here": ({}, {"weight_mean": "rows"}),
    "class_weight None, which is {1: 2.0} here": ({}, {"class_weight": {1: 2.0}}),
    "steps_per_epoch None, which is 5 here": ({}, {"steps_per_epoch": 5}),
    "initial_epoch 0, which is 1 here": ({}, {"initial_epoch": 1}),
    "keep_optimizer True, which is False here": ({}, {"keep_optimizer": False}),
    "patience 3, which is 4 here": ({"early_stopping": EarlyStopping("loss", 3)}, {"early_stopping": EarlyStopping("loss", 4)}),
    "validation_split 0.0, which is 0.5 here": ({}, {"validation_split": 0.5}),
    "validation_data with SHA-256 .*, which is of which nothing is recorded here": ({"validation_data": (X, Y)}, {}),
    "validation_data with SHA-256": ({"validation_data": (X, Y)}, {"validation_data": (X, (Y + 1) % 4)}),
    DATA: ({}, {"sample_weight": np.arange(103.0)}),
}  # fmt: skip


@pytest.mark.parametrize("words, options", OTHERS.items(), ids=[*map(str, range(len(OTHERS)))])
def test_of_another_fit_it_is_refused(tmp_path, words, options):
    path, net = tmp_path / "c.npz", network()
    fit(net, path, epochs=1, **options[0])
    before, other = path.read_bytes(), network()
    with pytest.raises(ValueError, match=words):
        fit(other, path, resume=True, **options[1])
    assert other.hash() == network().hash() and other.state.fits == [] and path.read_bytes() == before
    fit(other, path, resume=True, **options[0])
    assert other.epochs_trained == 3 and other.recipe.fits[0].arguments["epochs"] == 3


def test_of_other_data_or_another_seed_it_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    fit(network(), path, epochs=1)
    x, y = X.copy(), Y.copy()
    x[50, 3] = np.nextafter(x[50, 3], 9)
    y[7] = (y[7] + 1) % 4
    for data in ((x, Y), (X, y)):
        with pytest.raises(ValueError, match=DATA):
            network().fit(*data, epochs=3, batch_size=10, verbose=0, checkpoint=path, resume=True)
    seeded = MLP([6, 5, 4], "relu", loss="cross_entropy", seed=2, backend="reference")
    with pytest.raises(ValueError, match="a checkpoint with seed 1, which is 2 here"):
        fit(seeded, path, resume=True)
    seeded.reset(seed=1)
    drawn = MLP([6, 5, 4], "relu", loss="cross_entropy", backend="reference")
    for net in (seeded, drawn, copy.deepcopy(drawn)):
        fit(net, path, resume=True)
        assert net.seed == 1
    drawn.reset(seed=2)
    with pytest.raises(ValueError, match="a checkpoint with seed 1, which is 2 here"):
        fit(drawn, path, resume=True)


def test_as_many_rows_are_compared_as_were_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FREE", 0)
    path, net, x = tmp_path / "c.npz", network(), X.copy()
    fit(net, path, epochs=1)
    every = net.state.fits[0].data["every"]
    assert records.every_of(Samples(X, Y), net.n_parameters, 99) != every > 1
    x[1] += 1  # which nobody looks at
    again = network()
    again.fit(x, Y, epochs=99, batch_size=10, verbose=0, checkpoint=path, resume=True)
    assert again.state.fits[0].data["every"] == every and again.epochs_trained == 99
    x[0] += 1
    with pytest.raises(ValueError, match=DATA):
        network().fit(x, Y, epochs=99, batch_size=10, verbose=0, checkpoint=path, resume=True)


def test_a_run_that_is_given_more_epochs_goes_on_from_the_best_weights(tmp_path):
    path, stopping = tmp_path / "c.npz", EarlyStopping("loss", patience=9, min_delta=0.5)  # the first epoch stays the best
    net, more, by_hand = network(), network(), network()
    fit(net, path, early_stopping=stopping)
    fit(by_hand, epochs=1)
    assert net.hash() == by_hand.hash() and net.epochs_trained == 3
    fit(more, path, epochs=4, early_stopping=stopping, resume=True)
    by_hand.state.epoch = 3  # as which its order is drawn
    fit(by_hand, epochs=1)
    assert more.state.fits[0].epochs[-1] == by_hand.hash()[: records.DIGITS]


def test_what_changes_nothing_may_be_another(tmp_path):
    path, whole, net = tmp_path / "c.npz", network(), network(n_threads=2)
    fit(whole)
    fit(network(), path, epochs=1, checkpoint_every=3, metrics=["f1"])
    fit(net, path, resume=True, checkpoint_every="epoch", verbose=2, metrics=["recall"], training_metrics=True)
    assert net.hash() == whole.hash()


def test_what_is_no_checkpoint_of_this_network_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    fit(network(), path, epochs=1)
    with pytest.raises(ValueError, match="is a checkpoint with dtype dtype..float32.., which is dtype..float64.. here"):
        fit(network(dtype="float64"), path, resume=True)
    with pytest.raises(ValueError, match=r"is a checkpoint with rows 103, which is 50 here"):
        network().fit(X[:50], Y[:50], batch_size=10, verbose=0, checkpoint=path, resume=True)
    network().save(path)
    with pytest.raises(ValueError, match="a network that save wrote, and no checkpoint of fit"):
        fit(network(), path, resume=True)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is damaged or not a network"):
        fit(network(), path, resume=True)
    fit(network(), path, epochs=1)
    assert MLP.load(path, backend="reference").epochs_trained == 1  # without resume it is written over


def test_damaged_runs_are_refused(tmp_path, monkeypatch):
    path, net = tmp_path / "c.npz", network()
    fit(net, path, epochs=1)
    run = {
        "first_epoch": 0,
        "first_recorded": 0,
        "rows": 103,
        "batch_size": 10,
        "shuffle": True,
        "done": True,
        "stopped": False,
    }
    for changes in (
        {"first_epoch": -1},
        {"first_recorded": None},
        {"done": 3},
        {"callbacks": None},
        {"callbacks": [3]},
        None,
    ):
        more = {"run": {**run, "callbacks": [], **changes} if changes else {"rows": 103}}
        checkpoints.persistence.save(path, net._saved(more, {}))
        with pytest.raises(ValueError, match="is a damaged checkpoint"):
            fit(network(), path, resume=True)
    checkpoints.persistence.save(path, net._saved({"run": {**run, "callbacks": []}}, {"callback 0 x": np.zeros(1)}))
    with pytest.raises(ValueError, match="is a damaged checkpoint"):
        fit(network(), path, resume=True)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"resume": True}, ValueError, "resume needs checkpoint"),
        ({"checkpoint_every": 3}, ValueError, "checkpoint_every needs checkpoint"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every must be an integer of at least 1"),
        ({"checkpoint_every": 1.5}, TypeError, "checkpoint_every must be an integer"),
        ({"checkpoint_every": "hour"}, ValueError, "checkpoint_every must be one of epoch"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be the path of a file, not 3"),
        ({"checkpoint": "no folder/c.npz"}, FileNotFoundError, "no such folder"),
        ({"checkpoint": "."}, IsADirectoryError, "folder"),
    ],
)
def test_wrong_arguments(tmp_path, options, error, words):
    net = network()
    if "checkpoint" not in options and "needs" not in words:
        options = {"checkpoint": tmp_path / "c.npz", **options}
    with pytest.raises(error, match=words):
        net.fit(X, Y, verbose=0, **options)
    assert net.state.step == 0 and net._turn.free


PROGRAM = """
    import json, os, sys
    import numpy as np
    from fastmlp import MLP, Adam
    from fastmlp.training import loop

    path, backend, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    random = np.random.RandomState(0)
    x, y = random.random_sample((1000, 20)).astype(np.float32), random.randint(0, 4, 1000)
    loop.SLICE_SECONDS = 0
    net = MLP([20, 30, 4], "relu", loss="cross_entropy", seed=3, backend=backend, n_threads=1 + (epochs + os.getpid()) % 2)
    {before}
    history = net.fit(x, y, epochs=epochs, batch_size=10, verbose=0, dropout=0.1, optimizer=Adam(average=0.99), checkpoint=path,
                      checkpoint_every=2, resume=True)
    print(json.dumps([net.hash(), history.loss, history.accuracy]))
"""


N_CHECKPOINTS = 150  # of three epochs


def program(folder, before=""):
    path = folder / "program.py"
    path.write_text(textwrap.dedent(PROGRAM).format(before=before))
    return path


def run(program, path, backend, epochs=3):
    command = [sys.executable, program, path, backend, str(epochs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """whole(epochs): what the program tells that nothing has ended before."""

    @cache
    def told(epochs):
        folder = tmp_path_factory.mktemp("whole")
        return ended(run(program(folder), folder / "c.npz", FAST, epochs))

    return told


# A training ends itself, so that it comes as far as it should however busy the machine is: after some checkpoints it sets an
# alarm, to a part of the time in which it has written one. Nothing handles SIGALRM here, which ends a process as SIGKILL does, at
# once and between any two instructions.
DOOMED = """
import signal, time
from fastmlp.training.checkpoints import Checkpoints
write, seconds = Checkpoints.write, []
def counted(checkpoints):
    began = time.perf_counter()
    write(checkpoints)
    seconds.append(time.perf_counter() - began)
    if len(seconds) == {count}:
        signal.setitimer(signal.ITIMER_REAL, {share} * min(seconds))
Checkpoints.write = counted
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path, kills, whole):
    path, moments, backends, steps = tmp_path / "c.npz", random.Random(kills), BACKENDS[-2:], [0]
    for kill in range(kills):
        doom = DOOMED.format(count=moments.randint(1, N_CHECKPOINTS // kills // 2), share=moments.uniform(0.01, 2))
        process = run(program(tmp_path, doom), path, backends[kill % len(backends)])
        _, err = process.communicate()
        assert process.returncode == -signal.SIGALRM, err
        steps.append(MLP.load(path, backend="reference").state.step)
    assert steps == sorted(set(steps))  # each has come further than the one before
    assert ended(run(program(tmp_path), path, backends[0])) == whole(3)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("moment", ["os.fsync", "os.replace", "zipfile.ZipFile.close"])
def test_killed_while_a_checkpoint_is_being_written(tmp_path, moment, whole):
    before = f"""
    import signal, zipfile
    calls, function = [], {moment}
    def killing(*arguments):
        calls.append(1)
        if len(calls) == 31:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    {moment} = killing
    """
    killed, script, path = program(tmp_path, textwrap.dedent(before).strip()), tmp_path / "again.py", tmp_path / "c.npz"
    process = run(killed, path, FAST)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] != []
    script.write_text(textwrap.dedent(PROGRAM).format(before=""))
    assert ended(run(script, path, BACKENDS[0], epochs=1)) == whole(1)


def test_a_full_disk(tmp_path, whole):
    """Files may not grow beyond what fits the first half of a checkpoint: the system refuses as it does where the disk is full."""
    pytest.importorskip("resource")
    script, path = program(tmp_path), tmp_path / "c.npz"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    full = tmp_path / "full.py"
    full.write_text(textwrap.dedent(PROGRAM).format(before=limit))
    assert ended(run(script, path, BACKENDS[-1], epochs=1)) == whole(1)
    before = path.read_bytes()
    process = run(full, path, FAST, epochs=2)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1 and "a checkpoint could not be written to this file, which holds the last one still" in err
    assert path.read_bytes() == before
    assert ended(run(script, path, BACKENDS[0], epochs=2)) == whole(2)
