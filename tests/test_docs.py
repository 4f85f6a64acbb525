"""Every public name says what it is and names what it takes, and the examples in docstrings give what stands there."""

import doctest
import importlib
import importlib.util
import inspect
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import for_each

import fastmlp

ROOT = Path(fastmlp.__file__).parent
EXTRAS = {"fastmlp.plots": "matplotlib", "fastmlp.sklearn": "sklearn"}
WITH_EXAMPLES = sorted(path for path in ROOT.rglob("*.py") if ">>> " in path.read_text())
PUBLIC = ["fastmlp", *(f"fastmlp.{name}" for name in ("functional", "math", "datasets", "schedules", "page"))]
PUBLIC += [module for module, extra in EXTRAS.items() if importlib.util.find_spec(extra)]


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


@cache
def documented(public):
    """{name: (object, class around it or None)} of a public module, its classes and functions, their methods and properties."""
    module = importlib.import_module(public)
    found = {public: (module, None)}
    for name in names_of(module):
        value = getattr(module, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            found[f"{public}.{name}"] = value, None
        if inspect.isclass(value):
            for member in public_members(value):
                found[f"{public}.{name}.{member}"] = inspect.getattr_static(value, member), value
    return found


def takes_arguments(value):
    return callable(value) or isinstance(value, classmethod)


def said_of(name, value, around):
    """The docstring of a public name, or of what it overrides."""
    if around is None or isinstance(value, property):
        return inspect.getdoc(value) or ""
    return inspect.getdoc(getattr(around, name.rpartition(".")[2])) or ""


def arguments_said(name, value, around):
    """What is said of the arguments: in the docstring, in the module's and, of a class, in those of __init__ and its bases."""
    said = [said_of(name, value, around), inspect.getmodule(getattr(value, "__func__", value)).__doc__ or ""]
    if inspect.isclass(value):
        said += [base.__doc__ or "" for base in value.__mro__] + [value.__init__.__doc__ or ""]
    return " ".join(said)


def test_public_names_are_found():
    found = {name: value for module in PUBLIC for name, (value, _) in documented(module).items()}
    assert {"fastmlp.MLP.fit", "fastmlp.MLP.load", "fastmlp.MLP.weights", "fastmlp.SGD.numbers", "fastmlp.Callback.on_epoch_end",
            "fastmlp.functional.update", "fastmlp.schedules.Cosine.rates", "fastmlp.datasets.digits", "fastmlp.math.tanh",
            "fastmlp.page.start"} <= set(found)  # fmt: skip
    assert takes_arguments(found["fastmlp.MLP.load"]) and not takes_arguments(found["fastmlp.MLP.weights"])


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_have_docstrings(module):
    def check(name):
        said = said_of(name, *documented(module)[name])
        assert len(said.split()) >= 3 and not said.startswith(f"{name.rpartition('.')[2]}(")  # the one that dataclasses make

    for_each(documented(module), check)


@pytest.mark.parametrize("module", PUBLIC)
def test_docstrings_name_every_argument(module):
    def check(name):
        value, around = documented(module)[name]
        parameters = inspect.signature(getattr(value, "__func__", value)).parameters.values()
        takes = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        said = arguments_said(name, value, around)
        assert not [p for p in takes if p not in ("self", "cls") and not re.search(rf"\b{p}\b", said)]

    for_each([name for name, (value, _) in documented(module).items() if takes_arguments(value)], check)


def test_tables_are_described():
    """Values have no docstring of their own: that of their module says what they are."""
    for module in map(importlib.import_module, PUBLIC):
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
