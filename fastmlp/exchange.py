"""A network in the forms of others: PyTorch's and scikit-learn's objects, C, JavaScript and ONNX.

The work is done in fastmlp/interop, each of whose modules is imported when it is used. What makes networks of others' is in
conversion.py.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from . import persistence, validation
from .architecture import Architecture
from .arrays import Floats
from .backends import Environment
from .optimizers import Optimizer
from .training.records import hash_of
from .training.state import TrainingState

if TYPE_CHECKING:
    import torch


class Exchange:
    """What MLP has of these; the attributes are a network's."""

    _architecture: Architecture
    _parameters: Floats
    _weights: tuple[Floats, ...]
    _biases: tuple[Floats, ...]
    _environment: Environment
    state: TrainingState

    def state_dict(self) -> "OrderedDict[str, torch.Tensor]":
        """The parameters as PyTorch's tensors, which share the network's memory: "0.weight" (n_out, n_in), "0.bias", and so on.

        Keys and shapes are those of to_torch's module, a Sequential of Linear layers and activations.
        """
        from .interop import torch

        return torch.state_dict(self._architecture, self._weights, self._biases)

    def load_state_dict(self, state_dict: "Mapping[str, torch.Tensor]") -> None:
        """Take the parameters from state_dict, that of a PyTorch module, layer by layer in its order, under whatever names.

        A layer without bias gets zeros. Raises ValueError, and changes nothing, where number or shapes of the layers differ.
        """
        from .interop import torch

        self._fill(*zip(*torch.arrays_of(state_dict, self._architecture.layer_sizes)))

    def to_torch(self) -> "torch.nn.Sequential":
        """A PyTorch module that computes the network's outputs: a Sequential of Linear layers and activations.

        Its parameters are the network's own memory: what trains one trains the other. For an input_scale, a module in front
        divides by it. Without the activation of the outputs, for nn.CrossEntropyLoss and the like, it is net.to_torch()[:-1].
        Raises ValueError for an activation of your own.
        """
        from .interop import torch

        return torch.to_module(self._architecture, self._weights, self._biases)

    def optimizer_state_dict(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state of the last training with this optimizer, for the load_state_dict of PyTorch's optimizer of that name.

        That has the parameters of to_torch's module in their order, as one group; where l2 or weight_decay are of weights alone, as
        two: the weights, then the biases. Raises ValueError for options that PyTorch's has not.
        """
        from .interop import torch_optimizers

        return torch_optimizers.state_dict(optimizer, self.state, self._architecture.layer_sizes, self._architecture.dtype)

    def load_optimizer_state_dict(self, state_dict: Mapping[str, Any]) -> Optimizer:
        """Take over the state of a PyTorch optimizer of this network's parameters; returns the Optimizer that goes on with it.

        state_dict: of torch.optim's SGD, Adam, AdamW or RMSprop, for all parameters as one group, or weights and biases as two.
        Its learning rate is taken as it is now: what a scheduler knows is not in there, nor how many steps SGD has made.
        Raises ValueError for options that fastmlp has not, such as amsgrad.
        """
        from .interop import torch_optimizers

        optimizer, state = torch_optimizers.state_of(state_dict, self._parameters, self._architecture.layer_sizes)
        self.state.take_optimizer(state)
        return optimizer

    def to_sklearn(self, classes: Any = None) -> Any:
        """A fitted MLPClassifier or MLPRegressor of scikit-learn with a copy of the parameters; predict_proba is forward.

        classes: the names of classes or labels, in the order of the outputs, which scikit-learn sorts; None is 0, 1, ...
        For an input_scale, a Pipeline whose first step divides by it. Raises ValueError, naming it, for what these estimators
        have not: activations but identity, sigmoid, tanh and relu, one for all hidden layers, and losses but cross_entropy,
        binary_cross_entropy, squared_error of identity outputs, and poisson.
        """
        from .interop import sklearn

        return sklearn.estimator(self._architecture, self._weights, self._biases, classes)

    def to_c(self, path: str | PathLike[str]) -> None:
        """Write the network to the file path as C99: predict(x, out), which gives the bits of forward for one row.

        The file needs no other, and no library but fma; its first lines say how to compile it, and how much memory it takes.
        Raises ValueError for an activation of your own.
        """
        from .interop import c

        with self._environment():
            persistence.write_text(path, c.source(self._architecture, self._parameters, hash_of(self._parameters)))

    def to_javascript(self, path: str | PathLike[str]) -> None:
        """Write the network to the file path as an ES module: predict(x, out), which gives the bits of forward for one row.

        Raises ValueError for an activation of your own.
        """
        from .interop import javascript

        with self._environment():
            persistence.write_text(path, javascript.source(self._architecture, self._parameters, hash_of(self._parameters)))

    def to_onnx(self, path: str | PathLike[str], labels: bool = False) -> None:
        """Write the network to the file path as ONNX, opset 20: x (rows, n_in) becomes output (rows, n_out), for any rows.

        labels: whether there is a second output, label: int64 as predict gives them, (rows,) classes or (rows, n_out) labels, save
            for outputs that are NaN, where predict gives -1.
        Inputs and outputs are of the network's dtype, and outputs differ from its own by rounding. The loss is not in the file.
        Raises ValueError for an activation of your own, for labels of a network that answers numbers, and above 2 GB, and
        ImportError without onnx.
        """
        from .interop import onnx

        labels = validation.flag("labels", labels)
        with self._environment():
            onnx.write(path, self._architecture, self._parameters, labels)

    def _fill(self, weights: Iterable[np.ndarray], biases: Iterable[np.ndarray]) -> None:
        """Take over the values of each layer."""
        with np.errstate(over="ignore"):
            for own, values in zip((*self._weights, *self._biases), (*weights, *biases)):
                own[...] = values
