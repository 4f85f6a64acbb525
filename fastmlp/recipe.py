"""Recipes: how a network came to be, and training it again, which gives the same bits wherever the recipe is followed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .containers import numbers
from .schedules import ReduceOnPlateau
from .training.callbacks import Callback, Logs
from .training.records import Fit, rebuilt, short_hash

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SHOWN = 12  # digits of checksums in messages


class Reproduction(NamedTuple):
    """Whether a recipe, followed again, gave the same network; it is true where it did, and str says it in words.

    epochs: after how many epochs the parameters were the same. parted: the first epoch, from 1, after which they were not.
    differs: what else is not as it was, in words.
    """

    same: bool
    epochs: int
    parted: int | None = None
    differs: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        if self.same:
            return f"yes: the same bits after each of {self.epochs} epochs"
        where = f"it parted in epoch {self.parted}" if self.parted else f"the same bits after {self.epochs} epochs, but"
        return f"NO: {where}: {'; '.join(self.differs)}"


class Recipe:
    """How a network came to be: its fits, each with its arguments, the SHA-256 of its data, and a hash after every epoch.

    fits: a list of fastmlp.training.records.Fit. It is in the files that save writes, and costs a fit some 1 to 3% of its time:
    where it would be more, only every so many rows of the data are hashed, as data["every"] says, and large networks are not
    hashed after epochs of some thousand rows, but at the end.
    """

    def __init__(self, fits: list[Fit], fresh: Callable[..., Any], sha256: str, epochs: int) -> None:
        self.fits = fits
        self._fresh, self._sha256, self._epochs = fresh, sha256, epochs

    def __repr__(self) -> str:
        lines = [
            f"fit {i}: {len(fit.epochs)} epochs of {fit.data['rows'] if fit.data else '?'} rows, " +
            ", ".join(f"{name}={value!r}" for name, value in fit.arguments.items() if value not in (None, 0, False, []))
            for i, fit in enumerate(self.fits, 1)
        ]  # fmt: skip
        return "\n".join(lines) or "no fit is recorded"

    def reproduce(self, x: "ArrayLike", y: "ArrayLike", *, backend: str | None = None, n_threads: int | None = None,
                  **arguments: Any) -> Reproduction:  # fmt: skip
        """Train again, from the seed on, until the first epoch after which the parameters are others; the Reproduction.

        x, y: the data of all fits. backend, n_threads: as for MLP; the bits do not depend on them.
        arguments: those of fit that a recipe does not hold: sample_weight, where training was given it; validation_data, where
            early stopping or a schedule watched it; an optimizer whose learning rate is a function; callbacks of your own.

        Raises ValueError where such an argument is needed, and where the network has no recipe: it was never trained by fit, or its
        first weights were given as arrays or functions.
        """
        if not self.fits:
            raise ValueError("this network has no recipe: it was not trained by fit, or saved before recipes were")
        net, agreed = self._fresh(backend, n_threads), 0
        for i, fit in enumerate(self.fits):
            if fit.began and fit.began != net.hash():
                before = "the first fit: they are not those that the seed gives" if i == 0 else f"fit {i + 1}"
                changed = f"the weights were changed before {before}, by train_step or by hand"
                return Reproduction(False, agreed, None, (changed,))
            watch = _Watch(fit.epochs)
            options = {**_arguments_of(fit, arguments), **arguments}
            options["callbacks"] = [*options.get("callbacks", ()), watch]
            net.fit(_typed(x, fit), y, **options, verbose=0)
            made = net.state.fits[-1]
            pairs = enumerate(zip(made.epochs, fit.epochs))
            n_same = next((n for n, (now, then) in pairs if now != then), min(len(made.epochs), len(fit.epochs)))
            agreed += n_same
            if n_same < len(fit.epochs):
                return Reproduction(False, agreed, agreed + 1, _differences(fit, made, arguments))
            if fit.ended is None:
                return Reproduction(False, agreed, None, (f"fit {i + 1} was interrupted there, and gave weights of its own",))
            if fit.ended != made.ended:
                return Reproduction(
                    False, agreed, None, ("the weights that fit left are others", *_differences(fit, made, arguments))
                )
        if agreed < self._epochs:
            return Reproduction(False, agreed, None, (f"{self._epochs - agreed} further epochs are not recorded",))
        if self._sha256 == net.hash():
            return Reproduction(True, agreed)
        if all(fit.began for fit in self.fits):
            return Reproduction(
                False, agreed, None, ("the weights were changed after the last fit, by train_step or by hand",)
            )
        differs = "the weights at the end are others", *_differences(fit, made, arguments)
        return Reproduction(False, 0, None, differs)


class _Watch(Callback):
    """Ends training after the last epoch of a recorded fit, or the first whose parameters are others."""

    def __init__(self, epochs: list[str]) -> None:
        self.left = list(reversed(epochs))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        then = self.left.pop() if self.left else ""  # a fit may have ended in its first epoch
        if then and then != short_hash(self.net.parameters) or not self.left:
            self.net.stop_training = True


def _arguments_of(fit: Fit, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of fit that are recorded; ValueError where one is lacking that training cannot do without."""
    lacking = [words for words in fit.unsaid if not words.startswith("the callback") and words.split(",")[0] not in given]
    if lacking:
        raise ValueError(f"the recipe cannot hold {'; '.join(lacking)}: give it, as for fit")
    try:
        arguments = {name: rebuilt(value) for name, value in fit.arguments.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the recipe is damaged: {type(error).__name__} {error}") from error
    watches = arguments.get("early_stopping") or isinstance(
        getattr(arguments.get("optimizer"), "learning_rate", None), ReduceOnPlateau
    )
    if watches and fit.validation and "validation_data" not in given:
        raise ValueError("training watched its validation data: give validation_data, as for fit")
    return arguments


def _typed(x: Any, fit: Fit) -> Any:
    """x in the type that it had, where its numbers are the same in it: a number is its value in every type."""
    if fit.data is None:
        return x
    array = numbers("x", x)
    if array.dtype.name == fit.data["x"]:
        return x
    with np.errstate(all="ignore"):
        typed = array.astype(fit.data["x"])
    return typed if (typed == array).all() else x


def _differences(then: Fit, now: Fit, given: dict[str, Any]) -> tuple[str, ...]:
    found = []
    for name, was, is_now in (
        ("the training data", then.data, now.data),
        ("the validation data", then.validation, now.validation),
    ):
        if was and is_now and was["sha256"] != is_now["sha256"]:
            sums = f"SHA-256 {is_now['sha256'][:SHOWN]}... here, {was['sha256'][:SHOWN]}... then"
            rows = "" if was["rows"] == is_now["rows"] else f"{is_now['rows']} rows here, {was['rows']} then, "
            found.append(f"{name} differ: {rows}{sums}")
    for name, version in then.versions.items():
        if now.versions.get(name) != version:
            found.append(f"the version of {name} differs: {now.versions.get(name)} here, {version} then")
    differing = [name for name in then.arguments if name in given and then.arguments[name] != now.arguments.get(name)]
    found += [
        f"the argument {name} differs: {now.arguments.get(name)} here, {then.arguments[name]} then" for name in differing
    ]
    found += [
        f"{words} is not repeated" for words in then.unsaid if words.startswith("the callback") and words not in now.unsaid
    ]
    every = then.data["every"] if then.data else 0
    looked = f", of the inputs in every {every} rows" if every > 1 else "" if every else ", and the data were not recorded"
    return tuple(found) or (f"nothing that the recipe knows differs{looked}",)
