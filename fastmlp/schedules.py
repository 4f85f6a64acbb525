"""Schedules: the learning rate of each step, as a product of a rate and a factor, in float64 and without libm.

A schedule is given where a learning rate is: Adam(learning_rate=Cosine(1e-3, epochs=10)). t counts the steps that the
optimizer has done, 0 first, and goes on where its state does; lengths are in steps, or in epochs, of as many steps as a fit's
epochs have. A function of t that returns a rate is a schedule, too.
"""

import math
from dataclasses import dataclass

import numpy as np

from .reference import exp, log
from .validation import describe, integer

PI_2 = 1.5707963267948966
COS_SERIES = [(-1) ** n / math.factorial(2 * n) for n in range(8, 0, -1)]  # 1/16!, ..., -1/2!
SIN_SERIES = [(-1) ** n / math.factorial(2 * n + 1) for n in range(8, 0, -1)]  # 1/17!, ..., -1/3!


def half_cosine(u):
    """(1 + cos(pi u)) / 2 for u in [0, 1], as cos^2(pi u / 2): exactly 1, 1/2 and 0 at 0, 1/2 and 1."""
    late = u > 0.5
    v = np.where(late, 1.0 - u, u) * PI_2
    v2 = v * v
    cos, sin = 1.0 + v2 * _horner(COS_SERIES, v2), v + v * (v2 * _horner(SIN_SERIES, v2))
    return np.where(late, sin * sin, np.where(u == 0.5, 0.5, cos * cos))


def power(base, exponents):
    """base to whole powers (an int64 array): squared and multiplied from the lowest bit on."""
    result, square, left = np.ones(len(exponents)), float(base), np.array(exponents)
    while left.any():
        result = np.where(left & 1 == 1, result * square, result)
        square, left = square * square, left >> 1
    return result


def _horner(coefficients, x):
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def number(name, value, low, high=math.inf, low_is_in=True):
    """value as a finite float in [low, high], or above low."""
    expected = f"{name} must be a number {'from' if low_is_in else 'above'} {low:g}"
    expected += "" if high == math.inf else f" to {high:g}"
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{expected}, not {describe(value)}")
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{expected}, not {describe(value)}") from None
    if not (low <= result <= high and math.isfinite(result)) or result == low and not low_is_in:
        raise ValueError(f"{expected}, not {describe(value)}")
    return result


class Schedule:
    """What schedules have in common: rate times factors(t, steps of an epoch)."""

    def rates(self, t, steps_per_epoch):
        """The learning rates of the steps with these numbers (an int64 array), float64."""
        return self.rate * self.factors(t, steps_per_epoch)

    def _length(self, steps_per_epoch):
        return self.steps if self.steps is not None else self.epochs * steps_per_epoch

    def _check_length(self):
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(f"{type(self).__name__} needs steps or epochs, one of the two")
        integer("steps" if self.epochs is None else "epochs", self.steps if self.epochs is None else self.epochs, 1)

    def _check(self, **bounds):
        number("rate", self.rate, 0)
        for name, (low, high) in bounds.items():
            number(name, getattr(self, name), low, high)


