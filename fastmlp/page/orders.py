"""What the page may ask for: each order's fields are checked, and the room does it. A function returns the reply, if
any."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..activations import ACTIVATIONS, Activation
from . import protocol, subject
from .protocol import BadMessage, Order, Refused, choice, integer, number, numbers
from .room import Room
from .subject import Data
from .twin import CHOICES

LARGEST_LAYER, MOST_HIDDEN = 8192, 12
MOST_IMAGES = 60  # of a cell of the confusion matrix
SPEEDS = (0, 1, 10, 100, 1000)


def obey(room: Room, order: Order) -> bytes | None:
    """Do what order says; the frame to answer with, or None."""
    function = ORDERS.get(order["type"])
    if function is None:
        raise BadMessage("an order of an unknown type")
    is_of_network_before = order.get("structure", room.structure) != room.structure
    if is_of_network_before and function in OF_NEURONS:
        return None
    try:
        return function(room, order)
    except BadMessage:
        if is_of_network_before:  # which had other types and names
            return None
        raise


def _neuron(room: Room, order: Order) -> tuple[int, int]:
    layer = integer(order, "layer", 0, len(room.net.weights))
    return layer, integer(order, "neuron", 0, room.net.layer_sizes[layer + 1])


def turn(room: Room, order: Order) -> None:
    (layer, neuron), dtype = _neuron(room, order), room.net.dtype
    inputs = order.get("inputs", [])
    n_in = room.net.layer_sizes[layer]
    if not isinstance(inputs, list) or len(inputs) > n_in:
        raise BadMessage("inputs is no list of a layer's inputs")
    inputs = [integer({"input": i}, "input", 0, n_in) for i in inputs]
    weights = numbers(order, "weights", dtype, len(inputs)) if inputs else ()
    bias = number(order, "bias", dtype) if "bias" in order else None
    gesture = integer(order, "gesture", 0, 2**53) if "gesture" in order else None
    if inputs or bias is not None:
        room.turn(layer, neuron, inputs, weights, bias, gesture)


def scale(room: Room, order: Order) -> None:
    room.scale(*_neuron(room, order), number(order, "factor", room.net.dtype))


def undo(room: Room, order: Order) -> None:
    room.undo()


def redo(room: Room, order: Order) -> None:
    room.redo()


def fresh(room: Room, order: Order) -> None:
    room.fresh(integer(order, "seed", 0, 2**32))


def rebuild(room: Room, order: Order) -> None:
    sizes = order.get("hidden_sizes")
    if not isinstance(sizes, list) or len(sizes) > MOST_HIDDEN:
        raise BadMessage("hidden_sizes is no list of layer sizes")
    sizes = [integer({"size": size}, "size", 1, LARGEST_LAYER + 1) for size in sizes]
    own = {str(a) for a in room.net.layer_activations if not isinstance(a, str)}
    activation = choice(order, "activation", {name for name, row in ACTIVATIONS.items() if _hidden(name, row)} | own)
    room.rebuild(sizes, activation, integer(order, "seed", 0, 2**32))


def _hidden(name: str, row: Activation) -> bool:
    return getattr(row, "hidden", name != "softmax")


def train(room: Room, order: Order) -> None:
    if choice(order, "running", (True, False)):
        room.start()
    else:
        room.pause()


def step(room: Room, order: Order) -> None:
    room.one_step()


def settings(room: Room, order: Order) -> None:
    """Change those that are named: optimizer, learning_rate, batch_size, steps_per_second, pause_after."""
    changed: dict[str, float] = {}
    optimizer = choice(order, "optimizer", CHOICES) if "optimizer" in order else None
    if "learning_rate" in order:
        changed["learning_rate"] = number(order, "learning_rate", room.net.dtype, low=0.0)
    for name, low, end in (("batch_size", 1, 2**16), ("steps_per_second", 0, 2**16), ("pause_after", 1, 2**20)):
        if name in order:
            changed[name] = integer(order, name, low, end)
    if changed.get("steps_per_second", 0) not in SPEEDS:
        raise BadMessage("steps_per_second is none of the speeds")
    if optimizer is not None:
        room.choose(optimizer)
    for name, value in changed.items():
        setattr(room.settings, name, value)
    room.notify()


def neuron(room: Room, order: Order) -> bytes:
    """One neuron's weights and bias, for networks whose parameters do not all travel."""
    layer, index = _neuron(room, order)
    arrays = [("weights", room.net.weights[layer][:, index]), ("bias", room.net.biases[layer][index : index + 1])]
    return protocol.frame("neuron", arrays, layer=layer, neuron=index, version=room.version, structure=room.structure)


def example(room: Room, order: Order) -> bytes:
    """A held-out sample: the one with this index, or any where it is null."""
    data = _data(room)
    if order.get("index") is None:
        index = int(np.random.default_rng().integers(len(data.x_test)))
    else:
        index = integer(order, "index", 0, len(data.x_test))
    return protocol.frame("example", [("values", _values(data.x_test[index]))], index=index, label=_label(data.y_test[index]))


def cell(room: Room, order: Order) -> bytes:
    """The held-out images of a class that are taken for another, or for it."""
    data, answers = _data(room), room.test.answers
    n = max(room.net.layer_sizes[-1], 2)
    row, column = integer(order, "row", 0, n), integer(order, "column", 0, n)
    if answers is None or len(answers) != len(data.y_test):
        raise Refused("there is no confusion matrix yet")
    found = np.flatnonzero((subject.classes_of(data.y_test) == row) & (answers == column))
    shown = found[:MOST_IMAGES]
    return protocol.frame(
        "cell", [("values", _values(data.x_test[shown]).reshape(-1)), ("indices", shown.astype(np.int32))],
        row=row, column=column, count=len(found), size=data.x_test.shape[1],
    )  # fmt: skip


def save(room: Room, order: Order) -> bytes:
    return protocol.frame("file", [("content", np.frombuffer(room.file(), np.uint8))])


def _data(room: Room) -> Data:
    if room.data is None or room.data.x_test.shape[1] != room.net.layer_sizes[0]:
        raise Refused("there are no data for this network")
    return room.data


def _values(x: np.ndarray) -> np.ndarray:
    return x if x.dtype == np.uint8 else np.asarray(x, np.float64)


def _label(y: ArrayLike) -> Any:
    return np.asarray(y).reshape(-1).tolist() if np.ndim(y) else np.asarray(y).item()


OF_NEURONS = (turn, scale, neuron, cell)  # which another network has not, or which are others there
ORDERS: dict[str, Callable[[Room, Order], bytes | None]] = {
    function.__name__: function
    for function in (turn, scale, undo, redo, fresh, rebuild, train, step, settings, neuron, example, cell, save)
}
