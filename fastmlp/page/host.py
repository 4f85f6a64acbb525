"""A room and its door in a thread of its own, whose event loop owns the network; data that take time come later. Of a widget
that nobody sees the thread rests, for cells are run again, and what they made before stays."""

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..datasets import WHITE, digits
from ..datasets.digits import HELD_OUT_DIGITS, HELD_OUT_SEED, TRAINING_DIGITS, TRAINING_SEED
from ..network import MLP
from . import subject
from .room import Room

Loader = Callable[[], Any]  # of data, as as_data takes them, or None
Started = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Host:
    """Whatever shows a network on a page: net is its network, close() ends it."""

    def __init__(
        self, net: MLP | None, data: subject.Data | None, loader: Loader | None, make_door: Callable[[Room], Any]
    ) -> None:
        """net: an MLP, or None for that of `fastmlp train`, untrained. data: Data; if None, those that loader() returns, or drawn
        digits if the network takes them. make_door(room): the Door, whose start() and close() are coroutines.
        """
        if net is None:
            net = lesson_network()
        takes_digits = (net.layer_sizes[0], net.layer_sizes[-1], net.task) == (784, 10, "classes")
        if data is None and loader is None and takes_digits:
            loader = _digits
        self._room, self._loader = Room(net, data, is_loading=data is None and loader is not None), loader
        if self._room.misfit:
            raise self._room.misfit
        self.door = make_door(self._room)
        self._lock, self._is_closed = threading.Lock(), False
        self._begin()

    def _begin(self) -> None:
        started: concurrent.futures.Future[Started] = concurrent.futures.Future()
        serving = self._serve(started)
        self._thread = threading.Thread(target=asyncio.run, args=(serving,), daemon=True, name="fastmlp page")
        self._thread.start()
        self._loop: asyncio.AbstractEventLoop | None
        self._loop, self._end = started.result()

    async def _serve(self, started: "concurrent.futures.Future[Started]") -> None:
        try:
            await self.door.start()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            return started.set_exception(error)
        end, loading = asyncio.Event(), None
        started.set_result((asyncio.get_running_loop(), end))
        if self._room.is_loading and self._loader:
            loading = asyncio.create_task(_load(self._room, self._loader))
        await end.wait()
        if loading:
            loading.cancel()
        await self.door.close()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the thread, which begins again if it rests."""
        with self._lock:
            if self._is_closed:
                return
            if self._loop is None:
                self._thread.join()  # it may be about to end
                self._begin()
            assert self._loop
            self._loop.call_soon_threadsafe(function, *arguments)

    def rest(self) -> None:
        """End the thread, of which this is called, until the next call."""
        with self._lock:
            self._loop = None
        self._end.set()

    @property
    def net(self) -> MLP:
        """The network as it is now; another one once the page's user has changed its layers."""
        return self._room.net

    def refresh(self) -> None:
        """Show what your own code has changed in net.weights and net.biases."""
        self.call(self._room.changed)

    def wait(self) -> None:
        """Until the page is closed."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def close(self) -> None:
        """End it; open tabs say so."""
        with self._lock:
            if self._loop and not self._is_closed:
                self._loop.call_soon_threadsafe(self._end.set)
            self._is_closed = True
        self._thread.join()


def lesson_network(**options: Any) -> MLP:
    """The network of `fastmlp train`, untrained. options: backend and n_threads of MLP."""
    return MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, input_scale=WHITE, **options)


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
