"""Random calls of MLP's methods, right and wrong ones, against the reference; and mutated files.

A call on the compiled backend, or on Numba's, must do what the same call does on the reference: the same bytes, the same
exception with the same words, the same parameters afterwards. The ordinary run takes a sample; `pytest -m slow
tests/test_fuzz.py` a million calls of each and 100,000 files, seeds 0 to 9.
"""

import io
import struct
import tracemalloc
import warnings

import numpy as np
import pytest
from conftest import needs_kernels

from fastmlp import MLP
from fastmlp.datasets import load_idx

ERRORS = (ValueError, TypeError)
LOSSES = [("squared_error", "identity"), ("squared_error", "sigmoid"), ("squared_error", "tanh"), ("squared_error", "relu"),
          ("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid")]  # fmt: skip
SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
DTYPES = ("f4", "f4", "f4", "f8", "u1", "i1", "i8", "?", "f2", ">f4", ">f8", "O", "c8", "U3", "M8[s]")


class Fuzzer:
    """Draws networks, arguments and calls from one seed, for a backend and the reference."""

    def __init__(self, seed, backend):
        self.rng, self.backends = np.random.RandomState(seed), (backend, "reference")

    def one_of(self, options):
        return options[self.rng.randint(len(options))]

    def chance(self, share):
        return self.rng.random_sample() < share

    def networks(self):
        """The same network on both backends."""
        sizes = [int(self.one_of(SIZES)) for _ in range(self.rng.randint(2, 5))]
        loss, output = self.one_of(LOSSES)
        if output == "softmax":
            sizes[-1] = max(2, sizes[-1])
        hidden = self.one_of(["identity", "relu", "sigmoid", "tanh"])
        kind = {"loss": loss, "output_activation": output, "dtype": self.one_of(["float32", "float32", "float64"]),
                "seed": int(self.rng.randint(100)), "n_threads": int(self.rng.randint(1, 4)),
                "task": self.one_of([None, "classes", "numbers" if output == "softmax" else "labels"]),
                "input_scale": self.one_of([1, 1, 255, 0.3])}  # fmt: skip
        return [MLP(sizes, hidden, backend=backend, **kind) for backend in self.backends]

    def array(self, shape, dtype):
        """Values of a dtype, now and then with special ones, in some layout."""
        values = self.rng.standard_normal(shape) * 2.0 ** self.rng.randint(-3, 4)
        if self.chance(0.1) and values.size:
            values.flat[self.rng.randint(values.size)] = self.one_of([np.nan, np.inf, -np.inf, 1e300, -0.0, 1e-310, 0.0])
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if dtype == "u1":
                array = self.rng.randint(0, 256, shape).astype("u1")
            elif dtype == "M8[s]":
                array = np.zeros(shape, dtype)
            else:
                array = values.astype(dtype)
        return self.laid_out(np.asarray(array))

    def laid_out(self, a):
        way = self.rng.randint(8)
        if way == 0:
            return np.asfortranarray(a)
        if way == 1 and a.ndim:
            wide = np.zeros(tuple(2 * n + 1 for n in a.shape), a.dtype)
            view = wide[tuple(slice(1, 1 + 2 * n, 2) for n in a.shape)]
            view[...] = a
            return view
        if way == 2 and a.ndim:
            return np.ascontiguousarray(a[::-1])[::-1]
        if way == 3 and a.dtype.kind in "fiub":
            raw = np.zeros(a.nbytes + 1, np.uint8)
            view = raw[1:].view(a.dtype).reshape(a.shape)
            view[...] = a
            return view
        if way == 4:
            a.flags.writeable = False
        if way == 5 and a.dtype.kind in "fiu":
            return a.tolist()
        return a

    def x(self, net):
        n_in, rows = net.layer_sizes[0], int(self.one_of([0, 1, 1, 2, 3, 5, 10, 17, 33]))
        shape = self.one_of([(rows, n_in)] * 12 + [(n_in,), (rows, n_in + 1), (n_in, rows), (rows,), (), (rows, 1, n_in),
                                                   (rows, n_in, 1, 1), (0,)])  # fmt: skip
        return self.array(shape, self.one_of(DTYPES) if self.chance(0.4) else net.dtype.str)

    def y(self, net, x):
        n_out, rows = net.layer_sizes[-1], len(x) if np.ndim(x) else 1
        if self.chance(0.1):
            rows += self.one_of([-1, 1, 5])
        if self.chance(0.5):
            low, high = (-1, n_out + 2) if self.chance(0.1) else (0, max(n_out, 1))
            return self.laid_out(self.rng.randint(low, high, max(rows, 0)).astype(self.one_of(["i8", "i4", "u1", "i8"])))
        if net.loss != "squared_error" and self.chance(0.9):
            return self.laid_out(np.eye(n_out)[self.rng.randint(0, n_out, max(rows, 0))].astype(net.dtype))
        return self.array((max(rows, 0), n_out), self.one_of(DTYPES) if self.chance(0.2) else net.dtype.str)

    def call(self, nets):
        """A method's name and its arguments, as functions of the network, where they may be parts of it."""
        net = nets[0]
        x = self.x(net)
        y = self.y(net, x)
        method = self.one_of(["forward", "forward", "forward out", "activations", "gradients", "train_step", "train_step",
                              "fit", "predict", "evaluate"])  # fmt: skip
        rate = self.one_of([0.1, 0.5, 0, 1e-30, np.float64(0.25), -1, np.nan, np.inf, 1e39, "0.1", None, 3])
        rate = 0.1 if self.chance(0.7) else rate
        if self.chance(0.05):  # an input that is a part of the parameters
            n_in = net.layer_sizes[0]
            rows = net.n_parameters // n_in
            x, y = "parameters", self.rng.randint(0, net.layer_sizes[-1], rows)
        out = self.rng.randint(6)
        options = {"epochs": self.one_of([0, 1, 2, -1, 1.5]), "batch_size": self.one_of([1, 2, 3, 8, 100, 0, "4"]),
                   "learning_rate": rate, "shuffle": self.chance(0.5), "verbose": 0}  # fmt: skip
        if self.chance(0.7):
            options.update(epochs=2, batch_size=int(self.rng.randint(1, 9)))

        def run(net):
            given = x
            if isinstance(x, str):
                rows = net.n_parameters // net.layer_sizes[0]
                given = net.parameters[: rows * net.layer_sizes[0]].reshape(rows, -1)
            if method == "forward out":
                return net.forward(given, out=self.out(net, given, out))
            if method in ("forward", "activations", "predict"):
                return getattr(net, method)(given)
            if method == "train_step":
                return net.train_step(given, y, rate)
            if method == "fit":
                history = net.fit(given, y, **options)
                return history.loss, history.accuracy
            return getattr(net, method)(given, y)

        return method, run

    @staticmethod
    def out(net, x, way):
        shape = (len(x) if np.ndim(x) > 1 else 1, net.layer_sizes[-1])
        if way == 0:
            return np.zeros(shape, net.dtype)[::-1]
        if way == 1:
            return net.parameters[: net.layer_sizes[-1]].reshape(1, -1)
        if way == 2:
            return x
        if way == 3:
            return np.zeros(shape, "f8" if net.dtype == "f4" else "f4")
        return np.zeros(shape[1:] if np.ndim(x) == 1 else shape, net.dtype)


