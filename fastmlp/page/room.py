"""The room that all tabs share: the network, where its training stands, and everything that can be undone.

Training runs on a twin of the network, slice by slice, and the network takes over the twin's parameters at the end of
each: so whoever reads the network never sees half a step, and its own history and epochs stay its user's.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..activations import AnyActivation
from ..arrays import Floats
from ..custom.activation import CustomActivation
from ..initializers import DEFAULT
from ..network import MLP
from ..training import scores
from ..training.state import TrainingState
from . import subject
from .protocol import Refused
from .subject import Data
from .twin import CHOICES, Position, Slice, Twin

MOST_UNDONE, LARGEST_UNDO = 200, 2**26  # steps, and bytes of all of them
MOST_POINTS = 400  # of the curves
MOST_PARAMETERS = 8_000_000

Point = tuple[int, float, float | None, float | None]  # of the curves: images seen, loss, test loss and accuracy


class Tab(Protocol):
    """What the room knows of a client."""

    changed: asyncio.Event
    refusals: list[str]  # to be shown to its user


@dataclass
class Moment:
    """What undo brings back."""

    label: str
    net: MLP
    parameters: Floats
    optimizer: tuple[str, float]  # with its learning rate
    gathered: TrainingState  # by the optimizer
    position: Position
    points: list[Point]
    gesture: int | None = None

    @property
    def size(self) -> int:
        return self.parameters.nbytes + sum(array.nbytes for array in self.gathered.arrays.values())


@dataclass
class Settings:
    """How training goes on; of these, undo brings back another optimizer alone, with its learning rate."""

    optimizer: str = "sgd"
    learning_rate: float = 3.0
    batch_size: int = 10
    steps_per_second: int = 0  # 0: as many as there are
    pause_after: int = 30  # epochs


@dataclass
class Test:
    """How the network does on the held-out data."""

    loss: float | None = None
    accuracy: float | None = None
    confusion: np.ndarray | None = None
    answers: np.ndarray | None = None
    version: int = -1


@dataclass
class Training:
    """What goes on."""

    running: bool = False
    diverged: bool = False
    rate: float = 0.0  # images a second
    loss: float | None = None  # of the last slice's rows, each before the step that trained on it
    row: int | None = None  # of the data: the image being learnt from
    losses: list[tuple[float, int]] = field(default_factory=list)  # (loss, rows) since the last point of the curves


class Room:
    """A network, its data and what was done to it; version counts changes of parameters, structure those of layers."""

    def __init__(self, net: MLP, data: Data | None = None, is_loading: bool = False) -> None:
        self.clients: set[Tab] = set()
        self.wake = asyncio.Event()
        self.data, self.is_loading = data, is_loading
        self.settings, self.training, self.test = Settings(), Training(), Test()
        self.undone: list[Moment] = []
        self.done: list[Moment] = []
        self.points: list[Point] = []
        self.version = self.structure = 0
        self.last_touch = -1e9
        self._take(net, Position(net.seed, net.epochs_trained))
        self.settings.learning_rate = self.default_rates["sgd"]

    @property
    def default_rates(self) -> dict[str, float]:
        """{name: learning rate} of the optimizers that can be chosen: their own, and for plain descent as the loss is."""
        of_lesson = self.net.loss == "squared_error" and self.net.layer_activations[-1] != "identity"
        own: dict[str, Any] = {name: optimizer.learning_rate for name, optimizer in CHOICES.items()}
        return {**own, "sgd": 3.0} if of_lesson else own

    # What changes

    def changed(self, structure: bool = False) -> None:
        """Tell all tabs."""
        self.version += 1
        self.structure += structure
        self.notify()

    def notify(self) -> None:
        self.wake.set()
        for client in self.clients:
            client.changed.set()

    def set_data(self, data: Data | None) -> None:
        self.data, self.is_loading, self.test = data, False, Test()
        self._describe()
        self.changed(structure=True)

    def _take(self, net: MLP, position: Position) -> None:
        if getattr(self, "net", None) is not net:
            self.net, self.twin, self.test = net, Twin(net), Test()
            self.structure += 1
            self._describe()
        self.position = position
        self.training.diverged = False
        self.training.loss = self.training.row = None

    def _describe(self) -> None:
        self.output_kind = subject.output_kind(self.net)
        self.inputs = subject.inputs(self.net, self.data)
        self.misfit = None if self.data is None else subject.misfit(self.net, self.data)
        unfit = subject.why_unfit(self.data, self.is_loading, self.misfit)
        self.fits_data = unfit is None  # so that the network can be examined on them
        self.why_not = subject.without_derivative(self.net) or unfit  # be trained

    # Undo and redo

    def remember(self, label: str, gesture: int | None = None) -> None:
        """Keep the moment before a change; changes of one gesture, such as a slider's way, are one."""
        if gesture is not None and self.done and self.done[-1].gesture == gesture and not self.undone:
            return
        self.done.append(self._moment(label, gesture))
        self.undone.clear()
        size = sum(moment.size for moment in self.done)
        while len(self.done) > MOST_UNDONE or size > LARGEST_UNDO and len(self.done) > 1:
            size -= self.done.pop(0).size

    def undo(self) -> None:
        self._go_back(self.done, self.undone)

    def redo(self) -> None:
        self._go_back(self.undone, self.done)

    def _go_back(self, source: list[Moment], target: list[Moment]) -> None:
        self.pause()
        if not source:
            return
        moment = source.pop()
        target.append(self._moment(moment.label, None))
        self._take(moment.net, moment.position)
        self.net.parameters[...] = moment.parameters
        self.twin.go_back(moment.gathered)
        if moment.optimizer[0] != self.settings.optimizer:
            self.settings.optimizer, self.settings.learning_rate = moment.optimizer
        self.points = list(moment.points)
        self.changed()

    def _moment(self, label: str, gesture: int | None) -> Moment:
        optimizer = self.settings.optimizer, self.settings.learning_rate
        parameters, points = self.net.parameters.copy(), list(self.points)
        return Moment(label, self.net, parameters, optimizer, self.twin.kept(), self.position, points, gesture)

    # Turning knobs

    def turn(self, layer: int, neuron: int, inputs: Sequence[int] = (), weights: ArrayLike = (),
             bias: float | None = None, gesture: int | None = None) -> None:  # fmt: skip
        """Set some weights of a neuron, and its bias."""
        self.touched()
        self.remember("change of weights" if len(inputs) else "change of bias", gesture)
        if len(inputs):
            self.net.weights[layer][inputs, neuron] = weights
        if bias is not None:
            self.net.biases[layer][neuron] = bias
        self.training.diverged = False
        self.changed()

    def scale(self, layer: int, neuron: int, factor: float) -> None:
        """Multiply a neuron's weights and bias: 0 silences it, -1 turns it round."""
        label = {0.0: "zeroing", -1.0: "flip"}.get(factor, f"scaling by {factor:g}")
        with np.errstate(all="ignore"):
            weights, bias = self.net.weights[layer][:, neuron] * factor, self.net.biases[layer][neuron] * factor
        if not (np.isfinite(weights).all() and np.isfinite(bias)):
            raise Refused(f"scaling by {factor:g} leads to numbers that are not finite")
        self.remember(f"{label} of a neuron")
        self.net.weights[layer][:, neuron] = weights
        self.net.biases[layer][neuron] = bias
        self.changed()

    def fresh(self, seed: int) -> None:
        """Other first weights, of the same network."""
        self.pause()
        self.remember("fresh weights")
        self.net.parameters[...] = self._made(
            self.net.layer_sizes, self._hidden_activations(), seed, self.net._init
        ).parameters
        self._begin_again(seed)

    def rebuild(self, hidden_sizes: Sequence[int], activation: str, seed: int) -> None:
        """Another network between the same inputs and outputs."""
        sizes = [self.net.layer_sizes[0], *hidden_sizes, self.net.layer_sizes[-1]]
        n_parameters = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
        if n_parameters > MOST_PARAMETERS:
            raise Refused(f"{n_parameters:,} parameters are more than the {MOST_PARAMETERS:,} that this page takes")
        own = {str(a): a for a in self.net.layer_activations if not isinstance(a, str)}
        init = self.net._init and [self.net._init[0]] * len(hidden_sizes) + [self.net._init[-1]]
        net = self._made(sizes, [own.get(activation, activation)] * len(hidden_sizes), seed, init)
        self.pause()
        self.remember("change of layers")
        self._take(net, Position(seed))
        self._begin_again(seed)

    def load(self, content: bytes) -> None:
        """Another network from the bytes of a file that MLP.save wrote."""
        own = [a for a in self.net.layer_activations if isinstance(a, CustomActivation)]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "network.npz")
            with open(path, "wb") as file:
                file.write(content)
            try:
                net = MLP.load(path, self.net.backend, self.net.n_threads, own)
            except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
                raise Refused(f"this file cannot be loaded: {error}".replace(repr(path), "it").replace(path, "it")) from None
        self.pause()
        self.remember("loading a file")
        self._take(net, Position(net.seed, net.epochs_trained))
        self.points = []
        self.changed()

    def file(self) -> bytes:
        """The network as the bytes that MLP.save writes."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "network.npz")
            self.net.save(path)
            with open(path, "rb") as file:
                return file.read()

    def _hidden_activations(self) -> list[AnyActivation]:
        return list(self.net.layer_activations[:-1])

    def _made(self, sizes: Sequence[int], activations: Any, seed: int, init: Sequence[str] | None) -> MLP:
        """init: of each layer; None, where nobody knows how the weights began, is the default."""
        net: Any = self.net  # whose activations and loss are names that MLP takes
        return MLP(
            sizes, activation=activations, output_activation=net.layer_activations[-1], loss=net.loss,
            dtype=net.dtype, seed=seed, backend=net.backend, n_threads=net.n_threads, input_scale=net.input_scale, task=net.task,
            init=init or DEFAULT,
        )  # fmt: skip

    def _begin_again(self, seed: int) -> None:
        self._take(self.net, Position(seed))
        self.twin.begin_again()
        self.points = []
        self.changed()

    # Training

    def choose(self, optimizer: str) -> None:
        """Train by another optimizer from now on, at its default learning rate."""
        if optimizer != self.settings.optimizer:
            self.remember("change of optimizer")
            self.settings.optimizer, self.settings.learning_rate = optimizer, self.default_rates[optimizer]
            self.notify()

    def start(self) -> None:
        if self.why_not:
            raise Refused(f"training is off: {self.why_not}")
        if self.training.running:
            return
        self.remember("training")
        if self.position.epoch >= self.settings.pause_after:
            self.settings.pause_after = self.position.epoch + 30
        self.training.running = True
        self.notify()

    def pause(self) -> None:
        self.training.running = False
        self.training.rate = 0.0
        self.notify()

    def one_step(self) -> None:
        if self.why_not:
            raise Refused(f"training is off: {self.why_not}")
        self.pause()
        self.remember("one step")
        assert self.data is not None
        part = Slice(self.data, self.position, self.settings.batch_size)
        try:
            loss = self.train(part)
        except Exception as error:
            raise Refused(f"training failed: {error}") from error
        self.take_over(part, loss)

    def train(self, part: Slice) -> float:
        """Train the twin on a slice; its mean loss. May run in a thread: it leaves the room alone."""
        optimizer = replace(CHOICES[self.settings.optimizer], learning_rate=self.settings.learning_rate)
        return self.twin.train(self.net.parameters, part, optimizer, self.settings.batch_size)

    def take_over(self, part: Slice, loss: float) -> None:
        """Make the twin's parameters the network's."""
        self.net.parameters[...] = self.twin.parameters
        self.position, training = part.end, self.training
        if not self.position.row and self.position.epoch >= self.settings.pause_after and training.running:
            self.pause()
        training.loss, training.row = loss, int(part.rows[-1])
        training.losses.append((loss, part.count))
        if not np.isfinite(loss):
            self.diverge()
        self.changed()

    def fail(self, what: str, error: Exception) -> None:
        """Stop, and tell all tabs which error ended what."""
        for client in self.clients:
            client.refusals.append(f"{what} failed: {error}")
        self.pause()

    def diverge(self) -> None:
        self.training.diverged = True
        self.pause()

    def examine(self) -> Test:
        """The Test of the network as it is; may run in a thread."""
        data, net, version = self.data, self.net, self.version
        assert data is not None
        result = net.evaluate(data.x_test, data.y_test)
        test = Test(result.loss, result.accuracy, version=version)
        if self.output_kind in ("classes", "binary"):
            test.answers = scores.answers(net.forward(data.x_test), net.task)
            counts = scores.confusion(subject.classes_of(data.y_test), test.answers, max(net.layer_sizes[-1], 2))
            test.confusion = counts.astype(np.int32)
        return test

    def record(self, test: Test) -> None:
        """Take an examination for the present one, and as a point of the curves."""
        self.test = test
        losses, self.training.losses = self.training.losses, []
        if losses:
            loss = sum(loss * n for loss, n in losses) / sum(n for _, n in losses)
            self.points.append((self.position.images_seen, loss, test.loss, test.accuracy))
            if len(self.points) > MOST_POINTS:
                self.points = self.points[::2]
        self.notify()

    def touched(self) -> None:
        """Somebody draws or turns knobs, to which training gives way."""
        self.last_touch = time.monotonic()
