"""The kernels and the branches of their dispatch: one row for each, with a shape that takes it.

The kernels do not say which branch they take. This file repeats the decisions of products.pxi, network.pxi and
engine.pxi over the tables and constants that stand in their sources, so that a row whose shape has come to take
another branch is noticed; the shapes follow the lanes of an instruction set and element type.
"""

import platform
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastmlp

SOURCES = Path(fastmlp.__file__).parent / "kernels"
VECTOR_BYTES = {"avx512": 64, "avx2": 32, "portable": 16}
REGISTERS = {"avx512": 32, "avx2": 16, "portable": 32 if platform.machine().lower() in ("aarch64", "arm64") else 8}
LOSSES = (
    ("squared_error", "identity"), ("squared_error", "relu"), ("squared_error", "sigmoid"), ("squared_error", "tanh"),
    ("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid"),
)  # fmt: skip


class Row(NamedTuple):
    """A kernel, the branch that this row is here for, and the arguments that take it: pairs of name and value."""

    kernel: str
    branch: str
    shape: tuple
    threads: int = 1  # the branch is taken from this many threads on

    def __str__(self):
        return f"{self.kernel}: {self.branch}"


class Table(NamedTuple):
    """The register tiles of one instruction set and element type, and how products.pxi chooses among them."""

    lanes: int
    tiles: frozenset  # (rows, vecs)
    side_by_side: frozenset  # (rows, vecs, chunks)
    tile_rows: tuple

    def widest(self, rows):
        wide = [vecs for height, vecs in self.tiles if height == rows and vecs > 2] if rows <= 8 else []
        return max(wide, default=2)

    def chunks(self, rows, n, terms):
        if rows > 2 or n > 2 * self.lanes:
            return 1
        chunks = min(constant("MAX_CHUNKS"), terms // constant("CHUNK"))
        return chunks if (rows, -(-n // self.lanes), chunks) in self.side_by_side else 1

    def heights(self, rows, vecs):
        most = self.tile_rows[vecs]
        if most < rows <= 8 and (rows, vecs) in self.tiles:
            most = rows
        tiles = -(-rows // most)
        height, larger = divmod(rows, tiles)
        return {height + 1, height} if larger else {height}


@lru_cache
def source(name):
    return (SOURCES / name).read_text()


@lru_cache
def constant(name):
    text = "".join(source(file) for file in ("products.pxi", "engine.pxi", "tile.h"))
    return int(re.search(rf"\b{name}(?: =)? ([0-9_]+)", text)[1])


@lru_cache
def table(isa, dtype):
    text = source("tile.h")
    blocks = re.split(r"\n#(?:if REGISTERS == 32|elif REGISTERS == 16|else|endif)", text[text.index("/* The tiles") :])
    block = blocks[{32: 1, 16: 2, 8: 3}[REGISTERS[isa]]]
    triples = re.findall(r"X\((\d+), (\d+), (\d+)\)", text)
    return Table(
        lanes=VECTOR_BYTES[isa] // np.dtype(dtype).itemsize,
        tiles=frozenset((int(r), int(v)) for r, v in re.findall(r"X\((\d+), (\d+)\)", block)),
        side_by_side=frozenset(tuple(map(int, triple)) for triple in triples),
        tile_rows=tuple(map(int, re.search(r"tile_rows\[\] = \{(.*?)\}", block)[1].split(","))),
    )


def product_branches(tiles, m, terms, n, transposed=False, update=False):
    """What multiply in products.pxi does for an (m, terms) matrix times a (terms, n) one."""
    if terms == 0:
        return {"no terms"}
    hit = set()
    lanes, chunk, block = tiles.lanes, constant("CHUNK"), constant("ROW_BLOCK")
    for row in range(0, m, block):
        hit.add("later row block" if row else "first row block")
        rows = min(block, m - row)
        strip, k = tiles.widest(rows) * lanes, 0
        while k < terms:
            chunks = 1 if transposed else tiles.chunks(rows, n, terms - k)
            size = min(chunk, terms - k)
            last = k + size * chunks == terms
            hit.add("totals carried" if k else "first chunk")
            if update:
                hit.add(f"update of {'carried totals' if k else 'one chunk'}" if last else "totals kept for the update")
            for column in range(0, n, strip):
                columns = min(strip, n - column)
                vecs = -(-columns // lanes)
                hit.add("partial vector" if columns % lanes else "full vector")
                packs = rows >= constant("PACKING_PAYS") and n > vecs * lanes
                hit.add("transposed" if transposed else "packed" if packs else "in place")
                for height in tiles.heights(rows, vecs):
                    hit.add(f"tile {height}x{vecs}" + (f" with {chunks} chunks" if chunks > 1 else ""))
            k += size * chunks
    return hit


def engine_branches(tiles, threads, method, sizes, rows, batch=None, pixels=False, shuffled=False, labels=False, **_):
    """What Engine and take_batch do."""
    hit = {("shuffled " if shuffled else "") + ("pixels" if pixels else "rows")}
    hit.add("one output" if labels and sizes[-1] == 1 else "labels" if labels else "targets")
    batch = min(batch or rows, rows)
    products = sum(n_in * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    trains = method in ("train", "gradients")
    team = min(threads, max((batch * 3 if trains else rows) * products // constant("SHARE_PAYS"), 1))
    if not trains:
        hit.add("one thread" if team == 1 else "rows to each thread")
        block = constant("PIXEL_ROWS" if pixels else "INFERENCE_ROWS")
        hit.add("blocks of rows" if rows // team > block else "one block")
        return hit
    hit.add("one thread" if team == 1 else "team")
    if rows % batch:
        hit.add("short last batch")
    if method == "train":
        hit.add("totals carried" if batch > constant("CHUNK") else "one chunk")
    if team > 1:
        for way, widths in (("forward", sizes[1:]), ("backward", sizes[1:-1])):
            for columns in widths:
                by = "columns" if columns // (2 * tiles.lanes) >= 2 * team else "rows"
                hit.add(f"{way} by {by}")
    return hit


def branches(row, isa, dtype, threads):
    """The branches that a row's shape takes."""
    tiles, shape = table(isa, dtype), dict(row.shape)
    if row.kernel == "sum_of_products":
        return product_branches(tiles, **shape)
    if row.kernel == "dense_update":
        return product_branches(tiles, shape["n_in"], shape["rows"], shape["n_out"], update=True)
    if row.kernel.startswith("Engine"):
        return engine_branches(tiles, threads, row.kernel.removeprefix("Engine."), **shape)
    return {row.branch}  # no dispatch of its own, or one that an argument names


def registry(isa, dtype):
    """Every row for one instruction set and element type."""
    tiles = table(isa, dtype)
    return [*_products(tiles), *_updates(tiles), *_layers(), *_engines(tiles)]


def _row(kernel, branch, threads=1, **shape):
    return Row(kernel, branch, tuple(shape.items()), threads)


def _products(tiles):
    lanes, name = tiles.lanes, "sum_of_products"
    for rows, vecs in sorted(tiles.tiles):
        for n in (vecs * lanes, (vecs - 1) * lanes + 1):
            yield _row(name, f"tile {rows}x{vecs}", m=rows, terms=5, n=n)
        yield _row(name, f"tile {rows}x{vecs}", m=rows, terms=300, n=vecs * lanes, transposed=True)
    for rows, vecs, chunks in sorted(tiles.side_by_side):
        for extra in (0, 1, 255):
            yield _row(name, f"tile {rows}x{vecs} with {chunks} chunks", m=rows, terms=256 * chunks + extra,
                       n=vecs * lanes - (extra > 1))  # fmt: skip
    for m, terms, n in [(0, 3, 2), (3, 0, 2), (3, 2, 0), (1, 0, 1)]:
        yield _row(name, "no terms" if terms == 0 else _any(tiles, m, terms, n), m=m, terms=terms, n=n)
    for m in (*range(1, 18), 23, 24, 25, 31, 32, 33):
        for n in (1, 9 * lanes - 1):
            yield _row(name, _any(tiles, m, 3, n), m=m, terms=3, n=n)
    for terms in (1, 2, 15, 16, 17, 255, 256, 257, 511, 512, 513, 784, 1537):
        for m, n in ((1, 1), (2, 2 * lanes), (3, 10)):
            yield _row(name, _any(tiles, m, terms, n), m=m, terms=terms, n=n)
    for n in (3 * lanes - 1, 4 * lanes + 1):
        yield _row(name, "packed", m=constant("PACKING_PAYS"), terms=260, n=n)
        yield _row(name, "in place", m=constant("PACKING_PAYS") - 1, terms=260, n=n)
        yield _row(name, "transposed", m=constant("PACKING_PAYS"), terms=260, n=n, transposed=True)
    for m in (384, 385, 400, 769):
        yield _row(name, "later row block" if m > 384 else "first row block", m=m, terms=259, n=5)
        yield _row(name, "packed", m=m, terms=3, n=2 * lanes + 3)
    yield _row(name, "partial vector", m=2, terms=3, n=lanes + 1)
    yield _row(name, "full vector", m=2, terms=3, n=lanes)
    yield _row(name, "totals carried", m=5, terms=257, n=3)


def _any(tiles, m, terms, n):
    """Some branch of a shape that is here for its own sake."""
    return min(product_branches(tiles, m, terms, n), default="nothing to do")


def _updates(tiles):
    for rows in (1, 10, 255, 256):
        for n_in, n_out in ((1, 1), (17, 10), (784 if rows == 10 else 31, 16)):
            yield _row("dense_update", "update of one chunk", rows=rows, n_in=n_in, n_out=n_out)
    for rows in (257, 511, 513):
        for n_in, n_out in ((3, 5), (33, 2 * tiles.lanes + 1)):
            yield _row("dense_update", "update of carried totals", rows=rows, n_in=n_in, n_out=n_out)
            yield _row("dense_update", "totals kept for the update", rows=rows, n_in=n_in, n_out=n_out)
    for rows, vecs in sorted(tiles.tiles):
        yield _row("dense_update", f"tile {rows}x{vecs}", rows=3, n_in=rows, n_out=vecs * tiles.lanes)
    yield _row("dense_update", "packed", rows=7, n_in=40, n_out=3 * tiles.lanes)


def _layers():
    for activation in ("identity", "relu", "sigmoid", "tanh", "softmax"):
        for rows, n_in, n_out in ((1, 3, 2), (5, 17, 33), (26, 9, 70), (2, 4, 513), (0, 3, 4)):
            yield _row("dense_forward", activation, rows=rows, n_in=n_in, n_out=n_out, activation=activation)
            yield _row("activate", activation, rows=rows, n=n_out, activation=activation)
            if activation != "softmax":
                yield _row("activation_gradient", activation, rows=rows, n=n_out, activation=activation)
    for input_gradient in (True, False):
        for rows, n_in, n_out in ((1, 1, 1), (10, 33, 17), (257, 5, 3), (30, 70, 40), (0, 3, 2)):
            yield _row("dense_backward", f"input gradient {input_gradient}", rows=rows, n_in=n_in, n_out=n_out,
                       input_gradient=input_gradient)  # fmt: skip
    for loss, activation in LOSSES:
        for rows, n in ((1, 2), (10, 10), (3, 300)):
            yield _row("output_gradient", f"{loss} {activation}", rows=rows, n=n, loss=loss, activation=activation)
            yield _row("row_losses", f"{loss} {activation}", rows=rows, n=n, loss=loss, activation=activation)
    for n in (0, 1, 2, 255, 256, 257, 513):
        yield _row("ordered_sum", "along rows", rows=3, n=n, columns=False)
        yield _row("ordered_sum", "down columns", rows=3, n=n, columns=True)
        yield _row("sgd_update", "flat", n=n)


def _engines(tiles):
    strip = 2 * tiles.lanes
    narrow, wide = (90, strip - 1, 3), (7, 2 * 3 * strip + 1, 2 * 3 * strip + 5, 3)
    deep = (narrow[0], 4, 5, narrow[2])
    softmax = dict(sizes=(20, 300), loss="cross_entropy", output="softmax")
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
    yield _row("Engine.evaluate", "labels", sizes=deep, rows=9, labels=True)
    yield _row("Engine.evaluate", "one output", sizes=(9, 4, 1), rows=9, labels=True)
    yield _row("Engine.evaluate", "targets", sizes=deep, rows=9)
    yield _row("Engine.activations", "rows", sizes=deep, rows=27)
    yield _row("Engine.activations", "pixels", sizes=deep, rows=27, pixels=True)

    for method in ("train", "gradients"):
        name = f"Engine.{method}"
        yield _row(name, "one thread", sizes=deep, rows=20)
        yield _row(name, "pixels", sizes=deep, rows=20, pixels=True)
        yield _row(name, "labels", sizes=deep, rows=20, labels=True)
        yield _row(name, "one output", sizes=(9, 4, 1), rows=20, labels=True)
        tall = -(-450_000 // (narrow[0] * narrow[1]))
        for branch in ("team", "forward by rows", "backward by rows"):
            yield _row(name, branch, threads=2, sizes=narrow, rows=tall)
        for branch in ("forward by columns", "backward by columns"):
            yield _row(name, branch, threads=2, sizes=wide, rows=30 if tiles.lanes > 4 else 300)
        yield _row(name, "team", threads=2, rows=70, labels=True, **softmax)
    train = "Engine.train"
    yield _row(train, "rows", sizes=deep, rows=20, batch=10)
    yield _row(train, "shuffled rows", sizes=deep, rows=23, batch=10, shuffled=True)
    yield _row(train, "shuffled pixels", sizes=deep, rows=23, batch=10, shuffled=True, pixels=True)
    yield _row(train, "short last batch", sizes=deep, rows=33, batch=16, labels=True)
    yield _row(train, "one chunk", sizes=deep, rows=256, labels=True)
    yield _row(train, "totals carried", sizes=deep, rows=300, batch=257, labels=True)
    yield _row(train, "totals carried", threads=2, sizes=(90, 40, 3), rows=700, shuffled=True)
    for loss, activation in LOSSES:
        for hidden in ("identity", "relu", "sigmoid", "tanh"):
            yield _row(train, "short last batch", sizes=(5, 4, 3, 2), rows=7, batch=4, loss=loss,
                       output=activation, hidden=hidden)  # fmt: skip
