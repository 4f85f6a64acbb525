"""Metrics: their values beside scikit-learn's, the functions of users, and where they are recorded."""

import functools
import warnings

import numpy as np
import pytest

from fastmlp import MLP, Adam, Callback
from fastmlp.training.scores import NAMED, metrics_of, values

RNG = np.random.RandomState(0)
X = RNG.random_sample((60, 5)).astype(np.float32)
LABELS = RNG.randint(0, 4, 60)
SEVERAL = (RNG.random_sample((60, 4)) > 0.6).astype(np.float32)


def network(**options):
    return MLP([5, 6, 4], seed=3, backend="reference", **options)


def of_classes():
    return network(loss="cross_entropy"), X, LABELS


def of_two_classes():
    return MLP([5, 6, 1], seed=3, loss="binary_cross_entropy", backend="reference"), X, LABELS > 1


def of_labels():
    return network(loss="binary_cross_entropy"), X, SEVERAL


def of_numbers():
    return network(), X, X[:, :4] * [1, 2, 3, 0]  # one output is constant


TASKS = {"classes": of_classes, "two classes": of_two_classes, "labels": of_labels, "numbers": of_numbers}


def sklearn_s(name):
    metrics = pytest.importorskip("sklearn.metrics")
    mean = dict(average="macro", zero_division=0)
    return {
        "accuracy": metrics.accuracy_score, "balanced_accuracy": metrics.balanced_accuracy_score,
        "precision": functools.partial(metrics.precision_score, **mean), "r2": metrics.r2_score,
        "recall": functools.partial(metrics.recall_score, **mean), "f1": functools.partial(metrics.f1_score, **mean),
        "mean_absolute_error": metrics.mean_absolute_error, "mean_squared_error": metrics.mean_squared_error,
        "root_mean_squared_error": lambda y, answer: metrics.mean_squared_error(y, answer) ** 0.5,
    }[name]  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMED)
def test_values_are_scikit_learn_s(name, task):
    net, x, y = TASKS[task]()
    net.fit(x, y, epochs=2, batch_size=4, learning_rate=0.5, verbose=0)
    if net.task not in NAMED[name].tasks:
        with pytest.raises(ValueError, match=f"metric '{name}' is for task .*{net.task}"):
            net.evaluate(x, y, metrics=name)
        return
    for rows in (slice(None), slice(0, 7), slice(0, 1)):
        if name == "r2" and rows.stop == 1:
            continue  # which scikit-learn does not define
        found = net.evaluate(x[rows], y[rows], metrics=[name]).metrics[name]
        answers = net.predict(x[rows]).astype(np.float64 if net.task == "numbers" else int)
        true = y[rows].astype(np.float32).astype(np.float64) if net.task == "numbers" else np.asarray(y[rows], int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of answers that are no target
            assert found == pytest.approx(sklearn_s(name)(true, answers), rel=1e-12), rows


def test_by_hand():
    y, answers = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, -1])
    outputs = np.eye(4)[answers]
    outputs[-1] = np.nan
    metrics = metrics_of(["accuracy", "balanced_accuracy", "precision", "recall", "f1", "top_2_accuracy"], "classes", 4)
    thirds = 1 / 3
    assert values(metrics, y, outputs, "classes") == {
        "accuracy": 0.5, "balanced_accuracy": (0.5 + 1 + thirds) / 3, "precision": (0.5 + 0.5 + 1) / 3,
        "recall": (0.5 + 1 + thirds) / 3, "f1": (2 / 4 + 2 / 3 + 2 / 4) / 3,
        "top_2_accuracy": 4 / 6,  # of equal outputs the first count: row 1 answers 1, then 0; row 4 answers 0, then 1
    }  # fmt: skip
    missing = values(metrics[1:5], y[:2], outputs[:2], "classes")  # class 1 is answered, and not there
    assert missing == {"balanced_accuracy": 0.5, "precision": 0.5, "recall": 0.25, "f1": 2 / 3 / 2}
    y, answers = np.array([[1.0], [1.0], [1.0]]), np.array([[1.0], [1.0], [2.0]])
    numbers = metrics_of(["r2", "mae", "mse", "rmse"], "numbers", 1)
    assert values(numbers, y, answers, "numbers") == {"r2": 0.0, "mae": 1 / 3, "mse": 1 / 3, "rmse": (1 / 3) ** 0.5}
    assert values(numbers[:1], y, y, "numbers") == {"r2": 1.0}


