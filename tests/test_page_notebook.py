"""The page as a widget: its frame in Chromium, a notebook around it that is as little as anywidget needs, and no network."""

import base64
import queue
import threading
import time

import numpy as np
import pytest

import fastmlp

pytest.importorskip("anywidget")
pytest.importorskip("websockets")


from page_client import frame, parse

import fastmlp.page
from benchmarks.browser import ARGUMENTS, CHROMIUM, THREE
from fastmlp.page.notebook import Widget
from fastmlp.random_streams import shuffled_rows

NOTEBOOK, DARK = "http://notebook.test/", '<!doctype html><body style="background: #111; color: #eee">'
MODEL = """async ([source, traits]) => {
    const view = (await import("data:text/javascript;base64," + source)).default, receivers = {};
    const model = {
        get: (name) => traits[name],
        send: (content, callbacks, buffers) => toKernel(content, (buffers ?? []).map((bytes) => [...bytes])),
        on: (name, receiver) => (receivers[name] ??= new Set()).add(receiver),
        off: (name, receiver) => receivers[name].delete(receiver),
    };
    window.fromKernel = (content, buffers) => {
        const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
        receivers["msg:custom"].forEach((receiver) => receiver(content, views));
    };
    window.restartKernel = () => receivers["comm_live_update"].forEach((receiver) => receiver());
    window.leave = view.render({ model, el: document.body });
}"""


@pytest.fixture(scope="module")
def digits():
    return fastmlp.datasets.digits(300, 0) + fastmlp.datasets.digits(100, 1)


@pytest.fixture
def sent(monkeypatch):
    """What widgets send, in order: (content, buffers)."""
    sent = queue.Queue()
    monkeypatch.setattr(Widget, "send", lambda widget, content, buffers=None: sent.put((content, buffers or [])))
    return sent


@pytest.fixture
def widget(sent, digits):
    net = fastmlp.MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, input_scale=255)
    widget = fastmlp.page.widget(net, digits)
    yield widget
    widget.close()


def test_views_are_answered_as_tabs_are(widget, sent, digits):
    image = digits[0][0]

    def received(view, kind):
        while True:
            content, buffers = sent.get(timeout=20)
            message = parse(buffers[0]) if buffers else content["message"]
            if content["view"] == view and (kind in message if buffers == [] else message["type"] == kind):
                return message

    def say(view, text=None, content=None):
        widget._handle_custom_msg({"view": view, **({"text": text} if text else {})}, [content] if content else [])

    for view in ("a", "b"):
        say(view, '{"type": "hello", "token": ""}')
        update = received(view, "update")
        assert update["parameters"].tobytes() == widget.net.parameters.tobytes()
    say("b", content=memoryview(frame({"type": "input", "sequence": 1, "dtype": "u1"}, image.tobytes())))
    expected = np.concatenate(widget.net.activations(image))
    assert received("b", "activations")["activations"].tobytes() == expected.tobytes()
    say("b", '{"type": "nonsense"}')
    assert received("b", "closed")["closed"]["code"] == 1008
    assert len(widget._host._room.clients) == 1


