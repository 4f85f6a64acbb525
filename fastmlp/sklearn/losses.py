"""Losses as scikit-learn reports them, from those of the rows, and as it names them."""

from typing import Any

import numpy as np
from sklearn.neural_network._base import LOSS_FUNCTIONS

NAMES = {"softmax": "cross_entropy", "logistic": "binary_cross_entropy", "exp": "poisson", "identity": "squared_error"}

# Half the mean over outputs in its current release, though it trains on the sum; asked here, for that may change.
IS_MEAN_OVER_OUTPUTS = LOSS_FUNCTIONS["squared_error"](np.zeros((1, 2)), np.ones((1, 2))) == 0.5


def most(dtype: np.dtype) -> float:
    """The largest logarithmic loss of one output: probabilities are clipped to [eps, 1 - eps]."""
    return -float(np.log(np.finfo(dtype).eps))


def least(dtype: np.dtype) -> float:
    """The smallest one."""
    return -float(np.log1p(-float(np.finfo(dtype).eps)))


def reported(losses: np.ndarray, loss: Any, n_outputs: int, dtype: np.dtype) -> np.ndarray:
    """Rows' losses as scikit-learn has them, but for several labels at once, see of_labels."""
    theirs: np.ndarray = losses
    if loss == "squared_error" and IS_MEAN_OVER_OUTPUTS:
        theirs = losses / n_outputs
    elif loss == "cross_entropy" or loss == "binary_cross_entropy" and n_outputs == 1:
        theirs = np.clip(losses, least(dtype), most(dtype))
    return theirs


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
