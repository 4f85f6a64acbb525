"""Keras: models and their files become networks with the same weights; files are read by h5py alone, and nothing is executed.

The files of most tests are written here, in the form of Keras 3, so that they need h5py only; with Keras its own are read.
"""

import io
import json
import os
import zipfile

import numpy as np
import pytest
from rounding import assert_close

import fastmlp

h5py = pytest.importorskip("h5py")
random = np.random.RandomState(0)
X = random.random_sample((20, 6)).astype(np.float32)
SIZES = [6, 5, 4, 3]
WEIGHTS = [random.random_sample(shape).astype(np.float32) for shape in zip(SIZES, SIZES[1:])]
BIASES = [random.random_sample(n).astype(np.float32) for n in SIZES[1:]]


def layer(kind, name, **options):
    return {"class_name": kind, "config": {"name": name, **options}}


def dense(i, activation="linear", use_bias=True):
    return layer("Dense", f"dense_{i + 7}", activation=activation, use_bias=use_bias)


def sequential(*layers):
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}


MODEL = sequential(
    layer("InputLayer", "in"), layer("Flatten", "flat"), layer("Rescaling", "by", scale=1 / 255, offset=0.0),
    dense(0, "relu"), layer("Dropout", "drop", rate=0.5), dense(1), layer("Activation", "act", activation="swish"),
    dense(2), layer("Softmax", "soft", axis=-1),
)  # fmt: skip


def write_weights(path, groups):
    with h5py.File(path, "w") as file:
        for name, arrays in groups.items():
            variables = file.create_group(f"{name}/vars")
            for i, array in enumerate(arrays):
                variables[str(i)] = array


def groups(start=""):
    return {f"{start}layers/dense{f'_{i}' if i else ''}": [w, b] for i, (w, b) in enumerate(zip(WEIGHTS, BIASES))}


def write(path, configuration=MODEL, arrays=None):
    weights = io.BytesIO()
    write_weights(weights, groups() if arrays is None else arrays)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(configuration))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def assert_has_the_weights(net, weights=WEIGHTS, biases=BIASES):
    for own, given in zip((*net.weights, *net.biases), (*weights, *biases)):
        assert own.tobytes() == given.tobytes()


def test_a_keras_file(tmp_path):
    net = fastmlp.from_keras(write(tmp_path / "model.keras"), seed=3)
    assert_has_the_weights(net)
    assert net.layer_activations == ("relu", "silu", "softmax") and net.loss == "cross_entropy"
    assert net.input_scale == 255 and net.dtype == np.float32 and net.seed == 3


def test_logits_take_the_activation_of_their_loss(tmp_path):
    path = write(tmp_path / "model.keras", sequential(dense(0, "relu"), dense(1), dense(2)))
    assert fastmlp.from_keras(path).layer_activations == ("relu", "identity", "identity")
    assert fastmlp.from_keras(str(path), "cross_entropy").layer_activations[-1] == "softmax"


def test_nested_models(tmp_path):
    inner = {f"layers/sequential/{name}": arrays for name, arrays in list(groups().items())[:1]}
    outer = {"layers/dense": groups()["layers/dense_1"], "layers/dense_1": groups()["layers/dense_2"]}
    model = sequential(sequential(dense(0, "tanh")), dense(1, "elu"), dense(2))
    model["config"]["layers"][0]["config"]["name"] = "inner"
    net = fastmlp.from_keras(write(tmp_path / "model.keras", model, {**inner, **outer}))
    assert_has_the_weights(net)
    assert net.layer_activations == ("tanh", "elu", "identity")


def test_layers_without_biases(tmp_path):
    arrays = {name: [w] for name, (w, _) in groups().items()}
    net = fastmlp.from_keras(
        write(tmp_path / "model.keras", sequential(*(dense(i, use_bias=False) for i in range(3))), arrays)
    )
    assert_has_the_weights(net, biases=[np.zeros_like(b) for b in BIASES])


def functional(*sources):
    layers = [layer("InputLayer", "in"), dense(0, "relu"), dense(1, "relu"), dense(2)]
    for part, source in zip(layers, sources):
        history = {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}], "kwargs": {}}
        part["inbound_nodes"] = [history] if source else []
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers}}


def test_functional_models_are_chains(tmp_path):
    net = fastmlp.from_keras(write(tmp_path / "model.keras", functional(None, "in", "dense_7", "dense_8")))
    assert_has_the_weights(net)
    with pytest.raises(ValueError, match="'dense_9' does not follow 'dense_8' alone"):
        fastmlp.from_keras(write(tmp_path / "model.keras", functional(None, "in", "dense_7", "dense_7")))


