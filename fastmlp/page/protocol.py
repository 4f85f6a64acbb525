"""What travels between the page and its server, and how it is checked: orders in JSON, numbers in binary frames.

A frame is the length of its header (4 bytes, little-endian), the header (a JSON object, padded with spaces so that what
follows begins at a multiple of 8), and the numbers, little-endian, one array after the other. A header's "arrays" lists
them as [name, dtype, count], each padded to a multiple of 8 bytes.
"""

import json
import math
import struct
from collections.abc import Collection, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from ..arrays import FloatDtype, Floats

Order = dict[str, Any]
Named = tuple[str, np.ndarray]
Choice = TypeVar("Choice", str, bool)

LARGEST_ORDER = 1_000_000  # characters
LARGEST_MESSAGE = 2**25  # bytes: a network in a file, 8 million float32 parameters


class BadMessage(Exception):
    """A message that the page never sends; its connection is closed with 1008."""


class Refused(Exception):
    """An order that the page may send, but that cannot be done: its text is shown to the user."""


def frame(kind: str, arrays: Sequence[Named] = (), **fields: Any) -> bytes:
    """A binary frame: arrays is a list of (name, array)."""
    listed, parts = [], []
    for name, array in arrays:
        array = np.ascontiguousarray(array)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        listed.append([name, array.dtype.str[1:], array.size])
        parts.append(array.tobytes())
        parts.append(bytes(-array.nbytes % 8))
    header = to_json({"type": kind, **fields, "arrays": listed}).encode()
    header += b" " * (-(4 + len(header)) % 8)
    return b"".join([struct.pack("<I", len(header)), header, *parts])


def parse_frame(message: bytes) -> tuple[Order, bytes]:
    """(header, the bytes after it) of a binary frame from the page."""
    if len(message) < 4:
        raise BadMessage("a frame is too short")
    (length,) = struct.unpack_from("<I", message)
    if length > min(len(message) - 4, LARGEST_ORDER):
        raise BadMessage("a frame's header is longer than the frame")
    return parse_order(message[4 : 4 + length]), message[4 + length :]


def parse_order(text: str | bytes) -> Order:
    """The JSON object in text, without NaN and Infinity, which JSON does not know but Python reads."""
    if len(text) > LARGEST_ORDER:
        raise BadMessage("an order is too long")
    try:
        order = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadMessage("an order is not JSON") from None
    if not isinstance(order, dict) or not isinstance(order.get("type"), str):
        raise BadMessage("an order has no type")
    return order


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def to_json(document: object) -> str:
    """document as JSON that JavaScript reads: null for NaN and infinities."""
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(document), allow_nan=False, separators=(",", ":"))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def integer(order: Order, name: str, low: int, end: int) -> int:
    """The field name as an int in [low, end)."""
    value = order.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value < end:
        raise BadMessage(f"{name} is no whole number from {low} to {end - 1}")
    return value


def number(order: Order, name: str, dtype: FloatDtype, low: float = -math.inf) -> float:
    """The field name as a float, which is finite also once it has the network's dtype, and at least low."""
    return _number(order.get(name), name, dtype, low)


def numbers(order: Order, name: str, dtype: FloatDtype, count: int) -> Floats:
    """The field name, a list of count finite numbers, as an array."""
    values = order.get(name)
    if not isinstance(values, list) or len(values) != count:
        raise BadMessage(f"{name} is no list of {count} numbers")
    return np.array([_number(value, name, dtype) for value in values], dtype)


def _number(value: object, name: str, dtype: FloatDtype, low: float = -math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadMessage(f"{name} is no number")
    with np.errstate(over="ignore"):
        try:
            converted = float(dtype.type(value))
        except OverflowError:
            converted = math.inf
    if not (math.isfinite(converted) and value >= low):
        raise BadMessage(f"{name} is not finite in {dtype.name}, or below {low}")
    return float(value)


def choice(order: Order, name: str, options: Collection[Choice]) -> Choice:
    """The field name, which is one of the options."""
    value = order.get(name)
    for option in options:
        if isinstance(value, (str, bool)) and value == option:
            return option
    raise BadMessage(f"{name} is none of {', '.join(map(str, options))}")


def text(order: Order, name: str, longest: int = 200) -> str:
    """The field name, a string that is not too long."""
    value = order.get(name)
    if not isinstance(value, str) or len(value) > longest:
        raise BadMessage(f"{name} is no string of at most {longest} characters")
    return value
