"""Where the rows of an epoch come from: the loop asks a source for Chunks, and knows nothing else of the data.

Arrays lie in memory. Blocks are read from memory-mapped arrays, and Batches from whatever gives them one by one; both are read
and converted in a thread, some ahead of what is trained on. What their reading raises, the loop's thread raises as it is.
"""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Integers
from ..containers import describe
from ..random_streams import BLOCKS, shuffled_blocks, shuffled_rows
from ..reference import Samples

NUMBERS_OF_BLOCK = 2**18  # inputs of a block that is read at once
GATHERED = 0.02  # seconds for which batches are gathered to a chunk
AHEAD = 2  # chunks that are ready before they are asked for
LOOK = 0.1  # seconds after which one who waits for a chunk looks for Ctrl-C


class Chunk(NamedTuple):
    """Samples to train on: those from position start on of the order, in steps of batch_size."""

    samples: Samples
    batch_size: int
    order: Integers | None = None
    start: int = 0

    @property
    def rows(self) -> int:
        """How many positions the order has."""
        return len(self.samples.x if self.order is None else self.order)


class Place(NamedTuple):
    """Where in the training to go on: the seed of shuffles; the epoch of the network's life, and of this run of fit; and how many
    rows and steps of it are done."""

    seed: int
    epoch: int
    of_run: int
    row: int
    step: int


class Source:
    """What the sources have in common.

    rows, steps: of an epoch, None where that is not known before. batch_size: None where batches come as they are.
    samples: all of them, where they lie in memory.
    """

    rows: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    samples: Samples | None = None

    def chunks(self, place: Place, interrupted: Callable[[], bool]) -> Generator[Chunk, None, None]:
        """The chunks of an epoch from a place on; interrupted: whether Ctrl-C has been pressed."""
        raise NotImplementedError


