"""Networks from other libraries: the functions fastmlp.from_..., each of which imports its library when it is called."""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from .interop.layers import Layers, arranged, with_loss
from .network import MLP

if TYPE_CHECKING:
    import torch


def from_layers(weights: Iterable[Any], biases: Iterable[Any], activation: Any = "sigmoid", output_activation: Any = None,
                loss: Any = "squared_error", **options: Any) -> MLP:  # fmt: skip
    """A network with these weights and biases: lists with an array, a nested list or a tensor for each layer.

    weights: (n_in, n_out) all, or (n_out, n_in) all: the way in which the layers fit together is taken. Where both fit, as square
        ones do, biases of shape (1, n) say that it is the first, of shape (n, 1) that it is the second.
    biases: (n,), (n, 1) or (1, n); None for a layer without.
    activation, output_activation, loss and the options are as for MLP; dtype is unless given float64 where weights or biases are
        (Python's numbers are), else float32.

    Raises ValueError with the shapes as they were read in both ways where the layers do not fit together.

    >>> net = from_layers([[[1.0, 0], [0, 1], [1, 1]]], [[0.0, 10]], output_activation="identity")
    >>> net.layer_sizes, net.forward([1, 2, 3])
    ((3, 2), array([ 4., 15.]))
    """
    w, b = arranged(weights, biases)
    return _network(w, b, activation, output_activation, loss, options)


def from_torch(module: "torch.nn.Module", loss: Any = None, **options: Any) -> MLP:
    """The network that a PyTorch module is: an nn.Sequential, also nested, of Linear layers and activations.

    loss: what it was trained with, as for MLP. None is the one that its outputs are for: cross_entropy for Softmax and LogSoftmax,
        binary_cross_entropy for Sigmoid, else squared_error. A module that ends with a Linear layer, for nn.CrossEntropyLoss,
        nn.BCEWithLogitsLoss or nn.PoissonNLLLoss, takes loss="cross_entropy", "binary_cross_entropy" or "poisson", and the network
        has the activation that is in these.
    options: dtype (float64 where the module's is, else float32), task, seed, backend, n_threads and input_scale as for MLP.

    Flatten is what a network does with images; Dropout does nothing but in training: give its share to fit. A Linear layer without
    bias gets one of zeros. The outputs of a network from LogSoftmax are probabilities, not their logarithms.
    Raises ValueError, naming it, for any other module, and for options that the activations of fastmlp have not.
    """
    from .interop.torch import layers_of

    return _from(layers_of(module), loss, options)


def from_sklearn(estimator: Any, **options: Any) -> MLP:
    """The network of a fitted MLPClassifier or MLPRegressor of scikit-learn, or of the Pipeline that MLP.to_sklearn makes.

    Its classes are 0, 1, ...: predict gives the places of the answers in estimator.classes_.
    options: dtype, seed, backend and n_threads as for MLP.
    Raises TypeError for other estimators, and ValueError for one that is not fitted.
    """
    from .interop.sklearn import layers_of

    layers, loss, task = layers_of(estimator)
    return _from(layers, loss, {"task": task, **options})


def from_keras(model: Any, loss: Any = None, *, activation: Any = None, output_activation: Any = None, **options: Any) -> MLP:
    """The network that a Keras model of Dense layers is, or a file of one: .keras or .weights.h5, for which h5py is enough.

    model: a Sequential, also nested, or a functional model whose layers are a chain; or the path of a file.
    loss: as for from_torch: None is the one that the outputs are for; where these are logits it names the loss that takes them.
    activation, output_activation: as for MLP, for a .weights.h5 file, which does not say them.
    options: dtype (float64 where the weights' is, else float32), task, seed, backend, n_threads and input_scale as for MLP.

    Rescaling(1 / s) in front is input_scale=s. Flatten is what a network does with images; Dropout does nothing but in training.
    Raises ValueError, naming it, for any other layer, and for options that the activations of fastmlp have not.
    """
    from .interop import keras

    if isinstance(model, (str, PathLike)):
        if keras.holds_weights_alone(model):
            w, b = keras.weights_in(model)
            if activation is None and len(w) > 1:
                raise ValueError(f"{str(model)!r} does not say the activations of its layers: give activation=...")
            output, loss = with_loss(["identity" if output_activation is None else output_activation], loss)
            return _network(w, b, activation or "identity", output, loss, options)
        layers = keras.layers_in(model)
    else:
        layers = keras.layers_of(model)
    if activation is not None or output_activation is not None:
        raise ValueError("activation and output_activation are the model's own; give them for .weights.h5 files alone")
    return _from(layers, loss, options)


def from_onnx(model: Any, loss: Any = None, **options: Any) -> MLP:
    """The network that an ONNX model is: a chain of Gemm, or MatMul and Add, and activations.

    model: the path of a file, or an onnx.ModelProto.
    loss: as for from_torch: None is the one that the outputs are for; where these are logits it names the loss that takes them.
    options: dtype (float64 where the weights' is, else float32), task, seed, backend and n_threads as for MLP.

    A Div in front, by one number, is input_scale; Flatten is what a network does with images; Identity and Dropout do nothing.
    Outputs of integers, made by ArgMax, Greater, Cast and Squeeze, are left to predict and the network's task.
    Raises ValueError, naming it, for any other node, for options that the activations of fastmlp have not, and for damaged files.
    """
    from .interop.onnx import layers_of

    return _from(layers_of(model), loss, options)


def _from(layers: Layers, loss: Any, options: dict[str, Any]) -> MLP:
    output, loss = with_loss(layers.activations, loss)
    if layers.input_scale != 1:
        options = {"input_scale": layers.input_scale, **options}
    return _network(layers.weights, layers.biases, layers.activations[:-1], output, loss, options)


def _network(weights: list[np.ndarray], biases: list[np.ndarray], activation: Any, output_activation: Any, loss: Any,
             options: dict[str, Any]) -> MLP:  # fmt: skip
    wide = any(array.dtype.itemsize > 4 or array.dtype.kind != "f" for array in (*weights, *biases))
    sizes = [weights[0].shape[0], *(w.shape[1] for w in weights)]
    net = MLP(sizes, activation, output_activation, loss, **{"dtype": "float64" if wide else "float32", **options})
    net._fill(weights, biases)
    return net
