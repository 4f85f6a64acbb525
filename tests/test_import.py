"""What `import fastmlp` loads, and that the names which it leaves for later are there."""

import ast
import importlib
import json
import sys
from pathlib import Path

import pytest
from conftest import needs_kernels, run_program

import fastmlp

LOADED = {"fastmlp", "fastmlp.backends", "fastmlp.config", "fastmlp.kernels", "fastmlp.threads", "fastmlp.version"}


def loaded_by(program):
    """The modules that a program imports after NumPy, importlib.util and pathlib."""
    done = run_program(f"""
        import importlib.util, json, pathlib, sys, numpy
        before = set(sys.modules)
        {program}
        print(json.dumps(sorted(set(sys.modules) - before)))
    """)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_kernels
def test_import_loads_little():
    """No network, no kernels, no data, no extra, and nothing more of the standard library."""
    assert set(loaded_by("import fastmlp; dir(fastmlp); fastmlp.__version__")) == LOADED


def test_a_network_loads_neither_data_nor_doors():
    """What a network has no use for stays unloaded with it, and so do all extras."""
    new = loaded_by("import fastmlp; fastmlp.MLP([2, 3, 2], backend='reference').forward([1, 2])")
    unneeded = (
        "ast",
        "datetime",
        "importlib.metadata",
        "fastmlp.datasets",
        "fastmlp.interop",
        "fastmlp.functional",
        "fastmlp.jit",
    )
    extras = (
        "h5py",
        "matplotlib",
        "numba",
        "onnx",
        "pandas",
        "PIL",
        "pooch",
        "safetensors",
        "scipy",
        "sklearn",
        "torch",
        "tqdm",
    )
    found = {".".join(name.split(".")[:n]) for name in new for n in (1, 2)}
    assert "fastmlp.network" in found and not found & {*unneeded, *extras}


def test_every_public_name_is_there():
    for name in fastmlp.__all__:
        value = getattr(fastmlp, name)
        assert name in dir(fastmlp)
        assert getattr(value, "__module__", "fastmlp").split(".")[0] == "fastmlp", name
    program = "from fastmlp import *; assert MLP.__module__ == 'fastmlp.network' and datasets.__name__ == 'fastmlp.datasets'"
    assert "fastmlp.datasets" in loaded_by(program)
    with pytest.raises(AttributeError, match="module 'fastmlp' has no attribute 'no_such_name'"):
        fastmlp.no_such_name  # noqa: B018


def test_type_checkers_see_the_same_names():
    """The imports that only type checkers read, and the tables that Python reads."""
    imports = [statement for block in ast.parse(Path(fastmlp.__file__).read_text()).body if isinstance(block, ast.If)
               for statement in block.body]  # fmt: skip
    names = {s.module: tuple(alias.name for alias in s.names) for s in imports if s.module}
    (modules,) = [tuple(alias.name for alias in s.names) for s in imports if not s.module]
    assert names == fastmlp._NAMES and modules == fastmlp._MODULES
    defined = {"__version__", "config", "show_config", *modules, *(name for several in names.values() for name in several)}
    assert defined - {"optimizers", "page", "plots", "reference"} == set(
        fastmlp.__all__
    )  # `from fastmlp import *` needs no extra
    for module, several in names.items():
        for name in several:
            assert getattr(fastmlp, name) is getattr(importlib.import_module(f"fastmlp.{module}"), name)


def test_a_module_of_the_same_name_does_not_hide_a_function():
    importlib.import_module("fastmlp.config")
    assert callable(fastmlp.config) and sys.modules["fastmlp.config"] is not fastmlp.config
