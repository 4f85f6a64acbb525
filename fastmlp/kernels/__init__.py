"""The compiled backend: fastmlp.reference's functions and Engine, for the best instruction set of this processor.

Each instruction set and element type is an extension module of its own (see kernels.pyx); this file picks the set when
the kernels are first asked for, or takes the one that FASTMLP_ISA names (avx512, avx2 or portable), and passes each call on
by dtype. Importing it loads no extension, and raises ModuleNotFoundError where none was built.
"""

import functools
import importlib
import importlib.util
import os

import numpy as np

ISAS = ("avx512", "avx2", "portable")  # the best first
_built = [isa for isa in ISAS if importlib.util.find_spec(f"{__name__}.{isa}_float32")]
if not _built:
    raise ModuleNotFoundError("fastmlp was installed without its compiled kernels", name=f"{__name__}.portable_float32")


@functools.cache
def chosen():
    """{dtype: module} of the instruction set that FASTMLP_ISA names at the first call, or else of the best that runs here."""
    return modules(os.environ.get("FASTMLP_ISA") or available()[0])


def modules(isa):
    """The modules of one instruction set: {dtype: module}. ValueError if it is unknown, not built or not supported."""
    if isa not in ISAS:
        raise ValueError(f"FASTMLP_ISA is {isa!r}, expected one of {', '.join(ISAS)}")
    if isa not in _built:
        raise ValueError(f"FASTMLP_ISA is {isa!r}, but this build of fastmlp has only {', '.join(_built)}")
    if not runs_here(isa):
        raise ValueError(f"FASTMLP_ISA is {isa!r}, but this processor does not have it")
    found = [importlib.import_module(f".{isa}_{dtype}", __name__) for dtype in ("float32", "float64")]
    for module in found:
        _check(module)
    return {module.dtype: module for module in found}


def runs_here(isa):
    """Whether this processor runs the code built for an instruction set."""
    return isa == "portable" or importlib.import_module(f".{_built[-1]}_float32", __name__).cpu_supports(isa)


def available():
    """The instruction sets that were built and run here, the best first."""
    return [isa for isa in _built if runs_here(isa)]


def _check(module):
    """Refuse a module whose compiler contracted, reassociated or approximated what it was given."""
    with module.DefaultEnvironment():
        good = _fma_rounds_once(module) and _update_rounds_twice(module) and _divides(module) and _adds_in_order(module)
    if not good:
        raise ImportError(
            f"{module.__name__} was compiled with flags that change its arithmetic (compiler: {module.compiler}): "
            "build fastmlp again without -ffast-math, -Ofast and the like in CFLAGS"
        )


def _fma_rounds_once(module):
    T = module.dtype.type
    tiny, eps = np.finfo(T).smallest_subnormal, np.finfo(T).eps
    return module.fma(T(1) + eps, T(1) - eps, T(-1)) == -(eps * eps) and module.fma(tiny, T(0.5), tiny) == T(2) * tiny


def _update_rounds_twice(module):
    # (1 + e)(1 - e) = 1 - e^2 rounds to 1 before the subtraction; a contracted update would leave e^2.
    T = module.dtype.type
    eps = np.finfo(T).eps
    w = np.full(64, T(1))
    module.sgd_update(w, np.full(64, T(1) + eps), T(1) - eps)
    return not w.any()


def _divides(module):
    # A third of each number is not always the number times the third of one.
    a = np.arange(1, 193, dtype=module.dtype).reshape(3, 64)
    thirds = module.output_gradient("squared_error", "identity", a, np.zeros_like(a))
    return (thirds == a / a.dtype.type(3)).all()


def _adds_in_order(module):
    # Large numbers that cancel, with small ones between them that are lost or not, in one chunk and between chunks.
    T = module.dtype.type
    large = T(2) / np.finfo(T).eps
    values = np.tile(np.array([large, 1, 1, -large, 0.25], T), 13)
    s = T(0)
    for value in values:
        s = s + value
    b = np.zeros((768, 64), T)
    b[0], b[256], b[512] = large, 1, -large
    totals = module.sum_of_products(np.ones((5, 768), T), b, T(0))
    return module.ordered_sum(values) == s and not totals.any()


def config():
    """Facts about the build: compiler, openmp, isas_built, isa."""
    module = chosen()[np.dtype(np.float32)]
    name = module.__name__.rpartition(".")[2]
    return {
        "compiler": module.compiler, "openmp": module.openmp, "isas_built": list(_built), "isa": name.partition("_")[0],
    }  # fmt: skip


def Engine(layer_sizes, activations, loss, parameters, n_threads=1, input_scale=1.0):
    """The compiled Engine for the parameters' dtype; see fastmlp.reference.Engine."""
    return chosen()[parameters.dtype].Engine(layer_sizes, activations, loss, parameters, n_threads, input_scale)
