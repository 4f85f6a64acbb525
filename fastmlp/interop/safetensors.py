"""safetensors files: parameters under the keys and in the shapes of PyTorch, and a header of persistence.py as metadata.

Files of others have tensors alone, under whatever names. Reading one executes nothing.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ..architecture import Architecture, layer_views, n_parameters
from .layers import Arrays, arranged, in_natural_order, pairs_of, state_keys

try:
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import save
except ImportError as error:
    raise ImportError('safetensors is not installed; install it with: pip install "fastmlp[safetensors]"') from error

KEY = "fastmlp"  # of the header, in the metadata


def write(file: BinaryIO, header: str, architecture: Architecture, contents: Mapping[str, np.ndarray]) -> None:
    """Write a header and contents: parameters, the flat array, and others of one dimension."""
    views = layer_views(contents["parameters"], architecture.layer_sizes)
    tensors = {name: array for name, array in contents.items() if name != "parameters"}
    for (weights, bias), (weight_key, bias_key) in zip(views, state_keys(architecture.activations)):
        tensors |= {weight_key: np.ascontiguousarray(weights.T), bias_key: bias}
    file.write(save(tensors, {KEY: header}))


def read(path: str | PathLike[str]) -> tuple[str | None, dict[str, np.ndarray]]:
    """(header, tensors by name) of a file; None is the header of a file of others."""
    try:
        with safe_open(path, "np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return (file.metadata() or {}).get(KEY), tensors
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f"it holds numbers that NumPy has not, such as bfloat16 ({error})") from error


def contents_of(architecture: Architecture, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What write had as contents."""
    parameters = np.empty(n_parameters(architecture.layer_sizes), architecture.dtype)
    views = layer_views(parameters, architecture.layer_sizes)
    for (weights, bias), keys in zip(views, state_keys(architecture.activations)):
        for own, key, array in zip((weights, bias), keys, (tensors.pop(keys[0]).T, tensors.pop(keys[1]))):
            if array.shape != own.shape or array.dtype != own.dtype:
                raise ValueError(
                    f"its {key} has shape {array.shape} and dtype {array.dtype}, not {own.shape} and {own.dtype}"
                )
            own[...] = array
    return {"parameters": parameters, **tensors}


def layers_in(path: str | PathLike[str], layer_sizes: Sequence[int]) -> tuple[Arrays, Arrays]:
    """(weights, biases) of a file of others for a network of these sizes: the matrix and the vector under each name, by name."""
    try:
        pairs = pairs_of(in_natural_order(read(path)[1]))
        return arranged([weights for _, weights, _ in pairs], [bias for _, _, bias in pairs], layer_sizes)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} does not hold such a network: {error}") from error


def described(tensors: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in in_natural_order(tensors).items())
