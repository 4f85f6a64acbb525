"""The Engine for sparse inputs: the first layer reads and writes through SciPy, all others through the backend's functions.

Of wide inputs, most of them zero, a dense copy would take more memory than the rows, and each step as long as scikit-learn's.
"""

from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse import _sparsetools

from ..arrays import Doubles, Floats, aligned_zeros
from ..reference import Correct, Dropout, Engine, Samples, Steps, Update
from ..reference.engine import Batch, Kept, dropped

FEW, MANY_COLUMNS = 0.1, 256  # of which share of numbers, and from how many columns on, it is worth it


def is_worth_it(X: Any) -> bool:
    """Whether inputs are to be left sparse."""
    return bool(scipy.sparse.issparse(X) and X.shape[1] >= MANY_COLUMNS and X.nnz < FEW * X.shape[0] * X.shape[1])


class SparseEngine(Engine):
    """fastmlp.reference.Engine for Samples whose x is a CSR matrix in the parameters' dtype.

    dense: the backend's Engine over the same parameters, which updates them. functions: the backend's module for their
    dtype.
    """

    def __init__(
        self,
        layer_sizes: Any,
        activations: Any,
        loss: Any,
        parameters: np.ndarray,
        dense: Any,
        functions: Any,
        n_threads: int,
    ):
        super().__init__(layer_sizes, activations, loss, parameters)
        self.dense, self.n_threads = dense, n_threads
        self.module = functions
        self.gradient = aligned_zeros(parameters.size, parameters.dtype)

    def train(self, samples: Samples, update: Update, steps: Steps | None = None, losses: Doubles | None = None,
              correct: Correct | None = None, penalties: tuple[Doubles, Doubles] | None = None,
              dropout: Dropout | None = None) -> float:  # fmt: skip
        n_rows = samples.x.shape[0]
        start, stop, batch_size, order, before = steps or Steps(0, n_rows, n_rows)
        losses = np.empty(stop) if losses is None else losses
        for i, first in enumerate(range(start, stop, batch_size)):
            step = slice(first, min(first + batch_size, stop))
            batch = self._batch(samples, step if order is None else order[step])
            kept = self._kept_units(dropout, batch.x.shape[0], before + i)
            self._take(batch, samples, losses[step], kept)
            if penalties is not None:
                (l2, l1), weights = penalties[0][i], [layer[0].reshape(-1) for layer in self.layers]
                penalties[1][i] = 0.5 * l2 * sum(map(self.module.sum_of_squares, weights))
                if l1:
                    penalties[1][i] += l1 * sum(map(self.module.sum_of_magnitudes, weights))
            of_step = min(i, len(update.numbers) - 1)
            self.dense.apply(self.gradient, update._replace(numbers=update.numbers[of_step : of_step + 1]))
        return float(losses[start:stop].mean())

    def gradients(self, samples: Samples, gradients: Floats, losses: Doubles, divisor: float | None = None,
                  carry: bool = False) -> None:  # fmt: skip
        self._take(self._batch(samples, slice(None)), samples, losses, None, divisor)
        gradients[...] = gradients + self.gradient if carry else self.gradient

    def forward(self, x: Any, out: Floats | None = None) -> Floats:
        outputs: Floats = self._forward(x)[1][-1]
        return outputs

    def evaluate(self, samples: Samples, losses: Doubles, correct: Correct | None) -> None:
        batch = self._batch(samples, slice(None))
        sums, activations, _ = self._forward(batch.x)
        losses[...] = self.module.row_losses(self.loss, sums[-1], activations[-1], batch.y)

    def _inputs(self, x: Any) -> Any:
        return x

    def _forward(self, x: Any, kept: Kept | None = None) -> tuple[list[Floats], list[Any], list[Any]]:
        sums: list[Floats] = []
        activations, onward, module = [x], list[Any](), self.module
        for i, ((weights, bias), function) in enumerate(zip(self.layers, self.functions)):
            onward.append(dropped(activations[-1], kept, i))
            if i == 0:
                sums.append(np.tile(bias, (x.shape[0], 1)))
                _sparsetools.csr_matvecs(
                    *x.shape, len(bias), x.indptr, x.indices, x.data, weights.reshape(-1), sums[0].reshape(-1)
                )
            else:
                sums.append(module.sum_of_products(onward[-1], weights, bias, n_threads=self.n_threads))
            activations.append(module.activate(function, sums[-1]))
        return sums, activations, onward

    def _take(self, batch: Batch, samples: Samples, losses: Doubles, kept: Kept | None, divisor: float | None = None) -> None:
        """The losses of a batch, and its gradients, into self.gradient."""
        sums, activations, onward = self._forward(batch.x, kept)
        x: Any = batch.x
        module = self.module
        losses[...] = module.row_losses(self.loss, sums[-1], activations[-1], batch.y)
        if divisor is None:
            divisor = float(x.shape[0] if batch.weights is None else batch.weights.sum(dtype=np.float64)) or 1.0
        grad_z = module.output_gradient(
            self.loss, self.functions[-1], activations[-1], batch.y, sums[-1], divisor, batch.weights
        )
        start = self.gradient.size
        for i in reversed(range(len(self.layers))):
            weights, bias = self.layers[i]
            middle, start = start - bias.size, start - bias.size - weights.size
            grad_w, grad_b = self.gradient[start:middle], self.gradient[middle : middle + bias.size]
            if i == 0:
                grad_w[...] = 0
                # Rows of x are columns of its transpose, which SciPy calls a CSC matrix.
                _sparsetools.csc_matvecs(
                    x.shape[1], x.shape[0], bias.size, x.indptr, x.indices, x.data, grad_z.reshape(-1), grad_w
                )
                grad_b[...] = grad_z.sum(axis=0)
                return
            out = grad_w.reshape(weights.shape), grad_b, None
            grad_a = module.dense_backward(onward[i], weights, grad_z, True, out, self.n_threads)[2]
            grad_a = dropped(grad_a, kept, i)
            grad_z = module.activation_gradient(self.functions[i - 1], activations[i], grad_a, sums[i - 1])
