"""The twin of the page's network, which trains: through MLP.fit, slice by slice, so that nobody ever sees half a step.

Its optimizer's state goes on from slice to slice, and is kept and brought back with the room's undo.
"""

import copy
import functools
import math
import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..network import MLP
from ..optimizers import OPTIMIZERS, SGD, Optimizer
from ..random_streams import shuffled_rows
from ..training.history import History
from ..training.state import TrainingState
from .subject import Data

# What can be chosen: the library's optimizers by their names, at their defaults, and momentum, which is a number of SGD there.
CHOICES: dict[str, Optimizer] = {name: kind() for name, kind in OPTIMIZERS.items()} | {"momentum": SGD(momentum=0.9)}

_order = functools.lru_cache(maxsize=2)(shuffled_rows)  # of this epoch and the next


@dataclass(frozen=True)
class Position:
    """Where training stands: as `fit` counts, so that an untouched run takes the rows that `fastmlp train` takes."""

    seed: int
    epoch: int = 0
    row: int = 0
    images_seen: int = 0

    def after(self, rows: int, n_rows: int) -> "Position":
        """Where it stands so many rows later, of data with n_rows: no further than where the next epoch begins."""
        at_end = self.row + rows == n_rows
        row, epoch = (0, self.epoch + 1) if at_end else (self.row + rows, self.epoch)
        return replace(self, epoch=epoch, row=row, images_seen=self.images_seen + rows)


class Slice:
    """The next count rows of the data from a position, no further than that epoch's end."""

    def __init__(self, data: Data, position: Position, count: int) -> None:
        self.data, self.position = data, position
        self.count = min(count, len(data.x) - position.row)

    @functools.cached_property
    def rows(self) -> np.ndarray:
        order = _order(len(self.data.x), self.position.seed, self.position.epoch)
        return order[self.position.row : self.position.row + self.count]

    def gather(self) -> tuple[np.ndarray, np.ndarray]:
        """Their inputs and targets, which takes a tenth of the time of training a small network on them; once."""
        return self.samples

    @functools.cached_property
    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        return self.data.x[self.rows], self.data.y[self.rows]

    @property
    def end(self) -> Position:
        return self.position.after(self.count, len(self.data.x))

    def first(self, count: int) -> "Slice":
        """The slice of its first count rows."""
        part = Slice(self.data, self.position, min(count, self.count))
        x, y = self.samples
        part.rows, part.samples = self.rows[:count], (x[:count], y[:count])
        return part

    def holds(self, data: Data, position: Position, count: int) -> bool:
        """Whether the next count rows of these data from there are its first."""
        reaches = self.count >= count or self.end.row == 0
        return self.data is data and self.position == position and reaches


class Twin:
    """A copy of a network that trains in its place."""

    def __init__(self, net: MLP) -> None:
        self._net = copy.deepcopy(net)

    def train(self, parameters: np.ndarray, part: Slice, optimizer: Optimizer, batch_size: int) -> float:
        """Train from these parameters on a slice, batch by batch; the mean loss. May run in a thread."""
        net = self._net
        net.parameters[...] = parameters
        net.state.history = History()  # nobody reads it, and there are many slices
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a training that breaks down, which the page shows itself
            history = net.fit(*part.samples, epochs=1, batch_size=batch_size, optimizer=optimizer, shuffle=False, verbose=0)
        return math.nan if history.ended else history.loss[0]

    @property
    def parameters(self) -> np.ndarray:
        return self._net.parameters

    def begin_again(self) -> None:
        """Forget what the optimizer has gathered."""
        self._net.state.forget_optimizer()

    def kept(self) -> TrainingState:
        """What the optimizer has gathered, for undo."""
        kept, state = TrainingState(), self._net.state
        kept.take_optimizer(state)
        kept.arrays = {name: array.copy() for name, array in state.arrays.items()}
        kept.powers = dict(state.powers)
        return kept

    def go_back(self, kept: TrainingState) -> None:
        self._net.state.take_optimizer(kept)
