"""Checkpoints: a file from which a training that was killed goes on, to the same bits.

The file is a network's, which MLP.load reads. Beside the network and its state it holds what makes it part of a run of fit:
where the run began, what it trains on, and the state of its callbacks.
"""

import os
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import persistence
from ..architecture import Architecture
from ..containers import describe
from ..optimizers import Optimizer
from ..validation import choice, flag, integer
from . import records
from .callbacks import Callback, Logs

SHARE = 0.02  # of the time, which writing takes at most where checkpoint_every is None
FIRST = 1.0  # seconds to the first checkpoint then


class Run(NamedTuple):
    """A run of fit, over all the processes that it takes.

    first_epoch, first_recorded: how many epochs the network had been trained for before it, and how many its history had.
    rows, batch_size, shuffle: of its data. done: whether it came to its end. stopped: whether that was before its last epoch.
    """

    first_epoch: int
    first_recorded: int
    rows: int | None
    batch_size: int | None
    shuffle: bool
    done: bool = False
    stopped: bool = False


Form = tuple[str, list[int]]  # an array's dtype and shape, which its bytes in a file do not tell
KINDS = "biufcSU"  # of the dtypes of arrays in the states of callbacks: their bytes are all that they are
DTYPE = re.compile(rf"[<|][{KINDS}]\d{{1,9}}")

OF_DATA = "rows", "batch_size", "shuffle"


class Found(NamedTuple):
    """What a checkpoint holds: the network, its run, and the states and class names of the callbacks.

    classes: None in an older file.
    """

    saved: persistence.Saved
    run: Run
    states: list[dict[str, Any]]
    classes: list[str] | None

    @property
    def record(self) -> records.Fit | None:
        """What is recorded of the fit that wrote it; None where nothing is, or more fits than are recorded went before."""
        fits = self.saved.state.fits
        return fits[-1] if 0 < len(fits) < records.MOST else None


class Checkpoints(Callback):
    """Writes the checkpoints of a Run, as the last of its callbacks.

    every: "epoch", a number of steps, or None: as often as takes SHARE of the time. callbacks: the others. states: theirs, to go
    on from.
    """

    def __init__(self, path: Any, every: int | str | None, run: Run, optimizer: Optimizer, callbacks: list[Callback],
                 states: list[dict[str, Any]]) -> None:  # fmt: skip
        self.path, self.every, self.run, self.optimizer = path, every, run, optimizer
        self.callbacks, self.states = callbacks, states

    def on_train_begin(self, logs: Logs = None) -> None:
        for callback, state in zip(self.callbacks, self.states):
            callback.set_state(state)
        self._states()  # one that no file can hold is better refused now than at the first write
        self.began, self.written, self.last, self.step = time.perf_counter(), 0.0, 0.0, self.net.state.step

    def on_rows_end(self, rows: int) -> None:
        if self.every is None:
            elapsed = time.perf_counter() - self.began
            is_due = elapsed >= FIRST and self.written + self.last <= SHARE * elapsed
        else:
            is_due = self.every != "epoch" and self.net.state.step - self.step >= self.every
        if is_due:
            self._write_on_the_way()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.every == "epoch":
            self._write_on_the_way()

    def on_train_end(self, logs: Logs = None) -> None:
        state = self.net.state
        self.run = self.run._replace(done=True, stopped=bool(state.stop_training or state.history.ended))
        self.write()

    def _write_on_the_way(self) -> None:
        """Write the network as if training ended here, unless a parameter is not finite: that epoch will be undone."""
        parameters, state = self.net.parameters, self.net.state
        if not np.isfinite(parameters).all():
            return
        steps_per_epoch = state.steps_per_epoch
        self.optimizer.finish(state, parameters)
        try:
            self.write()
        finally:
            self.optimizer.begin(state, parameters, steps_per_epoch)

    def write(self) -> None:
        """Write the network as it is. Raises OSError where that fails; then the file is the one before."""
        began = time.perf_counter()
        values, forms, arrays = self._states()
        run = {**self.run._asdict(), "callbacks": values, "forms": forms, "classes": _classes(self.callbacks)}
        try:
            persistence.save(self.path, self.net._saved({"run": run}, arrays))
        except OSError as error:
            kept = ", which holds the last one still" if os.path.exists(self.path) else ""
            what = f"a checkpoint could not be written to this file{kept}: {error.strerror or error}"
            raise type(error)(error.errno, what, os.fspath(self.path)) from error
        self.last, self.step = time.perf_counter() - began, self.net.state.step
        self.written += self.last

    def _states(self) -> tuple[list[dict[str, Any]], list[dict[str, Form]], dict[str, np.ndarray]]:
        """Of the states of the callbacks the plain values and the forms of the arrays, for the header, and the arrays' bytes."""
        values: list[dict[str, Any]] = []
        forms: list[dict[str, Form]] = []
        contents: dict[str, np.ndarray] = {}
        for i, callback in enumerate(self.callbacks):
            plain, arrays = _parted(callback)
            values.append(plain)
            forms.append({key: (array.dtype.str, list(array.shape)) for key, array in arrays.items()})
            contents |= {f"callback {i} {key}": array.reshape(-1).view(np.uint8) for key, array in arrays.items()}
        return values, forms, contents