class Arrays(Source):
    """Samples in memory: an epoch is one chunk.

    shuffle: whether every epoch takes the rows in a new order, shuffled_rows. steps: of an epoch, if not all: the first of its
    order, or without shuffling the rows after those of the epoch before, and from the beginning again after the last.
    """

    rows: int
    batch_size: int
    samples: Samples

    def __init__(self, samples: Samples, batch_size: int, shuffle: bool, steps: int | None = None) -> None:
        self.samples, self.batch_size, self.shuffle = samples, batch_size, shuffle
        n_rows = len(samples.x)
        self.rows = n_rows if steps is None else min(steps * batch_size, n_rows)
        self.steps = -(-self.rows // batch_size)

    def chunks(self, place: Place, interrupted: Callable[[], bool]) -> Generator[Chunk, None, None]:
        yield Chunk(self.samples, self.batch_size, self._order(place.seed, place.epoch), place.row)

    def _order(self, seed: int, epoch: int) -> Integers | None:
        n_rows = len(self.samples.x)
        if self.shuffle:
            return shuffled_rows(n_rows, seed, epoch)[: self.rows]
        if self.rows == n_rows:
            return None
        rows: Integers = (np.arange(self.rows, dtype=np.int64) + epoch * self.rows) % n_rows
        return rows


class Blocks(Source):
    """Rows on a disk, read block by block.

    convert(start, stop): the Samples of these rows. shuffle: whether every epoch takes them in a new order, shuffled_blocks of
    as many rows as have NUMBERS_OF_BLOCK inputs; else they come in their order.
    """

    rows: int
    batch_size: int

    def __init__(self, convert: Callable[[int, int], Samples], rows: int, n_in: int, batch_size: int, shuffle: bool) -> None:
        self.convert, self.rows, self.batch_size, self.shuffle = convert, rows, batch_size, shuffle
        self.block = max(1, NUMBERS_OF_BLOCK // n_in)
        self.steps = -(-rows // batch_size)

    def chunks(self, place: Place, interrupted: Callable[[], bool]) -> Generator[Chunk, None, None]:
        return read_ahead(self._chunks(place), interrupted)

    def _chunks(self, place: Place) -> Iterator[Chunk]:
        """Groups of blocks, each cut where a batch ends, with what is left of it before the next."""
        left: list[Samples] = []
        for group in self._groups(place):
            left.append(group)
            whole = sum(len(part.x) for part in left) // self.batch_size * self.batch_size
            if whole:
                joined = _joined(left)
                yield Chunk(_rows(joined, slice(whole)), self.batch_size)
                left = [_rows(joined, slice(whole, None))] if whole < len(joined.x) else []
        if left:
            yield Chunk(_joined(left), self.batch_size)

    def _groups(self, place: Place) -> Iterator[Samples]:
        """The rows of each group in turn, from the place's row on; what comes before it is not read."""

        position = 0
        for bounds, order in self._order(place, self.rows):
            n = sum(stop - start for start, stop in bounds)
            if position + n > place.row:
                group = _joined([self.convert(start, stop) for start, stop in bounds])
                rows = np.arange(n) if order is None else order
                yield _rows(group, rows[max(0, place.row - position) :])
            position += n

    def _order(self, place: Place, n_rows: int) -> Iterator[tuple[list[tuple[int, int]], np.ndarray | None]]:
        if self.shuffle:
            return shuffled_blocks(n_rows, self.block, place.seed, place.epoch)
        group = self.block * BLOCKS
        return (([(start, min(start + group, n_rows))], None) for start in range(0, n_rows, group))


class Batches(Source):
    """Batches (x, y) or (x, y, sample_weight) of an iterable, each of them a step.

    convert(batch, number in the epoch): its Samples. steps_per_epoch: None where an epoch is what the iterable gives when it is
    iterated over once; else so many batches, going on in the next epoch where the last ended.
    To go on inside a run, the batches before are read over.
    """

    def __init__(self, data: Iterable[Any], convert: Callable[[Any, int], Samples], steps_per_epoch: int | None) -> None:
        self.data, self.convert, self.steps_per_epoch = data, convert, steps_per_epoch
        self.steps = length_of(data) if steps_per_epoch is None else steps_per_epoch
        self.endless: Iterator[Any] | None = None
        self.taken = 0

    def chunks(self, place: Place, interrupted: Callable[[], bool]) -> Generator[Chunk, None, None]:
        return read_ahead(self._chunks(place), interrupted)

    def _chunks(self, place: Place) -> Iterator[Chunk]:
        """Batches of one size together, as many as come within GATHERED seconds or have the inputs of BLOCKS blocks.

        One by one they would take the threads that train by surprise, each time again.
        """
        gathered: list[Samples] = []
        began, numbers = time.perf_counter(), 0
        try:
            for samples in self._converted(place):
                size = len(gathered[0].x) if gathered else 0
                is_last = gathered and len(gathered[-1].x) < size
                is_full = numbers >= NUMBERS_OF_BLOCK * BLOCKS or time.perf_counter() - began > GATHERED
                if gathered and (is_last or is_full or len(samples.x) > size):
                    yield Chunk(_joined(gathered), size)
                    gathered, began, numbers = [], time.perf_counter(), 0
                gathered.append(samples)
                numbers += samples.x.size
        except (Exception, SystemExit):
            if gathered:  # what came before it is trained on
                yield Chunk(_joined(gathered), len(gathered[0].x))
            raise
        if gathered:
            yield Chunk(_joined(gathered), len(gathered[0].x))

    def _converted(self, place: Place) -> Iterator[Samples]:
        weighted = None
        for number, batch in enumerate(self._batches(place), place.step):
            samples = self.convert(batch, number)
            if weighted not in (None, samples.weights is not None):
                raise ValueError(f"batch {number} has {'no ' if weighted else 'a '}sample_weight, unlike those before it")
            weighted = samples.weights is not None
            yield samples
        if weighted is None and not place.step:
            raise ValueError(
                f"no batches came in epoch {place.of_run + 1}: a generator gives its batches once. Give steps_per_epoch, which "
                "divides them into epochs, or what can be iterated over again, such as a list or a DataLoader"
            )

    def _batches(self, place: Place) -> Iterator[Any]:
        if self.steps_per_epoch is None:
            return itertools.islice(iter(self.data), place.step, None)
        if self.endless is None:
            self.endless = self._over_and_over()
        before = place.of_run * self.steps_per_epoch + place.step
        skipped, self.taken = before - self.taken, (place.of_run + 1) * self.steps_per_epoch
        return itertools.islice(self.endless, skipped, skipped + self.steps_per_epoch - place.step)

    def _over_and_over(self) -> Iterator[Any]:
        while True:
            n = 0
            for batch in self.data:
                n += 1
                yield batch
            if not n or isinstance(self.data, Iterator):
                raise ValueError("the batches came to an end before the last of steps_per_epoch in every epoch")


class Pairs:
    """Batches of x and of y, from two iterables."""

    def __init__(self, x: Iterable[Any], y: Iterable[Any]) -> None:
        self.x, self.y = x, y

    def __iter__(self) -> Iterator[Any]:
        end = object()
        for x, y in itertools.zip_longest(self.x, self.y, fillvalue=end):
            if x is end or y is end:
                raise ValueError(f"{'x' if x is end else 'y'} has fewer batches than {'y' if x is end else 'x'}")
            yield x, y

    def __len__(self) -> int:
        return len(self.x)  # type: ignore[arg-type]  # TypeError where it has no length


def batches_of(x: Any, y: Any) -> Iterable[Any] | None:
    """The batches that fit's x, or its x and y, give one by one; None where they are arrays."""
    if y is None:
        if not isinstance(x, Iterable) or hasattr(x, "__array__") or isinstance(x, (str, bytes)):
            raise TypeError(f"without y, x must be an iterable of batches (x, y), not {describe(x)}")
        return x
    if not isinstance(x, Iterable) or hasattr(x, "__array__") or hasattr(x, "__getitem__") or hasattr(x, "toarray"):
        return None
    if not isinstance(y, Iterable) or hasattr(y, "__array__"):
        raise TypeError(f"x gives batches one by one, so that y must be an iterable of batches, too, not {describe(y)}")
    return Pairs(x, y)


def parts_of(batch: Any, number: int) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight or None) of a batch."""
    if not isinstance(batch, Sequence) or isinstance(batch, (str, bytes)) or len(batch) not in (2, 3):
        raise TypeError(f"batch {number} must be (x, y) or (x, y, sample_weight), not {describe(batch)}")
    return batch[0], batch[1], batch[2] if len(batch) == 3 else None


def length_of(data: Any) -> int | None:
    """len(data), where it has one."""
    try:
        return len(data) or None
    except TypeError:
        return None


class Reader:
    """Looks for numbers that are not finite in the thread that reads, without the kernels, which train meanwhile."""

    @staticmethod
    def all_finite(array: np.ndarray) -> bool:
        return bool(np.isfinite(array).all())


class _Raised(NamedTuple):
    """What reading raised."""

    error: BaseException


def read_ahead(chunks: Iterator[Chunk], interrupted: Callable[[], bool]) -> Generator[Chunk, None, None]:
    """The chunks, the next of which a thread reads meanwhile. One that hangs in a source is left behind at the end."""
    ready: queue.Queue[Chunk | _Raised | None] = queue.Queue(AHEAD)
    ended = threading.Event()

    def read() -> None:
        try:
            for chunk in chunks:
                ready.put(chunk)
                if ended.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001  the loop's thread is to raise it, whatever it is
            ready.put(_Raised(error))

    thread = threading.Thread(target=read, name="fastmlp reads ahead", daemon=True)
    thread.start()
    try:
        while (chunk := _next(ready, interrupted)) is not None:
            yield chunk
    finally:
        ended.set()
        while thread.is_alive() and not ready.empty():
            ready.get_nowait()  # makes room for what it is about to put
        thread.join(1.0)


def _next(ready: "queue.Queue[Chunk | _Raised | None]", interrupted: Callable[[], bool]) -> Chunk | None:
    while True:
        try:
            chunk = ready.get(timeout=LOOK)
        except queue.Empty:
            if interrupted():
                raise KeyboardInterrupt from None
            continue
        if isinstance(chunk, _Raised):
            raise chunk.error
        return chunk


def _joined(parts: list[Samples]) -> Samples:
    if len(parts) == 1:
        return parts[0]
    x, y = (np.concatenate(arrays) for arrays in zip(*(part[:2] for part in parts)))
    weights = (
        None if parts[0].weights is None else np.concatenate([part.weights for part in parts if part.weights is not None])
    )
    return parts[0]._replace(x=x, y=y, weights=weights)


def _rows(samples: Samples, rows: Any) -> Samples:
    weights = None if samples.weights is None else samples.weights[rows]
    return samples._replace(x=samples.x[rows], y=samples.y[rows], weights=weights)
