"""The losses: their value for each row, and their gradient with respect to the output's pre-activation.

The rows of fastmlp.losses.LOSSES, by name.
"""

import numpy as np

from .activations import activation_gradient, softmax_parts
from .arithmetic import ordered_sum
from .elementary import exp, log, log1p
from .tables import named


def row_losses(loss, z, a, y):
    """The loss of each row, (rows,) float64, from the network's own z, a and the targets y, all (rows, n_out)."""
    with np.errstate(all="ignore"):
        return named(FUNCTIONS, "loss", loss)[0](z, a, y)


def output_gradient(loss, activation, a, y, z=None, divisor=None):
    """dL/dz at the output, for L the sum of the rows' losses over divisor (the number of rows unless given).

    (a - y) / divisor, which is all for the losses that take logarithms, and goes through f' for the squared error.
    z is for a user's activation, see activation_gradient.
    """
    with np.errstate(all="ignore"):
        e = (a - y) / a.dtype.type(a.shape[0] if divisor is None else divisor)
    return activation_gradient(activation, a, e, z) if named(FUNCTIONS, "loss", loss)[1] else e


def squared_error(z, a, y):
    """1/2 sum_j (a_j - y_j)^2."""
    e = a.astype(np.float64) - y.astype(np.float64)
    return 0.5 * ordered_sum(e * e)


def cross_entropy(z, a, y):
    """-sum_j y_j log p_j, with the logarithm taken of z, where it loses nothing: log p_j = (z_j - m) - log s."""
    m, _, s = softmax_parts(z)
    log_p = (z.astype(np.float64) - m.astype(np.float64)[:, None]) - log(s.astype(np.float64))[:, None]
    return ordered_sum(np.where(y == 0, 0.0, -(y.astype(np.float64) * log_p)))


def binary_cross_entropy(z, a, y):
    """-sum_j y_j log a_j + (1 - y_j) log(1 - a_j), again of z: max(z, 0) - z y + log(1 + e^-|z|)."""
    z, y = z.astype(np.float64), y.astype(np.float64)
    return ordered_sum((np.where(z > 0, z, 0.0) - z * y) + log1p(exp(np.where(z > 0, -z, z))))


FUNCTIONS = {  # the losses of rows, and whether the gradient goes through the output activation's derivative
    "squared_error": (squared_error, True),
    "cross_entropy": (cross_entropy, False),
    "binary_cross_entropy": (binary_cross_entropy, False),
}
