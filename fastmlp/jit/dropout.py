"""Dropout, after fastmlp/reference/dropout.py: a = a * scale where the draw of unit, row, step and layer is not below the
threshold, else 0.

A counter of Philox 4x32-10 serves one unit in eight rows, so that loops over neighbouring units run in vector registers.
"""

import numpy as np

from ..reference.dropout import KEY, ROWS_A_COUNTER
from ..reference.philox import KEY_STEPS, MULTIPLIERS, ROUNDS
from .compiling import inline, jit
from .intrinsics import as_item, moved, where

UNITS = 256  # whose draws are kept at a time
M0, M1 = MULTIPLIERS
STEP0, STEP1 = map(np.uint64, KEY_STEPS)
KEY1, HALF, WORD = np.uint64(KEY), np.uint64(32), np.uint64(0xFFFFFFFF)


@inline
def one_round(c0, c1, c2, c3, k0, k1):
    """Each word travels in 64 bits, so that a product of two words is exact."""
    left, right = c0 * M0, c2 * M1
    return (right >> HALF) ^ c1 ^ k0, right & WORD, (left >> HALF) ^ c3 ^ k1, left & WORD


@jit
def draw(seed, group, step, layer, unit, n, words):
    """words (4, UNITS): the four of each of n units, from `unit` on."""
    of_group, of_step = np.uint64(group), np.uint64(step) & WORD
    of_layer = np.uint64(layer + 65536 * (step >> 32)) & WORD
    for j in range(n):
        c0, c1, c2, c3 = np.uint64(unit + j) & WORD, of_group, of_step, of_layer
        k0, k1 = np.uint64(seed), KEY1
        for _ in range(ROUNDS):
            c0, c1, c2, c3 = one_round(c0, c1, c2, c3, k0, k1)
            k0, k1 = (k0 + STEP0) & WORD, (k1 + STEP1) & WORD
        words[j], words[UNITS + j], words[2 * UNITS + j], words[3 * UNITS + j] = (
            np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3))  # fmt: skip


@jit
def drop_block(threshold, seed, step, layer, a, n, r0, r1, c0, c1, words):
    """a in place: rows r0 .. r1 - 1 and columns c0 .. c1 - 1 of (rows, n). words: (4, UNITS) uint32 to work in."""
    scale, zero = as_item(a, 65536.0 / (65536 - threshold)), as_item(a, 0)
    for group in range(r0 // ROWS_A_COUNTER, (r1 + ROWS_A_COUNTER - 1) // ROWS_A_COUNTER):
        first = group * ROWS_A_COUNTER
        for c in range(c0, c1, UNITS):
            count = min(UNITS, c1 - c)
            draw(seed, group, step, layer, c, count, words)
            for r in range(max(r0, first), min(r1, first + ROWS_A_COUNTER)):
                row, drawn, shift = moved(a, r * n + c), moved(words, (r - first) // 2 * UNITS), 16 * ((r - first) % 2)
                for j in range(count):
                    row[j] = where((np.int64(drawn[j]) >> shift & 0xFFFF) >= threshold, row[j] * scale, zero)
