"""safetensors files: all that an npz file holds, under PyTorch's keys; and files of others, which hold weights alone."""

import json

import numpy as np
import pytest

from fastmlp import MLP, Adam

safetensors = pytest.importorskip("safetensors.numpy")
X, Y = np.random.RandomState(0).random_sample((20, 6)), np.arange(20) % 4


def trained(dtype="float32"):
    net = MLP([6, 5, 7, 4], ["identity", "gelu"], loss="cross_entropy", dtype=dtype, seed=7, input_scale=3)
    net.fit(X, Y, epochs=2, optimizer=Adam(learning_rate=0.1, average=0.9), verbose=0)
    return net


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_comes_back_and_training_goes_on(path, dtype):
    net = trained(dtype)
    net.save(str(path))
    twin = MLP.load(path)
    assert repr(twin) == repr(net) and twin.hash() == net.hash() and twin.history == net.history
    for one in (net, twin):
        one.fit(X, Y, epochs=2, optimizer=Adam(learning_rate=0.1, average=0.9), verbose=0)
    assert twin.hash() == net.hash()
    twin.parameters[:4] = np.nan, -0.0, np.inf, 5e-324
    twin.save(path)
    assert MLP.load(path).parameters.tobytes() == twin.parameters.tobytes()


def test_the_tensors_are_those_of_pytorch(path):
    net = trained()
    net.save(path)
    tensors = safetensors.load_file(path)
    for weights, bias, i in zip(net.weights, net.biases, (0, 1, 3)):  # the first layer has no activation
        assert tensors[f"{i}.weight"].tobytes() == np.ascontiguousarray(weights.T).tobytes()
        assert tensors[f"{i}.bias"].tobytes() == bias.tobytes()


def test_pytorch_reads_them(path):
    from_torch = pytest.importorskip("safetensors.torch", exc_type=ImportError)
    net = trained()
    net.save(path)
    twin = MLP([6, 5, 7, 4], ["identity", "gelu"], loss="cross_entropy")
    twin.load_state_dict({key: value for key, value in from_torch.load_file(path).items() if key[0].isdecimal()})
    assert twin.hash() == net.hash()


def test_the_same_network_makes_the_same_file(path):
    trained().save(path)
    first = path.read_bytes()
    MLP.load(path).save(path)
    assert json_of(path.read_bytes()) == json_of(first)


def json_of(contents):
    length = int.from_bytes(contents[:8], "little")
    header = json.loads(contents[8 : 8 + length])
    own = json.loads(header.pop("__metadata__")["fastmlp"])
    return header, own, contents[8 + length :]


def with_header(contents, **changes):
    """The file with other values in fastmlp's own header."""
    header, own, data = json_of(contents)
    text = json.dumps({"__metadata__": {"fastmlp": json.dumps({**own, **changes})}, **header}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("changes, word", [
    ({"version": 9}, "version 9"), ({"layer_sizes": [6, 5, 4]}, "activation"), ({"layer_sizes": [6, 5, 8, 4]}, "1.weight"),
    ({"dtype": "float64"}, "0.weight has shape (6, 5) and dtype float32"), ({"sha256": "0" * 64}, "checksum"),
    ({"arrays": {}}, "does not hold the arrays"), ({"activations": ["relu", "gelu", "softmax"]}, "2.weight"),
    ({"input_scale": 0}, "input_scale"),
])  # fmt: skip
def test_headers_that_do_not_hold(path, changes, word):
    trained().save(path)
    path.write_bytes(with_header(path.read_bytes()))
    assert MLP.load(path).hash() == trained().hash()
    path.write_bytes(with_header(path.read_bytes(), **changes))
    with pytest.raises(ValueError, match="damaged or not a network saved by fastmlp") as caught:
        MLP.load(path)
    assert word in str(caught.value)


def test_damage_is_found(path):
    trained().save(path)
    sound = bytearray(path.read_bytes())
    for place in [*range(0, 200, 7), *range(200, len(sound), 97)]:
        contents = sound.copy()
        contents[place] ^= 1
        path.write_bytes(contents)
        try:
            twin = MLP.load(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:  # a bit of the history, say
            assert twin.hash() == trained_hash
    for contents in (b"", b"{}", sound[:50], sound[:-1]):
        path.write_bytes(contents)
        with pytest.raises(ValueError, match="damaged or not a network saved by fastmlp"):
            MLP.load(path)


trained_hash = trained().hash()


# Files of others.


def others(path, **renamed):
    net = trained()
    tensors = {}
    for weights, bias, name in zip(net.weights, net.biases, ("fc2", "fc9", "fc10")):
        tensors |= {f"{name}.weight": np.ascontiguousarray(weights.T), f"{name}.bias": bias.copy()}
    safetensors.save_file({renamed.get(name, name): array for name, array in tensors.items()}, path)
    return net, tensors


def test_files_of_others(path):
    net, _ = others(path)
    options = dict(activation=["identity", "gelu"], loss="cross_entropy", seed=7)
    twin = MLP.load(path, layer_sizes=[6, 5, 7, 4], input_scale=3, **options)
    assert repr(twin) == repr(net) and twin.hash() == net.hash()
    with pytest.raises(ValueError, match=r"give layer_sizes=.*fc2.bias \(5,\), fc2.weight \(5, 6\), fc9.bias"):
        MLP.load(path)
    with pytest.raises(ValueError, match="6 -> 5 with 5 biases, 5 -> 7 with 7 biases, .* Wanted: 6 -> 5 -> 4"):
        MLP.load(path, layer_sizes=[6, 5, 4])
    with pytest.raises(TypeError, match="load takes loss with layer_sizes alone"):
        MLP.load(path, loss="cross_entropy")


def test_weights_either_way_round(path):
    net = trained()
    tensors = {}
    for i, (weights, bias) in enumerate(zip(net.weights, net.biases)):
        tensors |= {f"Dense_{i}.kernel": weights.copy(), f"Dense_{i}.bias": bias.copy()}
    safetensors.save_file(tensors, path)
    assert MLP.load(path, layer_sizes=[6, 5, 7, 4]).hash() == net.hash()


def test_what_is_no_network_is_refused(path):
    for tensors in ({"conv.weight": np.ones((2, 2, 2))}, {"norm.weight": np.ones(3), "norm.bias": np.ones(4)}, {}):
        safetensors.save_file(tensors, path)
        with pytest.raises(ValueError, match="does not hold such a network"):
            MLP.load(path, layer_sizes=[6, 4])


def test_half_precision(path):
    weights = np.random.RandomState(0).random_sample((4, 6)).astype(np.float16)
    safetensors.save_file({"0.weight": weights}, path)
    net = MLP.load(path, layer_sizes=[6, 4])
    assert net.dtype == np.float32 and (net.weights[0] == weights.T).all() and not net.biases[0].any()
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    save_file({"0.weight": torch.ones(4, 6, dtype=torch.bfloat16)}, path)
    try:
        assert (MLP.load(path, layer_sizes=[6, 4]).weights[0] == 1).all()
    except ValueError as error:
        assert "bfloat16" in str(error)
