"""How a network does on some data: losses and classes of rows, and what they come to."""

from typing import NamedTuple

import numpy as np

from ..reference import CHUNK
from ..validation import have_classes


class Evaluation(NamedTuple):
    """How a network does on some data; accuracy and n_correct are None where there are no classes."""

    loss: float  # mean over the rows
    accuracy: float | None  # n_correct / n
    n_correct: int | None
    n: int


class Rows:
    """What is recorded of each row: its loss, and whether its class was right (None where targets name no classes)."""

    def __init__(self, y, output_activation):
        self.losses = np.empty(len(y))
        self.correct = np.empty(len(y), np.uint8) if have_classes(y, output_activation) else None

    def evaluation(self):
        n, n_correct = len(self.losses), None if self.correct is None else int(np.count_nonzero(self.correct))
        return Evaluation(ordered_mean(self.losses), None if n_correct is None else n_correct / n, n_correct, n)


def evaluate(engine, samples, output_activation):
    """The Evaluation of an engine's network on checked samples."""
    rows = Rows(samples.y, output_activation)
    engine.evaluate(samples, rows.losses, rows.correct)
    return rows.evaluation()


def ordered_mean(losses):
    """fastmlp.reference.ordered_sum(losses) / len(losses), with its bits: to accumulate is to add one by one."""
    if len(losses) <= CHUNK:
        return (0.0 + float(np.add.accumulate(losses)[-1])) / len(losses)
    whole = len(losses) // CHUNK * CHUNK
    with np.errstate(all="ignore"):
        chunks = np.add.accumulate(losses[:whole].reshape(-1, CHUNK), axis=1)[:, -1]
        last = np.add.accumulate(losses[whole:])[-1:]
        total = np.add.accumulate(np.concatenate([[0.0], chunks, last]))[-1]
    return float(total) / len(losses)
