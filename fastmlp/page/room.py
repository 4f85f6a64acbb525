"""The room that all tabs share: the network, where its training stands, and everything that can be undone.

Training runs on a twin of the network through MLP.fit, slice by slice, and the network takes over the twin's parameters
at the end of each: so whoever reads the network never sees half a step, and its own history and epochs stay its user's.
"""

import asyncio
import copy
import math
import os
import tempfile
import time
import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from ..network import MLP
from ..random_streams import shuffled_rows
from ..training.history import History
from . import subject
from .protocol import Refused

MOST_UNDONE, LARGEST_UNDO = 200, 2**26  # steps, and bytes of all of them
MOST_POINTS = 400  # of the curves
MOST_PARAMETERS = 8_000_000


@dataclass(frozen=True)
class Position:
    """Where training stands: as `fit` counts, so that an untouched run takes the rows that `fastmlp train` takes."""

    seed: int
    epoch: int = 0
    row: int = 0
    images_seen: int = 0


@dataclass
class Moment:
    """What undo brings back."""

    label: str
    net: object
    parameters: np.ndarray
    position: Position
    points: list
    gesture: object = None


@dataclass
class Settings:
    """How training goes on; these are not undone."""

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
    losses: list = field(default_factory=list)  # (loss, rows) since the last point of the curves