def test_top_k_is_scikit_learn_s():
    metrics = pytest.importorskip("sklearn.metrics")
    net, x, y = of_classes()
    for k in (1, 2, 3):
        found = net.evaluate(x, y, metrics=f"top_{k}_accuracy").metrics
        assert found == {f"top_{k}_accuracy": metrics.top_k_accuracy_score(y, net(x), k=k)}
    assert net.evaluate(x, y, metrics="top_4_accuracy").metrics == {"top_4_accuracy": 1.0}
    assert net.evaluate(x, np.eye(4)[y], metrics="top_1_accuracy").metrics["top_1_accuracy"] == net.evaluate(x, y).accuracy


def test_functions_of_scikit_learn_work_as_they_are():
    metrics = pytest.importorskip("sklearn.metrics")
    _, x, y = of_classes()
    area = functools.partial(metrics.roc_auc_score, multi_class="ovr")
    chosen = {"area": area, "kappa": metrics.cohen_kappa_score, "top": metrics.top_k_accuracy_score}
    net64 = network(loss="cross_entropy", dtype="float64")
    found = net64.evaluate(x, y, metrics=chosen).metrics
    assert found == {
        "area": area(y, net64(x)), "kappa": metrics.cohen_kappa_score(y, net64.predict(x)),
        "top": metrics.top_k_accuracy_score(y, net64(x)),
    }  # fmt: skip
    binary, x, y = of_two_classes()
    found = binary.evaluate(x, y, metrics=[metrics.roc_auc_score, metrics.f1_score]).metrics
    assert found == {
        "roc_auc_score": metrics.roc_auc_score(y, binary(x)[:, 0]), "f1_score": metrics.f1_score(y, binary.predict(x))
    }  # fmt: skip
    softmax = MLP([5, 6, 2], loss="cross_entropy", seed=3, backend="reference")
    found = softmax.evaluate(x, y, metrics={"area": metrics.roc_auc_score}).metrics
    assert found == {"area": metrics.roc_auc_score(y, softmax(x)[:, 1])}
    numbers, x, y = of_numbers()
    found = numbers.evaluate(x, y, metrics=metrics.median_absolute_error).metrics["median_absolute_error"]
    assert found == metrics.median_absolute_error(y.astype(np.float32), numbers.predict(x))


def test_fit_records_them_of_validation_data_and_where_asked_of_training_data():
    net, x, y = of_classes()
    held_out = x[:20], y[:20]
    history = net.fit(x, y, epochs=2, metrics=["f1", "accuracy"], validation_data=held_out, verbose=0)
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "val_f1", "seconds"]
    assert history["val_f1"][-1] == net.evaluate(*held_out, metrics="f1").metrics["f1"]
    assert history.val_accuracy[-1] == net.evaluate(*held_out).accuracy
    history = net.fit(x, y, metrics="f1", epochs=1, validation_data=held_out, training_metrics=True, verbose=0)
    assert set(history) == {"loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1", "seconds"}
    assert history["f1"] == [net.evaluate(x, y, metrics="f1").metrics["f1"]]
    history = net.fit(x, y, epochs=1, metrics={"mine": lambda true, answers: (true == answers).mean()}, verbose=0)
    assert history["mine"] == [net.evaluate(x, y).accuracy]
    assert net.history["val_f1"][2] is not None and net.history["val_f1"][3] is None


