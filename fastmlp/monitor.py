"""Whether what an epoch measured has improved, for what waits for that: early stopping, and rates that fall on a plateau."""

from collections.abc import Iterable

from .containers import describe
from .validation import choice, integer, number

RISING = "accuracy", "precision", "recall", "f1", "r2", "score"  # how the names of what should grow end
FALLING = "loss", "error", "mae", "mse", "rmse", "penalty"


def check_waiting(monitor: str, mode: str, patience: int, min_delta: float) -> None:
    """Raise TypeError or ValueError for wrong arguments of what waits for an improvement."""
    if not isinstance(monitor, str):
        raise TypeError(f"monitor must be the name of what is measured, such as 'val_loss', not {describe(monitor)}")
    choice("mode", mode, ("auto", "min", "max"))
    if mode == "auto" and not monitor.endswith(RISING + FALLING):
        raise ValueError(f"whether {monitor!r} should fall or grow is not known: pass mode='min' or mode='max'")
    integer("patience", patience, 0)
    number("min_delta", min_delta, 0)


def check_measured(monitor: str, names: Iterable[str]) -> None:
    """Raise ValueError if a fit does not measure it."""
    if monitor not in names:
        hint = ": pass validation_data or validation_split" if monitor.startswith("val_") else ""
        raise ValueError(f"monitor {monitor!r} is not measured in this fit, but {', '.join(names)}{hint}")


def improved(value: float, best: float | None, monitor: str, mode: str, min_delta: float) -> bool:
    """Whether value is better than the best so far by more than min_delta; NaN is not."""
    if best is None:
        return value == value
    rising = monitor.endswith(RISING) if mode == "auto" else mode == "max"
    return value > best + min_delta if rising else value < best - min_delta
