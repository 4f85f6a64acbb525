"""Optimizers: what users ask for, and the numbers that each step of an update rule takes, in float64."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from .arrays import Doubles, FloatDtype, Floats, Integers, aligned, aligned_zeros
from .containers import describe
from .monitor import check_measured
from .reference import Update
from .schedules import ReduceOnPlateau, Schedule
from .update_rules import LINES, RULES
from .validation import choice, flag, learning_rate, number

Rate = float | Schedule | Callable[[int], float]
Numbers = float | Doubles  # a number of all steps, or one for each


class State(Protocol):
    """What an optimizer keeps in a TrainingState."""

    rule: str | None
    rule_steps: int
    steps_per_epoch: int
    arrays: dict[str, Floats]
    powers: dict[str, float]

    def forget_optimizer(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What every optimizer takes.

    learning_rate: a number >= 0, a schedule (fastmlp.schedules), or a function of the step (0, 1, ...) that returns one.
    l2, l1: coefficients of l2 / 2 * sum w^2 and l1 * sum |w|, added to the mean loss: their gradients are added to the loss's.
    weight_decay: decoupled: w = w - learning_rate * weight_decay * w in each step.
    penalise_biases: whether these three are of biases too, not of weights alone.
    clip_norm: the most that the norm of all gradients together may be; None does not clip.
    clip_value: the most that the magnitude of each gradient may be; not together with clip_norm.
    average: None, or the share that an average of the weights keeps in each step, such as 0.999; after fit the network holds
        the average. It begins as a plain mean: the share is min(average, (1 + t) / (10 + t)) at step t.
    form: "torch" or "keras", which differ in where a rate that changes enters momentum and where epsilon stands.
    """

    learning_rate: Rate = 0.001
    l2: float = 0.0
    l1: float = 0.0
    weight_decay: float = 0.0
    penalise_biases: bool = False
    clip_norm: float | None = None
    clip_value: float | None = None
    average: float | None = None
    form: str = "torch"

    def __post_init__(self) -> None:
        if not callable(self.learning_rate) and not isinstance(self.learning_rate, Schedule):
            number("learning_rate", self.learning_rate, 0)
        object.__setattr__(self, "penalise_biases", flag("penalise_biases", self.penalise_biases))
        for name in ("l2", "l1", "weight_decay"):
            number(name, getattr(self, name), 0)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                number(name, getattr(self, name), 0, low_is_in=False)
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("clip_norm and clip_value are two ways to clip: give one of them")
        if self.average is not None:
            number("average", self.average, 0, 1)
        choice("form", self.form, ("torch", "keras"))

    @property
    def rule(self) -> str:
        """The name of its rule, of RULES."""
        raise NotImplementedError

    def numbers(self, state: State, t: Integers, rates: Doubles) -> Sequence[Numbers]:
        """The rule's numbers in the steps t of a TrainingState, state, whose learning rates are rates: a column or one for all."""
        raise NotImplementedError

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines around the rule, of LINES."""
        on = (self.clip_value is not None, self.l2 > 0, self.l1 > 0, self.weight_decay > 0, self.average is not None)
        return tuple(line for line, is_on in zip(LINES, on) if is_on)

    def begin(self, state: State, parameters: Floats, steps_per_epoch: int = 1) -> None:
        """Take over a TrainingState, state, or begin anew where another rule stands there, for these parameters (flat).

        steps_per_epoch: for schedules.
        """
        names, arrays = RULES[self.rule].state, state.arrays
        if state.rule != self.rule or any(name not in arrays for name in names):
            state.forget_optimizer()
            state.rule = self.rule
            state.arrays = arrays = {name: aligned_zeros(parameters.size, parameters.dtype) for name in names}
        trained, average = arrays.pop("trained", None), arrays.get("average")
        if trained is not None and average is not None:
            if parameters.tobytes() == average.tobytes():
                parameters[...] = trained
            else:  # they were changed since: what was averaged is no longer theirs
                del arrays["average"]
        if self.average is None:
            arrays.pop("average", None)
        elif "average" not in arrays:
            arrays["average"] = aligned(parameters.copy())
        state.steps_per_epoch = steps_per_epoch

    def finish(self, state: State, parameters: Floats) -> None:
        """Leave the average in the parameters, where there is one; what training goes on from is kept in state."""
        if self.average is not None:
            state.arrays["trained"] = parameters.copy()
            parameters[...] = state.arrays["average"]

    @contextlib.contextmanager
    def averaged(self, state: State, parameters: Floats) -> Iterator[None]:
        """Within it the parameters are their average, where state has one."""
        if self.average is None:
            yield
            return
        trained = parameters.copy()
        parameters[...] = state.arrays["average"]
        try:
            yield
        finally:
            parameters[...] = trained

    def update(self, state: State, n_steps: int, dtype: FloatDtype, divisors: Doubles | None = None) -> Update:
        """The Update for the next n_steps of a TrainingState, state, which is then that many steps further.

        dtype: of the parameters. divisors: float64, one for each of the steps, by which l2 and l1 are divided; None for 1.
        """
        n_numbers = 1 if self.is_constant and divisors is None else n_steps
        t = state.rule_steps + np.arange(n_numbers, dtype=np.int64)
        rates = self.rates(t, state)
        columns = [*self.numbers(state, t, rates), *self._numbers_of_lines(t, rates, 1.0 if divisors is None else divisors)]
        numbers = np.empty((n_numbers, len(columns)))
        for i, column in enumerate(columns):
            numbers[:, i] = column
        state.rule_steps += n_steps
        if n_numbers > 1 and (numbers == numbers[0]).all():
            numbers = numbers[:1]
        lines, arrays = self.lines, RULES[self.rule].state
        arrays = (*arrays, "average") if "average" in lines else arrays
        with np.errstate(all="ignore"):
            return Update(
                self.rule, numbers.astype(dtype), tuple(state.arrays[name] for name in arrays), lines, self.penalise_biases,
                None if self.clip_norm is None else (float(self.clip_norm), 1e-6 if self.form == "torch" else 0.0),
            )  # fmt: skip

    @property
    def is_constant(self) -> bool:
        """Whether all steps take the same numbers."""
        return (
            self.rule == "sgd"
            and self.average is None
            and not callable(self.learning_rate)
            and not isinstance(self.learning_rate, Schedule)
        )

    @property
    def counts_epochs(self) -> bool:
        """Whether the learning rate depends on how many steps an epoch has."""
        rate = self.learning_rate
        return isinstance(rate, Schedule) and (
            getattr(rate, "epochs", None) is not None or getattr(rate, "per", "") == "epoch"
        )

    def rates(self, t: Integers, state: State) -> Doubles:
        """The learning rates of the steps with the numbers t (int64), float64 (len(t),); state: the TrainingState."""
        if isinstance(self.learning_rate, ReduceOnPlateau):
            return self.learning_rate.reduced(t, state.powers)
        if isinstance(self.learning_rate, Schedule):
            return self.learning_rate.rates(t, state.steps_per_epoch)
        if callable(self.learning_rate):
            name = getattr(self.learning_rate, "__name__", type(self.learning_rate).__name__)
            said = f"what {name}, the learning_rate, returns for step "
            return np.array([number(f"{said}{step}", self.learning_rate(int(step)), 0) for step in t])
        return np.full(len(t), float(self.learning_rate))

    def is_at_rest(self, state: State, n_steps: int) -> bool:
        """Whether a schedule's rates are 0 in all of the next n_steps of a TrainingState, state, but not from its beginning."""
        schedule = self.learning_rate
        if not isinstance(schedule, Schedule) or isinstance(schedule, ReduceOnPlateau):
            return False

        def moves(first: int) -> bool:
            starts = range(first, first + n_steps, 1024)
            ts = (np.arange(start, min(start + 1024, first + n_steps), dtype=np.int64) for start in starts)
            return any(self.rates(t, state).any() for t in ts)

        return not moves(state.rule_steps) and moves(0)

    def check_measured(self, names: Collection[str]) -> None:
        """Raise ValueError if the learning rate depends on what a fit does not measure, names being what it does."""
        if isinstance(self.learning_rate, ReduceOnPlateau):
            check_measured(self.learning_rate.monitor, names)

    def after_epoch(self, state: State, measured: Mapping[str, float]) -> None:
        """Take note in the TrainingState, state, of what an epoch measured, {name: number}."""
        if isinstance(self.learning_rate, ReduceOnPlateau):
            self.learning_rate.after_epoch(state.powers, measured)

    def check(self, dtype: FloatDtype) -> None:
        """Raise ValueError for numbers that dtype cannot hold."""
        if not callable(self.learning_rate) and not isinstance(self.learning_rate, Schedule):
            learning_rate(self.learning_rate, dtype)

    def _numbers_of_lines(self, t: Integers, rates: Doubles, divisors: Doubles | float) -> list[Numbers]:
        values: dict[str, Callable[[], Numbers]] = {
            "clip_value": lambda: self.clip_value or 0.0,
            "l2": lambda: self.l2 / divisors,
            "l1": lambda: self.l1 / divisors,
            "decay": lambda: rates * self.weight_decay,
            "average": lambda: np.maximum(9.0 / (10.0 + (t + 1)), 1.0 - float(self.average or 0.0)),
        }
        return [values[line]() for line in self.lines]


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """Gradient descent: w = w - learning_rate * g; with momentum mu, v = mu v + (1 - dampening) g and w = w - learning_rate v,
    with Nesterov's form looking ahead by one step (Sutskever, Martens, Dahl and Hinton, ICML 2013).

    form="keras": v = mu v + learning_rate g, w = w - v, as Keras and scikit-learn have it.

    learning_rate: 0.1 unless given. momentum: mu, from 0 to 1. nesterov: whether to look ahead; it needs momentum. dampening: from
    0 to 1, with PyTorch's form of momentum alone. The others are those of every optimizer, see fastmlp.optimizers.Optimizer.
    Raises ValueError or TypeError, naming the argument.

    >>> net = fastmlp.MLP([2, 1], seed=0, dtype="float64", init="zeros")
    >>> for _ in range(2):
    ...     loss = net.train_step([1, 2], [1], optimizer=SGD(learning_rate=0.1, momentum=0.5))
    >>> net.weights[0][:, 0]
    array([0.19, 0.38])
    """

    learning_rate: Rate = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("momentum", self.momentum, 0, 1)
        number("dampening", self.dampening, 0, 1)
        object.__setattr__(self, "nesterov", flag("nesterov", self.nesterov))
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0")
        if self.dampening and (self.nesterov or self.form == "keras"):
            raise ValueError("dampening does not go with nesterov, nor with form='keras'")

    @property
    def rule(self) -> str:
        """The name of its update rule: sgd, momentum or nesterov."""
        return "sgd" if not self.momentum else "nesterov" if self.nesterov else "momentum"

    def numbers(self, state: State, t: Integers, rates: Doubles) -> Sequence[Numbers]:
        if not self.momentum:
            return [rates]
        if self.form == "keras":
            return self.momentum, rates, 1.0
        return self.momentum, np.where(t == 0, 1.0, 1.0 - self.dampening), rates


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2; w = w - learning_rate m' / (sqrt(v') + epsilon), with
    m' and v' freed of their beginning at 0 (Kingma and Ba, ICLR 2015).

    form="keras": epsilon is added to sqrt(v) before that is divided out, as Keras and scikit-learn have it.

    learning_rate: 0.001 unless given. beta_1, beta_2: from 0 to below 1, also in the network's dtype. epsilon: a number above 0
    that the dtype can hold. The others are those of every optimizer, see fastmlp.optimizers.Optimizer.
    Raises ValueError or TypeError, naming the argument.

    >>> net = fastmlp.MLP([2, 1], seed=0, dtype="float64", init="zeros")
    >>> loss = net.train_step([1, -2], [1], optimizer=Adam(learning_rate=0.01))     # the first step is the rate, whatever g
    >>> net.weights[0][:, 0].round(9)
    array([ 0.01, -0.01])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    rule = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_1", "beta_2"):
            if number(name, getattr(self, name), 0, 1) == 1:
                raise ValueError(f"{name} must be below 1")
        number("epsilon", self.epsilon, 0, low_is_in=False)

    def check(self, dtype: FloatDtype) -> None:
        super().check(dtype)
        _check_means(dtype, self.epsilon, beta_1=self.beta_1, beta_2=self.beta_2)

    def numbers(self, state: State, t: Integers, rates: Doubles) -> Sequence[Numbers]:
        p1, p2 = (_powers(state, name, getattr(self, name), len(t)) for name in ("beta_1", "beta_2"))
        root = np.sqrt(1.0 - p2)
        a = (rates * root) / (1.0 - p1)
        epsilon = self.epsilon * root if self.form == "torch" else self.epsilon
        return self.beta_1, 1.0 - self.beta_1, self.beta_2, 1.0 - self.beta_2, a, epsilon


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 unless given (Loshchilov and Hutter, ICLR 2019); the rest is Adam's."""

    weight_decay: float = 0.01


