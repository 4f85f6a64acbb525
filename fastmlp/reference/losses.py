"""The three losses: their value for each row, and their gradient with respect to the output's pre-activation.

squared_error: 1/2 sum_j (a_j - y_j)^2, with any output activation but softmax.
cross_entropy: -sum_j y_j log p_j, with softmax outputs.
binary_cross_entropy: -sum_j y_j log a_j + (1 - y_j) log(1 - a_j), with sigmoid outputs.
"""

import numpy as np

from .arithmetic import ordered_sum
from .elementary import exp, log, log1p
from .layers import activation_gradient, softmax_parts


def row_losses(loss, z, a, y):
    """The loss of each row, (rows,) float64, from the network's own z, a and the targets y, all (rows, n_out).

    The logarithms are taken of z, where they lose nothing: -log p_j = log s - (z_j - m) for softmax, and
    max(z, 0) - z y + log(1 + e^-|z|) for sigmoid outputs.
    """
    with np.errstate(all="ignore"):
        if loss == "squared_error":
            e = a.astype(np.float64) - y.astype(np.float64)
            return 0.5 * ordered_sum(e * e)
        if loss == "cross_entropy":
            m, _, s = softmax_parts(z)
            log_p = (z.astype(np.float64) - m.astype(np.float64)[:, None]) - log(s.astype(np.float64))[:, None]
            return ordered_sum(np.where(y == 0, 0.0, -(y.astype(np.float64) * log_p)))
        if loss == "binary_cross_entropy":
            z, y = z.astype(np.float64), y.astype(np.float64)
            return ordered_sum((np.where(z > 0, z, 0.0) - z * y) + log1p(exp(np.where(z > 0, -z, z))))
    raise ValueError(f"unknown loss {loss!r}")


def output_gradient(loss, activation, a, y, z=None):
    """dL/dz at the output, for L the mean loss of the rows: (a - y) / rows, through f' for the squared error.

    z is for a user's activation, see activation_gradient.
    """
    with np.errstate(all="ignore"):
        e = (a - y) / a.dtype.type(a.shape[0])
    return activation_gradient(activation, a, e, z) if loss == "squared_error" else e
