"""The activations a = f(z), and how a gradient comes back through each: dL/dz = dL/da f'(z).

The rows of fastmlp.activations.ACTIVATIONS, by name: f as a function of z, its gradient one of a, or of z if it keeps z. A
user's activation is an object that is called for its values and has the derivative as its method `derivative_at`, of z.
"""

from collections.abc import Callable

import numpy as np

from ..activations import ACTIVATIONS, AnyActivation
from ..arrays import Floats
from . import smooth
from .arithmetic import ordered_sum
from .elementary import exp, sigmoid, tanh
from .tables import named

Values = Callable[[Floats], Floats]
Gradient = Callable[[Floats, Floats], Floats]


def activate(activation: AnyActivation, z: Floats) -> Floats:
    """a = f(z), element by element; softmax row by row."""
    function = named(FUNCTIONS, "activation", activation)[0] if isinstance(activation, str) else activation
    with np.errstate(all="ignore"):
        return function(z)


def activation_gradient(activation: AnyActivation, a: Floats, grad_a: Floats, z: Floats | None = None) -> Floats:
    """dL/dz = dL/da f'(z), from a = f(z), or from z for activations that keep it, users' own among them."""
    with np.errstate(all="ignore"):
        if not isinstance(activation, str):
            assert z is not None
            return grad_a * activation.derivative_at(z)
        gradient = named(FUNCTIONS, "activation", activation)[1]
        if gradient is None:
            raise ValueError(f"activation {activation!r} has no derivative of its own")
        kept = z if ACTIVATIONS[activation].keeps_z else a
        assert kept is not None
        return gradient(kept, grad_a)


def identity(z: Floats) -> Floats:
    return z


def identity_gradient(a: Floats, grad_a: Floats) -> Floats:
    return grad_a


def relu(z: Floats) -> Floats:
    return np.where(z <= 0, z.dtype.type(0), z)


def relu_gradient(a: Floats, grad_a: Floats) -> Floats:
    return np.where(a > 0, grad_a, a.dtype.type(0))


def sigmoid_gradient(a: Floats, grad_a: Floats) -> Floats:
    return grad_a * (a * (a.dtype.type(1) - a))


def tanh_gradient(a: Floats, grad_a: Floats) -> Floats:
    return grad_a * (a.dtype.type(1) - a * a)


def leaky_relu(z: Floats) -> Floats:
    return np.where(z > 0, z, z.dtype.type(0.01) * z)


def leaky_relu_gradient(a: Floats, grad_a: Floats) -> Floats:
    return np.where(a > 0, grad_a, a.dtype.type(0.01) * grad_a)


def elu_gradient(a: Floats, grad_a: Floats) -> Floats:
    return np.where(a > 0, grad_a, grad_a * (a + a.dtype.type(1)))


def selu_gradient(a: Floats, grad_a: Floats) -> Floats:
    T = a.dtype.type
    return np.where(a > 0, T(smooth.SELU_SCALE) * grad_a, grad_a * (a + T(smooth.SELU_SCALE_ALPHA)))


def gradient_by(derivative: Values) -> Gradient:
    """The gradient of an activation whose derivative is a function of z."""
    return lambda z, grad_a: grad_a * derivative(z)


def softmax(z: Floats) -> Floats:
    _, powers, total = softmax_parts(z)
    return powers / total[:, None]


def softmax_parts(z: Floats) -> tuple[Floats, Floats, Floats]:
    """(m, e, s) of softmax: the row maximum m, e_j = exp(z_j - m) and s = sum_j e_j, so that p_j = e_j / s."""
    with np.errstate(all="ignore"):
        m = z[:, 0]
        for j in range(1, z.shape[1]):
            m = np.where(z[:, j] > m, z[:, j], m)
        powers = exp(z - m[:, None])
        return m, powers, ordered_sum(powers)


FUNCTIONS: dict[str, tuple[Values, Gradient | None]] = {
    "identity": (identity, identity_gradient),
    "relu": (relu, relu_gradient),
    "sigmoid": (sigmoid, sigmoid_gradient),
    "tanh": (tanh, tanh_gradient),
    "leaky_relu": (leaky_relu, leaky_relu_gradient),
    "elu": (smooth.elu, elu_gradient),
    "selu": (smooth.selu, selu_gradient),
    "softplus": (smooth.softplus, gradient_by(sigmoid)),
    "silu": (smooth.silu, gradient_by(smooth.silu_derivative)),
    "gelu": (smooth.gelu, gradient_by(smooth.gelu_derivative)),
    "gelu_tanh": (smooth.gelu_tanh, gradient_by(smooth.gelu_tanh_derivative)),
    "softmax": (softmax, None),  # the gradients of these two are the loss's: (a - y)
    "exp": (exp, None),
}