def outcome(run, net):
    """What a call gives, as bytes, or the exception that it raises; and the parameters after it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = as_bytes(run(net))
        except ERRORS as error:
            result = f"{type(error).__name__}: {error}"
    return result, as_bytes(net.parameters)


def as_bytes(result):
    if isinstance(result, np.ndarray):
        if result.dtype.kind == "f":
            result = np.where(np.isnan(result), np.array(np.nan, result.dtype), result)  # payloads are not promised
        return result.shape, result.dtype.str, result.tobytes()
    if hasattr(result, "_asdict"):
        result = tuple(result)
    if isinstance(result, (tuple, list)):
        return [as_bytes(part) for part in result]
    return None if result is None else as_bytes(np.array(result, np.float64))


def fuzz_calls(seed, count, backend):
    """Random calls, several on each network; the shares of those that gave a result, of each method."""
    fuzzer = Fuzzer(seed, backend)
    done = 0
    good = 0
    while done < count:
        nets = fuzzer.networks()
        for _ in range(20):
            method, run = fuzzer.call(nets)
            got, expected = (outcome(run, net) for net in nets)
            if got != expected:
                pytest.fail(f"seed {seed}, call {done}: {method} gave {got!s:.500}, expected {expected!s:.500}")
            good += not isinstance(expected[0], str)
            done += 1
    assert good > count / 4  # most of the rest are refused, as they should be
    return good


@pytest.fixture(params=[pytest.param("compiled", marks=needs_kernels), "numba"])
def backend(request):
    if request.param == "numba":
        pytest.importorskip("numba")
    return request.param


def test_random_calls(backend):
    fuzz_calls(0, 3000, backend)


@needs_kernels
def test_kinds_of_data_take_turns_on_one_network():
    """Shuffled numbers, pixels and rows in order share a workspace; the pixels' once ran past its end."""
    rng = np.random.RandomState(0)
    pixels, y = rng.randint(0, 256, (200, 2000)).astype(np.uint8), rng.randint(0, 3, 200)
    nets = [
        MLP([2000, 3, 3], seed=0, backend=backend, input_scale=255, task="classes") for backend in ("compiled", "reference")
    ]
    for x, shuffle in [(pixels / 1.0, True), (pixels, True), (pixels, False), (pixels / 1.0, False), (pixels, True)]:
        for net in nets:
            net.fit(x, y, epochs=1, batch_size=100, shuffle=shuffle, verbose=0)
        assert nets[0].hash() == nets[1].hash()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_random_calls(seed, backend):
    fuzz_calls(seed, 100_000, backend)


