"""Early stopping and rates that fall on a plateau: when, what comes back, and that training goes on from there."""

import numpy as np
import pytest

from fastmlp import MLP, SGD, Adam, Callback, EarlyStopping
from fastmlp.schedules import ReduceOnPlateau

X = np.random.RandomState(0).random_sample((40, 5)).astype(np.float32)
Y = np.random.RandomState(1).randint(0, 3, 40)


def network(backend="reference"):
    return MLP([5, 6, 3], loss="cross_entropy", seed=2, backend=backend)


def measured(values):
    """Metrics that say these numbers, epoch by epoch, whatever the network does."""
    left = iter(values)
    return {"said": lambda true, answers: next(left)}


OPTIMIZERS = [SGD(learning_rate=0.5), SGD(momentum=0.9), Adam(learning_rate=0.05), Adam(learning_rate=0.05, average=0.9)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "momentum", "adam", "averaged"])
def test_the_best_weights_come_back_with_the_optimizer_s_state(backend, optimizer):
    net, twin = network(backend), network(backend)
    stopping = EarlyStopping(monitor="said", patience=2, mode="max")
    options = dict(batch_size=8, optimizer=optimizer, verbose=0)
    history = net.fit(X, Y, epochs=9, metrics=measured([1, 3, 2, 5, 4, 5, 9]), early_stopping=stopping, **options)
    twin.fit(X, Y, epochs=4, **options)
    assert history["said"] == [1, 3, 2, 5, 4, 5] and (stopping.best, stopping.best_epoch) == (5, 3)
    assert history.ended == net.history.ended == "early stopping: said has not improved since epoch 4"
    assert net.hash() == twin.hash() and net.epochs_trained == net.history.epochs == 6
    mine, hers = net.state, twin.state
    assert (mine.rule, mine.rule_steps, mine.powers) == (hers.rule, hers.rule_steps, hers.powers)
    assert {name: array.tobytes() for name, array in mine.arrays.items()} == {
        name: array.tobytes() for name, array in hers.arrays.items()
    }
    twin.state.epoch = 6  # of which the next shuffle is
    net.fit(X, Y, epochs=1, **options)
    twin.fit(X, Y, epochs=1, **options)
    assert net.hash() == twin.hash()


@pytest.mark.parametrize("values, options, epochs, best", [
    ([3, 2, 1, 1, 1], {"patience": 2, "mode": "min"}, 5, 2),
    ([3, 2, 1.5, 1.2, 1.1, 1], {"patience": 2, "mode": "min", "min_delta": 1}, 5, 2),
    ([3, 4, 1, 1], {"patience": 1, "mode": "min"}, 2, 0),
    ([3, 4, 1, 1], {"patience": 0, "mode": "min"}, 2, 0),
    ([np.nan, 4, np.nan, 5, 6], {"patience": 2, "mode": "max"}, 5, 4),
    ([np.nan, np.nan, 4], {"patience": 2, "mode": "max"}, 2, None),
])  # fmt: skip
def test_when(values, options, epochs, best):
    net, stopping = network(), EarlyStopping("said", **options)
    history = net.fit(X, Y, epochs=5, metrics=measured(values), callbacks=[stopping], verbose=0)
    assert history.epochs == epochs and stopping.best_epoch == best


def test_the_best_weights_come_back_also_where_training_ended_otherwise():
    for end in ("last epoch", "stopped", "broke down"):
        net, twin = network(), network()
        twin.fit(X, Y, epochs=2, verbose=0)

        class Ending(Callback):
            def on_epoch_end(self, epoch, logs=None, end=end):
                if epoch == 2 and end == "stopped":
                    self.net.stop_training = True

            def on_epoch_begin(self, epoch, logs=None, end=end):
                if epoch == 3 and end == "broke down":
                    self.net.parameters[:] = np.nan

        options = dict(epochs=3 if end == "last epoch" else 9, metrics=measured([1, 2, 1]), verbose=0, callbacks=[Ending()])
        if end == "broke down":
            with pytest.warns(RuntimeWarning, match="broke down in epoch 4"):
                net.fit(X, Y, early_stopping=EarlyStopping("said", mode="max"), **options)
        else:
            net.fit(X, Y, early_stopping=EarlyStopping("said", mode="max"), **options)
        assert net.hash() == twin.hash() and net.history.epochs == 3, end


def test_the_best_weights_come_back_where_training_is_stopped_within_an_epoch():
    class Ending(Callback):
        def on_batch_end(self, batch, logs=None):
            self.net.stop_training = self.net.epochs_trained == 1 and batch == 2

    net, twin = network(), network()
    twin.fit(X, Y, epochs=1, batch_size=8, verbose=0)
    net.fit(X, Y, epochs=5, batch_size=8, early_stopping=EarlyStopping("loss"), callbacks=Ending(), verbose=0)
    assert net.hash() == twin.hash() and net.history.interrupted_rows == 24


