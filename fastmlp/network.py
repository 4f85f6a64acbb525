"""The multilayer perceptron: its layers, its parameters, and what can be asked of it.

What fit and its kin do is in fastmlp/training, and the forms of other libraries are in exchange.py.
"""

import contextlib
import copy
import functools
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from os import PathLike
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import backends, notebook, persistence, validation
from .activations import AnyActivation, HiddenActivation, OutputActivation
from .architecture import Architecture, Task, layer_views, n_parameters
from .arrays import FloatDtype, Floats, aligned_zeros
from .backends import BackendName
from .custom.activation import CustomActivation
from .exchange import Exchange
from .initializers import DEFAULT, Init, Initializer, initialize, initializers_of, names_read
from .losses import AnyLoss, Huber, LossName, Quantile
from .optimizers import Optimizer, OptimizerName, optimizer_of
from .recipe import Recipe
from .reference import Samples, Update
from .schedules import Schedule
from .training import fitting, loop, records, scores
from .training.callbacks import Callback
from .training.data_adapter import DataAdapter, Weighting
from .training.early_stopping import EarlyStopping
from .training.history import History
from .training.interrupts import deferred_interrupt
from .training.metrics import Evaluation, evaluate, mean_of
from .training.state import TrainingState
from .training.turn import Turn, busy
from .validation import WeightMean

_tuple = tuple.__new__
Method = TypeVar("Method", bound=Callable[..., Any])


def _in_default_environment(method: Method) -> Method:
    """Runs a method of MLP where NumPy's own operations round as the kernels do."""

    @functools.wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._environment():
            return method(self, *args, **kwargs)

    return cast(Method, wrapped)


class Gradients(NamedTuple):
    """d(mean loss)/d(parameters): the flat array, and each layer's weights and biases as views of it.

    Of MLP.gradients, in the network's dtype: parameters (n_parameters,), weights[l] (n_in, n_out), biases[l] (n_out,).
    """

    parameters: NDArray[Any]
    weights: list[NDArray[Any]]
    biases: list[NDArray[Any]]


def _attribute(path: str, doc: str) -> Any:
    """A property without the time of a call."""
    return property(attrgetter(path), doc=doc)


