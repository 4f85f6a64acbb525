"""How fast the page answers, and what it costs training: `python -m benchmarks.page [--seconds S]`, with Chromium and
playwright.

Stroke to drawn: from the time stamp of a pen's event to when every neuron has been drawn for an input that holds it, in
a headless Chromium on the same cores; idle, and while the network trains at full speed. Training: images a second with
the page open, in shares of MLP.fit's.
"""

import argparse
import math
import time

import numpy as np
from playwright.sync_api import sync_playwright

import fastmlp
from fastmlp.page import Page, subject

from .browser import ARGUMENTS, CHROMIUM

BATCH_SIZE, LEARNING_RATE = 10, 0.1
NETWORKS = {
    "784-16-16-10 sigmoid": dict(layer_sizes=[784, 16, 16, 10], output_activation="sigmoid", input_scale=255),
    "784-512-512-10 relu": dict(layer_sizes=[784, 512, 512, 10], activation="relu", loss="cross_entropy", input_scale=255),
}

# An event waits for the first input sent after it; its time ends when that input's answer is handled, and so drawn.
WATCH = """
(() => {
  const pending = [], sent = new Map();
  window.latencies = [];
  let sequence = 0;
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (typeof data !== "string") sent.set(++sequence, performance.now());
    return send.call(this, data);
  };
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...args) {
      super(...args);
      setTimeout(() => this.addEventListener("message", ({ data }) => {
        if (typeof data === "string") return;
        const length = new DataView(data).getUint32(0, true);
        const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
        if (header.type !== "activations") return;
        const now = performance.now(), begun = sent.get(header.sequence);
        while (pending.length && pending[0] <= begun) latencies.push(now - pending.shift());
      }));
    }
  };
  addEventListener("pointerrawupdate", (event) => event.buttons && pending.push(event.timeStamp), true);
})();
"""


def stroke(tab, seconds):
    """Latencies in milliseconds of a pen that moves for some seconds."""
    tab.evaluate("latencies.length = 0")
    box = tab.locator("#pad").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    end, k = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        tab.locator("#clear").click()
        tab.mouse.move(*middle)
        tab.mouse.down()
        for _ in range(80):
            k += 1
            reach = 0.38 * box["width"] * math.sin(k / 90)
            tab.mouse.move(middle[0] + reach * math.cos(k / 12), middle[1] + reach * math.sin(k / 12))
        tab.mouse.up()
    tab.wait_for_timeout(200)
    return np.array(tab.evaluate("latencies"))


def percentiles(latencies):
    p50, p95 = np.percentile(latencies, [50, 95])
    return f"p50 {p50:5.1f} ms   p95 {p95:5.1f} ms   of {len(latencies)}"


def library_speed(net, data, seconds):
    """Images a second of MLP.fit."""
    began, images = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        net.fit(data.x, data.y, 1, BATCH_SIZE, LEARNING_RATE, verbose=0)
        images += len(data.x)
    return images / (time.perf_counter() - began)


def page_speed(page, seconds):
    def seen():
        return page._room.position.images_seen

    begun, before = time.perf_counter(), seen()
    time.sleep(seconds)
    return (seen() - before) / (time.perf_counter() - begun)


def processor_seconds(browser):
    """What a browser and all its processes have taken of the processors."""
    session = browser.new_browser_cdp_session()
    found = sum(process["cpuTime"] for process in session.send("SystemInfo.getProcessInfo")["processInfo"])
    session.detach()
    return found


def training_speeds(browser, tab, page, options, data, seconds):
    """(images a second of the page, of MLP.fit, processors that the browser took), in three rounds by turns.

    Both go on from the same parameters, as sigmoids that saturate slow training down.
    """
    alone, rounds = fastmlp.MLP(seed=0, **options), []
    for _ in range(3):
        tab.locator("#start").click()
        tab.wait_for_timeout(1500)
        took = processor_seconds(browser)
        of_page = page_speed(page, seconds / 3)
        took = (processor_seconds(browser) - took) / (seconds / 3)
        tab.locator("#start").click()
        tab.wait_for_timeout(200)
        alone.parameters[...] = page.net.parameters
        rounds.append((of_page, library_speed(alone, data, seconds / 3), took))
    return sorted(rounds, key=lambda one: one[0] / one[1])[1]


def measure(browser, name, options, data, seconds):
    print(f"\n{name}")
    page = Page(fastmlp.MLP(seed=0, **options), data, port=0)
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    tab = context.new_page()
    tab.add_init_script(WATCH)
    began = time.perf_counter()
    tab.goto(page.url)
    while not tab.evaluate("document.body.dataset.version"):
        pass
    print(f"  there after           {time.perf_counter() - began:.2f} s")
    stroke(tab, 1)
    print(f"  stroke to drawn, idle {percentiles(stroke(tab, seconds))}")
    for field, value in (("learning-rate", str(LEARNING_RATE)), ("pause-after", "1000000")):
        tab.locator(f"#{field}").fill(value)
        tab.locator(f"#{field}").press("Enter")
    of_page, of_fit, took = training_speeds(browser, tab, page, options, data, seconds)
    print(f"  training, page open   {of_page:,.0f} images a second, {100 * of_page / of_fit:.0f}% of fit's {of_fit:,.0f}")
    print(f"  meanwhile, the browser takes {took:.2f} processors")
    tab.locator("#start").click()
    tab.wait_for_timeout(1000)
    print(f"  stroke, training      {percentiles(stroke(tab, seconds))}")
    context.close()
    page.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement")
    arguments = parser.parse_args()
    data = subject.as_data(fastmlp.datasets.digits(30_000, 0) + fastmlp.datasets.digits(2_000, 1))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, options in NETWORKS.items():
            measure(browser, name, options, data, arguments.seconds)
        browser.close()


if __name__ == "__main__":
    main()
