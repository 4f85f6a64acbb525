"""The page in Chromium: what is drawn is what the library computes, everything works by pen, finger and keys, nothing
leaks."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastmlp

pytest.importorskip("websockets")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from page_browser import BrowserTab  # noqa: E402
from page_client import Tab  # noqa: E402

from benchmarks.browser import ARGUMENTS, CHROMIUM  # noqa: E402
from fastmlp.page import Page, subject  # noqa: E402
from fastmlp.random_streams import shuffled_rows  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def digits():
    return fastmlp.datasets.digits(600, 0) + fastmlp.datasets.digits(200, 1)


@pytest.fixture
def show(browser):
    """Opens pages: show(net, data, fragment="", **options of the context) -> BrowserTab; checks them at the end."""
    tabs, contexts, pages = [], [], []

    def show(net=None, data=None, page=None, fragment="", allow_errors=False, wait=True, server=None, **options):
        if page is None:
            page = Page(net, None if data is None else subject.as_data(data), port=0, loader=lambda: None, **(server or {}))
            pages.append(page)
        options.setdefault("viewport", {"width": 1366, "height": 768})
        contexts.append(browser.new_context(**options))
        tabs.append(BrowserTab(contexts[-1], page, fragment, allow_errors, wait))
        return tabs[-1]

    yield show
    try:
        for tab in tabs:
            tab.check()
    finally:
        for context in contexts:
            context.close()
        for page in pages:
            page.close()


def digits_net(*hidden, **options):
    return fastmlp.MLP(
        [784, *(hidden or (16, 16)), 10], **{"output_activation": "sigmoid", "seed": 0, "input_scale": 255, **options}
    )


# Drawing


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_drawing_is_answered_with_the_networks_activations_and_drawn_so(show, digits, dtype):
    tab = show(digits_net(dtype=dtype), digits)
    tab.draw()
    x = tab.last_input()
    net = tab.page.net
    assert x.dtype == np.uint8 and x.max() == 255
    expected = np.concatenate(net.activations(x))
    assert tab.answers()[max(tab.answers())].tobytes() == expected.tobytes()
    tab.until(lambda: tab.shows(net.activations(x)))
    drawn = list(tab.drawn.values())
    assert len(drawn) == 16 + 16 + 10
    for one, pixel in zip(drawn, tab.pixels("neurons", [(one["x"], one["y"]) for one in drawn])):
        assert max(abs(channel - 255 * one["value"]) for channel in pixel) <= 1
    winner = int(np.argmax(net.forward(x)))
    assert tab["answer"].locator("strong").text_content() == str(winner)


def test_the_pen_draws_as_the_training_digits_are_drawn(show, digits):
    tab = show(digits_net(), digits)
    tab.draw()
    image = tab.last_input().reshape(28, 28).astype(float)
    ys, xs = np.nonzero(image)
    height, width = np.ptp(ys) + 1, np.ptp(xs) + 1
    assert 18 <= max(height, width) <= 20
    centre = [(image * (np.indices(image.shape)[k] + 0.5)).sum() / image.sum() for k in (0, 1)]
    assert all(abs(c - 14) <= 0.51 for c in centre)
    tab["centre"].uncheck()
    tab.until(lambda: not np.array_equal(tab.last_input().reshape(28, 28), image))


def test_strokes_are_cleared_undone_redone_moved_and_scaled(show, digits):
    tab = show(digits_net(), digits)
    tab["centre"].uncheck()
    tab.draw()
    three = tab.last_input()
    tab.draw([(0.2, 0.5), (0.8, 0.5)])
    both = tab.last_input()
    assert not np.array_equal(three, both)
    tab["stroke-undo"].click()
    tab.until(lambda: np.array_equal(tab.last_input(), three))
    tab["stroke-redo"].click()
    tab.until(lambda: np.array_equal(tab.last_input(), both))
    tab["pad"].press("Shift+ArrowRight")
    tab.until(lambda: np.array_equal(tab.last_input().reshape(28, 28)[:, 1:], both.reshape(28, 28)[:, :-1]))
    tab["pad"].press("-")
    tab.until(lambda: tab.last_input().sum() < both.sum())
    tab["clear"].click()
    tab.until(lambda: not tab.last_input().any() and tab["answer"].locator("strong").text_content() == "")


def extent(tab):
    """(left, top, right, bottom) of the ink that was sent last, in pixels."""
    ys, xs = np.nonzero(tab.last_input().reshape(28, 28) > 127)
    return np.array([xs.min(), ys.min(), xs.max(), ys.max()])


def test_a_drawing_is_moved_and_scaled_by_pointer(show, digits):
    tab = show(digits_net(), digits)
    tab["centre"].uncheck()
    assert tab["move"].is_disabled()
    tab.draw([(0.3, 0.3), (0.3, 0.6), (0.6, 0.6)])
    drawn, first = extent(tab), tab.last_input()
    tab["move"].click()
    assert tab["move"].get_attribute("aria-pressed") == "true"
    tab.draw([(0.5, 0.4), (0.6, 0.5), (0.5 + 5 / 28, 0.4 - 3 / 28)])  # drags it: 5 pixels to the right, 3 up
    tab.until(lambda: np.array_equal(extent(tab), drawn + [5, -3, 5, -3]))
    moved = tab.last_input()
    left, top, right, bottom = 0.3 + 5 / 28, 0.3 - 3 / 28, 0.6 + 5 / 28, 0.6 - 3 / 28
    corner, opposite = np.array([left, bottom]) + [-0.06, 0.06], np.array([right, top]) + [0.06, -0.06]
    tab.draw([corner, corner + 0.02, opposite + (corner - opposite) / 2])
    tab.until(lambda: np.ptp(extent(tab)[::2]) <= np.ptp(drawn[::2]) / 2 + 2)
    assert extent(tab)[2] >= drawn[2] + 5  # it has stayed at the opposite corner
    tab["stroke-undo"].click()  # each drag is one change
    tab.until(lambda: np.array_equal(tab.last_input(), moved))
    tab["stroke-undo"].click()
    tab.until(lambda: np.array_equal(tab.last_input(), first))
    tab.draw([(0.4, 0.5), (0.4, 5.0)])  # not lost outside: its middle stays on the pad
    tab.until(lambda: extent(tab)[3] == 27)
    tab["move"].click()
    tab.draw([(0.1, 0.1), (0.2, 0.1)])  # draws again
    tab.until(lambda: extent(tab)[1] < 4)
    tab["move"].click()
    tab["clear"].click()
    assert tab["move"].is_disabled() and tab["move"].get_attribute("aria-pressed") == "false"
    tab.draw()
    tab.until(lambda: tab.last_input().any())


def test_a_test_digit_is_a_held_out_image(show, digits):
    tab = show(digits_net(), digits)
    tab["example"].click()
    tab.until(lambda: tab.inputs() and (digits[2] == tab.last_input()).all(axis=1).any())
    index = int(np.flatnonzero((digits[2] == tab.last_input()).all(axis=1))[0])
    tab.until(lambda: f"(it is {digits[3][index]})" in tab.text("answer"))


def test_touch_draws_and_does_not_scroll(show, digits):
    tab = show(digits_net(), digits, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    box = tab["pad"].bounding_box()
    devtools = tab.tab.context.new_cdp_session(tab.tab)

    def touch(kind, *place):
        points = [{"x": box["x"] + box["width"] * place[0], "y": box["y"] + box["height"] * place[1]}] if place else []
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.3, 0.8)
    for k in range(8):
        touch("touchMove", 0.3 + 0.05 * k, 0.8 - 0.08 * k)
    touch("touchEnd")
    centred = tab.last_input()
    tab["centre"].uncheck()
    tab.until(lambda: not np.array_equal(tab.last_input(), centred))
    before = extent(tab)
    tab["move"].click()
    touch("touchStart", 0.5, 0.5)
    touch("touchMove", 0.5, 0.5 + 2 / 28)
    touch("touchMove", 0.5, 0.5 + 4 / 28)
    touch("touchEnd")
    tab.until(lambda: np.abs(extent(tab) - before - [0, 4, 0, 4]).max() <= 1)
    tab["stroke-undo"].click()
    tab["move"].click()
    tab["centre"].check()
    tab.until(lambda: tab.inputs() and tab.last_input().any())
    assert tab.evaluate("scrollY") == 0
    assert np.ptp(np.nonzero(tab.last_input().reshape(28, 28))[0]) > 12
    # A finger on the network picks a neuron.
    one = tab.drawn[1, 3]
    tab["diagram"].tap(position={"x": one["x"], "y": one["y"]})
    tab.until(lambda: tab.text("neuron-title") == "Hidden layer 1, neuron 3")


# Neurons


def test_pointing_shows_lines_alone_and_weights_times_the_drawing(show, digits):
    tab = show(digits_net(), digits)
    tab.draw()
    net, x = tab.page.net, tab.last_input()
    tab.until(lambda: tab.shows(net.activations(x)))
    inked = """() => {
        const canvas = document.getElementById("lines");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
        return count;
    }"""
    everything = tab.evaluate(inked)
    tab.hover(1, 4)
    products = (net.weights[0][:, 4].astype(float) * net.activations(x)[0]).reshape(28, 28)
    strongest = np.unravel_index(np.argsort(np.abs(products).reshape(-1))[-8:], products.shape)
    side = tab["pad"].bounding_box()["width"] - 2
    places = [((column + 0.5) * side / 28, (row + 0.5) * side / 28) for row, column in zip(*strongest)]

    def in_two_colours():
        pixels = tab.pixels("pad", places)
        return all((blue > red) == (products[row, column] > 0) and blue != red
                   for (red, _, blue), row, column in zip(pixels, *strongest))  # fmt: skip

    tab.until(in_two_colours)
    assert tab.evaluate(inked) < everything / 3
    tab.tab.mouse.move(2, 2)
    tab.until(lambda: tab.pixels("pad", [(2, 2)]) == [[0, 0, 0]])


def test_a_picked_neuron_says_its_sum_in_words(show, digits):
    tab = show(digits_net(), digits)
    tab.draw()
    net, x = tab.page.net, tab.last_input()
    tab.until(lambda: tab.shows(net.activations(x)))
    for layer, neuron, title in (
        (1, 7, "Hidden layer 1, neuron 7"),
        (2, 0, "Hidden layer 2, neuron 0"),
        (3, 9, "Output 9"),
    ):
        tab.pick(layer, neuron)
        tab.until(lambda title=title: tab.text("neuron-title") == title)
        activations = net.activations(x)
        products = net.weights[layer - 1][:, neuron].astype(float) * activations[layer - 1]
        bias = float(net.biases[layer - 1][neuron])
        z = products.sum() + bias
        expected = (
            f"for +{products[products > 0].sum():.2f}, against −{-products[products < 0].sum():.2f}, bias {bias:+.2f}, "
            f"z = {z:.3f}, sigmoid, a = {activations[layer][neuron]:.4f}"
        )
        assert tab.text("sum") == re.sub(r"[+−](0\.0+\b)", r"\1", expected.replace("-", "−"))  # zero has no sign


def test_knobs_turn_weights_and_undo_and_redo_restore_the_hash(show, digits):
    tab = show(digits_net(), digits)
    net = tab.page.net
    hashes = [net.hash()]
    tab.until_hash(hashes[0])
    tab.pick(1, 2)

    def changed():
        tab.until(lambda: tab.hash not in hashes)
        assert tab.hash == net.hash()
        hashes.append(tab.hash)

    tab["bias-number"].fill("1.25")
    tab["bias-number"].press("Enter")
    changed()
    assert net.biases[0][2] == 1.25
    tab["bias"].focus()
    tab.tab.keyboard.press("End")
    changed()
    assert net.biases[0][2] == 5
    tab["weights"].click(position={"x": 100, "y": 100})
    chosen = tab.text("weight-label").removeprefix("weight ").split(", ")
    pixel = int(chosen[0]) * 28 + int(chosen[1])
    tab["weight-number"].fill("-2.5")
    tab["weight-number"].press("Enter")
    changed()
    assert net.weights[0][pixel, 2] == -2.5
    before = net.weights[0][:, 2].copy()
    tab["flip"].click()
    changed()
    assert np.array_equal(net.weights[0][:, 2], -before)
    tab["factor"].fill("3")
    tab["scale"].click()
    changed()
    assert np.array_equal(net.weights[0][:, 2], np.float32(3) * -before)
    tab["zero"].click()
    changed()
    assert not net.weights[0][:, 2].any() and net.biases[0][2] == 0
    tab["paint"].check()
    tab["paint-value"].fill("1.5")
    box = tab["weights"].bounding_box()
    tab.tab.mouse.move(box["x"] + 40, box["y"] + 40)
    tab.tab.mouse.down()
    tab.tab.mouse.move(box["x"] + 120, box["y"] + 40, steps=12)
    tab.tab.mouse.up()
    tab.draw()
    tab.last_input()  # which is answered after all that was painted before
    assert np.count_nonzero(net.weights[0][:, 2] == 1.5) >= 8
    tab.until_hash(net.hash())
    hashes.append(tab.hash)
    for expected in reversed(hashes[:-1]):
        tab["undo"].click()
        tab.until_hash(expected)
    assert tab["undo"].is_disabled()
    tab["diagram"].focus()
    for expected in hashes[1:]:
        tab.tab.keyboard.press("Control+Shift+Z")
        tab.until_hash(expected)
    tab.tab.keyboard.press("Control+z")
    tab.until_hash(hashes[-2])


def is_blue(pixel):
    return pixel[2] > pixel[0] + 40


def is_orange(pixel):
    return pixel[0] > pixel[2] + 40


def test_a_neurons_weights_are_seen_small_and_large_and_its_lines_by_sign_and_size(show, digits):
    net = digits_net(16, 2)
    for weights in net.weights:
        weights[...] = 0
    image = np.zeros((28, 28))
    image[:14, :14], image[14:, 14:] = 2, -1
    net.weights[0][:, 5] = image.reshape(-1)
    net.weights[1][5] = 4, -1
    tab = show(net, digits)
    tab.tab.get_by_label("weight", exact=True).first.check()
    left, top, side = tab.until(lambda: tab.drawn[1, 5])["picture"]
    quarters = [(0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25)]
    small = tab.pixels("neurons", [(left + side * u, top + side * v) for u, v in quarters])
    tab.pick(1, 5)
    tab.until(lambda: tab.text("neuron-title") == "Hidden layer 1, neuron 5")
    size = tab.evaluate("document.getElementById('weights').clientWidth")
    large = tab.pixels("weights", [(size * u, size * v) for u, v in quarters])
    for positive, negative, *zeros in (small, large):
        assert is_blue(positive) and is_orange(negative) and zeros == [[255, 255, 255]] * 2
    start, ends = tab.drawn[1, 5], [tab.drawn[2, neuron] for neuron in (0, 1)]
    x = ends[0]["x"] - 40

    def thickness(end, is_colour):
        along = (x - start["x"] - 13) / (end["x"] - start["x"] - 30)
        y = start["y"] + along * (end["y"] - start["y"])
        return sum(map(is_colour, tab.pixels("lines", [(x, y + offset) for offset in range(-8, 9)])))

    wide, narrow = thickness(ends[0], is_blue), thickness(ends[1], is_orange)
    assert wide > 0 and narrow > 0 and thickness(ends[0], is_orange) == thickness(ends[1], is_blue) == 0
    net.weights[1][5] = 1, -4
    tab.page.refresh()
    tab.until(lambda: 0 < thickness(ends[0], is_blue) < wide and thickness(ends[1], is_orange) > narrow)


def test_a_replay_goes_layer_by_layer(show, digits):
    tab = show(digits_net(6), digits)
    tab.draw()
    net, x = tab.page.net, tab.last_input()
    tab.until(lambda: tab.shows(net.activations(x)))
    tab.hold_frames()
    tab["replay"].click()
    assert tab.drawn[1, 0]["value"] == 0 and tab.drawn[2, 0]["value"] == 0
    tab.frame(1.5 * 1100)
    assert tab.drawn[1, 0]["value"] > 0 and tab.drawn[2, 0]["value"] == 0
    tab.frame(2 * 1100)
    assert tab.shows(net.activations(x))


def test_lines_show_weights_or_what_flows(show, digits):
    tab = show(digits_net(), digits)
    picture = "document.getElementById('lines').toDataURL()"
    tab.until("document.getElementById('neurons').drawn.length == 42")
    flowing = tab.evaluate(picture)
    tab.tab.get_by_label("weight", exact=True).first.check()
    tab.until(lambda: tab.evaluate(picture) != flowing)


# Training


def test_an_untouched_run_shows_the_hash_of_fit(show, digits):
    tab = show(digits_net(), digits)
    own = digits_net()
    own.fit(*digits[:2], epochs=3, batch_size=10, learning_rate=3.0, verbose=0)
    tab["pause-after"].fill("3")
    tab["pause-after"].press("Enter")
    tab["start"].click()
    tab.until_hash(own.hash())
    tab.until(lambda: tab.text("start") == "Start")
    assert tab.text("epoch") == "3 of 3" and tab.text("images-seen") == "1,800"
    accuracy = own.evaluate(*digits[2:]).accuracy
    tab.until(lambda: tab.text("accuracy") == f"{100 * accuracy:.2f}%")
    tab["undo"].click()
    tab.until_hash(digits_net().hash())


def grey(tab, canvas):
    """The 28 x 28 pixels that a canvas shows."""
    size = tab.evaluate("id => document.getElementById(id).clientWidth", canvas)
    places = [((column + 0.5) * size / 28, (row + 0.5) * size / 28) for row in range(28) for column in range(28)]
    return np.array(tab.pixels(canvas, places))[:, 0]


def test_what_it_sees_what_it_learns_from_and_the_curves_are_shown(show, digits):
    tab = show(digits_net(), digits)
    tab.draw()
    assert np.array_equal(grey(tab, "seen"), tab.last_input())
    tab["step"].click()
    tab.until(lambda: tab.text("images-seen") == "10")
    last = shuffled_rows(len(digits[0]), 0, 0)[9]
    tab.until(lambda: np.array_equal(grey(tab, "learnt"), digits[0][last]))
    tab["pause-after"].fill("5")
    tab["pause-after"].press("Enter")
    tab["start"].click()
    tab.until(lambda: tab.text("epoch") == "5 of 5" and tab.text("start") == "Start")
    accuracy = tab.page.net.evaluate(*digits[2:]).accuracy
    tab.until(lambda: tab.text("accuracy") == f"{100 * accuracy:.2f}%")
    assert [word["text"] for word in tab.words("curves")][-1] == "3,000 images"
    width, height = tab.evaluate("['clientWidth', 'clientHeight'].map(side => document.getElementById('curves')[side])")
    right, top, bottom = width - 40, 8, height - 18
    places = [(right - 0.5, bottom - (bottom - top) * accuracy + offset) for offset in (-1, 0, 1)]
    tab.until(lambda: any(map(is_blue, tab.pixels("curves", places))))


def test_every_speed_steps_pauses_and_a_reset_while_running(show, digits):
    tab = show(digits_net(), digits)
    tab.evaluate("""() => {
        window.rates = [];
        new MutationObserver(() => rates.push(document.getElementById("rate").textContent))
            .observe(document.getElementById("rate"), { childList: true, characterData: true, subtree: true });
    }""")
    tab["step"].click()
    tab.until(lambda: tab.text("images-seen") == "10")
    tab["pause-after"].fill("100000")
    tab["pause-after"].press("Enter")
    tab["speed"].select_option("1")
    tab["start"].click()
    tab.until(lambda: tab.text("start") == "Pause")
    for speed in ("1", "10", "100", "1000", "0"):
        tab["speed"].select_option(speed)
        seen = tab.text("images-seen")
        tab.until(lambda seen=seen: tab.text("images-seen") != seen)
    tab["fresh"].click()
    tab.until(lambda: tab.text("start") == "Start" and tab.text("images-seen") == "0")
    tab.until_hash(digits_net().hash())
    tab["seed"].fill("4")
    tab["seed"].press("Enter")
    tab.until_hash(digits_net(seed=4).hash())
    tab["start"].click()
    tab.until(lambda: tab.text("images-seen") not in ("0", ""))
    tab["start"].click()
    tab.until(lambda: tab.text("start") == "Start")
    rates = [float(rate.replace(",", "")) for rate in tab.evaluate("rates")]
    assert rates and min(rates) >= 0 and max(rates) > 0


def test_layers_and_activation_make_another_network_and_wrong_ones_are_marked(show, digits):
    tab = show(digits_net(), digits)
    tab["layers"].fill("12-8-6")
    tab["layers"].press("Enter")
    tab.until(lambda: tab.text("subtitle").startswith("784-12-8-6-10 "))
    tab["activation"].select_option("tanh")
    tab.until(lambda: tab.page.net.layer_activations[:3] == ("tanh",) * 3)
    tab.until(lambda: "its layer's largest" in tab.text("activation-key"))
    tab["layers"].fill("12-x")
    tab["layers"].press("Enter")
    assert tab["layers"].get_attribute("aria-invalid") == "true"
    assert tab.page.net.layer_sizes == (784, 12, 8, 6, 10)
    assert tab.evaluate("[...document.getElementById('activation').options].map(o => o.value)") == [
        name for name, row in fastmlp.ACTIVATIONS.items() if name != "softmax" and getattr(row, "hidden", True)
    ]


def test_cells_of_the_confusion_matrix_open_their_images(show, digits):
    tab = show(digits_net(), digits)
    tab.until("document.getElementById('confusion').getContext('2d').getImageData(40, 40, 1, 1).data[3] > 0")
    answers = np.argmax(tab.page.net.forward(digits[2]), axis=1)
    row, column = int(digits[3][0]), int(answers[0])
    box = tab["confusion"].bounding_box()
    place = {
        side: 14 + (box[length] - 14) * (k + 0.5) / 10 for side, length, k in (("x", "width", column), ("y", "height", row))
    }
    tab["confusion"].click(position=place)
    buttons = tab["image-list"].locator("button")
    tab.until(lambda: buttons.count() == min(60, np.sum((digits[3] == row) & (answers == column))))
    buttons.first.click()
    first = np.flatnonzero((digits[3] == row) & (answers == column))[0]
    tab.until(lambda: tab.inputs() and np.array_equal(tab.last_input(), digits[2][first]))


@pytest.mark.parametrize("width", [1366, 390])
def test_counts_of_three_digits_are_read_in_both_themes(show, digits, width):
    x, y, x_test, y_test = digits
    net = digits_net()
    net.fit(x, y, epochs=5, batch_size=10, learning_rate=3.0, verbose=0)
    x_test, y_test = np.tile(x_test, (9, 1)), np.tile(y_test, 9)
    tab = show(net, (x, y, x_test, y_test), viewport={"width": width, "height": 768}, color_scheme="light")
    tab.until(lambda: len(tab.words("confusion")) > 20)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (y_test, net.predict(x_test)), 1)
    for theme in ("light", "dark"):
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        words = [word for word in tab.words("confusion") if min(word["left"], word["top"]) > 14]
        assert [int(word["text"]) for word in words] == [*counts[counts > 0]]
        large = [word for word in words if len(word["text"]) == 3]
        assert large and min(word["bottom"] - word["top"] for word in large) >= 7  # of the figures themselves
        above = [((word["left"] + word["right"]) / 2, word["top"] - 1.5) for word in words]
        for word, cell in zip(words, tab.pixels("confusion", above)):
            figure = [int(word["colour"][i : i + 2], 16) for i in (1, 3, 5)]
            light, dark = sorted((luminance(figure), luminance(cell)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.3, (theme, word, cell)
        tab["theme"].click()


def luminance(colour):
    """As the Web Content Accessibility Guidelines have it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_divergence_is_told_and_undone(show, digits):
    net = fastmlp.MLP([784, 8, 10], activation="relu", output_activation="identity", seed=0, input_scale=255, task="classes")
    before = net.hash()
    tab = show(net, digits, viewport={"width": 390, "height": 844})
    tab["learning-rate"].fill("1e30")
    tab["learning-rate"].press("Enter")
    tab["start"].click()
    tab.until(lambda: "diverged" in tab.text("banner"))
    undo = tab["banner"].get_by_role("button", name="Undo")
    assert undo.evaluate("e => e.scrollWidth <= e.clientWidth")  # there is room for its word
    undo.click()
    tab.until_hash(before)
    assert tab["banner"].is_hidden()


