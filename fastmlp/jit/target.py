"""The processor that Numba compiles for: the width of its vectors, how many of them it holds, and whether it has fma."""

import platform

from numba.core.registry import cpu_target

X86 = platform.machine().lower() in ("x86_64", "amd64", "i686", "x86")
_features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
HAS_FMA = not X86 or "+fma" in _features

if "+avx512f" in _features:
    VECTOR_BYTES, REGISTERS = 64, 32
elif X86:
    VECTOR_BYTES, REGISTERS = 32, 16
else:
    VECTOR_BYTES, REGISTERS = 16, 32
