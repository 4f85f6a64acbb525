"""Every kernel gives the reference's bytes: registry x instruction set x dtype x threads x layout x kind of values.

The ordinary run takes each row of the registry once on each instruction set, with the rest drawn from a seed;
`pytest -m slow` takes the whole product.
"""

from functools import cache, lru_cache
from itertools import product

import numpy as np
import pytest
from conftest import (
    LAYOUTS,
    ROW_LAYOUTS,
    assert_same_bits,
    for_each,
    needs_page_protection,
    once_a_run,
    read_to_the_end,
    rng_of,
    values,
)
from registry import Row, registry, tiles_of

from fastmlp import reference
from fastmlp.activations import ACTIVATIONS
from fastmlp.architecture import n_parameters
from fastmlp.backends import kernels
from fastmlp.losses import LOSSES, name_of
from fastmlp.reference import Dropout, Samples, Steps, Update
from fastmlp.update_rules import RULES

DTYPES = ("float32", "float64")
ISAS = kernels().available() if kernels() else []
THREADS = (1, 2, 3)
KINDS = ("ordinary", "zeros", "special", "subnormal")
RATE = 0.37
EXPENSIVE = ("sum_of_products", "dense_update")  # as the engine's methods are, for the reference
FEW = 3000  # products: more of them with special values would keep the float64 reference too long in its fractions


def probabilities(rng, shape, dtype):
    return np.eye(shape[1], dtype=dtype)[rng.randint(0, shape[1], shape[0])] if shape[1] > 1 else np.ones(shape, dtype)


# One function for each kernel: (implementation, arguments) -> results; arguments come from inputs(row, dtype, kind).


def inputs(row, dtype, kind):
    """The arguments of a row: {name: array or plain value}, with arrays of their own."""
    return {name: own(value) for name, value in drawn(plain(row), dtype, kind).items()}


def own(value):
    if isinstance(value, np.ndarray):
        return value.copy("K")
    return tuple(map(own, value)) if type(value) is tuple else value


def distinct(m, terms, n):
    """How many rows and columns of a product (m, terms) by (terms, n) are drawn, after which they come again.

    Of large ones few, for the sake of the reference's time: by primes, so that no tile, strip or block comes again as it was.
    """
    return (m, n) if m * terms * n < 4_000_000 else (53, 211)


CORNER = (8, 48)


def whole_of(terms):
    """The product whose corner all small ones of so many terms are: the reference takes as long for one as for each of them."""
    return Row("sum_of_products", None, (("m", CORNER[0]), ("terms", terms), ("n", CORNER[1])))


def is_corner(row, dtype, kind):
    m, terms, n = (dict(row.shape)[name] for name in ("m", "terms", "n"))
    fits = terms > 200 and m <= CORNER[0] and n <= CORNER[1] and (m, n) != CORNER
    return fits and (dtype == "float32" or kind in ("ordinary", "zeros"))  # see FEW


