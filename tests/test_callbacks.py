"""Callbacks: what they are told and when, that they may end training, and what stays behind where they fail."""

import numpy as np
import pytest

from fastmlp import MLP, Adam, Callback
from fastmlp.random_streams import shuffled_rows
from fastmlp.training import loop

X = np.random.RandomState(0).random_sample((50, 6)).astype(np.float32)
Y = np.random.RandomState(1).randint(0, 4, 50)


def network(backend="reference"):
    return MLP([6, 5, 4], output_activation="sigmoid", seed=1, backend=backend)


def by_hand(epochs, batches):
    """A network after so many epochs, and batches of ten of a further one."""
    net = network()
    net.fit(X, Y, epochs=epochs, batch_size=10, verbose=0)
    for rows in shuffled_rows(50, 1, epochs)[: 10 * batches].reshape(batches, 10):
        net.train_step(X[rows], Y[rows])
    return net


class Diary(Callback):
    """Writes down what it is told."""

    def __init__(self):
        self.entries = []

    def on_train_begin(self, logs=None):
        self.entries.append("train begins")

    def on_train_end(self, logs=None):
        self.entries.append(("train ends", logs))

    def on_epoch_begin(self, epoch, logs=None):
        self.entries.append(("epoch", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.entries.append(("over", epoch, logs))

    def on_rows_end(self, rows):
        self.entries.append(("rows", rows))

    def close(self):
        self.entries.append("closed")


class BatchDiary(Diary):
    def on_batch_begin(self, batch, logs=None):
        self.entries.append(("batch", batch))

    def on_batch_end(self, batch, logs=None):
        self.entries.append(("done", batch, logs["loss"]))


def test_logs_are_dicts_wherever_they_are_told():
    told = []

    class Listening(Callback):
        def on_train_begin(self, logs=None):
            told.append(logs)

        on_train_end = on_train_begin

        def on_epoch_begin(self, number, logs=None):
            told.append(logs)

        on_epoch_end = on_batch_begin = on_batch_end = on_epoch_begin

    network().fit(X, Y, epochs=1, batch_size=50, verbose=0, callbacks=[Listening()])
    assert told[:3] == [{}, {}, {}] and [list(logs) for logs in told[3:]] == [
        ["loss"],
        *[["loss", "accuracy", "seconds"]] * 2,
    ]


def test_training_from_within_fit_is_refused_as_such():
    class Training(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.train(self.net)

    x, y = np.eye(4), [0, 1, 2, 3]
    for train in (lambda net: net.fit(x, y, verbose=0), lambda net: net.train_step(x, y), lambda net: net.reset()):
        net, callback = MLP([4, 4], loss="cross_entropy", seed=0, backend="reference"), Training()
        callback.train = train
        with pytest.raises(RuntimeError, match="by the fit that calls this, by a callback or a metric: train a copy"):
            net.fit(x, y, verbose=0, callbacks=[callback])
        assert net.epochs_trained == 1 and net._turn.free and net._turn.fitting is None


def test_what_a_callback_is_told(backend):
    net, diary = network(backend), Diary()
    history = net.fit(X, Y, epochs=2, batch_size=20, validation_data=(X, Y), verbose=0, callbacks=[diary])
    told = [entry for entry in diary.entries if entry[0] != "rows"]
    logs = [{name: values[epoch] for name, values in history.items()} for epoch in range(2)]
    assert told == [
        "train begins", ("epoch", 0), ("over", 0, logs[0]), ("epoch", 1), ("over", 1, logs[1]), ("train ends", logs[1]), "closed",
    ]  # fmt: skip
    assert sum(entry[1] for entry in diary.entries if entry[0] == "rows") == 100
    assert diary.net is diary.model is net
    assert diary.params == {"epochs": 2, "steps": 3, "batch_size": 20, "rows": 50, "metrics": list(history)}


def test_what_it_is_told_of_batches(backend):
    net, twin, diary = network(backend), network(backend), BatchDiary()
    net.fit(X, Y, epochs=1, batch_size=20, shuffle=False, verbose=0, callbacks=diary)
    losses = [twin.train_step(X[start : start + 20], Y[start : start + 20]) for start in (0, 20, 40)]
    batches = enumerate(zip(losses, (20, 20, 10)))
    told = [entry for i, (loss, n) in batches for entry in (("batch", i), ("done", i, loss), ("rows", n))]
    assert diary.entries[2:-3] == told and net.hash() == twin.hash()


@pytest.mark.parametrize("name", ["on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"])
@pytest.mark.parametrize("by_subclass", [True, False])
def test_batches_go_one_by_one_only_where_a_callback_asks(name, by_subclass, monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 1e9)
    diary, batches = Diary(), []

    def method(batch, logs=None):
        batches.append(batch)

    if by_subclass:
        asking = type("Asking", (Callback,), {name: lambda self, batch, logs=None: method(batch)})()
    else:
        asking = Callback()
        setattr(asking, name, method)
    network().fit(X, Y, epochs=2, batch_size=5, verbose=0, callbacks=[diary])
    assert [entry[1] for entry in diary.entries if entry[0] == "rows"] == [5, 40, 5, 50]
    network().fit(X, Y, epochs=1, batch_size=5, verbose=0, callbacks=[asking])
    assert batches == list(range(10))


class Stopping(Callback):
    """Ends training in one of its methods, at the n-th call."""

    def __init__(self, method, n):
        self.left = n
        setattr(self, method, self.act)

    def act(self, *args):
        self.left -= 1
        if self.left == 0:
            self.end()

    def end(self):
        self.net.stop_training = True


class Failing(Stopping):
    def end(self):
        raise ZeroDivisionError


# Epochs and batches of the next that are trained on when a method is called for the n-th time.
MOMENTS = [
    ("on_train_begin", 1, 0, 0), ("on_epoch_begin", 1, 0, 0), ("on_epoch_begin", 2, 1, 0), ("on_epoch_end", 2, 2, 0),
    ("on_batch_begin", 3, 0, 2), ("on_batch_end", 3, 0, 3), ("on_train_batch_end", 5 + 4, 1, 4), ("on_batch_end", 5, 0, 5),
    ("on_rows_end", 7, 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("method, n, epochs, batches", MOMENTS)
def test_what_fails_leaves_network_state_and_history_of_the_last_step(method, n, epochs, batches, monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)
    net, expected, diary = network(), by_hand(epochs, batches), Diary()
    with pytest.raises(ZeroDivisionError):
        net.fit(X, Y, epochs=3, batch_size=10, verbose=0, callbacks=[diary, Failing(method, n)])
    assert net.hash() == expected.hash()
    assert (net.epochs_trained, net.history.epochs, net.state.step) == (epochs, epochs, expected.state.step)
    assert net.history.interrupted_rows == (10 * batches or None) and net._turn.free
    assert diary.entries[-1] == "closed" and not any(entry[0] == "train ends" for entry in diary.entries)
    assert net.fit(X, Y, epochs=1, batch_size=10, verbose=0).epochs == 1 and net.history.interrupted_rows is None


STOPS = [(*moment[:2], moment[2], moment[3]) for moment in MOMENTS if moment[0] != "on_batch_begin"]


@pytest.mark.parametrize("method, n, epochs, batches", STOPS)
def test_training_that_a_callback_ends(method, n, epochs, batches, monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)
    net, diary = network(), Diary()
    history = net.fit(X, Y, epochs=3, batch_size=10, verbose=0, callbacks=[Stopping(method, n), diary])
    if method == "on_epoch_begin":  # the batch that is under way is trained on
        batches += 1
    if batches == 5:
        epochs, batches = epochs + 1, 0
    assert net.hash() == by_hand(epochs, batches).hash() and history.epochs == epochs
    assert history.interrupted_rows == (10 * batches or None)
    assert diary.entries[-2:] == [("train ends", history.last()), "closed"]
    assert net.stop_training and net.fit(X, Y, epochs=1, verbose=0).epochs == 1 and not net.stop_training


def test_weights_that_a_callback_changes_are_trained_on():
    class Zeroing(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.net.weights[0][...] = 0

    net, twin = network(), network()
    net.fit(X, Y, epochs=2, verbose=0, callbacks=[Zeroing()])
    for _ in range(2):
        twin.weights[0][...] = 0
        twin.fit(X, Y, epochs=1, verbose=0)
    assert net.hash() == twin.hash()


def test_callbacks_see_the_average_at_the_end_alone():
    class Watching(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.trained, self.average = self.net.parameters.copy(), self.net.state.arrays["average"].copy()

        def on_train_end(self, logs=None):
            self.left = self.net.parameters.copy()

    net, watching = network(), Watching()
    net.fit(X, Y, epochs=1, optimizer=Adam(average=0.9), verbose=0, callbacks=[watching])
    assert (watching.left == watching.average).all() and (watching.trained != watching.average).any()
    with pytest.raises(ZeroDivisionError):
        net.fit(X, Y, epochs=2, optimizer=Adam(average=0.9), verbose=0, callbacks=[Failing("on_epoch_end", 1)])
    assert (net.parameters == net.state.arrays["average"]).all() and (net.state.arrays["trained"] != net.parameters).any()


def test_an_optimizer_that_could_not_begin_does_not_finish(monkeypatch):
    net, optimizer = network(), Adam(average=0.9)
    before = net.hash()

    def failing(self, *arguments):
        raise MemoryError

    monkeypatch.setattr(Adam, "begin", failing)
    with pytest.raises(MemoryError):
        net.fit(X, Y, optimizer=optimizer, verbose=0)
    assert net.hash() == before and net.state.arrays == {} and net._turn.free


@pytest.mark.parametrize("wrong, words", [
    (3, "not 3"), ([3], "one is 3"), ([Diary], "call it"), ("diary", "one is 'd'"), ([lambda epoch: None], "one is <function"),
])  # fmt: skip
def test_what_is_no_callback(wrong, words):
    net = network()
    with pytest.raises(TypeError, match=f"callbacks must be a list of fastmlp.Callback objects, .*{words}"):
        net.fit(X, Y, callbacks=wrong)
    assert net.epochs_trained == 0
