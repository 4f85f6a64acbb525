"""What is recorded of each fit, so that it can be repeated: its arguments, and checksums of its data and of its epochs.

Repeating it is the work of fastmlp/recipe.py.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..containers import describe
from ..optimizers import OPTIMIZERS, Optimizer
from ..reference import Samples
from ..schedules import OfLength, Schedule
from ..version import ARITHMETIC, __version__
from .callbacks import Callback, Logs
from .early_stopping import EarlyStopping

MOST = 1000  # fits that a network records
DIGITS = 16  # of the hash after an epoch, which has 64
SHARE = (
    0.01  # of a fit's time, which hashing its data takes at most: beyond that every second row is hashed, every third, ...
)
FREE = 2**18  # bytes that are hashed in any case
NANOSECONDS = 0.8, 0.03  # to hash a byte; to train one parameter on one row
ROWS = 2**14  # rows that are hashed at once
OPTIONS = "monitor", "patience", "min_delta", "mode", "restore_best_weights"  # of EarlyStopping


@dataclasses.dataclass
class Fit:
    """What is recorded of one fit.

    versions: of fastmlp and of its arithmetic. arguments: of fit, as plain data. unsaid: what plain data cannot say of them.
    data: {"sha256": of the samples as the network took them, "x": the dtype of x, "rows": their number, "every": how many rows
        further the next one is that was hashed}; None where they were read as training went. validation: of validation_data.
    began, ended: the hash of the parameters before and after; ended is None where training did not come to its end. They and
        those of epochs are "" where hashing would take more than SHARE of an epoch: of large networks, in short epochs.
    epochs: the first DIGITS of the hash after each epoch. rows: of a further epoch, where training was interrupted.
    """

    versions: dict[str, Any]
    arguments: dict[str, Any]
    unsaid: list[str]
    data: dict[str, Any] | None
    validation: dict[str, Any] | None
    began: str
    epochs: list[str] = dataclasses.field(default_factory=list)
    ended: str | None = None
    rows: int | None = None

    def continued(self, other: Self) -> Self:
        """This record of a fit that goes on, with the arguments that it now has."""
        self.arguments, self.unsaid, self.data, self.validation = other.arguments, other.unsaid, other.data, other.validation
        self.ended = self.rows = None
        return self

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """The Fit that vars described. Raises ValueError or TypeError where data is no such thing."""
        if not isinstance(data, Mapping):
            raise ValueError(f"a fit is {describe(data)}")
        fit = cls(**data)
        fits = isinstance(fit.arguments, dict) and isinstance(fit.versions, dict) and isinstance(fit.began, str)
        fits = fits and all(value is None or isinstance(value, dict) for value in (fit.data, fit.validation))
        fits = fits and all(_are_strings(values) for values in (fit.unsaid, fit.epochs, [fit.ended or ""]))
        if not (fits and (fit.rows is None or type(fit.rows) is int)):
            raise ValueError(f"a fit is {describe(data)}")
        return fit


class LastHash:
    """The hash of parameters, kept with a copy of those that were hashed last: to compare them takes a tenth of the time."""

    def __init__(self) -> None:
        self.bits: np.ndarray | None = None
        self.hash = ""

    def of(self, parameters: np.ndarray) -> str:
        """hash_of(parameters); of so large ones that FREE is exceeded there is no copy."""
        if parameters.nbytes > FREE:
            return hash_of(parameters)
        bits = parameters.view(np.uint32)  # -0 is not 0 here, and NaN is itself
        if self.bits is None or not np.array_equal(self.bits, bits):
            self.bits, self.hash = bits.copy(), hash_of(parameters)
        return self.hash


class Recorder(Callback):
    """Records the parameters of a Fit as it goes: the last of its callbacks but for the one that writes checkpoints.

    step, epoch: of the training state before.
    """

    def __init__(self, fit: Fit, step: int, epoch: int) -> None:
        self.fit, self.step, self.epoch = fit, step, epoch

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = self.net.state.epoch
        self.fit.epochs.append(self.fit.began and self.net.state.last_hash.of(self.net.parameters)[:DIGITS])

    def on_train_end(self, logs: Logs = None) -> None:
        if not self.net.state.row:
            self.fit.ended = self.fit.began and self.net.state.last_hash.of(self.net.parameters)

    def close(self) -> None:
        state = self.net.state
        self.fit.rows = state.row or None
        if state.epoch > self.epoch:  # another callback has raised at the end of this epoch
            self.on_epoch_end(state.epoch)
        untouched = state.step == self.step and not self.fit.epochs and not state.row
        if self.fit.ended is None and untouched and self.fit in state.fits:
            state.fits.remove(self.fit)  # an error before the first step


def hash_of(parameters: np.ndarray) -> str:
    """SHA-256 of an array, little-endian: 64 hexadecimal digits."""
    return hashlib.sha256(parameters.astype(parameters.dtype.newbyteorder("<"), copy=False).data).hexdigest()


def short_hash(parameters: np.ndarray) -> str:
    return hash_of(parameters)[:DIGITS]


def begun(arguments: Mapping[str, Any], callbacks: Sequence[object], samples: Samples | None, validation: Samples | None,
          parameters: np.ndarray, last_hash: LastHash, like: Fit | None = None) -> Fit:  # fmt: skip
    """The record of a fit that begins with these arguments, callbacks, samples and, if given apart, validation samples.

    like: a record whose data this one's are to be compared with: the same rows are hashed.
    """
    said: dict[str, Any] = {}
    unsaid = []
    stopping = [callback for callback in callbacks if type(callback) is EarlyStopping][:1]
    for name, value in {**arguments, "early_stopping": stopping[0] if stopping else None}.items():
        try:
            said[name] = plain(value)
        except TypeError as error:
            if name != "metrics":  # they measure, and change nothing
                unsaid.append(f"{name}, with {error}")
    unsaid += [f"the callback {type(callback).__name__}" for callback in callbacks if callback not in stopping]
    epochs = max(1, arguments["epochs"] - arguments["initial_epoch"])
    versions = {"fastmlp": __version__, "arithmetic": ARITHMETIC}
    data, held_out = (
        None if some is None else digest(some, _every(then) or every_of(some, parameters.size, epochs))
        for some, then in ((samples, like.data if like else None), (validation, like.validation if like else None))
    )
    return Fit(versions, said, unsaid, data, held_out, "" if is_dear(parameters, samples) else last_hash.of(parameters))


def _every(digested: Mapping[str, Any] | None) -> int | None:
    """How many rows further the next one is of what digest gave, which may come from a file."""
    every = digested and digested.get("every")
    return every if type(every) is int and every > 0 else None


def is_dear(parameters: np.ndarray, samples: Samples | None) -> bool:
    """Whether to hash the parameters after every epoch would take more than SHARE of its time."""
    if samples is None or parameters.nbytes <= FREE:
        return False
    return NANOSECONDS[0] * parameters.nbytes > SHARE * NANOSECONDS[1] * parameters.size * len(samples.x)


def every_of(samples: Samples, n_parameters: int, epochs: int) -> int:
    """How many rows further the next one is that is hashed, so that it takes no more than its share of training's time."""
    x = samples.x
    to_hash, to_train = NANOSECONDS[0] * x.nbytes, NANOSECONDS[1] * n_parameters * len(x) * epochs
    return 1 if x.nbytes <= FREE else max(1, min(len(x), -int(-to_hash // (SHARE * to_train))))


def digest(samples: Samples, every: int) -> dict[str, Any]:
    """The checksum of samples: of every so many rows of x, of all targets and of all weights."""
    sha = hashlib.sha256()
    for array in (samples.x[::every], samples.y, samples.weights):
        if array is not None:
            sha.update(f"{array.dtype.name} {array.shape}".encode())
            for start in range(0, len(array), ROWS):
                sha.update(np.ascontiguousarray(array[start : start + ROWS], array.dtype.newbyteorder("<")).data)
    return {"sha256": sha.hexdigest(), "x": samples.x.dtype.name, "rows": len(samples.x), "every": every}


# What a fit may change that goes on from a checkpoint, or what the checkpoint's Run says better.
MAY_DIFFER = "epochs", "metrics", "training_metrics", "batch_size", "shuffle"


def differing(then: Fit, now: Fit) -> list[tuple[str, str, str]]:
    """(name, as it was, as it is now) of the arguments and data in which two records differ, but for those that MAY_DIFFER."""
    was, found = _said(then), []
    for name, value in _said(now).items():
        if name in was and name not in MAY_DIFFER:
            found += _parted(name, was[name], value)
    for name, data, here in (("training data", then.data, now.data), ("validation_data", then.validation, now.validation)):
        if data != here:
            found.append((name, _shown_data(data), _shown_data(here)))
    return found


def _said(fit: Fit) -> dict[str, Any]:
    """The arguments of a record, and of those that it cannot say what stands in their place."""
    unsaid = (words.partition(", ") for words in fit.unsaid)
    return {**fit.arguments, **{name: Unsaid(words) for name, comma, words in unsaid if comma}}


class Unsaid(str):
    """What a record says of an argument that it cannot hold."""


def _parted(name: str, was: Any, value: Any) -> list[tuple[str, str, str]]:
    """Where two plain arguments part: of two optimizers, for example, the options that differ."""
    if was == value:
        return []
    if isinstance(was, dict) and isinstance(value, dict) and was.get("is") == value.get("is") != "dict":
        return [part for key in value if key in was for part in _parted(key, was[key], value[key])]
    return [(name, _shown(was), _shown(value))]


def _shown(value: Any) -> str:
    """A plain argument as it was written."""
    if not isinstance(value, dict):
        return str(value) if isinstance(value, Unsaid) else describe(value)
    if value.get("is") == "dict":
        return describe(dict(value.get("items", ())))
    options = {key: one for key, one in value.items() if key != "is"}
    return f"{value.get('is')}({', '.join(f'{key}={_shown(one)}' for key, one in options.items())})"


def _shown_data(data: Mapping[str, Any] | None) -> str:
    if data is None:
        return "of which nothing is recorded"
    return f"with SHA-256 {str(data.get('sha256'))[:12]}... ({data.get('rows')} rows of {data.get('x')})"


def keeper(fits: list[Fit]) -> Any:
    """The function that goes back to the fits and epochs that are recorded now."""
    n_fits, n_epochs = len(fits), len(fits[-1].epochs) if fits else 0

    def go_back() -> None:
        del fits[n_fits:]
        if fits:
            del fits[-1].epochs[n_epochs:]

    return go_back


# Arguments as plain data, and back.

KINDS: list[type[Optimizer] | type[Schedule]] = [
    *OPTIMIZERS.values(), *Schedule.__subclasses__(), *OfLength.__subclasses__(),
]  # fmt: skip
CLASSES = {kind.__name__: kind for kind in KINDS}


def plain(value: Any) -> Any:
    """An argument of fit as JSON can hold it; TypeError, naming it, for one that it cannot."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {"is": "dict", "items": [[plain(key), plain(one)] for key, one in value.items()]}
    if type(value) is EarlyStopping:
        return {"is": "EarlyStopping", **{name: plain(getattr(value, name)) for name in OPTIONS}}
    if CLASSES.get(type(value).__name__) is type(value):
        return {"is": type(value).__name__, **{f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}}
    raise TypeError(f"{getattr(value, '__name__', type(value).__name__)}")


def rebuilt(value: Any) -> Any:
    """The argument that plain described."""
    if isinstance(value, list):
        return [rebuilt(one) for one in value]
    if not isinstance(value, dict):
        return value
    options = {name: rebuilt(one) for name, one in value.items() if name != "is"}
    if value.get("is") == "dict":
        return dict(options["items"])
    return {**CLASSES, "EarlyStopping": EarlyStopping}[value["is"]](**options)


def _are_strings(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
