"""The losses: their value for each row, and their gradient with respect to the output's pre-activation.

The rows of fastmlp.losses.LOSSES, by name; `loss` is a name, or a fastmlp.losses.Huber or Quantile. A loss is a function
(z, a, y, parameter), float64, of what each output adds to its row, and one (a, y, parameter) of the error e, its derivative
by a, in the network's dtype; parameter is of that dtype.
"""

from collections.abc import Callable

import numpy as np

from ..activations import AnyActivation
from ..arrays import Doubles, Floats
from ..losses import AnyLoss, name_of, parameter_of
from .activations import activation_gradient, softmax_parts
from .arithmetic import ordered_sum
from .elementary import exp, log, log1p
from .tables import named

Terms = Callable[[Floats, Doubles, Doubles, np.float64], Doubles]
Error = Callable[[Floats, Floats, np.floating], Floats]


def row_losses(loss: AnyLoss, z: Floats, a: Floats, y: Floats) -> Doubles:
    """The loss of each row, (rows,) float64, from the network's own z, a and the targets y, all (rows, n_out)."""
    terms, _, _, factor = named(FUNCTIONS, "loss", name_of(loss))
    with np.errstate(all="ignore"):
        parameter = np.float64(_rounded(loss, a))
        return factor * ordered_sum(terms(z, a.astype(np.float64), y.astype(np.float64), parameter))


def output_gradient(loss: AnyLoss, activation: AnyActivation, a: Floats, y: Floats, z: Floats | None = None,
                    divisor: float | None = None, weights: Floats | None = None) -> Floats:  # fmt: skip
    """dL/dz at the output, for L the sum of the rows' losses over divisor (the number of rows unless given).

    The error e, times the row's weight (rows,) if there are weights, over divisor, which is all for the losses that take
    logarithms, and goes through f' for the others. z is for activations that keep it, see activation_gradient.
    """
    _, error, through_activation, _ = named(FUNCTIONS, "loss", name_of(loss))
    with np.errstate(all="ignore"):
        e = error(a, y, _rounded(loss, a))
        if weights is not None:
            e = e * weights[:, None]
        e = e / a.dtype.type(a.shape[0] if divisor is None else divisor)
    return activation_gradient(activation, a, e, z) if through_activation else e


def batch_divisor(weights: Floats | None, rows: int, mean_over_rows: bool) -> float:
    """What a batch's mean divides by, float64: the ordered sum of its rows' weights, or their number; at least something."""
    if weights is None or mean_over_rows:
        return float(rows)
    total = float(ordered_sum(weights.astype(np.float64)))
    return 1.0 if total == 0 else total


def weighted_mean(losses: Doubles, weights: Floats | None) -> float:
    """The mean of rows' losses: their ordered sum over their number, or that of weight * loss over that of the weights."""
    if weights is None:
        return float(ordered_sum(losses)) / len(losses)
    with np.errstate(all="ignore"):
        return float(ordered_sum(weights.astype(np.float64) * losses)) / batch_divisor(weights, len(losses), False)


def smoothed(y: Floats, smoothing: float, n_classes: int) -> Floats:
    """Targets drawn towards 1 / n_classes: y (1 - smoothing) + smoothing / n_classes."""
    T = y.dtype.type
    with np.errstate(all="ignore"):
        return (y * T(1 - smoothing)) + T(smoothing / n_classes)


def _rounded(loss: AnyLoss, a: Floats) -> np.floating:
    parameter: np.floating = a.dtype.type(parameter_of(loss))
    return parameter


def squared_error(z: Floats, a: Doubles, y: Doubles, _: np.float64) -> Doubles:
    """(a - y)^2."""
    d = a - y
    return d * d


def difference(a: Floats, y: Floats, _: np.floating) -> Floats:
    return a - y


def absolute_error(z: Floats, a: Doubles, y: Doubles, _: np.float64) -> Doubles:
    """|a - y|."""
    return np.abs(a - y)


def absolute_error_gradient(a: Floats, y: Floats, _: np.floating) -> Floats:
    d, one = a - y, a.dtype.type(1)
    return np.where(d > 0, one, np.where(d < 0, -one, d))


def huber(z: Floats, a: Doubles, y: Doubles, delta: np.float64) -> Doubles:
    """x^2 / 2 where x = |a - y| <= delta, else delta (x - delta / 2)."""
    x = np.abs(a - y)
    return np.where(x <= delta, 0.5 * (x * x), delta * (x - 0.5 * delta))


def huber_gradient(a: Floats, y: Floats, delta: np.floating) -> Floats:
    d = a - y
    return np.where(d > delta, delta, np.where(d < -delta, -delta, d))


def quantile(z: Floats, a: Doubles, y: Doubles, q: np.float64) -> Doubles:
    """(1 - q) d where d = a - y > 0, else -q d."""
    d = a - y
    return np.where(d > 0, (1.0 - q) * d, -(q * d))


def quantile_gradient(a: Floats, y: Floats, q: np.floating) -> Floats:
    d = a - y
    return np.where(d > 0, a.dtype.type(1) - q, np.where(d < 0, -q, d))


def poisson(z: Floats, a: Doubles, y: Doubles, _: np.float64) -> Doubles:
    """a - y log a, with z for log a, and what makes it 0 where a = y: y log y - y."""
    z = z.astype(np.float64)
    return (a - y * z) + (np.where(y == 0, 0.0, y * log(y)) - y)


def cross_entropy(z: Floats, a: Doubles, y: Doubles, _: np.float64) -> Doubles:
    """-y_j log p_j, with the logarithm taken of z, where it loses nothing: log p_j = (z_j - m) - log s."""
    m, _powers, s = softmax_parts(z)
    log_p = (z.astype(np.float64) - m.astype(np.float64)[:, None]) - log(s.astype(np.float64))[:, None]
    return np.where(y == 0, 0.0, -(y * log_p))


def binary_cross_entropy(z: Floats, a: Doubles, y: Doubles, _: np.float64) -> Doubles:
    """-(y_j log a_j + (1 - y_j) log(1 - a_j)), again of z: max(z, 0) - z y + log(1 + e^-|z|)."""
    z = z.astype(np.float64)
    powers: Doubles = exp(np.where(z > 0, -z, z))
    return (np.where(z > 0, z, 0.0) - z * y) + log1p(powers)


# Terms and error; whether the gradient goes through the output activation's derivative; a factor of the sum of the terms.
FUNCTIONS: dict[str, tuple[Terms, Error, bool, float]] = {
    "squared_error": (squared_error, difference, True, 0.5),
    "absolute_error": (absolute_error, absolute_error_gradient, True, 1.0),
    "huber": (huber, huber_gradient, True, 1.0),
    "quantile": (quantile, quantile_gradient, True, 1.0),
    "poisson": (poisson, difference, False, 1.0),
    "cross_entropy": (cross_entropy, difference, False, 1.0),
    "binary_cross_entropy": (binary_cross_entropy, difference, False, 1.0),
}
