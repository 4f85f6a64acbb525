"""What fit takes of its data, and how far: validation splits, epochs that are done already, one pass at a time."""

import functools

import numpy as np
import pytest

from fastmlp import MLP, SGD, Adam, Callback, EarlyStopping, functional
from fastmlp.random_streams import shuffled_rows

X = np.random.RandomState(0).random_sample((50, 6)).astype(np.float32)
Y = np.random.RandomState(1).randint(0, 4, 50)
W = np.random.RandomState(2).random_sample(50)


def network(backend="reference", **options):
    return MLP([6, 5, 4], output_activation="sigmoid", seed=1, backend=backend, **options)


def test_a_split_holds_out_the_last_rows(backend):
    net, twin = network(backend), network(backend)
    history = net.fit(X, Y, epochs=2, validation_split=0.2, verbose=0)
    expected = twin.fit(X[:40], Y[:40], epochs=2, validation_data=(X[40:], Y[40:]), verbose=0)
    assert net.hash() == twin.hash() and history.val_loss == expected.val_loss and history.loss == expected.loss
    net.fit(
        X.tolist(),
        Y,
        epochs=1,
        validation_split=np.float32(0.5),
        sample_weight=W.tolist(),
        class_weight="balanced",
        verbose=0,
    )
    twin.fit(X[:25], Y[:25], epochs=1, validation_data=(X[25:], Y[25:], W[25:]), sample_weight=W[:25], class_weight="balanced",
             verbose=0)  # fmt: skip
    assert net.hash() == twin.hash() and net.history.val_loss == twin.history.val_loss
    assert twin.history.val_loss[-1] == twin.evaluate(X[25:], Y[25:], sample_weight=W[25:]).loss


@pytest.mark.parametrize("split, error, words", [
    (1, ValueError, "from 0 to below 1, not 1"), (-0.1, ValueError, "below 1"), ("0.2", TypeError, "validation_split must be"),
    (0.999, ValueError, "validation_split 0.999 of 50 rows leaves none to train on"), (1e-20, ValueError, "none to evaluate"),
    (float("nan"), ValueError, "below 1"), (True, TypeError, "validation_split"),
])  # fmt: skip
def test_what_is_no_split(split, error, words):
    net = network()
    with pytest.raises(error, match=words):
        net.fit(X, Y, validation_split=split, verbose=0)
    with pytest.raises(ValueError, match="two ways"):
        net.fit(X, Y, validation_split=0.2, validation_data=(X, Y), verbose=0)
    with pytest.raises(TypeError, match=r"\(x, y\) or \(x, y, sample_weight\)"):
        net.fit(X, Y, validation_data=(X, Y, W, W), verbose=0)
    assert net.epochs_trained == 0


@pytest.mark.parametrize("wrong", ["False", 1, 0, None, np.array([True]), [False]])
@pytest.mark.parametrize("name", ["shuffle", "keep_optimizer", "training_metrics", "resume"])
def test_flags_are_true_or_false(tmp_path, name, wrong):
    net = network()
    with pytest.raises(TypeError, match=f"^{name} must be True or False, not "):
        net.fit(X, Y, verbose=0, checkpoint=tmp_path / "c.npz", **{name: wrong})
    assert net.state.step == 0 and net.fit(X, Y, epochs=1, verbose=0, shuffle=np.bool_(False)).epochs == 1


@pytest.mark.parametrize("wrong", ["False", 1, None])
def test_flags_of_other_objects_are_true_or_false(wrong):
    makers = {"penalise_biases": Adam, "nesterov": functools.partial(SGD, momentum=0.9), "restore_best_weights": EarlyStopping,
              "input_gradient": functools.partial(functional.dense_backward, X, X.T, X[:, :1] @ X[:, :1].T),
              "labels": functools.partial(network().to_onnx, "nowhere")}  # fmt: skip
    for name, maker in makers.items():
        with pytest.raises(TypeError, match=f"^{name} must be True or False, not "):
            maker(**{name: wrong})


def test_flags_of_numpy_are_flags(backend):
    net, twin = network(backend), network(backend)
    for one, true in ((net, True), (twin, np.bool_(True))):
        optimizer = SGD(l2=0.1, momentum=0.9, nesterov=true, penalise_biases=true)
        one.fit(X, Y, epochs=1, shuffle=true, keep_optimizer=true, optimizer=optimizer, verbose=0)
    assert net.hash() == twin.hash()


@pytest.mark.parametrize("share, left", [(0.9, 1), (0.8, 2), (0.7, 3), (0.6, 4), (0.1, 9), (0.25, 7), (np.float32(0.8), 2)])
def test_a_split_leaves_as_many_rows_as_it_says(share, left):
    net = network()
    net.fit(X[:10], Y[:10], epochs=1, validation_split=share, verbose=0)
    assert net.recipe.fits[0].data["rows"] == left


def test_one_rate_of_dropout_may_be_an_array():
    net, twin = network(), network()
    net.fit(X, Y, epochs=1, dropout=np.array(0.5), verbose=0)
    twin.fit(X, Y, epochs=1, dropout=0.5, verbose=0)
    assert net.hash() == twin.hash() != network().hash() and net.recipe.reproduce(X, Y)


