"""Keras: models of Dense layers, and their files, .keras and .weights.h5, whose configuration is read and never executed."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np

from .layers import Arrays, Layers, arranged, in_natural_order

ACTIVATIONS = {  # Keras's names where they are not fastmlp's; leaky_relu has another slope there
    "linear": "identity", "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "elu": "elu", "selu": "selu", "silu": "silu",
    "swish": "silu", "softplus": "softplus", "gelu": "gelu", "softmax": "softmax", "exponential": "exp",
}  # fmt: skip
LAYERS: dict[
    str, tuple[str, dict[str, tuple[object, ...]]]
] = {  # layers that are an activation, and the options with which they are
    "ReLU": ("relu", {"max_value": (None,), "negative_slope": (0,), "threshold": (0,)}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": (0.01,)}),
    "ELU": ("elu", {"alpha": (1,)}),
    "Softmax": ("softmax", {"axis": (-1, 1)}),
}
NOTHING = "InputLayer", "Flatten", "Dropout"
MODELS = "Sequential", "Functional"
DIGITS = 12  # of the s in Rescaling(1 / s)

Found = tuple[str, Mapping[str, Any], list[np.ndarray]]  # a layer's class, its configuration and its arrays


def holds_weights_alone(path: str | PathLike[str]) -> bool:
    """Whether a path names a file of weights without a configuration."""
    return fspath(path).endswith((".h5", ".hdf5"))


def layers_of(model: Any) -> Layers:
    """The Layers of a Keras model; see fastmlp.from_keras."""
    if not hasattr(model, "to_json") or not hasattr(model, "layers"):
        raise TypeError(f"model must be a Keras model, or the path of a .keras or .weights.h5 file, not {model!r:.80}")
    return _layers(_of_model(model, json.loads(model.to_json())))


def layers_in(path: str | PathLike[str]) -> Layers:
    """The Layers of a .keras file."""
    try:
        with zipfile.ZipFile(path) as archive:
            configuration = json.loads(archive.read("config.json"))
            with archive.open("model.weights.h5") as file, _h5py().File(file, "r") as weights:
                return _layers(list(_of_file(weights, configuration)))
    except (zipfile.BadZipFile, KeyError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is damaged or not a .keras file: {error}") from error


def weights_in(path: str | PathLike[str]) -> tuple[Arrays, Arrays]:
    """(weights, biases) of the Dense layers of a .weights.h5 file, in its order."""
    found: dict[str, list[np.ndarray]] = {}

    def visit(name: str, group: Any) -> None:
        if name.endswith("/vars") and not name.startswith("optimizer") and len(group):
            found[name] = _arrays(group)

    with _h5py().File(path, "r") as file:
        file.visititems(visit)
    for name in found:
        if not re.fullmatch(r"layers/dense(_\d+)?/vars", name):
            raise ValueError(
                f"{str(path)!r} has weights of {name.removesuffix('/vars')}, and a network those of Dense layers alone, not nested"
            )
    if not found:
        raise ValueError(f"{str(path)!r} holds no Dense layers in the form that Keras 3 writes")
    layers = list(in_natural_order(found).values())
    return arranged([arrays[0] for arrays in layers], [arrays[1] if len(arrays) > 1 else None for arrays in layers])


def _of_model(model: Any, configuration: Mapping[str, Any]) -> list[Found]:
    """The layers of a model in memory, those of nested models in their place."""
    found: list[Found] = []
    layers = {layer.name: layer for layer in model.layers}
    for kind, own in _configured(configuration):
        layer = layers.get(own["name"])
        if kind in MODELS:
            found += _of_model(layer, {"class_name": kind, "config": own})
        else:
            found.append((kind, own, [] if layer is None else [np.asarray(array) for array in layer.get_weights()]))
    return found


def _of_file(group: Any, configuration: Mapping[str, Any]) -> Iterator[Found]:
    """The same, of a file, where layers are called by their class and a count of it."""
    counts: dict[str, int] = {}
    for kind, own in _configured(configuration):
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[A-Z][a-z])", "_", kind).lower()
        number = counts[name] = counts.get(name, -1) + 1
        member = f"layers/{name}_{number}" if number else f"layers/{name}"
        if kind in MODELS:
            yield from _of_file(group[member], {"class_name": kind, "config": own})
        else:
            yield kind, own, _arrays(group[f"{member}/vars"]) if kind == "Dense" else []


def _configured(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(class, configuration) of each layer of a model's configuration."""
    if configuration.get("class_name") not in MODELS:
        raise ValueError(f"a model of the class {configuration.get('class_name')} is no Sequential or chain of layers")
    before = None
    for layer in configuration["config"]["layers"]:
        kind, own = layer["class_name"], layer["config"]
        if configuration["class_name"] == "Functional":
            inputs = re.findall(r'"keras_history": \["([^"]*)"', json.dumps(layer["inbound_nodes"]))
            if inputs != ([before] if before else []):
                raise ValueError(
                    f"layer {own['name']!r} does not follow {before!r} alone: only chains of layers are networks here"
                )
        before = own["name"]
        yield kind, own


def _layers(found: list[Found]) -> Layers:
    weights, biases, activations, input_scale = [], [], list[str](), 1.0
    for kind, own, arrays in found:
        activation = None
        if kind == "Dense":
            w = arrays[0]
            weights.append(w)
            biases.append(arrays[1] if own["use_bias"] else np.zeros(w.shape[1], w.dtype))
            activations.append("identity")
            activation = _named(own)
        elif kind == "Rescaling" and not weights and input_scale == 1 and _is_factor(own):
            input_scale = float(f"{1 / own['scale']:.{DIGITS}g}")
        elif kind == "Activation":
            activation = _named(own)
        elif kind in LAYERS and all(own[name] in values for name, values in LAYERS[kind][1].items()):
            activation = LAYERS[kind][0]
        elif kind not in NOTHING:
            raise ValueError(
                f"layer {own['name']!r}, a {kind}{_options(kind, own)}, has no place in a multilayer perceptron of fastmlp: that "
                f"is Dense, each with at most one activation, {', '.join(LAYERS)} (of fastmlp's options), Flatten, Dropout and, in "
                "front, Rescaling"
            )
        if activation not in (None, "identity"):
            if not activations or activations[-1] != "identity":
                raise ValueError(
                    f"layer {own['name']!r}, the activation {activation}, does not follow a Dense layer without one"
                )
            activations[-1] = activation
    if not weights:
        raise ValueError("model has no Dense layer")
    return Layers(weights, biases, activations, input_scale)


def _is_factor(own: Mapping[str, Any]) -> bool:
    """Whether a Rescaling multiplies all inputs by one number above 0, and does nothing else."""
    return isinstance(own["scale"], (int, float)) and own["scale"] > 0 and own["offset"] == 0


def _named(own: Mapping[str, Any]) -> str:
    name = own["activation"]
    if not isinstance(name, str) or name not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"layer {own['name']!r} has the activation {name!r:.80}, and those that fastmlp has are {known}")
    return ACTIVATIONS[name]


def _options(kind: str, own: Mapping[str, Any]) -> str:
    return f" of {', '.join(f'{name}={own[name]}' for name in LAYERS[kind][1])}" if kind in LAYERS else ""


def _arrays(group: Any) -> list[np.ndarray]:
    return [np.asarray(group[name]) for name in sorted(group, key=int)]


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError('h5py is not installed; install it with: pip install "fastmlp[keras]"') from error
    return h5py
