"""fit: the same bits however it is cut up, what it records and prints, and how Ctrl-C ends it."""

import io
import signal
import sys
import threading
import warnings
from functools import cache

import numpy as np
import pytest
from conftest import InterruptingEngine

from fastmlp import MLP, Adam, reference, schedules
from fastmlp.random_streams import shuffled_rows
from fastmlp.reference import Samples
from fastmlp.schedules import InverseScaling
from fastmlp.training import loop
from fastmlp.training.sources import Chunk
from fastmlp.training.sums import ordered_mean


def network(backend="reference", **options):
    return MLP([6, 5, 4], output_activation="sigmoid", seed=1, backend=backend, **options)


@pytest.fixture
def data():
    random = np.random.RandomState(0)
    return random.random_sample((50, 6)).astype(np.float32), random.randint(0, 4, 50)


def test_fit_takes_the_steps_that_its_definition_says(backend, data):
    x, y = data
    net, by_hand = network(backend), network(backend)
    history = net.fit(x, y, epochs=2, batch_size=8, learning_rate=0.5, verbose=0)
    for epoch in range(2):
        order = shuffled_rows(50, 1, epoch)
        losses, correct = [], 0
        for start in range(0, 50, 8):
            rows = order[start : start + 8]
            for row in rows:
                evaluation = by_hand.evaluate(x[row][None], y[row][None])
                losses.append(evaluation.loss)
                correct += evaluation.n_correct
            by_hand.train_step(x[rows], y[rows], 0.5)
        assert history.loss[epoch] == reference.ordered_sum(np.array(losses)) / 50
        assert history.accuracy[epoch] == correct / 50
    assert net.hash() == by_hand.hash()
    assert net.epochs_trained == history.epochs == 2


def test_train_step_subtracts_the_gradient_and_returns_the_loss_before(backend, data):
    net = network(backend)
    loss, gradients = net.gradients(*data)
    expected = net.parameters - np.float32(3.0) * gradients.parameters
    assert net.train_step(*data, learning_rate=3.0) == loss
    assert net.parameters.tobytes() == expected.tobytes()


@pytest.mark.parametrize("loss, targets", [("squared_error", "labels"), ("cross_entropy", "labels"),
                                           ("squared_error", "numbers")])  # fmt: skip
def test_steps_that_go_straight_through_are_the_same_steps(backend, data, loss, targets):
    x, y = data
    y = y if targets == "labels" else np.random.RandomState(1).random_sample((50, 4)).astype(np.float32)
    task = "classes" if targets == "labels" else "numbers"
    quick, checked = (MLP([6, 5, 4], loss=loss, task=task, seed=1, backend=backend) for _ in range(2))
    quick.state.step = checked.state.step = 1
    assert quick._engine.takes_samples(x, y)
    assert quick.train_step(x, y, 0.5) == checked.train_step(x.tolist(), y.tolist(), 0.5)
    assert quick.hash() == checked.hash() and quick.state.step == checked.state.step == 2


