"""One tab: its drawing, which it alone has, and the updates that it gets, the latest only and one at a time."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..activations import ACTIVATIONS
from ..losses import name_of
from ..network import MLP
from . import orders, protocol
from .protocol import BadMessage, Named, Order, Refused
from .room import Room

ALL_TRAVEL = 200_000  # parameters; of larger networks only what is drawn
MOST_LINES = 900
DRAWN_NEURONS = 24  # a column of circles; wider layers are blocks
UPDATE_EVERY, UPDATE_EVERY_DRAWING = 1 / 25, 1 / 8  # seconds
UPDATE_EVERY_AT_FULL_SPEED = 1 / 12  # of training, to which the browser leaves what it can of the processors
UPDATE_EVERY_LARGE = 1 / 4  # likewise of a network whose every step takes all of them, and waits for those that draw
UPDATE_SHARE = 10  # of the time: an update that takes long to make is followed by ten times as long without one
MAP_SIDE, MOST_MAPS = 24, 200  # response maps over a plane of two inputs
HASHED_EVERY = 1.0  # seconds, where hashing takes long


class Connection(Protocol):
    """The other end of a tab: messages that come, and send(message)."""

    def __aiter__(self) -> AsyncIterator[str | bytes]: ...
    async def send(self, message: str | bytes) -> None: ...


class Client:
    """What a tab sends and is sent, once it has shown the token."""

    def __init__(self, connection: Connection, room: Room, lock: asyncio.Lock) -> None:
        self.connection, self.room, self.lock = connection, room, lock
        self.changed, self.acknowledged = asyncio.Event(), asyncio.Event()
        self.refusals: list[str] = []
        self.input: np.ndarray | None = None
        self.sequence = 0
        self.lines_by_product = True
        self.last_pen = -1e9
        self.sent: dict[str, Any] = {}  # what of the room this tab has: names and versions

    async def run(self) -> None:
        """Until the tab goes."""
        self.room.clients.add(self)
        self.changed.set()
        updates = asyncio.create_task(self._send_updates())
        try:
            async for message in self.connection:
                await self._receive(message)
        finally:
            updates.cancel()
            self.room.clients.discard(self)

    async def _receive(self, message: str | bytes) -> None:
        try:
            if isinstance(message, bytes):
                header, content = protocol.parse_frame(message)
                if header["type"] == "input":
                    return await self._draw(header, content)
                if header["type"] != "load":
                    raise BadMessage("a frame of an unknown type")
                async with self.lock:
                    return self.room.load(content)
            order = protocol.parse_order(message)
            if order["type"] == "ack":
                self.acknowledged.set()
            elif order["type"] == "lines":
                self.lines_by_product = protocol.choice(order, "mode", ("products", "weights")) == "products"
                self.sent.pop("lines", None)
                self.changed.set()
            elif order["type"] == "train" and order.get("running") is False:
                orders.obey(self.room, order)  # which waits for no step; starting does, for it keeps the moment before
            else:
                async with self.lock:
                    reply = orders.obey(self.room, order)
                if reply is not None:
                    await self.connection.send(reply)
        except Refused as refusal:
            await self._refuse(str(refusal))

    async def _refuse(self, text: str) -> None:
        await self.connection.send(protocol.to_json({"type": "refused", "text": text}))

    async def _draw(self, header: Order, content: bytes) -> None:
        """Another input: answered at once with every neuron's activation."""
        net = self.room.net
        sequence = protocol.integer(header, "sequence", 0, 2**53)
        dtypes: dict[str, np.dtype] = {"u1": np.dtype("u1"), "f8": np.dtype("<f8")}
        dtype = dtypes[protocol.choice(header, "dtype", ("u1", "f8"))]
        if len(content) % dtype.itemsize or len(content) // dtype.itemsize > 2**20:
            raise BadMessage("an input of another length than it says")
        values = np.frombuffer(content, dtype)
        if values.size != net.layer_sizes[0]:
            if header.get("structure") == self.room.structure:
                raise BadMessage("an input of another length than the network's")
            return  # meant for the network before
        if dtype != np.uint8:
            with np.errstate(over="ignore"):
                values = values.astype(net.dtype)
            if not np.isfinite(values).all():
                raise BadMessage("an input that is not finite")
        self.input, self.sequence = values, sequence
        self.last_pen = time.monotonic()
        self.room.touched()
        await self.connection.send(protocol.frame("activations", [self._activations(values)], **self._stamp()))
        if net.n_parameters > ALL_TRAVEL:
            self.sent.pop("lines", None)
            self.changed.set()

    def _activations(self, x: np.ndarray) -> Named:
        return "activations", np.concatenate(self.room.net.activations(x))

    def _stamp(self) -> dict[str, int]:
        return {"sequence": self.sequence, "version": self.room.version, "structure": self.room.structure}

    # Updates

    async def _send_updates(self) -> None:
        last, took = -1e9, 0.0
        while True:
            await self.changed.wait()
            now = time.monotonic()
            every = max(self._update_every(now), UPDATE_SHARE * took)
            if now < last + every:
                await asyncio.sleep(last + every - now)
            self.changed.clear()
            self.acknowledged.clear()
            while self.refusals:
                await self._refuse(self.refusals.pop(0))
            last = time.monotonic()
            update = self._update()
            took = time.monotonic() - last
            await self.connection.send(update)
            await self.acknowledged.wait()

    def _update_every(self, now: float) -> float:
        room, every = self.room, UPDATE_EVERY_DRAWING if now - self.last_pen < 0.15 else UPDATE_EVERY
        if not room.training.running or room.settings.steps_per_second:
            return every
        return max(every, UPDATE_EVERY_LARGE if room.net.n_parameters > ALL_TRAVEL else UPDATE_EVERY_AT_FULL_SPEED)

    def _update(self) -> bytes:
        """One frame with everything that this tab has not got yet."""
        room = self.room
        arrays: list[Named] = []
        fields: dict[str, Any] = {}
        if self._is_new("structure", room.structure):
            fields["network"] = describe(room)
            self.sent = {"structure": room.structure}
            if self.input is not None and self.input.size != room.net.layer_sizes[0]:
                self.input = None
        new_parameters = self._is_new("parameters", room.version)
        small = room.net.n_parameters <= ALL_TRAVEL
        if new_parameters:
            if small:
                arrays.append(("parameters", room.net.parameters))
            elif room.net.layer_sizes[1] <= DRAWN_NEURONS:
                arrays.append(("first_weights", room.net.weights[0]))
            if room.inputs["kind"] == "plane" and sum(room.net.layer_sizes[1:]) <= MOST_MAPS:
                arrays.append(("maps", response_maps(room)))
        if self.input is not None and self._is_new("activations", (room.version, self.sequence)):
            arrays.append(self._activations(self.input))
        if not small and self._is_new("lines", (room.version, self.sequence)):
            arrays += strongest_lines(room.net, self.input if self.lines_by_product else None)
        row = room.training.row
        if row is not None and room.data is not None and self._is_new("learnt", row):
            arrays.append(("learnt", orders._values(room.data.x[row])))
            fields["learnt_label"] = orders._label(room.data.y[row])
        if self._is_new("curves", (len(room.points), room.points[-1:])):
            points = [[np.nan if value is None else value for value in point] for point in room.points]
            arrays.append(("curves", np.array(points, np.float64).reshape(-1)))
        test = room.test
        if test.confusion is not None and self._is_new("confusion", test.version):
            arrays.append(("confusion", test.confusion.reshape(-1)))
        return protocol.frame("update", arrays, **self._stamp(), status=self._status(), **fields)

    def _status(self) -> dict[str, Any]:
        room = self.room
        training, position = room.training, room.position
        big = room.net.n_parameters > ALL_TRAVEL
        if not (big and training.running) or time.monotonic() > self.sent.get("hashed", -1e9) + HASHED_EVERY:
            self.sent["hash"], self.sent["hashed"] = room.net.hash(), time.monotonic()
        return {
            **asdict(room.settings), **asdict(position),
            "running": training.running, "diverged": training.diverged, "rate": training.rate, "loss": training.loss,
            "test_loss": room.test.loss, "accuracy": room.test.accuracy, "hash": self.sent["hash"],
            "undo": room.done[-1].label if room.done else None, "redo": room.undone[-1].label if room.undone else None,
            "why_not": room.why_not, "tabs": len(room.clients),
        }  # fmt: skip

    def _is_new(self, name: str, version: object) -> bool:
        """Whether this tab has another version of it; from now on it has this one."""
        known = name in self.sent and self.sent[name] == version
        self.sent[name] = version
        return not known


