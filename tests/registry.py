"""The kernels and the branches of their dispatch: one row for each, with a shape that takes it.

The kernels say which branches they took (branches.pxi); a row whose shape has come to take another branch than it is
here for fails, and so does a branch without a row. The shapes follow the lanes of an instruction set and element type.
"""

import ctypes
import re
from typing import NamedTuple

import numpy as np

from fastmlp.activations import ACTIVATIONS
from fastmlp.backends import kernels
from fastmlp.losses import LOSSES, WITH_DERIVATIVE, Huber, Quantile, name_of
from fastmlp.update_rules import LINES, RULES

VECTOR_BYTES = {"avx512": 64, "avx2": 32, "portable": 16}
HIDDEN = [row.name for row in ACTIVATIONS.values() if row.hidden]
SHARED = (320, 16, 5, 9, 3)  # layers whose weights' rows are cut together, so that some threads have none of a layer
# Each loss with some of its outputs, and one with all: the outputs' gradients know nothing of losses.
SOME = ("identity", "tanh", "gelu")
ENDS = [(loss.name, output) for loss in LOSSES.values() for output in loss.output_activations
        if output in SOME or loss.output_activations != WITH_DERIVATIVE or loss.name == "squared_error"]  # fmt: skip
ENDS += [(Huber(0.25), "identity"), (Quantile(0.1), "identity")]


class Bent:
    """A user's activation as the backends see one, called through ctypes: z where z > 0, else -z / 4."""

    def __init__(self):
        self.callbacks = []  # C holds their addresses only

    def __repr__(self):
        return "bent"

    def __call__(self, z):
        return np.where(z > 0, z, z * z.dtype.type(-0.25))

    def derivative_at(self, z):
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(-0.25))

    def addresses(self, dtype):
        """(forward, gradient) for this dtype."""
        real = ctypes.POINTER(np.ctypeslib.as_ctypes_type(dtype))

        def forward(z, a, n):
            np.ctypeslib.as_array(a, (n,))[:] = self(np.ctypeslib.as_array(z, (n,)))

        def gradient(z, g, n):
            np.ctypeslib.as_array(g, (n,))[:] *= self.derivative_at(np.ctypeslib.as_array(z, (n,)))

        function = ctypes.CFUNCTYPE(None, real, real, ctypes.c_ssize_t)
        self.callbacks += (function(forward), function(gradient))
        return tuple(ctypes.cast(callback, ctypes.c_void_p).value for callback in self.callbacks[-2:])


BENT = Bent()


class Row(NamedTuple):
    """A kernel, the branch that this row is here for (None: its shape), and its arguments: pairs of name and value."""

    kernel: str
    branch: str | None
    shape: tuple
    threads: int = 1  # the branch is taken from this many threads on

    def __str__(self):
        return f"{self.kernel}: {self.branch or dict(self.shape)}"


class Tiles(NamedTuple):
    """The register tiles of one implementation, as pairs (rows, vecs), and triples with the chunks side by side."""

    lanes: int
    by_rows: list
    by_columns: list
    side_by_side: list


def tiles_of(isa, dtype):
    names = kernels().modules(isa)[np.dtype(dtype)].branches()

    def sizes(pattern):
        return sorted(tuple(map(int, match.groups())) for name in names if (match := re.fullmatch(pattern, name)))

    return Tiles(
        lanes=VECTOR_BYTES[isa] // np.dtype(dtype).itemsize,
        by_rows=sizes(r"tile (\d+)x(\d+)"),
        by_columns=sizes(r"tile (\d+)x(\d+) by columns"),
        side_by_side=sizes(r"tile (\d+)x(\d+) with (\d+) chunks"),
    )


def registry(isa, dtype):
    """Every row for one instruction set and element type of the compiled kernels."""
    return rows_for(tiles_of(isa, dtype))


def rows_for(tiles):
    """Every row for an implementation with these tiles."""
    return [*_products(tiles), *_updates(tiles), *_layers(), *_engines(tiles)]


def default_output(loss):
    return LOSSES[name_of(loss)].output_activations[0]


def _row(kernel, branch, threads=1, **shape):
    return Row(kernel, branch, tuple(shape.items()), threads)