def test_an_end_stays_told_when_a_divergence_is_over_by_then(show, digits):
    net = fastmlp.MLP([784, 8, 10], activation="relu", output_activation="identity", seed=0, input_scale=255, task="classes")
    tab = show(net, digits, allow_errors=True)
    with Tab(tab.page) as other:
        other.order("settings", learning_rate=1e30)
        other.order("train", running=True)
        tab.until(lambda: "diverged" in tab.text("banner"))
        tab.hold_frames()
        other.order("undo")
        other.until(lambda known: not known["status"]["diverged"])
    tab.until("held.length")
    tab.page.close()
    tab.until(lambda: "ended" in tab.text("banner"))
    tab.release_frames()
    assert tab["banner"].is_visible() and "ended" in tab.text("banner")


# Other networks


def moons():
    rng = np.random.default_rng(0)
    angle, half = rng.uniform(0, 3.1, 200), rng.integers(0, 2, 200)
    x = np.column_stack([np.cos(angle) * (1 - 2 * half) + half, np.sin(angle) * (1 - 2 * half) + 0.3 * half])
    return x, half


@fastmlp.activation
def steep(z):
    return 1.0 if z > 0 else 0.0


def random_data(n_in, targets):
    return np.random.default_rng(0).normal(0, 1, (60, n_in)), targets


