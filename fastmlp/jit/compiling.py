"""How Numba compiles the functions of this package: nothing contracted, reassociated or approximated.

What Python calls is kept on disk, so that the next process starts without compiling. Numba would not notice there that
a function which an entry calls has changed; so the folder is named after a hash of all the package's sources.
"""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import numba
from numba.core import config

from ..version import __version__

ARITHMETIC = {"error_model": "numpy", "fastmath": False}
OPTIONS = {**ARITHMETIC, "nogil": True}

jit = numba.njit(**OPTIONS)
inline = numba.njit(inline="always", **OPTIONS)
"""For functions that are called in one place: Numba compiles a function again inside each that calls it."""


def sources_hash(folder=Path(__file__).parent):
    """Of the sources that compiled code depends on, and of fastmlp's version."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def user_cache():
    """Where this system keeps what programs may compute again."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


@functools.cache
def cache_folder():
    """The folder for compiled code, under NUMBA_CACHE_DIR or the user's cache; None where nothing can be written."""
    try:
        folder = Path(config.CACHE_DIR or user_cache()) / "fastmlp" / f"numba-{sources_hash()}"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None
    return folder


@contextlib.contextmanager
def _caching():
    """Yields whether to cache; meanwhile Numba takes our folder for its own."""
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder() or "")
    try:
        yield cache_folder() is not None
    finally:
        config.CACHE_DIR = before


def entry(function):
    """jit for what Python calls: kept on disk."""
    with _caching() as cache:
        return numba.njit(cache=cache, **OPTIONS)(function)


def compile_c_function(function, signature):
    """A numba.cfunc of a function, kept on disk."""
    with _caching() as cache:
        return numba.cfunc(signature, cache=cache, **ARITHMETIC)(function)
