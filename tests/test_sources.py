"""Data that is read as training goes: the bits of arrays in memory, errors as themselves, and no thread that stays."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from conftest import run_program

from fastmlp import MLP, Adam, Callback, schedules
from fastmlp.random_streams import shuffled_blocks
from fastmlp.training import loop, sources

X = np.random.RandomState(0).standard_normal((103, 6)).astype(np.float32)
Y = np.random.RandomState(1).randint(0, 4, 103)
W = np.random.RandomState(2).randint(0, 3, 103)


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = threading.active_count()
    yield
    assert threading.active_count() <= before + ("numba" in str(threading.enumerate()))


def network(backend="reference", **options):
    return MLP([6, 5, 4], "relu", loss="cross_entropy", seed=1, backend=backend, **options)


def batches(*arrays, size=10):
    return [tuple(a[start : start + size] for a in arrays) for start in range(0, len(arrays[0]), size)]


def in_order(backend="reference", epochs=2, **options):
    net = network(backend)
    return net, net.fit(X, Y, epochs, 10, shuffle=False, verbose=0, **options)


class Loader:
    """What torch.utils.data.DataLoader is to fit: it has a length, and gives lists of tensors anew each time."""

    def __init__(self, *arrays):
        self.batches = batches(*arrays)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return ([Tensor(part) for part in batch] for batch in self.batches)


class Tensor:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


class Anew:
    """An iterable that makes a new generator each time, and has no length."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return self.make()


