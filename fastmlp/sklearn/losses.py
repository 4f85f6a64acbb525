"""Losses as scikit-learn reports them, from those of the rows, and as it names them."""

import functools
from typing import Any

import numpy as np
from sklearn.neural_network._base import LOSS_FUNCTIONS

NAMES = {"softmax": "cross_entropy", "logistic": "binary_cross_entropy", "exp": "poisson", "identity": "squared_error"}

# Half the mean over outputs in its current release, though it trains on the sum; asked here, for that may change.
IS_MEAN_OVER_OUTPUTS = LOSS_FUNCTIONS["squared_error"](np.zeros((1, 2)), np.ones((1, 2))) == 0.5


@functools.cache
def bounds(dtype: np.dtype) -> tuple[float, float]:
    """The smallest and the largest logarithmic loss of one output: probabilities are clipped to [eps, 1 - eps]."""
    eps = np.finfo(dtype).eps
    return -float(np.log1p(-float(eps))), -float(np.log(eps))


def reported(losses: np.ndarray, loss: Any, n_outputs: int, dtype: np.dtype) -> np.ndarray:
    """Rows' losses as scikit-learn has them; those of several labels at once come from of_labels where may_be_clipped."""
    least, most = bounds(dtype)
    theirs: np.ndarray = losses
    if loss == "squared_error" and IS_MEAN_OVER_OUTPUTS:
        theirs = losses / n_outputs
    elif loss == "cross_entropy" or loss == "binary_cross_entropy" and n_outputs == 1:
        theirs = np.minimum(np.maximum(losses, least), most)
    elif loss == "binary_cross_entropy":
        theirs = np.maximum(losses, n_outputs * least)
    return theirs


def may_be_clipped(losses: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the losses of rows with several labels are so large that one label's may be larger than scikit-learn's can be."""
    return not bool((losses <= bounds(dtype)[1]).all())


def of_labels(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The losses of rows with several labels at once, where each label's probability is clipped."""
    eps = np.finfo(outputs.dtype).eps
    p = np.clip(outputs, eps, 1 - eps)
    gains: np.ndarray = (y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1, dtype=np.float64)
    return -gains


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
