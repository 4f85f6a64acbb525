"""The border of the library: arguments are checked and converted here, once, and nothing is checked again below.

Every error names the argument, what it was and what was expected. Converted inputs and targets are what
fastmlp.reference.Engine asks for; arrays that already are so pass without a copy.
"""

import math
import operator
import struct
import types
from collections.abc import Sequence

import numpy as np

from .activations import ACTIVATIONS
from .architecture import Architecture
from .custom import CustomActivation
from .losses import LOSSES

IN_LINE = 0x101  # the bits C_CONTIGUOUS and ALIGNED of an array's flags


def describe(value):
    """A value as an error message shows it: an array by its shape and dtype."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def integer(name, value, low, high=None):
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


def learning_rate(value, dtype):
    """value as a float that is finite and not negative, also once it is rounded to the network's dtype."""

    def wrong(error):
        return error(f"learning_rate must be a finite number of at least 0, not {describe(value)}")

    if isinstance(value, (str, bytes, bool)):
        raise wrong(TypeError)
    try:
        rate = float(value)
    except (TypeError, ValueError):
        raise wrong(TypeError) from None
    except OverflowError:
        raise wrong(ValueError) from None
    if not (rate >= 0 and math.isfinite(rate)):
        raise wrong(ValueError)
    try:
        struct.pack("<" + dtype.char, rate)
    except OverflowError:
        raise ValueError(f"learning_rate {rate!r} is too large for {dtype.name}") from None
    return rate + 0.0  # -0 is 0


def choice(name, value, options):
    """value if it is one of the options, which are strings."""
    if type(value) is str and value in options:
        return value
    expected = f"{name} must be one of {', '.join(options)}, not {describe(value)}"
    if not isinstance(value, str):
        raise TypeError(expected)
    if value not in options:
        raise ValueError(expected)
    return value


def architecture(sizes, activation, output_activation, loss, dtype):
    """The Architecture of these arguments of MLP."""
    sizes = layer_sizes(sizes)
    loss = choice("loss", loss, LOSSES)
    activations = layer_activations(activation, output_activation, loss, sizes)
    return Architecture(sizes, activations, loss, network_dtype(dtype))


def layer_sizes(value):
    """Sizes as a tuple of ints, input first."""
    expected = f"layer_sizes must be two or more integers of at least 1, input first, not {describe(value)}"
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise TypeError(expected)
    sizes = tuple(integer(f"layer_sizes[{i}]", size, 1) for i, size in enumerate(value))
    if len(sizes) < 2:
        raise ValueError(expected)
    return sizes


def network_dtype(value):
    """float32 or float64, as a dtype in the machine's byte order."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        raise TypeError(f"dtype must be float32 or float64, not {describe(value)}") from None
    if value is None or dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, not {describe(value)}")
    return dtype


def layer_activations(activation, output_activation, loss, sizes):
    """The activation of every layer, from one or one a hidden layer, and the output's (None: the loss's own).

    Each is a name, or a user's own activation.
    """
    hidden = len(sizes) - 2
    if isinstance(activation, (str, CustomActivation)):
        chosen = (activation,) * hidden
        one_activation("activation", activation, ACTIVATIONS)
    elif isinstance(activation, Sequence):
        chosen = tuple(activation)
    else:
        raise TypeError(
            "activation must be a name, an activation of your own, or a list of one a hidden layer, "
            f"not {describe(activation)}{_undecorated(activation)}"
        )
    if len(chosen) != hidden:
        raise ValueError(f"activation must be one name, or {hidden}, one a hidden layer, not {describe(activation)}")
    hidden_options = [row.name for row in ACTIVATIONS.values() if row.hidden]
    for one in chosen:
        one_activation("activation", one, hidden_options)

    suited = LOSSES[loss].output_activations
    output = suited[0]
    if output_activation is not None:
        output = one_activation("output_activation", output_activation, ACTIVATIONS)
    losses = [name for name in LOSSES if output in LOSSES[name].output_activations] or ["squared_error"]
    if loss not in losses:
        raise ValueError(
            f"output_activation {output!r} does not go with loss {loss!r}: "
            f"that needs {' or '.join(suited)}, and {output} needs loss {' or '.join(losses)}"
        )
    if output == "softmax" and sizes[-1] == 1:
        raise ValueError("output_activation 'softmax' needs at least 2 outputs, not 1: its only output would be 1")
    custom_activations("activation", [one for one in (*chosen, output) if not isinstance(one, str)])
    return (*chosen, output)


def one_activation(name, value, options):
    """value if it is a user's own activation or one of the options, which are names."""
    if isinstance(value, CustomActivation):
        return value
    if not isinstance(value, str):
        expected = f"{name} must be one of {', '.join(options)}, or an activation of your own"
        raise TypeError(f"{expected}, not {describe(value)}{_undecorated(value)}")
    return choice(name, value, options)