SHAPES = {
    "plane": lambda: (fastmlp.MLP([2, 8, 2], activation="tanh", loss="cross_entropy", seed=1), moons()),
    "binary": lambda: (fastmlp.MLP([2, 4, 1], loss="binary_cross_entropy", seed=1), moons()),
    "regression": lambda: (fastmlp.MLP([4, 6, 1], activation="tanh", seed=0), random_data(4, np.linspace(0, 9, 60))),
    "labels": lambda: (fastmlp.MLP([5, 6, 3], loss="binary_cross_entropy", seed=0),
                       random_data(5, np.random.default_rng(1).integers(0, 2, (60, 3)).astype(float))),
    "rows": lambda: (fastmlp.MLP([300, 30, 3], loss="cross_entropy", seed=0), random_data(300, np.arange(60) % 3)),
    "eight by eight": lambda: (fastmlp.MLP([64, 12, 10], loss="cross_entropy", seed=0),
                               random_data(64, np.arange(60) % 10)),
    "no hidden layer": lambda: (fastmlp.MLP([784, 10], loss="cross_entropy", seed=0, input_scale=255), None),
    "deep": lambda: (digits_net(24, 20, 16, 12, 8), None),
    "blocks": lambda: (fastmlp.MLP([784, 100, 40, 10], activation="relu", loss="cross_entropy", seed=0, input_scale=255), None),
    "large": lambda: (fastmlp.MLP([784, 512, 512, 10], activation="relu", loss="cross_entropy", seed=0, input_scale=255), None),
    "heat map": lambda: (fastmlp.MLP([784, 4200, 10], activation="identity", loss="cross_entropy", seed=0, input_scale=255), None),
    "custom": lambda: (digits_net(6, activation=steep), None),
}  # fmt: skip


