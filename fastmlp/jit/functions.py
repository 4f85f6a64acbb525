"""The layer functions of fastmlp.reference through Numba: the same names, arguments and bits, for arrays of any layout.

Python allocates the arrays that compiled code works in: Numba would free its own where it sees their last use, and that is
where it takes their address.
"""

import numpy as np

from ..activations import ACTIVATIONS
from ..losses import LOSSES
from . import elementary, layers
from .compiling import entry
from .intrinsics import address, as_item, call, data, fma as fma_of_numbers, moved, pointer
from .products import BUFFER, multiply_for


@entry
def address_of(array):
    """The address of an array's first element; NumPy takes four times as long to tell."""
    return address(data(array))


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


def described(activation, dtype):
    """(its number, the addresses of its functions of values and gradients), for a name or a user's own activation."""
    if isinstance(activation, str):
        return ACTIVATIONS[activation].number, 0, 0
    return layers.CUSTOM, *activation.addresses(dtype)


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
    _multiply(a, b, seed, total_run, total_run, 0)
    return total


def dense_update(x, weights, bias, grad_z, learning_rate):
    """The gradients of one layer and their step of gradient descent at once, in place.

    weights (n_in, n_out) and bias (n_out,) are C-contiguous; W = W - learning_rate x^T grad_z, and b likewise.
    """
    zeros, ones = np.zeros(len(bias), bias.dtype), np.ones((1, len(grad_z)), bias.dtype)
    for a, target in ((np.asarray(x).T, weights), (ones, bias)):
        _multiply(a, grad_z, zeros, np.empty(target.size, bias.dtype), target.reshape(-1), learning_rate)


def _multiply(a, b, seed, total, weights, rate):
    """total = seed + a b in place, and where weights is another array, instead weights = weights - rate * total."""
    by_columns, transposed = (x.flags.f_contiguous and not x.flags.c_contiguous for x in (a, b))
    products(multiply_for(b.dtype).address, _flat(a.T if by_columns else a), by_columns,
             _flat(b.T if transposed else b), transposed, seed, total, weights, rate, weights is not total,
             np.empty(max(a.shape), np.int64), np.empty(BUFFER, b.dtype))  # fmt: skip


@entry
def products(multiply, a, by_columns, b, transposed, seed, total, weights, rate, updates, lines, buffer):
    n = len(seed)
    terms, m = len(b) // n, len(total) // n
    for i in range(terms if by_columns else m):
        lines[i] = address(moved(data(a), i * (m if by_columns else terms)))
    c = data(total)
    call(multiply, (data(lines), int(by_columns), terms, data(b), 1 if transposed else n, terms if transposed else 1,
                    data(seed), 1, c, n, data(weights), as_item(c, rate), int(updates), 0, m, 0, n,
                    data(buffer)))  # fmt: skip


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
    number, forward, _ = described(activation, a.dtype)
    values = a.reshape(-1)
    z = values.copy() if number == layers.CUSTOM else values
    activate_rows(number, forward, z, values, a.shape[-1] if a.ndim else 1, np.empty(2, a.dtype))


@entry
def activate_rows(activation, forward, z, a, n, spare):
    """a (rows * n,) = f(z); z is a itself but for CUSTOM, whose function is at the address `forward`. spare: two numbers."""
    if activation == layers.SOFTMAX:
        for r in range(len(z) // n):
            layers.softmax(moved(data(z), r * n), 1, n, data(spare), moved(data(spare), 1))
    else:
        layers.activate_run(activation, forward, data(z), data(a), len(z))


def activation_gradient(activation, a, grad_a, z=None):
    """dL/dz = dL/da f'(z), a new array. See fastmlp.reference.activation_gradient."""
    g = np.array(grad_a, order="C")
    number, _, address_of_gate = described(activation, g.dtype)
    gate(number, address_of_gate, _flat(a if z is None else z), _flat(a), g.reshape(-1))
    return g


@entry
def gate(activation, function, z, a, g):
    layers.gate_run(activation, function, data(z), data(a), data(g), len(g))


def output_gradient(loss, activation, a, y, z=None):
    """dL/dz at the output. See fastmlp.reference.output_gradient."""
    g = np.empty(np.shape(a), a.dtype)
    number, _, address_of_gate = described(activation, g.dtype)
    start_backward(LOSSES[loss].number, number, address_of_gate, _flat(a if z is None else z), _flat(a), _flat(y),
                   g.reshape(-1), len(a))  # fmt: skip
    return g


@entry
def start_backward(loss, activation, function, z, a, y, g, rows):
    layers.output_gradient(loss, activation, function, data(z), data(a), data(y), data(g), len(g), rows)


def row_losses(loss, z, a, y):
    """The loss of each row, (rows,) float64. See fastmlp.reference.row_losses."""
    rows, losses, powers = len(z), np.empty(len(z)), np.array(z, order="C").reshape(-1)
    assess(LOSSES[loss].number, _flat(z), _flat(a), _flat(y), losses, np.empty(powers.size), powers,
           np.empty(rows, powers.dtype), np.empty(rows, powers.dtype))  # fmt: skip
    return losses


@entry
def assess(loss, z, a, y, losses, terms, powers, maxima, totals):
    rows = len(losses)
    n = len(z) // rows
    if loss == layers.CROSS_ENTROPY:
        layers.softmax(data(powers), rows, n, data(maxima), data(totals))
    layers.row_losses(loss, data(z), data(a), data(y), rows, n, data(maxima), data(totals), data(terms), data(losses))


def ordered_sum(values):
    """The sum over the last axis, in order and in chunks. See fastmlp.reference.ordered_sum."""
    values = np.asarray(values)
    totals = np.empty(values.shape[:-1], values.dtype)
    sums(_flat(values), totals.reshape(-1), values.shape[-1])
    return totals[()]


@entry
def sums(values, totals, n):
    for i in range(len(totals)):
        totals[i] = layers.sum_in_order(moved(data(values), i * n), n)


def sgd_update(parameters, gradients, learning_rate):
    """w = w - learning_rate * g, in place, for flat C-contiguous arrays. See fastmlp.reference.sgd_update."""
    update(parameters, _flat(gradients), float(learning_rate))


@entry
def update(w, g, rate):
    rate = as_item(data(w), rate)
    for i in range(len(w)):
        w[i] = w[i] - rate * g[i]


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


def _elementwise(function, meaning):
    @entry
    def run(z, result):
        for i in range(len(result)):
            result[i] = function(z[i])

    def of_array(z):
        result = np.empty(np.shape(z), np.asarray(z).dtype)
        run(_flat(z), result.reshape(-1))
        return result[()]

    of_array.__doc__ = meaning
    return of_array


exp = _elementwise(elementary.exp, "e to the power z.")
expm1 = _elementwise(elementary.expm1, "e to the power z, minus 1.")
log = _elementwise(elementary.log, "The natural logarithm.")
log1p = _elementwise(elementary.log1p, "log(1 + z).")
sigmoid = _elementwise(elementary.sigmoid, "1 / (1 + exp(-z)).")
tanh = _elementwise(elementary.tanh, "The hyperbolic tangent.")