def _undecorated(value):
    return ": decorate it with @fastmlp.activation" if isinstance(value, types.FunctionType) else ""


def custom_activations(name, value):
    """{name: activation} of users' own activations, no two of which may share a name."""
    expected = f"{name} must be a list of activations of your own, made by fastmlp.activation"
    if not isinstance(value, Sequence):
        raise TypeError(f"{expected}, not {describe(value)}")
    by_name = {}
    for one in value:
        if not isinstance(one, CustomActivation):
            raise TypeError(f"{expected}, not of {describe(one)}{_undecorated(one)}")
        if by_name.setdefault(one.name, one) is not one:
            raise ValueError(f"{name} has two activations named {one.name}: give one another name")
    return by_name


def inputs(name, value, n_in, dtype):
    """(x, single): x (rows, n_in) in dtype or uint8, and whether it was one sample without an axis of rows.

    A sample is (n_in,), or of any shape with n_in elements, such as (28, 28) where n_in is 784.
    """
    if ready(value, 2, dtype) and value.shape[1] == n_in:
        return value, False
    x = numbers(name, value)
    if x.ndim >= 2 and math.prod(x.shape[1:]) == n_in:
        single, rows = False, len(x)
    elif x.ndim >= 1 and x.size == n_in:
        single, rows = True, 1
    else:
        raise ValueError(
            f"{name} must have shape (rows, {n_in}) or ({n_in},), or hold images of {n_in} values, "
            f"not shape {x.shape}"
        )
    return _rows_in_line(_converted(x, dtype, pixels=True).reshape(rows, n_in)), single


def ready(value, ndim, dtype):
    """Whether value is an array as the backends take it; most are, and need no conversion."""
    return (type(value) is np.ndarray and value.ndim == ndim and value.dtype == dtype
            and value.flags.num & IN_LINE == IN_LINE)  # fmt: skip


def batch(name, value, n_in, dtype):
    """Inputs of at least one row, as training takes them: (rows, n_in) in dtype or uint8."""
    x, single = inputs(name, value, n_in, dtype)
    if single or not len(x):
        raise ValueError(f"{name} must have shape (rows, {n_in}) with at least one row, not {np.shape(value)}")
    return x


def targets(name, value, x_name, rows, architecture):
    """Targets for x: labels as int64 (rows,), other targets as (rows, n_out) in the network's dtype."""
    n_out, output = architecture.layer_sizes[-1], architecture.activations[-1]
    y = value if ready(value, 1, np.int64) else numbers(name, value)
    if y.ndim == 0 or len(y) != rows:
        raise ValueError(f"{name} must have one entry for each of the {rows} rows of {x_name}, not shape {y.shape}")
    if y.ndim == 1 and y.dtype.kind in "iub" and (n_out > 1 or output == "sigmoid"):
        return _labels(name, y, max(n_out, 2))
    if y.shape not in ((rows, n_out), (rows,) if n_out == 1 else None):
        raise ValueError(
            f"{name} must be integer labels of shape ({rows},) or numbers of shape ({rows}, {n_out}), "
            f"not {describe(y)}"
        )
    y = _rows_in_line(_converted(y, architecture.dtype).reshape(rows, n_out))
    if LOSSES[architecture.loss].compares_probabilities:
        _check_probabilities(name, y, output)
    return y


