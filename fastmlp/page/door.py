"""What the server's door and the notebook's have in common: the room's training, and how a tab comes and goes."""

import asyncio
import sys

from . import pacing
from .client import Client, Connection
from .room import Room

LEFT_ALONE = 10  # seconds after the last tab has gone: training stops


class Door:
    """Lets tabs into a room."""

    def __init__(self, room: Room, left_alone: float = LEFT_ALONE) -> None:
        self.room, self.left_alone = room, left_alone
        self._leaving: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Let training run whenever it is asked for."""
        self.lock, self.room.wake = asyncio.Lock(), asyncio.Event()  # of this thread's loop
        self._training = asyncio.create_task(pacing.train(self.room, self.lock))
        self._training.add_done_callback(_tell_of_failure)

    async def shut(self) -> None:
        self.stay()
        async with self.lock:  # no slice is left half done
            self._training.cancel()

    async def serve(self, connection: Connection) -> None:
        """Serve a tab at the other end of a connection, until it goes."""
        self.stay()
        try:
            await Client(connection, self.room, self.lock).run()
        finally:
            if not self.room.clients:
                self.leave_later()
            self.room.notify()

    def leave_later(self) -> None:
        """Nobody is there: do what is due then, unless somebody comes before."""
        self.stay()
        self._leaving = asyncio.get_running_loop().call_later(self.left_alone, self.left)

    def stay(self) -> None:
        if self._leaving:
            self._leaving.cancel()

    def left(self) -> None:
        """Nobody has been there for a while."""
        self.room.pause()


def _tell_of_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None and "interpreter shutdown" not in str(task.exception()):
        print(f"fastmlp page: training failed: {task.exception()}", file=sys.stderr)
