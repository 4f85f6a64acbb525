"""Sums of products: the one blocked loop nest behind the forward pass, both gradients and the fused update.

C[i, j] = seed[j] + sum_k A[i, k] B[k, j], (m, n) from (m, terms) and (terms, n), in ascending k, in chunks of 256 (see
tile.py). The caller names the block of C that it owns, rows r0..r1 and columns c0..c1; nothing else is written. A is given
by the addresses of its lines, rows or columns, which may lie scattered. B may have any strides; it is copied into strips
that lie in order where its columns are not contiguous, or where enough rows share a strip to pay for the copy. Likewise
A's lines are packed where enough strips share them: lines a power of two apart would fight for a few places
in the caches.
"""

import functools

import numba
import numpy as np
from numba import types

from .compiling import compile_c_function, inline, jit
from .intrinsics import address, as_item, call, moved, pointer
from .target import REGISTERS, VECTOR_BYTES
from .tile import CHUNK, WIDE, lanes, most_rows, tiles_by_columns, tiles_by_rows

MC = 384  # rows of A that stay in the second-level cache while the strips of B pass
PACKING_B_ROWS = 48  # rows from which a packed strip is cheaper than a strided one
PACKING_A_COLUMNS = 256  # columns from which packed lines are cheaper than scattered ones
LINE = 16  # at least as many numbers as a cache line holds
WIDEST = 8 * VECTOR_BYTES // 4  # columns of the widest strip of either type
UPDATE_STRIP = 1024  # gradients that are computed, and stay in the first-level cache, before their update follows
PACKED_B_BUFFER = CHUNK * WIDEST
PACKED_A_BUFFER = MC * (CHUNK + LINE)
LINES_BUFFER = 2 * MC  # addresses of lines, of two float32 each
BUFFER = PACKED_B_BUFFER + PACKED_A_BUFFER + LINES_BUFFER + UPDATE_STRIP

rows_at_once = jit(most_rows)


@functools.cache
def multiply_for(dtype):
    """multiply, compiled for one type on its own: .address is a C function's, which `call` takes."""
    p, n = types.CPointer(numba.from_dtype(dtype)), types.int64
    signature = types.void(types.CPointer(n), n, n, p, n, n, p, n, p, n, n, n, p, n, n, n, n, n, p)
    return compile_c_function(multiply, signature)


