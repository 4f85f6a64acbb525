"""The page's server without a browser: what a tab is told is what the library computes, to the last bit."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastmlp

pytest.importorskip("websockets")

from page_client import Tab, request

from fastmlp.page import Page, subject
from fastmlp.page.door import Door
from fastmlp.page.room import Room
from fastmlp.random_streams import shuffled_rows


def digits_net(*hidden, **options):
    return fastmlp.MLP(
        [784, *(hidden or (6,)), 10], **{"output_activation": "sigmoid", "seed": 0, "input_scale": 255, **options}
    )


@pytest.fixture(scope="module")
def digits():
    return fastmlp.datasets.digits(300, 0) + fastmlp.datasets.digits(100, 1)


@pytest.fixture
def serve():
    """Serves a page until the test's end."""
    pages = []

    def serve(net, data=None, **options):
        options.setdefault("loader", None if data is not None else lambda: None)
        pages.append(Page(net, None if data is None else subject.as_data(data), port=0, **options))
        return pages[-1]

    yield serve
    for page in pages:
        page.close()


@pytest.fixture
def tab(serve, digits):
    with Tab(serve(digits_net(), digits)) as tab:
        tab.until(lambda known: "network" in known)
        yield tab


def untouched_hash(net, data, epochs):
    """What fit gives from this network's seed, as `fastmlp train` calls it."""
    own = fastmlp.MLP(net.layer_sizes, output_activation="sigmoid", seed=net.seed, input_scale=255)
    own.fit(*data[:2], epochs=epochs, batch_size=10, learning_rate=3.0, verbose=0)
    return own.hash()


def test_a_drawing_is_answered_with_the_activations_byte_for_byte(serve, digits):
    for dtype in ("float32", "float64"):
        page = serve(digits_net(dtype=dtype), digits)
        with Tab(page) as tab:
            for image in (digits[0][0], digits[0][1] / 255):
                answer = tab.draw(image)
                expected = np.concatenate(page.net.activations(image))
                assert answer["activations"].tobytes() == expected.tobytes()


