"""Losses as scikit-learn reports them, from those of the rows, and as it names them.

It takes logarithms of probabilities that are rounded and clipped; the engine, of sums before the last activation. They differ where
a probability is near 1 and the other outcome came true: of 1 - p few digits are right then, those of p = 1 / (1 + exp(-z)).
"""

import functools
from typing import Any

import numpy as np
from sklearn.neural_network._base import LOSS_FUNCTIONS

from ..reference import Samples

LARGE = 4.0  # a loss above which the rounding of a probability is seen in more than a few units of the last place
NAMES = {"softmax": "cross_entropy", "logistic": "binary_cross_entropy", "exp": "poisson", "identity": "squared_error"}

# Half the mean over outputs in its current release, though it trains on the sum; asked here, for that may change.
IS_MEAN_OVER_OUTPUTS = LOSS_FUNCTIONS["squared_error"](np.zeros((1, 2)), np.ones((1, 2))) == 0.5


@functools.cache
def bounds(dtype: np.dtype) -> tuple[float, float]:
    """The smallest and the largest logarithmic loss of one output: probabilities are clipped to [eps, 1 - eps]."""
    eps = np.finfo(dtype).eps
    return -float(np.log1p(-float(eps))), -float(np.log(eps))


def reported(losses: np.ndarray, loss: Any, samples: Samples, order: np.ndarray | None = None) -> np.ndarray:
    """Losses of samples, or of those that order says, as scikit-learn has them; fastmlp's own, of drawn labels, as they are.

    Those of several labels at once come from of_labels where may_be_clipped.
    """
    theirs = losses
    if loss == "squared_error" and IS_MEAN_OVER_OUTPUTS:
        theirs = losses / samples.y.shape[1]
    elif loss in ("cross_entropy", "binary_cross_entropy") and not samples.smoothing:
        least, most = bounds(samples.x.dtype)
        n_labels = samples.y.shape[1] if loss == "binary_cross_entropy" else 1
        theirs = np.maximum(losses, n_labels * least)
        if n_labels == 1:
            np.minimum(theirs, most, out=theirs)
        if loss == "binary_cross_entropy" and n_labels == 1:
            theirs = of_rounded(theirs, samples.y, order)
    return theirs


def of_rounded(losses: np.ndarray, y: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """The clipped losses of rows with one label; where they are LARGE, of a probability that is rounded as scikit-learn's is."""
    (places,) = (losses > LARGE).nonzero()
    if len(places):
        is_one = y[places if order is None else order[places], 0] == 1
        odds = np.expm1(losses[places])  # of the outcome that did not come true
        p = 1 / (1 + np.where(is_one, odds, 1 / odds).astype(y.dtype))
        losses[places] = -np.log(np.where(is_one, p, 1 - p), dtype=np.float64)
    return losses


def may_be_clipped(losses: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the losses of rows with several labels are so large that one label's may be larger than scikit-learn's can be."""
    return not bool((losses <= bounds(dtype)[1]).all())


def of_labels(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The losses of rows with several labels at once, from the sums z (rows, labels) before sigmoid."""
    most = bounds(z.dtype)[1]
    p = 1 / (1 + np.exp(-np.clip(z, -most, most)))
    losses: np.ndarray = -np.log(np.where(y == 1, p, 1 - p)).sum(axis=1, dtype=np.float64)
    return losses


def sums_of_batches(values: np.ndarray, batch_size: int) -> np.ndarray:
    """The sum of each batch of so many consecutive values."""
    sums: np.ndarray = np.add.reduceat(values, np.arange(0, len(values), batch_size))
    return sums


def of_epoch(losses: np.ndarray, weights: np.ndarray | None, penalties: np.ndarray, batch_size: int) -> float:
    """The mean over rows of their batch's loss: its mean by weights, and its penalty."""
    if weights is None and len(penalties) == 1:
        return float(losses.sum() / len(losses) + penalties[0])
    rows = np.full(len(penalties), batch_size)
    rows[-1] = len(losses) - batch_size * (len(penalties) - 1)
    if weights is None:
        total = losses.sum() + (penalties * rows).sum()
    else:
        means = sums_of_batches(weights * losses, batch_size) / sums_of_batches(weights, batch_size)
        total = ((means + penalties) * rows).sum()
    return float(total / len(losses))
