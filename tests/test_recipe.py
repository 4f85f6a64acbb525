"""Recipes: a network that is trained again comes out the same, and where it does not, the first epoch and the reason are told."""

import json

import numpy as np
import pytest
from conftest import needs_kernels, needs_numba

from fastmlp import MLP, SGD, Adam, Callback, EarlyStopping, schedules
from fastmlp.training import records

random = np.random.RandomState(0)
X, Y = random.random_sample((60, 6)).astype(np.float32), random.randint(0, 4, 60)
BACKENDS = ["reference", pytest.param("compiled", marks=needs_kernels), pytest.param("numba", marks=needs_numba)]


def network(**options):
    return MLP([6, 5, 4], "relu", **{"loss": "cross_entropy", "seed": 1, **options})


def fit(net, epochs=3, **options):
    net.fit(X, Y, epochs=epochs, **{"batch_size": 8, "verbose": 0, **options})
    return net


def saved(net, path):
    net.save(path / "net.npz")
    return MLP.load(path / "net.npz")


FITS = {
    "plain": {},
    "averaged": {"optimizer": Adam(learning_rate=0.01, average=0.9, clip_norm=1.0)},
    "schedule": {"optimizer": SGD(learning_rate=schedules.Cosine(0.1, epochs=3), momentum=0.9, nesterov=True)},
    "milestones": {"learning_rate": schedules.MultiStep(0.1, (5, 9))},
    "dropout": {"dropout": [0.3], "input_dropout": np.float32(0.1)},
    "classes": {"class_weight": {np.int64(1): 2.0}, "label_smoothing": 0.1, "weight_mean": "rows"},
    "split": {"validation_split": 0.3, "early_stopping": EarlyStopping(patience=1, min_delta=1.0), "shuffle": False},
    "stopped": {"epochs": 9, "early_stopping": EarlyStopping("loss", 2, 0.5)},
    "steps": {"steps_per_epoch": 3, "metrics": ["f1"]},
    "names": {"optimizer": "rmsprop", "class_weight": "balanced", "keep_optimizer": False, "batch_size": np.int64(7)},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", FITS.values(), ids=FITS)
def test_it_comes_out_the_same(tmp_path, backend, options):
    net = fit(fit(network(), **options), epochs=2)
    recipe = saved(net, tmp_path).recipe
    result = recipe.reproduce(X, Y, backend=backend, n_threads=2)
    assert result and result.same and result.epochs == net.epochs_trained and result.parted is None
    assert str(result) == f"yes: the same bits after each of {net.epochs_trained} epochs"
    assert recipe.reproduce(X.tolist(), Y, backend=backend)


@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.int32])
def test_data_in_another_type_are_the_same_data(kind):
    x = np.floor(X * 255).astype(kind)
    net = network(input_scale=255)
    net.fit(x, Y, epochs=1, verbose=0)
    for other in (np.uint8, np.float32, np.float64):
        assert net.recipe.reproduce(x.astype(other), Y)


def differs(net, *words, x=X, y=Y, parted=1, **arguments):
    result = net.recipe.reproduce(x, y, **arguments)
    assert not result and result.parted == parted
    for word in words:
        assert word in str(result), str(result)
    return result


def test_other_data_part_in_the_first_epoch(tmp_path):
    net = saved(fit(network()), tmp_path)
    x, y = X.copy(), Y.copy()
    x[17, 3] = np.nextafter(x[17, 3], 2)
    y[5] = (y[5] + 1) % 4
    differs(net, "NO: it parted in epoch 1", "the training data differ: SHA-256", x=x)
    differs(net, "the training data differ: SHA-256", y=y)
    differs(net, "50 rows here, 60 then", x=X[:50], y=Y[:50])
    differs(net, "the training data differ", sample_weight=np.arange(60.0))


def test_sample_weight_is_given_again():
    net = fit(network(), sample_weight=np.arange(60.0))
    assert net.recipe.reproduce(X, Y, sample_weight=np.arange(60.0))
    differs(net, "the training data differ")


def test_other_arguments_are_named():
    net = fit(network())
    differs(net, "the argument batch_size differs: 9 here, 8 then", batch_size=9)
    result = differs(net, "the argument optimizer differs", optimizer=Adam())
    assert result.epochs == 0


