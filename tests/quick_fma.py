"""C's fma as a function of arrays, and the reference with it in place of its own, which takes most of its time.

test_arithmetic, and at length test_proofs, show that both give the same bits; without a compiler the reference keeps its own.
"""

import importlib.util
import os
import subprocess
import sysconfig
from pathlib import Path

import numpy as np

from fastmlp.reference import arithmetic

OWN = {"_fma32": arithmetic._fma32, "_fma64": arithmetic._fma64}


def built(folder):
    """The ufunc fma(a, b, c), compiled into a folder unless it is there; None where that fails.

    It also fails where the compiler is not for the processor that Python runs on, which may be emulated.
    """
    path = folder / "quick_fma.so"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        includes = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}"]
        command = ["cc", "-O2", "-shared", "-fPIC", *includes, Path(__file__).with_suffix(".c"), "-o", partial, "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        partial.replace(path)
    spec = importlib.util.spec_from_file_location("quick_fma", path)
    try:
        module = importlib.util.module_from_spec(spec)
    except ImportError:
        return None
    spec.loader.exec_module(module)
    return module.fma
