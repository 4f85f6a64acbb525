"""Initial weights, by name or of the user's own; those with names have the same bits on every machine. Biases start at zero.

The random numbers of layer i come from RandomState([seed, 0, i]), a stream of uniform numbers that NumPy keeps frozen; what
else is done with them is + - * / sqrt in float64 and fastmlp's own log, rounded once to the network's dtype.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .activations import ACTIVATIONS, AnyActivation
from .architecture import layer_views
from .arrays import Floats
from .containers import describe, numbers
from .random_streams import WEIGHTS, stream
from .reference import log
from .validation import choice

BLOCK = 2**16  # numbers that are drawn at a time: they are the same, and take no memory to speak of
WITHIN = 2.0  # standard deviations, beyond which normal weights are drawn again
SHRUNK = 0.8796256610342398  # the standard deviation of what is left: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1))

Draws = np.random.RandomState
Filling = Callable[[np.ndarray, Draws], None]
OwnFunction = Callable[[tuple[int, int], Draws], ArrayLike]
Initializer = str | OwnFunction | tuple[np.ndarray, np.ndarray]  # of a layer: a name, a function, or weights and bias
Init = str | OwnFunction | Sequence[str | OwnFunction | ArrayLike | tuple[ArrayLike, ArrayLike]]  # what users may say


def _uniform(limit: Callable[[int, int], float]) -> Filling:
    """w = (2 u - 1) limit(n_in, n_out), for u uniform in [0, 1)."""

    def fill(weights: np.ndarray, draws: Draws) -> None:
        flat, most = weights.reshape(-1), limit(*weights.shape)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            block[...] = (2.0 * draws.random_sample(block.size) - 1.0) * most

    return fill


def _normal(deviation: Callable[[int, int], float]) -> Filling:
    """Normal numbers within two standard deviations, stretched to the standard deviation(n_in, n_out), as in Keras and JAX."""

    def fill(weights: np.ndarray, draws: Draws) -> None:
        flat, start, factor = weights.reshape(-1), 0, deviation(*weights.shape) / SHRUNK
        for z in _standard_normal(draws, flat.size):
            kept = z[np.abs(z) <= WITHIN][: flat.size - start]
            flat[start : start + kept.size] = kept * factor
            start += kept.size
            if start == flat.size:
                return

    return fill


def _standard_normal(draws: Draws, about: int) -> Iterator[np.ndarray]:
    """Blocks of normal numbers without end (the polar method: Marsaglia and Bray, SIAM Review 6, 1964). about: how many are needed,
    on which the numbers do not depend."""
    pairs = min(BLOCK // 2, about + 8)
    while True:
        u = (2.0 * draws.random_sample(2 * pairs) - 1.0).reshape(pairs, 2)
        s = u[:, 0] * u[:, 0] + u[:, 1] * u[:, 1]
        inside = (s > 0) & (s < 1)
        u, s = u[inside], s[inside]
        yield (u * np.sqrt(-2.0 * log(s) / s)[:, None]).reshape(-1)


def _orthogonal(weights: np.ndarray, draws: Draws) -> None:
    """Columns, or if they are more than the rows, rows that are orthogonal and of length 1: normal numbers, made so one after the
    other (modified Gram-Schmidt), which draws every such matrix alike (Saxe, McClelland and Ganguli, ICLR 2014)."""
    short, long = sorted(weights.shape)
    z, blocks = np.empty(0), _standard_normal(draws, weights.size)
    while z.size < weights.size:
        z = np.concatenate([z, next(blocks)])
    vectors = z[: weights.size].reshape(short, long)
    for i, vector in enumerate(vectors):
        vector /= np.sqrt(_sums(vector * vector))
        later = vectors[i + 1 :]
        later -= _sums(later * vector)[:, None] * vector
    weights[...] = vectors if weights.shape == vectors.shape else vectors.T


def _sums(values: np.ndarray) -> np.ndarray:
    """The sums over the last axis, whose second half is added to the first until one is left: the same bits everywhere."""
    n = values.shape[-1]
    while n > 1:
        half = (n + 1) // 2
        values[..., : n - half] += values[..., half:n]
        n = half
    return values[..., 0]


def _zeros(weights: np.ndarray, draws: Draws) -> None:
    weights[...] = 0


# Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998.
INITIALIZERS: dict[str, Filling] = {
    "glorot_uniform": _uniform(lambda n_in, n_out: math.sqrt(6 / (n_in + n_out))),
    "he_uniform": _uniform(lambda n_in, n_out: math.sqrt(6 / n_in)),
    "lecun_uniform": _uniform(lambda n_in, n_out: math.sqrt(3 / n_in)),
    "glorot_normal": _normal(lambda n_in, n_out: math.sqrt(2 / (n_in + n_out))),
    "he_normal": _normal(lambda n_in, n_out: math.sqrt(2 / n_in)),
    "lecun_normal": _normal(lambda n_in, n_out: math.sqrt(1 / n_in)),
    "orthogonal": _orthogonal,
    "zeros": _zeros,
}
DEFAULT = (
    "default"  # what suits each layer's activation: He uniform for those that bend at 0 as relu does, else Glorot uniform
)


def initializers_of(value: object, layer_sizes: Sequence[int]) -> tuple[Initializer, ...]:
    """For each layer a name, a function, or a pair of arrays (weights, bias): of MLP's argument init."""
    n_layers = len(layer_sizes) - 1
    if isinstance(value, str) or callable(value):
        value = [value] * n_layers
    if not isinstance(value, Sequence):
        raise TypeError(f"init must be a name, a function, or a list of one for each layer, not {describe(value)}")
    if len(value) != n_layers:
        raise ValueError(f"init must be one for all layers, or {n_layers}, one a layer, not {len(value)}")
    return tuple(map(_initializer, range(n_layers), value, layer_sizes, layer_sizes[1:]))


def names_read(value: Any, layer_sizes: Sequence[int]) -> tuple[str, ...] | None:
    """The names that a file says, one a layer; None where it does not say them."""
    is_known = isinstance(value, list) and len(value) == len(layer_sizes) - 1
    return tuple(value) if is_known and all(name in (DEFAULT, *INITIALIZERS) for name in value) else None


def _initializer(layer: int, value: Any, n_in: int, n_out: int) -> Initializer:
    name = f"init of layer {layer + 1}"
    if isinstance(value, str):
        return choice(name, value, [DEFAULT, *INITIALIZERS])
    if callable(value):
        function: OwnFunction = value
        return function
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2 and np.ndim(value[0]) == 2
    weights, bias = value if is_pair else (value, np.zeros(n_out))
    return _array(name, weights, (n_in, n_out)), _array(f"bias in {name}", bias, (n_out,))


def _array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def initialize(parameters: Floats, layer_sizes: Sequence[int], activations: Sequence[AnyActivation], seed: int,
               chosen: Sequence[Initializer]) -> None:  # fmt: skip
    """Fill the flat array as initializers_of has it."""
    for layer, ((weights, bias), activation, own) in enumerate(
        zip(layer_views(parameters, layer_sizes), activations, chosen)
    ):
        draws = stream(seed, WEIGHTS, layer)
        bias[...] = 0
        if isinstance(own, tuple):
            weights[...], bias[...] = own
        elif not isinstance(own, str):
            given = own(weights.shape, Draws((seed, WEIGHTS, layer)))  # apart from the stream that all draws share
            weights[...] = _array(f"what init gives for layer {layer + 1}", given, weights.shape)
        else:
            row = ACTIVATIONS[activation] if isinstance(activation, str) else activation
            name = row.initializer if own == DEFAULT else own
            INITIALIZERS[name](weights, draws)
