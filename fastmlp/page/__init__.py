"""The page in the browser: `fastmlp page`, or `fastmlp.page(net, data)` in Python (extra `page`).

server.py keeps the door, client.py is one tab, orders.py is what a tab may ask for, room.py is the network that all
tabs share, pacing.py trains it, subject.py knows what its numbers mean, protocol.py is how all of that travels, and
static/ is the page itself.
"""

import asyncio
import concurrent.futures
import contextlib
import sys
import threading
import types
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import digits
from ..datasets.digits import HELD_OUT_DIGITS, HELD_OUT_SEED, TRAINING_DIGITS, TRAINING_SEED
from ..network import MLP
from . import subject
from .room import Room
from .subject import Data

if TYPE_CHECKING:
    from . import server

DEFAULT_PORT = 8642
Loader = Callable[[], Any]  # of data, as as_data takes them, or None
Started = tuple[asyncio.AbstractEventLoop, asyncio.Event, Room, "server.Server"]


def start(net: MLP | None = None, data: Any = None, port: int = DEFAULT_PORT, open_browser: bool = True) -> "Page":
    """Serve a page for net and data in a thread of its own; returns the Page.

    net: an MLP, which the page changes as its user does; None is the network of `fastmlp train`, untrained.
    data: (x, y) or (x, y, x_test, y_test) to train on and to test with; None draws digits, if the network takes them.
    port: the first to try. open_browser: whether to open the page.
    Raises ImportError without the extra, and what MLP.fit raises for data that are wrong.
    """
    return Page(net, None if data is None else subject.as_data(data), port, open_browser)


def page(net: MLP | None = None, data: Any = None, port: int = DEFAULT_PORT, open_browser: bool = True) -> "Page | None":
    """Show net and data in a browser until Ctrl-C; where an event loop runs already, as in notebooks, return the Page.

    net, data, port and open_browser are those of fastmlp.page.start.
    """
    shown = start(net, data, port, open_browser)
    if _in_event_loop():
        return shown
    print(f"{shown.url}\nCtrl-C ends it.", file=sys.stderr, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        shown.wait()
    shown.close()
    return None


class Page:
    """A page that is being served: url is its address, net its network, close() ends it."""

    def __init__(self, net: MLP | None = None, data: Data | None = None, port: int = DEFAULT_PORT,
                 open_browser: bool = False, loader: Loader | None = None, **options: Any) -> None:  # fmt: skip
        """net, data, port, open_browser: as for start.

        loader() returns data that take time, or None; options are those of server.Server.
        """
        from .server import Server

        if net is None:
            net = MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, input_scale=255)
        if data is None and loader is None and (net.layer_sizes[0], net.layer_sizes[-1]) == (784, 10):
            loader = _digits
        started: concurrent.futures.Future[Started] = concurrent.futures.Future()
        serving = self._serve(Server, net, data, port, loader, options, started)
        self._thread = threading.Thread(target=asyncio.run, args=(serving,), daemon=True, name="fastmlp page")
        self._thread.start()
        self._loop, self._end, self._room, server = started.result()
        self.url, self.port, self.token = server.url, server.port, server.token
        if open_browser:
            webbrowser.open(self.url)

    async def _serve(self, server_class: "type[server.Server]", net: MLP, data: Data | None, port: int,
                     loader: Loader | None, options: dict[str, Any],
                     started: "concurrent.futures.Future[Started]") -> None:  # fmt: skip
        try:
            room, end = Room(net, data, is_loading=data is None and loader is not None), asyncio.Event()
            server = server_class(room, **options)
            await server.start(port)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            return started.set_exception(error)
        started.set_result((asyncio.get_running_loop(), end, room, server))
        loading = asyncio.create_task(_load(room, loader)) if room.is_loading and loader else None
        await end.wait()
        if loading:
            loading.cancel()
        await server.close()

    @property
    def net(self) -> MLP:
        """The network as it is now; another one once the page's user has changed its layers."""
        return self._room.net

    def refresh(self) -> None:
        """Show what your own code has changed in net.weights and net.biases."""
        self._loop.call_soon_threadsafe(self._room.changed)

    def wait(self) -> None:
        """Until the page is closed."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def close(self) -> None:
        """End the server; open tabs say so."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}" target="_blank">fastmlp page</a>'


async def _load(room: Room, loader: Loader) -> None:
    try:
        data = await asyncio.to_thread(loader)
        room.set_data(None if data is None else subject.as_data(data))
    except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
        print(f"fastmlp page: no data: {error}", file=sys.stderr)
        room.set_data(None)


def _digits() -> tuple[np.ndarray, ...]:
    """The data of `fastmlp train`."""
    return *digits(TRAINING_DIGITS, TRAINING_SEED), *digits(HELD_OUT_DIGITS, HELD_OUT_SEED)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _CallablePackage(types.ModuleType):
    """Makes `fastmlp.page(net, data)` the call of page in this package."""

    def __call__(self, *args: Any, **kwargs: Any) -> "Page | None":
        return page(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
