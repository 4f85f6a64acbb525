"""The README's guides to other libraries, and to repeating a run, each run as it stands there."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import test_interop_keras as keras_files

import fastmlp

README = (Path(__file__).parent.parent / "README.md").read_text()


def programs(title):
    part = README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


TORCH, SKLEARN, KERAS, ARRAYS = programs("From PyTorch, scikit-learn, Keras, and back")
(REPEAT,) = programs("Repeat a run")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, labels = fastmlp.datasets.digits(600, seed=0)

    def run(program, **names):
        found = {"images": images, "labels": labels, **names}
        exec(compile(program, "README.md", "exec"), found)
        return found

    return run


def test_torch(run):
    torch = pytest.importorskip("torch")
    found = run(TORCH)
    images, net = found["images"], found["net"]
    x = torch.from_numpy(images.astype(np.float32))
    logits = found["module"](x / 255).detach().numpy()
    assert (logits.argmax(axis=1) == net.predict(images)).all()
    assert np.allclose(found["whole"](x).detach().numpy(), net.forward(images), atol=1e-5)
    assert found["theirs"].state_dict()["state"][0]["step"] == net.state.rule_steps == 38
    assert np.shares_memory(found["whole"][1].weight.detach().numpy(), net.weights[0])


@pytest.mark.filterwarnings("ignore")
def test_sklearn(run):
    pytest.importorskip("sklearn")
    images, labels = fastmlp.datasets.digits(200, seed=0)  # fewer, since their optimizer takes its time
    found = run(SKLEARN, images=images, labels=labels)
    x = found["images"] / 255
    assert (found["answers"] == found["classifier"].predict(x)).all()
    assert (found["estimator"].predict(x) == found["answers"]).all()


def test_keras(run, tmp_path):
    pytest.importorskip("h5py")
    keras_files.write(tmp_path / "model.keras")
    x, y = keras_files.X, np.arange(20) % 3
    keras_files.assert_has_the_weights(run(KERAS, images=x, labels=y)["net"])


def test_arrays_and_safetensors(run, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    random = np.random.RandomState(0)
    W, b = [random.random_sample((n_out, n_in)) for n_in, n_out in ((784, 16), (16, 10))], [np.ones((n, 1)) for n in (16, 10)]
    tensors = {"one.weight": W[0], "two.weight": W[1], "one.bias": b[0][:, 0], "two.bias": b[1][:, 0]}
    safetensors.save_file(tensors, tmp_path / "others.safetensors")
    net = run(ARRAYS, W=W, b=b)["net"]
    assert (net.weights[0] == W[0].T).all() and net.layer_activations == ("relu", "softmax")


def test_repeat_a_run(run):
    images, labels = fastmlp.datasets.digits(3000, seed=0)
    net = fastmlp.MLP([784, 16, 10], seed=3, loss="cross_entropy", input_scale=255)
    net.fit(images, labels, epochs=5, verbose=0)
    net.save("net.npz")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run(REPEAT.replace('backend="numba"', "backend=None"))
    first, second = printed.getvalue().splitlines()
    said = re.findall(r"# (.*)$", REPEAT, re.MULTILINE)
    assert first == said[0] and second.startswith(said[1].removesuffix(" ..."))
