"""The page in a notebook (extra `notebook`): its own files in a frame, which speaks with the kernel through anywidget alone.

No server runs, and nothing listens: the frame's policy forbids it every request, and its messages go through view.js.
"""

import asyncio
import base64
import re
from collections.abc import Callable
from importlib import resources
from typing import Any

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError('fastmlp.page.widget needs anywidget; install it with: pip install "fastmlp[notebook]"') from error

from ..network import MLP
from . import protocol
from .door import Door
from .host import Host
from .protocol import BadMessage
from .room import Room
from .subject import Data

POLICY = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data:"
IN_PLACE_OF = {"socket.js": "port.js"}  # modules of the page, in notebooks

STATIC = resources.files(__package__).joinpath("static")


def document() -> str:
    """The page as one HTML document, whose modules find each other by an import map."""

    def read(name: str) -> str:
        return STATIC.joinpath(name).read_text("utf-8")

    names = [file.name for file in STATIC.iterdir() if file.name.endswith(".js") and file.name != "theme.js"]
    imports = {}
    for name in names:
        text = re.sub(r'from "\./', 'from "fastmlp/', read(IN_PLACE_OF.get(name, name)))
        imports[f"fastmlp/{name}"] = "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()
    parts = {
        '<meta charset="utf-8">': f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<link rel="icon" href="/icon.svg">': "",
        '<link rel="stylesheet" href="/style.css">': f"<style>{read('style.css')}</style>",
        '<script src="/theme.js"></script>': f"<script>{read('theme.js')}</script>",
        '<script type="module" src="/main.js"></script>': f'<script type="importmap">{protocol.to_json({"imports": imports})}'
        '</script><script type="module">import "fastmlp/main.js";</script>',
        'tabindex="-1" autofocus>': 'tabindex="-1">',  # a frame may not take the focus by itself
        "<body ": '<body class="no-link" ',
    }
    page = read("index.html")
    for part, other in parts.items():
        assert page.count(part) == 1, part
        page = page.replace(part, other)
    return page


class Connection:
    """A view's end, as Client speaks with it: messages that come, and send(message)."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._send = send

    def receive(self, message: str | bytes | None) -> None:
        """message: text or bytes, or None when the view has gone."""
        self._messages.put_nowait(message)

    async def send(self, message: str | bytes) -> None:
        self._send(message)

    def __aiter__(self) -> "Connection":
        return self

    async def __anext__(self) -> str | bytes:
        message = await self._messages.get()
        if message is None:
            raise StopAsyncIteration
        if len(message) > protocol.LARGEST_MESSAGE:
            raise BadMessage("a message is too large")
        return message


class Views(Door):
    """Lets the views of a widget in. send(content, buffers) is the widget's; rest() is called when they have gone for a while.

    A view that ends without a word, as its browser does, counts as there until training ends by itself: its silence is that of a
    view whose kernel runs a cell, or whose browser has put a hidden tab to sleep.
    """

    def __init__(self, room: Room, send: Callable[..., None], rest: Callable[[], None]) -> None:
        super().__init__(room)
        self._send, self._rest = send, rest
        self._connections: dict[str, Connection] = {}
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.open()
        self.leave_later()

    def left(self) -> None:
        super().left()
        self._rest()

    async def close(self) -> None:
        await self.shut()
        views = list(self._connections)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for view in views:  # this is the last that they hear
            self._say(view, {"closed": {"code": 1001}})

    def receive(self, view: str, message: str | bytes | None) -> None:
        """Take what a view sent; it is served from its greeting on."""
        if view in self._connections:
            self._connections[view].receive(message)
        elif _is_greeting(message):  # and nothing that was under way when it was closed
            self._connections[view] = Connection(lambda sent: self._say(view, sent))
            task = asyncio.create_task(self._talk(view))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _talk(self, view: str) -> None:
        try:
            await self.serve(self._connections[view])
        except BadMessage as error:
            self._say(view, {"closed": {"code": 1008, "reason": str(error)}})
        finally:
            del self._connections[view]

    def _say(self, view: str, message: Any) -> None:
        if isinstance(message, bytes):
            self._send({"view": view}, [message])
        else:
            self._send({"view": view, "message": message})


def _is_greeting(message: str | bytes | None) -> bool:
    try:
        return isinstance(message, str) and protocol.parse_order(message)["type"] == "hello"
    except BadMessage:
        return False


class Widget(anywidget.AnyWidget):
    """The page as a widget: net is its network, refresh() shows what your code has changed, close() ends it."""

    _esm = STATIC.joinpath("view.js").read_text("utf-8")
    document = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(720).tag(sync=True)

    def __init__(self, net: MLP | None = None, data: Data | None = None, height: int = 720) -> None:
        super().__init__(document=document(), height=height)
        self._host = Host(net, data, None, lambda room: Views(room, self.send, lambda: self._host.rest()))
        self.on_msg(self._receive)

    @property
    def net(self) -> MLP:
        """The network as it is now; another one once its user has changed its layers."""
        return self._host.net

    def refresh(self) -> None:
        """Show what your own code has changed in net.weights and net.biases."""
        self._host.refresh()

    def close(self) -> None:
        """End it; views say so."""
        self._host.close()
        super().close()

    def _receive(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        message = None if content.get("gone") else content["text"] if "text" in content else bytes(buffers[0])
        self._host.call(self._host.door.receive, content["view"], message)
