"""Metrics: how right answers are, by name or by a function (y_true, y_pred) of the user's or of scikit-learn.

Those with names are numbers of counts and of ordered sums, so that they have the same bits everywhere.
"""

import contextlib
import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..containers import describe
from ..reference import classes, labels
from .sums import ordered_mean, ordered_sum

Function = Callable[[Any, Any], float]
Metrics = str | Function | Iterable[str | Function] | Mapping[str, str | Function]


class Metric(NamedTuple):
    """A function of targets and answers, or of targets and outputs."""

    name: str
    function: Function
    of_outputs: bool = False

    def value(self, y_true: np.ndarray, y_pred: np.ndarray, outputs: np.ndarray) -> float:
        found = self.function(y_true, outputs if self.of_outputs else y_pred)
        with contextlib.suppress(TypeError, ValueError):
            if np.ndim(found) == 0 and not isinstance(found, (str, bytes)):
                return float(found)
        raise TypeError(f"metric {self.name!r} must return a number, not {describe(found)}")


def answers(outputs: np.ndarray, task: str) -> np.ndarray:
    """What outputs, or targets like them, answer to a network's task; see MLP.predict."""
    if task == "classes":
        return classes(outputs)
    if task == "labels":
        return labels(outputs)
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


def confusion(y_true: np.ndarray, y_pred: np.ndarray, n: int) -> np.ndarray:
    """counts[i, j], int64 (n, n): how many rows of class i are answered with j; those without an answer, with none."""
    answered = y_pred >= 0
    return np.bincount(n * y_true[answered].astype(np.int64) + y_pred[answered], minlength=n * n).reshape(n, n)


def values(metrics: Iterable[Metric], y: np.ndarray, outputs: np.ndarray, task: str) -> dict[str, float]:
    """Each metric's value by its name, for targets as the backends take them and the outputs (rows, n_out)."""
    y_true, y_pred = y if y.ndim == 1 else answers(y, task), answers(outputs, task)
    if outputs.shape[1] == 1 or task == "classes" and outputs.shape[1] == 2:
        outputs = outputs[:, -1]
    y_true, y_pred, outputs = map(_read_only, (y_true, y_pred, outputs))
    return {metric.name: metric.value(y_true, y_pred, outputs) for metric in metrics}


def _read_only(array: np.ndarray) -> np.ndarray:
    """A view that a metric cannot write to: these are what is trained on, and what other metrics get."""
    view = array.view()
    view.flags.writeable = False
    return view


# With names. Classes are labels (rows,), labels zeros and ones (rows, n), numbers (rows,) or (rows, n); -1 answers nothing.


def accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The share of rows whose class, or all of whose labels, are right."""
    right = y_true == y_pred
    return int(np.count_nonzero(right if right.ndim == 1 else right.all(axis=1))) / len(y_true)


def balanced_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The mean, over the classes that are there, of the share of their rows that are right."""
    hits, true, _ = _counts(y_true, y_pred)
    return ordered_mean(hits[true > 0] / true[true > 0])