RING = """() => {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--highlight");
    return probe.fillStyle;
}"""


@pytest.mark.parametrize("shape", SHAPES)
def test_other_networks_are_shown_as_they_are(show, shape):
    net, data = SHAPES[shape]()
    tab = show(net, data)
    kind = subject.inputs(net, data and subject.as_data(data))["kind"]
    if kind == "pad":
        tab.draw([(0.3, 0.2), (0.7, 0.8)])
    elif kind == "plane":
        tab["pad"].click(position={"x": 60, "y": 90})
    elif kind == "sliders":
        tab["input-0"].press("End")
    else:
        tab["row-index"].fill("3")
        tab["row-index"].press("Enter")
    tab.until(lambda: tab.inputs() and tab.last_input().any() and tab.shows(net.activations(tab.last_input())))
    words = tab.text("answer")
    assert words and "undefined" not in words and "NaN" not in words
    expected = {"binary": "for yes", "regression": "output", "labels": "above 50%", "plane": "then"}
    assert expected.get(shape, "") in words
    if shape in ("blocks", "large", "heat map"):
        assert tab.text("lines-note").startswith("the strongest ")
    assert tab.text("seen-name") == ("images seen" if kind == "pad" else "samples seen")
    assert tab["accuracy"].is_visible() == (shape != "regression")
    if shape == "labels":
        ringed = [one["text"] for one in tab.words("neurons") if one["colour"] == tab.evaluate(RING)]
        (outputs,) = net.forward(tab.last_input()[None])
        assert [text for text in ringed if "label" in text] == [f"label {i}" for i in np.flatnonzero(outputs > 0.5)]
    last = len(net.layer_sizes) - 1
    tab.pick(last, 0)
    tab.until(lambda: tab.text("neuron-title") == "Output 0" and tab.text("sum").startswith("for "))
    if shape == "large":
        tab.pick(1, 100)
        tab.until(
            lambda: tab.text("neuron-title") == "Hidden layer 1, neuron 100" and tab["bias-number"].input_value() == "0"
        )
    if shape == "custom":
        assert "no derivative" in tab.text("why-not") and tab["start"].is_disabled()


