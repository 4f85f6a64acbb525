"""Early stopping: training ends where it no longer improves, with the best weights."""

from typing import Any

import numpy as np

from ..monitor import check_measured, check_waiting, improved
from ..validation import flag
from .callbacks import Callback, Logs

KEPT = "kept "  # before the names of what belongs to the best epoch's weights, in get_state


class EarlyStopping(Callback):
    """Ends training once an epoch's measure has not improved for a number of epochs, and brings back the best weights.

    monitor: what is watched, a name that the history has: "val_loss", "val_accuracy", "loss", a metric, ...
    patience: after how many epochs without improvement training ends, integer >= 0 (0 is 1, as in Keras).
    min_delta: by more than this the measure must improve on the best so far, a number >= 0.
    mode: "min" or "max", whether it should fall or grow; "auto" goes by the name: accuracy, precision, recall, f1, r2 and what
        ends with score grow, losses and errors fall.
    restore_best_weights: whether, when training ends by itself (not by Ctrl-C or an error), the network gets the weights that it
        had after the best epoch, and its optimizer the state that belongs to them, so that the next fit goes on from there. Epochs
        and history count on.

    best, best_epoch: the best measure, and its epoch from 0 (or from initial_epoch); None before the first.

    Every fit begins anew. Raises ValueError when a fit begins that does not measure the monitor.

    >>> net = fastmlp.MLP([1, 1], seed=0)
    >>> history = net.fit([[0.0], [1.0]], [[0.0], [2.0]], epochs=100, verbose=0,
    ...                   early_stopping=fastmlp.EarlyStopping("loss", patience=3, min_delta=0.02))
    >>> history.epochs, history.ended
    (45, 'early stopping: loss has not improved since epoch 42')
    """

    def __init__(self, monitor: str = "val_loss", patience: int = 10, min_delta: float = 0.0, mode: str = "auto",
                 restore_best_weights: bool = True) -> None:  # fmt: skip
        check_waiting(monitor, mode, patience, min_delta)
        self.monitor, self.patience, self.min_delta, self.mode = monitor, patience, min_delta, mode
        self.restore_best_weights = flag("restore_best_weights", restore_best_weights)
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.wait = 0
        self._kept: dict[str, Any] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        check_measured(self.monitor, self.params["metrics"])
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = (logs or {})[self.monitor]
        if improved(value, self.best, self.monitor, self.mode, self.min_delta):
            self.best, self.best_epoch, self.wait = value, epoch, 0
            if self.restore_best_weights:
                self._kept = self.net.state.weights_kept(self.net.parameters)
            return
        self.wait += 1
        if self.wait >= self.patience:
            since = "" if self.best_epoch is None else f" since epoch {self.best_epoch + 1}"
            self.net.history.ended = f"early stopping: {self.monitor} has not improved{since}"
            self.net.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self._kept:
            self.net.state.restore_weights(self.net.parameters, self._kept)

    def close(self) -> None:
        self._kept = {}

    def get_state(self) -> dict[str, Any]:
        kept = {KEPT + name: value for name, value in self._kept.items()}
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, **kept}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch, self.wait = state["best"], state["best_epoch"], state["wait"]
        self._kept = {name.removeprefix(KEPT): value for name, value in state.items() if name.startswith(KEPT)}


def early_stopping_of(value: "bool | EarlyStopping | None") -> list[Callback]:
    """The callbacks that fit's argument early_stopping asks for."""
    if isinstance(value, EarlyStopping):
        return [value]
    if value is None or isinstance(value, (bool, np.bool_)):
        return [EarlyStopping()] if value else []
    raise TypeError(f"early_stopping must be True, False or a fastmlp.EarlyStopping, not {value!r}")
