"""Which implementation computes: chosen by argument, by FASTMLP_BACKEND, else the fastest that is there."""

import contextlib
import importlib.util
import os
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .reference import Engine

HOW_TO_COMPILE = (
    "install a C compiler (for example `apt install gcc`) and then reinstall fastmlp, or install a wheel, "
    "which needs no compiler"
)


IN_A_CHECKOUT = (
    "run `pip install -e .` in the checkout, from which Python imports fastmlp here; it needs a C compiler. If fastmlp was "
    "installed without -e, Python finds that one in any other folder"
)


BackendName = Literal["reference", "compiled", "numba"]
Environment = Callable[[], contextlib.AbstractContextManager[None]]
EngineAndEnvironment = tuple[Callable[..., Any], Environment]


class Backend(NamedTuple):
    """How to compute.

    engine(layer_sizes, activations, loss, parameters, n_threads): see fastmlp.reference.Engine.
    environment(): a context manager in which NumPy rounds to nearest and flushes nothing to zero; the reference's and
    Numba's raise RuntimeError where that is not so already.
    """

    name: str
    engine: "Callable[..., Engine]"
    environment: Environment


def load(name: str | None = None) -> Backend:
    """The backend called name, one of BACKENDS; None stands for FASTMLP_BACKEND, else for compiled, numba or reference,
    whichever is the first that works here.

    Raises ValueError for an unknown name, and ImportError for a backend that this installation lacks.
    """
    asked_by = "backend"
    if name is None:
        name, asked_by = os.environ.get("FASTMLP_BACKEND") or None, "the environment variable FASTMLP_BACKEND"
    if name is None:
        if kernels():
            return load("compiled")
        with contextlib.suppress(ImportError):  # no Numba, or none that this processor can run fast
            return load("numba")
        return load("reference")
    if not isinstance(name, str):
        raise TypeError(f"{asked_by} must be one of {', '.join(BACKENDS)}, not {name!r}")
    if name not in BACKENDS:
        raise ValueError(f"{asked_by} must be one of {', '.join(BACKENDS)}, not {name!r}")
    return Backend(name, *BACKENDS[name]())


def functions(name: str) -> dict[np.dtype, ModuleType]:
    """{dtype: the module or package with fastmlp.reference's functions for its arrays} of a backend that load has found."""
    if name == "compiled" and (built := kernels()):
        modules: dict[np.dtype, ModuleType] = built.chosen()
        return modules
    package: ModuleType
    if name == "numba":
        from . import jit

        package = jit
    else:
        from . import reference

        package = reference
    return dict.fromkeys((np.dtype(np.float32), np.dtype(np.float64)), package)


def kernels() -> ModuleType | None:
    """The package of compiled kernels, or None where it was not built; any other trouble with it is an error.

    The kernels themselves are loaded when they are first used.
    """
    try:
        from . import kernels
    except ModuleNotFoundError:
        return None
    return kernels


def numba_is_installed() -> bool:
    """Whether Numba is there, found out without importing it."""
    return importlib.util.find_spec("numba") is not None


def _is_checkout() -> bool:
    """Whether this fastmlp lies beside the sources that it would be built from."""
    return os.path.exists(os.path.join(os.path.dirname(__file__), os.pardir, "setup.py"))


def warn_if_slow() -> None:
    """Say so if nobody chose a backend and yet it will not be the compiled one."""
    if not os.environ.get("FASTMLP_BACKEND") and kernels() is None:
        remedy = IN_A_CHECKOUT if _is_checkout() else HOW_TO_COMPILE
        what, name = ("slow NumPy reference", "reference")
        if numba_is_installed():
            what, name = ("Numba backend", "numba")
        warnings.warn(
            f"fastmlp is running on its {what}, because its compiled kernels were not built here. "
            f"To get them, {remedy}. FASTMLP_BACKEND={name} chooses what runs now without this warning.",
            RuntimeWarning,
            stacklevel=3,
        )


def _reference() -> EngineAndEnvironment:
    from .reference import Engine, check_environment

    return Engine, _checked(check_environment)


def _numba() -> EngineAndEnvironment:
    from . import jit

    if not jit.HAS_FMA:
        raise ImportError(
            "the backend 'numba' needs fused multiply-add, which the processor that Numba compiles for does not have: "
            "use the backend 'reference' or 'compiled', which give the same bits"
        )
    return jit.Engine, _checked(jit.check_environment)


def _compiled() -> EngineAndEnvironment:
    built = kernels()
    if built is None:
        raise ImportError(f"the backend 'compiled' was not built in this installation of fastmlp: {HOW_TO_COMPILE}")
    return built.Engine, built.chosen()[np.dtype(np.float32)].DefaultEnvironment


def _checked(check: Callable[[], None]) -> Environment:
    """The environment of a backend that checks at entry, and leaves all as it is."""

    class Checked:
        def __enter__(self) -> None:
            check()

        def __exit__(self, *error: object) -> None:
            pass

    return Checked


BACKENDS = {"reference": _reference, "compiled": _compiled, "numba": _numba}
