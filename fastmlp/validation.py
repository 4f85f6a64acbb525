"""The border of the library: arguments are checked and converted here, once, and nothing is checked again below.

Every error names the argument, what it was and what was expected. Converted inputs and targets are what
fastmlp.reference.Engine asks for; arrays that already are so pass without a copy.
"""

import difflib
import math
import operator
import os
import struct
import types
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeGuard, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activations import ACTIVATIONS, AnyActivation
from .architecture import TASKS, Architecture
from .arrays import Doubles, FloatDtype, Floats
from .containers import describe, numbers
from .custom import CustomActivation
from .losses import LOSSES, WITH_DERIVATIVE, WITH_PARAMETER, AnyLoss, Huber, Quantile, name_of
from .reference import classes
from .threads import default_threads, most_threads

IN_LINE = 0x101  # the bits C_CONTIGUOUS and ALIGNED of an array's flags


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """value as an int in [low, high)."""
    expected = f"{name} must be an integer of at least {low}" + (f" and below {high}" if high is not None else "")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{expected}, not {describe(value)}") from None
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{expected}, not {describe(value)}")
    if number < low or high is not None and number >= high:
        raise ValueError(f"{expected}, not {describe(value)}")
    return number


def threads(n_threads: Any) -> int:
    """n_threads, an integer of at least 1, or most_threads() with a warning where that is less; None is default_threads()."""
    if n_threads is None:
        return default_threads()
    asked, most = integer("n_threads", n_threads, 1, 2**31), most_threads()
    if asked > most:
        warnings.warn(f"n_threads={asked} is more than {os.cpu_count()} processors can use: {most} are taken", stacklevel=4)
    return min(asked, most)


def flag(name: str, value: Any) -> bool:
    """value, True or False, as a bool: what is merely taken for true, such as "False", is refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {describe(value)}")
    return bool(value)


def learning_rate(value: Any, dtype: FloatDtype) -> float:
    """value as a float that is finite and not negative, also once it is rounded to the network's dtype."""
    expected = "learning_rate must be a finite number of at least 0"
    rate = real(value, expected)
    if not (rate >= 0 and math.isfinite(rate)):
        raise ValueError(f"{expected}, not {describe(value)}")
    try:
        struct.pack("<" + dtype.char, rate)
    except OverflowError:
        raise ValueError(f"learning_rate {rate!r} is too large for {dtype.name}") from None
    return rate + 0.0  # -0 is 0


def number(name: str, value: Any, low: float, high: float = math.inf, low_is_in: bool = True) -> float:
    """value as a finite float in [low, high], or above low."""
    expected = f"{name} must be a number {'from' if low_is_in else 'above'} {low:g}"
    expected += "" if high == math.inf else f" to {high:g}"
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{expected}, not {describe(value)}")
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{expected}, not {describe(value)}") from None
    if not (low <= result <= high and math.isfinite(result)) or result == low and not low_is_in:
        raise ValueError(f"{expected}, not {describe(value)}")
    return result


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether value is several, in order: a list or what is like one, an array with axes, no text."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def dropout_rates(input_dropout: Any, dropout: Any, n_hidden: int) -> list[float]:
    """The rates of dropout as floats: of the inputs, then of each hidden layer."""
    rates = list(dropout) if is_list(dropout) else [dropout] * n_hidden
    if len(rates) != n_hidden:
        raise ValueError(f"dropout must be one number, or {n_hidden}, one a hidden layer, not {describe(dropout)}")
    checked = []
    for name, rate in [("input_dropout", input_dropout), *(("dropout", rate) for rate in rates)]:
        expected = f"{name} must be a number from 0 to below 1, not {describe(rate)}"
        try:
            number = float(rate) if not isinstance(rate, (bool, str, bytes)) else None
        except (TypeError, ValueError):
            number = None
        if number is None:
            raise TypeError(expected)
        if not 0 <= number < 1:
            raise ValueError(expected)
        checked.append(number)
    return checked


def choice(name: str, value: object, options: Collection[str]) -> str:
    """value if it is one of the options, which are strings."""
    if type(value) is str and value in options:
        return value
    expected = f"{name} must be one of {', '.join(options)}, not {describe(value)}"
    if not isinstance(value, str):
        raise TypeError(expected)
    if value not in options:
        meant = difflib.get_close_matches(value.lower().replace(" ", "_").replace("-", "_"), list(options), 1)
        raise ValueError(expected + (f": did you mean {meant[0]!r}?" if meant else ""))
    return value


