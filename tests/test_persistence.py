"""Files: every bit comes back, a crash leaves no half a file, and nothing but a sound file is taken for a network."""

import io
import json
import os
import tracemalloc
import zipfile
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastmlp import MLP, SGD, Adam, RMSprop, persistence, schedules
from fastmlp.training import stored


def trained(dtype="float32"):
    net = MLP([6, 5, 4], "relu", "sigmoid", dtype=dtype, seed=7, backend="reference")
    x = np.random.RandomState(0).random_sample((20, 6))
    net.fit(x, np.arange(20) % 4, epochs=2, verbose=0)
    return net


@pytest.fixture
def saved(tmp_path):
    trained().save(tmp_path / "net.npz")
    return tmp_path / "net.npz"


def load(path):
    return MLP.load(path, backend="reference")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_bit_comes_back(tmp_path, dtype):
    net = trained(dtype)
    net.parameters[:4] = np.nan, -0.0, np.inf, 5e-324
    path = tmp_path / "a network without suffix"
    net.save(str(path))
    assert os.listdir(tmp_path) == [path.name]
    twin = load(path)
    assert twin.parameters.tobytes() == net.parameters.tobytes()
    for name in ("layer_sizes", "layer_activations", "loss", "dtype", "seed", "epochs_trained", "input_scale", "task"):
        assert getattr(twin, name) == getattr(net, name)
    assert np.shares_memory(twin.weights[0], twin.parameters)


def test_training_goes_on_as_if_never_saved(saved):
    net, twin = trained(), load(saved)
    x, y = np.random.RandomState(1).random_sample((30, 6)), np.arange(30) % 4
    net.fit(x, y, epochs=2, verbose=0)
    twin.fit(x, y, epochs=2, verbose=0)
    assert net.hash() == twin.hash()


def test_files_of_version_2(saved):
    net = load(saved)
    saved.write_bytes(rebuilt(saved, version=2, epochs_trained=2))
    twin = load(saved)
    assert (twin.hash(), twin.epochs_trained, twin.state.step, twin.task) == (net.hash(), 2, 0, net.task)


OPTIMIZERS = {
    "sgd": SGD(learning_rate=schedules.Cosine(0.1, epochs=4)),
    "nesterov": SGD(momentum=0.9, nesterov=True, l2=1e-3, average=0.9),
    "adam": Adam(average=0.99, clip_norm=1.0),
    "rmsprop": RMSprop(momentum=0.5, learning_rate=schedules.InverseScaling(0.01)),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_whole_state_comes_back(tmp_path, optimizer, dtype):
    net = MLP([6, 5, 4], "relu", loss="cross_entropy", dtype=dtype, seed=7, backend="reference")
    x, y = np.random.RandomState(1).random_sample((30, 6)), np.arange(30) % 4
    net.fit(x, y, epochs=2, batch_size=7, optimizer=optimizer, verbose=0, dropout=0.2, validation_data=(x, y))
    net.train_step(x, y, optimizer=optimizer)
    net.save(tmp_path / "net.npz")
    twin = load(tmp_path / "net.npz")
    for state in (net.state, twin.state):
        state.as_plain = stored.to_dict(state)
    assert twin.state.as_plain == net.state.as_plain and twin.history == net.history and twin.history.epochs == 2
    assert {name: array.tobytes() for name, array in twin.state.arrays.items()} == {
        name: array.tobytes() for name, array in net.state.arrays.items()
    }
    for one in (net, twin):
        one.fit(x, y, epochs=2, batch_size=7, optimizer=optimizer, verbose=0, dropout=0.2)
        one.train_step(x, y, optimizer=optimizer)
    assert net.hash() == twin.hash() and net.history.loss == twin.history.loss


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": -1}, {"row": None}, {"step": 1.5}, {"rule": "magic"}, {"rule": []}, {"powers": []}, {"powers": {"beta_1": "x"}},
        {"history": {}}, {"history": None}, {"steps_per_epoch": 0}, {"so_far": {}}, {"so_far": None}, {"so_far": 3},
    ],
)  # fmt: skip
def test_states_that_do_not_hold(saved, changes):
    with np.load(saved) as arrays:
        training = json.loads(arrays["header"].tobytes())["training"]
    refuses(saved, rebuilt(saved, training={**training, **changes}))


