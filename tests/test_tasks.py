"""What a network answers: decided when it is made, the same whatever its batches hold, and held against its targets."""

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.backends import kernels, numba_is_installed

needs_kernels = pytest.mark.skipif(kernels() is None, reason="the compiled kernels were not built")
needs_numba = pytest.mark.skipif(not numba_is_installed(), reason="Numba is not installed")


@pytest.fixture(params=["reference", pytest.param("compiled", marks=needs_kernels), pytest.param("numba", marks=needs_numba)])
def backend(request):
    return request.param


X = np.random.RandomState(0).standard_normal((40, 6)).astype(np.float32)
SEVERAL = (X[:, :3] > 0).astype(np.float32)  # rows of no label, one and several
CLASSES = np.arange(40) % 3


def network(backend="reference", n_out=3, **options):
    return MLP([6, 5, n_out], seed=1, backend=backend, **options)


@pytest.mark.parametrize(
    "n_out, options, task",
    [
        (3, dict(loss="cross_entropy"), "classes"),
        (1, dict(loss="binary_cross_entropy"), "classes"),
        (3, dict(loss="binary_cross_entropy"), "labels"),
        (3, dict(output_activation="sigmoid"), "classes"),
        (1, dict(output_activation="sigmoid"), "classes"),
        (3, dict(), "numbers"),
        (3, dict(output_activation="tanh"), "numbers"),
        (3, dict(task="classes"), "classes"),
        (3, dict(output_activation="sigmoid", task="numbers"), "numbers"),
    ],
)
def test_the_task_follows_from_loss_and_outputs(n_out, options, task):
    net = network(n_out=n_out, **options)
    assert net.task == task and f"task={task!r}" in repr(net)


def test_tasks_that_are_none():
    with pytest.raises(ValueError, match="task must be one of classes, labels, numbers, not 'regression'"):
        network(task="regression")
    with pytest.raises(TypeError, match="task must be one of"):
        network(task=3)
    with pytest.raises(ValueError, match="task 'labels' needs outputs that do not share"):
        network(loss="cross_entropy", task="labels")


def test_classes(backend):
    net = network(backend, loss="cross_entropy")
    assert net.predict(X).dtype == np.int64 and net.predict(X).shape == (40,)
    assert net.predict(X).tolist() == net(X).argmax(axis=1).tolist()
    assert np.ndim(net.predict(X[0])) == 0 and net.predict(X[0]) == net.predict(X)[0]
    soft = np.full((40, 3), 1 / 3, np.float32)
    history = net.fit(X, soft, epochs=1, verbose=0)  # probabilities, of which the class is the largest
    net.fit(X, CLASSES, epochs=1, verbose=0)
    assert len(history.accuracy) == 1 and net.evaluate(X, soft).n_correct == np.count_nonzero(net.predict(X) == 0)
    one = network(backend, 1, loss="binary_cross_entropy")
    assert one.predict(X).tolist() == (one(X)[:, 0] > 0.5).tolist()


@pytest.mark.parametrize("options", [dict(loss="binary_cross_entropy"), dict(output_activation="sigmoid", task="labels")])
def test_several_labels_at_once(backend, options):
    net = network(backend, **options)
    first_one_hot = np.argsort(SEVERAL.sum(axis=1) != 1, kind="stable")  # the first batch could be of classes
    x, y = X[first_one_hot], SEVERAL[first_one_hot]
    net.train_step(x[:8], y[:8], 0.5)
    history = net.fit(x, y, epochs=40, batch_size=8, learning_rate=4.0, verbose=0, validation_data=(x, y))
    answers, evaluation = net.predict(x), net.evaluate(x, y)
    assert answers.dtype == np.int64 and answers.tolist() == (net(x) > 0.5).tolist()
    assert net.predict(x[0]).tolist() == answers[0].tolist()
    assert evaluation.n_correct == np.count_nonzero((answers == y).all(axis=1)) > 30
    assert evaluation.label_accuracy == (answers == y).mean() == history.val_label_accuracy[-1]
    assert evaluation.accuracy == history.val_accuracy[-1] and len(history.label_accuracy) == 40


def test_numbers(backend):
    net = network(backend, 2)
    net.train_step(X[:1], [[0.0, 1.0]], 0.1)  # which could be of a class
    assert net.predict(X).tobytes() == net(X).tobytes() and net.evaluate(X, X[:, :2]).accuracy is None
    one = network(backend, 1)
    assert one(X).shape == (40, 1) and one(X[0]).shape == (1,)
    assert one.predict(X).shape == (40,) and one.predict(X[0]).shape == ()
    assert one.predict(X).tobytes() == one(X).tobytes()


