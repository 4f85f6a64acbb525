"""The attribute _optimizer: scikit-learn's optimizers, whose state lies in flat arrays and whose steps are Updates.

learning_rate, ms, vs, velocities and t are there to be read and set, and update_params works, as scikit-learn has them.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, BaseOptimizer, SGDOptimizer

from .. import optimizers
from ..architecture import n_parameters
from ..reference import Update
from ..schedules import power
from ..training.state import TrainingState
from .parameters import Parameters, lists_of_views


def of_state(name: str) -> Any:
    """A property: the lists of scikit-learn's optimizers, as views of the flat array of this name."""

    def read(self: "OnFlatArrays") -> list[np.ndarray]:
        flat = self.state.arrays.get(name)  # without momentum there is none
        weights, biases = lists_of_views(np.zeros(n_parameters(self.sizes)) if flat is None else flat, self.sizes)
        return weights + biases

    def write(self: "OnFlatArrays", arrays: Any) -> None:
        for view, array in zip(read(self), arrays):
            view[...] = array

    return property(read, write)


class OnFlatArrays(BaseOptimizer):
    """What scikit-learn's optimizers and fastmlp's own have in common here."""

    state: TrainingState
    options: Mapping[str, Any] = MappingProxyType({})
    _kept: tuple[dict[str, Any], optimizers.Optimizer] | None = None

    def begin(self, parameters: Parameters, options: dict[str, Any], steps_per_epoch: int) -> None:
        """Take over parameters; options: of the Optimizer, what the estimator says beside: l2, l1, average and so on."""
        self.sizes, self.options, arrays = parameters.sizes, options, self.state.arrays
        if any(array.size != parameters.flat.size for array in arrays.values()):
            self.state.forget_optimizer()
        for name, array in arrays.items():
            arrays[name] = array.astype(parameters.flat.dtype, copy=not array.flags.writeable)
        self.rule().begin(self.state, parameters.flat, steps_per_epoch)

    def rule(self) -> optimizers.Optimizer:
        """fastmlp's Optimizer for the steps that come next, kept until a number changes."""
        numbers = {**self.numbers(), **self.options}
        if self._kept is None or self._kept[0] != numbers:
            self._kept = numbers, self.made(numbers)
        return self._kept[1]

    def numbers(self) -> dict[str, Any]:
        """What users may change of it."""
        raise NotImplementedError

    def made(self, numbers: dict[str, Any]) -> optimizers.Optimizer:
        """The Optimizer with these numbers."""
        raise NotImplementedError

    def update(self, n_steps: int, dtype: np.dtype, divisors: np.ndarray) -> Update:
        """The Update for the next steps. divisors: what alpha is divided by in each."""
        return self.rule().update(self.state, n_steps, dtype, divisors)

    def to_sklearn(self) -> Any:
        """scikit-learn's own, with copies of the state; None where it has none such."""
        return None


class SGD(OnFlatArrays, SGDOptimizer):
    """scikit-learn's gradient descent with momentum."""

    def __init__(self, sizes: tuple[int, ...], learning_rate_init: float, lr_schedule: str, momentum: float, nesterov: bool,
                 power_t: float):  # fmt: skip
        BaseOptimizer.__init__(self, float(learning_rate_init))  # scikit-learn's numbers may be True and False
        self.lr_schedule, self.momentum, self.nesterov, self.power_t = lr_schedule, float(momentum), nesterov, power_t
        self.sizes, self.state = sizes, TrainingState()

    velocities = of_state("v")

    def to_sklearn(self) -> SGDOptimizer:
        velocities = [array.copy() for array in self.velocities]
        theirs = SGDOptimizer(
            velocities, self.learning_rate_init, self.lr_schedule, self.momentum, self.nesterov, self.power_t
        )
        theirs.learning_rate, theirs.velocities = self.learning_rate, velocities
        return theirs

    def numbers(self) -> dict[str, Any]:
        nesterov = bool(self.nesterov and self.momentum)
        return {"learning_rate": self.learning_rate, "momentum": self.momentum, "nesterov": nesterov}

    def made(self, numbers: dict[str, Any]) -> optimizers.Optimizer:
        return optimizers.SGD(form="keras", **numbers)

    def update(self, n_steps: int, dtype: np.dtype, divisors: np.ndarray) -> Update:
        update = super().update(n_steps, dtype, divisors)
        if self.momentum:  # scikit-learn's velocities point downhill: v = mu v - rate g, w = w + v
            update.numbers[:, 1:3] *= -1
        return update