def test_what_was_under_way_when_a_view_was_closed_opens_it_no_more(widget, sent):
    def say(view, text):
        widget._handle_custom_msg({"view": view, "text": text}, [])

    say("a", '{"type": "hello"}')
    say("a", "nonsense")
    while "closed" not in sent.get(timeout=20)[0].get("message", ()):
        pass
    widget._handle_custom_msg({"view": "a"}, [frame({"type": "input", "sequence": 1, "dtype": "u1"}, bytes(784))])
    for late in ('{"type": "ack"}', '{"type": "step"}', "{"):
        say("a", late)
    say("b", '{"type": "hello"}')
    assert sent.get(timeout=20)[0]["view"] == "b" and len(widget._host._room.clients) == 1


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_frame_draws_trains_and_ends_without_the_network(widget, sent):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        tab = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS).new_page()
        console, requests = [], []
        tab.on("console", lambda message: console.append(message.text))
        tab.on("pageerror", lambda error: console.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.route(NOTEBOOK, lambda route: route.fulfill(body=DARK, content_type="text/html"))
        tab.goto(NOTEBOOK)
        views = []

        def to_kernel(content, buffers):
            views.append(content["view"])
            widget._handle_custom_msg(content, [bytes(b) for b in buffers])

        tab.expose_function("toKernel", to_kernel)
        traits = {"document": widget.document, "height": widget.height}
        tab.evaluate(MODEL, [base64.b64encode(Widget._esm.encode()).decode(), traits])
        inside = tab.frames[1]

        def until(condition):
            for _ in range(3000):
                for _ in range(sent.qsize()):
                    content, buffers = sent.get()
                    buffers = [base64.b64encode(buffer).decode() for buffer in buffers]
                    tab.evaluate("([content, buffers]) => fromKernel(content, buffers)", [content, buffers])
                if condition():
                    return
                tab.wait_for_timeout(10)
            raise AssertionError(f"waited in vain; the console says {console}")

        def text(element_id):
            return inside.locator(f"#{element_id}").text_content()

        until(lambda: inside.evaluate("document.body?.dataset.version"))
        assert inside.evaluate("document.documentElement.dataset.theme") == "dark"  # as the notebook is
        box = inside.locator("#pad").bounding_box()
        places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in THREE]
        tab.mouse.move(*places[0])
        tab.mouse.down()
        for place in places[1:]:
            tab.mouse.move(*place)
        tab.mouse.up()
        until(lambda: "then" in text("answer"))
        inside.locator("#step").click()
        until(lambda: text("images-seen") == "10")
        until(lambda: inside.locator("#hash").get_attribute("data-hash") == widget.net.hash())
        assert inside.locator("#save").is_visible() and inside.locator("#link").is_hidden()
        assert inside.evaluate("fetch('http://127.0.0.1:1/').then(() => 1, () => 0)") == 0
        assert [line for line in console if "Content Security Policy" not in line and "Fetch API" not in line] == []
        assert len(console) > 0  # of the one request, which the policy forbids

        def move():
            """Take the frame out and put it back: it loads again."""
            tab.evaluate("document.body.appendChild(document.createElement('div')).append(document.querySelector('iframe'))")
            until(lambda: tab.frames[1] is not inside and tab.frames[1].evaluate("document.body?.dataset.version"))
            return tab.frames[1]

        inside = move()  # another view of the same network, in place of the one before
        inside.locator("#step").click()
        until(lambda: text("images-seen") == "20")
        until(lambda: inside.locator("#hash").get_attribute("data-hash") == widget.net.hash())
        assert len(widget._host._room.clients) == 1
        # A notebook that its browser keeps for going back to it keeps its view; one that is left for good takes it along.
        tab.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
        inside.locator("#step").click()
        until(lambda: text("images-seen") == "30")
        tab.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: false }))")
        until(lambda: not widget._host._room.clients)
        inside = move()
        assert all(url == NOTEBOOK or url.startswith("data:") for url in requests)
        widget._host.close()
        until(lambda: text("connection").startswith("the server has ended"))
        # What a kernel has still said comes to nothing once it has restarted.
        tab.evaluate("restartKernel()")
        tab.evaluate(
            "content => fromKernel(content, [])", {"view": views[-1], "message": '{"type": "refused", "text": "late"}'}
        )
        tab.wait_for_timeout(100)
        assert text("connection").startswith("the server has ended")


def test_the_thread_of_a_widget_that_nobody_sees_rests_until_somebody_does(widget, sent):
    def say(**content):
        widget._handle_custom_msg({"view": "a", **content}, [])

    def until(condition):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.005)

    host, threads = widget._host, threading.active_count()
    host.door.left_alone = 0.05
    say(text='{"type": "hello"}')
    say(text='{"type": "settings", "optimizer": "adam"}')
    say(text='{"type": "step"}')
    until(lambda: host._room.position.images_seen == 10)
    say(gone=True)
    until(lambda: not host._thread.is_alive())
    assert threading.active_count() < threads
    host.door.left_alone = 1000
    say(text='{"type": "hello"}')
    say(text='{"type": "step"}')
    until(lambda: host._room.position.images_seen == 20)
    assert len(host._room.clients) == 1
    net = fastmlp.MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, input_scale=255)
    data = fastmlp.datasets.digits(300, 0)
    rows = shuffled_rows(300, 0, 0)[:20]
    net.fit(data[0][rows], data[1][rows], epochs=1, batch_size=10, optimizer="adam", shuffle=False, verbose=0)
    assert widget.net.hash() == net.hash()


def test_nothing_follows_the_farewell(widget, sent):
    """An update that is due in the very turn of the loop that ends it would tell the view that it is connected."""
    room, end = widget._host._room, widget._host._end
    widget._handle_custom_msg({"view": "a", "text": '{"type": "hello"}'}, [])
    sent.get(timeout=20)
    time.sleep(0.1)  # so that the next update need not wait for its time

    def end_with_an_update(set_end=end.set):
        set_end()
        for client in room.clients:
            client.changed.set()
            client.acknowledged.set()

    end.set = end_with_an_update
    widget.close()
    said = [content for content, _ in sent.queue]
    assert said[-1] == {"view": "a", "message": {"closed": {"code": 1001}}}


def test_training_stops_when_the_last_view_has_gone(widget, sent):
    room, door = widget._host._room, widget._host.door
    door.left_alone = 0.05
    widget._handle_custom_msg({"view": "a", "text": '{"type": "hello"}'}, [])
    widget._handle_custom_msg({"view": "a", "text": '{"type": "settings", "pause_after": 1000000}'}, [])
    widget._handle_custom_msg({"view": "a", "text": '{"type": "train", "running": true}'}, [])
    while not room.training.running:
        time.sleep(0.005)
    widget._handle_custom_msg({"view": "a", "gone": True}, [])
    while room.training.running:
        time.sleep(0.005)
    assert not room.clients
