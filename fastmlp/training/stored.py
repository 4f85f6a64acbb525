"""A TrainingState as plain data and arrays, for files, and back; what comes back may be anything, and is checked."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..containers import describe
from ..update_rules import RULES
from ..validation import integer
from .history import History
from .metrics import Tally
from .records import Fit
from .state import TrainingState
from .sums import RunningSum

COUNTS = {"epoch": 0, "row": 0, "step": 0, "rule_steps": 0, "steps_per_epoch": 1}  # and the least that they can be
NUMBER = int, float, type(None)


def to_dict(state: TrainingState) -> dict[str, Any]:
    """All of a state that JSON can hold: everything but its arrays."""
    counts = {name: getattr(state, name) for name in COUNTS}
    so_far = {name: vars(value) if isinstance(value, RunningSum) else value for name, value in vars(state.so_far).items()}
    fits = [vars(fit) for fit in state.fits]
    more = {"history": state.history.to_dict(), "so_far": so_far, "fits": fits}
    return {**counts, "rule": state.rule, "powers": state.powers, **more}


def from_dict(data: Any, arrays: Mapping[str, np.ndarray], parameters: np.ndarray) -> TrainingState:
    """The state that to_dict described, with its arrays. Raises ValueError or TypeError where data is no such thing."""
    if not isinstance(data, Mapping) or not {*COUNTS, "rule", "powers", "history", "so_far", "fits"} <= data.keys():
        raise ValueError(f"training is {describe(data)}")
    counts = {name: integer(name, data[name], least) for name, least in COUNTS.items()}
    if data["rule"] is not None and data["rule"] not in tuple(RULES):
        raise ValueError(f"rule is {describe(data['rule'])}")
    if not isinstance(data["powers"], Mapping) or not all(map(_is_number, data["powers"].values())):
        raise ValueError(f"powers is {describe(data['powers'])}")
    for name, array in arrays.items():
        if array.dtype != parameters.dtype or array.shape != parameters.shape:
            raise ValueError(f"the optimizer's {name} is {describe(array)}, and the parameters are {describe(parameters)}")
    return TrainingState(
        **counts, rule=data["rule"], powers=dict(data["powers"]), arrays=dict(arrays),
        history=History.from_dict(data["history"]), so_far=_tally(data["so_far"]),
        fits=_fits(data["fits"]),
    )  # fmt: skip


def _fits(data: Any) -> list[Fit]:
    if not isinstance(data, list):
        raise ValueError(f"fits is {describe(data)}")
    return [Fit.from_dict(fit) for fit in data]


def _tally(data: Any) -> Tally:
    empty = vars(Tally())
    if not isinstance(data, Mapping) or data.keys() != empty.keys():
        raise ValueError(f"so_far is {describe(data)}")
    found: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("losses", "weights", "penalties"):
            if not _is_sum(value) and not (value is None and name != "losses"):
                raise ValueError(f"{name} of so_far is {describe(value)}")
            found[name] = None if value is None else RunningSum(**value)
        elif not _is_number(value):
            raise ValueError(f"{name} of so_far is {describe(value)}")
        else:
            found[name] = value
    return Tally(**found)


def _is_sum(value: object) -> bool:
    if not isinstance(value, Mapping) or value.keys() != vars(RunningSum()).keys():
        return False
    return all(_is_number(number) and number is not None for number in value.values())


def _is_number(value: object) -> bool:
    return isinstance(value, NUMBER) and not isinstance(value, bool)
