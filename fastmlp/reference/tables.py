"""How the reference finds its functions by the names of the public tables."""

from collections.abc import Mapping
from typing import TypeVar

Row = TypeVar("Row")


def named(table: Mapping[str, Row], kind: str, name: str) -> Row:
    """The row of a table; ValueError where it has none of this name."""
    if name not in table:
        raise ValueError(f"the reference has no {kind} {name!r}")
    return table[name]