def architecture(sizes: object, activation: object, output_activation: object, loss: object, dtype: Any,
                 input_scale: Any = 1.0, task: object = None) -> Architecture:  # fmt: skip
    """The Architecture of these arguments of MLP."""
    sizes, dtype = layer_sizes(sizes), network_dtype(dtype)
    loss = network_loss(loss, dtype)
    activations = layer_activations(activation, output_activation, name_of(loss), sizes)
    task = task_of(task, name_of(loss), activations[-1], sizes[-1])
    return Architecture(sizes, activations, loss, dtype, scale_of_inputs(input_scale, dtype), task)


def network_loss(value: object, dtype: FloatDtype) -> AnyLoss:
    """The loss: its name, or an object where it has a parameter, which is checked as the dtype rounds it."""
    if not isinstance(value, (Huber, Quantile)):
        name = choice("loss", value, LOSSES)
        return WITH_PARAMETER[name]() if name in WITH_PARAMETER else name
    ((name, given),) = vars(value).items()
    expected, end = {
        "delta": ("delta of the loss must be a finite number above 0", math.inf),
        "q": ("q of the loss must be a number between 0 and 1", 1),
    }[name]
    parameter = real(given, expected)
    with np.errstate(all="ignore"):
        rounded = float(dtype.type(parameter))
    if not 0 < rounded < end:
        raise ValueError(f"{expected} in {dtype.name}, not {describe(given)}")
    return type(value)(parameter)


def real(value: Any, expected: str) -> float:
    """value as a float; expected: the beginning of the error message where it is no real number."""
    if isinstance(value, (str, bytes, bool, np.bool_)):
        raise TypeError(f"{expected}, not {describe(value)}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{expected}, not {describe(value)}") from None
    except OverflowError:
        raise ValueError(f"{expected}, not {describe(value)}") from None


def layer_sizes(value: object) -> tuple[int, ...]:
    """Sizes as a tuple of ints, input first."""
    expected = f"layer_sizes must be two or more integers of at least 1, input first, not {describe(value)}"
    if not is_list(value):
        raise TypeError(expected)
    sizes = tuple(integer(f"layer_sizes[{i}]", size, 1) for i, size in enumerate(value))
    if len(sizes) < 2:
        raise ValueError(expected)
    return sizes


def network_dtype(value: Any) -> FloatDtype:
    """float32 or float64, as a dtype in the machine's byte order."""
    try:
        dtype: FloatDtype = np.dtype(value)
    except TypeError:
        raise TypeError(f"dtype must be float32 or float64, not {describe(value)}") from None
    if value is None or dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, not {describe(value)}")
    return dtype


def task_of(value: object, loss: str, output_activation: AnyActivation, n_out: int) -> str:
    """What the network answers, one of TASKS: value, or unless given what the loss and the output activation are for."""
    if value is None:
        if output_activation not in ("softmax", "sigmoid"):
            return "numbers"
        several = output_activation == "sigmoid" and LOSSES[loss].compares_probabilities and n_out > 1
        return "labels" if several else "classes"
    task = choice("task", value, TASKS)
    if task == "labels" and output_activation == "softmax":
        raise ValueError("task 'labels' needs outputs that do not share a sum of 1, as those of softmax do: use sigmoid")
    return task


def scale_of_inputs(value: Any, dtype: FloatDtype) -> float:
    """value as a float above 0 that is finite also once it is rounded to the network's dtype."""
    expected = f"input_scale must be a finite number above 0, such as 255 for grey levels, not {describe(value)}"
    if isinstance(value, (str, bytes, bool)):
        raise TypeError(expected)
    try:
        scale = float(value)
    except (TypeError, ValueError):
        raise TypeError(expected) from None
    except OverflowError:
        raise ValueError(expected) from None
    with np.errstate(all="ignore"):
        rounded = dtype.type(scale)
    if not (rounded > 0 and np.isfinite(rounded)):
        raise ValueError(expected if not 0 < scale < math.inf else f"{expected}, in {dtype.name}")
    return scale


