"""What each command of the command line does, from its parsed arguments to what it prints."""

import contextlib
import functools
import json
import math
import os
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from .. import datasets
from ..config import config, show_config
from ..datasets.digits import HELD_OUT_DIGITS, HELD_OUT_SEED, TRAINING_DIGITS, TRAINING_SEED
from ..network import MLP
from ..reference import classes
from ..squares import side_of
from ..training import scores
from ..training.metrics import Evaluation
from . import terminal

Digits = tuple[np.ndarray, np.ndarray]  # images and their labels

INPUTS, CLASSES = 784, 10  # of networks that read digits
BAR_WIDTH = 40
SHOWN_NEURONS = 16

PUBLIC_HASH = "5c1fd5c5dcc08fc685134c734ffdc0650e761cb332e4c3f56bae06e644ab2511"
"""What `fastmlp train` prints on every machine; it changes only with a rule of the arithmetic, named in that commit."""


def train(arguments: Namespace) -> None:
    """Train a network, test it on data it has not seen, and save it."""
    folder = os.path.dirname(os.path.abspath(arguments.out))
    if not os.path.isdir(folder):  # better said before the training than after it
        raise FileNotFoundError(f"--out: no directory {folder}")
    if arguments.resume and arguments.checkpoint is None:
        raise ValueError("--resume needs --checkpoint FILE, to go on from")
    _plots(arguments)
    if arguments.layers[0] != INPUTS or arguments.layers[-1] < CLASSES:
        sizes = "-".join(map(str, arguments.layers))
        raise ValueError(f"--layers: digits have {INPUTS} pixels and {CLASSES} classes: such as 784-16-16-10, not {sizes}")
    if os.path.exists(arguments.out):
        _tell(f"{arguments.out} is there, and will be replaced after the training; --out FILE keeps it")
    x, y, held_out = _training_data(arguments.data)
    squared_error = arguments.loss == "squared_error"
    net = MLP(
        arguments.layers,
        activation=arguments.activation,
        output_activation="sigmoid" if squared_error else None,
        loss=arguments.loss,
        input_scale=datasets.WHITE,
        task="classes",
        dtype=arguments.dtype,
        seed=arguments.seed,
        backend=arguments.backend,
        n_threads=arguments.threads,
    )
    learning_rate = arguments.learning_rate
    if learning_rate is None:
        learning_rate = _learning_rate(arguments.layers, arguments.activation, arguments.loss)
    if net.backend == "reference":
        _tell("training on the slow reference: expect minutes an epoch, or shorten it with --epochs 1")
    began = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # what fit prints is progress
        history = net.fit(x, y, arguments.epochs, arguments.batch_size, learning_rate, validation_data=held_out, verbose=2,
                          checkpoint=arguments.checkpoint, resume=arguments.resume)  # fmt: skip
    seconds = time.perf_counter() - began
    result = net.evaluate(*held_out)
    net.save(arguments.out)
    pictures = _plotted(arguments, "save_training", net, history, *held_out)
    if arguments.json:
        facts = {"epochs": arguments.epochs, "batch_size": arguments.batch_size, "learning_rate": learning_rate}
        saved = {"seconds": seconds, "ended": history.ended, "model": arguments.out, "history": history.columns}
        return _print_json({**_facts(net), **facts, **_scores(result), **saved, **pictures})
    print(f"{_title(net)}, trained on {len(x)} digits in {seconds:.1f} s")
    if history.ended:
        print(f"ended     {history.ended}")
    _print_scores(result)
    print(f"hash      {net.hash()}")
    print(f"saved to  {arguments.out}")


def _learning_rate(layers: Sequence[int], activation: str, loss: str) -> float:
    """A rate at which such a network learns in batches of 10."""
    if loss != "squared_error":
        return 0.1
    if activation != "sigmoid":
        return 0.3
    widest = max(layers[1:-1], default=0)
    return 1.0 if widest == 0 else 3.0 if widest <= 100 else 0.5


def verify(arguments: Namespace) -> int:
    """Train what `fastmlp train` trains, and say whether every bit is the public one: exit status 0 or 1."""
    x, y, _ = _training_data("digits")
    net = MLP([784, 16, 16, 10], loss="squared_error", output_activation="sigmoid", seed=0, input_scale=datasets.WHITE,
              backend=arguments.backend, n_threads=arguments.threads)  # fmt: skip
    if net.backend == "reference":
        _tell("training on the slow reference: expect half an hour or more")
    net.fit(x, y, epochs=30, batch_size=10, learning_rate=3.0, verbose=0)
    same = net.hash() == PUBLIC_HASH
    facts = {"same": same, "hash": net.hash(), "public_hash": PUBLIC_HASH}
    if arguments.json:
        _print_json({**facts, "config": config()})
    else:
        print(f"hash      {net.hash()}\npublic    {PUBLIC_HASH}")
        print("yes: this machine computes the same bits" if same else "NO: this machine computes other bits")
    return 0 if same else 1


