"""What training records: over several fits, in part, as a table, a frame and plain data, and back."""

import json
import math

import numpy as np
import pytest

from fastmlp import MLP, Adam, History

X = np.random.RandomState(0).random_sample((30, 3)).astype(np.float32)
Y = np.random.RandomState(1).randint(0, 2, 30)


def network():
    return MLP([3, 4, 2], loss="cross_entropy", seed=1, backend="reference")


def twice():
    """A network after a fit without validation data and one with it, and their histories."""
    net = network()
    first = net.fit(X, Y, epochs=2, verbose=0)
    return net, first, net.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0)


def test_a_network_s_history_spans_its_fits_and_fit_returns_its_part():
    net, first, second = twice()
    assert net.history.epochs == net.epochs_trained == 5
    assert net.history.loss == first.loss + second.loss and net.history["seconds"] == first.seconds + second.seconds
    assert net.history.val_loss == [None, None, *second.val_loss] and len(second.val_loss) == 3
    assert list(first) == ["loss", "accuracy", "seconds"] and set(second) - set(first) == {"val_loss", "val_accuracy"}
    assert first.val_loss == []


def test_what_a_later_fit_does_not_measure_is_none():
    net, first, _ = twice()
    third = net.fit(X, Y, epochs=1, verbose=0, optimizer=Adam(l2=0.1))
    assert net.history.val_loss[-1] is None and net.history.penalty == [None] * 5 + third.penalty
    assert first.epochs == 2  # it is no view of the network's


def test_a_history_is_a_dict():
    history = History({"loss": [1.0, 0.5], "val_f1": [0.25, 0.75]})
    assert dict(history) == {"loss": [1.0, 0.5], "val_f1": [0.25, 0.75]} and "accuracy" not in history
    assert history.get("accuracy") is None and history.accuracy == [] and len(history) == 2
    assert history != History({"loss": [1.0, 0.5]}) and history == History(dict(history)) != dict(history)


def test_plain_data_and_back():
    net, _, second = twice()
    for history in (net.history, second, History(), History({"loss": [math.inf]}, "it ended", 7)):
        assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history


PLAIN = {"columns": {"loss": [1.0, 2.0], "f1": [None, 1]}, "ended": None, "interrupted_rows": None}


@pytest.mark.parametrize("change", [
    {"columns": None}, {"columns": {"loss": 1.0}}, {"columns": {"loss": ["1"]}}, {"columns": {"loss": [True]}},
    {"columns": {"loss": [1.0], "f1": []}}, {"columns": {"f1": [1.0]}}, {"columns": {1: [1.0]}}, {"ended": 3},
    {"interrupted_rows": 0}, {"interrupted_rows": 1.5}, {"more": 1},
], ids=str)  # fmt: skip
def test_what_is_no_history(change):
    assert History.from_dict(PLAIN)["f1"] == [None, 1.0]
    with pytest.raises(ValueError, match="history"):
        History.from_dict({**PLAIN, **change})
    with pytest.raises(ValueError, match="history"):
        History.from_dict([])


def test_a_frame_and_a_table():
    pandas = pytest.importorskip("pandas")
    net, first, _ = twice()
    frame = net.history.to_frame()
    assert isinstance(frame, pandas.DataFrame) and list(frame.columns) == list(net.history)
    assert list(frame.index) == [1, 2, 3, 4, 5] and frame.index.name == "epoch" and set(frame.dtypes) == {np.dtype(float)}
    assert frame["val_loss"].isna().tolist() == [True, True, False, False, False]
    assert History().to_frame().empty and first.to_frame()["loss"].tolist() == first.loss
    lines = repr(net.history).splitlines()
    assert len(lines) == 6 and len(lines[1].split()) == 4 and len(lines[-1].split()) == 6


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"fastmlp\[pandas\]"):
        History().to_frame()


def test_curves_of_what_was_measured_in_part():
    pytest.importorskip("matplotlib")
    net, _, second = twice()
    ax = net.history.plot()
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert list(lines["validation loss"][2:]) == second.val_loss and np.isnan(lines["validation loss"][:2]).all()
    assert f"val_loss {second.val_loss[-1]:.4f}" in net.history._repr_html_()
    net.fit(X, Y, epochs=1, verbose=0)
    assert f"val_loss {second.val_loss[-1]:.4f}" in net.history._repr_html_() and "nan" not in net.history._repr_html_()


def test_a_breakdown_and_its_reason_are_of_the_last_fit():
    net = MLP([3, 4, 3], "identity", seed=1, backend="reference")
    net.fit(X, X, epochs=1, verbose=0)
    with pytest.warns(RuntimeWarning, match="broke down"):
        part = net.fit(X, X, epochs=2, batch_size=5, learning_rate=1e35, verbose=0)
    assert part.epochs == 0 and part.ended == net.history.ended is not None and net.history.epochs == 1
    assert net.fit(X, X, epochs=1, verbose=0).ended is None is net.history.ended


def test_going_back():
    history = History({"loss": [1.0]})
    go_back = history.kept()
    history.record({"loss": 0.5, "f1": 0.5})
    history.ended = "so"
    go_back()
    assert history == History({"loss": [1.0]})