def test_blocks_lie_within_the_picture_and_the_answer_has_its_ring_there_too(show):
    net = fastmlp.MLP([100, 1000, 900], loss="cross_entropy", seed=0)
    tab = show(net)
    tab.draw([(0.3, 0.2), (0.7, 0.8)])
    tab.until(lambda: tab.shows(net.activations(tab.last_input())))
    x, y = np.array([(one["x"], one["y"]) for one in tab.drawn.values()]).T
    box = tab["diagram"].bounding_box()
    assert x.min() > 0 and x.max() < box["width"] and y.min() > 0 and y.max() < box["height"]
    (winner,) = net.predict(tab.last_input()[None])
    one = tab.drawn[2, winner]
    assert [224, 161, 0] in tab.pixels("neurons", [(one["x"] - offset / 2, one["y"]) for offset in range(40)])


def test_numbers_of_samples_are_written_with_few_digits(show):
    net = fastmlp.MLP([4, 6, 2], seed=0)
    tab = show(net, (random_data(4, None)[0], np.full((60, 2), [1 / 3, 2])))
    tab["example"].click()
    tab.until(lambda: tab.text("answer").endswith("outputs (it is 0.3333, 2)"))


def test_what_it_sees_is_orange_where_it_is_negative(show):
    net = fastmlp.MLP([64, 5, 3], loss="cross_entropy", seed=0)
    tab = show(net, (-np.ones((60, 64)), np.arange(60) % 3))
    tab["example"].click()
    tab.until(lambda: tab.pixels("seen", [(30, 30)]) == [[255, 138, 61]])


def test_as_many_sliders_are_seen_as_there_is_room_for(show):
    tab = show(fastmlp.MLP([11, 4, 2], loss="cross_entropy", seed=0))
    tab.until(lambda: tab["input-10"].is_visible())
    assert tab.evaluate("(e => e.scrollHeight - e.clientHeight)(document.getElementById('sliders'))") == 0
    many = show(fastmlp.MLP([50, 4, 2], loss="cross_entropy", seed=0))
    many.until(lambda: many["input-49"].is_visible())
    bottom, top = many["sliders"].bounding_box(), many["answer"].bounding_box()["y"]
    assert bottom["y"] + bottom["height"] <= top and many.evaluate("document.scrollingElement.scrollHeight") <= 768


def test_what_is_no_number_is_said_and_shown_in_its_colour(show, digits):
    net = digits_net(6)
    net.biases[0][2] = np.nan
    tab = show(net, digits)
    tab.draw()
    tab.until(lambda: tab["answer"].locator("strong").text_content() == "NaN")
    assert tab.drawn[1, 2]["value"] is None
    (pixel,) = tab.pixels("neurons", [(tab.drawn[1, 2]["x"], tab.drawn[1, 2]["y"])])
    assert pixel[0] > 150 and pixel[1] < 130 and pixel[2] > 150


def test_negative_activations_are_orange_and_large_ones_scaled_by_their_layer(show, digits):
    net = digits_net(6, activation="tanh")
    tab = show(net, digits)
    tab.draw()
    x = tab.last_input()
    tab.until(lambda: tab.shows(net.activations(x)))
    values = net.activations(x)[1].astype(float)
    for neuron, value in enumerate(values):
        one = tab.drawn[1, neuron]
        (pixel,) = tab.pixels("neurons", [(one["x"], one["y"])])
        share = abs(value) / np.abs(values).max()
        expected = np.array([255, 255, 255] if value >= 0 else [255, 138, 61]) * share
        assert np.abs(np.array(pixel) - expected).max() <= 1.5


def test_an_optimizer_is_chosen_undone_and_redone(show, digits):
    tab = show(digits_net(), digits)
    names = tab["optimizer"].locator("option").all_text_contents()
    assert names == [*fastmlp.optimizers.OPTIMIZERS, "momentum"]
    own = digits_net()
    own.fit(*digits[:2], epochs=1, batch_size=10, optimizer="adam", learning_rate=0.01, verbose=0)
    tab["optimizer"].select_option("adam")
    tab.until(lambda: tab["learning-rate"].input_value() == "0.001")
    assert tab["learning-rate"].get_attribute("title") == "The default of adam is 0.001"
    for field, value in (("learning-rate", "0.01"), ("pause-after", "1")):
        tab[field].fill(value)
        tab[field].press("Enter")
    tab["start"].click()
    tab.until_hash(own.hash())
    for button, optimizer, rate in (("undo", "adam", "0.01"), ("undo", "sgd", "3"), ("redo", "adam", "0.01")):
        tab[button].click()
        tab.until(lambda: (tab["optimizer"].input_value(), tab["learning-rate"].input_value()) == (optimizer, rate))


# Tabs, connections, files


def test_two_tabs_share_the_network_and_each_keeps_its_drawing(show, digits):
    one = show(digits_net(), digits)
    other = show(page=one.page)
    one.draw()
    other.draw([(0.5, 0.1), (0.5, 0.9)])
    assert not np.array_equal(one.last_input(), other.last_input())
    one.pick(1, 0)
    one["bias-number"].fill("3")
    one["bias-number"].press("Enter")
    net = one.page.net
    one.until(lambda: net.biases[0][0] == 3)
    one.until_hash(net.hash()), other.until_hash(net.hash())
    for tab in (one, other):
        tab.until(lambda tab=tab: tab.shows(net.activations(tab.last_input())))


def test_a_hidden_tab_is_sent_nothing_new_until_it_is_seen_again(show, digits):
    tab = show(digits_net(), digits)
    tab.hold_frames()
    with Tab(tab.page) as other:
        other.order("settings", pause_after=4)
        other.order("train", running=True)
        other.until(lambda known: known["status"]["epoch"] == 4)
        updates = [frame for frame in tab.received if isinstance(frame, bytes) and b'"update"' in frame[:40]]
        shown = tab.evaluate("document.body.dataset.version")
        assert tab.evaluate("held.length") <= 1 and len(updates) < 10
        tab.release_frames()
        tab.until(lambda: tab.text("epoch") == "4 of 4" and tab.evaluate("document.body.dataset.version") != shown)
        tab.until_hash(tab.page.net.hash())


