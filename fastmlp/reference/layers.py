"""One dense layer: z = x W + b and a = f(z), then the chain rule backwards through both.

Shapes: x is (rows, n_in), weights (n_in, n_out), bias (n_out,); z and a are (rows, n_out).
"""

import numpy as np

from .arithmetic import ordered_sum, sum_of_products
from .elementary import exp, sigmoid, tanh


def dense_forward(x, weights, bias, activation="identity"):
    """a = f(x W + b)."""
    return activate(activation, sum_of_products(x, weights, seed=bias))


def dense_backward(x, weights, grad_z, input_gradient=True):
    """The gradients of one layer from grad_z = dL/dz: (grad_w, grad_b, grad_x).

    grad_w = x^T grad_z, grad_b = the sum of grad_z over the rows, grad_x = grad_z W^T (None if not asked for).
    """
    grad_w = sum_of_products(x.T, grad_z, seed=0)
    grad_b = ordered_sum(grad_z.T)
    grad_x = sum_of_products(grad_z, weights.T, seed=0) if input_gradient else None
    return grad_w, grad_b, grad_x


def activate(activation, z):
    """a = f(z), element by element; softmax row by row. A user's activation is a function of arrays itself."""
    with np.errstate(all="ignore"):
        if not isinstance(activation, str):
            return activation(z)
        if activation == "identity":
            return z
        if activation == "relu":
            return np.where(z <= 0, z.dtype.type(0), z)
        if activation == "sigmoid":
            return sigmoid(z)
        if activation == "tanh":
            return tanh(z)
        if activation == "softmax":
            _, powers, total = softmax_parts(z)
            return powers / total[:, None]
    raise ValueError(f"unknown activation {activation!r}")


def activation_gradient(activation, a, grad_a, z=None):
    """dL/dz = dL/da f'(z), with f'(z) written in a: relu [a > 0], sigmoid a (1 - a), tanh 1 - a^2.

    A user's activation has its own derivative, a function of z.
    """
    one = a.dtype.type(1)
    with np.errstate(all="ignore"):
        if not isinstance(activation, str):
            return grad_a * activation.slope(z)
        if activation == "identity":
            return grad_a
        if activation == "relu":
            return np.where(a > 0, grad_a, a.dtype.type(0))
        if activation == "sigmoid":
            return grad_a * (a * (one - a))
        if activation == "tanh":
            return grad_a * (one - a * a)
    raise ValueError(f"activation {activation!r} has no derivative of its own")


def softmax_parts(z):
    """(m, e, s) of softmax: the row maximum m, e_j = exp(z_j - m) and s = sum_j e_j, so that p_j = e_j / s."""
    m = z[:, 0]
    for j in range(1, z.shape[1]):
        m = np.where(z[:, j] > m, z[:, j], m)
    powers = exp(z - m[:, None])
    return m, powers, ordered_sum(powers)