class Adam(OnFlatArrays, AdamOptimizer):
    """scikit-learn's Adam."""

    def __init__(self, sizes: tuple[int, ...], learning_rate_init: float, beta_1: float, beta_2: float, epsilon: float):
        BaseOptimizer.__init__(self, float(learning_rate_init))
        self.beta_1, self.beta_2, self.epsilon = float(beta_1), float(beta_2), float(epsilon)
        self.sizes, self.state = sizes, TrainingState()

    ms, vs = of_state("m"), of_state("v")

    def to_sklearn(self) -> AdamOptimizer:
        ms, vs = ([array.copy() for array in arrays] for arrays in (self.ms, self.vs))
        theirs = AdamOptimizer(ms, self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        theirs.learning_rate, theirs.ms, theirs.vs, theirs.t = self.learning_rate, ms, vs, self.t
        return theirs

    @property
    def t(self) -> int:
        """How many steps were taken."""
        return self.state.rule_steps

    @t.setter
    def t(self, steps: int) -> None:
        self.state.rule_steps = steps
        self.state.powers = {name: float(power(getattr(self, name), np.array([steps]))[0]) for name in ("beta_1", "beta_2")}

    def numbers(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate_init, "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
        }  # fmt: skip

    def made(self, numbers: dict[str, Any]) -> optimizers.Optimizer:
        return optimizers.Adam(form="keras", **numbers)

    def update(self, n_steps: int, dtype: np.dtype, divisors: np.ndarray) -> Update:
        update, powers = super().update(n_steps, dtype, divisors), self.state.powers
        self.learning_rate = self.learning_rate_init * float(np.sqrt(1 - powers["beta_2"])) / (1 - powers["beta_1"])
        return update


class Own(OnFlatArrays):
    """One of fastmlp's Optimizers, which the estimator's parameter optimizer names or is."""

    def __init__(self, sizes: tuple[int, ...], optimizer: optimizers.Optimizer):
        self.optimizer = optimizer
        self.sizes, self.state = sizes, TrainingState()

    def begin(self, parameters: Parameters, options: dict[str, Any], steps_per_epoch: int) -> None:
        self.optimizer.check(parameters.flat.dtype)
        super().begin(parameters, options, steps_per_epoch)

    def numbers(self) -> dict[str, Any]:
        return {}

    def made(self, numbers: dict[str, Any]) -> optimizers.Optimizer:
        return replace(self.optimizer, **numbers)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.rates(np.array([self.state.rule_steps]), self.state)[0])


def adopted(theirs: Any, sizes: tuple[int, ...]) -> OnFlatArrays:
    """One of scikit-learn's own optimizers, as one of these."""
    if isinstance(theirs, OnFlatArrays):
        return theirs
    if isinstance(theirs, SGDOptimizer):
        ours: OnFlatArrays = SGD(sizes, *(getattr(theirs, name) for name in
                                 ("learning_rate_init", "lr_schedule", "momentum", "nesterov", "power_t")))  # fmt: skip
        lists = {"v": theirs.velocities} if theirs.momentum else {}
    else:
        ours = adam = Adam(sizes, *(getattr(theirs, name) for name in ("learning_rate_init", "beta_1", "beta_2", "epsilon")))
        adam.t = theirs.t
        lists = {"m": theirs.ms, "v": theirs.vs}
    ours.learning_rate = theirs.learning_rate
    depth = len(sizes) - 1
    for name, arrays in lists.items():
        ours.state.arrays[name] = Parameters.of(arrays[:depth], arrays[depth:], arrays[0].dtype).flat
    ours.state.rule = ours.rule().rule
    return ours