def reproduce(arguments: Namespace) -> int:
    """Train a saved network again by its recipe, and say whether it comes out the same: exit status 0 or 1."""
    recipe = MLP.load(arguments.model).recipe
    x, y, held_out = _training_data(arguments.data)
    watched = {"validation_data": held_out} if any(fit.validation for fit in recipe.fits) else {}
    result = recipe.reproduce(x, y, backend=arguments.backend, n_threads=arguments.threads, **watched)
    if arguments.json:
        _print_json({**result._asdict(), "recipe": [vars(fit) for fit in recipe.fits]})
    else:
        print(result)
    return 0 if result else 1


def evaluate(arguments: Namespace) -> None:
    """Test a saved network, and count what it takes for what."""
    net = MLP.load(arguments.model, backend=arguments.backend, n_threads=arguments.threads)
    _must_read_digits(net, arguments.model, "to be tested with digits")
    x, y = _held_out_data(arguments.data)
    result = net.evaluate(x, y)
    confusion = scores.confusion(y, classes(net.forward(x)), net.layer_sizes[-1]).tolist()
    if arguments.json:
        return _print_json({**_facts(net), **_scores(result), "confusion": confusion})
    print(_title(net))
    _print_scores(result)
    print("\nrows: the digit; columns: what the network read")
    width = max(len(str(count)) for row in confusion for count in row) + 2
    print("    " + "".join(f"{label:{width}}" for label in range(len(confusion))))
    for label, row in enumerate(confusion):
        print(f"{label:4}" + "".join(f"{count or '.':>{width}}" for count in row))


def _reads_digits(net: MLP) -> bool:
    return net.layer_sizes[0] == INPUTS and net.layer_sizes[-1] >= CLASSES and net.task == "classes"


def _must_read_digits(net: MLP, model: str, purpose: str) -> None:
    if not _reads_digits(net):
        raise ValueError(
            f"{model}: {purpose}, a network needs {INPUTS} inputs and {CLASSES} classes, and this one, "
            f"{'-'.join(map(str, net.layer_sizes))}, answers {net.task}"
        )


def predict(arguments: Namespace) -> None:
    """Read pictures of digits."""
    from ..datasets.pictures import read_digit

    net = MLP.load(arguments.model, backend=arguments.backend, n_threads=arguments.threads)
    outputs = [net.forward(read_digit(path)) for path in arguments.images]
    answers = [int(classes(output[None])[0]) for output in outputs]
    if arguments.json:
        readings = [
            {"image": path, "answer": answer, "outputs": output.tolist()}
            for path, answer, output in zip(arguments.images, answers, outputs)
        ]
        return _print_json({"images": readings})
    for path, answer, output in zip(arguments.images, answers, outputs):
        print(path)
        for label, value in enumerate(output.tolist()):
            print(f"{label:4}  {terminal.bar(value, BAR_WIDTH, sys.stdout)}  {value:.4f}")
        print(f"answer: {answer}\n" if answer >= 0 else "no answer: an output is not a number\n")


def export(arguments: Namespace) -> None:
    """Write a network in a format of others."""
    net = MLP.load(arguments.model)
    getattr(net, f"to_{arguments.to}")(arguments.out)
    if arguments.json:
        return _print_json({**_facts(net), "format": arguments.to, "file": arguments.out})
    print(f"{_title(net)}, written to {arguments.out}")


def show(arguments: Namespace) -> None:
    """Show a network's layers, and the weights of each first-layer neuron as a picture."""
    net = MLP.load(arguments.model)
    image = datasets.digits(1)[0][0] if arguments.plot and net.layer_sizes[0] == 784 else None
    pictures = _plotted(arguments, "save_network", net, image=image)
    if arguments.json:
        return _print_json({**_facts(net), **pictures})
    print(f"{_title(net)}, {net.dtype.name}, loss {net.loss}, answers {net.task}")
    print(f"inputs    divided by {net.input_scale:g}" if net.input_scale != 1 else "inputs    as they are")
    for i, (weights, activation) in enumerate(zip(net.weights, net.layer_activations), 1):
        n_in, n_out = weights.shape
        print(f"layer {i}   {n_in:5} -> {n_out:<5} {activation:9} {weights.size:8} weights + {n_out} biases")
    print(f"hash      {net.hash()}")
    side = side_of(net.layer_sizes[0])
    if side is None:
        return print(f"\nno pictures: {net.layer_sizes[0]} inputs make no square")
    colour = terminal.has_colour(sys.stdout)
    shown = net.layer_sizes[1] if arguments.all else SHOWN_NEURONS
    legend = "blue for, red against" if colour else f"for {terminal.POSITIVE!r}, against {terminal.NEGATIVE!r}"
    print(f"\nwhat each neuron of the first layer looks for: {legend}\n")
    drawn = [
        [f"{f'neuron {i}':{side}}"] + terminal.picture(weights.reshape(side, side).tolist(), colour)
        for i, weights in enumerate(net.weights[0].T[:shown])
    ]
    width = shutil.get_terminal_size().columns
    print("\n".join(terminal.beside(drawn, width, side)))
    if net.layer_sizes[1] > shown:
        print(f"and {net.layer_sizes[1] - shown} more: --all shows them")