def test_they_are_of_averaged_weights():
    net, x, y = of_numbers()
    history = net.fit(x, y, epochs=1, metrics="r2", optimizer=Adam(average=0.9), verbose=0)
    assert history["r2"] == [net.evaluate(x, y, metrics="r2").metrics["r2"]]


def test_an_epoch_whose_metric_fails_is_recorded_without_it():
    net, twin = of_classes()[0], of_classes()[0]

    def failing(true, answers):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        net.fit(X, LABELS, epochs=3, metrics=[failing], verbose=0, validation_data=(X, LABELS))
    twin.fit(X, LABELS, epochs=1, verbose=0)
    assert net.hash() == twin.hash() and net.history.loss == twin.history.loss and net.epochs_trained == 1
    assert net.history.interrupted_rows is None and net.history.val_loss == []


@pytest.mark.parametrize("task", TASKS)
def test_metrics_cannot_change_what_they_get(task):
    net, x, y = TASKS[task]()
    y = np.ascontiguousarray(y, np.int64 if net.task == "classes" else np.float32)  # passes into training without a copy

    def writing(which):
        def metric(true, answers):
            (true, answers)[which][...] = 0
            return 0.0

        def of_outputs(true, y_score):
            return metric(true, y_score)

        return {"one": metric, "two": of_outputs}

    before = y.copy()
    for which in (0, 1):
        for name, metric in writing(which).items():
            with pytest.raises(ValueError, match="read-only"):
                net.fit(x, y, epochs=1, metrics={name: metric}, training_metrics=True, validation_data=(x, y), verbose=0)
    assert y.tobytes() == before.tobytes() and y.flags.writeable


def test_no_metric_is_measured_unless_asked(monkeypatch):
    net, x, y = of_classes()
    monkeypatch.setattr(net._engine, "forward", None)
    net.fit(x, y, epochs=1, validation_data=(x, y), verbose=0)
    assert net.evaluate(x, y).metrics is None


@pytest.mark.parametrize("wrong, error, words", [
    ("F1", ValueError, "did you mean 'f1'"), (["auc"], ValueError, "metrics must be of accuracy, "), (3, TypeError, "not 3"),
    ([3], TypeError, "not 3"), (["f1", "f1"], ValueError, "two named 'f1'"), ("r2", ValueError, "for task numbers"),
    ("top_5_accuracy", ValueError, "at least 5 classes"), ({"val_f1": "f1"}, ValueError, "'val_f1'"),
    ({"loss": "f1"}, ValueError, "'loss'"), ({1: "f1"}, TypeError, "string, not 1"),
    (lambda y, answers: 0.0, ValueError, "pass a dict"), (functools.partial(max, 1), ValueError, "pass a dict"),
    ({"whole": lambda y, answers: y}, TypeError, "metric 'whole' must return a number"),
    ({"none": lambda y, answers: None}, TypeError, "metric 'none' must return a number, not None"),
    ({"word": lambda y, answers: "no"}, TypeError, "metric 'word' must return a number, not 'no'"),
    ({"digit": lambda y, answers: "5"}, TypeError, "metric 'digit' must return a number, not '5'"),
    ({"ragged": lambda y, answers: [1, [2, 3]]}, TypeError, "metric 'ragged' must return a number, not"),
])  # fmt: skip
def test_what_is_no_metric(wrong, error, words):
    net, x, y = of_classes()
    with pytest.raises(error, match=words):
        net.evaluate(x, y, metrics=wrong)


def test_bars_and_lines_name_them(capsys):
    net, x, y = of_classes()
    history = net.fit(x, y, epochs=1, metrics="f1", verbose=2)
    assert f"  f1 {history['f1'][0]:.4f}  " in capsys.readouterr().out


def test_callbacks_are_told():
    told = []

    class Listening(Callback):
        def on_epoch_end(self, epoch, logs=None):
            told.append(logs["val_f1"])

    net, x, y = of_classes()
    net.fit(x, y, epochs=2, metrics="f1", validation_data=(x, y), verbose=0, callbacks=[Listening()])
    assert told == net.history["val_f1"]
