"""What users give a network to learn from, checked and converted: the Samples that its engine takes.

Data that are read as training goes are the matter of reading.py, which converts each part of them with an adapter of its own.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import validation
from ..architecture import Architecture
from ..arrays import Floats
from ..containers import describe, numbers
from ..reference import Samples
from ..validation import WeightMean


class Weighting(NamedTuple):
    """Arguments of fit that say how rows count, as they were given."""

    sample_weight: Any = None
    class_weight: Any = None
    weight_mean: WeightMean = "weights"
    label_smoothing: float = 0.0


class DataAdapter:
    """Makes the Samples of a network with this architecture and these parameters.

    finder: what finds numbers that are not finite, such as the network's engine.
    """

    def __init__(self, architecture: Architecture, parameters: Floats, finder: validation.FindsNonFinite) -> None:
        self.architecture, self.parameters, self.finder = architecture, parameters, finder

    def samples(self, x: Any, y: Any, prefix: str = "", finite: str = "") -> Samples:
        """The Samples of x and y, out of the way of updates to the parameters.

        prefix: before their names in errors. finite: which of them must be, such as "xy".
        """
        x_name, y_name = prefix + "x", prefix + "y"
        architecture = self.architecture
        x, single = validation.batch(x_name, x, architecture.layer_sizes[0], architecture.dtype)
        y = validation.targets(y_name, y, x_name, len(x), architecture, single)
        for name, array, letter in ((y_name, y, "y"), (x_name, x, "x")):
            if letter in finite:
                validation.finite(name, array, self.finder)
        return Samples(*(a.copy() if np.may_share_memory(a, self.parameters) else a for a in (x, y)))

    def weighted(self, samples: Samples, sample_weight: Any, class_weight: Any = None,
                 weight_mean: WeightMean = "weights", label_smoothing: float = 0.0) -> Samples:  # fmt: skip
        """The Samples with the weights of their rows, and what else their losses depend on, checked."""
        return samples._replace(
            weights=validation.row_weights(sample_weight, class_weight, samples.y, self.architecture),
            mean_over_rows=validation.mean_over_rows(weight_mean),
            smoothing=validation.label_smoothing(label_smoothing, self.architecture),
        )

    def validation_samples(self, data: Any) -> Samples:
        """The Samples of fit's validation_data."""
        if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
            raise TypeError(f"validation_data must be (x, y) or (x, y, sample_weight), not {describe(data)}")
        x, y, *weights = data
        samples = self.samples(x, y, prefix="validation_data ", finite="xy")
        return self.weighted(samples, weights[0] if weights else None)

    def split(self, samples: Samples, sample_weight: Any, share: float) -> tuple[Samples, Any, Samples]:
        """(Samples to train on, their sample_weight, Samples to evaluate): the last share of rows are those."""
        n = validation.rows_to_train_on("validation_split", share, len(samples.x))
        held_out = self.weighted(samples, sample_weight)
        held_out = held_out._replace(
            x=samples.x[n:], y=samples.y[n:], weights=None if held_out.weights is None else held_out.weights[n:]
        )
        rest = None if sample_weight is None else numbers("sample_weight", sample_weight)[:n]
        return Samples(samples.x[:n], samples.y[:n]), rest, held_out
