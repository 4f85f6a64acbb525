"""The multilayer perceptron: its layers, its parameters, and what can be asked of it."""

import functools
import hashlib
import secrets
import threading
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from . import backends, border, notebook, persistence, training
from .initializers import initialize
from .layout import layer_views, n_parameters
from .losses import LOSSES
from .reference.training import classes
from .threads import default_threads


class Architecture(NamedTuple):
    """What a network is, apart from its parameters."""

    layer_sizes: tuple  # input first
    activations: tuple  # for each layer a name, or a user's own
    loss: str
    dtype: np.dtype


def _in_default_environment(method):
    """Runs a method of MLP where NumPy's own operations round as the kernels do."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with self._environment():
            return method(self, *args, **kwargs)

    return wrapped


class Gradients(NamedTuple):
    """d(mean loss)/d(parameters): the flat array, and each layer's weights and biases as views of it."""

    parameters: np.ndarray
    weights: list
    biases: list


class MLP:
    """A multilayer perceptron: for each layer z = x W + b, a = f(z), the next layer's x.

    layer_sizes: integers, input first, such as [784, 16, 16, 10].
    activation: of the hidden layers: "sigmoid", "relu", "tanh", "identity", or one of your own, made by
        fastmlp.activation; one for all, or a list of one a layer.
    output_activation: None is what the loss needs: identity for squared_error, softmax for cross_entropy, sigmoid
        for binary_cross_entropy. squared_error also goes with relu, sigmoid, tanh and your own.
    loss: "squared_error" (half the squared distance), "cross_entropy" or "binary_cross_entropy"; mean over rows.
    dtype: "float32" or "float64".
    seed: integer in [0, 2**32) that determines the initial weights and the shuffles; None draws one, kept as seed.
    backend: "reference", "compiled" or "numba"; None is FASTMLP_BACKEND, else the fastest that is there. Same bits.
    n_threads: integer >= 1; None is OMP_NUM_THREADS, else the processors this process may use. Same bits.

    Initial weights are Glorot uniform, He uniform for layers with relu or your own activation; biases are zero. Raises
    ValueError or TypeError, naming the argument, and ImportError for a backend that was not built, or for an activation of
    your own without Numba.
    """

    def __init__(self, layer_sizes, activation="sigmoid", output_activation=None, loss="squared_error",
                 dtype="float32", seed=None, backend=None, n_threads=None):  # fmt: skip
        architecture = self._architecture_of(layer_sizes, activation, output_activation, loss, dtype)
        seed = secrets.randbits(32) if seed is None else border.integer("seed", seed, 0, 2**32)
        self._assemble(architecture, seed, backend, n_threads)
        with self._environment():
            initialize(self._parameters, architecture.layer_sizes, architecture.activations, seed)

    @staticmethod
    def _architecture_of(layer_sizes, activation, output_activation, loss, dtype):
        sizes = border.layer_sizes(layer_sizes)
        loss = border.choice("loss", loss, LOSSES)
        activations = border.layer_activations(activation, output_activation, loss, sizes)
        return Architecture(sizes, activations, loss, border.network_dtype(dtype))

    def _assemble(self, architecture, seed, backend, n_threads):
        """Lay out everything but the parameters' values."""
        threads = default_threads() if n_threads is None else border.integer("n_threads", n_threads, 1, 2**31)
        chosen = backends.load(backend)
        self._architecture = architecture
        self._asked = {"backend": backend, "n_threads": n_threads}
        self._seed, self._backend, self._n_threads = seed, chosen.name, threads
        self._epochs_trained, self._is_classifier, self.history = 0, None, None
        if architecture.activations[-1] == "softmax":
            self._is_classifier = True
        own = [activation for activation in architecture.activations if not isinstance(activation, str)]
        self._without_derivative = [activation.name for activation in own if not activation.has_derivative]
        sizes = architecture.layer_sizes
        self._parameters = _aligned_zeros(n_parameters(sizes), architecture.dtype)
        self._weights, self._biases = zip(*layer_views(self._parameters, sizes))
        self._environment = chosen.environment
        with self._environment():  # numbers in activations of the user's own are rounded now
            for activation in own:
                activation.prepare(architecture.dtype)
            self._engine = chosen.engine(sizes, architecture.activations, architecture.loss, self._parameters, threads)
        self._training = threading.Lock()

    layer_sizes = property(attrgetter("_architecture.layer_sizes"), doc="The sizes of the layers, input first.")
    layer_activations = property(
        attrgetter("_architecture.activations"), doc="The activation of each layer: its name, or your own."
    )
    loss = property(attrgetter("_architecture.loss"), doc="The name of the loss.")
    dtype = property(attrgetter("_architecture.dtype"), doc="float32 or float64, as a NumPy dtype.")
    seed = property(attrgetter("_seed"), doc="What the initial weights and the shuffles are drawn from.")
    backend = property(attrgetter("_backend"), doc="The name of the implementation that computes.")
    n_threads = property(attrgetter("_n_threads"), doc="How many threads the backend may use.")
    epochs_trained = property(attrgetter("_epochs_trained"), doc="Epochs completed by fit, over all its calls.")
    is_classifier = property(
        attrgetter("_is_classifier"),
        doc="Whether predict gives classes: True with softmax, else as the first training targets were; None before.",
    )
    parameters = property(attrgetter("_parameters"), doc="The flat array of all parameters: W0, b0, W1, b1, ...")
    weights = property(attrgetter("_weights"), doc="Each layer's W, (n_in, n_out): live views of parameters.")
    biases = property(attrgetter("_biases"), doc="Each layer's b, (n_out,): live views of parameters.")
    n_parameters = property(attrgetter("_parameters.size"), doc="The number of weights and biases.")

    def __repr__(self):
        sizes, activations, loss, dtype = self._architecture
        return (
            f"MLP({list(sizes)}, {' -> '.join(map(str, activations))}, loss={loss!r}, dtype={dtype.name!r}, "
            f"{self.n_parameters} parameters, backend={self.backend!r})"
        )

    def forward(self, x, out=None):
        """The outputs for x: (rows, n_out), or (n_out,) for one sample.

        x: (rows, n_in), one sample (n_in,), or images such as (rows, 28, 28) and (28, 28). Numbers are taken in the
        network's dtype; uint8 pixels stand for x / 255. NaN and infinity pass as in IEEE arithmetic.
        out: a writable C-contiguous array of the result's shape and dtype to write into and return.
        """
        sizes, _, _, dtype = self._architecture
        if out is None:
            # The common case goes straight through: the checks below take longer than a small network.
            out = self._engine.quick_forward(x)
            if out is not None:
                return out

        with self._environment():
            converted, single = border.inputs("x", x, sizes[0], dtype)
        shape = (sizes[-1],) if single else (len(converted), sizes[-1])
        if out is None:
            out = np.empty(shape, dtype)
        else:
            border.output(out, shape, dtype, x, self._parameters)
        if len(converted):
            self._engine.forward(converted, np.asarray(out).reshape(len(converted), sizes[-1]))
        return out

    __call__ = forward

    @_in_default_environment
    def activations(self, x):
        """Every layer's activations for x, input first: arrays (rows, size), or (size,) for one sample.

        x is as for forward. The first is x itself as the network takes it.
        """
        converted, single = border.inputs("x", x, self.layer_sizes[0], self.dtype)
        if not len(converted):
            return [np.empty((0, size), self.dtype) for size in self.layer_sizes]
        activations = self._engine.activations(converted)
        return [a[0] for a in activations] if single else activations

    @_in_default_environment
    def gradients(self, x, y):
        """(loss, gradients): the mean loss of the rows of x with targets y, and its Gradients.

        x: (rows, n_in) or as images, at least one row. y: integer labels (rows,), or (rows, n_out) one-hot or real;
        with one output also real (rows,). NaN and infinity pass as in IEEE arithmetic.
        """
        self._require_derivatives()
        x, y = self._samples(x, y)
        flat = _aligned_zeros(self.n_parameters, self.dtype)
        loss = self._engine.gradients(x, y, flat)
        weights, biases = zip(*layer_views(flat, self.layer_sizes))
        return loss, Gradients(flat, list(weights), list(biases))

    def train_step(self, x, y, learning_rate):
        """One step of gradient descent on all rows, p = p - learning_rate * gradient; the mean loss before it.

        x and y are as for gradients, but finite. learning_rate: a finite number >= 0.
        Raises RuntimeError if the network is being trained by another thread.
        """
        self._require_derivatives()
        if self._is_classifier is not None:
            # Most steps of a loop go straight through: the checks below take longer than a small network's step.
            loss = self._engine.quick_step(x, y, learning_rate, self._training)
            if loss is not None:
                return loss
        with training.SoleTrainer(self), self._environment():
            x, y = self._samples(x, y, finite=True)
            return training.step(self, x, y, border.learning_rate(learning_rate, self.dtype))

    @_in_default_environment
    def fit(self, x, y, epochs=10, batch_size=32, learning_rate=0.1, shuffle=True, validation_data=None, verbose=1):
        """Train by stochastic gradient descent; returns the History, which is also the attribute history.

        x and y are as for gradients, but finite.
        epochs: passes over the data, integer >= 0. fit(2) and then fit(3) give what fit(5) gives.
        batch_size: rows a step, integer >= 1; the last step of an epoch takes what is left.
        learning_rate: a finite number >= 0.
        shuffle: whether to take the rows in a new random order, given by seed and epoch, every epoch.
        validation_data: (x, y) to evaluate after every epoch.
        verbose: 0 is silent; 1 shows progress and one line an epoch where standard error and standard output are
            terminals; 2 prints the lines anywhere.

        Ctrl-C ends training after a step, with parameters and history consistent, and raises KeyboardInterrupt.
        Raises RuntimeError if the network is being trained by another thread, and ValueError if an activation of your own
        has no derivative; where one fails (on the reference), the network is left as it was.
        """
        self._require_derivatives()
        x, y = self._samples(x, y, finite=True)
        plan = training.Plan(
            epochs=border.integer("epochs", epochs, 0),
            batch_size=min(border.integer("batch_size", batch_size, 1), len(x)),
            learning_rate=border.learning_rate(learning_rate, self.dtype),
            shuffle=bool(shuffle),
            verbose=border.integer("verbose", int(verbose) if isinstance(verbose, bool) else verbose, 0, 3),
        )
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
                raise TypeError(f"validation_data must be a pair (x, y), not {border.describe(validation_data)}")
            validation_data = self._samples(*validation_data, prefix="validation_data ", finite=True)
        return training.fit(self, x, y, validation_data, plan)

    def predict(self, x):
        """Classes (rows,) int64 where the network is_classifier, else the outputs; without the rows for one sample.

        The class is the index of the first largest output; with a single output, 1 where it exceeds 1/2, else 0.
        """
        outputs = self.forward(x)
        if not self.is_classifier:
            return outputs
        return classes(outputs) if outputs.ndim == 2 else classes(outputs[None])[0]

    @_in_default_environment
    def evaluate(self, x, y):
        """Evaluation(loss, accuracy, n_correct, n) on x with targets y, which are as for gradients.

        The accuracy counts rows whose predicted class is the target's; it is None where the targets, neither
        labels nor one-hot nor zeros and ones for a single sigmoid output, name no classes.
        """
        return training.evaluate(self, *self._samples(x, y))

    def hash(self):
        """SHA-256 of the parameters in the order W0, b0, W1, b1, ..., little-endian: 64 hexadecimal digits."""
        little_endian = self._parameters.astype(self.dtype.newbyteorder("<"), copy=False)
        return hashlib.sha256(little_endian.data).hexdigest()

    def save(self, path):
        """Write the network to the file path, as npz without pickle; a crash leaves the old file or the new one.

        Of an activation of your own the file holds the name.
        """
        persistence.save(self, path)

    @classmethod
    def load(cls, path, backend=None, n_threads=None, activations=()):
        """The network saved at path, bit for bit. Raises ValueError if the file is damaged or not a network.

        activations: a list of your own activations, in which the network finds those that it was saved with by their
        names; without one of them a ValueError says what to pass.
        """
        return persistence.load(cls, path, backend, n_threads, activations)

    def _require_derivatives(self):
        if self._without_derivative:
            name = self._without_derivative[0]
            raise ValueError(
                f"activation {name} had no derivative when this network was made, and training needs it: define it with "
                f"@{name}.derivative and make the network again"
            )

    def _samples(self, x, y, prefix="", finite=False):
        """x and y checked and converted, and out of the way of updates to the parameters."""
        x_name, y_name = prefix + "x", prefix + "y"
        x = border.batch(x_name, x, self.layer_sizes[0], self.dtype)
        y = border.targets(y_name, y, x_name, len(x), self._architecture)
        if finite:
            border.finite(x_name, x, self._engine)
            border.finite(y_name, y, self._engine)
        return tuple(a.copy() if np.may_share_memory(a, self._parameters) else a for a in (x, y))

    def _repr_html_(self):
        return notebook.network_html(self)

    def __getstate__(self):
        return {
            "architecture": self._architecture, "seed": self._seed, "asked": self._asked,
            "parameters": self._parameters, "epochs_trained": self._epochs_trained,
            "is_classifier": self._is_classifier, "history": self.history,
        }  # fmt: skip

    def __setstate__(self, state):
        self._assemble(state["architecture"], state["seed"], **state["asked"])
        self._restore(state["parameters"], state["epochs_trained"], state["is_classifier"])
        self.history = state["history"]

    def _restore(self, parameters, epochs_trained, is_classifier):
        self._parameters[...] = parameters
        self._epochs_trained, self._is_classifier = epochs_trained, is_classifier


def _aligned_zeros(size, dtype):
    """Zeros that begin on a cache line, where vector loads and stores do not straddle two."""
    raw = np.zeros(size * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * dtype.itemsize].view(dtype)
