"""Layers as arrays, the form in which networks of other libraries come in: which way round they are, and what they are called.

The doors of this folder give Layers; conversion.py makes networks of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..containers import describe, numbers
from ..losses import LOSSES, name_of

Arrays = list[np.ndarray]
LOSS_OF_OUTPUTS = {row.output_activations[0]: row.name for row in LOSSES.values() if not row.takes_any_targets}


class Layers(NamedTuple):
    """Another library's network: weights (n_in, n_out), biases (n_out,), and the names of the layers' activations."""

    weights: Arrays
    biases: Arrays
    activations: list[str]
    input_scale: float = 1.0


def with_loss(activations: Sequence[str], loss: Any) -> tuple[str | None, Any]:
    """(output activation, loss): where no loss is given, the one that the outputs are for.

    Outputs without an activation are those that the loss wants before its own, as PyTorch's and Keras's losses of logits do.
    """
    output = activations[-1]
    if loss is None:
        return output, LOSS_OF_OUTPUTS.get(output, "squared_error")
    takes_logits = not isinstance(loss, str) or loss in LOSSES
    if output == "identity" and takes_logits and not LOSSES[name_of(loss)].takes_any_targets:
        return None, loss
    return output, loss


def arranged(weights: Any, biases: Any, layer_sizes: Sequence[int] | None = None) -> tuple[Arrays, Arrays]:
    """Weights as (n_in, n_out) and biases as (n_out,), from either orientation: the one in which the layers fit together.

    biases: (n,), (n, 1) or (1, n), or None for zeros. Where all weights are square, columns (n, 1) say that weights are
    (n_out, n_in), and rows (1, n) that they are (n_in, n_out).
    """
    w = [_matrix(f"weights[{i}]", value) for i, value in enumerate(_listed("weights", weights))]
    given = [None if value is None else numbers(f"biases[{i}]", value) for i, value in enumerate(_listed("biases", biases))]
    if len(w) != len(given) or not w:
        raise ValueError(f"weights and biases must have one array a layer, and there are {len(w)} and {len(given)}")
    b = [_vector(f"biases[{i}]", value) for i, value in enumerate(given)]
    fitting = [flip for flip in (False, True) if _fits([a.T if flip else a for a in w], b, layer_sizes)]
    if not fitting:
        raise ValueError(
            f"the layers do not fit together. As (n_in, n_out): {_chain(w, b)}. As (n_out, n_in): "
            f"{_chain([a.T for a in w], b)}{_wanted(layer_sizes)}"
        )
    if len(fitting) == 2:
        fitting = [flip for flip in fitting if _shown_by(given, flip)]
    if len(fitting) != 1:
        raise ValueError(
            f"weights of shapes {', '.join(str(a.shape) for a in w)} fit as (n_in, n_out) and as (n_out, n_in): give biases of "
            "shape (1, n) for the first, of shape (n, 1) for the second"
        )
    w = [a.T if fitting[0] else a for a in w]
    return w, [np.zeros(a.shape[1], a.dtype) if bias is None else bias for a, bias in zip(w, b)]


def state_keys(activations: Iterable[Any]) -> list[tuple[str, str]]:
    """(key of the weights, key of the bias) of each layer, as of an nn.Sequential of Linear and activation modules."""
    keys, position = [], 0
    for activation in activations:
        keys.append((f"{position}.weight", f"{position}.bias"))
        position += 1 if activation == "identity" else 2
    return keys


def pairs_of(tensors: Mapping[str, Any]) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
    """(prefix, weights, bias or None) of each layer of a dict from names to tensors, in its order."""
    layers: dict[str, dict[int, np.ndarray]] = {}
    for name, value in tensors.items():
        array = numbers(name, value)
        layer = layers.setdefault(name.rpartition(".")[0], {})
        if array.ndim not in (1, 2) or array.ndim in layer:
            raise ValueError(f"{name!r}, {describe(array)}, is not of a layer with one matrix of weights and one bias")
        layer[array.ndim] = array
    for prefix, layer in layers.items():
        if 2 not in layer:
            raise ValueError(f"{prefix!r} has no matrix of weights")
    return [(prefix, layer[2], layer.get(1)) for prefix, layer in layers.items()]


def in_natural_order(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The same, ordered by names with numbers in them by value, so that layer 10 comes after layer 2."""
    return dict(sorted(tensors.items(), key=lambda item: [(part.isdecimal(), int(part) if part.isdecimal() else 0, part)
                                                          for part in re.split(r"(\d+)", item[0])]))  # fmt: skip


def _listed(name: str, value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list with an array for each layer, not {describe(value)}")
    return list(value)


def _matrix(name: str, value: Any) -> np.ndarray:
    array = numbers(name, value)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must be a matrix, not {describe(array)}")
    return array


def _vector(name: str, array: np.ndarray | None) -> np.ndarray | None:
    if array is None or array.ndim == 1:
        return array
    if array.ndim != 2 or 1 not in array.shape:
        raise ValueError(f"{name} must have shape (n,), (n, 1) or (1, n), not {array.shape}")
    return array.reshape(-1)


def _fits(w: Arrays, b: list[np.ndarray | None], layer_sizes: Sequence[int] | None) -> bool:
    sizes = [w[0].shape[0], *(a.shape[1] for a in w)]
    return (
        all(a.shape[0] == size for a, size in zip(w, sizes))
        and all(bias is None or len(bias) == size for bias, size in zip(b, sizes[1:]))
        and (layer_sizes is None or sizes == list(layer_sizes))
    )


def _shown_by(given: list[np.ndarray | None], flipped: bool) -> bool:
    """Whether the biases' shapes say that weights are this way round: columns, or rows."""
    shapes = [(len(bias), 1) if flipped else (1, bias.size) for bias in given if bias is not None]
    return bool(shapes) and all(bias.shape == shape for bias, shape in zip((a for a in given if a is not None), shapes))


def _chain(w: Arrays, b: list[np.ndarray | None]) -> str:
    return ", ".join(
        f"{a.shape[0]} -> {a.shape[1]}" + ("" if bias is None else f" with {len(bias)} biases") for a, bias in zip(w, b)
    )


def _wanted(layer_sizes: Sequence[int] | None) -> str:
    return "" if layer_sizes is None else f". Wanted: {' -> '.join(map(str, layer_sizes))}"