@pytest.mark.parametrize("layers, words", [
    ([dense(0), layer("BatchNormalization", "bn")], "'bn', a BatchNormalization,"),
    ([layer("Lambda", "code", function="os.abort")], "'code', a Lambda,"),
    ([dense(0, "leaky_relu")], "'dense_7' has the activation 'leaky_relu'"),
    ([dense(0, {"class_name": "function"})], "'dense_7' has the activation {"),
    ([dense(0), layer("LeakyReLU", "leak", negative_slope=0.3)], "a LeakyReLU of negative_slope=0.3"),
    ([dense(0), layer("ReLU", "six", max_value=6, negative_slope=0, threshold=0)], "a ReLU of max_value=6"),
    ([dense(0, "relu"), layer("Activation", "more", activation="tanh")], "'more', the activation tanh, does not follow"),
    ([layer("Activation", "first", activation="tanh"), dense(0)], "'first', the activation tanh"),
    ([layer("Rescaling", "by", scale=2.0, offset=1.0), dense(0)], "'by', a Rescaling"),
    ([layer("Rescaling", "by", scale=[2.0], offset=0.0), dense(0)], "'by', a Rescaling"),
    ([dense(0), layer("Rescaling", "by", scale=2.0, offset=0.0)], "'by', a Rescaling"),
    ([layer("Flatten", "flat")], "no Dense layer"),
], ids=str)  # fmt: skip
def test_layers_that_are_refused(tmp_path, layers, words):
    with pytest.raises(ValueError, match=words):
        fastmlp.from_keras(write(tmp_path / "model.keras", sequential(*layers)))


def test_files_of_weights_alone(tmp_path):
    path = tmp_path / "model.weights.h5"
    many = {f"layers/dense{f'_{i}' if i else ''}": [np.eye(3) * i, np.ones((1, 3)) * i] for i in range(12)}
    write_weights(path, many)
    net = fastmlp.from_keras(path, activation="relu")
    assert [b[0] for b in net.biases] == list(range(12))  # dense_10 after dense_9
    write_weights(path, {**groups(), "optimizer": [np.ones(3)]})
    net = fastmlp.from_keras(path, "cross_entropy", activation=["relu", "gelu"])
    assert_has_the_weights(net)
    assert net.layer_activations == ("relu", "gelu", "softmax")
    assert fastmlp.from_keras(path, activation="tanh", output_activation="sigmoid").loss == "binary_cross_entropy"
    with pytest.raises(ValueError, match="does not say the activations"):
        fastmlp.from_keras(path)
    for name in ("layers/conv2d", "layers/sequential/layers/dense", "hidden"):
        write_weights(path, {**groups(), name: [WEIGHTS[0]]})
        with pytest.raises(ValueError, match=f"has weights of {name}"):
            fastmlp.from_keras(path, activation="relu")
    write_weights(path, {"layers/flatten": []})
    with pytest.raises(ValueError, match="no Dense layers"):
        fastmlp.from_keras(path, activation="relu")


def test_what_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    for contents in (b"", b"no zip file"):
        path.write_bytes(contents)
        with pytest.raises(ValueError, match="damaged or not a .keras file"):
            fastmlp.from_keras(path)
    with pytest.raises(ValueError, match="damaged or not a .keras file"):
        fastmlp.from_keras(write(path, arrays={}))
    with pytest.raises(ValueError, match="the class Mine is no Sequential"):
        fastmlp.from_keras(write(path, {**MODEL, "class_name": "Mine"}))
    with pytest.raises(ValueError, match="are the model's own"):
        fastmlp.from_keras(write(path), activation="relu")
    with pytest.raises(FileNotFoundError):
        fastmlp.from_keras(tmp_path / "missing.keras")
    with pytest.raises(TypeError, match="must be a Keras model"):
        fastmlp.from_keras(3)


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "elu", "selu", "silu", "softplus", "gelu"])
def test_models_and_files_of_keras(keras, tmp_path, activation):
    parts = keras.layers
    keras.utils.set_random_seed(0)
    models = [
        keras.Sequential([
            parts.Input((6,)), parts.Flatten(), parts.Rescaling(1 / 3), parts.Dense(5, activation, bias_initializer="normal"),
            parts.Dropout(0.2), keras.Sequential([parts.Dense(4, use_bias=False), parts.LeakyReLU(negative_slope=0.01)]),
            parts.Dense(3, "softmax", name="out"),
        ]),
        keras.Sequential([parts.Input((6,)), parts.Dense(5, activation), parts.Dense(3)]),
    ]  # fmt: skip
    given = keras.Input((6,))
    models.append(keras.Model(given, parts.Dense(3)(parts.Dense(4, activation)(given))))
    for model in models:
        net = fastmlp.from_keras(model)
        assert_close(net, X, model.predict(X, verbose=0))
        model.compile("adam", "mse")
        model.fit(X, np.zeros((20, 3)), verbose=0)
        model.save(tmp_path / "model.keras")
        net = fastmlp.from_keras(model)
        assert fastmlp.from_keras(tmp_path / "model.keras").hash() == net.hash()
        assert net.weights[0].tobytes() == np.asarray(model.get_weights()[0]).tobytes()
    models[1].save_weights(tmp_path / "model.weights.h5")
    net = fastmlp.from_keras(tmp_path / "model.weights.h5", activation=activation)
    assert net.hash() == fastmlp.from_keras(models[1]).hash()
