"""How a network does on some data: losses and classes of rows, and what they come to."""

from typing import NamedTuple

import numpy as np

from . import scores
from .sums import ordered_mean, ordered_sum

CORRECT = {"classes": np.uint8, "labels": np.int32}  # as fastmlp.reference.Engine.train has it


class Evaluation(NamedTuple):
    """How a network does on some data; accuracies are None where the network's task gives none."""

    loss: float  # mean over the rows, by their weights
    accuracy: float | None  # n_correct / n
    n_correct: int | None
    n: int
    label_accuracy: float | None = None  # where several labels are told at once, the share of them that is right
    metrics: dict[str, float] | None = None  # those that were asked for, by name


def measured(evaluation, penalty=None, prefix=""):
    """What a History records of an Evaluation, and of the penalty unless that is None, by name."""
    found = {"loss": evaluation.loss, "accuracy": evaluation.accuracy, "label_accuracy": evaluation.label_accuracy}
    own = {name: value for name, value in {**found, "penalty": penalty}.items() if value is not None}
    return {prefix + name: value for name, value in {**own, **(evaluation.metrics or {}), **own}.items()}


def names_measured(task, has_penalty, metrics, of_training, of_validation):
    """The names that a fit's epochs will be recorded under; of_training: whether the metrics are of training data, too."""
    own = ["loss"] + ["accuracy"] * (task != "numbers") + ["label_accuracy"] * (task == "labels")
    names = [metric.name for metric in metrics if metric.name not in own]
    training = own + ["penalty"] * has_penalty + names * of_training
    return [*training, *(f"val_{name}" for name in own + names if of_validation), "seconds"]


class Rows:
    """What is recorded of each row: its loss, and by the task whether its class, or how many of its labels, are right."""

    def __init__(self, samples, task):
        y, self.weights = samples.y, samples.weights
        self.losses = np.empty(len(y))
        self.correct = np.empty(len(y), CORRECT[task]) if task in CORRECT else None
        self.n_labels = y.shape[1] if task == "labels" else None

    def evaluation(self, order=None):
        """The Evaluation of all rows; order: in which they were recorded, if not their own."""
        weights = self.weights if self.weights is None or order is None else self.weights[order]
        n, loss = len(self.losses), mean_of(self.losses, weights)
        if self.correct is None:
            return Evaluation(loss, None, None, n)
        if self.n_labels is None:
            n_correct, of_labels = int(np.count_nonzero(self.correct)), None
        else:
            n_correct = int(np.count_nonzero(self.correct == self.n_labels))
            of_labels = int(self.correct.sum(dtype=np.int64)) / (n * self.n_labels)
        return Evaluation(loss, n_correct / n, n_correct, n, of_labels)


class Penalties:
    """The penalties of an epoch's steps, where the optimizer has any: l2 / 2 sum w^2 + l1 sum |w| before each step."""

    def __init__(self, optimizer, batch_size, n_rows):
        self.coefficients = np.array([[optimizer.l2, optimizer.l1]], np.float64)
        self.batch_size, self.n_rows = batch_size, n_rows
        self.values = np.empty(-(-n_rows // batch_size)) if self.coefficients.any() else None

    def of(self, steps):
        """What Engine.train takes for these steps."""
        return None if self.values is None else (self.coefficients, self.values[steps.start // self.batch_size :])

    def mean(self):
        """The mean over rows, each with the penalty of its step; None where there is none."""
        if self.values is None:
            return None
        sizes = np.full(len(self.values), float(self.batch_size))
        sizes[-1] = self.n_rows - self.batch_size * (len(sizes) - 1)
        return ordered_mean(self.values * sizes) * len(sizes) / self.n_rows


def evaluate(engine, samples, task, metrics=()):
    """The Evaluation of an engine's network on checked samples, with the Metrics of scores.py."""
    rows = Rows(samples, task)
    engine.evaluate(samples, rows.losses, rows.correct)
    evaluation = rows.evaluation()
    return evaluation._replace(metrics=of_answers(engine, samples, task, metrics)) if metrics else evaluation


def of_answers(engine, samples, task, metrics):
    """The values of Metrics, by name, of an engine's network on checked samples."""
    return scores.values(metrics, samples.y, engine.forward(samples.x), task)


def mean_of(losses, weights):
    """The mean of rows' losses, by their weights unless those are None; of fastmlp.reference.losses.weighted_mean's bits."""
    if weights is None:
        return ordered_mean(losses)
    weights = weights.astype(np.float64)
    with np.errstate(all="ignore"):
        return ordered_sum(weights * losses) / (ordered_sum(weights) or 1.0)
