"""Nothing escapes the tables: each row of activations, losses and update rules is there in every backend, under its name."""

import importlib

import numpy as np
import pytest
from registry import registry
from test_parity import check, keeps_z, numbers_of

from fastmlp import reference
from fastmlp.activations import ACTIVATIONS, Activation
from fastmlp.backends import kernels, numba_is_installed
from fastmlp.losses import LOSSES
from fastmlp.reference import Samples, Update
from fastmlp.update_rules import RULES

BACKENDS = ["reference"]
BACKENDS += ["kernels"] if kernels() else []
BACKENDS += ["jit"] if numba_is_installed() else []
T = np.dtype(np.float32)


@pytest.fixture(params=BACKENDS)
def functions(request):
    """A backend's functions for float32."""
    package = importlib.import_module(f"fastmlp.{request.param}")
    return package.chosen()[T] if request.param == "kernels" else package


def engine(functions, activation="relu", output="identity", loss="squared_error"):
    return functions.Engine((3, 4, 2), (activation, output), loss, np.full(26, 0.25, T), 1)


def test_every_row_is_in_every_backend(functions):
    ask_for_every_row(functions)


def ask_for_every_row(functions):
    z = np.linspace(-2, 2, 12, dtype=T).reshape(4, 3)
    for row in ACTIVATIONS.values():
        a = functions.activate(row.name, z)
        if row.hidden:
            engine(functions, row.name)
            functions.activation_gradient(row.name, a, z, z if keeps_z(row.name) else None)
    for loss in LOSSES.values():
        for output in loss.output_activations:
            y = np.eye(4, 3, dtype=T)
            a = functions.activate(output, z)
            assert functions.row_losses(loss.name, z, a, y).shape == (4,)
            functions.output_gradient(loss.name, output, a, y, z)
            engine(functions, output=output, loss=loss.name)
    for rule in RULES.values():
        numbers = numbers_of(np.random.RandomState(0), rule, 1, T)
        functions.update(rule.name, np.ones(5, T), np.ones(5, T), [np.ones(5, T) for _ in rule.state], numbers[0])


def test_no_backend_has_rows_of_its_own():
    from fastmlp.reference import activations, losses, updates

    assert list(activations.FUNCTIONS) == list(ACTIVATIONS)
    assert list(losses.FUNCTIONS) == list(LOSSES)
    assert list(updates.RULES) == list(RULES)


def test_unknown_names_are_errors_where_a_network_is_laid_out(functions):
    for wrong in (dict(activation="swoosh"), dict(output="swoosh"), dict(loss="swoosh")):
        with pytest.raises(ValueError, match="swoosh"):
            engine(functions, **wrong)
    with pytest.raises(ValueError, match="swoosh"):
        functions.activate("swoosh", np.ones((1, 2), T))
    with pytest.raises(ValueError, match="swoosh"):
        functions.update("swoosh", np.ones(1, T), np.ones(1, T), (), (0.5,))
    samples = Samples(np.ones((1, 3), T), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="swoosh"):
        engine(functions).train(samples, Update("swoosh", np.ones((1, 1), T)))
    with pytest.raises(ValueError, match="softmax"):
        functions.activation_gradient("softmax", np.ones((1, 2), T), np.ones((1, 2), T))


def test_a_row_that_a_backend_does_not_have_fails(functions, monkeypatch):
    """Planted in the public table and in the reference alone: every walk along the table then fails in the others."""
    monkeypatch.setitem(ACTIVATIONS, "planted", Activation("planted", "2 z", "2"))
    monkeypatch.setitem(reference.activations.FUNCTIONS, "planted", (lambda z: z + z, lambda a, g: g + g))
    if functions is reference:
        engine(functions, "planted")
        return
    with pytest.raises(ValueError, match="planted"):
        engine(functions, "planted")
    with pytest.raises(ValueError, match="planted"):
        ask_for_every_row(functions)


@pytest.mark.skipif(kernels() is None, reason="the compiled kernels were not built")
def test_parity_walks_the_tables(monkeypatch):
    """A planted row gets rows of the registry, for values, gradients and training, which fail on the kernels."""
    isa = kernels().available()[0]
    monkeypatch.setitem(ACTIVATIONS, "planted", Activation("planted", "2 z", "2"))
    monkeypatch.setattr("registry.HIDDEN", [row.name for row in ACTIVATIONS.values() if row.hidden])
    planted = [row for row in registry(isa, "float32") if "planted" in map(str, dict(row.shape).values())]
    assert {row.kernel for row in planted} == {"activate", "activation_gradient", "dense_forward", "Engine.train"}
    for row in planted:
        with pytest.raises((ValueError, KeyError), match="planted"):
            check(row, isa, "float32", 1, "as given", "ordinary")
