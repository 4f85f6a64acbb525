"""solver="lbfgs": the loss and its gradient for SciPy's L-BFGS-B, straight from the engine."""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from . import losses
from .fitting import samples_of
from .parameters import Parameters


def loss_and_gradient(estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None) -> tuple[float, Parameters]:
    """The loss of all rows with its penalties, as scikit-learn has it, and the gradient in the form of Parameters."""
    parameters, loss = estimator._linked_parameters(), estimator._engine_loss()
    dtype = parameters.flat.dtype
    samples = samples_of(estimator, X, y, weights, dtype)
    n_rows = samples.x.shape[0]
    of_steps = 3 * n_rows * parameters.flat.size, issparse(samples.x)
    engine = estimator._engine_of(parameters, loss, *of_steps)
    gradient, of_rows = Parameters(np.empty_like(parameters.flat), parameters.sizes), np.empty(n_rows)
    engine.gradients(samples, gradient.flat, of_rows)
    several_labels = loss == "binary_cross_entropy" and estimator.n_outputs_ > 1 and not samples.smoothing
    if several_labels and losses.may_be_clipped(of_rows, dtype):
        of_rows = losses.of_labels(samples.y, estimator._engine_of_sums(parameters, *of_steps).forward(samples.x))
    of_rows = losses.reported(of_rows, loss, samples)
    total = n_rows if weights is None else weights.sum()
    mean, module = float(np.average(of_rows, weights=weights)), parameters.functions
    for coef, of_coef in zip(parameters.coefs, gradient.coefs):
        mean += (0.5 * estimator.alpha) * module.sum_of_squares(coef.reshape(-1)) / total
        of_coef += (estimator.alpha / total) * coef
        if estimator.l1:
            mean += estimator.l1 * module.sum_of_magnitudes(coef.reshape(-1)) / total
            of_coef += (estimator.l1 / total) * np.sign(coef)
    return mean, gradient


def unpack(packed: np.ndarray, parameters: Parameters) -> None:
    """Write all weights, then all biases, as scikit-learn packs them, into the views."""
    start = 0
    for view in parameters.coefs + parameters.intercepts:
        view.reshape(-1)[...] = packed[start : start + view.size]
        start += view.size


def packed(parameters: Parameters) -> np.ndarray:
    """All weights, then all biases."""
    return np.concatenate([part.reshape(-1) for part in parameters.coefs + parameters.intercepts])