def layer_activations(
    activation: object, output_activation: object, loss: str, sizes: Sequence[int]
) -> tuple[AnyActivation, ...]:
    """The activation of every layer, from one or one a hidden layer, and the output's (None: the loss's own).

    Each is a name, or a user's own activation.
    """
    hidden = len(sizes) - 2
    hidden_options = [row.name for row in ACTIVATIONS.values() if row.hidden]
    if isinstance(activation, (str, CustomActivation)):
        chosen = (activation,) * hidden
        one_activation("activation", activation, hidden_options)
    elif isinstance(activation, Sequence):
        chosen = tuple(activation)
    else:
        raise TypeError(
            "activation must be a name, an activation of your own, or a list of one a hidden layer, "
            f"not {describe(activation)}{_undecorated(activation)}"
        )
    if len(chosen) != hidden:
        raise ValueError(f"activation must be one name, or {hidden}, one a hidden layer, not {describe(activation)}")
    for one in chosen:
        one_activation("activation", one, hidden_options)

    suited = LOSSES[loss].output_activations
    output: AnyActivation = suited[0]
    if output_activation is not None:
        output = one_activation("output_activation", output_activation, ACTIVATIONS)
    own = not isinstance(output, str)
    losses = [name for name, row in LOSSES.items()
              if output in row.output_activations or own and row.output_activations == WITH_DERIVATIVE]  # fmt: skip
    if loss not in losses:
        raise ValueError(
            f"output_activation {output!r} does not go with loss {loss!r}: "
            f"that needs {' or '.join(suited)}, and {output} needs loss {' or '.join(losses)}"
        )
    if output == "softmax" and sizes[-1] == 1:
        raise ValueError("output_activation 'softmax' needs at least 2 outputs, not 1: its only output would be 1")
    custom_activations("activation", [one for one in (*chosen, output) if not isinstance(one, str)])
    return (*chosen, output)


def one_activation(name: str, value: object, options: Collection[str]) -> AnyActivation:
    """value if it is a user's own activation or one of the options, which are names."""
    if isinstance(value, CustomActivation):
        return value
    if not isinstance(value, str):
        expected = f"{name} must be one of {', '.join(options)}, or an activation of your own"
        raise TypeError(f"{expected}, not {describe(value)}{_undecorated(value)}")
    return choice(name, value, options)


def _undecorated(value: object) -> str:
    return ": decorate it with @fastmlp.activation" if isinstance(value, types.FunctionType) else ""


def custom_activations(name: str, value: object) -> dict[str, CustomActivation]:
    """{name: activation} of users' own activations, no two of which may share a name."""
    expected = f"{name} must be a list of activations of your own, made by fastmlp.activation"
    if not isinstance(value, Sequence):
        raise TypeError(f"{expected}, not {describe(value)}")
    by_name: dict[str, CustomActivation] = {}
    for one in value:
        if not isinstance(one, CustomActivation):
            raise TypeError(f"{expected}, not of {describe(one)}{_undecorated(one)}")
        if by_name.setdefault(one.name, one) is not one:
            raise ValueError(f"{name} has two activations named {one.name}: give one another name")
    return by_name


def inputs(name: str, value: Any, n_in: int, dtype: FloatDtype) -> tuple[np.ndarray, bool]:
    """(x, single): x (rows, n_in) in dtype or uint8, and whether it was one sample without an axis of rows.

    A sample is (n_in,), or of any shape with n_in elements, such as (28, 28) where n_in is 784; where n_in is 1 it is a number,
    and (rows,) are so many rows.
    """
    if ready(value, 2, dtype) and value.shape[1] == n_in:
        return value, False
    x = numbers(name, value)
    if n_in == 1 and x.ndim <= 1:
        single, rows = x.ndim == 0, x.size
    elif x.ndim >= 2 and math.prod(x.shape[1:]) == n_in:
        single, rows = False, len(x)
    elif x.ndim >= 1 and x.size == n_in:
        single, rows = True, 1
    else:
        raise ValueError(
            f"{name} must have shape (rows, {n_in}) or ({n_in},), or hold images of {n_in} values, "
            f"not shape {x.shape}{_of_colours(name, x.shape, n_in)}"
        )
    return _rows_in_line(_converted(x, dtype, bytes_pass=True).reshape(rows, n_in)), single


def _of_colours(name: str, shape: tuple[int, ...], n_in: int) -> str:
    """What to write where pictures have three or four values a pixel and the network has inputs for one."""
    colours = len(shape) > 2 and shape[-1] in (3, 4) and n_in in (math.prod(shape[:-1]), math.prod(shape[1:-1]))
    return f": of colours take one number a pixel, such as {name}[..., :3].mean(axis=-1)" if colours else ""


def ready(value: object, ndim: int, dtype: DTypeLike) -> TypeGuard[np.ndarray]:
    """Whether value is an array as the backends take it; most are, and need no conversion."""
    return (type(value) is np.ndarray and value.ndim == ndim and value.dtype == dtype
            and value.flags.num & IN_LINE == IN_LINE)  # fmt: skip


