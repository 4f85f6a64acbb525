"""What a network is about: its data, what its inputs look like, and what its outputs are called."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Integers
from ..containers import describe, numbers
from ..network import MLP
from ..squares import SMALLEST_IMAGE, side_of

MOST_SLIDERS = 64


class Data(NamedTuple):
    """Samples and targets to train on, and those that are held out."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def as_data(data: Any) -> Data:
    """Data from (x, y), (x, y, x_test, y_test) or (x, y, (x_test, y_test)); held out is a tenth where none is given."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3, 4):
        raise TypeError(f"data must be (x, y) or (x, y, x_test, y_test), not {describe(data)}")
    x, y, *rest = data
    if len(rest) == 1:
        rest = rest[0]
        if not isinstance(rest, (tuple, list)) or len(rest) != 2:
            raise TypeError(f"data must be (x, y), (x, y, x_test, y_test) or (x, y, (x_test, y_test)), not {describe(data)}")
    x, y = _rows("x", x), _rows("y", y)
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"data must hold two or more samples and as many targets, not {len(x)} and {len(y)}")
    if not rest:
        held_out = max(1, len(x) // 10)
        x, y, rest = x[:-held_out], y[:-held_out], [x[-held_out:], y[-held_out:]]
    x_test, y_test = _rows("x_test", rest[0]), _rows("y_test", rest[1])
    if len(x_test) != len(y_test) or not len(x_test):
        raise ValueError(f"the held-out data have {len(x_test)} samples and {len(y_test)} targets")
    return Data(x.reshape(len(x), -1), y, x_test.reshape(len(x_test), -1), y_test)


def _rows(name: str, value: Any) -> np.ndarray:
    array = numbers(name, value)
    if not array.ndim:
        raise ValueError(f"{name} of data must have a row for each sample, not be {array} alone")
    return array


def misfit(net: MLP, data: Data) -> ValueError | TypeError | None:
    """What MLP.fit raises for data that are wrong, here for all of them, before the first step; None where none are."""
    try:
        for prefix, x, y in (("", data.x, data.y), ("held-out ", data.x_test, data.y_test)):
            if x.shape[1] != net.layer_sizes[0]:
                raise ValueError(f"{prefix}x has {x.shape[1]} numbers a row, and the network takes {net.layer_sizes[0]}")
            net._adapter.samples(x, y, prefix, finite="xy")
    except (ValueError, TypeError) as error:
        return error
    return None


def without_derivative(net: MLP) -> str | None:
    """Why net cannot be trained at all, in words for the user, or None."""
    for activation in net.layer_activations:
        if not isinstance(activation, str) and not activation.has_derivative:
            return f"the activation {activation} has no derivative, which training needs"
    return None


def why_unfit(data: Data | None, is_loading: bool, error: Exception | None) -> str | None:
    """Why a network cannot take these data, whose misfit is error, in words for the user, or None."""
    if data is None:
        return "the data are still being prepared" if is_loading else "there are no data to train on"
    return f"the data do not fit the network: {error}" if error else None


def output_kind(net: MLP) -> str:
    """What the outputs are: "classes", "binary" (one of two classes), "labels" (several may be right) or "regression"."""
    if net.task == "numbers":
        return "regression"
    return net.task if net.layer_sizes[-1] > 1 else "binary"


def inputs(net: MLP, data: Data | None) -> dict[str, Any]:
    """How the inputs are shown and given: {"kind": "pad", "plane", "sliders" or "rows", ...}."""
    n_in = net.layer_sizes[0]
    fitting = data if data is not None and data.x.shape[1] == n_in else None
    side = side_of(n_in)
    if side is not None and side >= SMALLEST_IMAGE:
        return {"kind": "pad", "side": side, "pixels": net.input_scale != 1 or bool(fitting and fitting.x.dtype == np.uint8)}
    kind = "plane" if n_in == 2 else "sliders" if n_in <= MOST_SLIDERS else "rows"
    low, high = np.full(n_in, -1.0), np.ones(n_in)
    if fitting:
        sample = np.asarray(fitting.x[:5000], np.float64)
        low, high = sample.min(axis=0), sample.max(axis=0)
        low, high = np.where(low < high, low, low - 1), np.where(low < high, high, high + 1)
        margin = 0.1 * (high - low)
        low, high = low - margin, high + margin
    described = {
        "kind": kind,
        "low": low.tolist() if kind != "rows" else [],
        "high": high.tolist() if kind != "rows" else [],
    }
    if kind == "plane" and fitting:
        shown = slice(0, 400)
        described["points"] = np.asarray(fitting.x[shown], np.float64).round(4).tolist()
        described["labels"] = classes_of(fitting.y[shown]).tolist()
    return described


def classes_of(y: ArrayLike) -> Integers:
    """The class of each target: itself, or where one-hot its largest; for real targets whether they exceed 1/2."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        largest: Integers = np.argmax(y, axis=1)
        return largest
    y = y.reshape(len(y))
    is_class = y.dtype.kind in "biu"
    classes: Integers = y.astype(np.int64) if is_class else (y > 0.5).astype(np.int64)
    return classes
