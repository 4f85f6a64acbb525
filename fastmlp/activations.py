"""The table of activations: what each computes, its derivative, and where it may stand.

A row here, a function and its gradient under the same name in reference/activations.py, kernels/activations.pxi and
jit/activations.py are all that an activation takes. Users' own are in fastmlp/custom/.
"""

from typing import Literal, NamedTuple, Protocol

from .arrays import FloatDtype, Floats

HiddenActivation = Literal[
    "identity", "relu", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu", "gelu_tanh"
]  # fmt: skip
OutputActivation = Literal[HiddenActivation, "softmax", "exp"]


class OwnActivation(Protocol):
    """What a network asks of a user's own activation, see fastmlp.custom.activation."""

    name: str
    initializer: str

    @property
    def has_derivative(self) -> bool: ...
    def __call__(self, z: Floats) -> Floats: ...
    def derivative_at(self, z: Floats) -> Floats: ...
    def prepare(self, dtype: FloatDtype) -> None: ...
    def addresses(self, dtype: FloatDtype) -> tuple[int, int]: ...


AnyActivation = str | OwnActivation


class Activation(NamedTuple):
    """A row of the table."""

    name: str
    formula: str
    derivative: str  # da/dz, with a = f(z)
    initializer: str = "glorot_uniform"  # of the weights of layers with it: He's for those that let through about half of z
    keeps_z: bool = False  # whether the derivative is written in z, not in a
    hidden: bool = True  # whether hidden layers may have it


ACTIVATIONS = {
    row.name: row
    for row in (
        Activation("identity", "z", "1"),
        Activation("relu", "z where z > 0, else 0", "1 where a > 0, else 0", "he_uniform"),
        Activation("sigmoid", "1 / (1 + exp(-z))", "a (1 - a)"),
        Activation("tanh", "tanh(z)", "1 - a^2"),
        Activation("leaky_relu", "z where z > 0, else z / 100", "1 where a > 0, else 1 / 100", "he_uniform"),
        Activation("elu", "z where z > 0, else e^z - 1", "1 where a > 0, else a + 1", "he_uniform"),
        # Its scale S = 1.0507... is made for a variance of 1 / n_in, to which Glorot's comes nearer than He's.
        Activation("selu", "S z where z > 0, else S A (e^z - 1)", "S where a > 0, else a + S A"),
        Activation("softplus", "log(1 + e^z)", "sigmoid(z)", "he_uniform", keeps_z=True),
        Activation("silu", "z sigmoid(z)", "s + z s (1 - s), s = sigmoid(z)", "he_uniform", keeps_z=True),
        Activation("gelu", "z Phi(z)", "Phi(z) + z phi(z)", "he_uniform", keeps_z=True),
        Activation(
            "gelu_tanh", "z s, s = sigmoid(2 sqrt(2/pi) (z + 0.044715 z^3))", "s + z ds/dz", "he_uniform", keeps_z=True
        ),
        Activation("softmax", "exp(z_j) / sum_k exp(z_k)", "a_j ([j = k] - a_k)", hidden=False),
        Activation("exp", "exp(z)", "a", hidden=False),
    )
}  # fmt: skip
