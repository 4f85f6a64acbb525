"""The layer functions of fastmlp.reference through Numba: the same names, arguments and bits, for arrays of any layout.

Python allocates the arrays that compiled code works in: Numba would free its own where it sees their last use, and that is
where it takes their address.
"""

import numpy as np

from ..losses import LOSSES, name_of
from . import elementary, losses, norms, updates
from .activations import SIDE, activate_block, activation_of, softmax, sum_in_order
from .compiling import entry
from .intrinsics import address, address_of, call, data, moved, pointer
from .intrinsics import fma as fma_of_numbers
from .products import BUFFER, multiply_for


@entry
def all_finite(values):
    """Whether neither NaN nor infinity is in values (rows, n), whose rows are contiguous."""
    p = data(values)
    for r in range(values.shape[0]):
        row, infinite = pointer(p, address(p) + r * values.strides[0]), 0
        for j in range(values.shape[1]):
            infinite |= row[j] - row[j] != 0
        if infinite:
            return False
    return True


def _flat(array, dtype=None):
    """The array in C order and aligned, as one dimension that may be written: itself or a copy."""
    return np.require(array, dtype, "CAW").reshape(-1)


def sum_of_products(a, b, seed, out=None):
    """total[i, j] = seed[j] + sum_k a[i, k] b[k, j]. See fastmlp.reference.sum_of_products."""
    a, b = np.asarray(a), np.asarray(b)
    terms, n = b.shape
    total = np.empty((len(a), n), b.dtype) if out is None else out
    seed = _flat(np.broadcast_to(np.asarray(seed, b.dtype), (n,)))
    if total.size == 0 or terms == 0:
        total[...] = seed
        return total
    total_run = total.reshape(-1)
    _multiply(a, b, seed, total_run)
    return total


def dense_update(x, weights, bias, grad_z, learning_rate):
    """The gradients of one layer and their step of gradient descent at once, in place.

    weights (n_in, n_out) and bias (n_out,) are C-contiguous; W = W - learning_rate x^T grad_z, and b likewise.
    """
    zeros, ones = np.zeros(len(bias), bias.dtype), np.ones((1, len(grad_z)), bias.dtype)
    for a, target in ((np.asarray(x).T, weights), (ones, bias)):
        update = updates.description("sgd", target, (), fused=True)
        _multiply(a, grad_z, zeros, np.empty(target.size, bias.dtype), update, learning_rate)


def _multiply(a, b, seed, total, update=None, learning_rate=0):
    """total = seed + a b in place, or the update of a described array with that for its gradients."""
    by_columns, transposed = (x.flags.f_contiguous and not x.flags.c_contiguous for x in (a, b))
    products(multiply_for(b.dtype).address, _flat(a.T if by_columns else a), by_columns,
             _flat(b.T if transposed else b), transposed, seed, total, 0 if update is None else address_of(update),
             np.array([learning_rate], b.dtype), np.empty(max(a.shape), np.int64), np.empty(BUFFER, b.dtype))  # fmt: skip


@entry
def products(multiply, a, by_columns, b, transposed, seed, total, update, numbers, lines, buffer):
    n = len(seed)
    terms, m = len(b) // n, len(total) // n
    for i in range(terms if by_columns else m):
        lines[i] = address(moved(data(a), i * (m if by_columns else terms)))
    call(multiply, (data(lines), int(by_columns), terms, data(b), 1 if transposed else n, terms if transposed else 1,
                    data(seed), 1, data(total), n, 0, update, data(numbers), 0, 0, m, 0, n, data(buffer)))  # fmt: skip


def dense_forward(x, weights, bias, activation="identity", out=None):
    """a = f(x W + b), (rows, n_out); written into out where given. See fastmlp.reference.dense_forward."""
    a = sum_of_products(x, weights, bias, out)
    _activate_in_place(activation, a)
    return a


def dense_backward(x, weights, grad_z, input_gradient=True):
    """(grad_w, grad_b, grad_x) of one layer from grad_z = dL/dz. See fastmlp.reference.dense_backward."""
    x, weights, grad_z = np.asarray(x), np.asarray(weights), np.asarray(grad_z)
    grad_w = sum_of_products(x.T, grad_z, 0)
    grad_b = ordered_sum(grad_z.T)
    return grad_w, grad_b, sum_of_products(grad_z, weights.T, 0) if input_gradient else None


def activate(activation, z):
    """a = f(z), a new array; softmax row by row. See fastmlp.reference.activate."""
    a = np.array(z, order="C")
    _activate_in_place(activation, a)
    return a


def _activate_in_place(activation, a):
    function, values = activation_of(activation, a.dtype), a.reshape(-1)
    z = values.copy() if function.keeps_z else values
    activate_run(function.forward, z, values, a.shape[-1] if a.ndim else 1, *np.empty((2, SIDE), a.dtype))


