"""The stubs of the compiled modules name what the modules have, with the arguments that they take."""

import ast
import inspect
from pathlib import Path

import pytest

kernels = pytest.importorskip("fastmlp.kernels", reason="fastmlp was built without its compiled kernels")

STUB = ast.parse((Path(kernels.__file__).parent / "_signatures.pyi").read_text())
MODULES = [module for isa in kernels.available() for module in kernels.modules(isa).values()]


def arguments(node):
    return [argument.arg for argument in node.args.args]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rsplit(".", 1)[1])
def test_a_module_has_the_functions_of_its_stub(module):
    stubbed = {node.name: arguments(node) for node in STUB.body if isinstance(node, ast.FunctionDef)}
    public = {name for name, value in vars(module).items() if callable(value) and not isinstance(value, type)}
    assert set(stubbed) == {name for name in public if not name.startswith("_")}
    for name, expected in stubbed.items():
        assert list(inspect.signature(getattr(module, name)).parameters) == expected, name


@pytest.mark.parametrize("stub", [node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"],
                         ids=lambda stub: stub.name)  # fmt: skip
def test_a_class_has_what_its_stub_names(stub):
    stubbed = {node.name if isinstance(node, ast.FunctionDef) else node.target.id for node in stub.body}
    for module in MODULES:
        methods = vars(getattr(module, stub.name))
        assert stubbed <= set(methods) | {"__init__"} and {name for name in methods if name[0] != "_"} <= stubbed


def test_every_module_has_a_stub():
    for module in MODULES:
        assert Path(kernels.__file__).with_name(module.__name__.rsplit(".", 1)[1] + ".pyi").exists()
