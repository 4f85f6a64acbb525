"""coefs_ and intercepts_ as views of one flat array, which engines compute with."""

from collections.abc import Sequence
from functools import cached_property
from operator import is_
from typing import Any

import numpy as np

from .. import backends, validation
from ..architecture import layer_views, n_parameters
from ..arrays import aligned_zeros
from ..reference import Engine
from .sparse import SparseEngine

Arrays = Sequence[np.ndarray]
Key = tuple[tuple[Any, ...], Any, int | None, bool]


class Parameters:
    """A flat array of layers of these sizes; coefs and intercepts are lists of views of it."""

    def __init__(self, flat: np.ndarray, sizes: Sequence[int]):
        self.flat, self.sizes = flat, tuple(sizes)
        self.coefs, self.intercepts = lists_of_views(flat, sizes)
        self._engines: dict[Key, Engine] = {}

    @classmethod
    def of(cls, coefs: Arrays, intercepts: Arrays, dtype: np.dtype) -> "Parameters":
        """Copies of arrays, in this dtype."""
        sizes = [coefs[0].shape[0], *(coef.shape[1] for coef in coefs)]
        parameters = cls(aligned_zeros(n_parameters(sizes), np.dtype(dtype)), sizes)
        for view, array in zip(parameters.coefs + parameters.intercepts, [*coefs, *intercepts]):
            view[...] = array
        return parameters

    def are(self, coefs: Arrays, intercepts: Arrays) -> bool:
        """Whether these lists hold the views and nothing else: users put other arrays into them."""
        if len(coefs) != len(self.coefs) or len(intercepts) != len(self.intercepts):
            return False
        of_coefs, of_intercepts = map(is_, coefs, self.coefs), map(is_, intercepts, self.intercepts)
        return all(of_coefs) and all(of_intercepts)

    @cached_property
    def functions(self) -> Any:
        """The backend's module with the functions for arrays of this dtype."""
        return backends.functions(backends.load().name)[self.flat.dtype]

    def engine(self, activations: tuple[Any, ...], loss: Any, n_threads: int | None, is_sparse: bool = False) -> Engine:
        """The backend's Engine with these activations, one a layer, and loss, or its SparseEngine; made once."""
        key = activations, loss, n_threads, is_sparse
        if key not in self._engines:
            backend = backends.load()
            with backend.environment():
                for activation in activations:
                    if not isinstance(activation, str):
                        activation.prepare(self.flat.dtype)
                threads = validation.threads(n_threads)
                if is_sparse:
                    dense = self.engine(activations, loss, n_threads)
                    made: Engine = SparseEngine(self.sizes, activations, loss, self.flat, dense, self.functions, threads)
                else:
                    made = backend.engine(self.sizes, activations, loss, self.flat, threads)
                self._engines[key] = made
        return self._engines[key]


def lists_of_views(flat: np.ndarray, sizes: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """All weights and all biases, as views of a flat array."""
    weights, biases = zip(*layer_views(flat, sizes))
    return list(weights), list(biases)


def common_dtype(coefs: Arrays, intercepts: Arrays) -> np.dtype | None:
    """The one dtype of arrays that fit each other, if it is float32 or float64 and the backends can take them; else None."""
    arrays = [*coefs, *intercepts]
    if not all(isinstance(array, np.ndarray) for array in arrays) or len(coefs) != len(intercepts):
        return None
    fit = all(coef.ndim == 2 and bias.shape == coef.shape[1:] for coef, bias in zip(coefs, intercepts))
    if not fit or any(coef.shape[1] != after.shape[0] for coef, after in zip(coefs, coefs[1:])):
        return None
    dtype = arrays[0].dtype
    return dtype if dtype in (np.float32, np.float64) and all(array.dtype == dtype for array in arrays) else None