@entry
def activate_run(forward, z, a, n, maxima, totals):
    if len(a) > 0:
        activate_block(forward, data(z), data(a), len(a) // n, n, n, data(maxima), data(totals))


def activation_gradient(activation, a, grad_a, z=None):
    """dL/dz = dL/da f'(z), a new array. See fastmlp.reference.activation_gradient."""
    g = np.array(grad_a, order="C")
    function = _with_gradient(activation, g.dtype)
    gradient_run(function.gradient, _flat(z if function.keeps_z else a), g.reshape(-1))
    return g


def _with_gradient(activation, dtype):
    function = activation_of(activation, dtype)
    if function.gradient == 0:
        raise ValueError(f"activation {activation!r} has no derivative of its own")
    return function


@entry
def gradient_run(gradient, derived, g):
    call(gradient, (data(derived), data(g), len(g)))


def output_gradient(loss, activation, a, y, z=None, divisor=None, weights=None):
    """dL/dz at the output. See fastmlp.reference.output_gradient."""
    g = np.empty(np.shape(a), a.dtype)
    described = losses.loss_of(loss, g.dtype)
    function = (_with_gradient if described.through_activation else activation_of)(activation, g.dtype)
    start_backward(described, function.gradient, _flat(z if function.keeps_z else a), _flat(a), _flat(y), g.reshape(-1),
                   len(a), int(weights is not None), _flat(np.empty(0) if weights is None else weights, g.dtype),
                   float(len(a) if divisor is None else divisor))  # fmt: skip
    return g


@entry
def start_backward(loss, gradient, derived, a, y, g, rows, weighted, weights, divisor):
    if rows > 0:
        losses.output_gradient(loss, gradient, data(derived), data(a), data(y), data(g), rows, len(g) // rows, weighted,
                               data(weights), divisor)  # fmt: skip


def row_losses(loss, z, a, y):
    """The loss of each row, (rows,) float64. See fastmlp.reference.row_losses."""
    rows, results, powers = len(z), np.empty(len(z)), np.array(z, order="C").reshape(-1)
    assess(losses.loss_of(loss, powers.dtype), "softmax" in LOSSES[name_of(loss)].output_activations, _flat(z), _flat(a), _flat(y),
           results, np.empty(powers.size), powers, *np.empty((2, rows), powers.dtype))  # fmt: skip
    return results


@entry
def assess(loss, of_softmax, z, a, y, results, terms, powers, maxima, totals):
    rows = len(results)
    n = len(z) // rows
    if of_softmax:
        softmax(data(powers), rows, n, data(maxima), data(totals))
    losses.row_losses(loss, data(z), data(a), data(y), rows, n, data(maxima), data(totals), data(terms),
                      data(results))  # fmt: skip


def ordered_sum(values):
    """The sum over the last axis, in order and in chunks. See fastmlp.reference.ordered_sum."""
    values = np.asarray(values)
    totals = np.empty(values.shape[:-1], values.dtype)
    sums(_flat(values), totals.reshape(-1), values.shape[-1])
    return totals[()]


@entry
def sums(values, totals, n):
    for i in range(len(totals)):
        totals[i] = sum_in_order(moved(data(values), i * n), n)


def weighted_mean(losses, weights):
    """The mean of rows' losses by their weights. See fastmlp.reference.losses.weighted_mean."""
    weights = weights.astype(np.float64)
    return float(ordered_sum(weights * losses)) / (float(ordered_sum(weights)) or 1.0)


@entry
def mean_in_order(values, start, stop):
    """The mean of values[start:stop], whose sum is ordered_sum's."""
    return sum_in_order(moved(data(values), start), stop - start) / (stop - start)


def update(rule, parameters, gradients, state, numbers, lines=(), scale=None):
    """One step by an update rule, in place, for flat C-contiguous arrays. See fastmlp.reference.update."""
    described = updates.description(rule, parameters, state, lines, scales=scale is not None)
    norms.apply_flat(address_of(described), np.array(numbers, parameters.dtype), 1.0 if scale is None else float(scale),
                     _flat(gradients))  # fmt: skip


def sgd_update(parameters, gradients, learning_rate):
    """w = w - learning_rate * g, in place, for flat C-contiguous arrays. See fastmlp.reference.sgd_update."""
    update("sgd", parameters, gradients, (), (learning_rate,))


def sum_of_squares(array):
    """The sum of squares of a flat array, float64. See fastmlp.reference.sum_of_squares."""
    return _lane_sum(array, False)


def sum_of_magnitudes(array):
    """The sum of absolute values of a flat array, float64. See fastmlp.reference.sum_of_magnitudes."""
    return _lane_sum(array, True)


def _lane_sum(array, magnitudes):
    return norms.lane_sum(_flat(array), magnitudes, np.empty(norms.blocks_of(np.size(array))))


def fma(a, b, c):
    """a * b + c with one rounding; the arguments broadcast."""
    a, b, c = np.broadcast_arrays(a, b, c)
    result = np.empty(c.shape, c.dtype)
    fma_run(_flat(a, c.dtype), _flat(b, c.dtype), _flat(c), result.reshape(-1))
    return result[()]


@entry
def fma_run(a, b, c, result):
    for i in range(len(result)):
        result[i] = fma_of_numbers(a[i], b[i], c[i])


EXP, EXPM1, LOG, LOG1P = range(4)


def _elementwise(function, z):
    result = np.empty(np.shape(z), np.asarray(z).dtype)
    elementwise_run(function, _flat(z), result.reshape(-1))
    return result[()]


@entry
def elementwise_run(function, z, result):
    n = len(result)
    if function == EXP:
        for i in range(n):
            result[i] = elementary.exp(z[i])
    elif function == EXPM1:
        for i in range(n):
            result[i] = elementary.expm1(z[i])
    elif function == LOG:
        for i in range(n):
            result[i] = elementary.log(z[i])
    else:
        for i in range(n):
            result[i] = elementary.log1p(z[i])


def exp(z):
    """e to the power z."""
    return _elementwise(EXP, z)


def expm1(z):
    """e to the power z, minus 1."""
    return _elementwise(EXPM1, z)


def log(z):
    """The natural logarithm."""
    return _elementwise(LOG, z)


def log1p(z):
    """log(1 + z)."""
    return _elementwise(LOG1P, z)


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return activate("sigmoid", z)[()]


def tanh(z):
    """The hyperbolic tangent."""
    return activate("tanh", z)[()]