def _parted(callback: Callback) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A callback's state, parted into plain values and arrays, which are little-endian; TypeError for what is neither."""
    state, name = callback.get_state(), type(callback).__name__
    if state is None:
        return {}, {}
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise TypeError(f"get_state of the callback {name} must return a dict with strings as keys, not {describe(state)}")
    plain: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for key, value in state.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in KINDS and not isinstance(value, np.ma.MaskedArray):
            arrays[key] = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
            continue
        plain[key] = value.item() if isinstance(value, np.generic) else value
        if not _is_plain(plain[key]):
            raise TypeError(
                f"the state of the callback {name} cannot be written to a checkpoint: {key!r} is {describe(value)}, and get_state "
                "may give numbers, strings, None, lists and dicts of these, and arrays of numbers or strings"
            )
    return plain, arrays


def _is_plain(value: object) -> bool:
    """Whether JSON gives the value back as it is."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    return value is None or isinstance(value, (bool, int, float, str))


def check(path: Any, every: Any, resume: Any) -> None:
    """Raise for wrong arguments of fit; remove what killed writers have left."""
    flag("resume", resume)
    if path is None:
        if every is not None or resume:
            raise ValueError(f"{'resume' if resume else 'checkpoint_every'} needs checkpoint, the path of a file")
        return
    try:
        os.fsdecode(path)
    except TypeError:
        raise TypeError(f"checkpoint must be the path of a file, not {describe(path)}") from None
    if isinstance(every, str):
        choice("checkpoint_every", every, ("epoch",))
    elif every is not None:
        integer("checkpoint_every", every, 1)
    persistence.remove_leftovers(path)


def found(path: Any, architecture: Architecture) -> Found | None:
    """The checkpoint at path, of a network with this architecture's activations; None without a file."""
    if not os.path.exists(path):
        return None
    own = {activation for activation in architecture.activations if not isinstance(activation, str)}
    saved = persistence.load(path, list(own))
    data = saved.more.get("run")
    if not isinstance(data, Mapping):
        raise ValueError(f"{os.fspath(path)!r} is a network that save wrote, and no checkpoint of fit: use MLP.load, and fit")
    try:
        return Found(saved, _run(data), _states(data, saved.arrays), data.get("classes"))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"{os.fspath(path)!r} is a damaged checkpoint: {error}") from error


def check_same(path: Any, found: Found, architecture: Architecture, seed: int | None, run: Run, callbacks: list[Callback],
               record: records.Fit) -> None:  # fmt: skip
    """Raise ValueError that names all in which a fit is not the one that wrote what was found at path.

    seed: None where the network has one that nobody asked for. record: of the fit.
    """
    its = found.saved.architecture
    pairs: list[tuple[str, Any, Any]] = [(name, getattr(its, name), getattr(architecture, name)) for name in its._fields]
    pairs += [("seed", found.saved.seed, found.saved.seed if seed is None else seed)]
    pairs += [(name, getattr(found.run, name), getattr(run, name)) for name in OF_DATA]
    if len(callbacks) != len(found.states):
        pairs += [("so many callbacks:", len(found.states), len(callbacks))]
    elif found.classes is not None:
        pairs += [("callbacks", found.classes, _classes(callbacks))]
    differing = [(name, describe(its), describe(asked)) for name, its, asked in pairs if its != asked]
    if found.record:
        differing += records.differing(found.record, record)
    if differing:
        words = ", and ".join(f"{name} {its}, which is {asked} here" for name, its, asked in differing)
        raise ValueError(f"{os.fspath(path)!r} is a checkpoint with {words}")


def _classes(callbacks: list[Callback]) -> list[str]:
    return [type(callback).__name__ for callback in callbacks]


def _run(data: Mapping[str, Any]) -> Run:
    run = Run(**{name: data[name] for name in Run._fields})
    for name in ("first_epoch", "first_recorded"):
        integer(name, getattr(run, name), 0)
    if not all(isinstance(flag, bool) for flag in (run.done, run.stopped)):
        raise ValueError(f"run is {describe(data)}")
    return run


def _states(data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The states of the callbacks: values of the header, and arrays named as Checkpoints writes them."""
    if not isinstance(data["callbacks"], list) or not all(isinstance(values, dict) for values in data["callbacks"]):
        raise ValueError(f"callbacks is {describe(data['callbacks'])}")
    states = [dict(values) for values in data["callbacks"]]
    forms = data.get("forms")  # an older file has arrays of one dimension as they are
    for name, array in arrays.items():
        if of_callback := re.fullmatch(r"callback (\d{1,9}) (.*)", name, re.DOTALL):
            i, key = int(of_callback[1]), of_callback[2]
            states[i][key] = array if forms is None else _formed(array, *forms[i][key])
    return states


def _formed(contents: np.ndarray, dtype: str, shape: list[int]) -> np.ndarray:
    """The array of this Form with these bytes."""
    if not DTYPE.fullmatch(dtype) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"an array has the dtype {dtype!r} and the shape {shape!r}")
    array: np.ndarray = contents.view(dtype).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="))