def test_without_the_best_weights_and_after_an_error_they_are_the_last():
    net, other, twin = network(), network(), network()
    twin.fit(X, Y, epochs=2, verbose=0)
    net.fit(X, Y, epochs=5, metrics=measured([2, 1]), verbose=0,
            early_stopping=EarlyStopping("said", 1, mode="max", restore_best_weights=False))  # fmt: skip
    with pytest.raises(StopIteration):  # from the third epoch's metric, whose weights stay
        other.fit(X, Y, epochs=5, metrics=measured([2, 1]), verbose=0, early_stopping=EarlyStopping("said", mode="max"))
    assert net.hash() == twin.hash() and other.epochs_trained == 3
    twin.fit(X, Y, epochs=1, verbose=0)
    assert other.hash() == twin.hash()


def test_it_is_watched_by_its_name():
    net = network()
    history = net.fit(X, Y, epochs=400, learning_rate=1.0, validation_data=(X[:9], Y[:9]), early_stopping=True, verbose=0)
    assert history.epochs < 400 and net.evaluate(X[:9], Y[:9]).loss == min(history.val_loss) == history.val_loss[-11]
    stopping = EarlyStopping("accuracy", patience=3)
    history = network().fit(X, Y, epochs=60, callbacks=[stopping], verbose=0)
    assert stopping.best == max(history.accuracy)
    assert stopping.best_epoch == history.accuracy.index(stopping.best)


def test_its_state_goes_on_in_another_process():
    """What get_state gives after an epoch, set after on_train_begin, is where it stood."""
    values, kept = [3, 4, 2, 1, 1], []

    class Keeping(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                kept.append(stopping.get_state())

    class Resuming(Callback):
        def on_train_begin(self, logs=None):
            again.set_state(kept[0])

    net, resumed = network(), network()
    stopping, again = (EarlyStopping("said", patience=3, mode="max") for _ in range(2))
    net.fit(X, Y, epochs=5, metrics=measured(values), callbacks=[stopping, Keeping()], optimizer="adam", verbose=0)
    resumed.fit(X, Y, epochs=3, optimizer="adam", verbose=0)
    resumed.fit(X, Y, epochs=2, metrics=measured(values[3:]), callbacks=[again, Resuming()], optimizer="adam", verbose=0)
    assert net.hash() == resumed.hash() and net.history.ended == resumed.history.ended
    assert all(value is None or isinstance(value, (int, float, str, np.ndarray)) for value in kept[0].values())


@pytest.mark.parametrize("make, error, words", [
    (lambda: EarlyStopping(3), TypeError, "monitor must be the name"), (lambda: EarlyStopping("mine"), ValueError, "mode='min' or"),
    (lambda: EarlyStopping(mode="up"), ValueError, "mode must be one of"),
    (lambda: EarlyStopping(patience=-1), ValueError, "patience"),
    (lambda: EarlyStopping(min_delta=-1), ValueError, "min_delta"),
    (lambda: ReduceOnPlateau(0.1, "mine"), ValueError, "mode='min' or"), (lambda: ReduceOnPlateau(-1), ValueError, "rate"),
    (lambda: ReduceOnPlateau(0.1, factor=2), ValueError, "factor"),
    (lambda: ReduceOnPlateau(0.1, cooldown=0.5), TypeError, "cooldown"),
    (lambda: network().fit(X, Y, early_stopping=EarlyStopping()), ValueError, "'val_loss' is not measured.*but loss, acc"),
    (lambda: network().fit(X, Y, early_stopping=3), TypeError, "early_stopping"),
    (lambda: network().fit(X, Y, learning_rate=ReduceOnPlateau(0.1)), ValueError, "'val_loss' is not measured.*validation_split"),
])  # fmt: skip
def test_wrong_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_rates_on_a_plateau():
    """By hand: after two epochs without improvement, then one that is not counted."""
    values = [5, 4, 4, 4, 4, 4, 4, 3, 3, 3, 2.95, 1]
    factors = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125]  # of each epoch
    schedule = ReduceOnPlateau(0.4, "said", factor=0.5, patience=2, min_delta=0.1, mode="min", cooldown=1, min_rate=0.06)
    net, twin = network(), network()
    net.fit(X, Y, epochs=12, batch_size=8, learning_rate=schedule, metrics=measured(values), verbose=0)
    for factor in factors:
        twin.fit(X, Y, epochs=1, batch_size=8, learning_rate=max(0.4 * factor, 0.06), verbose=0)
    assert net.hash() == twin.hash()


def test_a_plateau_goes_on_in_the_next_fit_and_is_forgotten_with_the_optimizer():
    values = [5, 4, 4, 4, 4, 4]
    schedule = ReduceOnPlateau(0.4, "said", factor=0.5, patience=2, mode="min")
    whole, parts = network(), network()
    whole.fit(X, Y, epochs=6, learning_rate=schedule, metrics=measured(values), verbose=0)
    parts.fit(X, Y, epochs=3, learning_rate=schedule, metrics=measured(values[:3]), verbose=0)
    parts.fit(X, Y, epochs=3, learning_rate=schedule, metrics=measured(values[3:]), verbose=0)
    assert whole.hash() == parts.hash() and whole.state.powers["plateau"] == 0.25
    parts.fit(X, Y, epochs=1, learning_rate=schedule, metrics=measured([9]), keep_optimizer=False, verbose=0)
    assert "plateau" not in parts.state.powers
