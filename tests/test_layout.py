"""Which module of fastmlp imports which: arrows only point down, wherever in a file an import stands.

An import runs the packages around a module, too, so that the importer depends on them, save on those that it is in.
"""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fastmlp

BACKENDS = ("reference", "kernels", "jit")
CYTHON_IMPORT = re.compile(r"^ *((?:from \S+ )?c?import +(?:\([^)]*\)|[^#\n]*))", re.MULTILINE)


@cache
def import_graph(folder=Path(fastmlp.__file__).parent):
    """{module: the modules that it imports} of a package's folder, where Cython files count as their package."""
    graph, files = {}, [path for path in folder.rglob("*") if path.suffix in (".py", ".pyx", ".pxi")]
    names = {path: name_of(path, folder.parent) for path in files}
    modules = set(names.values())
    for path, name in names.items():
        package = ".".join(path.parent.relative_to(folder.parent).parts)
        for target in targets(path, package):
            module = module_of(target, modules)
            run_before = {outer for outer in packages_around(module) if not f"{name}.".startswith(f"{outer}.")}
            graph.setdefault(name, set()).update(run_before, {module} - {""})
    return graph


def name_of(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    is_module = path.suffix == ".py" and path.stem != "__init__"
    return ".".join(parts if is_module else parts[:-1])


def packages_around(module):
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def module_of(target, modules):
    """The module of that name, or the one that has what is called so; "" for another package's."""
    while target and target not in modules:
        target = target.rpartition(".")[0]
    return target


def targets(path, package):
    """The absolute names, of modules or of what is in them, that a file of this package imports."""
    text = path.read_text()
    if path.suffix != ".py":
        text = "\n".join(statement.replace("cimport", "import") for statement in CYTHON_IMPORT.findall(text))
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            outer = package.split(".")[: package.count(".") + 2 - statement.level] if statement.level else []
            yield from (".".join([*outer, *filter(None, [statement.module]), alias.name]) for alias in statement.names)


def circle_in(graph):
    """The modules of a circle, in order; None where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def reached_from(graph, package):
    """The modules in a package, all that they import, what these import, and so on."""
    reached, new = set(), {module for module in graph if f"{module}.".startswith(f"{package}.")}
    while new:
        reached |= new
        new = set().union(*(graph.get(module, ()) for module in new)) - reached
    return reached


def test_no_module_imports_what_imports_it():
    assert circle_in(import_graph()) is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_knows_no_other_save_the_reference(backend):
    """Nor users' own functions, which come to it as addresses or as functions."""
    unknown = {"kernels", "jit", "custom"} - {backend}
    assert not [module for module in reached_from(import_graph(), f"fastmlp.{backend}") if unknown & set(module.split("."))]


# What finds the arrows must see them.

FILES = {
    "p/__init__.py": "from .top import work\nVERSION = '1'",
    "p/top.py": "import os\nfrom . import low\nfrom .inner.part import table as renamed",
    "p/low.py": "",
    "p/inner/__init__.py": "from .part import table",
    "p/inner/part.py": "from collections.abc import (\n    Sequence,\n)",
    "p/inner/built.pyx": "cimport numpy as cnp\nfrom libc.math cimport exp  # import\nx = 1",
    "p/inner/lines.pxi": "cdef int y",
}
ARROWS = {
    "p": {"p.top"},
    "p.top": {"p.low", "p.inner", "p.inner.part"},
    "p.inner": {"p.inner.part"},
}


def planted(folder, **changes):
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n" + changes.get(path.stem, ""))
    return import_graph(folder / "p")


def test_arrows(tmp_path):
    graph = planted(tmp_path)
    assert {module: below for module, below in graph.items() if below} == ARROWS and circle_in(graph) is None
    assert reached_from(graph, "p.inner") == {"p.inner", "p.inner.part"}


@pytest.mark.parametrize("changes", [
    {"low": "def f():\n    from .top import work"},
    {"low": "if VERSION:\n    import p.top"},
    {"low": "from . import VERSION"},
    {"low": "from .inner.part import table", "built": "from ..low import x"},
    {"part": "from ..top import work"},
    {"part": "from .. import top"},
    {"built": "from .. import low, top"},
    {"lines": "    from ..top import (\n        work,\n    )"},
], ids=str)  # fmt: skip
def test_circles(changes, tmp_path):
    assert circle_in(planted(tmp_path, **changes))
