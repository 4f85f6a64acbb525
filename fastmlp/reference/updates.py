"""The update of parameters from their gradients: the rules of gradient descent, and what may be put around them.

Arrays are flat and of one dtype T; numbers are of type T. A rule gives the step u of w = w - u from the gradient g, and
changes its own arrays in place. fastmlp.update_rules.RULES is the table of them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..arrays import Floats
from .tables import named

Number = float  # of the dtype of the arrays


def update(rule: str, parameters: Floats, gradients: Floats, state: Sequence[Floats],
           numbers: Sequence[float] | Floats, lines: Sequence[str] = (),
           scale: float | np.floating | None = None) -> None:  # fmt: skip
    """w = w - u in place, with u by the rule of this name; its arrays change in place.

    lines: which of the optional lines are taken, names in this order: clip_value, l2, l1, decay, average. A line that is
    not taken is left out, not computed with 0.
    state: the rule's arrays, then the average's if that is on. numbers: the rule's, then one for each line.
    scale: of the gradients, from clipping by their norm.
    """
    n_numbers = len(numbers) - len(lines)
    T, w, g = parameters.dtype.type, parameters, gradients
    number = dict(zip(lines, map(T, numbers[n_numbers:])))
    rule_state = state[:-1] if "average" in lines else state
    with np.errstate(all="ignore"):
        if scale is not None:
            g = g * T(scale)
        if "clip_value" in lines:
            c = number["clip_value"]
            g = np.where(g > c, c, np.where(g < -c, -c, g))
        if "l2" in lines:
            g = g + number["l2"] * w
        if "l1" in lines:
            l1 = number["l1"]
            g = g + np.where(w > 0, l1, np.where(w < 0, -l1, T(0)))
        u = named(RULES, "update rule", rule)(g, *rule_state, *map(T, numbers[:n_numbers]))
        if "decay" in lines:
            u = u + number["decay"] * w
        w[...] = w - u
        if "average" in lines:
            average = state[-1]
            average[...] = average + number["average"] * (w - average)


def sgd_update(parameters: Floats, gradients: Floats, learning_rate: float) -> None:
    """w = w - learning_rate * g, in place: plain gradient descent."""
    update("sgd", parameters, gradients, (), (learning_rate,))


def settle(x: Floats) -> Floats:
    """x, but +0 where it is subnormal: a mean that decays would stick at the smallest number, and cost traps on the way."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, x.dtype.type(0), x)


def sgd(g: Floats, r: Number) -> Floats:
    return r * g


def momentum(g: Floats, v: Floats, mu: Number, k: Number, r: Number) -> Floats:
    v[...] = settle((mu * v) + (k * g))
    return r * v


def nesterov(g: Floats, v: Floats, mu: Number, k: Number, r: Number) -> Floats:
    p = k * g
    v[...] = settle((mu * v) + p)
    return r * ((mu * v) + p)


def adam(g: Floats, m: Floats, v: Floats, b1: Number, k1: Number, b2: Number, k2: Number, a: Number, e: Number) -> Floats:
    m[...] = settle((b1 * m) + (k1 * g))
    v[...] = settle((b2 * v) + ((k2 * g) * g))
    return (a * m) / (np.sqrt(v) + e)


def rmsprop(g: Floats, v: Floats, b2: Number, k2: Number, k: Number, e1: Number, e2: Number) -> Floats:
    v[...] = settle((b2 * v) + ((k2 * g) * g))
    u: Floats = (k * g) / (np.sqrt(v + e1) + e2)
    return u


def rmsprop_momentum(g: Floats, v: Floats, m: Floats, b2: Number, k2: Number, k: Number, e1: Number, e2: Number,
                     mu: Number, r: Number) -> Floats:  # fmt: skip
    m[...] = settle((mu * m) + rmsprop(g, v, b2, k2, k, e1, e2))
    return r * m


RULES: dict[str, Callable[..., Floats]] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adam": adam,
    "rmsprop": rmsprop,
    "rmsprop_momentum": rmsprop_momentum,
}