@dataclass(frozen=True)
class Step(Schedule):
    """rate * gamma^(t // every): a cut after every so many steps (or epochs, `per="epoch"`)."""

    rate: float
    every: int
    gamma: float = 0.1
    per: str = "step"

    def __post_init__(self):
        self._check(gamma=(0, math.inf))
        integer("every", self.every, 1)
        _check_per(self.per)

    def factors(self, t, steps_per_epoch):
        return power(self.gamma, _per(self.per, t, steps_per_epoch) // self.every)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """rate * gamma^(how many of the milestones have been reached)."""

    rate: float
    milestones: tuple
    gamma: float = 0.1
    per: str = "step"

    def __post_init__(self):
        self._check(gamma=(0, math.inf))
        _check_per(self.per)
        object.__setattr__(self, "milestones", tuple(integer("milestones", milestone, 1) for milestone in self.milestones))
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase, but are {self.milestones}")

    def factors(self, t, steps_per_epoch):
        return power(self.gamma, np.searchsorted(self.milestones, _per(self.per, t, steps_per_epoch), side="right"))


@dataclass(frozen=True)
class Exponential(Schedule):
    """rate * gamma^t (per step, or per epoch)."""

    rate: float
    gamma: float
    per: str = "step"

    def __post_init__(self):
        self._check(gamma=(0, 1))
        _check_per(self.per)

    def factors(self, t, steps_per_epoch):
        return power(self.gamma, _per(self.per, t, steps_per_epoch))


@dataclass(frozen=True)
class Cosine(Schedule):
    """From rate down to low * rate along half a cosine, after a linear warm-up of so many steps; then low, or, with restarts,
    again from rate, each period so many times as long as the last (Loshchilov and Hutter, "SGDR", ICLR 2017)."""

    rate: float
    steps: int | None = None
    epochs: int | None = None
    low: float = 0.0
    warmup: int = 0
    restarts: int = 0
    stretch: int = 1

    def __post_init__(self):
        self._check(low=(0, 1))
        self._check_length()
        for name, least in (("warmup", 0), ("restarts", 0), ("stretch", 1)):
            integer(name, getattr(self, name), least)

    def factors(self, t, steps_per_epoch):
        length, since = self._length(steps_per_epoch), t - self.warmup
        period, begin = np.full(len(t), length), np.zeros(len(t), np.int64)
        for _ in range(self.restarts):
            over = since - begin >= period
            begin, period = np.where(over, begin + period, begin), np.where(over, period * self.stretch, period)
        u = (since - begin) / period
        falling = self.low + (1.0 - self.low) * half_cosine(np.where(u > 1.0, 1.0, np.where(u < 0.0, 0.0, u)))
        return _warmed_up(falling, t, self.warmup)


@dataclass(frozen=True)
class Polynomial(Schedule):
    """rate * (low + (1 - low) (1 - t/n)^power), a whole power, after a linear warm-up; low * rate from n on."""

    rate: float
    steps: int | None = None
    epochs: int | None = None
    power: int = 1
    low: float = 0.0
    warmup: int = 0

    def __post_init__(self):
        self._check(low=(0, 1))
        self._check_length()
        integer("power", self.power, 1)
        integer("warmup", self.warmup, 0)

    def factors(self, t, steps_per_epoch):
        u = (t - self.warmup) / self._length(steps_per_epoch)
        left, result = 1.0 - np.where(u > 1.0, 1.0, np.where(u < 0.0, 0.0, u)), 1.0
        for _ in range(self.power):
            result = result * left
        return _warmed_up(self.low + (1.0 - self.low) * result, t, self.warmup)


def Linear(rate, steps=None, epochs=None, low=0.0, warmup=0):
    """Polynomial of the first power: a straight line from rate down to low * rate."""
    return Polynomial(rate, steps, epochs, 1, low, warmup)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from start * rate to rate along half a cosine, for a share `rising` of the steps, then down to end * rate (Smith and
    Topin, "Super-convergence", 2018)."""

    rate: float
    steps: int | None = None
    epochs: int | None = None
    start: float = 0.04
    end: float = 4e-6
    rising: float = 0.3

    def __post_init__(self):
        self._check(start=(0, 1), end=(0, 1), rising=(0, 1))
        self._check_length()

    def factors(self, t, steps_per_epoch):
        length = self._length(steps_per_epoch)
        up = max(self.rising * length - 1, 1.0)
        down = max(length - 1 - up, 1.0)
        rise, fall = t / up, (t - up) / down
        rising = self.start + (1.0 - self.start) * (1.0 - half_cosine(np.where(rise > 1.0, 1.0, rise)))
        clamped = np.where(fall > 1.0, 1.0, np.where(fall < 0.0, 0.0, fall))
        return np.where(t <= up, rising, self.end + (1.0 - self.end) * half_cosine(clamped))


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """rate / (1 + t)^power, per step or per epoch."""

    rate: float
    power: float = 0.5
    per: str = "step"

    def __post_init__(self):
        self._check(power=(0, math.inf))
        _check_per(self.per)

    def factors(self, t, steps_per_epoch):
        n = 1.0 + _per(self.per, t, steps_per_epoch)
        if self.power in (0.5, 1):
            return 1.0 / (np.sqrt(n) if self.power == 0.5 else n)
        return exp(-float(self.power) * log(n))


def _warmed_up(factors, t, warmup):
    return np.where(t < warmup, (t + 1) / max(warmup, 1), factors)


def _per(per, t, steps_per_epoch):
    return t // steps_per_epoch if per == "epoch" else t


def _check_per(per):
    if per not in ("step", "epoch"):
        raise ValueError(f"per must be 'step' or 'epoch', not {describe(per)}")
