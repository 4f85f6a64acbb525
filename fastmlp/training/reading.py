"""The sources of data that fit reads as training goes, with each part of them checked and converted as it comes."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import validation
from ..backends import Environment
from ..containers import numbers
from ..reference import Samples
from .data_adapter import DataAdapter, Weighting
from .sources import Batches, Blocks, Reader, Source, parts_of
from .state import TrainingState


class Converter:
    """Converts what a source gives, in the thread that reads it.

    adapter: the network's. environment: in which NumPy rounds as the kernels do. state: of the training that reads.
    """

    def __init__(self, adapter: DataAdapter, environment: Environment, state: TrainingState, weighting: Weighting) -> None:
        self.adapter = DataAdapter(adapter.architecture, adapter.parameters, Reader)
        self.environment, self.state, self.weighting = environment, state, weighting

    def samples(self, x: Any, y: Any, sample_weight: Any, prefix: str) -> Samples:
        """The Samples of a part of the data; prefix: which it is, for errors."""
        with self.environment():
            samples = self.adapter.samples(x, y, prefix, finite="xy")
            samples = self.adapter.weighted(samples, sample_weight, *self.weighting[1:])
            if not self.state.step:
                validation.warn_of_large_inputs(samples.x, self.adapter.architecture.input_scale)
            return samples


def is_on_disk(x: Any, n_in: int) -> bool:
    """Whether x are memory-mapped rows, which are read block by block: what NumPy makes of them in memory has the same class."""
    return isinstance(x, np.memmap) and getattr(x, "_mmap", None) is not None and x.size > n_in


def source_of(converter: Converter, batches: Iterable[Any] | None, x: Any, y: Any, batch_size: int, shuffle: bool,
              steps_per_epoch: int | None) -> Source:  # fmt: skip
    """The source of batches, or where they are None of the rows of x and y, x being on a disk."""
    if batches is None and steps_per_epoch is not None:
        raise ValueError("steps_per_epoch is not for memory-mapped arrays: give slices of them")
    if isinstance(converter.weighting.class_weight, str):
        raise ValueError('class_weight="balanced" needs arrays in memory: give one weight for each class')
    if batches is None:
        return _of_rows(converter, x, y, batch_size, shuffle)
    if converter.weighting.sample_weight is not None:
        raise ValueError("sample_weight comes with the batches here, as (x, y, sample_weight)")
    if steps_per_epoch is not None:
        steps_per_epoch = validation.integer("steps_per_epoch", steps_per_epoch, 1)

    def batch(given: Any, number: int) -> Samples:
        samples = converter.samples(*parts_of(given, number), f"batch {number}: ")
        # A copy: the source may fill the same array again while this one is trained on.
        return samples._replace(x=samples.x.copy(), y=samples.y.copy())

    return Batches(batches, batch, steps_per_epoch)


def _of_rows(converter: Converter, x: Any, y: Any, batch_size: int, shuffle: bool) -> Blocks:
    """The source of memory-mapped x, with y and weights that may be so too."""
    sample_weight = converter.weighting.sample_weight
    if sample_weight is not None:
        sample_weight = numbers("sample_weight", sample_weight)
    y = numbers("y", y) if not isinstance(y, np.ndarray) else y
    for name, array in (("y", y), ("sample_weight", sample_weight)):
        if array is not None and (array.ndim == 0 or len(array) != len(x)):
            raise ValueError(f"{name} must have one entry for each of the {len(x)} rows of x, not shape {array.shape}")

    def block(start: int, stop: int) -> Samples:
        weights = None if sample_weight is None else sample_weight[start:stop]
        return converter.samples(x[start:stop], y[start:stop], weights, f"rows {start} to {stop}: ")

    n_in = converter.adapter.architecture.layer_sizes[0]
    return Blocks(block, len(x), n_in, min(batch_size, len(x)), shuffle)