def test_a_network_that_changes_under_a_hand_is_not_turned_and_gets_its_input(show, digits, tmp_path):
    tab = show(digits_net(), digits)
    tab.pick(2, 15)
    tab["bias-number"].fill("3")
    tab.hold_frames()
    other = fastmlp.MLP([64, 3, 10], loss="cross_entropy", seed=0)
    other.save(tmp_path / "other.npz")
    with Tab(tab.page) as loading:
        loading.load((tmp_path / "other.npz").read_bytes())
        loading.until(lambda known: known["status"]["hash"] == other.hash())
    tab["bias-number"].press("Enter")  # of a neuron that is no more
    tab.draw()  # for inputs that are no more: there is no answer
    tab.release_frames()
    tab.until_hash(other.hash())
    tab.until(lambda: tab.inputs() and len(tab.last_input()) == 64 and tab.shows(other.activations(tab.last_input())))
    assert tab.text("connection") == "connected"


def test_what_was_open_or_held_when_the_network_changed_does_nothing(show, digits, tmp_path):
    """An image of a cell that was opened before is no input any more; a number typed before, and a pen, have no weight to set."""
    tab = show(digits_net(), digits)
    small = fastmlp.MLP([64, 3, 10], loss="cross_entropy", seed=0)
    small.save(tmp_path / "small.npz")
    tab.until(lambda: len(tab.words("confusion")) > 20)
    tab["confusion"].focus()
    answers = np.argmax(tab.page.net.forward(digits[2]), axis=1)
    for _ in range(answers[0]):
        tab.tab.keyboard.press("ArrowRight")
    for _ in range(digits[3][0]):
        tab.tab.keyboard.press("ArrowDown")
    tab.tab.keyboard.press("Enter")
    tab.until("document.getElementById('images').open")
    with Tab(tab.page) as other:
        other.load((tmp_path / "small.npz").read_bytes())
        tab.until_hash(small.hash())
        tab["image-list"].locator("button").first.click()
        tab.draw([(0.3, 0.2), (0.7, 0.8)])
        tab.until(lambda: len(tab.last_input()) == 64 and tab.last_input().any())
        other.order("undo")
        tab.until_hash(digits_net().hash())
        tab.pick(1, 2)
        tab["bias-number"].click()
        tab.tab.keyboard.type("1")
        other.order("rebuild", hidden_sizes=[5], activation="relu", seed=0)
        tab.until(lambda: tab.text("subtitle").startswith("784-5-10 "))
        tab.tab.keyboard.press("Tab")
        other.order("undo")
        tab.until_hash(digits_net().hash())
        tab.pick(1, 2)
        tab["paint"].check()
        box = tab["weights"].bounding_box()
        tab.tab.mouse.move(box["x"] + 40, box["y"] + 40)
        tab.tab.mouse.down()
        other.until(lambda known: known["status"]["undo"] == "change of weights")
        other.order("rebuild", hidden_sizes=[5], activation="relu", seed=0)
        tab.until(lambda: tab.text("subtitle").startswith("784-5-10 "))
        tab.tab.mouse.move(box["x"] + 90, box["y"] + 40, steps=4)
        tab.tab.mouse.up()
        tab.until(lambda: tab.text("neuron-title") == "A neuron")
    assert tab.text("connection") == "connected"


def test_the_plane_shows_no_neuron_of_the_network_before(show):
    net, data = SHAPES["plane"]()
    tab = show(net, data)
    tab.until("document.getElementById('neurons').drawn.length")
    picture = "document.getElementById('pad').toDataURL()"
    first = tab.evaluate(picture)
    tab.hover(1, 7)
    tab.until(lambda: tab.evaluate(picture) != first)
    with Tab(tab.page) as other:
        other.order("rebuild", hidden_sizes=[3, 3], activation="tanh", seed=0)
        tab.until(lambda: tab.text("subtitle").startswith("2-3-3-2 "))
        other.order("undo")
        tab.until(lambda: tab.text("subtitle").startswith("2-8-2 "))
    tab.tab.mouse.move(2, 2)
    tab.until(lambda: tab.evaluate(picture) == first)


def test_two_tabs_turns_are_two_steps_of_undo(show, digits):
    one = show(digits_net(), digits)
    other = show(page=one.page)
    net, hashes = one.page.net, []
    for tab, neuron in ((one, 2), (other, 3)):
        hashes.append(net.hash())
        tab.until_hash(hashes[-1])
        tab.pick(1, neuron)
        tab["bias-number"].fill("1.5")
        tab["bias-number"].press("Enter")
        tab.until(lambda: net.biases[0][neuron] == 1.5)
    for expected in reversed(hashes):
        other.until(lambda: other["undo"].is_enabled())
        other["undo"].click()
        other.until_hash(expected)


def test_training_stops_after_the_last_tab_has_closed(show, digits):
    tab = show(digits_net(), digits, server={"left_alone": 0.1})
    page = tab.page
    tab["pause-after"].fill("1000000")
    tab["pause-after"].press("Enter")
    tab["start"].click()
    tab.until(lambda: tab.text("images-seen") not in ("0", ""))
    waiting = tab.tab.context.new_page()
    tab.tab.close()
    while page._room.training.running:
        waiting.wait_for_timeout(10)
    again = show(page=page)
    assert again.text("start") == "Start"


SERVER = """
    import sys, fastmlp
    from fastmlp.page import Page
    net = fastmlp.MLP([784, 5, 10], output_activation="sigmoid", seed=0, input_scale=255)
    page = Page(net, None, port=int(sys.argv[1]), loader=lambda: None, token=sys.argv[2])
    print(page.port, flush=True)
    page.wait()
"""


def test_a_server_that_is_killed_and_started_again_finds_the_drawing_kept(show):
    class Served:
        token = "t" * 32

        def start(self, port, token=token):
            self.process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(SERVER), str(port), token], stdout=subprocess.PIPE, text=True
            )
            self.port = int(self.process.stdout.readline())
            self.url = f"http://127.0.0.1:{self.port}/#token={self.token}"

        def kill(self):
            self.process.kill()
            self.process.communicate()

    served = Served()
    served.start(0)
    try:
        tab = show(page=served, allow_errors=True)
        tab.draw()
        drawing = tab.last_input()
        served.kill()
        tab.until(lambda: "lost" in tab.text("connection"))
        assert tab.evaluate("getComputedStyle(document.getElementById('network')).filter") == "grayscale(1)"
        inputs = len(tab.inputs())
        served.start(served.port)
        tab.until(lambda: tab.text("connection") == "connected")
        tab.until(lambda: len(tab.inputs()) > inputs and np.array_equal(tab.last_input(), drawing))
        assert tab["banner"].is_hidden() and tab["save"].is_enabled()
        served.kill()
        served.start(served.port, token="u" * 32)
        tab.until(lambda: "open the address that it printed" in tab.text("connection"))
    finally:
        served.kill()


