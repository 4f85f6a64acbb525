"""The activation functions: what each computes, its derivative written in its own value, and its kernel number.

Users' own are in fastmlp/custom; the kernels call them all 5.
"""

from typing import NamedTuple


class Activation(NamedTuple):
    name: str
    number: int  # what the kernels call it
    formula: str
    derivative: str  # da/dz, with a = f(z)
    initializer: str = "glorot_uniform"


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("identity", 0, "z", "1"),
        Activation("relu", 1, "z where z > 0, else 0", "1 where a > 0, else 0", "he_uniform"),
        Activation("sigmoid", 2, "1 / (1 + exp(-z))", "a (1 - a)"),
        Activation("tanh", 3, "tanh(z)", "1 - a^2"),
        Activation("softmax", 4, "exp(z_j) / sum_k exp(z_k)", "a_j ([j = k] - a_k)"),
    )
}