@pytest.mark.parametrize("name, value", [("losses", None), ("losses", {"total": 1.0, "part": None, "count": 0}), ("weights", 3),
                                         ("rows", "3"), ("correct", [])])  # fmt: skip
def test_tallies_that_do_not_hold(saved, name, value):
    with np.load(saved) as arrays:
        training = json.loads(arrays["header"].tobytes())["training"]
    refuses(saved, rebuilt(saved, training={**training, "so_far": {**training["so_far"], name: value}}), name)


def test_arrays_of_the_optimizer_that_do_not_hold(tmp_path):
    net, path = trained(), tmp_path / "net.npz"
    for array in (np.zeros(3, np.float32), np.zeros(59), np.zeros(59, np.uint8)):
        net.state.arrays = {"v": array}
        net.save(path)
        refuses(path, path.read_bytes(), "optimizer's v")
    net.state.arrays = {"v": np.ones(59, np.float32)}
    net.save(path)
    assert load(path).state.arrays["v"].tobytes() == net.state.arrays["v"].tobytes()
    content = path.read_bytes()
    assert content.count(np.ones(59, np.float32).tobytes()) == 1
    net.state.arrays = {"v": np.full(59, 2, np.float32)}
    net.save(path)
    with np.load(path) as arrays:
        header = npy(arrays["header"])
    refuses(
        path, archive(header=header, parameters=npy(net.parameters), **{"state v": npy(np.ones(59, np.float32))}), "checksum"
    )
    refuses(path, archive(header=header, parameters=npy(net.parameters)), "does not hold the arrays")


def test_a_history_too_long_for_a_file_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(persistence, "LARGEST_HEADER", 1500)
    with pytest.raises(ValueError, match="its history above all"):
        trained().save(tmp_path / "net.npz")


def test_the_same_network_makes_the_same_file(saved, tmp_path):
    load(saved).save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_the_file_is_plain_npz(saved):
    with np.load(saved, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["header", "parameters"]
        assert arrays["parameters"].tobytes() == trained().parameters.tobytes()
        assert json.loads(arrays["header"].tobytes())["layer_sizes"] == [6, 5, 4]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failing_save_leaves_the_old_file(saved, tmp_path, monkeypatch, broken):
    def fail(*_):
        raise OSError("the disk is full")

    before = saved.read_bytes()
    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="the disk is full"):
        MLP([3, 2], backend="reference").save(saved)
    assert saved.read_bytes() == before and os.listdir(tmp_path) == ["net.npz"]


def test_a_link_stays_a_link(saved, tmp_path):
    link = tmp_path / "link.npz"
    link.symlink_to(saved)
    MLP([3, 2], seed=0, backend="reference").save(link)
    assert link.is_symlink() and load(saved).layer_sizes == (3, 2)