def test_a_server_that_ends_is_told_and_the_drawing_kept(show, digits):
    tab = show(digits_net(), digits, allow_errors=True)
    tab.draw()
    tab.last_input()
    of_server = ["undo", "load", "save", "link", "example", "start", "step", "fresh"]
    tab["step"].click()
    tab.until(lambda: tab["undo"].is_enabled())
    assert all(tab[button].is_enabled() for button in of_server)
    tab.hold_frames()
    tab.page.refresh()
    tab.until("held.length")  # an update waits for its frame, which comes after the end
    tab.page.close()
    tab.until(lambda: "ended" in tab.text("connection"))
    tab.release_frames()
    tab["theme"].click()
    assert not any(tab[button].is_enabled() for button in of_server) and tab["legend-button"].is_enabled()
    assert tab.pixels("pad", [(0.45 * 236, 0.48 * 236)])[0] == [255, 255, 255]


def test_connecting_is_told_until_the_server_answers(show, digits):
    tab = show(digits_net(), digits)
    waiting = tab.tab.context.new_page()
    waiting.route_web_socket("**/socket", lambda socket: None)
    waiting.goto(tab.page.url)
    assert waiting.locator("#connection").text_content() == "connecting"
    assert waiting.evaluate("getComputedStyle(document.getElementById('network')).filter") == "grayscale(1)"


def test_a_browser_that_greets_too_late_tries_again(show, digits, monkeypatch):
    page = show(digits_net(), digits).page
    monkeypatch.setattr("fastmlp.page.server.HELLO_WITHIN", -1)
    tab = show(page=page, wait=False)
    tab.until(lambda: "trying again" in tab.text("connection"))
    monkeypatch.setattr("fastmlp.page.server.HELLO_WITHIN", 20)
    tab.until(lambda: tab.text("connection") == "connected")


def test_a_wrong_token_is_told(show, digits):
    page = show(digits_net(), digits).page

    class WithoutToken:
        port, url = page.port, f"http://127.0.0.1:{page.port}/"

    tab = show(page=WithoutToken, wait=False)
    tab.until(lambda: "open the address that it printed" in tab.text("connection"))


def test_a_network_is_saved_and_loaded_and_damaged_files_are_refused(show, digits, tmp_path):
    tab = show(digits_net(), digits)
    with tab.tab.expect_download() as download:
        tab["save"].click()
    assert download.value.suggested_filename == "fastmlp-784-16-16-10.npz"
    download.value.save_as(tmp_path / "saved.npz")
    assert fastmlp.MLP.load(tmp_path / "saved.npz").hash() == tab.page.net.hash()
    other = fastmlp.MLP([784, 7, 10], loss="cross_entropy", seed=3, input_scale=255)
    other.save(tmp_path / "other.npz")
    tab["file"].set_input_files(tmp_path / "other.npz")
    tab.until_hash(other.hash())
    assert tab.text("subtitle").startswith("784-7-10 ")
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:-99])
    tab["file"].set_input_files(tmp_path / "damaged.npz")
    tab.until(lambda: "cannot be loaded" in tab.text("banner"))
    assert str(tmp_path) not in tab.text("banner") and tab.hash == other.hash()
    with open(tmp_path / "large.npz", "wb") as file:
        file.truncate(2**25)
    tab["file"].set_input_files(tmp_path / "large.npz")
    tab.until(lambda: "too large" in tab.text("banner"))
    tab["undo"].click()
    tab.until_hash(digits_net().hash())


@pytest.mark.parametrize("dtype, huge", [("float32", "1e39"), ("float64", "1e308")])
def test_numbers_that_the_network_cannot_hold_are_marked_and_not_sent(show, digits, dtype, huge):
    tab = show(digits_net(dtype=dtype), digits, fragment="&learning_rate=1e39&batch_size=0&steps_per_second=7&pause_after=-1")
    before, holds = tab.page.net.hash(), dtype == "float64"
    tab.until(lambda: tab["learning-rate"].input_value() == ("1e+39" if holds else "3"))
    assert tab["batch-size"].input_value() == "10"
    tab.pick(1, 2)
    for field in ("learning-rate", "batch-size", "factor", "paint-value", "bias-number", "weight-number"):
        tab[field].fill(huge)
        tab[field].press("Enter")
    tab["paint"].check()
    tab["scale"].click()
    tab["weights"].click(position={"x": 90, "y": 90})
    assert tab["batch-size"].get_attribute("aria-invalid") == "true"
    for field in ("learning-rate", "factor", "paint-value"):
        assert tab[field].get_attribute("aria-invalid") == str(not holds).lower()
    tab["step"].click()
    tab.until(lambda: tab.text("images-seen") == "10")
    assert tab.text("connection") == "connected"
    if not holds:
        tab["undo"].click()
        tab.until_hash(before)
        assert tab["undo"].is_disabled()


def test_a_link_carries_settings_and_hides_panels(show, digits):
    tab = show(digits_net(), digits)
    tab["optimizer"].select_option("rmsprop")
    tab.until(lambda: tab["learning-rate"].input_value() == "0.001")
    tab["learning-rate"].fill("0.5")
    tab["learning-rate"].press("Enter")
    tab["layers"].fill("9")
    tab["layers"].press("Enter")
    tab.until(lambda: tab.text("subtitle").startswith("784-9-10 "))
    tab["link"].click()
    tab.tab.get_by_label("neuron", exact=True).check()
    link = tab["link-text"].input_value()
    fragment = link.partition("#token=" + tab.page.token)[2]
    other = show(digits_net(), digits, fragment=fragment)
    other.until(lambda: other.text("subtitle").startswith("784-9-10 ") and other["learning-rate"].input_value() == "0.5")
    assert other["optimizer"].input_value() == "rmsprop"
    assert other["neuron"].is_hidden() and other["training"].is_visible()
    edges = [other[panel].bounding_box() for panel in ("network", "training")]
    assert {box["x"] + box["width"] for box in edges} == {1366 - 8}
    alone = show(page=other.page, fragment="&hide=neuron,training", viewport={"width": 820, "height": 1180})
    box = alone["network"].bounding_box()
    assert box["y"] + box["height"] == 1180 - 8  # down to the bottom
    # Where somebody has worked already, the link asks first.
    other["step"].click()
    other.until(lambda: other.text("images-seen") == "10")
    asked = show(page=other.page, fragment=fragment.replace("hidden=9", "hidden=4"))
    asked.until(lambda: "other settings" in asked.text("banner"))
    assert other.page.net.layer_sizes == (784, 9, 10)
    asked["banner"].get_by_role("button", name="Use them").click()
    asked.until(lambda: asked.text("subtitle").startswith("784-4-10 "))


# Keys, looks, accessibility


