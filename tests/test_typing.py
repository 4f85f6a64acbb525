"""What a type checker says to users: mypy in strict mode takes right calls, and refuses each wrong one."""

import ast
import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import fastmlp
from fastmlp import activations, architecture, backends, losses, optimizers

NAMES = {  # a type of names, and the table that they come from
    activations.HiddenActivation: [row.name for row in activations.ACTIVATIONS.values() if row.hidden],
    activations.OutputActivation: list(activations.ACTIVATIONS),
    losses.LossName: list(losses.LOSSES),
    optimizers.OptimizerName: list(optimizers.OPTIMIZERS),
    backends.BackendName: list(backends.BACKENDS),
    architecture.Task: list(architecture.TASKS),
}
STUBS = sorted((Path(fastmlp.__file__).parent / "reference").glob("*.pyi"))

RIGHT = """
import numpy as np

import fastmlp
import fastmlp.functional as F

x, y = np.zeros((20, 3), np.float32), np.zeros(20, np.int64)
net = fastmlp.MLP([3, 8, 4], "relu", loss="cross_entropy", seed=0, n_threads=1)
other = fastmlp.MLP((3, 8, 4), ["gelu"], loss=fastmlp.Huber(2.0), dtype=np.float64, task="numbers", input_scale=255)
adam = fastmlp.Adam(learning_rate=1e-3)
history: fastmlp.History = net.fit(x, y, epochs=2, batch_size=5, optimizer=adam, dropout=[0.2], verbose=0)
net.fit(x, y, optimizer="adam", learning_rate=fastmlp.schedules.Cosine(0.1, epochs=10), class_weight="balanced", verbose=0)
net.fit(x, y, learning_rate=lambda step: 0.1 / (1 + step), validation_data=(x, y), early_stopping=True, verbose=0)
loss: float = net.train_step(x, y, 0.1)
outputs: np.ndarray = net.forward(x.tolist())
found: fastmlp.Evaluation = net.evaluate(x, y)
digits: str = net.hash()
gradients: fastmlp.Gradients = net.gradients(x, y)[1]
a = F.dense_forward(x, net.weights[0], net.biases[0], "relu", n_threads=1)
copy = fastmlp.MLP.load("net.npz", backend="reference")
images, labels = fastmlp.datasets.digits(5)
rates: np.ndarray = fastmlp.schedules.Step(0.1, every=10).rates(labels, steps_per_epoch=1)
"""

WRONG = """
fastmlp.MLP("wrong", 3)
fastmlp.MLP([3, 4], activation="ReLU")
fastmlp.MLP([3, 4], activation="softmax")
fastmlp.MLP([3, 4], loss="mse")
fastmlp.MLP([3, 4], task="regression")
fastmlp.MLP([3, 4], backend="cuda")
fastmlp.MLP([3, 4], units=5)
fastmlp.MLP([3.5, 4])
net.fit(x, y, epoch=3)
net.fit(x, y, epochs="3")
net.fit(x, y, optimizer="adamax")
net.fit(x, y, class_weight="even")
net.fit()
net.train_step(x)
net.train_step(x, y, weight_mean="mean")
net.wieghts
net.n_parameters.shape
net.layer_sizes.append(3)
net.seed = 1
net.forward(x).no_such_method()
net.hash() + 1
net.evaluate(x, y).f1
F.dense_forward(x, x, y, activation="swish")
F.softmax(x, axis=1)
fastmlp.MLP.load("net.npz", backend="gpu")
fastmlp.schedules.Cosine(0.1, steps="3")
fastmlp.datasets.digits("5")
fastmlp.no_such_name
"""


@pytest.mark.parametrize("literal", NAMES, ids=str)
def test_names_are_those_of_the_tables(literal):
    assert list(get_args(literal)) == NAMES[literal]


def test_public_functions_are_annotated():
    methods = [m for name, m in vars(fastmlp.MLP).items() if inspect.isfunction(m) and (name == "__init__" or name[0] != "_")]
    functions = [getattr(fastmlp.functional, name) for name in fastmlp.functional.__all__]
    classes = [getattr(fastmlp, name) for name in ("SGD", "Adam", "AdamW", "RMSprop", "EarlyStopping", "Huber", "Quantile")]
    bare = []
    for function in methods + functions + [c.__init__ for c in classes]:
        signature = inspect.signature(inspect.unwrap(function))
        parameters = [p.annotation for name, p in signature.parameters.items() if name != "self"]
        if inspect.Signature.empty in (*parameters, signature.return_annotation):
            bare.append(function.__qualname__)
    assert not bare


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.stem)
def test_stubs_of_the_reference_name_its_functions(stub):
    module = importlib.import_module(f"fastmlp.reference.{stub.stem}")
    names = ast.parse(stub.read_text()).body
    stubbed = {node.name: [a.arg for a in node.args.args] for node in names if isinstance(node, ast.FunctionDef)}
    own = {name: f for name, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__}
    assert stubbed == {name: list(inspect.signature(f).parameters) for name, f in own.items() if name[0] != "_"}
    for node in names:
        assert not isinstance(node, ast.AnnAssign) or hasattr(module, node.target.id)


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """{line of the program: what mypy says to it}."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    folder = tmp_path_factory.mktemp("typing")
    program = folder / "program.py"
    program.write_text(RIGHT + WRONG.lstrip("\n"))
    root = str(Path(fastmlp.__file__).parent.parent)
    # Of what fastmlp imports, the extras' types play no part here, and take five times as long to read as all else.
    (folder / "mypy.ini").write_text("[mypy]\nfollow_imports = skip\n[mypy-fastmlp.*,numpy.*]\nfollow_imports = silent\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, program.name], cwd=folder,
                          text=True, capture_output=True, env=os.environ | {"MYPYPATH": root})  # fmt: skip
    said = {}
    for line in done.stdout.splitlines():
        if line.startswith("program.py:") and ": error:" in line:
            _, number, _, message = line.split(":", 3)
            said.setdefault(int(number), message.strip())
    assert said, done.stdout + done.stderr
    return said


def test_right_calls_are_taken(complaints):
    n = RIGHT.count("\n")
    assert {line: said for line, said in complaints.items() if line <= n} == {}


@pytest.mark.parametrize("line", range(WRONG.count("\n") - 1), ids=lambda i: WRONG.strip().splitlines()[i])
def test_wrong_calls_are_refused(complaints, line):
    assert RIGHT.count("\n") + 1 + line in complaints