def test_what_needs_a_check_does_not_go_straight_through(backend, data):
    x, y = data
    net = MLP([6, 5, 4], seed=1, backend=backend)
    of_parameters = net.parameters[:30].reshape(5, 6)
    bad = x.copy()
    bad[49, 5] = np.inf
    assert net._engine.takes(x) and net._engine.takes(bad) and net._engine.takes_samples(x, y)
    for inputs in (x.astype(float), x[:, ::-1], x[0], x[:, :5], x[:0], x.tolist(), x.astype(">f4"), None):
        assert not net._engine.takes(inputs) and not net._engine.takes_samples(inputs, y)
    for samples in (
        (of_parameters, y[:5]), (x, y[:49]), (x, y.astype(np.int32)), (x, y - 1), (x, y + 1), (x, bad[:, 2:]),
        (x, bad[:, 2:].copy()), (x, None), (x, y[:, None]), (x, y.tolist()),
    ):  # fmt: skip
        assert not net._engine.takes_samples(*samples)
    probabilities = MLP([6, 5, 4], loss="cross_entropy", seed=1, backend=backend)
    assert not probabilities._engine.takes_samples(x, np.eye(4, dtype=np.float32)[y])
    assert not MLP([6, 5, 1], seed=1, backend=backend)._engine.takes_samples(x, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sizes, rows, threads", [((6, 5, 4), 50, 1), ((6, 5, 4), 7000, 2), ((6, 300, 4), 50, 2)])
@pytest.mark.parametrize("zero_weights", [False, True])
def test_a_step_on_inputs_that_are_not_finite_changes_nothing(backend, sizes, rows, threads, bad, zero_weights):
    net = MLP(sizes, "relu", task="classes", seed=1, backend=backend, n_threads=threads)
    rng = np.random.RandomState(0)
    x, y = rng.random_sample((rows, 6)).astype(np.float32), rng.randint(0, 4, rows)
    net.train_step(x, y)
    if zero_weights:
        net.weights[0][...] = 0
    before, x[rows // 2, 5] = net.hash(), bad
    assert net._engine.takes_samples(x, y) and net._engine.train(Samples(x, y), net._plain_update(0.1)) is None
    with pytest.raises(ValueError, match="x must be finite"):
        net.train_step(x, y)
    assert net.hash() == before and net.state.step == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("sizes, rows, threads", [((6, 5, 4), 50, 1), ((6, 300, 4), 1000, 2)])
def test_a_fit_on_inputs_that_are_not_finite_changes_nothing(backend, sizes, rows, threads, bad):
    net = MLP(sizes, "relu", task="classes", seed=1, backend=backend, n_threads=threads)
    rng = np.random.RandomState(0)
    x, y = rng.random_sample((rows, 6)).astype(np.float32), rng.randint(0, 4, rows)
    net.fit(x[:50], y[:50], epochs=1, batch_size=7, optimizer="adam", verbose=0)
    before, x[rows // 2, 5] = (net.hash(), net.state.step, net.history.epochs), bad
    with pytest.raises(ValueError, match=f"x must be finite, but row {rows // 2}, column 5 is {bad}"):
        net.fit(x, y, epochs=1, batch_size=7, optimizer="adam", verbose=0)
    assert (net.hash(), net.state.step, net.history.epochs) == before
    net.fit(x[:25], y[:25], epochs=1, batch_size=7, optimizer="adam", verbose=0)


@pytest.mark.parametrize("sizes, rows, threads", [((6, 5, 4), 50, 1), ((6, 300, 4), 300, 2)])
@pytest.mark.parametrize("when", [0, 2])
def test_sums_that_overflow_are_trained_with(backend, sizes, rows, threads, when):
    """A sigmoid makes 1 of an infinite sum: the steps from there on are those of the reference."""
    assert overflowing(backend, sizes, rows, threads, when) == overflowing("reference", sizes, rows, threads, when)


@cache
def overflowing(backend, sizes, rows, threads, when):
    rng = np.random.RandomState(0)
    x, y = rng.random_sample((rows, 6)).astype(np.float32), rng.randint(0, 4, rows)
    x[: 7 * when] = 0
    net = MLP(sizes, task="classes", seed=1, backend=backend, n_threads=threads)
    net.weights[0][:, 1] = 3e38
    optimizer = Adam(learning_rate=InverseScaling(0.01), l2=0.01)
    history = net.fit(x, y, epochs=1, batch_size=7, optimizer=optimizer, shuffle=False, dropout=0.2, verbose=0)
    assert np.isfinite(net.parameters).all()
    return net.hash(), history.loss, history.penalty


@pytest.mark.parametrize("weight", [np.nan, 3e38])
def test_a_step_with_weights_that_are_not_finite_is_taken(backend, data, weight):
    """The inputs are not to blame, although the sums are not finite."""
    nets = [MLP([6, 5, 4], "relu", task="classes", seed=1, backend=name) for name in (backend, "reference")]
    for net in nets:
        net.train_step(*data)
        net.weights[0][...] = weight
        with pytest.warns(RuntimeWarning, match="step 2"):
            net.train_step(*data)
        assert net.state.step == 2
    assert np.array_equal(*(np.isnan(net.parameters) for net in nets))


def test_learning_rates_of_steps(backend, data):
    net, other = network(backend), network(backend)
    for rate in (0.1, 0.1, 0.2, 0, np.float32(0.5), 1e-39):
        assert net.train_step(*data, rate) == other.train_step(data[0].tolist(), data[1], rate)
    assert net.hash() == other.hash()
    before = net.hash()
    for wrong in (-0.1, np.nan, np.inf, 1e39):
        with pytest.raises(ValueError, match="learning_rate"):
            net.train_step(*data, wrong)
    with pytest.raises(TypeError, match="learning_rate"):
        net.train_step(*data, "0.1")
    assert net.hash() == before


def test_nothing_stays_behind_where_a_step_is_interrupted(backend, data):
    """Whatever raises within it, the network can be trained on, and counts the steps that it took."""
    net, twin = network(backend), network(backend)
    net.train_step(*data, 0.1)
    engine = net._engine

    class Failing:
        def __getattr__(self, name):
            return getattr(engine, name)

        def train(self, *arguments):
            engine.train(*arguments)
            raise KeyboardInterrupt

    net._engine = Failing()
    for train in (lambda: net.train_step(*data, 0.1), lambda: net.fit(*data, epochs=1, batch_size=50, verbose=0)):
        with pytest.raises(KeyboardInterrupt):
            train()
    net._engine = engine
    net.train_step(*data, 0.1)
    twin.train_step(*data, 0.1)


def test_epochs_count_over_several_fits(backend, data):
    whole, parts = network(backend), network(backend)
    losses = whole.fit(*data, epochs=5, batch_size=7, verbose=0).loss
    first = parts.fit(*data, epochs=2, batch_size=7, verbose=0)
    second = parts.fit(*data, epochs=3, batch_size=7, verbose=0)
    assert whole.hash() == parts.hash()
    assert losses == first.loss + second.loss
    assert parts.history.loss == losses and parts.epochs_trained == 5


def test_the_length_of_slices_changes_no_bit(backend, data, monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)
    short = network(backend)
    short_losses = short.fit(*data, epochs=2, batch_size=3, verbose=0).loss
    monkeypatch.setattr(loop, "SLICE_SECONDS", 1e9)
    long = network(backend)
    assert long.fit(*data, epochs=2, batch_size=3, verbose=0).loss == short_losses
    assert long.hash() == short.hash()


def test_slices_are_whole_batches_that_cover_every_row(monkeypatch):
    for seconds in (0, 1e-6, 1e9):
        monkeypatch.setattr(loop, "SLICE_SECONDS", seconds)
        chunk = Chunk(Samples(np.zeros((1001, 2)), np.zeros((1001, 1))), 8)
        bounds = [(start, stop) for _, start, stop, _ in loop.Slices().of([chunk], "numbers")]
        assert [start for start, _ in bounds] == [0] + [stop for _, stop in bounds[:-1]]
        assert bounds[-1][1] == 1001 and all(start % 8 == 0 for start, _ in bounds)


def test_a_batch_above_the_number_of_rows_is_one_batch(backend, data):
    one, larger = network(backend), network(backend)
    one.fit(*data, epochs=1, batch_size=50, verbose=0)
    larger.fit(*data, epochs=1, batch_size=10**30, verbose=0)
    assert one.hash() == larger.hash()


def test_without_shuffling_rows_come_in_their_order(backend, data):
    net, by_hand = network(backend), network(backend)
    net.fit(*data, epochs=1, batch_size=20, shuffle=False, verbose=0)
    for start in (0, 20, 40):
        by_hand.train_step(data[0][start : start + 20], data[1][start : start + 20], 0.1)
    assert net.hash() == by_hand.hash()


def test_no_epochs_leave_the_network_alone(data):
    net = network()
    before = net.hash()
    assert net.fit(*data, epochs=0).epochs == 0
    assert (net.hash(), net.epochs_trained, net.state.step) == (before, 0, 0)


def test_history_with_validation(backend, data):
    net = network(backend)
    history = net.fit(*data, epochs=2, validation_data=data, verbose=0)
    evaluation = net.evaluate(*data)
    assert history["val_loss"][-1] == evaluation.loss and history["val_accuracy"][-1] == evaluation.accuracy
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert all(len(values) == 2 for values in dict(history).values())
    assert history.label_accuracy == history.penalty == []
    assert history.interrupted_rows is None
    with pytest.raises(KeyError):
        history["nothing"]


def test_history_without_classes(data):
    history = network(task="numbers").fit(data[0], np.full((50, 4), 0.25), epochs=1, verbose=0)
    assert history.accuracy == history.val_loss == history.val_accuracy == []


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_and_targets_of_any_layout_train_alike(backend, data, shuffle):
    def trained(x, y):
        net = network(backend)
        net.fit(x, y, epochs=1, batch_size=7, shuffle=shuffle, verbose=0)
        return net.hash()

    x, y = data
    expected = trained(x, y)
    wide = np.concatenate([x, x], axis=1)
    for same_x in (wide[:, 6:], x[::-1].copy()[::-1], np.asfortranarray(x), x.reshape(50, 3, 2), x.astype(float)):
        assert trained(same_x, y) == expected
    labels = y.astype(np.int64)
    unaligned = np.frombuffer(b"?" + labels.tobytes(), np.int64, offset=1)
    one_hot = np.eye(4, dtype=np.float32)[y]
    for same_y in (labels[::-1].copy()[::-1], np.repeat(labels, 2)[::2], unaligned, y.astype(np.uint8), one_hot,
                   np.asfortranarray(one_hot), one_hot[::-1].copy()[::-1]):  # fmt: skip
        assert trained(x, same_y) == expected
    one_row = np.broadcast_to(x[0], x.shape)
    assert trained(one_row, y) == trained(one_row.copy(), y)


def test_training_on_its_own_weights_sees_them_as_they_were(backend):
    net, twin = (MLP([5, 5], seed=0, backend=backend) for _ in range(2))
    copied = twin.weights[0].copy()
    net.fit(net.weights[0], net.weights[0], epochs=2, batch_size=1, verbose=0)
    twin.fit(copied, copied, epochs=2, batch_size=1, verbose=0)
    assert net.hash() == twin.hash()


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 511, 512, 5000])
def test_the_mean_loss_has_the_bits_of_the_ordered_sum(rows):
    losses = np.random.RandomState(rows).random_sample(rows) * 10.0 ** np.arange(rows).__mod__(7)
    assert ordered_mean(losses) == float(reference.ordered_sum(losses)) / rows
    losses[rows // 2] = np.inf
    assert ordered_mean(losses) == np.inf


class Terminal:
    """A stream that says it is a terminal and keeps what is written."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("verbose, lines", [(0, 0), (1, 0), (2, 3)])
def test_lines_off_the_terminal(data, capsys, verbose, lines):
    network().fit(*data, epochs=3, verbose=verbose)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == lines and captured.err == ""


@pytest.mark.parametrize("verbose, lines", [(0, 0), (1, 3), (True, 3), (False, 0)])
def test_lines_on_a_terminal(data, monkeypatch, verbose, lines):
    monkeypatch.setattr(sys, "stdout", Terminal())
    network().fit(*data, epochs=3, verbose=verbose)
    assert len(sys.stdout.text.splitlines()) == lines


def test_progress_goes_to_a_terminal_on_standard_error(data, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    network().fit(*data, epochs=1, verbose=1)
    assert "epoch 1/1" in sys.stderr.text


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


class Broken(Terminal):
    """A terminal whose reader has gone."""

    def write(self, text):
        raise BrokenPipeError


STREAMS = {"none": lambda: None, "closed": closed, "broken": Broken, "without isatty": object}


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_what_is_printed_never_ends_training(data, monkeypatch, make, verbose):
    net, twin = network(), network()
    twin.fit(*data, epochs=3, verbose=0)
    monkeypatch.setattr(sys, "stdout", make())
    monkeypatch.setattr(sys, "stderr", make())
    assert net.fit(*data, epochs=3, verbose=verbose).epochs == 3 and net.hash() == twin.hash()


class Notebook:
    """IPython as its kernel has it, or as a terminal does."""

    def __init__(self, shell):
        self.get_ipython = lambda: shell


class Shell:
    kernel = None


def test_lines_in_a_notebook_without_its_bar(data, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    for shell, lines in ((Shell(), 3), (object(), 0), (None, 0)):
        monkeypatch.setitem(sys.modules, "IPython", Notebook(shell))
        network().fit(*data, epochs=3)
        assert len(capsys.readouterr().out.splitlines()) == lines


def test_the_bar_of_a_notebook(data, monkeypatch, capsys):
    """The real one, of tqdm and ipywidgets, as a cell shows it."""
    ipython, notebook = pytest.importorskip("IPython"), pytest.importorskip("tqdm.notebook")
    pytest.importorskip("ipywidgets")
    shown = []
    monkeypatch.setattr(notebook, "display", shown.append)
    monkeypatch.setattr(ipython, "get_ipython", Shell)
    history = network().fit(*data, epochs=3, initial_epoch=1)
    (container,) = shown
    values = [part.value for part in container.children]
    left, bar, right = (value.replace("\u2007", " ") if isinstance(value, str) else value for value in values)
    assert left == "epoch 3/3: 100%"
    assert bar == container.children[1].max == 100 and container.children[1].bar_style == "success"
    assert "100/100" in right and f"loss {history.loss[-1]:.6f}" in right and f"accuracy {history.accuracy[-1]:.4f}" in right
    assert capsys.readouterr().out == ""


def test_the_bar_of_a_notebook_whose_training_fails(data, monkeypatch):
    ipython, notebook = pytest.importorskip("IPython"), pytest.importorskip("tqdm.notebook")
    pytest.importorskip("ipywidgets")
    shown = []
    monkeypatch.setattr(notebook, "display", shown.append)
    monkeypatch.setattr(ipython, "get_ipython", Shell)
    net = network()
    with pytest.raises(ZeroDivisionError):
        net.fit(*data, epochs=3, metrics={"failing": lambda y, answers: 1 / 0})
    (container,) = shown
    assert container.children[1].bar_style == "danger" and net.fit(*data, epochs=1).epochs == 1 and len(shown) == 2


def test_a_history_prints_as_a_short_table(data):
    history = network().fit(*data, epochs=3, validation_data=data, verbose=0)
    lines = repr(history).splitlines()
    assert lines[0].split() == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"] and len(lines) == 4
    assert lines[3].split()[:2] == ["3", f"{history.loss[-1]:.6g}"] and len({len(line) for line in lines}) == 1
    long = network().fit(*data, epochs=95, verbose=0)
    shown = [int(line.split()[0]) for line in str(long).splitlines()[1:]]
    assert shown[0] == 1 and shown[-1] == 95 and len(shown) <= 11
    assert repr(network().fit(*data, epochs=0)) == "epoch"


def test_what_a_line_says(data, capsys):
    net = network()
    history = net.fit(*data, epochs=1, verbose=2)
    assert capsys.readouterr().out.startswith(
        f"epoch 1/1  loss {history.loss[0]:.6f}  accuracy {history.accuracy[0]:.4f}  {history.seconds[0]:.2f} s"
    )
    history = net.fit(*data, epochs=1, verbose=2, validation_data=(data[0][:9], data[1][:9]))
    evaluation = net.evaluate(data[0][:9], data[1][:9])
    assert f"  val_loss {evaluation.loss:.6f}  val_accuracy {evaluation.accuracy:.4f}  " in capsys.readouterr().out
    network(task="numbers").fit(data[0], np.full((50, 4), 0.25), epochs=1, verbose=2)
    assert "accuracy" not in capsys.readouterr().out


def test_interrupt_ends_training_after_a_slice_of_steps(backend, data, monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)  # one batch a slice
    net = network(backend)
    net._engine = InterruptingEngine(net._engine, slices=5 + 2)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=4, batch_size=10, verbose=0)
    assert net.history.epochs == net.epochs_trained == len(net.history.seconds) == len(net.history.accuracy) == 1
    assert net.history.interrupted_rows == 20
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    by_hand = network(backend)
    by_hand.fit(*data, epochs=1, batch_size=10, verbose=0)
    for rows in shuffled_rows(50, 1, 1)[:20].reshape(2, 10):
        by_hand.train_step(data[0][rows], data[1][rows], 0.1)
    assert net.hash() == by_hand.hash()
    net._engine = net._engine.engine
    assert net.fit(*data, epochs=1, verbose=0).epochs == 1  # it can go on


def test_interrupt_in_the_last_slice_completes_the_epoch(data, monkeypatch):
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0)
    net = network()
    net._engine = InterruptingEngine(net._engine, slices=5)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=4, batch_size=10, verbose=0, validation_data=data)
    assert net.history.epochs == net.epochs_trained == len(net.history.val_loss) == 1
    assert net.history.interrupted_rows is None


def test_a_handler_of_the_programs_own_stays(data):
    calls = []
    signal.signal(signal.SIGINT, lambda *_: calls.append(True))
    try:
        net = network()
        net._engine = InterruptingEngine(net._engine, slices=1)
        assert net.fit(*data, epochs=1, verbose=0).epochs == 1
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert calls == [True]


def test_fit_in_another_thread_gives_the_same_bits(backend, data):
    net, twin = network(backend), network(backend)
    worker = threading.Thread(target=net.fit, args=data, kwargs={"epochs": 2, "verbose": 0})
    worker.start()
    worker.join()
    twin.fit(*data, epochs=2, verbose=0)
    assert net.hash() == twin.hash()


def test_two_trainers_of_one_network(data):
    net = network()
    errors = []

    class Reentrant(InterruptingEngine):
        def train(self, *arguments):
            for again in (lambda: net.fit(*data, verbose=0), lambda: net.train_step(*data, 0.1)):
                try:
                    again()
                except RuntimeError as error:
                    errors.append(str(error))
            return self.engine.train(*arguments)

    net._engine = Reentrant(net._engine, 0)
    net.fit(*data, epochs=1, batch_size=50, verbose=0)
    assert len(errors) == 2 and all("trained by the fit that calls this" in error for error in errors)
    assert net.history.epochs == 1
    net._engine = net._engine.engine
    net.fit(*data, epochs=1, verbose=0)


def test_it_learns(backend):
    random = np.random.RandomState(0)
    x = random.random_sample((200, 2)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(int)
    net = MLP([2, 8, 2], "tanh", loss="cross_entropy", seed=0, backend=backend)
    history = net.fit(x, y, epochs=15, batch_size=10, learning_rate=0.5, verbose=0)
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert net.evaluate(x, y).accuracy > 0.93


def test_a_schedule_that_earlier_fits_have_used_up_is_told():
    x, y = np.eye(20, 6), np.arange(20) % 3

    def fit(net, epochs=2, **options):
        net.fit(x, y, epochs, batch_size=5, verbose=0, **options)
        return net

    def new(**options):
        return MLP([6, 5, 3], "relu", loss="cross_entropy", seed=0, backend="reference", **options)

    net = fit(new())
    before, cosine = net.hash(), schedules.Cosine(0.1, epochs=2)
    with pytest.warns(RuntimeWarning, match="rate of this fit is 0.* from step 8,.*keep_optimizer=False") as told:
        fit(net, learning_rate=cosine)
    assert net.hash() == before and len(told) == 1 and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(net, learning_rate=cosine, keep_optimizer=False)
        fit(net, learning_rate=0.0)
        fit(net, learning_rate=schedules.Cosine(0.0, epochs=2))
        fit(new(), learning_rate=cosine, epochs=9)
        fit(fit(new(), epochs=1), learning_rate=cosine)
        fit(fit(new()), learning_rate=schedules.Cosine(0.1, steps=4000, warmup=2000), epochs=1)
        fit(fit(new(), epochs=0), learning_rate=schedules.MultiStep(0.1, [1], gamma=0))
    assert net.hash() != before