def test_it_parts_later_than_in_the_first_epoch():
    net = fit(fit(network()), epochs=2)
    net.state.fits[1].epochs[1] = "0" * records.DIGITS
    result = differs(net, "it parted in epoch 5: nothing that the recipe knows differs", parted=5)
    assert result.epochs == 4


def test_other_versions_are_named(monkeypatch):
    net = fit(network())
    net.state.fits[0].epochs[1] = "0" * records.DIGITS
    monkeypatch.setattr(records, "ARITHMETIC", 7)
    monkeypatch.setattr(records, "__version__", "9")
    differs(net, "the version of arithmetic differs: 7 here, 1 then", "the version of fastmlp differs: 9 here", parted=2)


def test_weights_that_were_changed_by_hand():
    for change in (lambda net: net.train_step(X, Y), lambda net: net.weights[0].fill(1)):
        before, between, after = network(), fit(network()), fit(network())
        for net in (before, between, after):
            change(net)
        differs(
            fit(before), "NO: the same bits after 0 epochs, but: the weights were changed before the first fit", parted=None
        )
        differs(fit(between), "3 epochs, but: the weights were changed before fit 2", parted=None)
        differs(after, "3 epochs, but: the weights were changed after the last fit", parted=None)


def test_training_that_was_interrupted():
    class Interrupt(Callback):
        def on_batch_end(self, batch, logs=None):
            if self.net.epochs_trained == 2 and batch == 3:
                raise KeyboardInterrupt

    net = network()
    with pytest.raises(KeyboardInterrupt):
        fit(net, epochs=5, callbacks=[Interrupt()])
    assert net.state.fits[0].rows == 32 and len(net.state.fits[0].epochs) == 2
    differs(net, "the same bits after 2 epochs, but: fit 1 was interrupted there", parted=None)


@pytest.mark.parametrize("epoch, method", [(1, "on_epoch_end"), (2, "on_epoch_end"), (0, "on_batch_end")])
def test_training_that_a_callback_ended_with_an_error(epoch, method):
    def ends(self, number, logs=None):
        if self.net.epochs_trained == epoch:
            raise ZeroDivisionError

    net = network()
    with pytest.raises(ZeroDivisionError):
        fit(net, epochs=5, callbacks=[type("Ends", (Callback,), {method: ends})()])
    (record,) = net.recipe.fits
    assert net.epochs_trained == epoch == len(record.epochs) and record.ended is None
    assert epoch == 0 or record.epochs[-1] == net.hash()[: records.DIGITS]
    differs(net, f"the same bits after {epoch} epochs, but: fit 1 was interrupted there", parted=None)


def test_a_fit_that_fails_is_not_recorded():
    net, x = network(), X.copy()
    x[3, 2] = np.nan
    for bad in (x, X[:, :5]):
        with pytest.raises(ValueError):
            net.fit(bad, Y, verbose=0)
    assert net.state.fits == [] and fit(net).recipe.reproduce(X, Y)


def test_training_that_broke_down_breaks_down_again():
    net = network()
    with pytest.warns(RuntimeWarning, match="broke down"):
        fit(net, learning_rate=1e38)
    with pytest.warns(RuntimeWarning, match="broke down"):
        assert net.recipe.reproduce(X, Y)
    assert net.history.ended


