"""Schedules: the learning rate of each step, as a product of a rate and a factor, in float64 and without libm.

A schedule is given where a learning rate is: Adam(learning_rate=Cosine(1e-3, epochs=10)). t counts the steps that the
optimizer has done, 0 first, and goes on where its state does; lengths are in steps, or in epochs, of as many steps as a fit's
epochs have. A function of t that returns a rate is a schedule, too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .arrays import Doubles, Integers
from .containers import describe
from .monitor import check_waiting, improved
from .reference import exp, log
from .validation import choice, integer, is_list, number

PI_2 = 1.5707963267948966
COS_SERIES = [(-1) ** n / math.factorial(2 * n) for n in range(8, 0, -1)]  # 1/16!, ..., -1/2!
SIN_SERIES = [(-1) ** n / math.factorial(2 * n + 1) for n in range(8, 0, -1)]  # 1/17!, ..., -1/3!


def half_cosine(u: Doubles) -> Doubles:
    """(1 + cos(pi u)) / 2 for u in [0, 1], as cos^2(pi u / 2): exactly 1, 1/2 and 0 at 0, 1/2 and 1."""
    late = u > 0.5
    v = np.where(late, 1.0 - u, u) * PI_2
    v2 = v * v
    cos, sin = 1.0 + v2 * _horner(COS_SERIES, v2), v + v * (v2 * _horner(SIN_SERIES, v2))
    return np.where(late, sin * sin, np.where(u == 0.5, 0.5, cos * cos))


def power(base: float, exponents: Integers) -> Doubles:
    """base to the whole powers in exponents (an int64 array): squared and multiplied from the lowest bit on."""
    result, square, left = np.ones(len(exponents)), float(base), np.array(exponents)
    while left.any():
        result = np.where(left & 1 == 1, result * square, result)
        square, left = square * square, left >> 1
    return result


def _horner(coefficients: Sequence[float], x: Doubles) -> Doubles:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


@dataclass(frozen=True)
class Schedule:
    """What schedules have in common: rate, a number >= 0, times factors(t, steps of an epoch).

    Of a schedule's other arguments numbers lie between bounds, integers are at least so much, and per is "step" or "epoch".
    Raises ValueError or TypeError, naming the argument.
    """

    rate: float

    NUMBERS: ClassVar[tuple[tuple[str, float, float], ...]] = ()
    INTEGERS: ClassVar[tuple[tuple[str, int], ...]] = ()

    def __post_init__(self) -> None:
        number("rate", self.rate, 0)
        for name, low, high in self.NUMBERS:
            number(name, getattr(self, name), low, high)
        for name, least in self.INTEGERS:
            integer(name, getattr(self, name), least)
        if hasattr(self, "per"):
            choice("per", self.per, ("step", "epoch"))

    def rates(self, t: Integers, steps_per_epoch: int) -> Doubles:
        """The learning rates of the steps with the numbers t (int64, from 0), where an epoch has steps_per_epoch: float64."""
        return self.rate * self.factors(t, steps_per_epoch)

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        """What rate is multiplied by in the steps with the numbers t, where an epoch has steps_per_epoch: float64 (len(t),)."""
        raise NotImplementedError


@dataclass(frozen=True)
class OfLength(Schedule):
    """A Schedule of rate with a length, in steps or in epochs, one of the two."""

    steps: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(f"{type(self).__name__} needs steps or epochs, one of the two")
        name = "steps" if self.epochs is None else "epochs"
        integer(name, getattr(self, name), 1)

    def _length(self, steps_per_epoch: int) -> int:
        return (self.steps or 0) + (self.epochs or 0) * steps_per_epoch


@dataclass(frozen=True)
class Step(Schedule):
    """rate * gamma^(t // every): a cut after every so many steps (or epochs, `per="epoch"`).

    every: an integer >= 1. gamma: a number >= 0.

    >>> Step(0.1, every=2, gamma=0.5).rates(np.arange(5), steps_per_epoch=1)
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025])
    """

    every: int
    gamma: float = 0.1
    per: str = "step"

    NUMBERS = (("gamma", 0, math.inf),)
    INTEGERS = (("every", 1),)

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        return power(self.gamma, _per(self.per, t, steps_per_epoch) // self.every)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """rate * gamma^(how many of the milestones have been reached).

    milestones: integers >= 1 that increase, in steps, or in epochs with per="epoch". gamma: a number >= 0.

    >>> MultiStep(0.1, milestones=[1, 3], gamma=0.5).rates(np.arange(5), steps_per_epoch=1)
    array([0.1  , 0.05 , 0.05 , 0.025, 0.025])
    """

    milestones: tuple[int, ...]
    gamma: float = 0.1
    per: str = "step"

    NUMBERS = (("gamma", 0, math.inf),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_list(self.milestones):
            raise TypeError(f"milestones must be a list of integers, not {describe(self.milestones)}")
        object.__setattr__(self, "milestones", tuple(integer("milestones", milestone, 1) for milestone in self.milestones))
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase, but are {self.milestones}")

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        return power(self.gamma, np.searchsorted(self.milestones, _per(self.per, t, steps_per_epoch), side="right"))


@dataclass(frozen=True)
class Exponential(Schedule):
    """rate * gamma^t, gamma from 0 to 1; t counts steps, or epochs with per="epoch".

    >>> Exponential(0.1, gamma=0.5, per="epoch").rates(np.arange(5), steps_per_epoch=2)
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025])
    """

    gamma: float
    per: str = "step"

    NUMBERS = (("gamma", 0, 1),)

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        return power(self.gamma, _per(self.per, t, steps_per_epoch))


@dataclass(frozen=True)
class Cosine(OfLength):
    """From rate down to low * rate along half a cosine, after a linear warm-up of so many steps; then low, or, with restarts,
    again from rate, each period so many times as long as the last (Loshchilov and Hutter, "SGDR", ICLR 2017).

    steps, epochs: the length, one of the two. low: a share of rate, from 0 to 1. warmup: steps, before those. restarts: how many
    periods follow the first. stretch: an integer >= 1 that each is longer by.

    >>> Cosine(0.1, steps=2, restarts=1).rates(np.arange(5), steps_per_epoch=1)
    array([0.1 , 0.05, 0.1 , 0.05, 0.  ])
    """

    low: float = 0.0
    warmup: int = 0
    restarts: int = 0
    stretch: int = 1

    NUMBERS = (("low", 0, 1),)
    INTEGERS = (("warmup", 0), ("restarts", 0), ("stretch", 1))

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        length, since = self._length(steps_per_epoch), t - self.warmup
        period, begin = np.full(len(t), length), np.zeros(len(t), np.int64)
        for _ in range(self.restarts):
            over = since - begin >= period
            begin, period = np.where(over, begin + period, begin), np.where(over, period * self.stretch, period)
        u = (since - begin) / period
        falling = self.low + (1.0 - self.low) * half_cosine(np.where(u > 1.0, 1.0, np.where(u < 0.0, 0.0, u)))
        return _warmed_up(falling, t, self.warmup)


@dataclass(frozen=True)
class Polynomial(OfLength):
    """rate * (low + (1 - low) (1 - t/n)^power), a whole power, after a linear warm-up; low * rate from n on.

    steps, epochs: n, one of the two. power: an integer >= 1. low: a share of rate, from 0 to 1. warmup: steps, before those.

    >>> Polynomial(0.1, steps=4, power=2).rates(np.arange(5), steps_per_epoch=1)
    array([0.1    , 0.05625, 0.025  , 0.00625, 0.     ])
    """

    power: int = 1
    low: float = 0.0
    warmup: int = 0

    NUMBERS = (("low", 0, 1),)
    INTEGERS = (("power", 1), ("warmup", 0))

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        u = (t - self.warmup) / self._length(steps_per_epoch)
        left, result = 1.0 - np.where(u > 1.0, 1.0, np.where(u < 0.0, 0.0, u)), np.ones(len(t))
        for _ in range(self.power):
            result = result * left
        return _warmed_up(self.low + (1.0 - self.low) * result, t, self.warmup)


def Linear(rate: float, steps: int | None = None, epochs: int | None = None, low: float = 0.0, warmup: int = 0) -> Polynomial:
    """Polynomial of the first power: a straight line from rate down to low * rate in so many steps or epochs, after warmup steps.

    >>> Linear(0.1, steps=4, warmup=2).rates(np.arange(7), steps_per_epoch=1)
    array([0.05 , 0.1  , 0.1  , 0.075, 0.05 , 0.025, 0.   ])
    """
    return Polynomial(rate, steps, epochs, 1, low, warmup)


@dataclass(frozen=True)
class OneCycle(OfLength):
    """Up from start * rate to rate along half a cosine, for a share `rising` of the steps, then down to end * rate (Smith and
    Topin, "Super-convergence", 2018).

    steps, epochs: the length, one of the two. start, end, rising: from 0 to 1.

    >>> OneCycle(0.1, steps=5, start=0.5, end=0, rising=0.6).rates(np.arange(5), steps_per_epoch=1)
    array([0.05 , 0.075, 0.1  , 0.05 , 0.   ])
    """

    start: float = 0.04
    end: float = 4e-6
    rising: float = 0.3

    NUMBERS = (("start", 0, 1), ("end", 0, 1), ("rising", 0, 1))

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        length = self._length(steps_per_epoch)
        up = max(self.rising * length - 1, 1.0)
        down = max(length - 1 - up, 1.0)
        rise, fall = t / up, (t - up) / down
        rising = self.start + (1.0 - self.start) * (1.0 - half_cosine(np.where(rise > 1.0, 1.0, rise)))
        clamped = np.where(fall > 1.0, 1.0, np.where(fall < 0.0, 0.0, fall))
        return np.where(t <= up, rising, self.end + (1.0 - self.end) * half_cosine(clamped))


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """rate / (1 + t)^power, a power >= 0; t counts steps, or epochs with per="epoch".

    >>> InverseScaling(0.1, power=1).rates(np.arange(4), steps_per_epoch=1)
    array([0.1       , 0.05      , 0.03333333, 0.025     ])
    """

    power: float = 0.5
    per: str = "step"

    NUMBERS = (("power", 0, math.inf),)

    def factors(self, t: Integers, steps_per_epoch: int) -> Doubles:
        n = 1.0 + _per(self.per, t, steps_per_epoch).astype(np.float64)
        if self.power in (0.5, 1):
            return 1.0 / (np.sqrt(n) if self.power == 0.5 else n)
        return exp(-float(self.power) * log(n))


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """rate times factor for each time that an epoch's measure had not improved for a number of epochs; at least min_rate.

    monitor: what is watched, a name that the history has, such as "val_loss" or "loss". factor: a number from 0 to 1.
    patience: how many epochs without improvement. min_delta: by more than this it must improve. mode: "min", "max", or "auto", as
    for fastmlp.EarlyStopping. cooldown: how many epochs after a cut are not counted.

    Where it stands is part of the training state, and goes on in the next fit; steps of train_step leave it as it is.
    """

    monitor: str = "val_loss"
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    mode: str = "auto"
    cooldown: int = 0
    min_rate: float = 0.0

    NUMBERS = (("factor", 0, 1), ("min_rate", 0, math.inf))
    INTEGERS = (("cooldown", 0),)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_waiting(self.monitor, self.mode, self.patience, self.min_delta)

    def reduced(self, t: Integers, powers: Mapping[str, float]) -> Doubles:
        """The learning rates of the steps with the numbers t, by powers, the running products of the training state."""
        rate = self.rate * powers.get(PLATEAU, 1.0)
        return np.full(len(t), min(float(self.rate), max(rate, float(self.min_rate))))

    def after_epoch(self, powers: dict[str, float], measured: Mapping[str, float]) -> None:
        """Take note in powers of what an epoch measured, {name: number}."""
        value, best = measured[self.monitor], powers.get(PLATEAU + " best")
        wait, cooling = powers.get(PLATEAU + " wait", 0.0), powers.get(PLATEAU + " cooldown", 0.0)
        if improved(value, best, self.monitor, self.mode, self.min_delta):
            best, wait, cooling = value, 0.0, max(cooling - 1, 0.0)
        elif cooling:
            cooling -= 1
        elif wait + 1 >= self.patience:
            powers[PLATEAU] = powers.get(PLATEAU, 1.0) * self.factor
            wait, cooling = 0.0, float(self.cooldown)
        else:
            wait += 1
        powers |= {PLATEAU + " wait": wait, PLATEAU + " cooldown": cooling}
        if best is not None:
            powers[PLATEAU + " best"] = best


PLATEAU = "plateau"  # the product of factors among the running products of the training state, and what stands beside it


def _warmed_up(factors: Doubles, t: Integers, warmup: int) -> Doubles:
    return np.where(t < warmup, (t + 1) / max(warmup, 1), factors)


def _per(per: str, t: Integers, steps_per_epoch: int) -> Integers:
    return t // steps_per_epoch if per == "epoch" else t
