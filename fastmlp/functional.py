"""The functions that a network is made of, for networks of one's own: fastmlp.reference's, checked, in the fastest backend.

    import fastmlp.functional as F

Arrays may have any memory layout, and are float32 or float64, all of a call the same, which is what it computes in (T
below); arrays of different ones are a TypeError. Other real numbers (lists, Python's numbers, integers, booleans, float16)
are rounded to T, or to float64 where no array says which. NaN and infinity pass as in IEEE arithmetic. uint8 are numbers
here, not pixels.

Every function takes these, after the others and by name:

    out         an array to write the result into, and to return: of the result's shape and dtype, any layout, writable, and
                apart from the memory of the arguments. None makes a new one.
    backend     "reference", "compiled" or "numba"; None is FASTMLP_BACKEND, else the fastest that is there, as they are when
                it is first needed. Same bits.
    n_threads   how many threads the compiled backend may use where they pay, an integer >= 1; None is OMP_NUM_THREADS, else
                the processors that this process may use. The others take one. Same bits.

Errors name the argument: TypeError for what is no array of real numbers, ValueError for shapes that do not go together,
unknown names and memory that overlaps, ImportError for a backend that this installation lacks.
"""

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import backends, validation
from .activations import ACTIVATIONS, AnyActivation, HiddenActivation, OutputActivation
from .arrays import FloatDtype, Floats
from .backends import BackendName, Environment
from .containers import describe, numbers
from .custom.activation import CustomActivation
from .losses import LOSSES, WITH_DERIVATIVE, Huber, LossName, Quantile, name_of
from .threads import default_threads
from .update_rules import RULES

__all__ = [
    "activate", "activation_gradient", "dense_backward", "dense_forward", "ordered_sum", "output_gradient", "row_losses",
    "sgd_update", "softmax", "sum_of_products", "update",
]  # fmt: skip