def have_classes(y, output_activation):
    """Whether converted targets name classes: labels, one-hot rows, or zeros and ones for one sigmoid output."""
    if y.ndim == 1:
        return True
    ones = y == 1
    if not (ones | (y == 0)).all():
        return False
    if y.shape[1] == 1:
        return output_activation == "sigmoid"
    return bool((np.count_nonzero(ones, axis=1) == 1).all())


def finite(name, array, engine):
    """Raise ValueError if there is a NaN or an infinity in a converted array (rows, columns); the engine finds out."""
    if array.dtype.kind == "f" and not engine.all_finite(array):
        row = next(i for i, values in enumerate(array) if not np.isfinite(values).all())
        column = int(np.argmin(np.isfinite(array[row])))
        raise ValueError(
            f"{name} must be finite, but row {row}, column {column} is {array[row, column]} as {array.dtype.name}"
        )


def writable(name, value, shape, dtype):
    """Check an array that is written into: its shape, its dtype, and whether it may be."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an array of shape {shape} and dtype {dtype}, not {describe(value)}")
    if value.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, not {value.dtype}")
    if value.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {value.shape}")
    if not value.flags.writeable:
        raise ValueError(f"{name} must be writable, but it is read-only")


def apart(name, array, **others):
    """Raise ValueError if an array that is written into shares memory with one of the others."""
    for other, value in others.items():
        if np.shares_memory(array, value):
            raise ValueError(f"{name} must not share memory with {other}")


def output(out, shape, dtype, x, parameters):
    """Check the array that results are to be written into."""
    writable("out", out, shape, dtype)
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"out must be C-contiguous and aligned, but its strides are {out.strides}")
    if isinstance(x, np.ndarray) and np.shares_memory(out, x):
        raise ValueError("out must not share memory with x")
    if np.shares_memory(out, parameters):
        raise ValueError("out must not share memory with the network's parameters")


def numbers(name, value):
    """value as an array of real numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers, not {describe(value)}: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, not dtype {array.dtype}: {describe(value)}")
    return array


def _converted(array, dtype, pixels=False):
    if pixels and array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and training refuses that
        return array if array.dtype == dtype else array.astype(dtype, order="C")


def _rows_in_line(array):
    """The array, or a C copy of it where its rows are not contiguous, ascending and aligned."""
    itemsize = array.dtype.itemsize
    row_step, step = array.strides
    in_line = (step == itemsize or array.shape[1] == 1) and (row_step >= 0 or len(array) == 1) and array.flags.aligned
    return array if in_line else np.array(array, order="C")


def _labels(name, y, n_classes):
    if ready(y, 1, np.int64) and (not len(y) or y.view(np.uint64).max() < n_classes):
        return y  # a negative label is a large one without its sign
    bad = (y < 0) | (y >= n_classes)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{name} must be labels from 0 to {n_classes - 1}, but row {row} is {y[row]}")
    return np.require(y, np.int64, ["C_CONTIGUOUS", "ALIGNED"])


def _check_probabilities(name, y, output_activation):
    in_range = (y >= 0) & (y <= 1)
    if not in_range.all():
        row, column = (int(i) for i in np.argwhere(~in_range)[0])
        raise ValueError(
            f"{name} must be probabilities from 0 to 1 for this loss, but row {row}, column {column} "
            f"is {y[row, column]}"
        )
    if output_activation == "softmax":
        totals = y.sum(axis=1, dtype=np.float64)
        astray = np.abs(totals - 1) > 1e-3
        if astray.any():
            row = int(np.argmax(astray))
            raise ValueError(f"{name} must have rows that sum to 1 for this loss, but row {row} sums to {totals[row]}")
