"""What this installation is made of."""

from typing import Any

import numpy as np

from . import backends
from .threads import default_threads
from .version import __version__


def config() -> dict[str, Any]:
    """A dict: version, python, numpy, numba, backend, threads, and of the kernels compiler, openmp, isas_built, isa.

    threads is what a network uses unless told otherwise. Without compiled kernels their four values are None; numba is
    Numba's version where its backend runs, else None.
    """
    import importlib.metadata  # takes as long as the rest of fastmlp's import
    import platform

    kernels = backends.kernels()
    built = kernels.config() if kernels else dict.fromkeys(("compiler", "openmp", "isas_built", "isa"))
    backend = backends.load().name
    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": importlib.metadata.version("numba") if backend == "numba" else None,
        "backend": backend,
        "threads": default_threads() if backend == "numba" or backend == "compiled" and built["openmp"] else 1,
        **built,
    }


def show_config() -> None:
    """Print what config() returns, one line each."""
    facts = config()
    without_kernels = facts["compiler"] is None
    not_built = "none: the compiled kernels were not built"
    openmp = "yes" if facts["openmp"] else "no: this build works on one thread"
    print(f"fastmlp           {facts['version']}")
    print(f"Python            {facts['python']}")
    print(f"NumPy             {facts['numpy']}")
    if facts["numba"]:
        print(f"Numba             {facts['numba']}")
    print(f"compiler          {not_built if without_kernels else facts['compiler']}")
    if not without_kernels:
        print(f"OpenMP            {openmp}")
        print(f"instruction sets  {', '.join(facts['isas_built'])}; chosen: {facts['isa']}")
    print(f"backend           {facts['backend']}")
    print(f"threads           {facts['threads']} unless told otherwise")