def test_a_function_of_rates_is_named():
    def falling(step):
        return float("nan") if step == 5 else 0.1

    with pytest.raises(
        ValueError, match="what falling, the learning_rate, returns for step 5 must be a number from 0, not nan"
    ):
        network().fit(X, Y, epochs=1, learning_rate=falling, batch_size=5, verbose=0)


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_matrix", "csr_array"])
def test_sparse_matrices_are_made_dense_by_their_user(kind):
    sparse = getattr(pytest.importorskip("scipy.sparse"), kind)
    for name, data in {"x": (sparse(X), Y), "y": (X, sparse(np.eye(4)[Y]))}.items():
        with pytest.raises(TypeError, match=f"{name} is a sparse matrix of SciPy, and must be an array: .*toarray"):
            network().fit(*data, verbose=0)
    with pytest.raises(TypeError, match="x is a sparse matrix of SciPy"):
        network().predict(sparse(X))


def test_epochs_that_are_done_already(capsys):
    told = []

    class Counting(Callback):
        def on_epoch_end(self, epoch, logs=None):
            told.append(epoch)

    net, twin = network(), network()
    net.fit(X, Y, epochs=2, verbose=0)
    history = net.fit(X, Y, epochs=5, initial_epoch=net.epochs_trained, verbose=2, callbacks=[Counting()])
    twin.fit(X, Y, epochs=5, verbose=0)
    assert net.hash() == twin.hash() and history.epochs == 3 and told == [2, 3, 4]
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 3/5", "epoch 4/5", "epoch 5/5"]
    assert net.fit(X, Y, epochs=3, initial_epoch=5, verbose=0).epochs == 0
    for wrong, error in ((-1, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="initial_epoch must be an integer of at least 0"):
            net.fit(X, Y, initial_epoch=wrong)


def test_partial_fit_is_one_pass(backend):
    net, twin = network(backend), network(backend)
    for part in (slice(0, 20), slice(20, 50)):
        assert (
            net.partial_fit(X[part], Y[part], classes=[0, 1, 2, 3], sample_weight=W[part], optimizer="adam", batch_size=7)
            is net
        )
        twin.fit(X[part], Y[part], epochs=1, sample_weight=W[part], optimizer="adam", batch_size=7, verbose=0)
    assert net.hash() == twin.hash() and net.epochs_trained == net.history.epochs == 2
    net.partial_fit(X, Y, classes=np.arange(4.0), learning_rate=0.5, shuffle=False)


@pytest.mark.parametrize("classes", [[0, 4], [-1, 0], [0.5], [[0, 1]], 3])
def test_classes_without_an_output(classes):
    net = network()
    with pytest.raises(ValueError, match="classes must be integers from 0 to 3"):
        net.partial_fit(X, Y, classes)
    with pytest.raises(ValueError, match="task is 'numbers'"):
        network(task="numbers").partial_fit(X, X[:, :4], [0, 1])
    assert net.epochs_trained == 0


@pytest.mark.parametrize("weights", [None, W])
def test_steps_of_an_epoch(backend, weights):
    net, twin = network(backend), network(backend)
    history = net.fit(X, Y, epochs=2, batch_size=8, steps_per_epoch=3, sample_weight=weights, verbose=0)
    for epoch in range(2):
        rows = shuffled_rows(50, 1, epoch)[:24]
        own = None if weights is None else weights[rows]
        part = twin.fit(X[rows], Y[rows], epochs=1, batch_size=8, shuffle=False, sample_weight=own, verbose=0)
        assert history.loss[epoch] == part.loss[0] and history.accuracy[epoch] == part.accuracy[0]
    assert net.hash() == twin.hash() and net.state.step == net.state.steps_per_epoch * 2 == 6


def test_steps_without_shuffling_go_round(backend):
    net, twin = network(backend), network(backend)
    net.fit(X, Y, epochs=2, batch_size=10, steps_per_epoch=2, shuffle=False, verbose=0)
    net.fit(X, Y, epochs=2, batch_size=10, steps_per_epoch=2, shuffle=False, verbose=0)
    for start in (0, 10, 20, 30, 40, 0, 10, 20):
        twin.train_step(X[start : start + 10], Y[start : start + 10])
    assert net.hash() == twin.hash()
    whole, same = network(backend), network(backend)
    whole.fit(X, Y, epochs=1, batch_size=8, verbose=0)
    same.fit(X, Y, epochs=1, batch_size=8, steps_per_epoch=7, verbose=0)
    assert whole.hash() == same.hash()


def test_steps_that_a_callback_counts_and_a_schedule():
    told = []

    class Counting(Callback):
        def on_batch_end(self, batch, logs=None):
            told.append((batch, self.params["steps"], self.params["rows"]))

    net = network()
    net.fit(X, Y, epochs=1, batch_size=8, steps_per_epoch=2, verbose=0, callbacks=[Counting()])
    assert told == [(0, 2, 16), (1, 2, 16)]
    for wrong, error, words in (
        (0, ValueError, "of at least 1"),
        (8, ValueError, "at most 7, which take all 50"),
        (1.0, TypeError, "integer"),
    ):
        with pytest.raises(error, match=f"steps_per_epoch must be .*{words}"):
            net.fit(X, Y, batch_size=8, steps_per_epoch=wrong)