def test_what_a_recipe_cannot_hold_is_asked_for(tmp_path):
    def rate(step):
        return 0.1 / (1 + step)

    class Doubling(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.net.parameters[...] *= 2

    net = saved(fit(network(), learning_rate=rate), tmp_path)
    with pytest.raises(ValueError, match="the recipe cannot hold optimizer, with rate: give it, as for fit"):
        net.recipe.reproduce(X, Y)
    assert net.recipe.reproduce(X, Y, optimizer=SGD(learning_rate=rate))
    net = saved(fit(network(), callbacks=[Doubling()]), tmp_path)
    differs(net, "the callback Doubling is not repeated")
    assert net.recipe.reproduce(X, Y, callbacks=[Doubling()])
    net = fit(network(), validation_data=(X, Y), early_stopping=True)
    with pytest.raises(ValueError, match="training watched its validation data"):
        net.recipe.reproduce(X, Y)
    assert net.recipe.reproduce(X, Y, validation_data=(X, Y))
    measured = fit(network(), validation_data=(X, Y), metrics={"half": lambda y_true, y_pred: 0.5})
    assert measured.recipe.reproduce(X, Y)


def test_networks_without_a_recipe():
    with pytest.raises(ValueError, match="no recipe"):
        network().recipe.reproduce(X, Y)
    net = fit(network(init=lambda shape, random: random.random_sample(shape)))
    with pytest.raises(ValueError, match="weights began is not known"):
        net.recipe.reproduce(X, Y)
    net = fit(fit(network()), epochs=1)
    net.reset()
    assert net.recipe.fits == []


def test_only_so_many_fits_are_recorded(monkeypatch):
    monkeypatch.setattr(records, "MOST", 2)
    net = network()
    for _ in range(4):
        fit(net, epochs=1)
    assert len(net.recipe.fits) == 2
    differs(net, "the same bits after 2 epochs, but: 2 further epochs are not recorded", parted=None)


def test_large_data_are_hashed_in_part(monkeypatch):
    monkeypatch.setattr(records, "FREE", 0)
    monkeypatch.setattr(records, "SHARE", 0.5)
    monkeypatch.setattr(records, "is_dear", lambda *_: False)
    net = fit(network(), epochs=1)
    every = net.state.fits[0].data["every"]
    assert every > 1 and net.recipe.reproduce(X, Y)
    x = X.copy()
    x[every] += 1
    differs(net, "the training data differ", x=x)
    x = X.copy()
    x[1] += 1
    differs(net, f"nothing that the recipe knows differs, of the inputs in every {every} rows", x=x)


def test_where_hashes_are_dear_the_end_is_compared(monkeypatch):
    monkeypatch.setattr(records, "FREE", 0)  # bytes that cost nothing
    net = fit(network(), epochs=2)
    record = net.state.fits[0]
    assert (record.began, record.epochs, record.ended) == ("", ["", ""], "")
    assert net.recipe.reproduce(X, Y)
    result = net.recipe.reproduce(X + 1, Y)
    assert not result and result.parted is None and "the weights at the end are others" in str(result)
    assert "the training data differ" in str(result)


def test_the_hash_after_an_epoch_is_that_of_the_network():
    net = network()
    for epoch in range(3):
        fit(net, epochs=1)
        assert net.state.fits[epoch].epochs == [net.hash()[:16]] and net.state.fits[epoch].ended == net.hash()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hashes_that_are_kept_see_every_change(dtype):
    """Also one that compares as equal, before a fit and at its end, after the last epoch's hash."""

    class Negates(Callback):
        def on_train_end(self, logs=None):
            self.net.biases[0][0] = -0.0

    net, before = network(dtype=dtype), []
    for bias in (0.0, -0.0, 0.0):
        net.biases[0][0] = bias
        before.append(net.hash())
        fit(net, epochs=1, learning_rate=0.0, callbacks=Negates())
        record = net.state.fits[-1]
        assert (record.began, record.ended) == (before[-1], net.hash())
        assert record.epochs == [before[0][:16]]  # of -0, too: some step makes it 0
    assert before[0] == before[2] != before[1]


def test_recipes_are_plain_data_and_shown():
    net = fit(network(), **FITS["averaged"])
    assert json.loads(json.dumps([vars(one) for one in net.recipe.fits])) == [vars(one) for one in net.recipe.fits]
    assert "fit 1: 3 epochs of 60 rows, epochs=3, batch_size=8" in repr(net.recipe)
    assert repr(network().recipe) == "no fit is recorded"


@pytest.mark.parametrize("change", [
    {"epochs": [3]}, {"epochs": None}, {"arguments": []}, {"data": 3}, {"rows": "1"}, {"unsaid": None}, {"ended": 3}, {"more": 1},
], ids=str)  # fmt: skip
def test_damaged_recipes(change):
    record = vars(fit(network()).state.fits[0])
    assert records.Fit.from_dict(record) == records.Fit(**record)
    with pytest.raises((ValueError, TypeError)):
        records.Fit.from_dict({**record, **change})
    net = fit(network())
    net.state.fits[0].arguments["optimizer"] = {"is": "Popen"}
    with pytest.raises(ValueError, match="the recipe is damaged"):
        net.recipe.reproduce(X, Y)