def mutated(rng, content):
    """The bytes with some of them changed, cut, repeated, or overwritten by a number at the ends of its range."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at, way = rng.randint(len(content) + 1), rng.randint(6)
        length = rng.randint(1, 9)
        if way == 0:
            del content[at:]
        elif way == 1:
            del content[at : at + length]
        elif way == 2:
            content[at:at] = content[at : at + 5 * length]
        elif way == 3:
            content[at : at + length] = rng.bytes(length)
        elif way == 4:
            number = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)[rng.randint(7)]
            content[at : at + 4] = struct.pack("<I" if rng.randint(2) else ">I", number)
        elif at < len(content):
            content[at] ^= 1 << rng.randint(8)
        if not content:
            break
    return bytes(content)


def fuzz_files(seed, count, folder):
    rng = np.random.RandomState(seed)
    net = MLP([6, 5, 4], seed=1, backend="reference")
    net.save(folder / "net.npz")
    array = rng.randint(0, 256, (3, 5, 7)).astype(np.uint8)
    idx = b"\0\0\x08\x03" + struct.pack(">3I", *array.shape) + array.tobytes()
    buffer = io.BytesIO()
    import gzip

    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream:
        stream.write(idx)
    sound = [((folder / "net.npz").read_bytes(), lambda path: MLP.load(path, backend="reference")),
             (idx, load_idx), (buffer.getvalue(), load_idx)]  # fmt: skip
    path = folder / "mutated"
    refused = 0
    tracemalloc.start()
    try:
        for i in range(count):
            content, load = sound[i % 3]
            content = mutated(rng, content)
            path.write_bytes(content)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                load(path)
            except ValueError:
                refused += 1
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 3_000_000 + 2000 * len(content), f"seed {seed}, file {i}: {peak} bytes for {len(content)}"
    finally:
        tracemalloc.stop()
    assert refused > count / 2


def test_mutated_files(tmp_path):
    fuzz_files(0, 600, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_mutated_files(seed, tmp_path):
    fuzz_files(seed, 10_000, tmp_path)