class Room:
    """A network, its data and what was done to it; version counts changes of parameters, structure those of layers."""

    def __init__(self, net, data=None, is_loading=False):
        self.clients, self.wake = set(), asyncio.Event()
        self.data, self.is_loading = data, is_loading
        self.settings, self.training, self.test = Settings(), Training(), Test()
        self.undone, self.done, self.points = [], [], []
        self.version = self.structure = 0
        self.last_pen = -1e9
        self._take(net, Position(net.seed, net.epochs_trained))
        if net.loss != "squared_error" or net.layer_activations[-1] == "identity":
            self.settings.learning_rate = 0.1

    # What changes

    def changed(self, structure=False):
        """Tell all tabs."""
        self.version += 1
        self.structure += structure
        self.notify()

    def notify(self):
        self.wake.set()
        for client in self.clients:
            client.changed.set()

    def set_data(self, data):
        self.data, self.is_loading, self._order, self.test = data, False, None, Test()
        self._describe()
        self.changed(structure=True)

    def _take(self, net, position):
        if getattr(self, "net", None) is not net:
            self.net, self.twin = net, copy.deepcopy(net)
            self.structure += 1
        self.position, self._order = position, None
        self.training.diverged = False
        self.training.loss = self.training.row = None
        self._describe()

    def _describe(self):
        self.output_kind = subject.output_kind(self.net)
        self.inputs = subject.inputs(self.net, self.data)
        unfit = subject.why_unfit(self.net, self.data, self.is_loading)
        self.fits_data = unfit is None  # so that the network can be examined on them
        self.why_not = subject.without_derivative(self.net) or unfit  # be trained

    # Undo and redo

    def remember(self, label, gesture=None):
        """Keep the moment before a change; changes of one gesture, such as a slider's way, are one."""
        if gesture is not None and self.done and self.done[-1].gesture == gesture and not self.undone:
            return
        self.done.append(self._moment(label, gesture))
        self.undone.clear()
        size = sum(moment.parameters.nbytes for moment in self.done)
        while len(self.done) > MOST_UNDONE or size > LARGEST_UNDO and len(self.done) > 1:
            size -= self.done.pop(0).parameters.nbytes

    def undo(self):
        self._go_back(self.done, self.undone)

    def redo(self):
        self._go_back(self.undone, self.done)

    def _go_back(self, source, target):
        self.pause()
        if not source:
            return
        moment = source.pop()
        target.append(self._moment(moment.label, None))
        self._take(moment.net, moment.position)
        self.net.parameters[...] = moment.parameters
        self.points = list(moment.points)
        self.changed()

    def _moment(self, label, gesture):
        return Moment(label, self.net, self.net.parameters.copy(), self.position, list(self.points), gesture)

    # Turning knobs

    def turn(self, layer, neuron, inputs=(), weights=(), bias=None, gesture=None):
        """Set some weights of a neuron, and its bias."""
        self.remember("change of weights" if len(inputs) else "change of bias", gesture)
        if len(inputs):
            self.net.weights[layer][inputs, neuron] = weights
        if bias is not None:
            self.net.biases[layer][neuron] = bias
        self.training.diverged = False
        self.changed()

    def scale(self, layer, neuron, factor):
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

    def fresh(self, seed):
        """Other first weights, of the same network."""
        self.pause()
        self.remember("fresh weights")
        self.net.parameters[...] = self._made(self.net.layer_sizes, self._hidden_activations(), seed).parameters
        self._begin_again(seed)

    def rebuild(self, hidden_sizes, activation, seed):
        """Another network between the same inputs and outputs."""
        sizes = [self.net.layer_sizes[0], *hidden_sizes, self.net.layer_sizes[-1]]
        n_parameters = sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
        if n_parameters > MOST_PARAMETERS:
            raise Refused(f"{n_parameters:,} parameters are more than the {MOST_PARAMETERS:,} that this page takes")
        own = {str(a): a for a in self.net.layer_activations if not isinstance(a, str)}
        net = self._made(sizes, [own.get(activation, activation)] * len(hidden_sizes), seed)
        self.pause()
        self.remember("change of layers")
        self._take(net, Position(seed))
        self._begin_again(seed)

    def load(self, content):
        """Another network from the bytes of a file that MLP.save wrote."""
        own = [a for a in self.net.layer_activations if not isinstance(a, str)]
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

    def file(self):
        """The network as the bytes that MLP.save writes."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "network.npz")
            self.net.save(path)
            with open(path, "rb") as file:
                return file.read()

    def _hidden_activations(self):
        return list(self.net.layer_activations[:-1])

    def _made(self, sizes, activations, seed):
        net = self.net
        return MLP(
            sizes, activation=activations, output_activation=net.layer_activations[-1], loss=net.loss,
            dtype=net.dtype, seed=seed, backend=net.backend, n_threads=net.n_threads, input_scale=net.input_scale, task=net.task,
        )  # fmt: skip

    def _begin_again(self, seed):
        self._take(self.net, Position(seed))
        self.points = []
        self.changed()

    # Training

    def start(self):
        if self.why_not:
            raise Refused(f"training is off: {self.why_not}")
        if self.training.running:
            return
        self.remember("training")
        if self.position.epoch >= self.settings.pause_after:
            self.settings.pause_after = self.position.epoch + 30
        self.training.running = True
        self.notify()

    def pause(self):
        self.training.running = False
        self.training.rate = 0.0
        self.notify()

    def one_step(self):
        if self.why_not:
            raise Refused(f"training is off: {self.why_not}")
        self.pause()
        self.remember("one step")
        self.take_over(self.train(self.next_slice(1)))

    def next_slice(self, steps):
        """The rows of the next steps, no further than this epoch's end."""
        if self._order is None:
            self._order = shuffled_rows(len(self.data.x), self.position.seed, self.position.epoch)
        return self._order[self.position.row : self.position.row + steps * self.settings.batch_size]

    def train(self, rows):
        """Train the twin on rows, batch by batch; their mean loss. May run in a thread: it leaves the room alone."""
        self.twin.parameters[...] = self.net.parameters
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a training that breaks down, which the page shows itself
            self.twin.state.history = History()  # nobody reads it, and there are many slices
            history = self.twin.fit(
                self.data.x[rows], self.data.y[rows], epochs=1, batch_size=self.settings.batch_size,
                learning_rate=self.settings.learning_rate, shuffle=False, verbose=0,
            )  # fmt: skip
        return rows, math.nan if history.ended else history.loss[0]

    def take_over(self, trained):
        """Make the twin's parameters the network's."""
        rows, loss = trained
        self.net.parameters[...] = self.twin.parameters
        position, training = self.position, self.training
        row = position.row + len(rows)
        self.position = replace(position, row=row, images_seen=position.images_seen + len(rows))
        if row == len(self.data.x):
            self.position, self._order = replace(self.position, row=0, epoch=position.epoch + 1), None
            if self.position.epoch >= self.settings.pause_after and training.running:
                self.pause()
        training.loss, training.row = loss, int(rows[-1])
        training.losses.append((loss, len(rows)))
        if not np.isfinite(loss):
            self.diverge()
        self.changed()

    def diverge(self):
        self.training.diverged = True
        self.pause()

    def examine(self):
        """The Test of the network as it is; may run in a thread."""
        data, net, version = self.data, self.net, self.version
        result = net.evaluate(data.x_test, data.y_test)
        outputs = net.forward(data.x_test)
        test = Test(result.loss, result.accuracy, version=version)
        if self.output_kind in ("classes", "binary"):
            test.answers = subject.answers(outputs)
            n = max(net.layer_sizes[-1], 2)
            test.confusion = np.zeros((n, n), np.int32)
            np.add.at(test.confusion, (subject.classes_of(data.y_test), test.answers), 1)
        return test

    def record(self, test):
        """Take an examination for the present one, and as a point of the curves."""
        self.test = test
        losses, self.training.losses = self.training.losses, []
        if losses:
            loss = sum(loss * n for loss, n in losses) / sum(n for _, n in losses)
            self.points.append((self.position.images_seen, loss, test.loss, test.accuracy))
            if len(self.points) > MOST_POINTS:
                self.points = self.points[::2]
        self.notify()

    def pen_moves(self):
        self.last_pen = time.monotonic()
