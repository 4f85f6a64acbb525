"""PyTorch: modules of Linear layers and activations, and their state dicts, from and to networks.

Tensors that are given away are the network's memory: Linear has weights (n_out, n_in), the transpose of a network's, which a
view shows as they lie. Optimizers are in torch_optimizers.py.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..architecture import Architecture
from .layers import Layers, pairs_of, state_keys

try:
    import torch
    from torch import nn
except ImportError as error:
    raise ImportError('PyTorch is not installed; install it with: pip install "fastmlp[torch]"') from error


class Divide(nn.Module):
    """The input_scale of a network: x / divisor."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / self.divisor

    def extra_repr(self) -> str:
        return f"{self.divisor:g}"


class Exp(nn.Module):
    """The activation exp."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


MODULES: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {  # and the options with which they are fastmlp's activations
    "relu": (nn.ReLU, {}),
    "sigmoid": (nn.Sigmoid, {}),
    "tanh": (nn.Tanh, {}),
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": 0.01}),
    "elu": (nn.ELU, {"alpha": 1.0}),
    "selu": (nn.SELU, {}),
    "softplus": (nn.Softplus, {"beta": 1.0, "threshold": 40.0}),  # from which on log(1 + e^z) rounds to z in float64
    "silu": (nn.SiLU, {}),
    "gelu": (nn.GELU, {"approximate": "none"}),
    "gelu_tanh": (nn.GELU, {"approximate": "tanh"}),
    "softmax": (nn.Softmax, {"dim": -1}),
    "exp": (Exp, {}),
}
NOTHING = nn.Identity, nn.Dropout


def to_module(architecture: Architecture, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> nn.Sequential:
    """See MLP.to_torch."""
    modules = OrderedDict[str, nn.Module]()
    if architecture.input_scale != 1:
        modules["scale"] = Divide(architecture.input_scale)
    for w, b, activation, (key, _) in zip(weights, biases, architecture.activations, state_keys(architecture.activations)):
        position = int(key.partition(".")[0])
        linear = nn.Linear(w.shape[0], w.shape[1], device="meta")
        linear.weight, linear.bias = (nn.Parameter(torch.from_numpy(array)) for array in (w.T, b))
        modules[str(position)] = linear
        if activation == "identity":
            continue
        if activation not in MODULES:
            raise ValueError(f"PyTorch has no module for the activation {activation}: it is one of your own")
        kind, options = MODULES[activation]
        modules[str(position + 1)] = kind(**options)
    return nn.Sequential(modules)


def state_dict(
    architecture: Architecture, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]
) -> OrderedDict[str, torch.Tensor]:
    """See MLP.state_dict."""
    tensors = OrderedDict[str, torch.Tensor]()
    for w, b, (weight_key, bias_key) in zip(weights, biases, state_keys(architecture.activations)):
        tensors[weight_key], tensors[bias_key] = torch.from_numpy(w.T), torch.from_numpy(b)
    return tensors


def layers_of(module: nn.Module) -> Layers:
    """The Layers of a module; see fastmlp.from_torch."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {module!r:.80}")
    weights, biases, activations, input_scale = [], [], list[str](), 1.0
    for name, part in _parts(module):
        if type(part) is nn.Linear:
            w, b = _array(part.weight), part.bias
            weights.append(w.T)
            biases.append(np.zeros(len(w), w.dtype) if b is None else _array(b))
            activations.append("identity")
        elif type(part) is Divide and not weights and input_scale == 1:
            input_scale = part.divisor
        elif type(part) is nn.Flatten and part.start_dim == 1 and part.end_dim == -1 or type(part) in NOTHING:
            pass
        else:
            activation = _activation(part, weights)
            if activation is None or not weights or activations[-1] != "identity":
                raise ValueError(
                    f"{name or 'the module'}, {part!r:.80}, has no place in a multilayer perceptron of fastmlp: that is an "
                    f"nn.Sequential of Linear, each with at most one activation of {', '.join(MODULES)} after it (with these "
                    "options), Flatten and Dropout. Of other modules give the weights to fastmlp.from_layers, or the state_dict "
                    "to a network"
                )
            activations[-1] = activation
    if not weights:
        raise ValueError("module has no Linear layer")
    return Layers(weights, biases, activations, input_scale)


def arrays_of(tensors: Mapping[str, Any], layer_sizes: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(weights (n_in, n_out), bias) of each layer in a state dict for a network of these sizes; see MLP.load_state_dict."""
    layers = pairs_of({name: _array(value) if isinstance(value, torch.Tensor) else value for name, value in tensors.items()})
    if len(layers) != len(layer_sizes) - 1:
        raise ValueError(f"state_dict holds {len(layers)} layers, and this network has {len(layer_sizes) - 1}")
    for (prefix, w, b), n_in, n_out in zip(layers, layer_sizes, layer_sizes[1:]):
        if w.shape != (n_out, n_in) or b is not None and len(b) != n_out:
            found = f"{w.shape}" if b is None else f"{w.shape} and {len(b)} biases"
            raise ValueError(f"layer {prefix!r} of state_dict has weights {found}; here they are {(n_out, n_in)} and {n_out}")
        yield w.T, np.zeros(n_out) if b is None else b


def _parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules in a Sequential, also nested, with their names."""
    for name, part in module.named_modules(remove_duplicate=False):
        if part._forward_hooks or part._forward_pre_hooks:
            raise ValueError(f"{name or 'the module'} has forward hooks, whose work a network would lack: remove them first")
        if type(part) is not nn.Sequential:
            yield name, part


def _activation(part: nn.Module, weights: list[np.ndarray]) -> str | None:
    """The name of the activation that a module is, or None."""
    for name, (kind, options) in MODULES.items():
        if type(part) is kind and all(getattr(part, option) == value for option, value in options.items()):
            return name
    if type(part) in (nn.Softmax, nn.LogSoftmax) and part.dim in (None, 1, -1):
        return "softmax"
    if type(part) is nn.Softplus and part.beta == 1 and weights:
        least = 37.0 if weights[-1].dtype == np.float64 else 17.0
        return "softplus" if part.threshold >= least else None
    return None


def _array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()  # exact
    array: np.ndarray = tensor.numpy()
    return array