def test_paths(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.npz")
    for call in (trained().save, load):
        with pytest.raises(TypeError, match="path must be"):
            call(3)
    with pytest.raises(FileNotFoundError, match="no such folder to save a network in") as missing:
        trained().save(tmp_path / "no folder" / "net.npz")
    assert missing.value.filename == str(tmp_path / "no folder")
    for folder in (tmp_path, ""):
        with pytest.raises(IsADirectoryError, match="saved in a file, and this is a folder") as error:
            trained().save(folder)
        assert error.value.filename == str(folder)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that cannot be written to")
def test_an_error_names_the_path_that_was_given(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as error:
        trained().save(tmp_path / "net.npz")
    assert error.value.filename == str(tmp_path / "net.npz")


def test_an_error_of_the_file_beside_names_the_path(tmp_path, monkeypatch):
    def full(path, *_):
        raise OSError(28, "the disk is full", path)

    monkeypatch.setattr(persistence, "open", full, raising=False)
    with pytest.raises(OSError, match="the disk is full") as error:
        trained().save(tmp_path / "net.npz")
    assert error.value.filename == str(tmp_path / "net.npz")


def refuses(path, contents, *words):
    path.write_bytes(contents)
    with pytest.raises(ValueError) as caught:
        load(path)
    assert str(path) in str(caught.value) and "damaged or not a network saved by fastmlp" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def archive(compression=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, contents in members.items():
            target.writestr(f"{name}.npy", contents)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def rebuilt(path, parameters=None, **changes):
    """The file at path with other values in its header, and perhaps other parameters."""
    with np.load(path) as arrays:
        header = {**json.loads(arrays["header"].tobytes()), **changes}
        parameters = npy(arrays["parameters"]) if parameters is None else parameters
    return archive(header=npy(np.frombuffer(json.dumps(header).encode(), np.uint8)), parameters=parameters)


def test_a_rebuilt_file_loads(saved):
    original = load(saved).hash()
    saved.write_bytes(rebuilt(saved))
    assert load(saved).hash() == original


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"format": "another"}, "fastmlp network"),
        ({"version": 4}, "version 4"),
        ({"version": True}, "version True"),
        ({"version": 1, "is_classifier": 1, "epochs_trained": 2}, "is_classifier"),
        ({"version": 1, "epochs_trained": 2}, "lacks is_classifier"),
        ({"version": 2}, "lacks epochs_trained"),
        ({"input_scale": 0}, "input_scale"),
        ({"input_scale": "255"}, "input_scale"),
        ({"task": "dreams"}, "task"),
        ({"task": None}, "task"),
        ({"layer_sizes": [6, 5, 5]}, "parameters"),
        ({"layer_sizes": [6, 10**12, 4]}, "parameters"),
        ({"layer_sizes": "654"}, "layer_sizes"),
        ({"layer_sizes": [6, 5.0, 4]}, "layer_sizes[1]"),
        ({"activations": ["relu"]}, "activation"),
        ({"activations": []}, "activations"),
        ({"activations": ["relu", "softmax"]}, "softmax"),
        ({"activations": [["relu"], "sigmoid"]}, "activation"),
        ({"loss": {}}, "loss"),
        ({"dtype": "float64"}, "parameters"),
        ({"dtype": "O"}, "dtype"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"version": 2, "epochs_trained": 1.5}, "epochs_trained"),
        ({"arrays": []}, "arrays"),
        ({"arrays": {"m": "0"}}, "does not hold the arrays header and parameters, m"),
        ({"training": None}, "training"),
        ({"training": {"epoch": 1}}, "training"),
        ({"sha256": "0" * 64}, "checksum"),
        ({"sha256": None}, "checksum"),
    ],
)
def test_headers_that_do_not_hold(saved, changes, word):
    refuses(saved, rebuilt(saved, **changes), word)


@pytest.mark.parametrize("sizes, scale", [([784, 2], 255), ([6, 2], 1)])
def test_files_of_version_1(tmp_path, sizes, scale):
    path = tmp_path / "net.npz"
    MLP(sizes, output_activation="sigmoid", backend="reference").save(path)
    for is_classifier, task in ((True, "classes"), (False, "numbers"), (None, "classes")):
        path.write_bytes(rebuilt(path, version=1, is_classifier=is_classifier, epochs_trained=3))
        with pytest.warns(UserWarning, match=f"loaded with input_scale={scale}, for all types"):
            net = load(path)
        assert (net.input_scale, net.task, net.epochs_trained, net.state.step) == (scale, task, 3, 0)
        assert MLP.load(path, backend="reference", input_scale=16).input_scale == 16  # said, and therefore not warned of
        with pytest.raises(ValueError, match="input_scale must be"):
            MLP.load(path, backend="reference", input_scale=0)


