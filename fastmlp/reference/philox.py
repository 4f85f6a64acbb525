"""Philox 4x32-10: random numbers addressed by position.

A counter-based generator is a keyed hash: the same counter and key always give the same four words, so a draw
depends only on where it stands (seed, image, step, unit, ...) and never on what was drawn before it. Definition:
Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
"""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter: ArrayLike, key: tuple[int, int]) -> NDArray[np.uint32]:
    """Four random words for each counter.

    counter: uint32, shape (..., 4). key: two integers in [0, 2**32), such as the halves of a 64-bit seed.
    Returns uint32 of the counter's shape.
    """
    counter = np.asarray(counter, np.uint32)
    # Each word travels in 64 bits, so that a product of two words is exact.
    c0, c1, c2, c3 = (counter[..., i].astype(np.uint64) for i in range(4))
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = (right >> HALF) ^ c1 ^ np.uint64(k0), right & WORD
        c2, c3 = (left >> HALF) ^ c3 ^ np.uint64(k1), left & WORD
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def split64(number: int) -> tuple[int, int]:
    """The low and the high 32 bits of an integer in [0, 2**64): a key, or two words of a counter."""
    return number & 0xFFFFFFFF, number >> 32


def uniform(words: ArrayLike, dtype: DTypeLike = np.float32) -> NDArray[np.floating]:
    """Words as numbers in [0, 1), exactly: the top 24 bits times 2**-24 (float32), all 32 times 2**-32 (float64)."""
    words = np.asarray(words, np.uint32)
    if np.dtype(dtype) == np.float32:
        return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    if np.dtype(dtype) == np.float64:
        return words.astype(np.float64) * 2.0**-32
    raise ValueError(f"dtype must be float32 or float64, not {dtype!r}")
