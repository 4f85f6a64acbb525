"""How a network does on some data: losses and classes of rows, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..arrays import Doubles, Floats
from ..optimizers import Optimizer
from ..reference import Correct, Engine, Samples, Steps
from . import scores
from .scores import Metric
from .sums import RunningSum, ordered_mean, ordered_sum

CORRECT: dict[str, type[np.uint8] | type[np.int32]] = {"classes": np.uint8, "labels": np.int32}
Records = tuple[Doubles, Correct | None]  # of each row its loss, and whether it is right, as Engine.train has them
Penalties = tuple[Doubles, Doubles]  # coefficients, and the penalty of each step


class Evaluation(NamedTuple):
    """How a network does on some data; accuracies are None where the network's task gives none.

    loss: the mean over the rows, by their weights. accuracy: n_correct / n. n_correct: of the n rows, those whose class, or all of
    whose labels, are right. label_accuracy: where several labels are told at once, the share of them that is right.
    metrics: those that were asked for, by name; None where none were.
    """

    loss: float
    accuracy: float | None
    n_correct: int | None
    n: int
    label_accuracy: float | None = None
    metrics: dict[str, float] | None = None


def measured(evaluation: Evaluation, penalty: float | None = None, prefix: str = "") -> dict[str, float]:
    """What a History records of an Evaluation, and of the penalty unless that is None, by name."""
    found = {"loss": evaluation.loss, "accuracy": evaluation.accuracy, "label_accuracy": evaluation.label_accuracy}
    own = {name: value for name, value in {**found, "penalty": penalty}.items() if value is not None}
    return {prefix + name: value for name, value in {**own, **(evaluation.metrics or {}), **own}.items()}


def names_measured(
    task: str, has_penalty: bool, metrics: Sequence[Metric], of_training: bool, of_validation: bool
) -> list[str]:
    """The names that a fit's epochs will be recorded under; of_training: whether the metrics are of training data, too."""
    own = ["loss"] + ["accuracy"] * (task != "numbers") + ["label_accuracy"] * (task == "labels")
    names = [metric.name for metric in metrics if metric.name not in own]
    training = own + ["penalty"] * has_penalty + names * of_training
    return [*training, *(f"val_{name}" for name in own + names if of_validation), "seconds"]


@dataclass
class Tally:
    """What the rows of an epoch come to, row by row: sums in the order of the rows, so that it can stop and go on anywhere.

    steps, rows: how many there were. correct: rows whose class, or all of whose labels, were right; None where the task is
    numbers. labels, right_labels: how many labels there were, and were right. losses, weights: sums of weight * loss and of the
    weights, or of the losses where there are no weights. penalties: the sum over rows of the penalty of their step. seconds: the
    time for training on them.
    """

    steps: int = 0
    rows: int = 0
    correct: int | None = None
    labels: int = 0
    right_labels: int = 0
    losses: RunningSum = field(default_factory=RunningSum)
    weights: RunningSum | None = None
    penalties: RunningSum | None = None
    seconds: float = 0.0

    def add(
        self, steps: Steps, samples: Samples, losses: Doubles, correct: Correct | None, penalties: Penalties | None = None
    ) -> None:
        """Add the rows of Steps through Samples, with what Engine.train recorded of them and of the steps' penalties."""
        rows, weights = slice(steps.start, steps.stop), samples.weights
        losses, n_rows = losses[rows], steps.stop - steps.start
        if weights is not None:
            weights = weights[rows if steps.order is None else steps.order[rows]].astype(np.float64)
            self.weights = (self.weights or RunningSum()).add(weights)
            with np.errstate(all="ignore"):
                losses = weights * losses
        self.rows, self.steps = self.rows + n_rows, self.steps + steps.n_steps
        self.losses.add(losses)
        if correct is not None:
            n_labels = samples.y.shape[1] if correct.dtype == CORRECT["labels"] else 1
            self.correct = (self.correct or 0) + int(np.count_nonzero(correct[rows] == n_labels))
            if correct.dtype == CORRECT["labels"]:
                self.labels, self.right_labels = self.labels + n_labels * n_rows, self.right_labels + int(correct[rows].sum())
        if penalties is not None:
            sizes = np.full(steps.n_steps, float(steps.batch_size))
            sizes[-1] = n_rows - steps.batch_size * (steps.n_steps - 1)
            self.penalties = (self.penalties or RunningSum()).add(penalties[1] * sizes)

    def evaluation(self) -> Evaluation:
        """The Evaluation of all rows so far."""
        loss = self.losses.value / (self.rows if self.weights is None else self.weights.value or 1.0)
        if self.correct is None:
            return Evaluation(loss, None, None, self.rows)
        of_labels = self.right_labels / self.labels if self.labels else None
        return Evaluation(loss, self.correct / self.rows, self.correct, self.rows, of_labels)

    def penalty(self) -> float | None:
        """The mean penalty over the rows; None where there is none."""
        return None if self.penalties is None else self.penalties.value / self.rows


def records(samples: Samples, task: str) -> Records:
    """Where Engine.train and evaluate record of each row its loss, and whether it is right."""
    return np.empty(len(samples.x)), np.empty(len(samples.x), CORRECT[task]) if task in CORRECT else None


def penalties_of(optimizer: Optimizer, n_steps: int) -> Penalties | None:
    """What Engine.train takes to record the penalties of steps; None where the optimizer has none."""
    coefficients = np.array([[optimizer.l2, optimizer.l1]], np.float64)
    return (coefficients, np.empty(n_steps)) if coefficients.any() else None


def evaluate(engine: Engine, samples: Samples, task: str, metrics: Sequence[Metric] = ()) -> Evaluation:
    """The Evaluation of an engine's network on checked samples, with the Metrics of scores.py."""
    (losses, correct), n_rows, tally = records(samples, task), len(samples.x), Tally()
    engine.evaluate(samples, losses, correct)
    tally.add(Steps(0, n_rows, n_rows), samples, losses, correct)
    evaluation = tally.evaluation()
    return evaluation._replace(metrics=of_answers(engine, samples, task, metrics)) if metrics else evaluation


def of_answers(engine: Engine, samples: Samples, task: str, metrics: Sequence[Metric]) -> dict[str, float]:
    """The values of Metrics, by name, of an engine's network on checked samples."""
    return scores.values(metrics, samples.y, engine.forward(samples.x), task)


def mean_of(losses: Doubles, weights: Floats | None) -> float:
    """The mean of rows' losses, by their weights unless those are None; of fastmlp.reference.losses.weighted_mean's bits."""
    if weights is None:
        return ordered_mean(losses)
    weights = weights.astype(np.float64)
    with np.errstate(all="ignore"):
        return ordered_sum(weights * losses) / (ordered_sum(weights) or 1.0)
