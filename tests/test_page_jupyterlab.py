"""The widget in JupyterLab itself, in Chromium, with a kernel of its own: shown, drawn on, trained, undone, and read by a cell."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastmlp

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
for needed in ("anywidget", "ipykernel", "jupyterlab"):
    pytest.importorskip(needed, reason=f"{needed} is not installed")

from benchmarks.browser import ARGUMENTS, CHROMIUM, THREE  # noqa: E402

# Slow, as a JupyterLab and a kernel start for it.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

CELLS = [
    """import fastmlp
net = fastmlp.MLP([784, 8, 10], output_activation="sigmoid", seed=0, input_scale=255)
shown = fastmlp.page.widget(net, fastmlp.datasets.digits(300, 0))
shown""",
    "shown.net.hash()",
]
OPTIONS = [
    "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--ServerApp.log_level=ERROR",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]  # fmt: skip


def read(runtime):
    """What the server has written about itself so far."""
    return "".join(file.read_text() for file in runtime.glob("jpserver-*.json")).rstrip()


@pytest.fixture
def notebook(tmp_path):
    """The address of a notebook with CELLS, in a dark JupyterLab that has nothing of its user's."""
    cells = [
        dict(cell_type="code", id=str(i), metadata={}, source=s, execution_count=None, outputs=[])
        for i, s in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    settings = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    for folder in (tmp_path / "notebooks", settings):
        folder.mkdir(parents=True)
    (tmp_path / "notebooks" / "page.ipynb").write_text(json.dumps(content))
    (settings / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    own = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }  # fmt: skip
    checkout = str(Path(fastmlp.__file__).parents[1])
    environment = {**os.environ, **{name: str(tmp_path / folder) for name, folder in own.items()}, "PYTHONPATH": checkout}
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={tmp_path / 'notebooks'}"]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        while not (served := read(tmp_path / "runtime")).endswith("}"):
            assert server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.02)
        served = json.loads(served)
        yield f"{served['url']}lab/tree/page.ipynb?token={served['token']}"
    finally:
        server.terminate()  # it ends its kernels
        server.wait()


def test_the_widget_works_in_jupyterlab(notebook):
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1366, "height": 1000}, color_scheme="light")
        tab.set_default_timeout(60_000)
        errors = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(notebook)
        # A cell that is run while JupyterLab still asks the server for a session is cleared and counts as run, mostly in silence:
        # there is a kernel's name then, but no kernel (CodeCell.execute).
        tab.locator(".jp-StatusBar-Left", has_text="Python 3 (ipykernel) | Idle").wait_for()

        def run(cell):
            tab.locator(".jp-CodeCell").nth(cell).locator(".cm-content").click()
            tab.keyboard.press("Shift+Enter")

        run(0)
        page = tab.frame_locator("iframe[title=fastmlp]")

        def until(element_id, condition):
            """Wait for a condition on an element of the page, in JavaScript."""
            end = time.monotonic() + 60
            while not page.locator(f"#{element_id}").evaluate(f"element => {condition}"):
                assert time.monotonic() < end, f"waited in vain for {condition} of {element_id}; errors: {errors}"
                tab.wait_for_timeout(20)

        def shown_hash():
            return page.locator("#hash").get_attribute("data-hash")

        until("hash", "element.dataset.hash")  # which comes with what the kernel sends first
        assert page.locator("html").get_attribute("data-theme") == "dark"  # as the notebook is, not as the system
        first = shown_hash()
        page.locator("#pad").scroll_into_view_if_needed()
        box = page.locator("#pad").bounding_box()
        for k, (x, y) in enumerate(THREE):
            tab.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
            if k == 0:
                tab.mouse.down()
        tab.mouse.up()
        until("answer", "element.textContent.includes('then')")
        page.locator("#pause-after").fill("2")
        page.locator("#pause-after").press("Enter")
        page.locator("#start").click()
        until("epoch", "element.textContent === '2 of 2'")
        until("start", "element.textContent === 'Start'")
        trained = shown_hash()
        page.locator("#undo").click()
        until("hash", f"element.dataset.hash === '{first}'")
        page.locator("#redo").click()
        until("hash", f"element.dataset.hash === '{trained}'")
        run(1)
        tab.locator(f".jp-OutputArea-output:has-text('{trained}')").wait_for()
        for key in ("Escape", "0", "0"):  # restarts the kernel
            tab.keyboard.press(key)
        # A server that is told to end while it restarts a kernel never does (InvalidStateError in jupyter_client's shutdown).
        with tab.expect_response(lambda response: response.url.partition("?")[0].endswith("/restart")):
            tab.locator(".jp-Dialog button.jp-mod-warn").click()
        until("connection", "element.textContent.startsWith('the server has ended')")
        assert errors == []
        browser.close()
    own = fastmlp.MLP([784, 8, 10], output_activation="sigmoid", seed=0, input_scale=255)
    assert own.hash() == first
    x, y = fastmlp.datasets.digits(300, 0)
    own.fit(x[:-30], y[:-30], epochs=2, batch_size=10, learning_rate=3.0, verbose=0)
    assert own.hash() == trained
