"""The table of activations: what each computes, its derivative, and where it may stand.

A row here, a function and its gradient under the same name in reference/activations.py, kernels/activations.pxi and
jit/activations.py are all that an activation takes. Users' own are in fastmlp/custom/.
"""

from typing import NamedTuple


class Activation(NamedTuple):
    """A row of the table."""

    name: str
    formula: str
    derivative: str  # da/dz, with a = f(z)
    initializer: str = "glorot_uniform"  # of the weights of layers with it
    keeps_z: bool = False  # whether the derivative is written in z, not in a
    hidden: bool = True  # whether hidden layers may have it


ACTIVATIONS = {
    row.name: row
    for row in (
        Activation("identity", "z", "1"),
        Activation("relu", "z where z > 0, else 0", "1 where a > 0, else 0", "he_uniform"),
        Activation("sigmoid", "1 / (1 + exp(-z))", "a (1 - a)"),
        Activation("tanh", "tanh(z)", "1 - a^2"),
        Activation("softmax", "exp(z_j) / sum_k exp(z_k)", "a_j ([j = k] - a_k)", hidden=False),
    )
}
