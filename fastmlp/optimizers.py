"""Optimizers: update rules, and the numbers that each of their steps takes.

RULES is the table: how a parameter w changes, given its gradient g, the rule's state and its numbers. A row here, and the
function of the same name in reference/updates.py, kernels/updates.h and jit/updates.py are all that a rule takes. The
numbers follow from hyper-parameters, in float64, in the classes below, and are rounded once to the network's dtype.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .reference import Update


class Rule(NamedTuple):
    """A row of the table: w = w - u. Lines are computed in this order, each operation rounded once; settle(x) makes +0 of
    subnormal numbers."""

    name: str
    formula: str
    numbers: tuple  # the names of its numbers, one of each a step
    state: tuple = ()  # the names of its arrays, which lie as the parameters do and begin at +0


RULES = {
    row.name: row
    for row in (
        Rule("sgd", "u = r g", ("r",)),
        Rule("momentum", "v = settle(mu v + k g); u = r v", ("mu", "k", "r"), ("v",)),
        Rule("nesterov", "p = k g; v = settle(mu v + p); u = r (mu v + p)", ("mu", "k", "r"), ("v",)),
        Rule(
            "adam", "m = settle(b1 m + k1 g); v = settle(b2 v + (k2 g) g); u = (a m) / (sqrt(v) + e)",
            ("b1", "k1", "b2", "k2", "a", "e"), ("m", "v"),
        ),
        Rule(
            "rmsprop", "v = settle(b2 v + (k2 g) g); u = (k g) / (sqrt(v + e1) + e2)", ("b2", "k2", "k", "e1", "e2"), ("v",)
        ),
        Rule(
            "rmsprop_momentum", "as rmsprop; m = settle(mu m + u); u = r m", ("b2", "k2", "k", "e1", "e2", "mu", "r"),
            ("v", "m"),
        ),
    )
}  # fmt: skip


LINES = {  # what may stand around a rule, in this order: its formula; its number has its name
    "clip_value": "g = c where g > c, -c where g < -c, else g",
    "l2": "g = g + l2 w",
    "l1": "g = g + l1 sign(w)",
    "decay": "u = u + d w",
    "average": "avg = avg + h (w - avg), with the new w",
}


class Optimizer:
    """What an optimizer is to the loop: its rule, and the Update for the next steps of a network."""

    rule: str

    def update(self, state, n_steps, dtype):
        """The Update for the next n_steps, from where a TrainingState stands; its running products go on."""
        rule = RULES[self.rule]
        numbers = np.array(self.numbers(state, n_steps), np.float64).reshape(-1, len(rule.numbers))
        return Update(self.rule, numbers.astype(dtype), tuple(state.arrays[name] for name in rule.state))


@dataclass(frozen=True)
class SGD(Optimizer):
    """Plain gradient descent: w = w - learning_rate * g."""

    learning_rate: float = 0.1
    rule = "sgd"

    def numbers(self, state, n_steps):
        return self.learning_rate