def info(arguments: Namespace) -> None:
    """Show what this installation is made of."""
    if arguments.json:
        return _print_json(config())
    show_config()


def page(arguments: Namespace) -> None:
    """Serve the page until Ctrl-C."""
    from ..page import Page
    from ..page.host import lesson_network

    options = {"backend": arguments.backend, "n_threads": arguments.threads}
    net = MLP.load(arguments.model, **options) if arguments.model else lesson_network(**options)
    source = arguments.data or "digits"
    if source not in ("digits", "mnist") and not os.path.isdir(source):
        raise FileNotFoundError(f"--data: no directory {source}")
    if arguments.data:
        _must_read_digits(net, arguments.model, f"to train on --data {source}")
    loader = functools.partial(_training_data, source) if _reads_digits(net) else None
    shown = Page(net, None, arguments.port, not arguments.no_browser, loader)
    if arguments.json:
        print(json.dumps({"url": shown.url}), flush=True)
    else:
        print(f"{shown.url}\nCtrl-C ends it", flush=True)
    try:
        shown.wait()
    finally:
        shown.close()


def _training_data(source: str) -> tuple[np.ndarray, np.ndarray, Digits]:
    """(images, labels, (held-out images, held-out labels))."""
    if source == "digits":
        _tell(f"drawing {TRAINING_DIGITS} digits to train on and {HELD_OUT_DIGITS} to test with")
        return *datasets.digits(TRAINING_DIGITS, TRAINING_SEED), _held_out_data(source)
    x, y, *held_out = _mnist(source)
    return x, y, (held_out[0], held_out[1])


def _held_out_data(source: str) -> Digits:
    if source == "digits":
        return datasets.digits(HELD_OUT_DIGITS, HELD_OUT_SEED)
    return _mnist(source)[2:]


def _mnist(source: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if source != "mnist":
        return datasets.load_mnist(source)
    try:
        return datasets.fetch_mnist()
    except OSError as error:
        reason = str(error.__cause__ or error)
        raise OSError(
            f"--data mnist: the download failed; without a network give --data DIRECTORY, with MNIST's four files, or "
            f"--data digits ({reason})"
        ) from error


def _plots(arguments: Namespace) -> ModuleType | None:
    """fastmlp.plots where pictures are asked for, or its ImportError before the work begins."""
    if not arguments.plot:
        return None
    from .. import plots

    return plots


def _plotted(arguments: Namespace, function: str, *args: Any, **kwargs: Any) -> dict[str, list[str]]:
    """{"pictures": paths}, written and told of, where pictures are asked for, else {}."""
    plots = _plots(arguments)
    if plots is None:
        return {}
    paths = getattr(plots, function)(*args, folder=arguments.plot, **kwargs)
    _tell(f"wrote {len(paths)} pictures to {arguments.plot}")
    return {"pictures": [str(path) for path in paths]}


def _title(net: MLP) -> str:
    return f"{'-'.join(map(str, net.layer_sizes))} {net.layer_activations[0]} network, {net.n_parameters} parameters"


def _facts(net: MLP) -> dict[str, Any]:
    return {
        "layer_sizes": list(net.layer_sizes),
        "activations": list(net.layer_activations),
        "loss_function": str(net.loss),
        "dtype": net.dtype.name,
        "input_scale": net.input_scale,
        "task": net.task,
        "n_parameters": net.n_parameters,
        "seed": net.seed,
        "backend": net.backend,
        "hash": net.hash(),
    }


def _scores(result: Evaluation) -> dict[str, float | None]:
    return {"loss": result.loss, "accuracy": result.accuracy, "n_correct": result.n_correct, "n": result.n}


def _print_scores(result: Evaluation) -> None:
    print(f"accuracy  {result.n_correct} / {result.n} held-out digits = {100 * (result.accuracy or 0.0):.2f}%")
    print(f"loss      {result.loss:.6f}")


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def _print_json(document: object) -> None:
    print(json.dumps(_without_nan(document), indent=2, allow_nan=False))


def _without_nan(value: object) -> object:
    """The document with null for every number that JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
