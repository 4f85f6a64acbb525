"""The table of update rules: how a parameter w changes, given its gradient g, the rule's arrays and its numbers.

A row here, and the function of the same name in reference/updates.py, kernels/updates.h and jit/updates.py are all that a
rule takes. The numbers follow from hyper-parameters, in float64, in optimizers.py, and are rounded once to the network's dtype.
"""

from typing import NamedTuple


class Rule(NamedTuple):
    """A row of the table: w = w - u. Lines are computed in this order, each operation rounded once; settle(x) makes +0 of
    subnormal numbers."""

    name: str
    formula: str
    numbers: tuple[str, ...]  # the names of its numbers, one of each a step
    state: tuple[str, ...] = ()  # the names of its arrays, which lie as the parameters do and begin at +0


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