def batch(name: str, value: Any, n_in: int, dtype: FloatDtype) -> tuple[np.ndarray, bool]:
    """(x, single) of at least one row, as training takes them; see inputs."""
    x, single = inputs(name, value, n_in, dtype)
    if not len(x):
        raise ValueError(f"{name} must have shape (rows, {n_in}) with at least one row, not {np.shape(value)}")
    return x, single


def targets(name: str, value: Any, x_name: str, rows: int, architecture: Architecture, single: bool = False) -> np.ndarray:
    """Targets for x: labels as int64 (rows,), other targets as (rows, n_out) in the network's dtype.

    single: whether value is the target of one sample, without an axis of rows.
    """
    n_out, output, task = architecture.layer_sizes[-1], architecture.activations[-1], architecture.task
    y = value if ready(value, 1, np.int64) else numbers(name, value)
    if single:
        y = y[None]
    if y.ndim == 3 and y.shape[2] == 1:
        y = y[:, :, 0]
    if y.ndim == 0 or len(y) != rows:
        raise ValueError(f"{name} must have one entry for each of the {rows} rows of {x_name}, not shape {y.shape}")
    if y.ndim == 1 and y.dtype.kind in "iub" and (n_out > 1 or task == "classes"):
        if task == "classes":
            return _labels(name, y, max(n_out, 2))
        raise ValueError(
            f"{name} holds a class for each row, but this network's task is {task!r}: {TASKS[task]}. Make it with "
            "task='classes' to tell classes apart"
        )
    if y.shape not in ((rows, n_out), (rows,) if n_out == 1 else None):
        raise ValueError(
            f"{name} must be integer labels of shape ({rows},) or numbers of shape ({rows}, {n_out}), not {describe(y)}"
        )
    y = _rows_in_line(_converted(y, architecture.dtype).reshape(rows, n_out))
    loss = LOSSES[name_of(architecture.loss)]
    if loss.compares_probabilities:
        _check_probabilities(name, y, output)
    elif task != "numbers":
        _check_zeros_and_ones(name, y, task)
    if task == "classes" and n_out > 1 and output != "softmax":
        _check_one_class(name, y)
    if loss.counts and (y < 0).any():
        row, column = (int(i) for i in np.argwhere(y < 0)[0])
        raise ValueError(f"{name} must be at least 0 for this loss, but row {row}, column {column} is {y[row, column]}")
    return y


def label_smoothing(value: Any, architecture: Architecture) -> float:
    """value as a float from 0 to 1, which must be 0 for losses that compare no probabilities."""
    expected = "label_smoothing must be a number from 0 to 1"
    smoothing = real(value, expected)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{expected}, not {describe(value)}")
    loss = name_of(architecture.loss)
    if smoothing and not LOSSES[loss].compares_probabilities:
        takes = " and ".join(row.name for row in LOSSES.values() if row.compares_probabilities)
        raise ValueError(f"label_smoothing is for the losses {takes}, and this network has {loss}: leave it at 0")
    return smoothing


def row_weights(sample_weight: Any, class_weight: Any, y: np.ndarray, architecture: Architecture) -> Floats | None:
    """The weights of rows in the network's dtype, of sample_weight times class_weight for converted targets y; or None."""
    if sample_weight is None and class_weight is None:
        return None
    weights, dtype = np.ones(len(y)), architecture.dtype
    if sample_weight is not None:
        weights = _nonnegative("sample_weight", sample_weight, (len(y),), "one weight for each row").astype(np.float64)
    if class_weight is not None:
        weights = weights * _class_weights(class_weight, y, architecture)
    with np.errstate(over="ignore"):
        rounded = weights.astype(dtype)
    if not np.isfinite(rounded).all():
        row = int(np.argmin(np.isfinite(rounded)))
        raise ValueError(f"sample_weight times class_weight of row {row}, {weights[row]}, is too large for {dtype.name}")
    return rounded


def rows_to_train_on(name: str, share: Any, rows: int) -> int:
    """How many of these rows are left where the last share of them, from 0 to below 1, is held out; at least one is of each."""
    expected = f"{name} must be a number from 0 to below 1"
    left = real(share, expected)
    if not 0 <= left < 1:
        raise ValueError(f"{expected}, not {describe(share)}")
    n = int(round(rows * (1 - left), 6))  # of 10 rows 0.9 leaves 1, though 1 - 0.9 is less than 0.1
    if not 0 < n < rows:
        raise ValueError(f"{name} {left:g} of {rows} rows leaves none to {'evaluate' if n else 'train on'}")
    return n


