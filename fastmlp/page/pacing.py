"""When training runs: in a thread, in slices short enough for a pen to feel none of it, at the speed that was asked for."""

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .room import Room, Test
from .twin import Slice

SLICE = 0.002  # seconds of training while a pen draws or turns knobs
LONG_SLICE = 0.08  # while none has done so for a second
EXAMINED_EVERY, EXAMINED_WITHIN = 0.03, 3.0  # seconds
EXAMINATION_SHARE, FIRST_SHARE, FIRST = 50, 16, 20  # of the time at most a 50th; for the curves' first points a 16th
RATE_WINDOW = 0.5
IDLE = 0.2  # seconds between looks at whether an examination is due


async def train(room: Room, lock: asyncio.Lock) -> None:
    """Train room whenever it is running, until cancelled. lock: held while the network changes."""
    pacer = _Pacer(room)
    with ThreadPoolExecutor(1) as pool:
        while True:
            if not room.training.running:
                pacer.rest()
                await _examine(room, lock, pool, pacer)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(room.wake.wait(), IDLE)
                room.wake.clear()
                continue
            steps, pause = pacer.next()
            if steps:
                async with lock:
                    if room.training.running:
                        await _slice(room, steps, pool, pacer)
            await _examine(room, lock, pool, pacer)
            if pause or not steps:
                await asyncio.sleep(pause)  # else tabs get their updates while the next slice trains


async def _slice(room: Room, steps: int, pool: ThreadPoolExecutor, pacer: "_Pacer") -> None:
    try:
        part = await pacer.ahead.next(room, steps * room.settings.batch_size)
        began = time.perf_counter()
        loss = await asyncio.get_running_loop().run_in_executor(pool, room.train, part)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
        pacer.ahead = _Ahead()
        return room.fail("training", error)
    pacer.took(part.count, time.perf_counter() - began)
    room.take_over(part, loss)


async def _examine(room: Room, lock: asyncio.Lock, pool: ThreadPoolExecutor, pacer: "_Pacer") -> None:
    """Keep the test result up to date, at a small share of the time."""
    if not room.fits_data or room.test.version == room.version:
        return
    if room.training.running and time.monotonic() < pacer.next_examination:
        return
    async with lock:
        began = time.perf_counter()
        try:
            test = await asyncio.get_running_loop().run_in_executor(pool, room.examine)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            room.test = Test(version=room.version)  # which is not tried again before something changes
            return room.fail("the test", error)
        pacer.examined(time.perf_counter() - began)
        if not np.isfinite(room.net.parameters).all():
            room.diverge()
        room.record(test)


class _Ahead:
    """The next slice, whose samples are gathered by a thread of its own while the one before it trains."""

    def __init__(self) -> None:
        self.part: Slice | None = None
        self.gathering: asyncio.Future[tuple[np.ndarray, np.ndarray]] | None = None

    async def next(self, room: Room, count: int) -> Slice:
        """The slice of the next count rows, or up to the epoch's end."""
        if self.gathering:
            await self.gathering
        assert room.data is not None
        known = self.part if self.part and self.part.holds(room.data, room.position, count) else None
        part = known.first(count) if known else Slice(room.data, room.position, count)
        self.part = Slice(room.data, part.end, count + count // 4)  # slices are not all as long
        self.gathering = asyncio.ensure_future(asyncio.to_thread(self.part.gather))
        return part


class _Pacer:
    """How many steps fit into the next slice, and how fast training has been."""

    def __init__(self, room: Room) -> None:
        self.room, self.ahead = room, _Ahead()
        self.step_seconds = self.examination_seconds = 1.0  # unknown yet
        self.next_examination = 0.0
        self.structure = -1, 0
        self.rest()

    def rest(self) -> None:
        self.begun, self.steps_done = time.monotonic(), 0
        self.speed: int | None = None
        self.recent: list[tuple[float, int, float]] = []

    def next(self) -> tuple[int, float]:
        """(steps of the next slice, seconds to rest after it)."""
        room, now = self.room, time.monotonic()
        if self.structure != (key := (room.structure, room.settings.batch_size)):
            self.structure, self.step_seconds = key, 1.0
        still = now - room.last_touch
        length = SLICE if still < 1 else LONG_SLICE
        fitting = max(1, int(length / self.step_seconds))
        # While a pen moves, training leaves two thirds of the time to it.
        rest = 2 * min(length, 4 * self.step_seconds * fitting) if still < 0.1 else 0.0
        speed = room.settings.steps_per_second
        if not speed:
            return fitting, rest
        if speed != self.speed:
            self.begun, self.steps_done, self.speed = now, 0, speed
            return 1, 0.0
        due = int((now - self.begun) * speed) + 1 - self.steps_done
        if due > speed:  # it cannot keep up: do not save the arrears
            self.begun, self.steps_done, due = now, 0, 1
        if due < 1:
            return 0, min(0.05, max(0.0, self.begun + self.steps_done / speed - now))
        return min(due, fitting), rest

    def examined(self, seconds: float) -> None:
        # The shorter of two: one that was held up puts the next one off for no long time.
        pause = (FIRST_SHARE if len(self.room.points) < FIRST else EXAMINATION_SHARE) * min(seconds, self.examination_seconds)
        self.next_examination = time.monotonic() + min(max(EXAMINED_EVERY, pause), EXAMINED_WITHIN)
        self.examination_seconds = seconds

    def took(self, n_rows: int, seconds: float) -> None:
        steps = -(-n_rows // self.room.settings.batch_size)
        measured = seconds / steps
        # Slices grow at most fourfold: one lucky measurement makes no long one.
        self.step_seconds = max(measured, self.step_seconds / 4) if measured < self.step_seconds else measured
        self.steps_done += steps
        now = time.monotonic()
        self.recent.append((now, n_rows, seconds))
        while self.recent[0][0] < now - RATE_WINDOW and len(self.recent) > 2:
            self.recent.pop(0)
        elapsed = now - self.recent[0][0] + self.recent[0][2]
        if self.room.training.running:  # it may have been paused meanwhile
            self.room.training.rate = sum(n for _, n, _ in self.recent) / max(elapsed, 1e-6)
