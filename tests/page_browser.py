"""The page in Chromium for tests: one tab, what it shows and what it sent, and all that must never happen there."""

import itertools
import time

import numpy as np
from page_client import parse

from benchmarks.browser import THREE

CANVASES = ["neurons", "curves", "confusion", "weights"]  # on which words are written
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation",
    (event) => violations.push(event.violatedDirective + " " + event.blockedURI));
const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
Object.assign(CanvasRenderingContext2D.prototype, {
    clearRect(...box) {
        this.canvas.words = [];
        clearRect.apply(this, box);
    },
    fillText(text, x, y) {
        const size = this.measureText(text), left = x - size.actualBoundingBoxLeft;
        this.canvas.words.push({ text: String(text), colour: this.fillStyle, left, right: x + size.actualBoundingBoxRight,
            top: y - size.actualBoundingBoxAscent, bottom: y + size.actualBoundingBoxDescent });
        fillText.call(this, text, x, y);
    },
});
"""


class BrowserTab:
    """A tab of the page, open and connected."""

    def __init__(self, context, page, fragment="", allow_errors=False, wait=True):
        self.page, self.allow_errors = page, allow_errors
        self.tab = context.new_page()
        self.console, self.requests, self.sent, self.received = [], [], [], []
        self.tab.add_init_script(WATCH)
        self.tab.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.console.append(f"error: {error} {error.stack}"))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("websocket", self._listen)
        self.tab.goto(page.url + fragment)
        if wait:
            self.until("document.body.dataset.version")

    def _listen(self, socket):
        socket.on("framesent", lambda frame: self.sent.append(frame))
        socket.on("framereceived", lambda frame: self.received.append(frame))

    def check(self):
        """Nothing went wrong, and nothing went elsewhere."""
        if self.tab.is_closed():
            return
        own = (f"http://127.0.0.1:{self.page.port}/", f"blob:http://127.0.0.1:{self.page.port}/")
        assert [url for url in self.requests if not url.startswith(own)] == []
        assert self.evaluate("violations") == [], self.console
        assert [self.unreadable(canvas) for canvas in CANVASES] == [[]] * len(CANVASES)
        if not self.allow_errors:
            assert [text for text in self.console if "willReadFrequently" not in text] == []  # these tests read canvases

    def words(self, canvas):
        """What was written on a canvas: [{"text", "colour", "left", "top", "right", "bottom"}]."""
        return self.evaluate("id => document.getElementById(id).words ?? []", canvas)

    def unreadable(self, canvas):
        """The words on a canvas that reach out of it, or into the next ones."""
        words = self.words(canvas)
        script = "id => ['clientWidth', 'clientHeight'].map(side => document.getElementById(id)[side])"
        width, height = self.evaluate(script, canvas)
        if not width:
            return []

        def is_outside(one):
            return min(one["left"], one["top"]) < -0.5 or one["right"] > width + 0.5 or one["bottom"] > height + 0.5

        def overlap(one, other):
            is_beside = one["right"] <= other["left"] or other["right"] <= one["left"]
            return not is_beside and one["top"] < other["bottom"] and other["top"] < one["bottom"]

        outside = [one["text"] for one in words if is_outside(one)]
        overlapping = [(one["text"], other["text"]) for one, other in itertools.combinations(words, 2) if overlap(one, other)]
        return outside + overlapping

    def evaluate(self, expression, argument=None):
        return self.tab.evaluate(expression, argument)

    def until(self, condition, seconds=60):
        """Wait for a JavaScript expression, or a function here, to hold; its value."""
        end = time.monotonic() + seconds
        while not (value := condition() if callable(condition) else self.evaluate(condition)):
            assert time.monotonic() < end, f"waited in vain for {condition}; the console says {self.console}"
            self.tab.wait_for_timeout(10)
        return value

    def __getitem__(self, element_id):
        return self.tab.locator(f"#{element_id}")

    def text(self, element_id):
        return self[element_id].text_content().strip()

    @property
    def hash(self):
        return self["hash"].get_attribute("data-hash")

    def until_hash(self, expected):
        self.until(lambda: self.hash == expected)

    # The network

    @property
    def drawn(self):
        """{(layer, neuron): {"x", "y", "value", "colour"}} of what the canvas shows; NaN is null."""
        found = self.evaluate(
            "document.getElementById('neurons').drawn.map(n => ({...n, value: isFinite(n.value) ? n.value : null}))"
        )
        return {(one["layer"], one["neuron"]): one for one in found}

    def shows(self, activations):
        """Whether every circle drawn has its number."""
        drawn = self.drawn
        return len(drawn) > 0 and all(
            one["value"] == float(activations[layer][neuron]) for (layer, neuron), one in drawn.items() if layer > 0
        )

    def pixels(self, canvas, places):
        """The colours [r, g, b] of a canvas at places in CSS pixels."""
        script = """([id, places]) => {
            const canvas = document.getElementById(id), ratio = canvas.width / canvas.clientWidth;
            const context = canvas.getContext("2d"), pixel = (length) => Math.floor(length * ratio);
            return places.map(([x, y]) => [...context.getImageData(pixel(x), pixel(y), 1, 1).data].slice(0, 3));
        }"""
        return self.evaluate(script, [canvas, places])

    def hover(self, layer, neuron):
        one = self.drawn[layer, neuron]
        self["diagram"].hover(position={"x": one["x"], "y": one["y"]})

    def pick(self, layer, neuron):
        one = self.drawn[layer, neuron]
        self["diagram"].click(position={"x": one["x"], "y": one["y"]})

    # The pad

    def draw(self, points=THREE):
        box = self["pad"].bounding_box()
        places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
        self.tab.mouse.move(*places[0])
        self.tab.mouse.down()
        for place in places[1:]:
            self.tab.mouse.move(*place)
        self.tab.mouse.up()

    def inputs(self):
        """The inputs that were sent, as arrays, by their sequence numbers."""
        frames = [parse_sent(frame) for frame in self.sent if isinstance(frame, bytes)]
        return {header["sequence"]: values for header, values in frames if header["type"] == "input"}

    def answers(self):
        """The activations that came back at once, by their sequence numbers."""
        frames = [parse(frame) for frame in self.received if isinstance(frame, bytes)]
        return {frame["sequence"]: frame["activations"] for frame in frames if frame["type"] == "activations"}

    def last_input(self):
        """The last input, once it has been answered and the page, which reads answers in its own time, has sent none after it."""

        def is_answered():
            last = max(self.inputs(), default=None)
            if last not in self.answers():
                return False
            self.evaluate("0")
            return last == max(self.inputs())

        self.until(is_answered)
        return self.inputs()[max(self.inputs())]

    # Time

    def hold_frames(self):
        """Nothing that waits for a frame of the screen comes to its turn, as in a hidden tab; and the clock stands at 0."""
        self.evaluate("""() => {
            window.held = [];
            window.before = [window.requestAnimationFrame, performance.now];
            window.requestAnimationFrame = (draw) => held.push(draw);
            performance.now = () => 0;
        }""")

    def frame(self, milliseconds=0):
        """Let what waits for a frame have one, at this time of the clock."""
        self.evaluate("time => held.splice(0).forEach((draw) => draw(time))", milliseconds)

    def release_frames(self):
        self.evaluate("() => { [window.requestAnimationFrame, performance.now] = before; }")
        self.frame()


def parse_sent(frame):
    import json
    import struct

    (length,) = struct.unpack_from("<I", frame)
    header = json.loads(frame[4 : 4 + length])
    return header, np.frombuffer(frame[4 + length :], {"u1": "u1", "f8": "<f8"}.get(header.get("dtype"), "u1"))
