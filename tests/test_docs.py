"""Every public name says what it is and names what it takes, and the examples in docstrings give what stands there."""

import doctest
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import datasets, functional, math, page, schedules

ROOT = Path(fastmlp.__file__).parent
EXTRAS = {"fastmlp.plots": "matplotlib", "fastmlp.sklearn": "sklearn"}
WITH_EXAMPLES = sorted(path for path in ROOT.rglob("*.py") if ">>> " in path.read_text())
PUBLIC = [fastmlp, functional, math, datasets, schedules, page]
PUBLIC += [importlib.import_module(module) for module, extra in EXTRAS.items() if importlib.util.find_spec(extra)]


def names_of(module):
    """The public names of a module: those it lists, or else those it defines."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return getattr(module, "__all__", [name for name in own if name[0] != "_"])


def public_members(cls):
    """{name: what the class has there} of the methods and properties that fastmlp gives a class."""
    names = [name for base in cls.__mro__ if base.__module__.startswith("fastmlp") for name in vars(base) if name[0] != "_"]
    values = {name: inspect.getattr_static(cls, name) for name in names}
    return {
        name: value for name, value in values.items()
        if inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod))
    }  # fmt: skip


def documented():
    """(name, object, class around it or None) of every public module, class, function, method and property."""
    for module in PUBLIC:
        yield module.__name__, module, None
        for name in names_of(module):
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                yield f"{module.__name__}.{name}", value, None
            if inspect.isclass(value):
                for member in public_members(value):
                    yield f"{module.__name__}.{name}.{member}", inspect.getattr_static(value, member), value


DOCUMENTED = {name: (value, around) for name, value, around in documented()}
TAKE_ARGUMENTS = [name for name, (value, _) in DOCUMENTED.items() if callable(value) or isinstance(value, classmethod)]


def said_of(name):
    """The docstring of a public name, or of what it overrides."""
    value, around = DOCUMENTED[name]
    if around is None or isinstance(value, property):
        return inspect.getdoc(value) or ""
    return inspect.getdoc(getattr(around, name.rpartition(".")[2])) or ""


def arguments_said(name):
    """What is said of the arguments: in the docstring, in the module's and, of a class, in those of __init__ and its bases."""
    value, _ = DOCUMENTED[name]
    said = [said_of(name), inspect.getmodule(getattr(value, "__func__", value)).__doc__ or ""]
    if inspect.isclass(value):
        said += [base.__doc__ or "" for base in value.__mro__] + [value.__init__.__doc__ or ""]
    return " ".join(said)


def test_public_names_are_found():
    assert {"fastmlp.MLP.fit", "fastmlp.MLP.load", "fastmlp.MLP.weights", "fastmlp.SGD.numbers", "fastmlp.Callback.on_epoch_end",
            "fastmlp.functional.update", "fastmlp.schedules.Cosine.rates", "fastmlp.datasets.digits", "fastmlp.math.tanh",
            "fastmlp.page.start"} <= set(DOCUMENTED)  # fmt: skip
    assert "fastmlp.MLP.load" in TAKE_ARGUMENTS and "fastmlp.MLP.weights" not in TAKE_ARGUMENTS


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_public_name_has_a_docstring(name):
    said = said_of(name)
    assert len(said.split()) >= 3 and not said.startswith(f"{name.rpartition('.')[2]}(")  # the one that dataclasses make


@pytest.mark.parametrize("name", TAKE_ARGUMENTS)
def test_a_docstring_names_every_argument(name):
    value, _ = DOCUMENTED[name]
    parameters = inspect.signature(getattr(value, "__func__", value)).parameters.values()
    takes = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    said = arguments_said(name)
    assert not [p for p in takes if p not in ("self", "cls") and not re.search(rf"\b{p}\b", said)]


def test_tables_are_described():
    """Values have no docstring of their own: that of their module says what they are."""
    for module in PUBLIC:
        for name in names_of(module):
            value = getattr(module, name)
            if not (inspect.isfunction(value) or inspect.isclass(value) or inspect.ismodule(value)):
                assert re.search(rf"\b{name}\b", module.__doc__), name


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples(path, tmp_path, monkeypatch):
    """The examples of a file, where `import fastmlp` and `import numpy as np` have been said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTMLP_BACKEND", raising=False)
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    if any(name.startswith(package) and not importlib.util.find_spec(extra) for package, extra in EXTRAS.items()):
        pytest.skip("an extra is not installed")
    result = doctest.testmod(importlib.import_module(name), extraglobs={"fastmlp": fastmlp, "np": np})
    assert result.attempted and not result.failed