@dataclass(frozen=True, kw_only=True)
class RMSprop(Optimizer):
    """v = rho v + (1 - rho) g^2; w = w - learning_rate g / (sqrt(v) + epsilon), or with momentum mu, m = mu m + that quotient
    and w = w - learning_rate m (Hinton, lecture 6e of "Neural networks for machine learning", 2012).

    form="keras": g / sqrt(v + epsilon), and the learning rate within m.

    learning_rate: 0.001 unless given. rho: from 0 to below 1. epsilon: a number above 0. momentum: from 0 to 1. The others are
    those of every optimizer, see fastmlp.optimizers.Optimizer. Raises ValueError or TypeError, naming the argument.
    """

    rho: float = 0.9
    epsilon: float = 1e-8
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("momentum", self.momentum, 0, 1)
        if number("rho", self.rho, 0, 1) == 1:
            raise ValueError("rho must be below 1")
        number("epsilon", self.epsilon, 0, low_is_in=False)

    @property
    def rule(self) -> str:
        """The name of its update rule: rmsprop or rmsprop_momentum."""
        return "rmsprop_momentum" if self.momentum else "rmsprop"

    def check(self, dtype: FloatDtype) -> None:
        super().check(dtype)
        _check_means(dtype, self.epsilon, rho=self.rho)

    def numbers(self, state: State, t: Integers, rates: Doubles) -> Sequence[Numbers]:
        e1, e2 = (0.0, self.epsilon) if self.form == "torch" else (self.epsilon, 0.0)
        rate_in_k = self.form == "keras" or not self.momentum
        own = [self.rho, 1.0 - self.rho, rates if rate_in_k else 1.0, e1, e2]
        return [*own, self.momentum, 1.0 if rate_in_k else rates] if self.momentum else own


OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


def optimizer_of(value: object, rate: Any, dtype: FloatDtype) -> Optimizer:
    """The Optimizer that the arguments optimizer (a name, an Optimizer or None) and learning_rate (or None) stand for."""
    if value is None:
        value = SGD()
    elif isinstance(value, str):
        value = OPTIMIZERS[choice("optimizer", value.lower(), OPTIMIZERS)]()
    elif isinstance(value, Optimizer) and rate is not None:
        raise ValueError("learning_rate is the optimizer's: give it there, or the optimizer by its name")
    elif not isinstance(value, Optimizer):
        raise TypeError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, or such as fastmlp.Adam(), not {describe(value)}")
    if rate is not None:
        is_schedule = callable(rate) or isinstance(rate, Schedule)
        value = replace(value, learning_rate=rate if is_schedule else learning_rate(rate, dtype))
    value.check(dtype)
    return value


def _powers(state: State, name: str, beta: float, n_steps: int) -> Doubles | np.float64:
    """beta^t of the next steps, float64: a running product, which goes on from the last one's."""
    if n_steps == 1:
        state.powers[name] = product = state.powers.get(name, 1.0) * float(beta)
        return np.float64(product)  # whose arithmetic takes a fifth of the time of an array's
    products = np.multiply.accumulate(np.concatenate([[state.powers.get(name, 1.0)], np.full(n_steps, float(beta))]))
    state.powers[name] = float(products[-1])
    return products[1:]


def _check_means(dtype: FloatDtype, epsilon: float, **means: float) -> None:
    T, least = dtype.type, np.finfo(dtype).tiny
    for name, value in means.items():
        if T(value) == 1:
            raise ValueError(f"{name} {value!r} is 1 in {dtype.name}: nothing would ever decay")
    if T(epsilon * float(np.sqrt(1.0 - max(means.values())))) < least:
        raise ValueError(f"epsilon {epsilon!r} is too small for {dtype.name}")