SOURCES = {
    "list": lambda: (batches(X, Y),),
    "loader": lambda: (Loader(X, Y),),
    "anew": lambda: (Anew(lambda: iter(batches(X, Y))),),
    "images": lambda: (batches(X.reshape(103, 1, 2, 3).astype(float), Y.astype(np.uint8)),),
    "lists": lambda: ([(x.tolist(), y.tolist()) for x, y in batches(X, Y)],),
    "pairs": lambda: (Anew(lambda: (x for x, _ in batches(X, Y))), [y for _, y in batches(X, Y)]),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_the_same_batches_give_the_same_bits(backend, make):
    whole, expected = in_order(backend, optimizer=Adam(average=0.9, l2=1e-3), dropout=0.2)
    net = network(backend)
    history = net.fit(*make(), epochs=2, verbose=0, optimizer=Adam(average=0.9, l2=1e-3), dropout=0.2)
    assert net.hash() == whole.hash() and history.loss == expected.loss and history.accuracy == expected.accuracy
    assert history.penalty == expected.penalty and net.state.step == whole.state.step


def test_weights_come_with_the_batches():
    options = {"class_weight": {1: 2.0}, "weight_mean": "rows", "label_smoothing": 0.1}
    whole, expected = in_order(sample_weight=W, **options)
    net = network()
    assert net.fit(batches(X, Y, W), epochs=2, verbose=0, **options).loss == expected.loss
    assert net.hash() == whole.hash()


def test_generators_are_divided_into_epochs():
    def endless():
        while True:
            yield from batches(X, Y)

    whole, expected = in_order(learning_rate=schedules.Cosine(0.1, epochs=2))
    for make in (endless, lambda: iter(batches(X, Y) * 2), lambda: batches(X, Y), lambda: batches(X, Y) * 2):
        net = network()
        history = net.fit(make(), epochs=2, steps_per_epoch=11, verbose=0, learning_rate=schedules.Cosine(0.1, epochs=2))
        assert net.hash() == whole.hash() and history.loss == expected.loss
    taken = iter(batches(X, Y) * 3)
    net.fit(taken, epochs=2, steps_per_epoch=11, verbose=0)
    assert len(list(taken)) == 11  # no further than they were asked for
    short, expected = network(), network()
    short.fit(batches(X, Y), epochs=3, steps_per_epoch=5, verbose=0)
    for x, y in (batches(X, Y) * 2)[:15]:
        expected.train_step(x, y)
    assert short.hash() == expected.hash()


def test_torch_loaders():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    whole, expected = in_order()
    net = network()
    assert net.fit(torch.utils.data.DataLoader(data, batch_size=10), epochs=2, verbose=0).loss == expected.loss
    assert net.hash() == whole.hash()
    shuffled = torch.utils.data.DataLoader(data, batch_size=10, shuffle=True, num_workers=2)
    assert network().fit(shuffled, epochs=2, verbose=0).epochs == 2


def test_a_source_may_fill_one_array_again_and_again():
    def reused():
        x, y = np.empty((10, 6), np.float32), np.empty(10, np.int64)
        for a, b in batches(X, Y):
            x[: len(a)], y[: len(b)] = a, b
            yield x[: len(a)], y[: len(b)]

    whole, _ = in_order(epochs=1)
    net = network()
    net.fit(Anew(reused), epochs=1, verbose=0, callbacks=[Slow()])
    assert net.hash() == whole.hash()


class Slow(Callback):
    """Lets the reading go as far ahead as it can."""

    def on_rows_end(self, rows):
        time.sleep(0.002)


@pytest.mark.parametrize("gathered", [0, 1e9])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_of_any_sizes_are_steps(backend, monkeypatch, gathered, weighted):
    """However many of them are gathered to a chunk."""
    monkeypatch.setattr(sources, "GATHERED", gathered)
    net, by_hand, bounds = network(backend), network(backend), [0, 3, 6, 8, 8 + 3, 20, 30, 31, 32, 33, 103]
    parts = [slice(*pair) for pair in zip(bounds, bounds[1:])]
    given = [(X[part], Y[part], W[part])[: 2 + weighted] for part in parts]
    history = net.fit(given, epochs=1, verbose=0)
    for part in parts:
        by_hand.train_step(X[part], Y[part], 0.1, sample_weight=W[part] if weighted else None)
    assert net.hash() == by_hand.hash() and net.state.step == 10 and history.epochs == 1


# Errors.


def failing(after, error):
    yield from batches(X, Y)[:after]
    raise error


@pytest.mark.parametrize("error", [ZeroDivisionError("of the source"), SystemExit(3), OSError("disk")])
def test_an_error_of_the_source_comes_out_as_itself(backend, error):
    net, expected = network(backend), network(backend)
    with pytest.raises(type(error)) as caught:
        net.fit(Anew(lambda: failing(7, error)), epochs=2, verbose=0)
    assert caught.value is error and net._turn.free
    for x, y in batches(X, Y)[:7]:
        expected.train_step(x, y)
    assert net.hash() == expected.hash() and net.history.interrupted_rows == 70 and net.state.step == 7
    net.fit(X, Y, epochs=1, verbose=0)


@pytest.mark.parametrize(
    "data, options, error, words",
    [
        ((X,), {}, TypeError, r"without y, x must be an iterable of batches \(x, y\), not an array"),
        ((None,), {}, TypeError, "without y, x must be an iterable"),
        (([X],), {}, TypeError, "batch 0 must be"),
        (([(X, Y, W, W)],), {}, TypeError, r"batch 0 must be \(x, y\) or \(x, y, sample_weight\)"),
        (([(X, Y), (X[:, :5], Y)],), {}, ValueError, r"batch 1: x must have shape \(rows, 6\)"),
        (([(X, Y), (X, Y + 1)],), {}, ValueError, "batch 1: y must be labels from 0 to 3"),
        (([(X * np.inf, Y)],), {}, ValueError, "batch 0: x must be finite"),
        (([(X, Y), (X, Y, W)],), {}, ValueError, "batch 1 has a sample_weight, unlike those before it"),
        (([(X, Y, W), (X, Y)],), {}, ValueError, "batch 1 has no sample_weight"),
        (([],), {}, ValueError, "no batches came in epoch 1"),
        ((iter(batches(X, Y)),), {}, ValueError, "no batches came in epoch 2: a generator gives its batches once"),
        ((iter(batches(X, Y)),), {"steps_per_epoch": 10}, ValueError, "came to an end before the last of steps_per_epoch"),
        (([],), {"steps_per_epoch": 10}, ValueError, "came to an end before"),
        ((batches(X, Y),), {"steps_per_epoch": 0}, ValueError, "steps_per_epoch must be an integer of at least 1"),
        ((iter([X]), Y), {}, TypeError, "y must be an iterable of batches, too"),
        ((iter([X, X]), [Y]), {}, ValueError, "y has fewer batches than x"),
        ((iter([X]), [Y, Y]), {}, ValueError, "x has fewer batches than y"),
        ((batches(X, Y),), {"sample_weight": W}, ValueError, "sample_weight comes with the batches"),
        ((batches(X, Y),), {"class_weight": "balanced"}, ValueError, "needs arrays in memory"),
        ((batches(X, Y),), {"validation_split": 0.1}, ValueError, "validation_split needs arrays in memory"),
        ((batches(X, Y),), {"metrics": ["f1"]}, ValueError, "metrics of training data need arrays in memory"),
        ((iter(batches(X, Y)),), {"learning_rate": schedules.Cosine(0.1, epochs=2)}, ValueError, "needs steps_per_epoch"),
        ((iter(batches(X, Y)),), {"learning_rate": schedules.Exponential(0.1, 0.9, per="epoch")}, ValueError, "steps_per_epoch"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(data, options, error, words):
    net = network()
    with pytest.raises(error, match=words):
        net.fit(*data, epochs=2, verbose=0, **options)
    assert net._turn.free


def test_ctrl_c_while_a_source_hangs():
    hangs = threading.Event()

    def hanging():
        yield from batches(X, Y)[:3]
        signal.raise_signal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else os.kill(
            os.getpid(), signal.SIGINT
        )
        hangs.wait(60)

    net, expected = network(), network()
    with pytest.raises(KeyboardInterrupt):
        net.fit(Anew(hanging), epochs=1, verbose=0)
    hangs.set()
    for x, y in batches(X, Y)[: net.state.step]:
        expected.train_step(x, y)
    assert net.hash() == expected.hash() and net.state.step <= 3
    for thread in threading.enumerate():
        if thread.name == "fastmlp reads ahead":
            thread.join()


def test_what_is_shown_needs_no_length(capsys):
    network().fit(iter(batches(X, Y)), epochs=1, verbose=2)
    assert capsys.readouterr().out.startswith("epoch 1/1  loss")


# Memory-mapped arrays.


@pytest.fixture
def mapped(tmp_path):
    def make(array, name="x"):
        copy = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
        copy[...] = array
        copy.flush()
        return np.memmap(tmp_path / name, array.dtype, "r", shape=array.shape)

    return make


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(sources, "NUMBERS_OF_BLOCK", 7 * 6)  # 15 blocks of 7 rows
    monkeypatch.setattr(sources, "BLOCKS", 4)


@pytest.mark.parametrize("size", [1, 10, 64, 1000])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1"])
def test_mapped_rows_in_their_order_give_the_bits_of_arrays(mapped, small_blocks, backend, size, dtype):
    x = (X * 50).astype(dtype)
    whole, net = (network(backend, input_scale=10) for _ in range(2))
    expected = whole.fit(x, Y, 2, size, shuffle=False, verbose=0, sample_weight=W)
    assert net.fit(mapped(x), Y, 2, size, shuffle=False, verbose=0, sample_weight=W).loss == expected.loss
    assert net.hash() == whole.hash()


@pytest.mark.parametrize("size", [1, 10, 64, 1000])
def test_mapped_rows_are_shuffled_in_blocks(mapped, monkeypatch, backend, size):
    monkeypatch.setattr(sources, "NUMBERS_OF_BLOCK", 2 * 6)  # 52 blocks of 2 rows, in groups of 16
    net, by_hand = network(backend), network(backend)
    net.fit(mapped(X), mapped(np.eye(4)[Y], "y"), 2, size, verbose=0)
    for epoch in range(2):
        order = []
        for bounds, rows in shuffled_blocks(103, 2, 1, epoch):
            order.append(np.concatenate([np.arange(*bound) for bound in bounds])[rows])
        order = np.concatenate(order)
        assert sorted(order) == list(range(103)) and not (order == np.arange(103)).all()
        for start in range(0, 103, size):
            rows = order[start : start + size]
            by_hand.train_step(X[rows], Y[rows], 0.1)
    assert net.hash() == by_hand.hash()


def test_mapped_rows_that_do_not_hold(mapped, small_blocks):
    bad = X.copy()
    bad[40, 2] = np.nan
    net = network()
    with pytest.raises(ValueError, match=r"rows 28 to 56: x must be finite, but row 12, column 2 is nan"):
        net.fit(mapped(bad), Y, 1, 10, shuffle=False, verbose=0)
    assert net.state.step == 2 and net._turn.free
    with pytest.raises(ValueError, match="steps_per_epoch is not for memory-mapped arrays"):
        net.fit(mapped(X), Y, verbose=0, steps_per_epoch=3)
    for wrong in (Y[:50], 3):
        with pytest.raises(ValueError, match="y must have one entry for each of the 103 rows of x"):
            net.fit(mapped(X), wrong, verbose=0)
    with pytest.raises(ValueError, match="sample_weight must have one entry"):
        net.fit(mapped(X), Y, verbose=0, sample_weight=W[:3])
    with pytest.raises(ValueError, match="x must have shape"):
        network().fit(mapped(X[:, :5]), Y, verbose=0)
    assert network().fit(mapped(X[0]), 1, epochs=1, verbose=0).epochs == 1  # one row, which needs no file


@pytest.mark.parametrize("kind", ["mapped", "in order", "batches", "endless"])
@pytest.mark.parametrize("slices", [3, 11, 12, 27])
def test_a_killed_training_goes_on(mapped, tmp_path, monkeypatch, small_blocks, kind, slices):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)  # one batch a slice

    class Kill(Callback):
        def __init__(self, left=0):
            self.left = left

        def on_rows_end(self, rows):
            self.left -= 1
            if not self.left:
                raise ZeroDivisionError

    def fit(net, **options):
        data = (mapped(X), Y) if kind in ("mapped", "in order") else (iter(batches(X, Y) * 9),) if kind == "endless" else (
            batches(X, Y),)  # fmt: skip
        steps = 11 if kind == "endless" else None
        return net.fit(*data, epochs=3, batch_size=10, shuffle=kind == "mapped", verbose=0, steps_per_epoch=steps, **options)

    whole, killed, again = network(), network(), network()
    expected = fit(whole)
    options = {"checkpoint": tmp_path / "c.npz", "checkpoint_every": 2}
    with pytest.raises(ZeroDivisionError):
        fit(killed, callbacks=[Kill(slices)], **options)
    history = fit(again, callbacks=[Kill()], resume=True, **options)
    assert again.hash() == whole.hash() and history.loss == expected.loss and history.accuracy == expected.accuracy


MADE_OF_A_MAP = {
    "astype": lambda x: x.astype("f4"),
    "copy": np.memmap.copy,
    "like": lambda x: np.positive(x, out=np.empty_like(x)),
}


@pytest.mark.parametrize("made", MADE_OF_A_MAP.values(), ids=MADE_OF_A_MAP)
def test_what_lies_in_memory_is_no_file(mapped, made):
    x, plain, net = made(mapped(X.astype(np.float64))), network(), network()
    assert isinstance(x, np.memmap)
    for one, data in ((plain, np.array(x)), (net, x)):
        one.fit(data, Y, epochs=2, batch_size=10, verbose=0, validation_split=0.2)
    assert net.hash() == plain.hash() and net.recipe.fits[0].data == plain.recipe.fits[0].data
    with pytest.raises(ValueError, match="validation_split needs arrays in memory"):
        net.fit(mapped(X)[3:], Y[3:], verbose=0, validation_split=0.2)  # a part of a file is one


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads memory from /proc")
def test_memory_does_not_grow_with_the_data(tmp_path):
    """40 and 160 MB of rows, in float64: what the process holds of its own is the same."""
    run = run_program(f"""
        import re
        import numpy as np
        from fastmlp import MLP
        from fastmlp.training import callbacks, sources

        sources.NUMBERS_OF_BLOCK = 2**14

        class Memory(callbacks.Callback):
            most = 0

            def on_rows_end(self, rows):
                self.most = max(self.most, int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]))

        most = []
        for rows in (5_000, 5_000, 20_000):
            path = {str(tmp_path)!r} + "/x"
            x = np.memmap(path, "f8", "w+", shape=(rows, 1000))
            memory, net = Memory(), MLP([1000, 4], loss="cross_entropy", seed=0, input_scale=255, n_threads=1)
            x[:, 0] = np.arange(rows) % 255
            net.fit(x, np.zeros(rows, np.uint8), epochs=2, batch_size=100, verbose=0, callbacks=[memory])
            most.append(memory.most)
        assert most[2] < most[1] + 15_000, most  # kilobytes
    """)
    assert run.returncode == 0, run.stderr