def test_a_file_that_says_its_scale_keeps_it(saved):
    assert MLP.load(saved, backend="reference", input_scale=1).input_scale == 1
    with pytest.raises(ValueError, match="says input_scale=1: it cannot be loaded with 255"):
        MLP.load(saved, backend="reference", input_scale=255)


def test_headers_that_lack_something(saved):
    for name in (*persistence.FIELDS, *persistence.FIELDS_OF[3]):
        with np.load(saved) as arrays:
            header = json.loads(arrays["header"].tobytes())
            del header[name]
            header = npy(np.frombuffer(json.dumps(header).encode(), np.uint8))
            contents = archive(header=header, parameters=npy(arrays["parameters"]))
        refuses(saved.with_name("lacking.npz"), contents, f"lacks {name}")


def test_parameters_that_do_not_hold(saved):
    parameters = load(saved).parameters
    for other in (
        npy(parameters[:-1]),
        npy(np.append(parameters, np.float32(0))),
        npy(parameters.astype(">f4")),
        npy(parameters.astype(np.float64)),
        npy(parameters[None]),
        npy(parameters) + b"\0" * 4,
        npy(parameters)[:-4],
        npy(parameters).replace(b"'shape'", b"'shapE'"),
        npy(parameters).replace(b"False", b"open "),
        b"",
        b"\x93NUMPY" + b"\xff" * 300,
    ):
        refuses(saved, rebuilt(saved, other))


def test_foreign_files(saved, tmp_path):
    sound = saved.read_bytes()
    header, parameters = npy(np.zeros(3, np.uint8)), npy(np.zeros(3, np.float32))
    deep = npy(np.frombuffer(b"[" * 100_000, np.uint8))
    for contents in (
        b"",
        b"not a zip file",
        npy(np.zeros(59, np.float32)),
        archive(other=header),
        archive(header=header, parameters=parameters, more=header),
        archive(header=header, parameters=parameters),
        archive(header=deep, parameters=parameters),
        archive(header=npy(np.frombuffer(b"[]", np.uint8)), parameters=parameters),
        archive(zipfile.ZIP_DEFLATED, header=header, parameters=parameters),
        sound[: len(sound) // 2],
        sound[:-1],
        sound[1:],
        sound[100:],
    ):
        refuses(saved, contents)


def test_compressed_arrays_are_refused_before_they_unfold(saved):
    with zipfile.ZipFile(saved) as members:
        contents = {name.removesuffix(".npy"): members.read(name) for name in members.namelist()}
    refuses(saved, archive(zipfile.ZIP_DEFLATED, **contents), "compressed")


def test_pickles_are_never_opened(saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    file = io.BytesIO()
    np.savez(file, header=np.array([Bomb()], object), parameters=np.zeros(59, np.float32))
    refuses(saved, file.getvalue())
    assert not (tmp_path / "exploded").exists()


def test_a_small_file_cannot_take_much_memory(saved):
    zeros = npy(np.zeros(10**8, np.uint8))
    bomb = archive(zipfile.ZIP_DEFLATED, header=zeros, parameters=zeros)
    sizes = rebuilt(saved, layer_sizes=[6, 2**40, 4])
    array = npy(load(saved).parameters)
    claim = array.replace(b"(59,), }" + b" " * 9, b"(99999999999,), }")
    assert claim != array and len(claim) == len(array)
    claims = rebuilt(saved, claim)
    del zeros
    tracemalloc.start()
    try:
        for contents in (bomb, sizes, claims):
            refuses(saved, contents)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_damage_anywhere_is_found_or_harmless(tmp_path, place, bit, cut):
    path = tmp_path / "net.npz"
    net = trained_once()
    net.save(path)
    contents = bytearray(path.read_bytes())
    position = int(place * len(contents))
    if cut:
        del contents[position:]
    else:
        contents[position] ^= 1 << bit
    path.write_bytes(contents)
    try:
        twin = load(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:  # a bit of a time stamp, say
        assert not cut
        assert twin.hash() == net.hash() and twin.seed == net.seed and repr(twin) == repr(net)


@cache
def trained_once():
    return trained()