def _products(tiles):
    lanes, name = tiles.lanes, "sum_of_products"
    for rows, vecs in tiles.by_rows:
        for n in (vecs * lanes, (vecs - 1) * lanes + min(3, lanes)):
            yield _row(name, f"tile {rows}x{vecs}", m=rows, terms=5, n=n)
        yield _row(name, f"tile {rows}x{vecs}", m=rows, terms=300, n=vecs * lanes, transposed=True)
    for rows, vecs, chunks in tiles.side_by_side:
        for extra in (0, 1, 255):
            yield _row(name, f"tile {rows}x{vecs} with {chunks} chunks", m=rows, terms=256 * chunks + extra,
                       n=vecs * lanes - (extra > 1 and lanes > 2))  # fmt: skip
    for m, terms, n in [(0, 3, 2), (3, 0, 2), (3, 2, 0), (1, 0, 1)]:
        yield _row(name, None if terms else "no terms", m=m, terms=terms, n=n)
    for m in (*range(1, 18), 23, 24, 25, 31, 32, 33):
        for n in (1, 9 * lanes - 1):
            yield _row(name, None, m=m, terms=3, n=n)
    for terms in (1, 2, 15, 16, 17, 255, 256, 257, 511, 512, 513, 784, 1537):
        for m, n in ((1, 1), (2, 2 * lanes), (3, 10)):
            yield _row(name, None, m=m, terms=terms, n=n)
    for n in (4 * lanes + 1, 9 * lanes - 1):
        yield _row(name, "B packed", m=192, terms=260, n=n)
        yield _row(name, "B in place", m=31, terms=260, n=n)
        yield _row(name, "B transposed", m=24, terms=260, n=n, transposed=True)
    wide = 4 if (5, 4) in tiles.by_rows else 2  # vectors of a strip of a large matrix
    for m in (192, 257):
        yield _row(name, "A packed by rows", m=m, terms=64, n=64 * wide * lanes + 3)
    for m in (384, 385, 400, 769):
        yield _row(name, "later row block" if m > 384 else "first row block", m=m, terms=259, n=5)
        yield _row(name, "B packed", m=m, terms=3, n=5 * lanes + 3)
    for terms, n in ((1, 192), (7, 299), (8, 1025), (259, 1100), (521, 207)):
        yield _row(name, "streamed", m=2, terms=terms, n=n)
    for m, terms, n in ((1, 259, 1100), (3, 5, 1030), (5, 258, 1041), (7, 9, 1100), (8, 4, 1024)):
        yield _row(name, "streamed" if m == 1 else None, m=m, terms=terms, n=n)
    for m in (max(2, lanes // 2), lanes, 2 * lanes + 1, 4 * lanes - 1):
        for terms, n in ((1, 1), (3, 2), (4, 1), (256, 2), (259, 1), (530, 2), (1024, 1)):
            for transposed in (False, True):
                yield _row(name, "narrow" if n == 1 or lanes > 2 else None, m=m, terms=terms, n=n, transposed=transposed)
    yield _row(name, "partial vector", m=2, terms=3, n=lanes + 1)
    yield _row(name, "full vector", m=2, terms=3, n=lanes)
    yield _row(name, "first chunk", m=5, terms=256, n=3)
    yield _row(name, "totals carried", m=5, terms=257, n=3)


def _updates(tiles):
    for rows in (1, 10, 255, 256):
        for n_in, n_out in ((1, 1), (17, 10), (784 if rows == 10 else 31, 16)):
            yield _row("dense_update", "update of one chunk", rows=rows, n_in=n_in, n_out=n_out)
    for rows in (257, 511, 513):
        for n_in, n_out in ((3, 5), (33, 2 * tiles.lanes + 1)):
            yield _row("dense_update", "update of carried totals", rows=rows, n_in=n_in, n_out=n_out)
    for rows, vecs in tiles.by_columns:
        for n_out in (vecs * tiles.lanes, (vecs - 1) * tiles.lanes + 1):
            yield _row("dense_update", f"tile {rows}x{vecs} by columns", rows=3, n_in=rows, n_out=n_out)
    for rows, n_in in ((64, 29), (70, 193), (300, 200)):
        yield _row("dense_update", "A packed by columns", rows=rows, n_in=n_in, n_out=17 * tiles.lanes + 3)
    yield _row("dense_update", "B packed", rows=7, n_in=200, n_out=5 * tiles.lanes)


def _layers():
    for activation in ACTIVATIONS:
        for rows, n_in, n_out in ((1, 3, 2), (5, 17, 33), (26, 9, 70), (2, 4, 513), (0, 3, 4)):
            branch = f"forward of {activation}" if rows else None
            yield _row("dense_forward", branch, rows=rows, n_in=n_in, n_out=n_out, activation=activation)
            yield _row("activate", branch, rows=rows, n=n_out, activation=activation)
            if activation in HIDDEN:
                yield _row("activation_gradient", f"gradient of {activation}", rows=rows, n=n_out, activation=activation)
    for rows, n in ((1, 2), (26, 70)):
        yield _row("activate", "forward of a user's activation", rows=rows, n=n, activation=BENT)
        yield _row("dense_forward", "forward of a user's activation", rows=rows, n_in=9, n_out=n, activation=BENT)
        yield _row("activation_gradient", "gradient of a user's activation", rows=rows, n=n, activation=BENT)
        yield _row(
            "output_gradient", "gradient of a user's activation", rows=rows, n=n, loss="squared_error", activation=BENT
        )
    for input_gradient in (True, False):
        for rows, n_in, n_out in ((1, 1, 1), (10, 33, 17), (257, 5, 3), (30, 70, 40), (0, 3, 2)):
            yield _row("dense_backward", None, rows=rows, n_in=n_in, n_out=n_out,
                       input_gradient=input_gradient)  # fmt: skip
    for loss, activation in ENDS:
        for rows, n in ((1, 2), (10, 10), (3, 300)):
            yield _row("output_gradient", None, rows=rows, n=n, loss=loss, activation=activation)
            if activation not in SOME[1:]:
                yield _row("row_losses", f"loss {name_of(loss)}", rows=rows, n=n, loss=loss, activation=activation)
        yield _row("output_gradient", None, rows=5, n=10, loss=loss, activation=activation, divisor=77)
        if activation == default_output(loss):
            for rows, n in ((1, 1), (5, 10), (33, 7)):
                yield _row(
                    "output_gradient", "weighted rows", rows=rows, n=n, loss=loss, activation=activation, weighted=True
                )
    for n in (0, 1, 2, 255, 256, 257, 513):
        yield _row("ordered_sum", None, rows=3, n=n, columns=False)
        yield _row("ordered_sum", None, rows=3, n=n, columns=True)
        for rule in RULES:
            yield _row("update", f"update by {rule}", n=n, rule=rule)
            yield _row("update", f"update by {rule}", n=n, rule=rule, lines=tuple(LINES), scale=0.3)
        for line in LINES:
            yield _row("update", None, n=n, rule="adam", lines=(line,))
    for n in (0, 1, 15, 4095, 4097, 9001):
        yield _row("sum_of_squares", None, n=n)
        yield _row("sum_of_magnitudes", None, n=n)


def _engines(tiles):
    strip = 2 * tiles.lanes
    narrow, wide = (90, strip - 1, 3), (7, 2 * 3 * strip + 1, 2 * 3 * strip + 5, 3)
    deep = (narrow[0], 4, 5, narrow[2])
    # No more rows than a team of three is worth: the reference takes its time.
    few = max(30, -(-160_000 // sum(n_in * n_out for n_in, n_out in zip(wide, wide[1:]))))
    softmax = dict(sizes=(20, 300), loss="cross_entropy", output="softmax")
    strips = (min(33, 1024 // (5 * strip + 3) + 2), 5 * strip + 3, 10)  # whose updates come in more than one piece
    for method in ("forward", "evaluate"):
        name = f"Engine.{method}"
        yield _row(name, "one block", sizes=deep, rows=11)
        yield _row(name, "blocks of rows", sizes=deep, rows=900)
        yield _row(name, "blocks of rows", sizes=deep, rows=200, pixels=True)
        yield _row(name, "one thread", sizes=deep, rows=1)
        yield _row(name, "pixels", sizes=deep, rows=5, pixels=True)
        yield _row(name, "rows to each thread", threads=2, sizes=(200, 100, 3), rows=61)
        yield _row(name, "rows to each thread", threads=3, sizes=(200, 100, 3), rows=61, pixels=True)
        yield _row(name, "rows to each thread", threads=3, rows=210, **softmax)
        yield _row(name, "forward of a user's activation", sizes=deep, rows=400, hidden=BENT, output=BENT)
        yield _row(name, "forward of a user's activation", threads=2, sizes=(200, 100, 3), rows=61, hidden=BENT, output=BENT)
    for rows, vecs in (tile for tile in tiles.by_rows if tile[0] > 1):
        for n in (vecs * tiles.lanes, (vecs - 1) * tiles.lanes + min(3, tiles.lanes)):
            yield _row("Engine.forward", "next rows fetched", sizes=(37, n), rows=2 * rows)
    yield _row("Engine.evaluate", "labels", sizes=deep, rows=9, labels=True)
    yield _row("Engine.evaluate", "one output", sizes=(9, 4, 1), rows=9, labels=True)
    yield _row("Engine.evaluate", "targets", sizes=deep, rows=9)
    for sizes in (deep, (9, 4, 1), (5, 300)):
        yield _row("Engine.evaluate", "targets", sizes=sizes, rows=33, several=True)
    for pixels, branch in ((False, "scaled rows"), (True, "pixels")):
        for method in ("forward", "train"):
            yield _row(f"Engine.{method}", branch, sizes=deep, rows=33, batch=16, pixels=pixels, scale=7.0)
        yield _row("Engine.train", branch, threads=2, sizes=wide, rows=few, pixels=pixels, scale=3.0)
    yield _row("Engine.train", "scaled rows", sizes=deep, rows=23, batch=10, shuffled=True, scale=255.0)
    yield _row("Engine.train", "pixels", sizes=deep, rows=23, batch=10, pixels=True, scale=1.0)
    yield _row("Engine.activations", None, sizes=deep, rows=27, scale=3.0)
    yield _row("Engine.activations", "forward of a user's activation", sizes=deep, rows=27, hidden=BENT)
    yield _row("Engine.activations", None, sizes=deep, rows=27)
    yield _row("Engine.activations", None, sizes=deep, rows=27, pixels=True)

    for method in ("train", "gradients"):
        name = f"Engine.{method}"
        yield _row(name, "one thread", sizes=deep, rows=20)
        yield _row(name, "pixels", sizes=deep, rows=20, pixels=True)
        yield _row(name, "labels", sizes=deep, rows=20, labels=True)
        yield _row(name, "one output", sizes=(9, 4, 1), rows=20, labels=True)
        tall = -(-200_000 // (narrow[0] * narrow[1]))
        for branch in ("team", "forward by rows", "backward by rows", "update by rows"):
            yield _row(name, branch, threads=2, sizes=narrow, rows=tall)
        for threads in (2, 3):
            yield _row(name, "update by rows", threads=threads, sizes=SHARED, rows=40, labels=True)
        for branch in ("forward by columns", "backward by columns", "update by columns"):
            yield _row(name, branch, threads=2, sizes=wide, rows=30 if tiles.lanes > 4 else 300)
        yield _row(name, "team", threads=2, rows=70, labels=True, **softmax)
        yield _row(name, "gradient of a user's activation", sizes=deep, rows=33, batch=16, hidden=BENT, output=BENT)
        yield _row(name, "gradient of a user's activation", threads=2, sizes=wide, rows=few, hidden=BENT,
                   output=BENT)  # fmt: skip
    train = "Engine.train"
    yield _row(train, "rows in place", sizes=deep, rows=20, batch=10)
    yield _row(train, "shuffled rows", sizes=deep, rows=23, batch=10, shuffled=True)
    yield _row(train, "shuffled pixels", sizes=deep, rows=23, batch=10, shuffled=True, pixels=True)
    yield _row(train, "short last batch", sizes=deep, rows=33, batch=16, labels=True)
    for pixels in (False, True):
        yield _row(train, "team", threads=2, sizes=(784, 16, 16, 10), rows=24, batch=10, shuffled=True, labels=True,
                   pixels=pixels)  # fmt: skip
    yield _row(train, "first chunk", sizes=deep, rows=256, labels=True)
    yield _row(train, "totals carried", sizes=deep, rows=300, batch=257, labels=True)
    yield _row(train, "totals carried", threads=2, sizes=(90, 40, 3), rows=530, shuffled=True)
    for hidden in HIDDEN:
        yield _row(train, f"gradient of {hidden}", sizes=(5, 4, 3, 2), rows=7, batch=4, hidden=hidden)
    for i, (loss, activation) in enumerate(ENDS):
        yield _row(train, f"loss {name_of(loss)}", sizes=(5, 4, 3, 2), rows=7, batch=4, loss=loss, output=activation,
                   hidden=HIDDEN[i % len(HIDDEN)])  # fmt: skip
        if activation == default_output(loss):
            yield _row(train, "weighted rows", sizes=(5, 4, 3), rows=7, batch=4, loss=loss, output=activation, weighted=True)
    for mean_over_rows in (False, True):
        weighted = dict(weighted=True, mean_over_rows=mean_over_rows)
        yield _row(train, "weighted rows", sizes=deep, rows=23, batch=10, shuffled=True, labels=True, **weighted)
        yield _row(train, "weighted rows", sizes=deep, rows=560, batch=520, **weighted)
        yield _row(train, "weighted rows", threads=2, sizes=(784, 16, 16, 10), rows=34, batch=20, shuffled=True, **weighted)
        yield _row("Engine.gradients", "weighted rows", sizes=deep, rows=300, **weighted)
        yield _row("Engine.gradients", "weighted rows", sizes=deep, rows=300, carry=256, **weighted)
    for loss, output, sizes in (("cross_entropy", "softmax", deep), ("binary_cross_entropy", "sigmoid", deep),
                                ("binary_cross_entropy", "sigmoid", (9, 4, 1))):  # fmt: skip
        for labels in (False, True):
            smoothed = dict(sizes=sizes, loss=loss, output=output, labels=labels, smoothing=0.1)
            yield _row(train, "smoothed targets", rows=43, batch=20, **smoothed)
            yield _row(train, "smoothed targets", rows=43, batch=20, weighted=True, shuffled=True, **smoothed)
            yield _row("Engine.gradients", "smoothed targets", rows=43, **smoothed)
            yield _row("Engine.evaluate", "smoothed targets", rows=43, **smoothed)
    for rule in RULES:
        branch = None if rule == "sgd" else "update of strips"
        yield _row(train, branch, sizes=deep, rows=23, batch=10, rule=rule)
        yield _row(train, branch, sizes=strips, rows=270, batch=257, rule=rule, labels=True)
        yield _row(train, branch, threads=2, sizes=wide, rows=few, rule=rule)
        yield _row(train, branch, threads=3, sizes=SHARED, rows=40, rule=rule, labels=True)
        yield _row("Engine.apply", f"update by {rule}", sizes=(33, 20, 10), rows=5, rule=rule)
        yield _row("Engine.apply", f"update by {rule}", sizes=(33, 20, 10), rows=5, rule=rule, lines=tuple(LINES), clip=True)
        for biases in (False, True):
            yield _row(
                train, f"update by {rule}", sizes=deep, rows=23, batch=10, rule=rule, lines=tuple(LINES), biases=biases
            )
    for biases in (False, True):
        yield _row(train, "penalties", sizes=(90, 61, 3), rows=23, batch=10, rule="adam", lines=("l2", "l1"), biases=biases,
                   penalties=True)  # fmt: skip
        yield _row(train, "penalties", threads=2, sizes=wide, rows=few, lines=("l2",),
                   biases=biases, penalties=True, clip=True)  # fmt: skip
    for rule in ("sgd", "adam"):
        yield _row(train, "clipped by norm", sizes=(90, 61, 3), rows=23, batch=10, rule=rule, clip=True)
        yield _row(train, "clipped by norm", sizes=deep, rows=300, batch=290, rule=rule, clip=True, labels=True)
        yield _row(train, "clipped by norm", threads=2, sizes=wide, rows=few, rule=rule, clip=True,
                   lines=tuple(LINES))  # fmt: skip
    for hidden in (*HIDDEN, BENT):
        yield _row(train, "units dropped", sizes=deep, rows=23, batch=10, hidden=hidden, dropout=(0, 20_000, 65_535))
    for pixels in (False, True):
        yield _row(train, "inputs dropped", sizes=deep, rows=23, batch=10, pixels=pixels, shuffled=True,
                   dropout=(9_000, 0, 1))  # fmt: skip
        yield _row(train, "inputs dropped", threads=2, sizes=wide, rows=few, pixels=pixels,
                   dropout=(9_000, 30_000, 30_000))  # fmt: skip
    yield _row(train, "units dropped", threads=3, sizes=(120, 100, 40, 3), rows=43, batch=21, dropout=(0, 30_000, 20_000))
    for rows in (300, 513, 700):
        yield _row("Engine.gradients", None, sizes=deep, rows=rows, carry=256)
    yield _row("Engine.gradients", None, threads=2, sizes=wide, rows=530, carry=512, labels=True)
