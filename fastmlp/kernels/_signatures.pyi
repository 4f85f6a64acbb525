"""What every compiled module has: the same names for each instruction set and element type."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..losses import Huber, Quantile
from ..reference import Dropout, Samples, Steps, Update

dtype: np.dtype
compiler: str
openmp: bool

_Loss = str | Huber | Quantile

class _Custom(Protocol):
    def addresses(self, dtype: np.dtype) -> tuple[int, int]: ...

def cpu_supports(isa: str) -> bool: ...
def wait_for_whole_teams(wait: bool) -> None: ...

class DefaultEnvironment:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

def takes_product(a: object, b: object, seed: object, out: object = None) -> bool: ...
def takes_update(parameters: object, gradients: object) -> bool: ...
def sum_of_products(
    a: ArrayLike, b: ArrayLike, seed: ArrayLike, out: NDArray | None = None, n_threads: int = 1
) -> NDArray: ...
def dense_forward(
    x: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike,
    activation: str | _Custom = "identity",
    out: NDArray | None = None,
    n_threads: int = 1,
) -> NDArray: ...
def dense_backward(
    x: ArrayLike,
    weights: ArrayLike,
    grad_z: ArrayLike,
    input_gradient: bool = True,
    out: Sequence[NDArray | None] = (None, None, None),
    n_threads: int = 1,
) -> tuple[NDArray, NDArray, NDArray | None]: ...
def dense_update(x: ArrayLike, weights: NDArray, bias: NDArray, grad_z: ArrayLike, learning_rate: float) -> None: ...
def activate(activation: str | _Custom, z: ArrayLike, out: NDArray | None = None, n_threads: int = 1) -> NDArray: ...
def activation_gradient(
    activation: str | _Custom,
    a: ArrayLike,
    grad_a: ArrayLike,
    z: ArrayLike | None = None,
    out: NDArray | None = None,
    n_threads: int = 1,
) -> NDArray: ...
def output_gradient(
    loss: _Loss,
    activation: str | _Custom,
    a: ArrayLike,
    y: ArrayLike,
    z: ArrayLike | None = None,
    divisor: float | None = None,
    weights: ArrayLike | None = None,
    out: NDArray | None = None,
    n_threads: int = 1,
) -> NDArray: ...
def row_losses(
    loss: _Loss,
    z: ArrayLike,
    a: ArrayLike,
    y: ArrayLike,
    out: NDArray[np.float64] | None = None,
    n_threads: int = 1,
) -> NDArray[np.float64]: ...
def ordered_sum(values: ArrayLike, out: NDArray | None = None, n_threads: int = 1) -> NDArray: ...
def all_finite(values: NDArray) -> bool: ...
def update(
    rule: str,
    parameters: NDArray,
    gradients: ArrayLike,
    state: Sequence[NDArray],
    numbers: Sequence[float],
    lines: Sequence[str] = (),
    scale: float | None = None,
    n_threads: int = 1,
) -> None: ...
def sum_of_squares(array: ArrayLike) -> float: ...
def sum_of_magnitudes(array: ArrayLike) -> float: ...
def sgd_update(parameters: NDArray, gradients: ArrayLike, learning_rate: float, n_threads: int = 1) -> None: ...
def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> NDArray: ...
def fma_peak_work(rounds: int) -> int: ...
def exp(z: ArrayLike) -> NDArray: ...
def expm1(z: ArrayLike) -> NDArray: ...
def log(z: ArrayLike) -> NDArray: ...
def log1p(z: ArrayLike) -> NDArray: ...
def sigmoid(z: ArrayLike) -> NDArray: ...
def tanh(z: ArrayLike) -> NDArray: ...

class Engine:
    dtype: np.dtype
    def __init__(
        self,
        layer_sizes: Sequence[int],
        activations: Sequence[str | _Custom],
        loss: _Loss,
        parameters: NDArray,
        n_threads: int = 1,
        input_scale: float = 1.0,
    ) -> None: ...
    def takes(self, x: object) -> bool: ...
    def takes_samples(self, x: object, y: object) -> bool: ...
    def forward(self, x: NDArray, out: NDArray | None = None) -> NDArray: ...
    def activations(self, x: NDArray) -> list[NDArray]: ...
    def evaluate(
        self, samples: Samples, losses: NDArray[np.float64], correct: NDArray[np.uint8] | NDArray[np.int32] | None
    ) -> None: ...
    def gradients(
        self,
        samples: Samples,
        gradients: NDArray,
        losses: NDArray[np.float64],
        divisor: float | None = None,
        carry: bool = False,
    ) -> None: ...
    def apply(self, gradients: NDArray, update: Update) -> None: ...
    def train(
        self,
        samples: Samples,
        update: Update,
        steps: Steps | None = None,
        losses: NDArray[np.float64] | None = None,
        correct: NDArray[np.uint8] | NDArray[np.int32] | None = None,
        penalties: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
        dropout: Dropout | None = None,
    ) -> float: ...
    def all_finite(self, values: NDArray) -> bool: ...

def branches() -> set[str]: ...
def branches_taken() -> set[str]: ...
