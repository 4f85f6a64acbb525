"""What the files that carry whole networks away have in common: the functions that they choose, and what they refuse."""

import re
from pathlib import Path

from ..architecture import Architecture

PART = re.compile(r"^//: (\w+)(?:: ([\w ]+))?\n", re.MULTILINE)


def parts(file: str, names: set[str]) -> str:
    """The parts of a file of this folder with these names, and all that they need, in its order.

    A part begins under a line `//: name: what it needs`, with a space between names; text before the first is for readers.
    """
    _, *found = PART.split(Path(__file__).with_name(file).read_text(encoding="utf-8"))
    rows = list(zip(found[::3], found[1::3], found[2::3]))
    needed, new = set[str](), set(names)
    while new:
        needed |= new
        new = {need for name, needs, _ in rows if name in new for need in (needs or "").split()} - needed
    return "\n\n".join(text.strip("\n") for name, _, text in rows if name in needed)


def activation_names(architecture: Architecture, language: str) -> list[str]:
    """The names of the layers' activations; a ValueError if one is a user's own."""
    names = []
    for activation in architecture.activations:
        if not isinstance(activation, str):
            raise ValueError(
                f"activation {activation} is a Python function of your own, which {language} cannot say: only networks with "
                "fastmlp's activations can be exported"
            )
        names.append(activation)
    return names


def title(architecture: Architecture) -> str:
    """What the first line of a file says."""
    sizes, names = "-".join(map(str, architecture.layer_sizes)), ", ".join(map(str, architecture.activations))
    return f"A multilayer perceptron {sizes}, {names}, {architecture.dtype.name}, written by fastmlp."
