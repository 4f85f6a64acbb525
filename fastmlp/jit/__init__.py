"""The Numba backend: fastmlp.reference's functions and Engine, compiled when they are first used.

    compiling.py     how functions are compiled
    intrinsics.py    what Numba's Python lacks: fused multiply-add, selects, bits
    elementary.py    exp, expm1, log, log1p, sigmoid, tanh of one number
"""