def multiply(lines, by_columns, terms, b, b_row, b_col, seed, seed_col, c, c_row, carries, update, numbers, at, r0, r1, c0,
             c1, buffer):  # fmt: skip
    """terms >= 1. seed[j * seed_col]. carries: whether C holds totals of terms before these, which are gone on from. update:
    the address of an update's description (see updates.py), or 0: after the last chunk the parameters from `at` on, rows
    c_row apart, are updated with C for their gradients; C then only keeps totals between chunks. buffer: BUFFER numbers."""
    width = lanes(c)
    described = pointer(np.int64, update)
    rule, parameters, rate = 0, c, as_item(c, 0)
    if update != 0:
        rule, parameters, rate = described[0], moved(pointer(c, described[1]), at), numbers[0]
    for row in range(r0, r1, MC):
        rows = min(MC, r1 - row)
        for k in range(0, terms, CHUNK):
            a, a_row, a_k = lines, row, k
            if c1 - c0 >= PACKING_A_COLUMNS:
                a, a_row, a_k = pointer(lines, address(moved(buffer, PACKED_B_BUFFER + PACKED_A_BUFFER))), 0, 0
                if by_columns != 0:
                    gather(moved(lines, k), row, min(CHUNK, terms - k), rows, moved(buffer, PACKED_B_BUFFER), a)
                else:
                    gather(moved(lines, row), k, rows, min(CHUNK, terms - k), moved(buffer, PACKED_B_BUFFER), a)
            column = c0
            while column < c1:
                vecs = strip_width(rows, (c1 - column + width - 1) // width)
                columns = min(vecs * width, c1 - column)
                if k == 0 and carries == 0:
                    start, start_row = moved(seed, column * seed_col), 0
                else:
                    start, start_row = moved(c, row * c_row + column), c_row
                place = row * c_row + column
                updates = update != 0 and k + CHUNK >= terms
                target = moved(parameters if updates else c, place)
                multiply_strip(a, by_columns != 0, a_row, a_k, min(CHUNK, terms - k), moved(b, k * b_row + column * b_col),
                               b_row, b_col, start, start_row, target, c_row, updates and rule == 0, rate,
                               rule if updates else 0, described, numbers, at + place, rows, columns, vecs,
                               buffer)  # fmt: skip
                column += columns


@jit
def strip_width(rows, vecs):
    """The vectors of the next strip, with `vecs` to go: a small last one for the rest; wider for few rows, so that
    enough sums are under way to hide the latency of fma."""
    most = 8 if rows <= REGISTERS // 16 else 4 if rows <= 2 * (REGISTERS // 16) else WIDE
    while most > vecs:
        most //= 2
    return most


@inline
def multiply_strip(lines, by_columns, row, k, terms, b, b_row, b_col, start, start_row, c, c_row, updates, rate, rule, update,
                   numbers, at, rows, columns, vecs, buffer):  # fmt: skip
    """updates: whether tiles update c by plain gradient descent. rule: the address of another rule's function, or 0: then the
    totals of a few tiles at a time go to the end of buffer, and their update follows at once."""
    width = vecs * lanes(b)
    gradients = moved(buffer, BUFFER - UPDATE_STRIP)
    if b_col != 1 or width - columns > b_row or (rows >= PACKING_B_ROWS and b_row > width):
        pack(b, b_row, b_col, terms, columns, width, buffer)
        b, b_row = buffer, width
    last = columns - (vecs - 1) * lanes(b)
    # Tiles of equal height, or nearly: a small last tile would cost as much time as a full one.
    tiles = (rows + rows_at_once(vecs) - 1) // rows_at_once(vecs)
    height = rows // tiles
    higher = rows - height * tiles
    for n, tile_rows in ((higher, height + 1), (tiles - higher, height)):
        at_once = n if rule == 0 else max(1, UPDATE_STRIP // (tile_rows * columns))
        while n > 0:
            n_tiles = min(at_once, n)
            total, total_row = (c, c_row) if rule == 0 else (gradients, columns)
            if by_columns:
                tiles_by_columns(tile_rows, vecs, n_tiles, terms, moved(lines, k), row, b, b_row, last, start, start_row,
                                 total, total_row, updates, rate)  # fmt: skip
            else:
                tiles_by_rows(tile_rows, vecs, n_tiles, terms, moved(lines, row), k, b, b_row, last, start, start_row,
                              total, total_row, updates, rate)  # fmt: skip
            taken = n_tiles * tile_rows
            if rule != 0:
                call(rule, (update, numbers, as_item(c, 1), at, taken, columns, c_row, gradients))
            n -= n_tiles
            row += taken
            at += taken * c_row
            start = moved(start, taken * start_row)
            c = moved(c, taken * c_row)


@jit
def gather(lines, offset, n, length, block, copies):
    """copies (n,): the addresses in block of copies of the lines, from `offset` on."""
    width = (CHUNK if length <= CHUNK else MC) + LINE
    for i in range(n):
        line, copied = moved(pointer(block, lines[i]), offset), moved(block, i * width)
        for j in range(length):
            copied[j] = line[j]
        copies[i] = address(copied)


@jit
def pack(b, b_row, b_col, terms, columns, width, strip):
    """strip[t * width + j] = b[t * b_row + j * b_col]; columns beyond the last are zero and never stored."""
    for t in range(terms):
        for j in range(columns, width):
            strip[t * width + j] = 0
    if b_col == 1:
        for t in range(terms):
            for j in range(columns):
                strip[t * width + j] = b[t * b_row + j]
        return
    for first in range(0, terms, LINE):  # a cache line of each column at a time
        for j in range(columns):
            for t in range(first, min(first + LINE, terms)):
                strip[t * width + j] = b[t * b_row + j * b_col]
