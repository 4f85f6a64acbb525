"""Bars and small pictures made of characters, in colour where a terminal shows it."""

import os
from collections.abc import Iterable, Sequence
from typing import TextIO, TypeVar

Tone = TypeVar("Tone", str, int)

UPPER_HALF = "▀"
BLUES = (16, 17, 18, 19, 20, 21, 27, 33, 39, 45)  # of the 256 colours, from black: positive values
REDS = (16, 52, 88, 124, 160, 196, 202, 208, 214, 220)  # likewise: negative values
POSITIVE = " .+*#@"  # the ramps without colour
NEGATIVE = " '-=%$"


def has_colour(stream: TextIO) -> bool:
    """Whether stream is a terminal that shows colours, and its user has not said no (https://no-color.org)."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not unwanted and stream.isatty() and _can_write(UPPER_HALF, stream)


def bar(value: float, width: int, stream: TextIO) -> str:
    """A bar for a value from 0 to 1, padded to width; values outside are drawn as the nearer end."""
    filled = round(width * min(max(value, 0.0), 1.0)) if value == value else 0
    return ("█" if _can_write("█", stream) else "#") * filled + " " * (width - filled)


def picture(values: Iterable[Iterable[float]], colour: bool) -> list[str]:
    """The lines of a picture of a 2-d array of numbers; a line shows two rows of the array.

    With colour, positive values are blue and negative ones red, and black is zero; without, the ramps
    POSITIVE and NEGATIVE show the mean of both rows. The largest magnitude gets the strongest tone.
    """
    rows = [list(map(float, row)) for row in values]
    if len(rows) % 2:
        rows.append([0.0] * len(rows[0]))
    pairs = list(zip(rows[::2], rows[1::2]))
    if colour:
        largest = _largest(rows)
        return ["".join(_cell(*cell, largest) for cell in zip(*pair)) + "\x1b[0m" for pair in pairs]
    means = [[(upper + lower) / 2 for upper, lower in zip(*pair)] for pair in pairs]
    largest = _largest(means)
    return ["".join(_tone(value, largest, POSITIVE, NEGATIVE) for value in row) for row in means]


def beside(pictures: Sequence[Sequence[str]], width: int, picture_width: int) -> list[str]:
    """Lines that show pictures, each a list of lines of one height, in rows of as many as fit into width."""
    gap = "  "
    per_row = max(1, (width + len(gap)) // (picture_width + len(gap)))
    lines = []
    for first in range(0, len(pictures), per_row):
        lines += [gap.join(parts) for parts in zip(*pictures[first : first + per_row])] + [""]
    return lines


def _cell(upper: float, lower: float, largest: float) -> str:
    front, back = _tone(upper, largest, BLUES, REDS), _tone(lower, largest, BLUES, REDS)
    return f"\x1b[38;5;{front};48;5;{back}m{UPPER_HALF}"


def _tone(value: float, largest: float, positive: Sequence[Tone], negative: Sequence[Tone]) -> Tone:
    share = abs(value) / largest
    if share != share:  # a NaN has no tone
        return positive[0]
    ramp = positive if value > 0 else negative
    return ramp[round(min(share, 1.0) * (len(ramp) - 1))]


def _largest(rows: Iterable[Iterable[float]]) -> float:
    finite = (abs(value) for row in rows for value in row if abs(value) < float("inf"))
    return max(finite, default=0.0) or 1.0


def _can_write(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
