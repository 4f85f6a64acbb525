"""The Numba backend: fastmlp.reference's functions and Engine, compiled when they are first used.

    target.py        the processor that is compiled for
    compiling.py     how functions are compiled, and where they are kept
    intrinsics.py    what Numba's Python lacks: fused multiply-add, selects, bits, pointers, atomic operations
    elementary.py    exp, expm1, log, log1p, sigmoid, tanh of one number
    vectors.py       LLVM instructions on whole vectors
    tile.py          the register tile, the inner loop of all sums of products
    products.py      blocking, packing and tiling around it
    activations.py   the activations and their gradients
    losses.py        the losses, and the gradient at the output
    updates.py       the update rules, and the lines around them
    norms.py         sums over flat arrays: clipping by the norm, penalties, and the update behind them
    dropout.py       which units are left out in a step of training
    barrier.py       what the threads of a team share
    network.py       a team takes batches forward and backward through a network
    team.py          the threads
    autotune.py      whether they are faster than one
    environment.py   the check of the floating-point environment

Here they meet Python: functions.py and engine.py have the signatures of fastmlp.reference. Nothing is checked below.
"""

try:
    import numba
except ModuleNotFoundError as error:
    raise ImportError("the backend 'numba' needs Numba; install it with: pip install \"fastmlp[numba]\"") from error

if numba.config.DISABLE_JIT:  # type: ignore[attr-defined, unused-ignore]
    raise ImportError("the backend 'numba' compiles, and the environment variable NUMBA_DISABLE_JIT forbids that: unset it")

from .engine import Engine
from .environment import check_environment
from .functions import (
    activate,
    activation_gradient,
    all_finite,
    dense_backward,
    dense_forward,
    dense_update,
    exp,
    expm1,
    fma,
    log,
    log1p,
    ordered_sum,
    output_gradient,
    row_losses,
    sgd_update,
    sigmoid,
    sum_of_magnitudes,
    sum_of_products,
    sum_of_squares,
    tanh,
    update,
)  # fmt: skip
from .target import HAS_FMA

__all__ = [
    "HAS_FMA", "Engine", "activate", "activation_gradient", "all_finite", "check_environment", "dense_backward",
    "dense_forward", "dense_update", "exp", "expm1", "fma", "log", "log1p", "ordered_sum", "output_gradient", "row_losses",
    "sgd_update", "sigmoid", "sum_of_magnitudes", "sum_of_products", "sum_of_squares", "tanh", "update",
]  # fmt: skip
