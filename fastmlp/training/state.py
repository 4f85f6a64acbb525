"""Where the training of a network stands: all that, beside its parameters, decides how it goes on.

The loop, the files and the callbacks read and write this object, and nothing else of a network.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..arrays import Floats, aligned
from .history import History
from .metrics import Tally
from .records import Fit, keeper


@dataclass
class TrainingState:
    """What only the call whose Turn it is writes.

    epoch: passes over the data that were completed, over all calls of fit.
    row: how many rows of a further epoch have been trained on.
    step: updates of the parameters since the beginning.
    rule: the name of the update rule that the next ones belong to; None before the first step.
    rule_steps: updates that this rule has made.
    arrays: the rule's arrays, by name, each like the parameters; "average", where weights are averaged, and "trained", the
        weights that training goes on from while the network holds their average.
    powers: running products, by name, such as beta1^t of Adam, and where a rate that falls on a plateau stands.
    steps_per_epoch: how many steps the last fit's epochs had, for schedules that count epochs.
    history: what all fits recorded.
    so_far: what the rows of a further epoch came to.
    fits: what is recorded of each fit, so that it can be repeated.
    """

    epoch: int = 0
    row: int = 0
    step: int = 0
    rule: str | None = None
    rule_steps: int = 0
    steps_per_epoch: int = 1
    arrays: dict[str, Floats] = field(default_factory=dict)
    powers: dict[str, float] = field(default_factory=dict)
    history: History = field(default_factory=History)
    so_far: Tally = field(default_factory=Tally)
    fits: list[Fit] = field(default_factory=list)

    # No field, nor part of what is kept.
    stop_training = False  # whether a callback has asked for the end of training

    def __post_init__(self) -> None:
        self.arrays = {name: aligned(array) for name, array in self.arrays.items()}

    def forget_optimizer(self) -> None:
        """As before the first step of any optimizer."""
        self.rule, self.rule_steps, self.arrays, self.powers = None, 0, {}, {}

    def take_optimizer(self, other: "TrainingState") -> None:
        """Go on with the optimizer's state of another TrainingState."""
        self.rule, self.rule_steps, self.arrays, self.powers = other.rule, other.rule_steps, other.arrays, other.powers

    @contextlib.contextmanager
    def undone_by_errors(self, parameters: Floats) -> Iterator[None]:
        """Leave parameters and state as they are now if an activation of the user's own raises on the way."""
        go_back = self.kept(parameters)
        try:
            yield
        except Exception:
            go_back()
            raise

    def kept(self, parameters: Floats) -> Callable[[], None]:
        """Keep parameters and state as they are now; returns the function that goes back to them."""
        numbers = parameters.copy()
        arrays = {name: array.copy() for name, array in self.arrays.items()}
        so_far = copy.deepcopy(self.so_far) if self.row else Tally()  # which each epoch begins with, and copies slowly
        state = replace(self, arrays=arrays, powers=dict(self.powers), so_far=so_far)
        history_goes_back, fits_go_back = self.history.kept(), keeper(self.fits)

        def go_back() -> None:
            parameters[...] = numbers
            self.become(state)
            history_goes_back()
            fits_go_back()

        return go_back

    def weights_kept(self, parameters: Floats) -> dict[str, Any]:
        """The weights that are trained and what the optimizer has of them, by name: arrays, numbers and the rule's name."""
        arrays = {f"array {name}": array.copy() for name, array in self.arrays.items()}
        powers = {f"power {name}": value for name, value in self.powers.items()}
        return {"weights": parameters.copy(), "rule": self.rule, "rule_steps": self.rule_steps, **arrays, **powers}

    def restore_weights(self, parameters: Floats, kept: Mapping[str, Any]) -> None:
        """Go back to these weights; the network holds their average where there is one, as after fit."""
        self.rule, self.rule_steps = kept["rule"], kept["rule_steps"]
        self.arrays = {name[6:]: aligned(array.copy()) for name, array in kept.items() if name.startswith("array ")}
        self.powers = {name[6:]: value for name, value in kept.items() if name.startswith("power ")}
        parameters[...] = kept["weights"]
        if "average" in self.arrays:
            self.arrays["trained"] = kept["weights"].copy()
            parameters[...] = self.arrays["average"]

    def become(self, other: "TrainingState") -> None:
        """Take over all that another state holds."""
        for f in fields(self):
            setattr(self, f.name, getattr(other, f.name))

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        TrainingState.__init__(self, **state)
