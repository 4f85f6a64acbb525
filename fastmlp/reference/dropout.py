"""Dropout: which units are left out in a step, from seed, step, layer, row and unit alone.

Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks from
overfitting", JMLR 15, 2014; inverted, so that nothing is scaled when the network is asked.
"""

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .philox import philox

KEY = 0x64726F70
ROWS_A_COUNTER = 8  # a counter gives four words, each for two rows


def threshold(rate: float) -> int:
    """The rate as the 16 bits that draws are compared with: units are left out where theirs are below."""
    return min(int(np.floor(rate * 65536 + 0.5)), 65535)


def scale_of(t16: int, T: type[np.floating]) -> np.floating:
    """What units that are kept are multiplied with, so that the mean stays: 65536 / (65536 - t16), rounded to T."""
    return T(65536 / (65536 - t16))


def kept_units(rows: int, n: int, t16: int, seed: int, step: int, layer: int) -> NDArray[np.bool_]:
    """Whether each unit of a layer is kept for each row of a batch: bool (rows, n).

    step: how many steps were taken before. layer: 0 for the network's inputs, 1 for the first hidden layer.
    """
    counter = np.empty((-(-rows // ROWS_A_COUNTER), n, 4), np.uint32)
    counter[..., 0] = np.arange(n)
    counter[..., 1] = np.arange(len(counter))[:, None]
    counter[..., 2] = step % 2**32
    counter[..., 3] = layer + 65536 * (step // 2**32)
    words = philox(counter, (seed, KEY))
    halves = np.stack([words & 0xFFFF, words >> 16], axis=-1)  # (groups, n, word, half): two rows a word
    of_rows = halves.reshape(len(counter), n, ROWS_A_COUNTER).transpose(0, 2, 1).reshape(-1, n)
    return of_rows[:rows] >= t16


def drop(a: Floats, kept: NDArray[np.bool_], scale: np.floating) -> Floats:
    """a of what is kept, scaled, and 0 elsewhere; for activations, and on the way back for their gradients."""
    with np.errstate(all="ignore"):
        return np.where(kept, a * scale, a.dtype.type(0))
