"""How Numba compiles the functions of this package: nothing contracted, reassociated or approximated."""

import numba

OPTIONS = {"error_model": "numpy", "fastmath": False, "nogil": True}

jit = numba.njit(**OPTIONS)