@lru_cache(maxsize=16)  # the next that asks is most often the same row's next number of threads or layout
def drawn(row, dtype, kind):
    rng, shape = rng_of(row.kernel, row.shape, dtype, kind), dict(row.shape)

    def draw(*size):
        return values(rng, size, dtype, kind)

    name = row.kernel
    if name == "sum_of_products":
        m, terms, n = shape["m"], shape["terms"], shape["n"]
        if is_corner(row, dtype, kind):
            whole, order = drawn(whole_of(terms), dtype, kind), "F" if shape.get("transposed") else "C"
            return {"a": whole["a"][:m], "b": whole["b"][:, :n].copy(order), "seed": whole["seed"][:n]}
        rows, columns = distinct(m, terms, n)
        b = draw(columns, terms).T if shape.get("transposed") else draw(terms, columns)
        repeated = np.arange(n) % columns
        return {"a": draw(rows, terms)[np.arange(m) % rows], "b": b if columns == n else np.take(b, repeated, axis=1),
                "seed": draw(columns)[repeated]}  # fmt: skip
    if name.startswith("dense"):
        rows, n_in, n_out = shape["rows"], shape["n_in"], shape["n_out"]
        arrays = {"x": draw(rows, n_in), "weights": draw(n_in, n_out)}
        if name == "dense_forward":
            return {**arrays, "bias": draw(n_out), "activation": shape["activation"]}
        arrays["grad_z"] = draw(rows, n_out)
        if name == "dense_backward":
            return {**arrays, "input_gradient": shape["input_gradient"]}
        return {**arrays, "bias": draw(n_out)}
    if name in ("activate", "activation_gradient"):
        arrays = {"z" if name == "activate" else "a": draw(shape["rows"], shape["n"])}
        if name == "activation_gradient":
            arrays["grad_a"] = draw(shape["rows"], shape["n"])
            if keeps_z(shape["activation"]):
                arrays["z"] = draw(shape["rows"], shape["n"])
        return {"activation": shape["activation"], **arrays}
    if name in ("output_gradient", "row_losses"):
        size = shape["rows"], shape["n"]
        y = targets(rng, shape["loss"], size, dtype, kind)
        arrays = {"a": draw(*size), "y": y}
        if name == "row_losses":
            return {"loss": shape["loss"], "z": draw(*size), **arrays}
        if keeps_z(shape["activation"]):
            arrays["z"] = draw(*size)
        if shape.get("weighted"):
            arrays["weights"] = weights_of(rng, shape["rows"], dtype)
        return {"loss": shape["loss"], "activation": shape["activation"], "divisor": shape.get("divisor"), **arrays}
    if name == "ordered_sum":
        return {"values": draw(shape["n"], shape["rows"]).T if shape["columns"] else draw(shape["rows"], shape["n"])}
    if name == "update":
        rule, lines = RULES[shape["rule"]], shape.get("lines", ())
        return {"rule": rule.name, "parameters": draw(shape["n"]), "gradients": draw(shape["n"]),
                "state": states_of(rng, rule, lines, shape["n"], dtype, kind),
                "numbers": numbers_of(rng, rule, 1, dtype, lines)[0], "lines": lines, "scale": shape.get("scale")}  # fmt: skip
    if name.startswith("sum_of_"):
        return {"array": draw(shape["n"])}
    arguments = engine_inputs(rng, dtype, kind, **shape)
    if name == "Engine.train" and arguments["x"].dtype == dtype:  # which takes finite inputs; their sums may overflow
        arguments["x"][~np.isfinite(arguments["x"])] = 1e30
    return arguments


def targets(rng, loss, size, dtype, kind):
    row = LOSSES[name_of(loss)]
    if row.compares_probabilities:
        return probabilities(rng, size, dtype)
    y = values(rng, size, dtype, kind)
    return np.abs(y) if row.counts else y


def weights_of(rng, rows, dtype):
    """Weights of rows, with some zeros and whole numbers."""
    return (rng.random_sample(rows) * rng.choice([0, 1, 3], rows) + rng.choice([0, 1], rows)).astype(dtype)


def keeps_z(activation):
    return not isinstance(activation, str) or ACTIVATIONS[activation].keeps_z


def states_of(rng, rule, lines, n, dtype, kind="ordinary"):
    """An update rule's arrays, and the average; what a square root is taken of is not negative."""
    names = (*rule.state, "average") if "average" in lines else rule.state
    arrays = [values(rng, n, dtype, kind) for _ in names]
    return tuple(np.abs(array) if name == "v" else array for name, array in zip(names, arrays))


def numbers_of(rng, rule, n_steps, dtype, lines=()):
    return (rng.random_sample((n_steps, len(rule.numbers) + len(lines))) + 2.0**-10).astype(dtype)


