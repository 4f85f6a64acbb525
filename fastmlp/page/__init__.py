"""The page in the browser: `fastmlp page`, or `fastmlp.page(net, data)` in Python (extra `page`), `fastmlp.page.widget(net,
data)` in notebooks (extra `notebook`).

host.py keeps it in a thread, server.py and notebook.py are its doors, door.py what these have in common, client.py is one
tab, orders.py is what a tab may ask for, room.py is the network that all tabs share, twin.py trains it and pacing.py says
when, subject.py knows what its numbers mean, protocol.py is how all of that travels, and static/ is the page itself.
"""

import asyncio
import contextlib
import sys
import types
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..containers import describe
from ..network import MLP
from ..validation import flag, integer
from . import subject
from .host import Host
from .subject import Data

if TYPE_CHECKING:
    from .notebook import Widget

DEFAULT_PORT = 8642


def start(net: MLP | None = None, data: Any = None, port: int = DEFAULT_PORT, open_browser: bool = True) -> "Page":
    """Serve a page for net and data in a thread of its own; returns the Page.

    net: an MLP, which the page changes as its user does; None is the network of `fastmlp train`, untrained.
    data: (x, y) or (x, y, x_test, y_test) to train on and to test with; None draws digits, if the network takes them.
    port: the first to try, integer from 0 (any that is free) to 65535. open_browser: whether to open the page.
    Raises ImportError without the extra, ValueError or TypeError, naming the argument, and what MLP.fit raises for data that are
    wrong.
    """
    port, open_browser = integer("port", port, 0, 65536), flag("open_browser", open_browser)
    return Page(*_shown(net, data), port, open_browser)


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


def widget(net: MLP | None = None, data: Any = None, height: int = 720) -> "Widget":
    """The page as a widget for notebooks, which needs no port, and works wherever widgets do.

    net, data: as for fastmlp.page.start. height: of the widget, in pixels, integer >= 1.
    Its frame reaches the kernel alone. ipykernel 7 answers it while a cell runs, too, where JupyterLab gives widgets a subshell, as
    it does by itself; ipykernel 6 answers between cells: while one runs, the page waits.
    Raises as fastmlp.page.start does.
    """
    from .notebook import Widget

    return Widget(*_shown(net, data), integer("height", height, 1))


def _shown(net: object, data: Any) -> tuple[MLP | None, Data | None]:
    """net and data as Host takes them."""
    if net is not None and not isinstance(net, MLP):
        raise TypeError(f"net must be a fastmlp.MLP, or None for that of `fastmlp train`, not {describe(net)}")
    return net, None if data is None else subject.as_data(data)


class Page(Host):
    """A page that is being served: url is its address, net its network, close() ends it."""

    def __init__(self, net: MLP | None = None, data: Data | None = None, port: int = DEFAULT_PORT,
                 open_browser: bool = False, loader: Callable[[], Any] | None = None, **options: Any) -> None:  # fmt: skip
        """net, data, port, open_browser: as for start.

        loader() returns data that take time, or None; options are those of server.Server.
        """
        from .server import Server

        super().__init__(net, data, loader, lambda room: Server(room, port, **options))
        self.url, self.port, self.token = self.door.url, self.door.port, self.door.token
        if open_browser:
            webbrowser.open(self.url)

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}" target="_blank">fastmlp page</a>'


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
