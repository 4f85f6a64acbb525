"""Gradient descent: the update, and a network over one flat parameter array that steps through an epoch."""

import numpy as np

from ..layout import layer_views
from .arithmetic import check_environment, ordered_sum, sum_of_products
from .layers import activate, activation_gradient, dense_backward
from .losses import output_gradient, row_losses

BLOCK = 1024  # rows that are taken at a time where nothing else says how many, to bound the memory for them


def sgd_update(parameters, gradients, learning_rate):
    """w = w - learning_rate * g, in place, for flat arrays of one dtype."""
    with np.errstate(all="ignore"):
        parameters[...] = parameters - parameters.dtype.type(learning_rate) * gradients


class Engine:
    """A network's computation over its flat parameter array; every backend has this class with these methods.

    layer_sizes: input first. activations: for each layer a name, or a user's own activation. parameters: the flat
    array, read and (by train) written in place. Inputs x are (rows, n_in) in the parameters' dtype, or uint8 pixels,
    which stand for x / 255. Targets y are (rows, n_out) in the parameters' dtype, or int64 labels (rows,), which stand
    for their one-hot rows (with a single output: for 0 and 1). The caller has checked all of them.
    """

    def __init__(self, layer_sizes, activations, loss, parameters, n_threads=1):
        self.layers = layer_views(parameters, layer_sizes)
        self.functions = activations
        self.loss = loss
        self.parameters = parameters
        self.dtype = parameters.dtype

    def forward(self, x, out):
        """Write the outputs for x into out (rows, n_out)."""
        check_environment()
        for start in range(0, len(x), BLOCK):
            _, activations = self._forward(self._inputs(x[start : start + BLOCK]))
            out[start : start + BLOCK] = activations[-1]

    def quick_forward(self, x):
        """The outputs, in a new array, if x is anything that needs no conversion; None if it does, or to be asked again."""
        return None

    def quick_step(self, x, y, learning_rate, lock):
        """One step on all rows, and the mean loss before it, if nothing needs converting or refusing; None: ask again.

        lock: held by whoever trains the network.
        """
        return None

    def activations(self, x):
        """Every layer's activations, input first: a list of arrays (rows, size)."""
        check_environment()
        return self._forward(self._inputs(x))[1]

    def gradients(self, x, y, gradients):
        """Write d(mean loss)/d(parameters) into the flat array gradients; return the mean loss."""
        check_environment()
        sums, activations = self._forward(self._inputs(x))
        y = self._targets(y)
        losses = row_losses(self.loss, sums[-1], activations[-1], y)
        for (grad_w, grad_b), (view_w, view_b) in zip(
            self._backward(sums, activations, y), reversed(layer_views(gradients, self._sizes()))
        ):
            view_w[...], view_b[...] = grad_w, grad_b
        return float(ordered_sum(losses) / len(losses))

    def train(self, x, y, order, start, stop, batch_size, learning_rate, losses, correct):
        """Steps of gradient descent on the rows order[start:stop] (of all rows in their order where order is None).

        A step takes the next batch_size rows, fewer at the end. losses[start:stop] (float64) receives each row's
        loss and correct[start:stop] (uint8, or None) whether its class was right, both before that step's update.
        """
        check_environment()
        learning_rate = self.dtype.type(learning_rate)
        for first in range(start, stop, batch_size):
            step = slice(first, min(first + batch_size, stop))
            rows = step if order is None else order[step]
            self._step(self._inputs(x[rows]), self._targets(y[rows]), learning_rate, step, losses, correct)

    def evaluate(self, x, y, losses, correct):
        """Fill losses (rows,) float64, and correct (rows,) uint8 unless it is None, without training."""
        check_environment()
        for start in range(0, len(x), BLOCK):
            rows = slice(start, min(start + BLOCK, len(x)))
            sums, activations = self._forward(self._inputs(x[rows]))
            self._assess(sums[-1], activations[-1], self._targets(y[rows]), rows, losses, correct)

    def all_finite(self, array):
        """Whether neither NaN nor infinity is in an array (rows, columns)."""
        return all(np.isfinite(array[start : start + BLOCK]).all() for start in range(0, len(array), BLOCK))

    def _step(self, x, y, learning_rate, step, losses, correct):
        sums, activations = self._forward(x)
        self._assess(sums[-1], activations[-1], y, step, losses, correct)
        # All gradients use the weights from before the step, so no layer is updated until the last is known.
        gradients = list(self._backward(sums, activations, y))
        for (weights, bias), (grad_w, grad_b) in zip(reversed(self.layers), gradients):
            sgd_update(weights, grad_w, learning_rate)
            sgd_update(bias, grad_b, learning_rate)

    def _forward(self, x):
        """([z of layer 1, ..., z of the output layer], [x, a of layer 1, ..., a of the output layer])."""
        sums, activations = [], [x]
        for (weights, bias), function in zip(self.layers, self.functions):
            sums.append(sum_of_products(activations[-1], weights, seed=bias))
            activations.append(activate(function, sums[-1]))
        return sums, activations

    def _backward(self, sums, activations, y):
        """(grad_w, grad_b) of each layer, the output layer first."""
        grad_z = output_gradient(self.loss, self.functions[-1], activations[-1], y, sums[-1])
        for i in reversed(range(len(self.layers))):
            grad_w, grad_b, grad_a = dense_backward(activations[i], self.layers[i][0], grad_z, input_gradient=i > 0)
            yield grad_w, grad_b
            if i > 0:
                grad_z = activation_gradient(self.functions[i - 1], activations[i], grad_a, sums[i - 1])

    def _assess(self, z, a, y, rows, losses, correct):
        losses[rows] = row_losses(self.loss, z, a, y)
        if correct is not None:
            correct[rows] = classes(a) == classes(y)

    def _inputs(self, x):
        return x.astype(self.dtype) / self.dtype.type(255) if x.dtype == np.uint8 else x

    def _targets(self, y):
        if y.ndim == 2:
            return y
        n_out = len(self.layers[-1][1])
        if n_out == 1:
            return y.astype(self.dtype)[:, None]
        return (y[:, None] == np.arange(n_out)).astype(self.dtype)

    def _sizes(self):
        return [len(self.layers[0][0])] + [len(bias) for _, bias in self.layers]


def classes(outputs):
    """The class of each row: the index of its first largest output; with a single output, whether it exceeds 1/2."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5).astype(np.int64)
    best, largest = np.zeros(len(outputs), np.int64), outputs[:, 0]
    for j in range(1, outputs.shape[1]):
        larger = outputs[:, j] > largest
        best, largest = np.where(larger, j, best), np.where(larger, outputs[:, j], largest)
    return best