def sum_of_products(
    a: ArrayLike,
    b: ArrayLike,
    seed: ArrayLike,
    *,
    out: NDArray[Any] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """The matrix product a b, added to a seed, in a fixed order: total[i, j] = seed[j] + sum_k a[i, k] b[k, j].

    As `a @ b + seed` in NumPy. a: (m, k). b: (k, n). seed: (n,), or a number. Returns (m, n).

    The terms run in ascending k, in chunks of 256: within a chunk s = fma(a[i, k], b[k, j], s) from +0, with one rounding,
    then total = total + s. So an element's bits depend on its own row and column alone.

    >>> sum_of_products([[1.0, 0, -1]], [[1.0, 2], [3, 4], [5, 6]], [0.5, -0.5])
    array([[-3.5, -4.5]])
    """
    way = _way(backend, n_threads)
    if type(a) is np.ndarray:  # most calls go straight through: the checks below take longer than small products
        kernels = way.quick.get(a.dtype)
        if kernels is not None and kernels.takes_product(a, b, seed, out):
            product: NDArray[Any] = kernels.sum_of_products(a, b, seed, out, way.n_threads)
            return product
    with way.environment():
        (a, b, seed), T = _arrays(a=a, b=b, seed=seed)
        _check_product("a", a, "b", b, "seed", seed if seed.ndim else None)
        return _run(way, T, "sum_of_products", (a, b, seed), (len(a), b.shape[1]), out, a=a, b=b, seed=seed)


def dense_forward(
    x: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike,
    activation: HiddenActivation | OutputActivation | CustomActivation = "identity",
    *,
    out: NDArray[Any] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """One layer's outputs a = f(x W + b), the sums as sum_of_products takes them.

    x: (rows, n_in). weights: (n_in, n_out). bias: (n_out,). activation: f, as for activate. Returns (rows, n_out).

    >>> dense_forward([[1.0, 0, -1]], [[1.0, 2], [3, 4], [5, 6]], [0.5, 4.5], "relu")
    array([[0. , 0.5]])
    """
    way = _way(backend, n_threads)
    if type(x) is np.ndarray and type(activation) is str and activation in ACTIVATIONS:
        kernels = way.quick.get(x.dtype)
        if kernels is not None and kernels.takes_product(x, weights, bias, out):
            return kernels.dense_forward(x, weights, bias, activation, out, way.n_threads)
    with way.environment():
        (x, weights, bias), T = _arrays(x=x, weights=weights, bias=bias)
        _check_activation(activation, T)
        _check_product("x", x, "weights", weights, "bias", bias)
        arguments = x, weights, bias, activation
        return _run(way, T, "dense_forward", arguments, (len(x), len(bias)), out, x=x, weights=weights, bias=bias)


def dense_backward(
    x: ArrayLike,
    weights: ArrayLike,
    grad_z: ArrayLike,
    input_gradient: bool = True,
    *,
    out: Sequence[NDArray[Any] | None] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """The gradients of one layer z = x W + b from that of its sums: (grad_w, grad_b, grad_x).

    grad_w = x^T grad_z, (n_in, n_out); grad_b = sum of grad_z over the rows, (n_out,); grad_x = grad_z W^T, (rows, n_in), or
    None without input_gradient. The sums are sum_of_products's, from +0, and ordered_sum's.

    x: (rows, n_in). weights: (n_in, n_out). grad_z: dL/dz, (rows, n_out); divided by what L is a mean over, see
    output_gradient. out: three arrays to write into, each of which may be None.

    >>> grad_w, grad_b, grad_x = dense_backward([[1.0, 0, -1]], [[1.0, 2], [3, 4], [5, 6]], [[1.0, 2]])
    >>> grad_w
    array([[ 1.,  2.],
           [ 0.,  0.],
           [-1., -2.]])
    >>> grad_b, grad_x
    (array([1., 2.]), array([[ 5., 11., 17.]]))
    """
    way, input_gradient = _way(backend, n_threads), validation.flag("input_gradient", input_gradient)
    with way.environment():
        (x, weights, grad_z), T = _arrays(x=x, weights=weights, grad_z=grad_z)
        _check_matrix("x", x)
        _check_shape("weights", weights, (x.shape[1], "n_out"), x=x)
        _check_shape("grad_z", grad_z, (len(x), weights.shape[1]), x=x, weights=weights)
        shapes = weights.shape, weights.shape[1:], x.shape
        given = _three_outputs(out, shapes, T, input_gradient, x=x, weights=weights, grad_z=grad_z)
        function = way.functions[T].dense_backward
        if way.quick:
            results = function(x, weights, grad_z, input_gradient, tuple(map(_direct, given)), way.n_threads)
        else:
            results = function(x, weights, grad_z, input_gradient)
        grad_w, grad_b, grad_x = (r if array is None else _written(array, r) for array, r in zip(given, results))
        return grad_w, grad_b, grad_x


def activate(
    activation: HiddenActivation | OutputActivation | CustomActivation,
    z: ArrayLike,
    *,
    out: NDArray[Any] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """a = f(z), element by element; softmax row by row.

    activation: f, a name in fastmlp.ACTIVATIONS, whose rows have the formulas, or one of your own, made by
        fastmlp.activation.
    z: any shape; (rows, n) for softmax. Returns an array of its shape.

    exp, tanh and their kin are fastmlp's own, at most 1 ulp from the truth in float32 and 2 in float64.

    >>> activate("sigmoid", [-1.0, 0, 1])
    array([0.26894142, 0.5       , 0.73105858])
    """
    way = _way(backend, n_threads)
    with way.environment():
        (z,), T = _arrays(z=z)
        _check_activation(activation, T)
        if activation == "softmax":
            _check_matrix("z", z)
        return _run(way, T, "activate", (activation, z), z.shape, out, z=z)


def softmax(
    z: ArrayLike, *, out: NDArray[Any] | None = None, backend: BackendName | None = None, n_threads: int | None = None
) -> NDArray[Any]:
    """p_ij = exp(z_ij - m_i) / s_i for each row i of z (rows, n), with m_i its maximum and s_i the sum of its powers, in order.

    Returns (rows, n). The same as activate("softmax", z).

    >>> softmax([[1.0, 2, 3]])
    array([[0.09003057, 0.24472847, 0.66524096]])
    """
    return activate("softmax", z, out=out, backend=backend, n_threads=n_threads)


def activation_gradient(
    activation: HiddenActivation | OutputActivation | CustomActivation,
    a: ArrayLike,
    grad_a: ArrayLike,
    z: ArrayLike | None = None,
    *,
    out: NDArray[Any] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """The gradient before an activation from that after it: dL/dz = dL/da f'(z), element by element.

    activation: as for activate, but softmax and exp, whose derivatives are taken together with their losses': see
        output_gradient.
    a: f(z), of any shape; the derivative is computed from it where fastmlp.ACTIVATIONS gives it so.
    grad_a: dL/da, of a's shape.
    z: of a's shape; needed only for activations of your own, and others whose row says keeps_z.

    Returns an array of a's shape. Raises ValueError for an activation without a derivative.

    >>> a = activate("tanh", [-1.0, 0, 2])
    >>> activation_gradient("tanh", a, [1.0, 1, 1])
    array([0.41997434, 1.        , 0.07065082])
    """
    way = _way(backend, n_threads)
    with way.environment():
        given = {"a": a, "grad_a": grad_a}
        if z is not None:
            given["z"] = z
        arrays, T = _alike(**given)
        _check_activation(activation, T, derivative=True)
        if isinstance(activation, str) and not ACTIVATIONS[activation].hidden:
            raise ValueError(
                f"activation {activation!r} has no derivative of its own: output_gradient takes it with its loss"
            )
        a, grad_a, z = *arrays[:2], _z_of(activation, arrays[2:])
        return _run(way, T, "activation_gradient", (activation, a, grad_a, z), a.shape, out, T, **dict(zip(given, arrays)))


def row_losses(
    loss: LossName | Huber | Quantile,
    z: ArrayLike,
    a: ArrayLike,
    y: ArrayLike,
    *,
    out: NDArray[Any] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """The loss of each row.

    loss: a name in fastmlp.LOSSES, whose rows have the formulas, or a fastmlp.Huber or Quantile. z, a: the output layer's
    sums and activations, (rows, n) with n >= 1, from which the loss takes what loses least: those that go through a
    logarithm take it of z, the others take a. y: the targets, (rows, n), for classes one-hot rows.

    Returns (rows,) in float64, whatever T is. A batch's loss is ordered_sum(losses) / rows.

    >>> z = [[2.0, 0, -1]]
    >>> row_losses("cross_entropy", z, softmax(z), [[1.0, 0, 0]])
    array([0.16984602])
    """
    way = _way(backend, n_threads)
    with way.environment():
        (z, a, y), T = _alike(z=z, a=a, y=y)
        arguments = validation.network_loss(loss, T), z, a, y
        _check_outputs("z", z)
        return _run(way, T, "row_losses", arguments, (len(z),), out, np.dtype(np.float64), z=z, a=a, y=y)


def output_gradient(
    loss: LossName | Huber | Quantile,
    activation: HiddenActivation | OutputActivation | CustomActivation,
    a: ArrayLike,
    y: ArrayLike,
    z: ArrayLike | None = None,
    divisor: float | None = None,
    *,
    out: NDArray[Any] | None = None,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """dL/dz of the output layer, for L the sum of the rows' losses over divisor.

    e is the loss's derivative by a, over divisor. For cross_entropy after softmax, binary_cross_entropy after sigmoid and
    poisson after exp it is (a - y) / divisor and all; for the others it goes through the activation's derivative, e f'(z).

    loss: as for row_losses. activation: the output layer's, one that goes with this loss; the losses that go through its
    derivative also go with one of your own, which needs z. a, y, z: outputs, targets and sums, (rows, n) with n >= 1.
    divisor: a number above 0; None is the number of rows, which makes L their mean.

    Returns (rows, n).

    >>> output_gradient("cross_entropy", "softmax", softmax([[2.0, 0, -1]]), [[1.0, 0, 0]])
    array([[-0.15620527,  0.1141952 ,  0.04201007]])
    """
    way = _way(backend, n_threads)
    with way.environment():
        given = {"a": a, "y": y}
        if z is not None:
            given["z"] = z
        arrays, T = _alike(**given)
        checked = validation.network_loss(loss, T)
        suited = LOSSES[name_of(checked)].output_activations
        _check_activation(activation, T, derivative=True)
        own = not isinstance(activation, str) and suited == WITH_DERIVATIVE
        if not own and activation not in suited:
            raise ValueError(f"activation {activation!r} does not go with loss {checked!r}: that needs {' or '.join(suited)}")
        _check_outputs("a", arrays[0])
        a, y, z = *arrays[:2], _z_of(activation, arrays[2:])
        divisor = len(a) if divisor is None else _number("divisor", divisor)
        if not divisor > 0 and len(a):
            raise ValueError(f"divisor must be a number above 0, not {divisor}")
        arguments = checked, activation, a, y, z, divisor
        return _run(way, T, "output_gradient", arguments, a.shape, out, T, **dict(zip(given, arrays)))


def ordered_sum(
    values: ArrayLike, *, out: NDArray[Any] | None = None, backend: BackendName | None = None, n_threads: int | None = None
) -> NDArray[Any]:
    """The sum over the last axis in a fixed order: chunks of 256 terms, each from +0, added to the total one after another.

    values: at least one axis. Returns an array without the last one, or a number. `values.sum(axis=-1)` in NumPy adds in an
    order that depends on the layout and the machine.

    >>> ordered_sum([[1.0, 2, 3], [4, 5, 6]])
    array([ 6., 15.])
    """
    way = _way(backend, n_threads)
    with way.environment():
        (values,), T = _arrays(values=values)
        if not values.ndim:
            raise ValueError("values must have at least one axis, not shape ()")
        return _run(way, T, "ordered_sum", (values,), values.shape[:-1], out, values=values)


def update(
    rule: str,
    parameters: NDArray[Any],
    gradients: NDArray[Any],
    state: Sequence[NDArray[Any]],
    numbers: ArrayLike,
    *,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> None:
    """One step of an update rule in place, element by element: w = w - u, where u and the state follow from the gradient g.

        rule: a name in this table; settle(x) makes +0 of subnormal numbers, and every operation is rounded once:

    {rules}

        parameters: w, an array of any shape, float32 or float64, changed in place.
        gradients: g, of its shape.
        state: the rule's arrays in the table's order, of its shape and dtype, changed in place; they begin as zeros.
        numbers: the rule's numbers in the table's order, rounded to T. adam's a and e hold the corrections of its bias at step t,
            a = learning_rate sqrt(1 - b2^t) / (1 - b1^t) and e = epsilon sqrt(1 - b2^t), with k1 = 1 - b1 and k2 = 1 - b2.

        No two of these arrays may share memory. Returns nothing.

        >>> w, g, v = np.array([1.0, 2]), np.array([0.5, -0.5]), np.zeros(2)
        >>> update("momentum", w, g, [v], [0.9, 1.0, 0.1])
        >>> w, v
        (array([0.95, 2.05]), array([ 0.5, -0.5]))
    """
    way = _way(backend, n_threads)
    with way.environment():
        row = RULES[validation.choice("rule", rule, RULES)]
        if not isinstance(parameters, np.ndarray) or parameters.dtype not in way.functions:
            expected = "parameters must be an array of dtype float32 or float64"
            raise TypeError(f"{expected}, not {describe(parameters)}")
        validation.writable("parameters", parameters, parameters.shape, parameters.dtype)
        (_, gradients), T = _alike(parameters=parameters, gradients=gradients)
        state = _sequence("state", state, row.state, "arrays of this rule")
        numbers = _sequence("numbers", numbers, row.numbers, "numbers of this rule")
        numbers = [_number("a number of the rule", number) for number in numbers]
        changed = {"parameters": parameters}
        for i, array in enumerate(state):
            validation.writable(f"state[{i}]", array, parameters.shape, T)
            validation.apart(f"state[{i}]", array, **changed, gradients=gradients)
            changed[f"state[{i}]"] = array
        validation.apart("parameters", parameters, gradients=gradients)
        worked_in = [array if _direct(array) is not None else array.copy(order="C") for array in changed.values()]
        w, *rest = [array.reshape(-1) for array in worked_in]
        threads = {"n_threads": way.n_threads} if way.quick else {}
        way.functions[T].update(rule, w, gradients.reshape(-1), rest, numbers, **threads)
        for array, computed in zip(changed.values(), worked_in):
            if computed is not array:
                array[...] = computed


update.__doc__ = update.__doc__ and update.__doc__.replace(
    "{rules}",
    "\n".join(
        f"        {row.name}: {row.formula}\n            numbers {', '.join(row.numbers)}; "
        f"{'state ' + ', '.join(row.state) if row.state else 'no state'}"
        for row in RULES.values()
    ),
)


def sgd_update(
    parameters: NDArray[Any],
    gradients: NDArray[Any],
    learning_rate: float,
    *,
    backend: BackendName | None = None,
    n_threads: int | None = None,
) -> None:
    """Plain gradient descent in place, w = w - learning_rate g, the product and the difference rounded one after the other.

    parameters: an array of any shape, float32 or float64, changed in place. gradients: of its shape, elsewhere in memory.
    learning_rate: a finite number >= 0. The same as update("sgd", parameters, gradients, (), (learning_rate,)).

    >>> w = np.array([1.0, 2])
    >>> sgd_update(w, np.array([0.5, -0.5]), 0.1)
    >>> w
    array([0.95, 2.05])
    """
    if isinstance(parameters, np.ndarray) and parameters.dtype in _REALS:
        learning_rate = validation.learning_rate(learning_rate, parameters.dtype)
        way = _way(backend, n_threads)
        kernels = way.quick.get(parameters.dtype)
        if kernels is not None and kernels.takes_update(parameters, gradients):
            kernels.sgd_update(parameters, gradients, learning_rate, way.n_threads)
            return
    update("sgd", parameters, gradients, (), (learning_rate,), backend=backend, n_threads=n_threads)


# How a call goes.


class _Way(NamedTuple):
    functions: dict[np.dtype, ModuleType]  # the backend's, by dtype
    environment: Environment
    n_threads: int
    quick: dict[np.dtype, ModuleType]  # the functions again, if they are those of the kernels, which take out and n_threads


@functools.lru_cache(maxsize=64, typed=True)
def _chosen(backend: str | None, n_threads: int | None) -> _Way:
    threads = default_threads() if n_threads is None else validation.integer("n_threads", n_threads, 1, 2**31)
    chosen = backends.load(backend)
    functions = backends.functions(chosen.name)
    return _Way(functions, chosen.environment, threads, functions if chosen.name == "compiled" else {})


def _way(backend: str | None, n_threads: int | None) -> _Way:
    try:
        return _chosen(backend, n_threads)
    except TypeError:  # also for what cannot be looked up
        return _chosen.__wrapped__(backend, n_threads)


def _run(way: _Way, T: FloatDtype, name: str, arguments: tuple[Any, ...], shape: tuple[int, ...],
         out: np.ndarray | None, dtype: FloatDtype | None = None, **inputs: np.ndarray) -> np.ndarray:  # fmt: skip
    """The result of a backend's function of arguments in T, of this shape, in out where given; inputs: its arrays by name."""
    dtype = dtype or T
    if out is not None:
        validation.writable("out", out, shape, dtype)
        validation.apart("out", out, **inputs)
    if 0 in shape:
        return np.empty(shape, dtype) if out is None else out
    function = getattr(way.functions[T], name)
    if way.quick:
        result = function(*arguments, out=_direct(out), n_threads=way.n_threads)
        return result if out is None else _written(out, result)
    if out is not None:
        return _written(out, function(*arguments))
    return np.array(function(*arguments), dtype)[()]  # what the reference returns may be one of its arguments


def _direct(out: np.ndarray | None) -> np.ndarray | None:
    """The array if a backend can work in it."""
    return out if out is not None and out.flags.c_contiguous and out.flags.aligned else None


def _written(out: np.ndarray, result: np.ndarray) -> np.ndarray:
    if result is not out and out is not None:
        out[...] = result
    return out


# The checks.

_REALS = frozenset((np.dtype(np.float32), np.dtype(np.float64)))


def _arrays(**values: Any) -> tuple[list[Floats], FloatDtype]:
    """(arrays, T): the values as arrays of one dtype, that of those which are float32 or float64 already."""
    T = None
    for value in values.values():
        if type(value) is not np.ndarray or value.dtype is not T and (T is not None or value.dtype not in _REALS):
            break
        T = value.dtype
    else:
        return list(values.values()), value.dtype  # most need no conversion
    first, T = None, np.dtype(np.float64)
    for name, value in values.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            dtype = value.dtype if value.dtype in _REALS else value.dtype.newbyteorder("=")
            if first is not None and dtype != T and dtype in _REALS:
                raise TypeError(f"{name} must have the dtype of {first}, {T}, not {dtype}")
            if dtype in _REALS:
                first, T = first or name, dtype
    return [_converted(name, value, T) for name, value in values.items()], T


def _converted(name: str, value: Any, T: FloatDtype) -> Floats:
    array = numbers(name, value)
    if array.dtype == T:
        return array if array.dtype.isnative else array.astype(T)
    with np.errstate(over="ignore"):
        return array.astype(T)


def _alike(**values: Any) -> tuple[list[Floats], FloatDtype]:
    """As _arrays, and all of the first one's shape."""
    arrays, T = _arrays(**values)
    for name, array in zip(values, arrays):
        if array.shape != arrays[0].shape:
            _check_shape(name, array, arrays[0].shape, **{next(iter(values)): arrays[0]})
    return arrays, T


def _check_shape(name: str, array: np.ndarray, shape: tuple[int | str, ...], **beside: np.ndarray) -> None:
    """Raise ValueError unless an array has this shape, in which names stand for any number; beside: what it follows from."""
    if array.shape == shape:
        return
    if array.ndim != len(shape) or any(type(n) is int and n != m for n, m in zip(shape, array.shape)):
        expected = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
        others = " and ".join(f"{other} of shape {one.shape}" for other, one in beside.items())
        raise ValueError(f"{name} must have shape {expected}{' with ' * bool(others)}{others}, not {array.shape}")


def _check_matrix(name: str, array: np.ndarray) -> None:
    if array.ndim != 2:
        raise ValueError(f"{name} must have two axes, not shape {array.shape}")


def _check_product(a_name: str, a: Floats, b_name: str, b: Floats, seed_name: str, seed: Floats | None) -> None:
    _check_matrix(a_name, a)
    _check_shape(b_name, b, (a.shape[1], "n_out"), **{a_name: a})
    if seed is not None:
        _check_shape(seed_name, seed, b.shape[1:], **{b_name: b})


def _check_outputs(name: str, array: Floats) -> None:
    _check_matrix(name, array)
    if not array.shape[1]:
        raise ValueError(f"{name} must have at least one column, not shape {array.shape}")


def _check_activation(activation: object, T: FloatDtype, derivative: bool = False) -> None:
    if type(activation) is str and activation in ACTIVATIONS:
        return
    checked = validation.one_activation("activation", activation, ACTIVATIONS)
    if not isinstance(checked, str):
        if derivative and not checked.has_derivative:
            raise ValueError(f"activation {checked} has no derivative: define it with @{checked}.derivative")
        checked.prepare(T)


def _z_of(activation: AnyActivation, arrays: Sequence[Floats]) -> Floats | None:
    """z, of a list that holds it or nothing; None where the derivative does not need it."""
    if isinstance(activation, str) and not ACTIVATIONS[activation].keeps_z:
        return None
    if not arrays:
        raise ValueError(f"z must be given: the derivative of activation {activation} is a function of it")
    return arrays[0]


def _number(name: str, value: Any) -> float:
    if type(value) is float:
        return value
    array = numbers(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be a number, not {describe(value)}")
    return float(array)


def _sequence(name: str, values: Any, names: Sequence[str], what: str) -> list[Any]:
    """values as a list, one for each of the names."""
    try:
        found = list(values)
    except TypeError:
        raise TypeError(f"{name} must be a sequence of {what}, not {describe(values)}") from None
    if len(found) != len(names):
        raise ValueError(f"{name} must be {len(names)} {what}{': ' * bool(names)}{', '.join(names)}, not {len(found)}")
    return found


def _three_outputs(
    out: object, shapes: Sequence[tuple[int, ...]], T: FloatDtype, input_gradient: bool, **inputs: np.ndarray
) -> tuple[Any, ...]:
    """The arrays that dense_backward's results are to be written into, or None for each."""
    if out is None:
        return None, None, None
    if not isinstance(out, (tuple, list)) or len(out) != 3:
        raise TypeError(f"out must be three arrays, for grad_w, grad_b and grad_x, not {describe(out)}")
    names = [f"out[{i}]" for i in range(3)]
    if not input_gradient and out[2] is not None:
        raise ValueError("out[2] must be None without input_gradient")
    for i, (name, array, shape) in enumerate(zip(names, out, shapes)):
        if array is not None:
            validation.writable(name, array, shape, T)
            before = {other: one for other, one in zip(names[:i], out) if one is not None}
            validation.apart(name, array, **inputs, **before)
    return tuple(out)
