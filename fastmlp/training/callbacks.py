"""Who is told how training goes, and may end it: the class that users derive theirs from. What fit shows is in progress.py."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..containers import describe

Logs = Mapping[str, float] | None


class Callback:
    """What fit(..., callbacks=[...]) tells, under Keras's names; each method does nothing unless a subclass says otherwise.

    net, also model: the network, which a method may read and change. Where its weights are averaged, it holds their average in
    on_train_end alone, and before that the weights that are trained; net.state.arrays["average"] is the average.
    params: {"epochs": as fit was asked, "steps": steps an epoch, "batch_size": ..., "rows": rows an epoch, "metrics": the names
    that are measured}.

    net.stop_training = True ends training after the batches that are under way, or after this epoch if that is over. What a
    method raises ends training, and fit raises it: the network, its state and its history are those of the last step, and
    history.interrupted_rows says how far into an epoch that was. close is called in any case. Ctrl-C waits for a method to end.

    Batches are trained in slices of about 50 ms, and one by one only where a callback has a method for batches.

    >>> class Until(fastmlp.Callback):
    ...     def __init__(self, loss):
    ...         self.loss = loss
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.net.stop_training = logs["loss"] < self.loss
    >>> net = fastmlp.MLP([1, 1], seed=0)
    >>> net.fit([[0.0], [1.0]], [[0.0], [2.0]], epochs=100, verbose=0, callbacks=[Until(loss=0.1)]).epochs
    57
    """

    net: Any = None
    params: Mapping[str, Any] = {}

    @property
    def model(self) -> Any:
        """The network, under Keras's name."""
        return self.net

    def set_model(self, model: Any) -> None:
        """Before training, with the network, model."""
        self.net = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Before training, with the params."""
        self.params = params

    def on_train_begin(self, logs: Logs = None) -> None:
        """Training is about to begin. logs: {}."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Training has ended, but not by an error or Ctrl-C. logs: what the last epoch measured."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """An epoch, counted from 0 (or from initial_epoch), is about to begin. logs: {}."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """The epoch is over. logs: what it measured, as history has it: {"loss": ..., "val_loss": ..., ...}."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """A batch, counted from 0 in each epoch, is about to be trained on. logs: {}."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The batch has been. logs: {"loss": its mean loss before its step}."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Another name of on_batch_begin(batch, logs)."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Another name of on_batch_end(batch, logs)."""
        self.on_batch_end(batch, logs)

    def on_rows_end(self, rows: int) -> None:
        """So many more rows have been trained on: after each slice of batches, some twenty times a second."""

    def get_state(self) -> dict[str, Any]:
        """What this callback needs to go on in another process, where fit writes checkpoints: numbers, strings, None, lists and
        dicts of these, and arrays of numbers or strings, by name. It is asked for after on_train_begin, and then at any time.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on, after on_train_begin, from state, what get_state gave: at the end of an epoch, or on the way through one."""

    def close(self) -> None:
        """Training has ended, however it did."""


OF_BATCHES = "on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"


def is_of_batches(callback: Callback) -> bool:
    """Whether a callback has a method of its own for batches."""
    return any(getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name) for name in OF_BATCHES)


def callbacks_of(value: Iterable[Callback] | Callback | None) -> list[Callback]:
    """The Callbacks of fit's argument: one, several, or None."""
    if isinstance(value, Callback):
        return [value]
    expected = "callbacks must be a list of fastmlp.Callback objects"
    if value is not None and not isinstance(value, Iterable):
        raise TypeError(f"{expected}, not {describe(value)}")
    callbacks = list(value or [])
    for callback in callbacks:
        if not isinstance(callback, Callback):
            made = " (call it, to make one)" if isinstance(callback, type) else ""
            raise TypeError(f"{expected}, but one is {describe(callback)}{made}")
    return callbacks