def test_everything_by_keyboard_alone(show, digits):
    tab = show(digits_net(), digits)
    keyboard = tab.tab.keyboard

    def tab_to(element_id):
        for _ in range(60):
            if tab.evaluate("document.activeElement.id") == element_id:
                return
            keyboard.press("Tab")
        raise AssertionError(f"{element_id} is not reached by Tab")

    tab_to("pad")
    keyboard.press("Space")
    for key in ["ArrowDown"] * 6 + ["ArrowRight"] * 4:
        keyboard.press(key)
    keyboard.press("Space")
    tab.until(lambda: tab.inputs() and np.array_equal(tab.last_input(), grey(tab, "seen")))
    net, drawn = tab.page.net, tab.last_input()
    assert drawn.any()
    tab.until(lambda: tab.shows(net.activations(drawn)))
    tab.until(lambda: tab.text("speak").startswith(tab["answer"].locator("strong").text_content() + ","))
    keyboard.press("Control+z")
    tab.until(lambda: not tab.last_input().any())
    keyboard.press("Control+Shift+Z")
    tab.until(lambda: np.array_equal(tab.last_input(), drawn))
    tab_to("diagram")
    tab.until(lambda: tab.text("speak-neuron").startswith("hidden layer 1, neuron 0:"))
    assert not is_grey(tab)  # its weights times the drawing
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Home", "ArrowDown"):
        keyboard.press(key)
    tab.until(lambda: tab.text("speak-neuron").startswith("hidden layer 2, neuron 1:"))
    assert is_grey(tab)
    keyboard.press("Enter")
    assert tab.text("neuron-title") == "Hidden layer 2, neuron 1"
    tab_to("weights")
    keyboard.press("ArrowDown")
    tab_to("bias")
    keyboard.press("ArrowRight")
    before = digits_net().hash()
    tab.until(lambda: tab.hash != before and tab.hash == net.hash())
    tab_to("step")
    keyboard.press("Enter")
    tab.until(lambda: tab.text("images-seen") == "10")
    tab.until(lambda: tab.words("confusion"))
    tab_to("confusion")
    keyboard.press("ArrowRight")
    assert re.fullmatch(r"0 taken for 1: \d+", tab.text("speak-neuron"))
    keyboard.press("Enter")
    tab.until("document.getElementById('images').open")
    keyboard.press("Escape")
    tab.until("!document.getElementById('images').open")
    tab_to("diagram")
    for key in ("ArrowLeft", "ArrowLeft", "Home", "Enter"):
        keyboard.press(key)
    assert tab.text("neuron-title") == "Hidden layer 1, neuron 0"
    tab_to("paint")
    keyboard.press("Space")
    tab_to("weights")
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        keyboard.press(key)
    chosen = [int(number) for number in tab.text("weight-label").removeprefix("weight ").split(", ")]
    tab.until(lambda: net.weights[0][28 * chosen[0] + chosen[1], 0] == 1)


def is_grey(tab):
    """Whether the pad shows a drawing, and no weights."""
    side = tab["pad"].bounding_box()["width"] - 2
    rng = np.random.default_rng(0)
    return all(red == blue for red, _, blue in tab.pixels("pad", rng.uniform(0, side, (200, 2)).tolist()))


def test_screen_readers_hear_the_answer_at_most_once_a_second(show, digits):
    tab = show(digits_net(), digits)
    tab.evaluate("""() => {
        window.heard = [];
        const speak = document.getElementById("speak");
        const hear = () => heard.push([performance.now(), speak.textContent]);
        new MutationObserver(hear).observe(speak, { childList: true });
    }""")
    rng = np.random.default_rng(0)
    while len(tab.evaluate("heard")) < 3:
        tab.draw(rng.uniform(0.2, 0.8, (3, 2)))
    times = [time for time, _ in tab.evaluate("heard")]
    assert min(np.diff(times)) > 950


def test_axe_finds_nothing_in_both_themes(show, digits):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    tab = show(digits_net(), digits, color_scheme="dark")
    tab.draw()
    tab.pick(1, 0)
    tab["step"].click()
    tab.until(lambda: tab.text("images-seen") == "10")
    for theme in ("dark", "light"):
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        assert axe.run(tab.tab).response["violations"] == []
        for button in ("legend-button", "link"):
            tab[button].click()
            assert axe.run(tab.tab).response["violations"] == []
            tab.tab.keyboard.press("Escape")
        tab["theme"].click()
    tab.allow_errors = True
    tab.page.close()
    tab.until(lambda: "ended" in tab.text("connection"))
    for theme in ("dark", "light"):
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        assert axe.run(tab.tab).response["violations"] == []
        tab["theme"].click()


@pytest.mark.parametrize("width, height, ratio", [(1366, 768, 1), (820, 1180, 1), (390, 844, 1), (683, 384, 2)])
def test_it_fits_every_screen(show, digits, width, height, ratio):
    tab = show(digits_net(), digits, viewport={"width": width, "height": height}, device_scale_factor=ratio)
    tab.draw()
    tab.pick(1, 0)
    tab["step"].click()
    tab.until(lambda: tab.text("images-seen") == "10")
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
    overflowing = """
        [...document.querySelectorAll("main > section, .controls, .fields, #numbers, .tools, #neuron-body, button, input")]
            .filter((e) => e.clientWidth && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1))
            .map((e) => e.id || e.className)"""
    assert tab.evaluate(overflowing) == []
    tab.evaluate("scrollTo(0, 0)")
    bottom = {
        name: tab[name].bounding_box()["y"] + tab[name].bounding_box()["height"] for name in ("pad", "diagram", "training")
    }
    if width == 1366:
        assert tab.evaluate("document.scrollingElement.scrollHeight") <= height and bottom["training"] <= height
    if ratio == 1:  # pad and network are seen together
        assert max(bottom["pad"], bottom["diagram"]) <= height


@pytest.mark.parametrize("width, height", [(1366, 768), (820, 1180), (390, 844)])
def test_the_banner_covers_nothing(show, digits, width, height):
    viewport = {"width": width, "height": height}
    tab = show(digits_net(), digits, fragment="&batch_size=20", viewport=viewport, allow_errors=True)
    tab.until(lambda: tab["batch-size"].input_value() == "20")
    pad = tab["pad"].bounding_box()
    tab.page.close()
    tab.until(lambda: "ended" in tab.text("banner"))
    banner = tab["banner"].bounding_box()
    assert banner["x"] >= 0 and banner["x"] + banner["width"] <= width
    assert banner["y"] >= 0 and banner["y"] + banner["height"] <= height
    for part in ("header", "#input", "#network", "#neuron", "#training"):
        box = tab.tab.locator(part).bounding_box()
        assert box["y"] + box["height"] <= banner["y"] or banner["y"] + banner["height"] <= box["y"], part
    tools, seen = (tab.tab.locator(part).bounding_box() for part in (".tools", ".seen-and-answer"))
    assert tools["y"] + tools["height"] <= seen["y"]  # there is less room for these
    if width == 1366:
        assert tab.evaluate("document.scrollingElement.scrollHeight") <= height and tab["pad"].bounding_box() == pad


def test_reduced_motion_replays_in_steps(show, digits):
    tab = show(digits_net(6), digits, reduced_motion="reduce")
    tab.draw()
    net, x = tab.page.net, tab.last_input()
    tab.until(lambda: tab.shows(net.activations(x)))
    tab.hold_frames()
    tab["replay"].click()
    for part in (0.5, 1.5):
        tab.frame(part * 1100)
        assert (tab.drawn[1, 0]["value"] > 0, tab.drawn[2, 0]["value"]) == (part > 1, 0)
    tab.frame(2 * 1100)
    assert tab.shows(net.activations(x))