@pytest.mark.parametrize(
    "n_out, options, y, words",
    [
        (3, dict(), CLASSES, "y holds a class for each row, but this network's task is 'numbers'.*task='classes'"),
        (3, dict(loss="binary_cross_entropy"), CLASSES, "task is 'labels'.*task='classes'"),
        (3, dict(output_activation="sigmoid"), SEVERAL, "one class a row, but row .*task='labels'"),
        (3, dict(output_activation="sigmoid"), SEVERAL * 0, "one class a row, but row 0 sums to 0.*task='labels'"),
        (3, dict(loss="binary_cross_entropy", task="classes"), SEVERAL, "one class a row.*task='labels'"),
        (3, dict(output_activation="sigmoid"), X[:, :3], "0 or 1 everywhere, but row 0, column 0.*task='numbers'"),
        (3, dict(output_activation="sigmoid", task="labels"), X[:, :3], "0 or 1 everywhere.*task='numbers'"),
        (3, dict(output_activation="sigmoid", task="labels"), 2 * SEVERAL - 1, r"-1 and 1 write \(y \+ 1\) / 2"),
        (1, dict(output_activation="sigmoid"), 2.0 * (CLASSES > 0) - 1, r"-1 and 1 write \(y \+ 1\) / 2"),
        (1, dict(loss="binary_cross_entropy"), 2 * (CLASSES > 0) - 1, r"row 0 is -1.*write \(y \+ 1\) / 2"),
        (1, dict(loss="binary_cross_entropy"), 2.0 * (CLASSES > 0) - 1, r"from 0 to 1.*write \(y \+ 1\) / 2"),
    ],
)
def test_targets_that_contradict_the_task(backend, n_out, options, y, words):
    net = network(backend, n_out, **options)
    before = net.hash()
    for call in (net.gradients, net.evaluate, net.fit, lambda x, y: net.train_step(x, y, 0.1)):
        with pytest.raises(ValueError, match=words):
            call(X, y)
    assert net.hash() == before


def test_contradicting_targets_do_not_go_straight_through(backend):
    """After a first step, the quick way of train_step must not let them pass."""
    for options, good, bad in (
        (dict(), X[:, :3].copy(), CLASSES), (dict(output_activation="sigmoid"), CLASSES, X[:, :3].copy()),
        (dict(output_activation="sigmoid", task="labels"), SEVERAL, X[:, :3].copy()),
    ):  # fmt: skip
        net = network(backend, **options)
        net.train_step(X, good, 0.1)
        net.train_step(X, good, 0.1)
        with pytest.raises(ValueError, match="task"):
            net.train_step(X, bad, 0.1)


def test_targets_of_one_column_more(backend):
    assert network(backend).gradients(X, X[:, :3, None])[0] == network(backend).gradients(X, X[:, :3])[0]


def test_one_input(backend):
    net = MLP([1, 4, 1], "tanh", seed=0, backend=backend)
    x = np.linspace(-1, 1, 5)
    expected = net(x[:, None])
    assert net(x).tobytes() == net(x.tolist()).tobytes() == expected.tobytes() and net(x).shape == (5, 1)
    assert net(x[2]).tobytes() == net(float(x[2])).tobytes() == expected[2].tobytes() and net(x[2]).shape == (1,)
    assert net(x[:1]).shape == (1, 1) and net.predict(x).shape == (5,) and net.predict(0.5).shape == ()
    assert net.gradients(x, x)[0] == net.gradients(x[:, None], x[:, None])[0]
    assert net.gradients(0.5, 0.25)[0] == net.gradients([0.5], [0.25])[0]
    assert np.isfinite(net.fit(x, x, epochs=1, verbose=0).loss).all()


def test_one_sample_with_its_target(backend):
    net = network(backend, loss="cross_entropy")
    assert net.gradients(X[0], 1)[0] == net.gradients(X[:1], [1])[0] == net.evaluate(X[0], [0, 1, 0]).loss
    twin = network(backend, loss="cross_entropy")
    assert net.train_step(X[0], 1, 0.5) == twin.train_step(X[:1], [1], 0.5) and net.hash() == twin.hash()
    assert network(backend).evaluate(X[0], X[0, :3]).loss == network(backend).evaluate(X[:1], X[:1, :3]).loss


@pytest.mark.parametrize("n_out", [1, 3])
def test_a_row_of_nan_has_no_class_and_is_never_right(backend, n_out):
    net = network(backend, n_out, loss="cross_entropy" if n_out > 1 else "binary_cross_entropy")
    x = X.copy()
    x[3] = x[7, 2] = np.nan
    answers = net.predict(x)
    assert answers[[3, 7]].tolist() == [-1, -1] and (answers >= 0).sum() == 38 and net.predict(x[3]) == -1
    wanted = np.where(answers < 0, 0, answers)
    assert net.evaluate(x, wanted).n_correct == 38
    net.parameters[:] = np.nan
    assert net.evaluate(X, CLASSES * 0).n_correct == 0 and (net.predict(X) == -1).all()
    several = network(backend, loss="binary_cross_entropy")
    several.biases[-1][1] = np.nan
    assert several.predict(X)[:, 1].tolist() == [-1] * 40 and (several.predict(X)[:, [0, 2]] >= 0).all()
    evaluation = several.evaluate(X, SEVERAL)
    assert evaluation.n_correct == 0 and evaluation.label_accuracy == (several.predict(X) == SEVERAL).mean()