def steps_of(value: Any, rows: int, batch_size: int) -> int | None:
    """steps_per_epoch, at most those that take all rows; or None."""
    if value is None:
        return None
    steps, most = integer("steps_per_epoch", value, 1), -(-rows // batch_size)
    if steps > most:
        raise ValueError(f"steps_per_epoch must be at most {most}, which take all {rows} rows, not {steps}")
    return steps


def class_numbers(name: str, value: Any, architecture: Architecture) -> None:
    """Check classes, integers that the network has outputs for."""
    if architecture.task != "classes":
        raise ValueError(f"{name} is for networks that tell classes apart, and this network's task is {architecture.task!r}")
    array, n_classes = numbers(name, value), max(architecture.layer_sizes[-1], 2)
    if array.ndim != 1 or (array != array.astype(np.int64)).any() or not set(array.tolist()) <= set(range(n_classes)):
        raise ValueError(f"{name} must be integers from 0 to {n_classes - 1}, not {describe(value)}")


WeightMean = Literal["weights", "rows"]


def mean_over_rows(weight_mean: object) -> bool:
    """Whether weighted means divide by the number of rows: weight_mean is "rows", or "weights" for the sum of weights."""
    return choice("weight_mean", weight_mean, get_args(WeightMean)) == "rows"


def _class_weights(class_weight: Any, y: np.ndarray, architecture: Architecture) -> Doubles:
    """The weight of each row's class, float64."""
    n_classes = max(architecture.layer_sizes[-1], 2)
    if architecture.task != "classes" or y.ndim == 2 and not ((y == 0) | (y == 1)).all():
        raise ValueError("class_weight needs targets that name classes: labels, or one-hot rows")
    labels = classes(y) if y.ndim == 2 else y
    if isinstance(class_weight, str):
        choice("class_weight", class_weight, ("balanced",))
        counts = np.bincount(labels, minlength=n_classes)
        present = np.count_nonzero(counts)
        return (len(y) / (present * np.maximum(counts, 1)))[labels]
    if isinstance(class_weight, Mapping):
        table = np.ones(n_classes)
        for label, weight in class_weight.items():
            index = integer("a class of class_weight", label, 0, n_classes)
            table[index] = _nonnegative(f"class_weight[{index}]", weight, (), "a number")
    else:
        table = _nonnegative("class_weight", class_weight, (n_classes,), '"balanced", a dict, or one weight for each class')
    return table.astype(np.float64)[labels]


def _nonnegative(name: str, value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """value as an array of this shape of finite numbers of at least 0."""
    array = numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must be {what}, of shape {shape}, not shape {array.shape}")
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        where = f", but row {int(np.argmax(bad))} is {array[bad][0]}" if array.ndim else f", not {array}"
        raise ValueError(f"{name} must be finite and at least 0{where}")
    return array


class FindsNonFinite(Protocol):
    """An engine, or what finds numbers that are not finite without one."""

    def all_finite(self, array: np.ndarray) -> bool: ...


def finite(name: str, array: np.ndarray, engine: FindsNonFinite) -> None:
    """Raise ValueError if there is a NaN or an infinity in a converted array (rows, columns); the engine finds out."""
    if array.dtype.kind == "f" and not engine.all_finite(array):
        row = next(i for i, values in enumerate(array) if not np.isfinite(values).all())
        column = int(np.argmin(np.isfinite(array[row])))
        raise ValueError(
            f"{name} must be finite, but row {row}, column {column} is {array[row, column]} as {array.dtype.name}"
        )


LARGE = 1000.0  # mean square of inputs from which a warning says so: grey levels from 0 to 255 have some 7000
LOOKED_AT = 1000  # rows that are looked at for it


def warn_of_large_inputs(x: np.ndarray, input_scale: float, stacklevel: int = 4) -> None:
    """Warn where inputs to train on are far from unit size, which initial weights and learning rates are made for.

    stacklevel: which caller is the user's line.
    """
    some = x[:: max(1, len(x) // LOOKED_AT)].astype(np.float64) / input_scale
    with np.errstate(all="ignore"):
        mean_square = float(np.mean(some * some))
    if LARGE < mean_square < math.inf:  # infinity is told where rows are looked at one by one
        warnings.warn(
            f"x is far from unit size (its root mean square is {math.sqrt(mean_square):.3g}), so that this network will hardly "
            "learn: make it with input_scale=255 if these are grey levels from 0 to 255, else give "
            "(x - x.mean(axis=0)) / x.std(axis=0)",
            stacklevel=stacklevel,
        )


def writable(name: str, value: object, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Check an array that is written into: its shape, its dtype, and whether it may be."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an array of shape {shape} and dtype {dtype}, not {describe(value)}")
    if value.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, not {value.dtype}")
    if value.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {value.shape}")
    if not value.flags.writeable:
        raise ValueError(f"{name} must be writable, but it is read-only")


def apart(name: str, array: np.ndarray, **others: np.ndarray) -> None:
    """Raise ValueError if an array that is written into shares memory with one of the others."""
    for other, value in others.items():
        if np.shares_memory(array, value):
            raise ValueError(f"{name} must not share memory with {other}")


def output(out: np.ndarray, shape: tuple[int, ...], dtype: FloatDtype, x: object, parameters: Floats) -> None:
    """Check the array that results are to be written into."""
    writable("out", out, shape, dtype)
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"out must be C-contiguous and aligned, but its strides are {out.strides}")
    if isinstance(x, np.ndarray) and np.shares_memory(out, x):
        raise ValueError("out must not share memory with x")
    if np.shares_memory(out, parameters):
        raise ValueError("out must not share memory with the network's parameters")


def _converted(array: np.ndarray, dtype: FloatDtype, bytes_pass: bool = False) -> np.ndarray:
    if bytes_pass and array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and training refuses that
        return array if array.dtype == dtype else array.astype(dtype, order="C")


def _rows_in_line(array: np.ndarray) -> np.ndarray:
    """The array, or a C copy of it where its rows are not contiguous, ascending and aligned."""
    itemsize = array.dtype.itemsize
    row_step, step = array.strides
    in_line = (step == itemsize or array.shape[1] == 1) and (row_step >= 0 or len(array) == 1) and array.flags.aligned
    return array if in_line else np.array(array, order="C")


def _labels(name: str, y: np.ndarray, n_classes: int) -> NDArray[np.int64]:
    if ready(y, 1, np.int64) and (not len(y) or y.view(np.uint64).max() < n_classes):
        return y  # a negative label is a large one without its sign
    bad = (y < 0) | (y >= n_classes)
    if bad.any():
        row = int(np.argmax(bad))
        hint = _from_signs(y) if n_classes == 2 else ""
        raise ValueError(f"{name} must be labels from 0 to {n_classes - 1}, but row {row} is {y[row]}. {hint}".rstrip(". "))
    return np.require(y, np.int64, ["C_CONTIGUOUS", "ALIGNED"])


def _check_zeros_and_ones(name: str, y: Floats, task: str) -> None:
    astray = (y != 0) & (y != 1)
    if astray.any():
        row, column = (int(i) for i in np.argwhere(astray)[0])
        raise ValueError(
            f"{name} must be 0 or 1 everywhere, but row {row}, column {column} is {y[row, column]}: this network's task is "
            f"{task!r}: {TASKS[task]}. {_from_signs(y) or 'Make it with task=' + repr('numbers') + ' to predict numbers'}"
        )


def _check_one_class(name: str, y: Floats) -> None:
    totals = y.sum(axis=1, dtype=np.float64)
    astray = ~(np.abs(totals - 1) <= 1e-3)
    if astray.any():
        row = int(np.argmax(astray))
        raise ValueError(
            f"{name} must name one class a row, but row {row} sums to {totals[row]:g}: for several labels at once, or none, "
            "make the network with task='labels'"
        )


def _from_signs(y: np.ndarray) -> str:
    """What to write where targets are -1 and 1, as some books have them; else nothing."""
    return "For targets of -1 and 1 write (y + 1) / 2, or y > 0" if ((y == -1) | (y == 1)).all() else ""


def _check_probabilities(name: str, y: Floats, output_activation: AnyActivation) -> None:
    in_range = (y >= 0) & (y <= 1)
    if not in_range.all():
        row, column = (int(i) for i in np.argwhere(~in_range)[0])
        raise ValueError(
            f"{name} must be probabilities from 0 to 1 for this loss, but row {row}, column {column} "
            f"is {y[row, column]}. {_from_signs(y)}".rstrip(". ")
        )
    if output_activation == "softmax":
        totals = y.sum(axis=1, dtype=np.float64)
        astray = np.abs(totals - 1) > 1e-3
        if astray.any():
            row = int(np.argmax(astray))
            raise ValueError(f"{name} must have rows that sum to 1 for this loss, but row {row} sums to {totals[row]}")
