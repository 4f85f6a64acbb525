"""One dense layer: z = x W + b and a = f(z), then the chain rule backwards through the sum.

Shapes: x is (rows, n_in), weights (n_in, n_out), bias (n_out,); z and a are (rows, n_out).
"""

from ..activations import AnyActivation
from ..arrays import Floats
from .activations import activate
from .arithmetic import ordered_sum, sum_of_products


def dense_forward(x: Floats, weights: Floats, bias: Floats, activation: AnyActivation = "identity") -> Floats:
    """a = f(x W + b)."""
    return activate(activation, sum_of_products(x, weights, seed=bias))


def dense_backward(
    x: Floats, weights: Floats, grad_z: Floats, input_gradient: bool = True
) -> tuple[Floats, Floats, Floats | None]:
    """The gradients of one layer from grad_z = dL/dz: (grad_w, grad_b, grad_x).

    grad_w = x^T grad_z, grad_b = the sum of grad_z over the rows, grad_x = grad_z W^T (None if not asked for).
    """
    grad_w = sum_of_products(x.T, grad_z, seed=0)
    grad_b = ordered_sum(grad_z.T)
    grad_x = sum_of_products(grad_z, weights.T, seed=0) if input_gradient else None
    return grad_w, grad_b, grad_x
