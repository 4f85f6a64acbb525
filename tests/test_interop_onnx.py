"""ONNX files: there and back the same bytes; onnxruntime's outputs agree to rounding; what has no place is refused by name."""

import numpy as np
import pytest
from conftest import run_program
from rounding import assert_close

import fastmlp
from fastmlp import MLP

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
HIDDEN = [name for name, row in fastmlp.ACTIVATIONS.items() if row.hidden]
LAYERS = dict(loss="cross_entropy", seed=1, input_scale=3)


def rows(net, n):
    random = np.random.RandomState(n)
    return (random.standard_normal((n, net.layer_sizes[0])) * 2.0 ** random.randint(-6, 6, (n, 1))).astype(net.dtype)


def run(path, x):
    """What onnxruntime gives for x, by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": x})))


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_onnxruntime_agrees_and_the_way_back_is_exact(activation, dtype, tmp_path):
    net, path = MLP([6, 5, 7, 4], activation, dtype=dtype, **LAYERS), tmp_path / "net.onnx"
    net.to_onnx(path)
    for n in (1, 7, 1000):
        x = rows(net, n)
        outputs = run(path, x)["output"]
        assert outputs.dtype == net.dtype
        assert_close(net, x, outputs)
    twin = fastmlp.from_onnx(path, seed=1)
    assert twin.hash() == net.hash() and repr(twin) == repr(net)


@pytest.mark.parametrize("loss, output", [
    ("binary_cross_entropy", "sigmoid"), ("poisson", "exp"), ("squared_error", "identity"), ("squared_error", "gelu"),
])  # fmt: skip
def test_outputs(loss, output, tmp_path):
    net, path = MLP([5, 4, 3], "tanh", output, loss, seed=1), tmp_path / "net.onnx"
    net.to_onnx(path)
    assert_close(net, rows(net, 7), run(path, rows(net, 7))["output"])
    twin = fastmlp.from_onnx(path)
    assert (twin.loss, twin.layer_activations) == (loss, ("tanh", output))


@pytest.mark.parametrize(
    "task, n_out, output", [("classes", 4, "softmax"), ("classes", 1, "sigmoid"), ("labels", 3, "sigmoid")]
)
def test_labels(task, n_out, output, tmp_path):
    loss = "cross_entropy" if output == "softmax" else "binary_cross_entropy"
    net, path = MLP([5, 8, n_out], loss=loss, seed=1, task=task), tmp_path / "net.onnx"
    net.to_onnx(path, labels=True)
    x = rows(net, 40) * 100
    results = run(path, x)
    assert list(results) == ["output", "label"] and results["label"].dtype == np.int64
    assert results["label"].shape == net.predict(x).shape and (results["label"] == net.predict(x)).all()
    assert len(np.unique(results["label"])) > 1
    assert fastmlp.from_onnx(path, task=task).hash() == net.hash()


def test_a_network_of_numbers_has_no_labels(tmp_path):
    with pytest.raises(ValueError, match="labels=True is for networks that answer classes or labels"):
        MLP([3, 2], loss="squared_error", output_activation="identity").to_onnx(tmp_path / "net.onnx", labels=True)
    assert not list(tmp_path.iterdir())


def parsed(body):
    """A graph from x (n, 2) to y (n, 2), with constants of several shapes."""
    constants = "w = {1, 2, 3, 4, 5, 6}, float[3, 2] v = {1, 2, 3, 4, 5, 6}, float[2, 2] s = {1, 2, 3, 4}"
    biases = "float[3] b = {1, -1, 0.5}, float[1] c = {2}"
    head = '<ir_version: 9, opset_import: ["" : 20]> g (float[n, 2] x) => (float[n, 2] y)'
    return onnx.parser.parse_model(f"{head} <float[2, 3] {constants}, {biases}> {{ {body} }}")


@pytest.mark.parametrize("body", [
    "z = MatMul(x, w) a = Add(z, b) h = Relu(a) y = MatMul(h, v)",
    "z = MatMul(x, w) a = Add(z, c) h = Relu(a) y = MatMul(h, v)",
    "z = MatMul(x, w) a = Add(b, z) h = Relu(a) i = Identity(h) y = Gemm(i, v)",
    "f = Flatten(x) z = Gemm<alpha = 1.0, beta = 1.0, transB = 1>(f, v, b) h = Relu(z) d = Dropout(h) y = Gemm<transB = 1>(d, w)",
])  # fmt: skip
def test_chains_that_others_write(body):
    model = parsed(body)
    net = fastmlp.from_onnx(model)
    x = rows(net, 7)
    assert net.layer_activations == ("relu", "identity") and net.layer_sizes == (2, 3, 2)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert_close(net, x, session.run(None, {"x": x})[0])


@pytest.mark.parametrize("body, words", [
    ("z = Gemm<alpha = 0.5>(x, s) y = Relu(z)", "Gemm 'z'.*alpha"),
    ("z = MatMul(x, s) y = LeakyRelu<alpha = 0.2>(z)", "LeakyRelu 'y'.*0.2.*not fastmlp's leaky_relu"),
    ("z = MatMul(x, s) y = HardSigmoid(z)", "HardSigmoid 'y'.*none of these"),
    ("z = MatMul(x, s) r = Relu(z) y = Tanh(r)", "Tanh 'y'.*does not follow a layer"),
    ("z = MatMul(x, s) y = Add(z, x)", "Add 'y'|goes to several"),
    ("z = MatMul(x, s) r = Relu(z) y = Add(z, r)", "goes to several nodes"),
    ("y = Relu(x)", "Relu 'y'.*does not follow a layer"),
    ("z = MatMul(x, s) y = Softmax<axis = 0>(z)", "Softmax 'y'"),
    ("q = Exp(x) y = MatMul(x, s)", "several nodes"),
    ("y = MatMul(s, x)", "MatMul 'y'"),
    ("y = Identity(x)", "no Gemm or MatMul"),
    ("z = MatMul(x, w) y = MatMul(z, s)", r"MatMul 'y'.*\(2, 2\), after a layer of 3 outputs"),
])  # fmt: skip
def test_what_has_no_place_is_refused_by_name(body, words):
    with pytest.raises(ValueError, match=words):
        fastmlp.from_onnx(parsed(body))


def test_damaged_files(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match="damaged or not an ONNX file"):
        fastmlp.from_onnx(tmp_path / "net.onnx")
    with pytest.raises(FileNotFoundError):
        fastmlp.from_onnx(tmp_path / "nowhere.onnx")


def test_an_activation_of_one_s_own_is_refused(tmp_path):
    @fastmlp.activation
    def steep(z):
        return z * 10

    with pytest.raises(ValueError, match="activation steep is a Python function of your own, which ONNX cannot say"):
        MLP([3, 4, 2], steep, backend="reference").to_onnx(tmp_path / "net.onnx")


def test_the_library_is_imported_when_it_is_used():
    ended = run_program("import sys, fastmlp; assert not {'onnx', 'onnxruntime', 'fastmlp.interop.onnx'} & set(sys.modules)")
    assert ended.returncode == 0, ended.stderr


def test_without_the_library_the_error_names_the_extra():
    ended = run_program("import sys, fastmlp; sys.modules['onnx'] = None; fastmlp.MLP([2, 2]).to_onnx('net.onnx')")
    assert "ImportError: ONNX is not installed" in ended.stderr and "fastmlp[onnx]" in ended.stderr