def describe(room: Room) -> dict[str, Any]:
    """What of the network does not change by training."""
    net = room.net
    return {
        "layer_sizes": list(net.layer_sizes), "activations": [str(a) for a in net.layer_activations],
        "loss": name_of(net.loss),
        "dtype": net.dtype.name, "n_parameters": net.n_parameters, "all_travel": net.n_parameters <= ALL_TRAVEL,
        "optimizers": room.default_rates, "outputs": room.output_kind, "inputs": room.inputs, "has_data": room.data is not None,
        "n_test": 0 if room.data is None else len(room.data.x_test),
        "choices": [name for name, row in ACTIVATIONS.items() if orders._hidden(name, row)]
        + sorted({str(a) for a in net.layer_activations if not isinstance(a, str)}),
    }  # fmt: skip


def strongest_lines(net: MLP, x: np.ndarray | None) -> list[Named]:
    """Arrays of the strongest lines, as many from each layer: by weight, or with an input x by weight times activation.

    Lines into the first layer are left out where the inputs are many: they are drawn as one bundle.
    """
    layers = [layer for layer, weights in enumerate(net.weights) if layer or weights.shape[0] <= DRAWN_NEURONS]
    activations = None if x is None else net.activations(x)
    found = []
    for layer in layers:
        weights = net.weights[layer]
        strengths = weights if activations is None else weights * activations[layer][:, None]
        magnitudes = np.abs(strengths).reshape(-1)
        count = min(MOST_LINES // len(layers), magnitudes.size)
        chosen = np.argpartition(magnitudes, -count)[-count:] if count < magnitudes.size else np.arange(count)
        start, stop = np.divmod(chosen, weights.shape[1])
        found.append((np.full(count, layer), start, stop, strengths.reshape(-1)[chosen]))
    if not found:
        return []
    place, start, stop, strength = map(np.concatenate, zip(*found))
    return [
        ("line_layers", place.astype(np.int32)), ("line_starts", start.astype(np.int32)),
        ("line_stops", stop.astype(np.int32)), ("line_strengths", strength.astype(np.float32)),
    ]  # fmt: skip


def response_maps(room: Room) -> NDArray[np.float32]:
    """Each neuron's activation over the plane of both inputs: float32, neuron by neuron, MAP_SIDE rows from the top."""
    (x_low, y_low), (x_high, y_high) = room.inputs["low"], room.inputs["high"]
    places = (np.arange(MAP_SIDE) + 0.5) / MAP_SIDE
    x, y = np.meshgrid(x_low + (x_high - x_low) * places, y_high - (y_high - y_low) * places)
    layers = room.net.activations(np.column_stack([x.reshape(-1), y.reshape(-1)]))[1:]
    return np.concatenate([a.T.reshape(-1) for a in layers]).astype(np.float32)