class MLP(Exchange):
    """A multilayer perceptron: for each layer z = x W + b, a = f(z), the next layer's x.

    layer_sizes: integers, input first, such as [784, 16, 16, 10].
    activation: of the hidden layers: "sigmoid", "relu", "tanh", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu",
        "gelu_tanh", "identity", or one of your own, made by fastmlp.activation; one for all, or a list of one a layer.
    output_activation: None is what the loss needs: softmax for cross_entropy, sigmoid for binary_cross_entropy, exp for
        poisson, identity for the others, which also go with all those of hidden layers.
    loss: "squared_error" (half the squared distance), "absolute_error", "huber", "quantile", "poisson" (targets are counts),
        "cross_entropy" or "binary_cross_entropy" (also of several labels at once): of a row the sum over outputs, then the
        mean over rows. fastmlp.Huber(delta=1.0) and fastmlp.Quantile(q=0.5) stand for losses with another parameter.
    dtype: "float32" or "float64".
    seed: integer in [0, 2**32) that determines the initial weights and the shuffles; None draws one, kept as seed.
    backend: "reference", "compiled" or "numba"; None is FASTMLP_BACKEND, else the fastest that is there. Same bits.
    n_threads: integer >= 1; None is OMP_NUM_THREADS, else the processors this process may use. Same bits.
    input_scale: a finite number > 0 that inputs are divided by, in dtype, whatever type they come in: 255 for grey levels from
        0 to 255. A number means the same in every type.
    task: what the network answers: "classes", "labels" (several at once, or none) or "numbers". None is what loss and outputs
        are for: classes with softmax, with a single sigmoid output, and with sigmoid outputs and squared_error; labels with
        several sigmoid outputs and binary_cross_entropy; else numbers.

    copy.copy, copy.deepcopy and pickle make networks with parameters, history and training of their own, that keep the attributes
    which you add. They and load call no __init__ but __setstate__, as Python does: what a subclass needs beside, it sets there.

    init: the initial weights: "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal" (normal
        numbers are drawn within two standard deviations), "orthogonal" or "zeros", which have the same bits for a seed on every
        machine; a function (shape, random), called for each layer with (n_in, n_out) and the layer's own NumPy RandomState; or a
        list with one for each layer: a name, a function, an array (n_in, n_out), or a pair of that and a bias (n_out,). The default
        is Glorot uniform, and He uniform for layers with your own activation or one that bends at 0 as relu does. Biases are zero
        unless given.

    Raises ValueError or TypeError, naming the argument, and ImportError for a backend that was not built, or
    for an activation of your own without Numba.

    >>> net = MLP([4, 3, 2], "relu", loss="cross_entropy", seed=0)
    >>> [w.shape for w in net.weights], net.n_parameters, net.task
    ([(4, 3), (3, 2)], 23, 'classes')
    >>> net.forward([1, 2, 3, 4]).shape, net.forward([[1, 2, 3, 4]]).shape
    ((2,), (1, 2))
    """

    def __init__(self, layer_sizes: Sequence[int],
                 activation: HiddenActivation | CustomActivation | Sequence[HiddenActivation | CustomActivation] = "sigmoid",
                 output_activation: OutputActivation | CustomActivation | None = None,
                 loss: LossName | Huber | Quantile = "squared_error", dtype: DTypeLike = "float32",
                 seed: int | None = None, backend: BackendName | None = None, n_threads: int | None = None,
                 input_scale: float = 1.0, task: Task | None = None, init: Init = DEFAULT) -> None:  # fmt: skip
        architecture = validation.architecture(layer_sizes, activation, output_activation, loss, dtype, input_scale, task)
        is_drawn = seed is None
        seed = secrets.randbits(32) if seed is None else validation.integer("seed", seed, 0, 2**32)
        chosen = initializers_of(init, architecture.layer_sizes)
        self._assemble(architecture, seed, backend, n_threads)
        self._seed_is_drawn = is_drawn
        self._initialize(chosen, seed)

    @_in_default_environment
    def _initialize(self, chosen: tuple[Initializer, ...], seed: int) -> None:
        """Fill the parameters. Names are kept, for reset."""
        initialize(self._parameters, self.layer_sizes, self.layer_activations, seed, chosen)
        names = tuple(one for one in chosen if isinstance(one, str))
        self._init = names if len(names) == len(chosen) else None

    def _assemble(self, architecture: Architecture, seed: int, backend: str | None, n_threads: int | None,
                  init: tuple[str, ...] | None = None) -> None:  # fmt: skip
        """Lay out everything but the parameters' values."""
        of_subclass = set(vars(self))
        threads = validation.threads(n_threads)
        chosen = backends.load(backend)
        self._architecture, self._seed, self._init = architecture, seed, init
        self._seed_is_drawn = False  # whether nobody asked for it
        self._asked = {"backend": backend, "n_threads": n_threads}
        self._backend, self._n_threads, self._environment = chosen.name, threads, chosen.environment
        sizes, activations, loss, dtype, input_scale, task = architecture
        self._parameters: Floats = aligned_zeros(n_parameters(sizes), dtype)
        self._weights, self._biases = zip(*layer_views(self._parameters, sizes))

        self.state, self._turn = TrainingState(), Turn()
        self._breakdown_told = False
        own = [activation for activation in activations if not isinstance(activation, str)]
        self._without_derivative = [activation.name for activation in own if not activation.has_derivative]
        # The axes of targets that need no further look in a step.
        self._straight = None if self._without_derivative else {"classes": 1, "numbers": 2}.get(task)
        # Compiled activations cannot fail: what could raise in them is refused when they are compiled.
        self._may_fail = bool(own) and chosen.name == "reference"
        with self._environment():  # numbers in activations of the user's own are rounded now
            for activation in own:
                activation.prepare(dtype)
            self._engine = chosen.engine(sizes, activations, loss, self._parameters, threads, input_scale)
        self._adapter = DataAdapter(architecture, self._parameters, self._engine)
        self._plain_update(None)
        self._at_once = chosen.name == "compiled"  # whether a step is one call, which no interrupt can end
        self._own_names = {"_own_names", *vars(self)} - of_subclass  # of attributes that are not the user's

    layer_sizes: Final[tuple[int, ...]] = _attribute("_architecture.layer_sizes", "The sizes of the layers, input first.")
    layer_activations: Final[tuple[AnyActivation, ...]] = _attribute(
        "_architecture.activations", "The activation of each layer: its name, or your own."
    )
    loss: Final[AnyLoss] = _attribute("_architecture.loss", "The name of the loss, or a Huber or Quantile.")
    dtype: Final[FloatDtype] = _attribute("_architecture.dtype", "float32 or float64, as a NumPy dtype.")
    input_scale: Final[float] = _attribute("_architecture.input_scale", "What inputs are divided by.")
    seed: Final[int] = _attribute("_seed", "What the initial weights and the shuffles are drawn from.")
    backend: Final[BackendName] = _attribute("_backend", "The name of the implementation that computes.")
    n_threads: Final[int] = _attribute("_n_threads", "How many threads the backend may use.")
    epochs_trained: Final[int] = _attribute("state.epoch", "Epochs completed by fit, over all its calls.")
    task: Final[str] = _attribute("_architecture.task", "What predict gives: classes, labels or numbers.")
    history: Final[History] = _attribute("state.history", "The History of all fits.")

    @property
    def recipe(self) -> Recipe:
        """How the network came to be, as its Recipe, which trains it again to see whether it comes out the same."""
        return Recipe(self.state.fits, self._fresh, self.hash(), self.epochs_trained)

    parameters: Final[NDArray[Any]] = _attribute("_parameters", "The flat array of all parameters: W0, b0, W1, b1, ...")
    weights: Final[tuple[NDArray[Any], ...]] = _attribute(
        "_weights", "Each layer's W, (n_in, n_out): live views of parameters."
    )
    biases: Final[tuple[NDArray[Any], ...]] = _attribute("_biases", "Each layer's b, (n_out,): live views of parameters.")
    n_parameters: Final[int] = _attribute("_parameters.size", "The number of weights and biases.")

    @property
    def stop_training(self) -> bool:
        """Whether fit is to end soon; a callback sets it, and each fit begins with False."""
        return self.state.stop_training

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self.state.stop_training = bool(value)

    def __repr__(self) -> str:
        sizes, activations, loss, dtype, input_scale, task = self._architecture
        scale = "" if input_scale == 1 else f"input_scale={input_scale:g}, "
        return (
            f"MLP({list(sizes)}, {' -> '.join(map(str, activations))}, loss={loss!r}, dtype={dtype.name!r}, {scale}task={task!r}, "
            f"{self.n_parameters} parameters, backend={self.backend!r})"
        )

    def _fresh(self, backend: BackendName | None, n_threads: int | None) -> "MLP":
        """A network as this one was before any training."""
        if self._init is None:
            raise ValueError("how this network's weights began is not known: they were given as arrays or functions")
        net = MLP.__new__(MLP)
        net._assemble(self._architecture, self._seed, backend, n_threads)
        net._initialize(self._init, self._seed)
        return net

    def reset(self, seed: int | None = None, init: Init | None = None) -> None:
        """Draw the weights anew, and forget all training: as a network that was just made.

        fit goes on from the weights that it finds, where scikit-learn's begins anew unless it has warm_start: this is for that.
        seed: as for MLP; None is the seed that the network has. init: as for MLP; None is what it was made with, which a network
        with initial weights of your own, or from a file of an earlier format, does not know.
        Raises RuntimeError if the network is being trained by another thread.
        """
        if init is None and self._init is None:
            raise ValueError("how this network's weights began is not known: say it, such as net.reset(init='default')")
        chosen = self._init or () if init is None else initializers_of(init, self.layer_sizes)
        is_drawn = seed is None and self._seed_is_drawn
        seed = self._seed if seed is None else validation.integer("seed", seed, 0, 2**32)
        turn = self._turn
        try:
            del turn.free
        except AttributeError:
            raise busy(turn) from None
        try:
            before, state = self._parameters.copy(), TrainingState()
            try:
                self._initialize(chosen, seed)
            except BaseException:
                self._parameters[...] = before
                raise
            self._seed, self._seed_is_drawn, self.state, self._breakdown_told = seed, is_drawn, state, False
        finally:
            turn.free = True

    def forward(self, x: ArrayLike, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The outputs for x: (rows, n_out), or (n_out,) for one sample.

        x: (rows, n_in), one sample (n_in,), or images such as (rows, 28, 28) and (28, 28). Numbers are taken in the
        network's dtype and divided by input_scale. NaN and infinity pass as in IEEE arithmetic.
        out: a writable C-contiguous array of the result's shape and dtype to write into and return.
        """
        if out is None and self._engine.takes(x):  # most calls: the checks below take longer than a small network
            return self._engine.forward(x)
        sizes, dtype = self.layer_sizes, self.dtype
        with self._environment():
            converted, single = validation.inputs("x", x, sizes[0], dtype)
        shape = (sizes[-1],) if single else (len(converted), sizes[-1])
        if out is None:
            out = np.empty(shape, dtype)
        else:
            validation.output(out, shape, dtype, x, self._parameters)
        if len(converted):
            self._engine.forward(converted, np.asarray(out).reshape(len(converted), sizes[-1]))
        return out

    __call__ = forward

    @_in_default_environment
    def activations(self, x: ArrayLike) -> list[NDArray[Any]]:
        """Every layer's activations for x, input first: arrays (rows, size), or (size,) for one sample.

        x is as for forward. The first is x itself as the network takes it, divided by input_scale.
        """
        converted, single = validation.inputs("x", x, self.layer_sizes[0], self.dtype)
        if not len(converted):
            return [np.empty((0, size), self.dtype) for size in self.layer_sizes]
        activations = self._engine.activations(converted)
        return [a[0] for a in activations] if single else activations

    @_in_default_environment
    def gradients(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, weight_mean: WeightMean = "weights"
    ) -> tuple[float, Gradients]:
        """(loss, gradients): the mean loss of the rows of x with targets y, and its Gradients.

        With weight_mean="rows" the gradients are those of sum(weight * loss) / rows, while the loss that is returned is, as all
        losses that are reported, sum(weight * loss) / sum(weight).

        x: (rows, n_in) or as images, at least one row, or one sample with its target. y: where the network tells classes apart
        integer labels (rows,) or one-hot (rows, n_out), or probabilities with a loss for them; for labels zeros and ones
        (rows, n_out); else numbers (rows, n_out); with one output also (rows,). NaN and infinity pass as in IEEE arithmetic.
        sample_weight, weight_mean: as for fit.
        """
        self._require_derivatives()
        samples = self._adapter.weighted(self._adapter.samples(x, y), sample_weight, None, weight_mean)
        flat, losses = aligned_zeros(self.n_parameters, self.dtype), np.empty(len(samples.x))
        self._engine.gradients(samples, flat, losses)
        weights, biases = zip(*layer_views(flat, self.layer_sizes))
        return mean_of(losses, samples.weights), Gradients(flat, list(weights), list(biases))

    def train_step(
        self,
        x: ArrayLike,
        y: ArrayLike,
        learning_rate: float | None = None,
        optimizer: OptimizerName | Optimizer | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        weight_mean: WeightMean = "weights",
        label_smoothing: float = 0.0,
    ) -> float:
        """One step of gradient descent on all rows, p = p - learning_rate * gradient; the mean loss before it.

        With weight_mean="rows" the gradient and the loss are those of gradients: the loss divides by the sum of weights still.

        x and y are as for gradients, but finite. learning_rate: a finite number >= 0; 0.1 unless given.
        optimizer: as for fit; None takes the plain step above. Its state is the network's and goes on with the next step; of
        averaged weights the average is net.state.arrays["average"], while the network holds the weights themselves.
        sample_weight, weight_mean, label_smoothing: as for fit.
        The first loss that is not finite is told in a RuntimeWarning.
        Raises RuntimeError if the network is being trained by another thread.
        """
        turn = self._turn
        targets: Any = y
        try:
            del turn.free
        except AttributeError:
            raise busy(turn) from None
        try:
            state = self.state
            # Most steps of a loop go straight through: the checks would take longer than a small network's step.
            if (
                state.step and optimizer is None and sample_weight is None and weight_mean == "weights" and not label_smoothing
                and self._engine.takes_samples(x, y) and targets.ndim == self._straight
            ):  # fmt: skip
                rate, update = self._last_update
                if type(learning_rate) is not float or learning_rate != rate:
                    update = self._plain_update(learning_rate)
                samples = _tuple(Samples, (x, y, None, False, 0.0))
                if not self._at_once:
                    loss = self._uninterrupted_step(samples, update)
                else:
                    state.step += 1  # before: after the kernels' call an interrupt may come first
                    try:
                        loss = self._engine.train(samples, update)
                    except Exception:
                        state.step -= 1
                        raise
                    if loss is None:
                        state.step -= 1
                if loss is not None:
                    if loss - loss != 0:
                        self._warn_of_breakdown(learning_rate)
                    return loss
            with deferred_interrupt():
                weighting = Weighting(sample_weight, None, weight_mean, label_smoothing)
                return self._checked_step(x, y, learning_rate, optimizer, weighting)
        finally:
            turn.free = True

    def _uninterrupted_step(self, samples: Samples, update: Update) -> float | None:
        with deferred_interrupt():
            loss = self._engine.train(samples, update)
            self.state.step += loss is not None
            return loss

    @_in_default_environment
    def _checked_step(self, x: ArrayLike, y: ArrayLike, learning_rate: float | None,
                      optimizer: OptimizerName | Optimizer | None, weighting: Weighting) -> float:  # fmt: skip
        self._require_derivatives()
        samples, state = self._adapter.weighted(self._adapter.samples(x, y, finite="xy"), *weighting), self.state
        if not state.step:
            validation.warn_of_large_inputs(samples.x, self.input_scale)
        with self._undone_by_errors():
            if optimizer is None:
                update = self._plain_update(learning_rate)
            else:
                optimizer = optimizer_of(optimizer, learning_rate, self.dtype)
                optimizer.begin(state, self._parameters)
                update = optimizer.update(state, 1, self.dtype)
            loss = self._engine.train(samples, update)
            assert loss is not None  # x was looked at
            state.step += 1
            if loss - loss != 0:
                self._warn_of_breakdown(learning_rate)
            return loss

    def _warn_of_breakdown(self, learning_rate: float | None) -> None:
        """Say that a step's loss was not finite, once for a network."""
        if not self._breakdown_told:
            self._breakdown_told = True
            loop.breakdown(f"step {self.state.step}", learning_rate)

    @_in_default_environment
    def _plain_update(self, learning_rate: float | None) -> Update:
        """The Update of plain gradient descent, kept for the next call with this learning rate."""
        rate = validation.learning_rate(0.1 if learning_rate is None else learning_rate, self.dtype)
        update = Update("sgd", np.array([[rate]], self.dtype))
        self._last_update: tuple[float, Update] = rate, update
        return update

    def _undone_by_errors(self) -> contextlib.AbstractContextManager[None]:
        return self.state.undone_by_errors(self._parameters) if self._may_fail else contextlib.nullcontext()

    @_in_default_environment
    def fit(
        self,
        x: Any,
        y: Any = None,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float | Schedule | Callable[[int], float] | None = None,
        shuffle: bool = True,
        validation_data: Any = None,
        verbose: int = 1,
        *,
        optimizer: OptimizerName | Optimizer | None = None,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        keep_optimizer: bool = True,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | Sequence[float] | Literal["balanced"] | None = None,
        weight_mean: WeightMean = "weights",
        label_smoothing: float = 0.0,
        callbacks: Sequence[Callback] | Callback | None = None,
        metrics: Any = None,
        training_metrics: bool = False,
        early_stopping: bool | EarlyStopping | None = None,
        validation_split: float = 0.0,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: int | Literal["epoch"] | None = None,
        resume: bool = False,
    ) -> History:
        """Train by stochastic gradient descent; returns the History of this fit; that of all fits is the attribute history.

        x and y are as for gradients, but finite. Instead of arrays in memory they may be
            a numpy.memmap x, also larger than memory, which is read block by block, and in another order where it is shuffled: 16
            blocks of 2^18 // inputs rows at a time, drawn at random, and of these the rows in random order;
            x alone, an iterable of batches (x, y) or (x, y, sample_weight): a list, a generator, torch.utils.data.DataLoader; or
            two iterables, of batches of x and of batches of y. Each batch is a step, and batch_size and shuffle say nothing.
            A thread reads and converts the next ones meanwhile; an error of theirs ends training after the steps before it.
        epochs: passes over the data, integer >= 0. fit(2) and then fit(3) give what fit(5) gives: fit goes on from the weights that
            it finds, as with warm_start in scikit-learn. reset begins anew.
        initial_epoch: integer >= 0: how many of epochs are done already, so that fit takes epochs - initial_epoch; what is shown
            and told to callbacks counts from there.
        batch_size: rows a step, integer >= 1; the last step of an epoch takes what is left.
        learning_rate: a finite number >= 0, a schedule of fastmlp.schedules, or a function of the step; None is the
            optimizer's own, 0.1 for plain gradient descent. Steps are counted on from earlier fits with the same update rule, with
            a schedule or without, unless keep_optimizer=False; a RuntimeWarning says where a schedule has come to rates of 0.
        optimizer: "sgd", "adam", "adamw", "rmsprop", or one with its options, such as fastmlp.Adam(learning_rate=1e-3);
            None is "sgd". Its state is the network's, and goes on in the next fit.
        keep_optimizer: False forgets the state of an earlier fit first.
        dropout: the share of each hidden layer's units to leave out in a step, at random: a number from 0 to below 1, or a
            list of one for each hidden layer. input_dropout: likewise of the inputs.
        sample_weight: (rows,) numbers of at least 0, by which rows count: a weight of 2 is that row twice.
        class_weight: weights of classes, by which a row's is multiplied: a dict {class: weight} (1 for those that it lacks),
            one weight for each class, or "balanced", rows / (classes * rows of the class).
        weight_mean: what a batch's mean divides by in the steps: "weights", the sum of its weights, or "rows", their number, as
            Keras does. Losses that are reported divide by the sum of weights either way.
        label_smoothing: from 0 to 1, for cross_entropy and binary_cross_entropy: how far targets are drawn towards 1 / classes
            in training, where each output of binary_cross_entropy has two classes.
        steps_per_epoch: how many steps an epoch takes, integer >= 1 and at most a pass: the first of its random order, or without
            shuffling those after the epoch before, round and round; None takes all rows. Of batches of an iterable: so many are an
            epoch, and the next one goes on after them; None takes all that it gives, every epoch anew, which a generator does once.
        shuffle: whether to take the rows in a new random order, given by seed and epoch, every epoch.
        validation_data: (x, y), or (x, y, sample_weight), to evaluate after every epoch.
        validation_split: from 0 to below 1, instead of validation_data: the share of rows, the last before any shuffling, with
            their sample_weight, that are not trained on but evaluated.
        verbose: 0 is silent; 1 shows progress and one line an epoch where standard error and standard output are
            terminals, and in notebooks tqdm's bar or the lines; 2 prints the lines anywhere. Printing never ends training.

        callbacks: a list of fastmlp.Callback objects to be told how training goes.
        metrics: names, functions (y_true, y_pred), a list of these, or a dict {name: one of these}, to measure after every epoch
            on validation data, as history["val_f1"] and so on. For classes "balanced_accuracy" and "top_5_accuracy" (or another
            number), for classes and labels "precision", "recall" and "f1" (means over classes, or labels), for numbers "r2",
            "mean_absolute_error", "mean_squared_error" and "root_mean_squared_error"; accuracy is always there. Functions get
            answers as predict gives them and targets like them, or outputs where their second argument is y_score or y_proba, as
            in scikit-learn (of two classes those of class 1).
        training_metrics: whether to measure them on the training data too, after the epoch, as history["f1"]; it is so where
            there is no validation data.
        early_stopping: True, or a fastmlp.EarlyStopping with its options: training ends once the validation loss has not improved
            for ten epochs, with the weights of the best. It may be among the callbacks instead.

        checkpoint: the path of a file that fit writes as it goes, and at its end and on Ctrl-C, from which it can go on after the
            process was killed, to the same bits, also with another backend or n_threads. A crash leaves the old file or the new
            one. MLP.load reads it as a network.
        checkpoint_every: "epoch", a number of steps (it is written after the slice of some 50 ms that they fall into), or None: as
            often as takes 2% of the time, first after a second.
        resume: True goes on from the checkpoint if there is one, with its optimizer's state and history, and with its seed, which
            is the network's unless that was drawn; all other arguments and the data must be those of the fit that wrote it (of
            iterables the batches before are read over), but for epochs, which may be more, and for what is measured and shown.
            ValueError names what is another; data are compared as far as the recipe holds their checksum, functions by their
            names, and callbacks by their classes. The History is that of the whole run. Where training breaks down in the epoch
            that it went on in, the network is that of the checkpoint. A run that came to its last epoch and is given more goes on
            from the weights that it ended with: where early stopping restores the best, from those, and not as one longer run
            would; one that early stopping ended is over.

        Where the loss or a parameter stops being finite, training ends with a RuntimeWarning; the network is what it was after the
        last epoch before, and history.ended says what happened.
        Ctrl-C ends training after a step, with parameters and history consistent, and raises KeyboardInterrupt. The next fit takes
        the epoch that was interrupted from its beginning, with the weights as they are; resume goes on inside it.
        Raises RuntimeError if the network is being trained already, by another thread or by the fit that calls this, and
        ValueError if an activation of your own has no derivative; where one fails (on the reference), the network is left as it
        was.
        """
        self._require_derivatives()
        asked = fitting.Arguments(
            x, y, epochs, batch_size, learning_rate, shuffle, validation_data, verbose, optimizer, dropout, input_dropout,
            keep_optimizer, sample_weight, class_weight, weight_mean, label_smoothing, callbacks, metrics, training_metrics,
            early_stopping, validation_split, initial_epoch, steps_per_epoch, checkpoint, checkpoint_every, resume,
        )  # fmt: skip
        checked = fitting.checked(asked, self._adapter, self._environment, self.state)
        parameters, turn = self._parameters, self._turn
        try:
            del turn.free
        except AttributeError:
            raise busy(turn) from None
        try:
            turn.fitting, state = threading.get_ident(), self.state
            with self._undone_by_errors():
                begun = fitting.begin(asked, checked, self._architecture, parameters, state, self._seed, self._seed_is_drawn)
                self._seed = begun.seed
                if begun.is_over:
                    return state.history.since(begun.run.first_recorded)
                return loop.fit(self._engine, parameters, state, fitting.plan_of(asked, checked, begun, self))
        finally:
            turn.fitting = None
            turn.free = True

    def partial_fit(self, x: Any, y: Any, classes: Any = None, *, sample_weight: Any = None, batch_size: int = 32,
                    learning_rate: Any = None, optimizer: OptimizerName | Optimizer | None = None,
                    shuffle: bool = True) -> Self:  # fmt: skip
        """One pass over x and y, as fit(x, y, epochs=1, verbose=0) makes it; returns the network, as in scikit-learn.

        classes: all classes that may ever come, integers that the network has outputs for; they are checked, and not needed.
        sample_weight, batch_size, learning_rate, optimizer and shuffle are as for fit.
        """
        if classes is not None:
            validation.class_numbers("classes", classes, self._architecture)
        self.fit(x, y, epochs=1, verbose=0, sample_weight=sample_weight, batch_size=batch_size, learning_rate=learning_rate,
                 optimizer=optimizer, shuffle=shuffle)  # fmt: skip
        return self

    def predict(self, x: ArrayLike) -> NDArray[Any]:
        """The network's answers to its task: for x as for forward, without the axis of rows for one sample.

        classes: (rows,) int64, the index of the first largest output; with a single output, 1 where it exceeds 1/2, else 0.
        labels: (rows, n_out) int64, 1 where an output exceeds 1/2, else 0. Where an output is NaN, both are -1.
        numbers: the outputs, (rows, n_out), or (rows,) with a single output.
        """
        outputs = self.forward(x)
        rows = outputs if outputs.ndim == 2 else outputs[None]
        answers = scores.answers(rows, self.task)
        return answers if outputs.ndim == 2 else answers[0]

    @_in_default_environment
    def evaluate(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, metrics: Any = None) -> Evaluation:
        """Evaluation(loss, accuracy, n_correct, n, label_accuracy, metrics) on x with targets y, which are as for gradients.

        sample_weight: (rows,) numbers of at least 0, by which rows count in the mean loss, and in it alone.
        The accuracy is the share of rows whose class, or all of whose labels, are the target's, and n_correct their number;
        label_accuracy the share of labels. They are None where the task is another.
        metrics: as for fit; the Evaluation's metrics are a dict of their values, None without.
        """
        metrics = scores.metrics_of(metrics, self.task, self.layer_sizes[-1])
        samples = self._adapter.weighted(self._adapter.samples(x, y), sample_weight)
        return evaluate(self._engine, samples, self.task, metrics)

    def hash(self) -> str:
        """SHA-256 of the parameters in the order W0, b0, W1, b1, ..., little-endian: 64 hexadecimal digits."""
        return records.hash_of(self._parameters)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to the file path, as npz without pickle, or where that ends in .safetensors so, under the keys of
        state_dict; a crash leaves the old file or the new one.

        Of an activation of your own the file holds the name.
        """
        persistence.save(path, self._saved({}, {}))

    def _saved(self, more: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> persistence.Saved:
        return persistence.Saved(
            self._architecture, self.seed, self._parameters, self.state, {"init": self._init, **more}, arrays
        )

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        backend: BackendName | None = None,
        n_threads: int | None = None,
        activations: Iterable[CustomActivation] = (),
        input_scale: float | None = None,
        *,
        layer_sizes: Sequence[int] | None = None,
        **others: Any,
    ) -> Self:
        """The network saved at path, bit for bit. Raises ValueError if the file is damaged or not a network.

        activations: a list of your own activations, in which the network finds those that it was saved with by their
        names; without one of them a ValueError says what to pass.
        backend, n_threads: as for MLP.
        input_scale: for files of format 1 alone, which do not say it; None is 255 where there are 784 inputs, else 1, with a
            warning.
        layer_sizes: for safetensors files of others, which hold weights alone, as (n_in, n_out) or (n_out, n_in) and biases under
            names in the layers' order; with it input_scale, activation, output_activation, loss, task and seed as for MLP.
        """
        if layer_sizes is not None:
            from .interop import safetensors

            weights, biases = safetensors.layers_in(path, validation.layer_sizes(layer_sizes))
            dtype = np.result_type(np.float32, *weights, *biases)
            scale = 1.0 if input_scale is None else input_scale
            net = cls(layer_sizes, dtype=dtype, backend=backend, n_threads=n_threads, input_scale=scale, **others)
            net._fill(weights, biases)
            return net
        if others:
            raise TypeError(f"load takes {', '.join(others)} with layer_sizes alone, of a file that does not say them itself")
        saved = persistence.load(path, activations, input_scale)
        net = cls.__new__(cls)
        init = names_read(saved.more.get("init"), saved.architecture.layer_sizes)
        net.__setstate__({**saved._asdict(), "asked": {"backend": backend, "n_threads": n_threads}, "init": init})
        return net

    def _require_derivatives(self) -> None:
        if self._without_derivative:
            name = self._without_derivative[0]
            raise ValueError(
                f"activation {name} had no derivative when this network was made, and training needs it: define it with "
                f"@{name}.derivative and make the network again"
            )

    def _repr_html_(self) -> str:
        return notebook.network_html(self)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "architecture": self._architecture, "seed": self._seed, "asked": self._asked,
            "parameters": self._parameters, "state": self.state, "init": self._init, "seed_is_drawn": self._seed_is_drawn,
            "attributes": {name: value for name, value in vars(self).items() if name not in self._own_names},
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._assemble(state["architecture"], state["seed"], **state["asked"], init=state.get("init"))
        self._seed_is_drawn = state.get("seed_is_drawn", False)
        self._parameters[...] = state["parameters"]
        self.state = copy.deepcopy(state["state"])  # a copy of a network trains on its own
        vars(self).update(state.get("attributes", {}))