def engine_inputs(rng, dtype, kind, sizes, rows, batch=None, pixels=False, shuffled=False, labels=False,
                  loss="squared_error", output="sigmoid", hidden="tanh", rule="sgd", carry=None, lines=(), clip=False,
                  biases=False, penalties=False, dropout=None, scale=None, several=False, weighted=False,
                  mean_over_rows=False, smoothing=0.0):  # fmt: skip
    size = rows, sizes[0]
    x = rng.randint(0, 256, size).astype(np.uint8) if pixels else values(rng, size, dtype, kind)
    y = rng.randint(0, max(2, sizes[-1]), rows) if labels else targets(rng, loss, (rows, sizes[-1]), dtype, kind)
    batch, rule = batch or rows, RULES[rule]
    n_steps = -(-rows // batch)
    update = Update(
        rule.name, numbers_of(rng, rule, 1 if rule.name == "sgd" else n_steps, dtype, lines),
        states_of(rng, rule, lines, n_parameters(sizes), dtype), lines, biases, (0.7, 1e-6) if clip else None,
    )  # fmt: skip
    return {
        "sizes": sizes, "activations": (hidden,) * (len(sizes) - 2) + (output,), "loss": loss,
        "parameters": values(rng, n_parameters(sizes), dtype, "ordinary" if kind == "subnormal" else kind),
        "x": x, "y": y, "order": rng.permutation(rows).astype(np.int64) if shuffled else None, "batch": batch,
        "update": update, "carry": carry, "scale": 255.0 if scale is None and pixels else scale or 1.0,
        "counts": np.int32 if several else np.uint8, "dropout": dropout and Dropout(dropout, 77),
        "coefficients": rng.random_sample((n_steps, 2)) if penalties else None,
        "weighting": (weights_of(rng, rows, dtype) if weighted else None, mean_over_rows, smoothing),
    }  # fmt: skip


def run(kernel, implementation, arguments, n_threads=1):
    """The results of one kernel as a list of arrays."""
    if kernel.startswith("Engine"):
        return run_engine(kernel.removeprefix("Engine."), implementation, n_threads=n_threads, **arguments)
    if kernel == "dense_update":
        return dense_update(implementation, **arguments)
    if kernel == "update":
        parameters, state = np.array(arguments["parameters"]), [np.array(array) for array in arguments["state"]]
        implementation.update(**{**arguments, "parameters": parameters, "state": state})
        return [parameters, *state]
    results = getattr(implementation, kernel)(**arguments)
    return [r for r in results if r is not None] if isinstance(results, tuple) else [results]


def dense_update(implementation, x, weights, bias, grad_z):
    weights, bias = np.array(weights, order="C"), np.array(bias, order="C")
    if implementation is reference:
        grad_w, grad_b, _ = reference.dense_backward(x, weights, grad_z, input_gradient=False)
        reference.sgd_update(weights, grad_w, RATE)
        reference.sgd_update(bias, grad_b, RATE)
    else:
        implementation.dense_update(x, weights, bias, grad_z, RATE)
    return [weights, bias]


def run_engine(method, implementation, n_threads, sizes, activations, loss, parameters, x, y, order, batch, update, carry,
               scale=1.0, counts=np.uint8, dropout=None, coefficients=None, weighting=(None, False, 0.0)):  # fmt: skip
    parameters, rows = parameters.copy(), len(x)
    engine = implementation.Engine(sizes, activations, loss, parameters, n_threads, scale)
    losses, correct = np.zeros(rows), np.zeros(rows, counts)
    samples = Samples(x, y, *weighting)
    if method == "forward":
        out = np.empty((rows, sizes[-1]), parameters.dtype)
        assert engine.forward(x, out) is out
        return [out, engine.forward(x)]
    if method == "evaluate":
        engine.evaluate(samples, losses, correct)
        return [losses, correct]
    if method == "activations":
        return engine.activations(x)
    if method == "gradients":
        gradients = np.full_like(parameters, np.nan)
        for start in range(0, rows, carry or rows):  # in blocks, from the totals of the rows before
            block = slice(start, start + (carry or rows))
            some = samples._replace(x=x[block], y=y[block], weights=None if weighting[0] is None else weighting[0][block])
            engine.gradients(some, gradients, losses[block], rows if carry else None, start > 0)
        return [losses, gradients]
    update = update._replace(state=tuple(array.copy() for array in update.state))
    if method == "apply":
        gradients = parameters[::-1].copy()
        engine.apply(gradients, update)
        return [parameters, *update.state]
    half = rows // 2 // batch * batch  # in two calls, as fit makes them
    means, of_steps = [], np.zeros(-(-rows // batch))
    for start, stop in ((0, half), (half, rows)) if half else ((0, rows),):
        first = start // batch
        numbers = update.numbers[first:] if len(update.numbers) > 1 else update.numbers
        steps = Steps(start, stop, batch, order, before=2**32 - 1 + first)
        penalties = None if coefficients is None else (coefficients[first:].copy(), of_steps[first:])
        means.append(engine.train(samples, update._replace(numbers=numbers), steps, losses, correct, penalties, dropout))
    return [parameters, losses, correct, np.array(means), of_steps, *update.state]


def plain(row):
    """A row without what neither its arguments nor the reference's results depend on."""
    return row._replace(branch=None, threads=1)


def expected(row, dtype, kind):
    return results_of_the_reference(plain(row), dtype, kind)


@cache
def results_of_the_reference(row, dtype, kind):
    return once_a_run((row, dtype, kind), lambda: computed_by_the_reference(row, dtype, kind))


def computed_by_the_reference(row, dtype, kind):
    if row.kernel == "sum_of_products" and is_corner(row, dtype, kind):
        shape = dict(row.shape)
        return [expected(whole_of(shape["terms"]), dtype, kind)[0][: shape["m"], : shape["n"]]]
    if row.kernel == "sum_of_products":
        arrays = inputs(row, dtype, kind)
        (m, n), (terms, _) = (len(arrays["a"]), arrays["b"].shape[1]), arrays["b"].shape
        rows, columns = distinct(m, terms, n)
        own = sum_of_products(arrays["a"][:rows], arrays["b"][:, :columns], arrays["seed"][:columns])
        return [own if own.shape == (m, n) else own[np.ix_(np.arange(m) % rows, np.arange(n) % columns)]]
    return run(row.kernel, reference, inputs(row, dtype, kind))


def sum_of_products(a, b, seed):
    """The reference's, of as many rows at a time as stay in the cache, which takes half the time."""
    parts = max(1, min(len(a), len(a) * b.shape[1] // 16_000))
    return np.concatenate([reference.sum_of_products(rows, b, seed) for rows in np.array_split(a, parts)])


@cache
def module_of(isa, dtype):
    return kernels().modules(isa)[np.dtype(dtype)]


def laid_out(arguments, layout, engine):
    """The same arguments with their arrays in another layout."""
    table = ROW_LAYOUTS if engine else LAYOUTS
    fixed = ("parameters", "order", "weights", "bias", "coefficients") if engine else ("numbers",)
    return {
        name: table[layout](value) if isinstance(value, np.ndarray) and name not in fixed and
        not (engine and value.ndim == 1) else value
        for name, value in arguments.items()
    }  # fmt: skip


def kinds_of(row, dtype):
    """The kinds of values that a row is tried with: the float64 reference takes extremes only in small shapes."""
    shape = dict(row.shape)
    if row.kernel.startswith("Engine"):
        return ("ordinary",) if dtype == "float64" or row.threads > 1 else ("ordinary", "zeros", "special")
    sizes = [size for name, size in shape.items() if name not in ("input_gradient", "divisor", "scale") and type(size) is int]
    return KINDS if dtype == "float32" or np.prod(sizes) <= FEW else ("ordinary", "zeros")


def kind_of(row, dtype):
    """The one kind that a row is tried with where all would take the reference too long: the same in every backend and on
    every instruction set, which then have its results in common."""
    kinds = kinds_of(row, dtype)
    return kinds[rng_of(plain(row), dtype).randint(len(kinds))]


def check(row, isa, dtype, threads, layout, kind):
    engine = row.kernel.startswith("Engine")
    arguments = laid_out(inputs(row, dtype, kind), layout, engine)
    module = module_of(isa, dtype)
    module.branches_taken()
    results = run(row.kernel, module, arguments, threads)
    taken = module.branches_taken()
    if row.branch and threads >= row.threads and layout == "as given":
        assert row.branch in taken, f"{row} {dict(row.shape)} with {threads} threads took {sorted(taken)}"
    context = f"{row} {dict(row.shape)} {isa} {dtype} {threads} threads, {layout}, {kind} values"
    assert_same_bits(results, expected(row, dtype, kind), context)


EVERYWHERE = list(product(ISAS, DTYPES))


def by_kernel():
    """One case for each kernel, which walks its rows: one for each row would cost more than most rows."""
    for isa, dtype in EVERYWHERE:
        rows = dict.fromkeys(registry(isa, dtype))
        for kernel in dict.fromkeys(row.kernel for row in rows):
            some = [row for row in rows if row.kernel == kernel]
            yield pytest.param(isa, dtype, some, id=f"{isa}-{dtype}-{kernel}")


BY_KERNEL = list(by_kernel())


@pytest.mark.parametrize("isa, dtype, rows", BY_KERNEL)
def test_sample(isa, dtype, rows):
    def sample(row):
        engine = row.kernel.startswith("Engine")
        layouts = list(ROW_LAYOUTS if engine else LAYOUTS)
        draw = rng_of(row, dtype, isa)
        for kind in (kind_of(row, dtype),) if engine or row.kernel in EXPENSIVE else kinds_of(row, dtype):
            for threads in THREADS if engine else (1,):
                check(row, isa, dtype, threads, "as given", kind)
            threads = THREADS[draw.randint(len(THREADS))] if engine else 1
            check(row, isa, dtype, threads, layouts[draw.randint(1, len(layouts))], kind)

    for_each(rows, sample)


@pytest.mark.slow
@pytest.mark.parametrize("isa, dtype, rows", BY_KERNEL)
def test_product(isa, dtype, rows):
    def whole(row):
        engine = row.kernel.startswith("Engine")
        for kind in kinds_of(row, dtype):
            for threads, layout in product(THREADS if engine else (1,), ROW_LAYOUTS if engine else LAYOUTS):
                check(row, isa, dtype, threads, layout, kind)

    for_each(rows, whole)


@pytest.mark.parametrize("isa, dtype", EVERYWHERE)
def test_every_branch_has_a_row(isa, dtype):
    """With test_sample, in which every row must take its branch: all branches are taken."""
    module = kernels().modules(isa)[np.dtype(dtype)]
    assert module.branches() - {row.branch for row in registry(isa, dtype)} == set()


@pytest.mark.parametrize("isa, dtype", EVERYWHERE)
def test_out_is_written_and_returned(isa, dtype):
    module = kernels().modules(isa)[np.dtype(dtype)]
    a, b, seed = (values(rng_of(isa, i), shape, dtype, "ordinary") for i, shape in enumerate([(5, 7), (7, 9), (9,)]))
    for function, arguments in ((module.sum_of_products, (a, b, seed)), (module.dense_forward, (a, b, seed, "tanh"))):
        out = np.full((5, 9), np.nan, dtype)
        assert function(*arguments, out=out) is out
        assert_same_bits([out], [getattr(reference, function.__name__)(*arguments)], function.__name__)


@pytest.mark.parametrize("isa, dtype", EVERYWHERE)
def test_nothing_is_written_beyond_the_result(isa, dtype):
    module = kernels().modules(isa)[np.dtype(dtype)]
    for n in range(1, 35):
        around = np.full(3 * n + 64, 7, dtype)
        out = around[32 : 32 + 3 * n].reshape(3, n)
        module.sum_of_products(np.ones((3, 2), dtype), np.ones((2, n), dtype), 1, out=out)
        assert (out == 3).all() and (around[:32] == 7).all() and (around[32 + 3 * n :] == 7).all()


@needs_page_protection
@pytest.mark.parametrize("isa", ISAS)
def test_nothing_is_read_beyond_the_arguments(isa):
    modules = f"{{dtype.type: module for dtype, module in kernels().modules({isa!r}).items()}}"
    read_to_the_end("from fastmlp.backends import kernels", modules)


@pytest.mark.parametrize("isa, dtype", EVERYWHERE)
@pytest.mark.parametrize("scale", [255, 1, 7, 1e-3])
def test_pixels_are_divided_by_the_scale(isa, dtype, scale):
    pixels = np.arange(256, dtype=np.uint8)[:, None]
    engine = kernels().modules(isa)[np.dtype(dtype)].Engine((1, 1), ("identity",), "squared_error",
                                                            np.array([1, 0], dtype), 1, scale)  # fmt: skip
    out = np.empty((256, 1), dtype)
    engine.forward(pixels, out)
    assert_same_bits([out], [pixels.astype(dtype) / np.dtype(dtype).type(scale)], "pixels")


@pytest.mark.parametrize("isa, dtype", EVERYWHERE)
def test_an_underflowing_chunk_joins_a_total_of_plus_zero(isa, dtype):
    """fma(-tiny, tiny, +0) is -0, and +0 + -0 is +0: storing the first chunk would show in what has no seed."""
    module, tiles = kernels().modules(isa)[np.dtype(dtype)], tiles_of(isa, dtype)
    tiny = np.dtype(dtype).type(1e-30 if dtype == "float32" else 1e-200)
    for n_in, vecs in tiles.by_columns:
        n_out = vecs * tiles.lanes
        weights, bias = np.full((n_in, n_out), -0.0, dtype), np.full(n_out, -0.0, dtype)
        module.dense_update(np.full((1, n_in), tiny), weights, bias, np.full((1, n_out), -tiny), 0.5)
        assert np.signbit(weights).all() and (weights == 0).all()  # -0 - 0.5 * +0; with a total of -0 it were +0
        assert (bias == tiny / 2).all()
        assert not np.signbit(module.sum_of_products(weights * 0 - tiny, np.full((n_out, 3), tiny), 0)).any()
    arguments = dict(sizes=(3, 2), activations=("identity",), loss="squared_error", order=None, batch=1, update=None,
                     carry=None, parameters=np.zeros(8, dtype), x=np.full((1, 3), tiny), y=np.full((1, 2), tiny))  # fmt: skip
    results = run("Engine.gradients", module, arguments)
    assert_same_bits(results, run("Engine.gradients", reference, arguments), "gradients")
    assert not np.signbit(results[1][:6]).any()