def test_a_tab_knows_all_parameters_and_the_hash(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        known = tab.until(lambda known: "parameters" in known)
        assert known["parameters"].tobytes() == page.net.parameters.tobytes()
        assert known["status"]["hash"] == page.net.hash()
        assert known["network"]["layer_sizes"] == [784, 6, 10] and known["network"]["outputs"] == "classes"


@pytest.mark.parametrize("speed", [0, 1000])
def test_an_untouched_run_has_the_hash_of_fit(serve, digits, speed):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.order("settings", pause_after=3, steps_per_second=speed)
        tab.order("train", running=True)
        known = tab.until(lambda known: known["status"]["epoch"] == 3 and not known["status"]["running"])
        assert known["status"]["hash"] == untouched_hash(page.net, digits, 3) == page.net.hash()
        assert known["status"]["images_seen"] == 900 and known["status"]["rate"] == 0
        known = tab.until(lambda known: known["status"]["accuracy"] == page.net.evaluate(*digits[2:]).accuracy)
        assert known["confusion"].sum() == 100


def test_steps_and_pauses_do_not_change_an_untouched_run(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        for step in range(1, 8):
            tab.order("step")
            tab.until(lambda known: known["status"]["images_seen"] == 10 * step)
        tab.order("settings", pause_after=2)
        for running in (True, False, True):
            tab.order("train", running=running)
        known = tab.until(lambda known: known["status"]["epoch"] == 2 and not known["status"]["running"])
        assert known["status"]["hash"] == untouched_hash(page.net, digits, 2)


OPTIMIZERS = {
    "momentum": fastmlp.SGD(momentum=0.9),
    "adam": fastmlp.Adam(),
    "adamw": fastmlp.AdamW(),
    "rmsprop": fastmlp.RMSprop(),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_trains_as_fit_does_through_steps_pauses_and_undo(serve, digits, name):
    page = serve(digits_net(), digits)
    own = digits_net()
    own.fit(*digits[:2], epochs=2, batch_size=10, optimizer=OPTIMIZERS[name], verbose=0)
    with Tab(page) as tab:
        tab.order("settings", optimizer=name, pause_after=2)
        known = tab.until(lambda known: known["status"]["optimizer"] == name)
        assert known["status"]["learning_rate"] == known["network"]["optimizers"][name] == OPTIMIZERS[name].learning_rate
        hashes = []
        for step in range(1, 5):
            tab.order("step")
            tab.until(lambda known: known["status"]["images_seen"] == 10 * step)
            hashes.append(page.net.hash())
        for order, step in (("undo", 3), ("undo", 2), ("redo", 3), ("step", 4), ("undo", 3)):
            tab.order(order)
            tab.until(lambda known: known["status"]["images_seen"] == 10 * step)
            assert page.net.hash() == hashes[step - 1]
        tab.order("train", running=True)
        known = tab.until(lambda known: known["status"]["epoch"] == 2 and not known["status"]["running"])
        assert known["status"]["hash"] == own.hash()
        tab.order("fresh", seed=0)  # and begins anew
        tab.until(lambda known: known["status"]["images_seen"] == 0)
        tab.order("train", running=True)
        known = tab.until(lambda known: known["status"]["epoch"] == 2 and not known["status"]["running"])
        assert known["status"]["hash"] == own.hash()


def test_adamw_goes_on_with_what_adam_has_gathered_as_the_legend_says(serve, digits):
    page = serve(digits_net(), digits)
    own = digits_net()
    x, y = (array[shuffled_rows(len(digits[0]), 0, 0)] for array in digits[:2])
    with Tab(page) as tab:
        for step, name in enumerate(("adam", "adamw")):
            tab.order("settings", optimizer=name)
            tab.order("step")
            tab.until(lambda known: known["status"]["images_seen"] == 10 * (step + 1))
            rows = slice(10 * step, 10 * (step + 1))
            own.fit(x[rows], y[rows], epochs=1, batch_size=10, optimizer=name, shuffle=False, verbose=0)
    assert page.net.hash() == own.hash()
    assert "adam and adamw share it" in request(page)[2].decode()


def test_undo_brings_back_the_optimizer_and_its_learning_rate(serve, digits):
    with Tab(serve(digits_net(), digits)) as tab:
        tab.order("settings", learning_rate=2.5)
        tab.order("settings", optimizer="adam", learning_rate=0.01)
        chosen = [("sgd", 2.5), ("adam", 0.01), ("rmsprop", 0.001)]

        def until(optimizer, rate):
            tab.until(lambda known: (known["status"]["optimizer"], known["status"]["learning_rate"]) == (optimizer, rate))

        until(*chosen[1])
        tab.order("settings", optimizer="rmsprop")
        until(*chosen[2])
        for order, k in (("undo", 1), ("undo", 0), ("redo", 1), ("redo", 2)):
            tab.order(order)
            until(*chosen[k])
        tab.order("settings", optimizer="sgd")
        until("sgd", 3.0)


def test_a_last_batch_that_is_smaller_is_one_too(serve, digits):
    x, y, *test = digits
    data = x[:47], y[:47], *test
    page = serve(digits_net(), data)
    with Tab(page) as tab:
        tab.order("settings", pause_after=4)
        tab.order("train", running=True)
        known = tab.until(lambda known: known["status"]["epoch"] == 4 and not known["status"]["running"])
        assert known["status"]["hash"] == untouched_hash(page.net, data, 4)


def hold_up_steps(patch):
    """(begun, go_on): events of a step that has changed the twin and its optimizer, and the network not before go_on is set."""
    begun, go_on = threading.Event(), threading.Event()

    def held_up(room, part, train=Room.train):
        loss = train(room, part)
        begun.set()
        assert go_on.wait(20)
        return loss

    patch.setattr(Room, "train", held_up)
    return begun, go_on


def test_answers_come_while_a_step_is_under_way(serve, digits, monkeypatch):
    page, (begun, answered) = serve(digits_net(), digits), hold_up_steps(monkeypatch)
    with Tab(page) as tab:
        tab.order("settings", pause_after=2)
        tab.order("train", running=True)
        assert begun.wait(20)
        tab.draw(digits[0][0])
        answered.set()
        tab.until(lambda known: known["status"]["epoch"] == 2 and not known["status"]["running"])
        assert page.net.hash() == untouched_hash(page.net, digits, 2)


def test_a_network_does_not_take_over_the_test_of_the_one_before(serve, digits, tmp_path):
    page = serve(digits_net(), digits)
    fastmlp.MLP([64, 3, 10], loss="cross_entropy", seed=0).save(tmp_path / "other.npz")  # which these data do not fit
    with Tab(page) as tab:
        tab.until(lambda known: "confusion" in known and known["status"]["accuracy"] is not None)
        del tab.known["confusion"]
        tab.load((tmp_path / "other.npz").read_bytes())
        known = tab.until(lambda known: known["network"]["layer_sizes"] == [64, 3, 10])
        assert known["status"]["accuracy"] is known["status"]["test_loss"] is None and "confusion" not in known
        tab.order("undo")
        tab.until(
            lambda known: "confusion" in known and known["status"]["accuracy"] == page.net.evaluate(*digits[2:]).accuracy
        )


def test_a_pause_during_a_step_ends_the_rate(serve, digits, monkeypatch):
    page, (begun, paused) = serve(digits_net(), digits), hold_up_steps(monkeypatch)
    with Tab(page) as tab:
        tab.order("train", running=True)
        assert begun.wait(20)
        tab.order("train", running=False)
        wait_until(lambda: not page._room.training.running)
        paused.set()
        known = tab.until(lambda known: known["status"]["images_seen"] > 0)
        assert known["status"]["rate"] == 0 and not known["status"]["running"]


def test_a_start_during_a_step_keeps_no_moment_in_which_the_optimizer_is_half_way(serve, digits, monkeypatch):
    page = serve(digits_net(), digits)
    room = page._room
    with Tab(page) as tab:
        tab.order("settings", optimizer="momentum", pause_after=10**6, steps_per_second=1000)
        tab.order("step")
        tab.until(lambda known: known["status"]["images_seen"] == 10)
        with monkeypatch.context() as patch:
            begun, paused = hold_up_steps(patch)
            tab.order("train", running=True)
            assert begun.wait(20)
            tab.order("train", running=False)
            wait_until(lambda: not room.training.running)
            tab.order("train", running=True)
            tab.order("train", running=False)
            tab.order("neuron", layer=0, neuron=0)  # none of which the tab's own answer overtakes
            time.sleep(0.1)  # for the start to be taken too early, if it is
            paused.set()
            tab.answer("neuron")
        tab.until(lambda known: not known["status"]["running"])
        moments = [
            (moment.position.images_seen, moment.gathered.arrays) for moment in room.done if moment.label == "training"
        ]
        assert [seen for seen, _ in moments] == [10, 20]
        own = digits_net()
        x, y = (array[shuffled_rows(len(digits[0]), 0, 0)] for array in digits[:2])
        for step, (_, gathered) in enumerate(moments):
            rows = slice(10 * step, 10 * step + 10)
            own.fit(x[rows], y[rows], epochs=1, batch_size=10, optimizer=fastmlp.SGD(momentum=0.9), shuffle=False, verbose=0)
            assert {name: array.tobytes() for name, array in gathered.items()} == {
                name: array.tobytes() for name, array in own.state.arrays.items()
            }


def test_undo_and_redo_go_over_everything(serve, digits):
    page = serve(digits_net(), digits)
    steps = [
        ("turn", {"layer": 0, "neuron": 2, "bias": 1.5}),
        ("turn", {"layer": 1, "neuron": 9, "inputs": [0, 5], "weights": [0.25, -3]}),
        ("scale", {"layer": 0, "neuron": 1, "factor": -1}),
        ("scale", {"layer": 0, "neuron": 1, "factor": 0}),
        ("step", {}),
        ("fresh", {"seed": 7}),
        ("rebuild", {"hidden_sizes": [5, 4], "activation": "relu", "seed": 3}),
        ("turn", {"layer": 2, "neuron": 0, "bias": -2}),
    ]
    with Tab(page) as tab:
        hashes = [tab.until(lambda known: "status" in known)["status"]["hash"]]
        for kind, fields in steps:
            tab.order(kind, **fields)
            hashes.append(tab.until(lambda known: known["status"]["hash"] != hashes[-1])["status"]["hash"])
        assert len(set(hashes)) == len(hashes)
        for expected in reversed(hashes[:-1]):
            tab.order("undo")
            tab.until(lambda known: known["status"]["hash"] == expected)
        assert tab.known["status"]["undo"] is None and page.net.layer_sizes == (784, 6, 10)
        for expected in hashes[1:]:
            tab.order("redo")
            tab.until(lambda known: known["status"]["hash"] == expected)
        assert tab.known["status"]["redo"] is None and page.net.layer_sizes == (784, 5, 4, 10)


def test_what_was_turned_is_what_was_asked(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.order("turn", layer=1, neuron=9, inputs=[0, 5], weights=[0.1, -3], bias=0.7)
        tab.until(lambda known: known["status"]["undo"])
        assert page.net.weights[1][0, 9] == np.float32(0.1) and page.net.weights[1][5, 9] == -3
        assert page.net.biases[1][9] == np.float32(0.7)


def test_a_gesture_is_undone_at_once_and_training_too(serve, digits):
    page = serve(digits_net(), digits)
    before = page.net.hash()
    with Tab(page) as tab:
        for bias in range(5):
            tab.order("turn", layer=0, neuron=0, bias=bias, gesture=1)
        tab.order("settings", pause_after=2)
        tab.order("train", running=True)
        tab.until(lambda known: known["status"]["epoch"] == 2 and not known["status"]["running"])
        tab.order("undo")
        tab.until(lambda known: known["status"]["images_seen"] == 0)
        assert page.net.biases[0][0] == 4
        tab.order("undo")
        tab.until(lambda known: known["status"]["hash"] == before)


def test_training_again_after_undo_gives_the_same(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.order("settings", pause_after=2)
        for _ in range(2):
            tab.order("train", running=True)
            tab.until(lambda known: known["status"]["epoch"] == 2 and not known["status"]["running"])
            assert page.net.hash() == untouched_hash(page.net, digits, 2)
            tab.order("undo")
            tab.until(lambda known: known["status"]["epoch"] == 0)


def test_fresh_weights_are_those_of_the_seed_in_the_same_network(serve, digits):
    net = digits_net()
    page = serve(net, digits)
    with Tab(page) as tab:
        tab.order("fresh", seed=5)
        tab.until(lambda known: known["status"]["seed"] == 5)
        assert page.net is net and net.hash() == digits_net(seed=5).hash()


def test_fresh_weights_and_other_layers_begin_as_the_network_did(serve, digits):
    page = serve(digits_net(init=["he_normal", "orthogonal"]), digits)
    with Tab(page) as tab:
        tab.order("fresh", seed=5)
        tab.until(lambda known: known["status"]["seed"] == 5)
        assert page.net.hash() == digits_net(init=["he_normal", "orthogonal"], seed=5).hash()
        tab.order("rebuild", hidden_sizes=[7, 4], activation="tanh", seed=2)
        tab.until(lambda known: known["network"]["layer_sizes"] == [784, 7, 4, 10])
        other = digits_net(7, 4, activation="tanh", init=["he_normal", "he_normal", "orthogonal"], seed=2)
        assert page.net.hash() == other.hash()


def test_fresh_weights_of_a_network_that_was_given_its_own_are_the_usual_ones(serve, digits):
    page = serve(digits_net(init=lambda shape, random: np.ones(shape)), digits)
    with Tab(page) as tab:
        tab.order("fresh", seed=5)
        tab.until(lambda known: known["status"]["seed"] == 5)
        assert page.net.hash() == digits_net(seed=5).hash()


def test_divergence_stops_training_and_undo_brings_it_back(serve, digits):
    page = serve(
        fastmlp.MLP([784, 6, 10], activation="relu", output_activation="identity", seed=0, input_scale=255, task="classes"),
        digits,
    )
    before = page.net.hash()
    with Tab(page) as tab:
        tab.order("settings", learning_rate=1e30)
        tab.order("train", running=True)
        known = tab.until(lambda known: known["status"]["diverged"])
        assert not known["status"]["running"]
        tab.order("undo")
        tab.until(lambda known: known["status"]["hash"] == before and not known["status"]["diverged"])


def test_without_a_derivative_training_is_off_and_says_why(serve, digits):
    @fastmlp.activation
    def step(z):
        return 1.0 if z > 0 else 0.0

    page = serve(digits_net(activation=step), digits)
    with Tab(page) as tab:
        known = tab.until(lambda known: "network" in known)
        assert "no derivative" in known["status"]["why_not"] and known["network"]["activations"][0] == "step"
        tab.order("train", running=True)
        assert "no derivative" in tab.refusal()
        answer = tab.draw(digits[0][0])
        assert answer["activations"].tobytes() == np.concatenate(page.net.activations(digits[0][0])).tobytes()
        tab.order("rebuild", hidden_sizes=[3], activation="relu", seed=0)
        tab.until(lambda known: known["status"]["why_not"] is None)


@pytest.mark.parametrize("net, data, expected", [
    (fastmlp.MLP([784, 3, 10], loss="cross_entropy", input_scale=255), None, ("pad", "classes")),
    (fastmlp.MLP([64, 3, 10], loss="cross_entropy"), None, ("pad", "classes")),
    (fastmlp.MLP([2, 8, 2], loss="cross_entropy"), None, ("plane", "classes")),
    (fastmlp.MLP([2, 8, 1], loss="binary_cross_entropy"), None, ("plane", "binary")),
    (fastmlp.MLP([4, 3, 3]), None, ("sliders", "regression")),
    (fastmlp.MLP([13, 3, 1]), (np.ones((20, 13)), np.linspace(0, 9, 20)), ("sliders", "regression")),
    (fastmlp.MLP([65, 3, 2], loss="binary_cross_entropy"), (np.ones((20, 65)), np.ones((20, 2))), ("rows", "labels")),
    (fastmlp.MLP([4, 3, 3], output_activation="sigmoid"), (np.ones((20, 4)), np.eye(4)[np.arange(20) % 3][:, :3]),
     ("sliders", "classes")),
])  # fmt: skip
def test_inputs_and_outputs_get_the_names_that_fit(serve, net, data, expected):
    with Tab(serve(net, data)) as tab:
        known = tab.until(lambda known: "network" in known)
        assert (known["network"]["inputs"]["kind"], known["network"]["outputs"]) == expected


def test_of_a_large_network_only_what_is_drawn_travels(serve, digits):
    page = serve(fastmlp.MLP([784, 300, 40, 10], activation="relu", loss="cross_entropy", seed=0, input_scale=255), digits)
    image = digits[0][0]
    with Tab(page) as tab:
        tab.draw(image)
        known = tab.until(lambda known: "line_strengths" in known and known["sequence"] == 1)
        assert "parameters" not in known and len(known["line_strengths"]) == 450 + 400
        layer, start, stop = (known[f"line_{name}"] for name in ("layers", "starts", "stops"))
        products = page.net.weights[1] * page.net.activations(image)[1][:, None]
        ours = np.sort(np.abs(known["line_strengths"][layer == 1]))
        assert np.array_equal(ours, np.sort(np.abs(products).reshape(-1))[-450:])
        assert products[start[0], stop[0]] == known["line_strengths"][0]
        tab.order("neuron", layer=0, neuron=299)
        reply = tab.answer("neuron")
        assert reply["weights"].tobytes() == page.net.weights[0][:, 299].tobytes()
        assert reply["bias"][0] == page.net.biases[0][299]


def test_response_maps_over_the_plane(serve):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    page = serve(fastmlp.MLP([2, 8, 2], activation="tanh", loss="cross_entropy", seed=0), (x, (x[:, 0] > 0).astype(int)))
    with Tab(page) as tab:
        known = tab.until(lambda known: "maps" in known)
        maps = known["maps"].reshape(10, 24, 24)
        (x_low, _), (x_high, y_high) = known["network"]["inputs"]["low"], known["network"]["inputs"]["high"]
        y_low = known["network"]["inputs"]["low"][1]
        place = [x_low + (x_high - x_low) * 3.5 / 24, y_high - (y_high - y_low) * 0.5 / 24]
        assert np.allclose(maps[:, 0, 3], np.concatenate(page.net.activations(place)[1:]), atol=1e-6)


def test_examples_and_cells_are_the_held_out_images(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.order("example", index=3)
        example = tab.answer("example")
        assert example["values"].tobytes() == digits[2][3].tobytes() and example["label"] == digits[3][3]
        known = tab.until(lambda known: "confusion" in known)
        confusion = known["confusion"].reshape(10, 10)
        row, column = np.argwhere(confusion)[0]
        tab.order("cell", row=int(row), column=int(column))
        cell = tab.answer("cell")
        assert cell["count"] == confusion[row, column] == len(cell["indices"])
        assert np.array_equal(cell["values"].reshape(-1, 784), digits[2][cell["indices"]])
        assert (digits[3][cell["indices"]] == row).all()


def test_a_network_is_saved_and_loaded_over_the_socket(serve, digits, tmp_path):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.until(lambda known: "network" in known)
        tab.order("save")
        content = tab.answer("file")["content"].tobytes()
        (tmp_path / "saved.npz").write_bytes(content)
        assert fastmlp.MLP.load(tmp_path / "saved.npz").hash() == page.net.hash()
        other = fastmlp.MLP([784, 3, 10], loss="cross_entropy", seed=9, input_scale=255)
        other.save(tmp_path / "other.npz")
        tab.load((tmp_path / "other.npz").read_bytes())
        tab.until(lambda known: known["status"]["hash"] == other.hash())
        assert tab.known["network"]["layer_sizes"] == [784, 3, 10]
        before = page.net.hash()
        for damaged in (b"", content[:-50], b"\x80\x04cos\nsystem\n", os.urandom(1000)):
            tab.load(damaged)
            assert "cannot be loaded" in tab.refusal() and "/" not in tab.refusals[-1].split(": ", 1)[1][:20]
        pickled = io.BytesIO()
        np.savez(pickled, header=np.array([{"a": 1}], object), parameters=np.zeros(3))
        tab.load(pickled.getvalue())
        assert "cannot be loaded" in tab.refusal()
        assert page.net.hash() == before


def test_tabs_share_the_network_and_each_has_its_drawing(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as one, Tab(page) as other:
        first, second = one.draw(digits[0][0]), other.draw(digits[0][1])
        assert not np.array_equal(first["activations"], second["activations"])
        one.order("turn", layer=0, neuron=0, bias=9)
        for tab, image in ((one, digits[0][0]), (other, digits[0][1])):
            tab.until(lambda known: known["status"]["undo"] and "activations" in known)
            assert tab.known["activations"].tobytes() == np.concatenate(page.net.activations(image)).tobytes()


def test_training_stops_when_the_last_tab_has_been_gone_for_a_while(serve, digits):
    page = serve(digits_net(), digits, left_alone=0.1)
    with Tab(page) as tab:
        tab.order("settings", pause_after=10**6)
        tab.order("train", running=True)
        tab.until(lambda known: known["status"]["images_seen"] > 0)
    wait_until(lambda: not page._room.training.running)
    with Tab(page) as tab:
        tab.until(lambda known: "status" in known and known["status"]["hash"] == page.net.hash())
        assert not tab.known["status"]["running"]


def test_a_tab_that_leaves_again_has_its_whole_time_again(monkeypatch):
    class Left:
        """A connection whose other end has gone."""

        async def send(self, message):
            pass

        async def __aiter__(self):
            return
            yield

    async def leave_twice():
        door, loop, handles = Door(Room(digits_net()), left_alone=1000), asyncio.get_running_loop(), []
        call_later = loop.call_later

        def noted(delay, *arguments, **options):
            handle = call_later(delay, *arguments, **options)
            handles.extend([handle] if delay == 1000 else [])
            return handle

        monkeypatch.setattr(loop, "call_later", noted)
        door.open()
        for _ in range(2):
            await door.serve(Left())
        await door.shut()
        return [handle.cancelled() for handle in handles[:-1]], handles[-1]

    cancelled, last = asyncio.run(leave_twice())
    assert cancelled and all(cancelled)
    assert last.cancelled()  # as the door is shut


def test_a_tab_that_comes_back_in_time_keeps_training_going(serve, digits):
    page = serve(digits_net(), digits, left_alone=1000)
    with Tab(page) as tab:
        tab.order("settings", pause_after=10**6)
        tab.order("train", running=True)
        tab.until(lambda known: known["status"]["images_seen"] > 0)
    wait_until(lambda: page.door._leaving and not page.door._leaving.cancelled())
    with Tab(page) as tab:
        seen = tab.until(lambda known: "status" in known)["status"]["images_seen"]
        tab.until(lambda known: known["status"]["images_seen"] > seen)
        assert tab.known["status"]["running"] and page.door._leaving.cancelled()


def test_a_client_that_never_reads_hinders_nobody(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as lazy, Tab(page) as tab:
        for _ in range(300):  # more than the sockets' buffers hold is never sent to it
            lazy.socket.send(json.dumps({"type": "save"}))
        tab.order("settings", pause_after=3)
        tab.order("train", running=True)
        tab.until(lambda known: known["status"]["epoch"] == 3)
        assert page.net.hash() == untouched_hash(page.net, digits, 3)


def test_updates_wait_for_the_last_one_to_be_acknowledged(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.receive = lambda timeout=20: parse_without_ack(tab, timeout)
        tab.until(lambda known: "network" in known)
        for bias in range(20):
            tab.order("turn", layer=0, neuron=0, bias=bias)
        tab.order("neuron", layer=0, neuron=0)
        assert tab.receive()["type"] == "neuron"
        tab.order("ack")
        assert tab.receive()["parameters"].tobytes() == page.net.parameters.tobytes()


@pytest.mark.parametrize("is_drawing, most", [(False, 25), (True, 8)])
def test_updates_come_no_more_often_than_they_are_drawn(serve, digits, is_drawing, most):
    with Tab(serve(digits_net(), digits)) as tab:
        tab.until(lambda known: "network" in known)
        tab.order("settings", steps_per_second=1000, pause_after=10**6)
        if is_drawing:
            tab.draw(digits[0][0])
        tab.order("train", running=True)
        tab.until(lambda known: known["status"]["running"])
        before, began = tab.updates, time.monotonic()
        while time.monotonic() < began + 1:
            if is_drawing:
                tab.draw(digits[0][0])
            else:
                tab.receive()
        seconds = time.monotonic() - began
    assert 0 < tab.updates - before <= most * seconds + 1


def parse_without_ack(tab, timeout):
    from page_client import parse

    parsed = parse(tab.socket.recv(timeout=timeout))
    tab.known.update(parsed)
    return parsed


def test_rates_are_never_negative_and_settings_may_change_while_training(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.order("settings", pause_after=10**6)
        tab.order("train", running=True)
        for speed, batch in ((1, 10), (10, 3), (100, 50), (1000, 1), (0, 10)):
            tab.order("settings", steps_per_second=speed, batch_size=batch)
            seen = tab.known["status"]["images_seen"] if tab.known else 0
            known = tab.until(
                lambda known: (
                    known["status"]["batch_size"] == batch
                    and known["status"]["steps_per_second"] == speed
                    and known["status"]["images_seen"] > seen
                )
            )
            assert known["status"]["rate"] >= 0
        tab.order("fresh", seed=1)
        known = tab.until(lambda known: known["status"]["seed"] == 1)
        assert not known["status"]["running"] and known["status"]["images_seen"] == 0


def test_orders_for_the_network_before_are_left_undone(serve, digits):
    @fastmlp.activation
    def same(z):
        return z

    page = serve(digits_net(9, 5, dtype="float64", activation=same), digits)
    with Tab(page) as tab:
        known = tab.until(lambda known: "network" in known)
        before, own = known["structure"], known["network"]["activations"][0]
        tab.order("rebuild", hidden_sizes=[4], activation="relu", seed=0)
        tab.until(lambda known: known["structure"] > before)
        expected = page.net.hash()
        for neuron in (0, 8):  # there is one, or there is none
            tab.order("turn", layer=0, neuron=neuron, bias=1.0, structure=before)
            tab.order("scale", layer=0, neuron=neuron, factor=0, structure=before)
            tab.order("neuron", layer=0, neuron=neuron, structure=before)
        tab.order("cell", row=10, column=0, structure=before)
        tab.order("rebuild", hidden_sizes=[4], activation=own, seed=0, structure=before)
        tab.order("neuron", layer=1, neuron=7, structure=tab.known["structure"])
        assert tab.answer("neuron")["neuron"] == 7  # and the tab is served
        assert page.net.hash() == expected and tab.refusals == []
        tab.order("turn", layer=0, neuron=8, bias=1.0, structure=tab.known["structure"])
        assert tab.closed()[0] == 1008


def test_a_network_too_large_is_refused_in_words(tab):
    tab.order("rebuild", hidden_sizes=[8192, 8192], activation="relu", seed=0)
    assert "parameters are more than" in tab.refusal()


def test_scaling_out_of_range_is_refused_in_words(tab):
    tab.order("scale", layer=0, neuron=0, factor=3e38)
    tab.order("scale", layer=0, neuron=0, factor=3e38)
    assert "not finite" in tab.refusal()


def test_data_that_are_wrong_are_refused():
    net = fastmlp.MLP([2, 2, 1], seed=0)
    for data, error in (((1,), TypeError), (([[1, 2]], [1]), ValueError), (([[1, 2]] * 3, [1] * 2), ValueError)):
        with pytest.raises(error, match="data"):
            fastmlp.page.start(net, data, port=0, open_browser=False)


def classifier(**options):
    return fastmlp.MLP([3, 2], loss="cross_entropy", seed=0, **options)


def changed(place, value, **data):
    """(x, y, x_test, y_test) of three classes of numbers, one of which has another value at a place."""
    x = np.random.default_rng(0).standard_normal((80, 3))
    arrays = {"x": x, "y": np.arange(80) % 2, "x_test": x[:9], "y_test": np.arange(9) % 2} | data
    arrays = {name: array.copy() for name, array in arrays.items()}
    if place is not None:
        arrays[place[0]][place[1:]] = value
    return tuple(arrays.values())


COUNTS = fastmlp.MLP([3, 1], loss="poisson", seed=0)
OF_COUNTS = dict(y=np.ones((80, 1)), y_test=np.ones((9, 1)))


@pytest.mark.parametrize("net, data, message", [
    (classifier(), changed(("x", 50, 1), np.nan), "^x must be finite, but row 50, column 1 is nan"),
    (classifier(), changed(("y", 60), -1), "^y must be labels from 0 to 1, but row 60 is -1"),
    (classifier(), changed(("x_test", 8, 2), np.inf), "^held-out x must be finite, but row 8"),
    (classifier(), changed(("y_test", 7), 2), "^held-out y must be labels from 0 to 1, but row 7 is 2"),
    (classifier(), changed(None, None, x_test=np.ones((9, 4))), "held-out x has 4 numbers a row, and the network takes 3"),
    (fastmlp.MLP([3, 1], seed=0), changed(("y", 70, 0), np.nan, **OF_COUNTS), "^y must be finite, but row 70"),
    (COUNTS, changed(("y", 70, 0), -1, **OF_COUNTS), "^y must be at least 0 for this loss, but row 70"),
    (COUNTS, changed(("y_test", 3, 0), -1, **OF_COUNTS), "^held-out y must be at least 0 for this loss, but row 3"),
])  # fmt: skip
def test_data_that_are_wrong_anywhere_are_refused_at_once_and_switch_training_off(net, data, message):
    with pytest.raises(ValueError, match=message):
        fastmlp.page.start(net, data, port=0, open_browser=False)
    assert re.search(message.strip("^"), Room(net, subject.as_data(data)).why_not)


def test_data_that_are_given_are_looked_through_once(serve, digits, monkeypatch):
    looks, misfit = [], subject.misfit
    monkeypatch.setattr(subject, "misfit", lambda *arguments: looks.append(arguments) or misfit(*arguments))
    serve(digits_net(), digits)
    assert len(looks) == 1


@pytest.mark.parametrize("arguments, error, message", [
    ({"net": 3}, TypeError, "^net must be a fastmlp.MLP, or None for that of `fastmlp train`, not 3$"),
    ({"port": 70000}, ValueError, "^port must be an integer of at least 0 and below 65536, not 70000$"),
    ({"port": -1}, ValueError, "^port must be an integer of at least 0 and below 65536, not -1$"),
    ({"port": "80"}, TypeError, "^port must be an integer of at least 0 and below 65536, not '80'$"),
    ({"open_browser": "no"}, TypeError, "^open_browser must be True or False, not 'no'$"),
    ({"data": 3}, TypeError, r"^data must be \(x, y\) or \(x, y, x_test, y_test\), not 3$"),
    ({"data": ([[1, 2]] * 3, [1] * 3, 5)}, TypeError, r"^data must be .* or \(x, y, \(x_test, y_test\)\)"),
    ({"data": ([["a", "b"]] * 3, [1] * 3)}, TypeError, "^x must hold real numbers"),
    ({"data": ([[1, 2]] * 3, "abc")}, TypeError, "^y must hold real numbers"),
])  # fmt: skip
def test_wrong_arguments_are_named(arguments, error, message):
    arguments = {"net": fastmlp.MLP([2, 2, 1], seed=0), "port": 0, "open_browser": False} | arguments
    with pytest.raises(error, match=message):
        fastmlp.page.start(**arguments)
    with pytest.raises(error, match=message):
        fastmlp.page(**arguments)


@pytest.mark.parametrize("what, message", [("train", "training failed: no luck"), ("examine", "the test failed: no luck")])
def test_what_fails_is_told_and_leaves_the_page_alive(serve, digits, monkeypatch, what, message):
    def fails(*arguments):
        raise ValueError("no luck")

    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.until(lambda known: known["status"]["accuracy"] is not None)
        with monkeypatch.context() as patch:
            patch.setattr(Room, what, fails)
            tab.order("train", running=True)
            assert tab.refusal() == message
            assert not page._room.training.running
            if what == "train":
                tab.order("step")
                assert tab.refusal() == message
        epochs = page._room.position.epoch
        tab.order("settings", pause_after=epochs + 1)
        tab.order("train", running=True)
        tab.until(lambda known: known["status"]["epoch"] == epochs + 1 and not known["status"]["running"])
        tab.until(lambda known: known["status"]["accuracy"] == page.net.evaluate(*digits[2:]).accuracy)


@pytest.mark.parametrize("n_in, is_image", [(49, False), (63, False), (64, True), (784, True)])
def test_a_square_is_an_image_on_the_page_where_it_is_one_in_pictures(n_in, is_image):
    pytest.importorskip("matplotlib")
    net = fastmlp.MLP([n_in, 3, 2], seed=0)
    assert (subject.inputs(net, None)["kind"] == "pad") == is_image
    assert bool(fastmlp.plots.network(net, np.zeros(n_in)).images) == is_image


def test_data_may_be_tables_of_pandas():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2, 3], "b": pandas.array([4, 5, 6], dtype="Int64")})
    data = subject.as_data((table, table["b"], table, table["b"]))
    assert data.x.tobytes() == np.array([[1, 4], [2, 5], [3, 6]], float).tobytes() and data.y.dtype == np.int64
    with pytest.raises(TypeError, match="column 'c' of x must hold real numbers"):
        subject.as_data((table.assign(c="red"), table["b"]))


def test_the_package_is_called_as_a_function(digits):
    import asyncio

    async def in_a_notebook():
        return fastmlp.page(digits_net(), digits, port=0, open_browser=False)

    page = asyncio.run(in_a_notebook())
    try:
        assert page.url in page._repr_html_()
        with Tab(page) as tab:
            tab.until(lambda known: "parameters" in known)
            page.net.biases[0][0] = 3
            page.refresh()
            tab.until(lambda known: known["status"]["hash"] == page.net.hash())
    finally:
        page.close()
    page.wait()


def test_a_server_that_ends_says_so(serve, digits):
    page = serve(digits_net(), digits)
    with Tab(page) as tab:
        tab.until(lambda known: "network" in known)
        threading.Thread(target=page.close).start()
        assert tab.closed() == (1001, "the server has ended")


def test_the_command_serves_until_ctrl_c(tmp_path, digits):
    net = digits_net()
    net.save(tmp_path / "model.npz")
    root = os.path.dirname(os.path.dirname(fastmlp.__file__))
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "page", "model.npz", "--json", "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    try:
        url = json.loads(process.stdout.readline())["url"]
        address, _, token = url.partition("/#token=")

        class Served:
            port = int(address.rpartition(":")[2])

        Served.token = token
        assert request(Served)[0] == 200
        with Tab(Served) as tab:
            assert tab.until(lambda known: "status" in known)["status"]["hash"] == net.hash()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in errors


def test_the_command_shows_the_network_that_the_command_trains(monkeypatch):
    import fastmlp.page
    from fastmlp.cli import commands
    from fastmlp.cli.main import main

    class Shown(Exception):
        """What the command goes no further than."""

    def show(net, *arguments):
        raise Shown(net)

    monkeypatch.setattr(fastmlp.page, "Page", show)
    with pytest.raises(Shown) as shown:
        main(["page", "--no-browser"])
    (page,) = shown.value.args
    monkeypatch.setattr(commands.MLP, "fit", lambda net, *arguments, **options: show(net))
    monkeypatch.setattr(commands, "TRAINING_DIGITS", 10)
    with pytest.raises(Shown) as shown:
        main(["train"])
    (trained,) = shown.value.args
    assert page.hash() == trained.hash() and repr(page) == repr(trained)


def test_the_command_refuses_what_is_not_there(tmp_path, capsys):
    from fastmlp.cli.main import main

    assert main(["page", "--data", str(tmp_path / "nowhere"), "--no-browser"]) == 1
    assert main(["page", str(tmp_path / "nothing.npz"), "--no-browser"]) == 1
    errors = capsys.readouterr().err
    assert "nowhere" in errors and "nothing.npz" in errors and errors.count("\n") == 2


def test_the_command_refuses_data_that_do_not_fit_and_leaves_out_its_own_digits(tmp_path, monkeypatch, capsys):
    import fastmlp.page
    from fastmlp.cli.main import main

    loaders = []

    class Shown:
        url = "http://127.0.0.1/"

        def __init__(self, net, data, port, open_browser, loader):
            loaders.append(loader)

        def wait(self):
            pass

        close = wait

    monkeypatch.setattr(fastmlp.page, "Page", Shown)
    named = {"plane": [2, 3, 2], "few": [784, 3, 5], "numbers": [784, 3, 10]}
    for name, sizes in named.items():
        net = fastmlp.MLP(sizes, **{} if name == "numbers" else {"loss": "cross_entropy"}, seed=0)
        net.save(path := str(tmp_path / f"{name}.npz"))
        assert main(["page", path, "--no-browser"]) == 0
        assert loaders.pop() is None
        for source in ("digits", "mnist", str(tmp_path)):
            assert main(["page", path, "--no-browser", "--data", source]) == 1 and loaders == []
            error = capsys.readouterr().err
            assert f"--data {source}, a network needs 784 inputs and 10 classes, and this one, {sizes[0]}-3-" in error
    digits_net().save(path := str(tmp_path / "digits.npz"))
    for data in ([], ["--data", "digits"]):
        assert main(["page", path, "--no-browser", *data]) == 0
        assert loaders.pop() is not None


def test_digits_are_offered_to_networks_of_their_classes_alone(serve, monkeypatch):
    monkeypatch.setattr("fastmlp.page.host._digits", lambda: fastmlp.datasets.digits(20))
    for net, expected in ((digits_net(), None), (fastmlp.MLP([784, 3, 10], seed=0), "there are no data to train on")):
        room = serve(net, loader=None)._room
        wait_until(lambda: not room.is_loading)
        assert room.why_not == expected


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_loss_with_a_parameter_goes_by_its_name(serve):
    x, y = np.zeros((20, 3), np.float32), np.zeros((20, 2), np.float32)
    with Tab(serve(fastmlp.MLP([3, 4, 2], loss=fastmlp.Huber(2.0), seed=0), (x, y))) as tab:
        tab.until(lambda known: "network" in known)
        assert tab.known["network"]["loss"] == "huber"


def test_rows_without_an_answer_are_in_no_cell_of_the_confusion_matrix(digits):
    net = digits_net()
    net.biases[1][3] = np.nan
    test = Room(net, subject.as_data(digits)).examine()
    assert not test.confusion.any() and (test.answers == -1).all() and test.accuracy == 0