def precision(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The mean over classes (or labels) of the share of answers with it that are right; 0 where there are none."""
    hits, _, answered = _counts(y_true, y_pred)
    return ordered_mean(hits / np.maximum(answered, 1))


def recall(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The mean over classes (or labels) of the share of rows with it that are found; 0 where there are none."""
    hits, true, _ = _counts(y_true, y_pred)
    return ordered_mean(hits / np.maximum(true, 1))


def f1(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The mean over classes (or labels) of 2 hits / (rows with it + answers with it), the harmonic mean of the two above."""
    hits, true, answered = _counts(y_true, y_pred)
    return ordered_mean(2 * hits / np.maximum(true + answered, 1))


def r2(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """1 - sum (y - answer)^2 / sum (y - mean y)^2, the mean over outputs; of constant y 1 where it is met, else 0."""
    return _mean_over_outputs(_r2, y_true, y_pred)


def mean_squared_error(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The mean of (y - answer)^2 over rows and outputs."""
    return _mean_over_outputs(lambda y, answer: ordered_mean((y - answer) * (y - answer)), y_true, y_pred)


def root_mean_squared_error(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The root of mean_squared_error."""
    return float(np.sqrt(mean_squared_error(y_true, y_pred)))


def mean_absolute_error(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The mean of |y - answer| over rows and outputs."""
    return _mean_over_outputs(lambda y, answer: ordered_mean(np.abs(y - answer)), y_true, y_pred)


def top_k(k: int) -> Function:
    """The share of rows whose class is among those of the k largest outputs, of equal ones the first."""

    def share(y_true: np.ndarray, outputs: np.ndarray) -> float:
        own = np.take_along_axis(outputs, y_true[:, None], axis=1)
        before = np.arange(outputs.shape[1]) < y_true[:, None]
        ahead = np.count_nonzero((outputs > own) | (outputs == own) & before, axis=1)
        right = (ahead < k) & ~np.isnan(outputs).any(axis=1)
        return int(np.count_nonzero(right)) / len(y_true)

    return share


def _counts(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class that is there or answered, or of each label: how many hits, rows with it, and answers with it."""
    if y_true.ndim == 2:
        return tuple(np.count_nonzero(found, axis=0) for found in ((y_true == 1) & (y_pred == 1), y_true == 1, y_pred == 1))
    n = 1 + max(int(y_true.max()), int(y_pred.max()))
    hits, true, answered = (
        np.bincount(found, minlength=n) for found in (y_true[y_true == y_pred], y_true, y_pred[y_pred >= 0])
    )
    there = true + answered > 0
    return hits[there], true[there], answered[there]


def _mean_over_outputs(function: Function, y_true: np.ndarray, y_pred: np.ndarray) -> float:
    columns = [array.astype(np.float64).reshape(len(array), -1).T for array in (y_true, y_pred)]
    with np.errstate(all="ignore"):
        return ordered_mean(np.array([function(y, answer) for y, answer in zip(*columns)]))


def _r2(y: np.ndarray, answer: np.ndarray) -> float:
    off = y - ordered_mean(y)
    left, whole = ordered_sum((y - answer) * (y - answer)), ordered_sum(off * off)
    return 1.0 - left / whole if whole else float(left == 0.0)


class Row(NamedTuple):
    """A metric with a name, and the tasks that it is for."""

    function: Function
    tasks: tuple[str, ...]


NAMED = {
    "accuracy": Row(accuracy, ("classes", "labels")),
    "balanced_accuracy": Row(balanced_accuracy, ("classes",)),
    "precision": Row(precision, ("classes", "labels")),
    "recall": Row(recall, ("classes", "labels")),
    "f1": Row(f1, ("classes", "labels")),
    "r2": Row(r2, ("numbers",)),
    "mean_absolute_error": Row(mean_absolute_error, ("numbers",)),
    "mean_squared_error": Row(mean_squared_error, ("numbers",)),
    "root_mean_squared_error": Row(root_mean_squared_error, ("numbers",)),
}
ALIASES = {"mae": "mean_absolute_error", "mse": "mean_squared_error", "rmse": "root_mean_squared_error"}
TOP_K = re.compile(r"top_([1-9]\d{0,8})_accuracy")
SCORES = "y_score", "y_prob", "y_proba"  # how scikit-learn calls an argument that takes outputs
TAKEN = "loss", "accuracy", "label_accuracy", "penalty", "seconds"  # columns of a History with another meaning


def metrics_of(value: Metrics | None, task: str, n_out: int) -> tuple[Metric, ...]:
    """The Metrics of an argument: names, functions, a list of these, or a dict {name: one of these}."""
    if value is None:
        return ()
    if isinstance(value, str) or callable(value):
        value = [value]
    if isinstance(value, Mapping):
        found = tuple(_metric(one, task, n_out, _name(name)) for name, one in value.items())
    elif isinstance(value, Iterable):
        found = tuple(_metric(one, task, n_out) for one in value)
    else:
        raise TypeError(f"metrics must be names or functions, not {describe(value)}")
    names = [metric.name for metric in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"metrics has two named {name!r}: pass a dict, {{name: metric}}")
    return found


def _metric(value: str | Function, task: str, n_out: int, key: str | None = None) -> Metric:
    """The Metric of a name or a function; key: what it is to be called, if not by its own name."""
    if callable(value):
        own = getattr(value, "__name__", "")
        if key is None and not own.isidentifier():
            raise ValueError(f"a metric needs a name: pass a dict, {{name: {describe(value)}}}")
        return Metric(key or _name(own), value, _takes_outputs(value))
    if not isinstance(value, str):
        raise TypeError(f"metrics must be names or functions, not {describe(value)}")
    found = TOP_K.fullmatch(value)
    if found:
        if task != "classes" or int(found[1]) > n_out:
            raise ValueError(f"metric {value!r} needs at least {found[1]} classes, each with an output")
        return Metric(key or value, top_k(int(found[1])), of_outputs=True)
    name = ALIASES.get(value, value)
    if name not in NAMED:
        meant = difflib.get_close_matches(value.lower(), [*NAMED, *ALIASES], 1)
        hint = f": did you mean {meant[0]!r}?" if meant else ""
        raise ValueError(f"metrics must be of {', '.join(NAMED)}, top_5_accuracy, or functions, not {value!r}{hint}")
    if task not in NAMED[name].tasks:
        raise ValueError(f"metric {value!r} is for task {' or '.join(NAMED[name].tasks)}, and this network's is {task}")
    return Metric(key or value, NAMED[name].function)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a metric must be a string, not {describe(name)}")
    if not name or name in TAKEN or name.startswith("val_"):
        raise ValueError(f"a metric cannot have the name {name!r}: that is another column of the history")
    return name


def _takes_outputs(function: Function) -> bool:
    """Whether a function's second argument is called as scikit-learn calls outputs."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return len(parameters) > 1 and parameters[1] in SCORES
