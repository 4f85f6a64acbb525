"""A room and its door in a thread of its own, whose event loop owns the network; data that take time come later."""

import asyncio
import concurrent.futures
import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..datasets import digits
from ..datasets.digits import HELD_OUT_DIGITS, HELD_OUT_SEED, TRAINING_DIGITS, TRAINING_SEED
from ..network import MLP
from . import subject
from .room import Room

Loader = Callable[[], Any]  # of data, as as_data takes them, or None
Started = tuple[asyncio.AbstractEventLoop, asyncio.Event, Room, Any]


class Host:
    """Whatever shows a network on a page: net is its network, close() ends it."""

    def __init__(
        self, net: MLP | None, data: subject.Data | None, loader: Loader | None, make_door: Callable[[Room], Any]
    ) -> None:
        """net: an MLP, or None for that of `fastmlp train`, untrained. data: Data; if None, those that loader() returns, or drawn
        digits if the network takes them. make_door(room): the Door, whose start() and close() are coroutines.
        """
        if net is None:
            net = MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, input_scale=255)
        if data is None and loader is None and (net.layer_sizes[0], net.layer_sizes[-1]) == (784, 10):
            loader = _digits
        if data is not None:
            subject.require_fit(net, data)
        started: concurrent.futures.Future[Started] = concurrent.futures.Future()
        serving = self._serve(net, data, loader, make_door, started)
        self._thread = threading.Thread(target=asyncio.run, args=(serving,), daemon=True, name="fastmlp page")
        self._thread.start()
        self._loop, self._end, self._room, self.door = started.result()

    async def _serve(self, net: MLP, data: subject.Data | None, loader: Loader | None,
                     make_door: Callable[[Room], Any], started: "concurrent.futures.Future[Started]") -> None:  # fmt: skip
        try:
            room, end = Room(net, data, is_loading=data is None and loader is not None), asyncio.Event()
            door = make_door(room)
            await door.start()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            return started.set_exception(error)
        started.set_result((asyncio.get_running_loop(), end, room, door))
        loading = asyncio.create_task(_load(room, loader)) if room.is_loading and loader else None
        await end.wait()
        if loading:
            loading.cancel()
        await door.close()

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
        """End it; open tabs say so."""
        with contextlib.suppress(RuntimeError):  # of a loop that has ended: another thread has closed it
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


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
