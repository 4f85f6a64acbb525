"""The command line: its arguments, its exit statuses, and its errors of one line each.

Results go to standard output, progress to standard error. The exit status is 0 when all went well, 1 when the work
failed, 2 when it was asked for wrongly, and 130 after Ctrl-C.
"""

import argparse
import math
import os
import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import NoReturn, TextIO

from ..version import __version__

FAILURES = (OSError, ValueError, TypeError, ImportError, RuntimeError, MemoryError)
DATA_HELP = "digits (drawn by fastmlp itself), mnist (downloaded once), or a directory with MNIST's four IDX files"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments (default: the process's own); returns the exit status."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as leaving:  # argparse leaves so after --help and after errors
        return int(leaving.code or 0)
    from . import commands

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            status = getattr(commands, arguments.command)(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of standard output has gone; the interpreter must not try to flush into it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except FAILURES as error:
        return _failed(f"error: {_in_one_line(error)}", 1)
    return status or 0


def _failed(message: str, status: int) -> int:
    print(f"fastmlp: {message}", file=sys.stderr)
    return status


def _warn(message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
          line: str | None = None) -> None:  # fmt: skip
    print(f"fastmlp: warning: {_in_one_line(message)}", file=sys.stderr)


def _in_one_line(error: object) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


class _Parser(ArgumentParser):
    """Reports a usage error in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fastmlp: error: {message} (see {self.prog} --help)\n")


def _parser() -> _Parser:
    parser = _Parser(prog="fastmlp", description="Train and run multilayer perceptrons that read digits.")
    parser.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary, add_arguments in (
        ("train", "train a network, test it on held-out digits and save it", _train_arguments),
        ("evaluate", "test a saved network", _evaluate_arguments),
        ("predict", "read pictures of digits", _predict_arguments),
        ("show", "show a network's layers and what its first neurons look for", _show_arguments),
        ("export", "write a network as ONNX, C or JavaScript", _export_arguments),
        ("verify", "train the reference network and compare its hash with the public one", _verify_arguments),
        ("reproduce", "train a saved network again by its recipe, and say where it parts if it does", _reproduce_arguments),
        ("info", "show what this installation is made of", lambda command: None),
        ("page", "draw digits, watch every neuron, turn every weight and train, in a browser", _page_arguments),
    ):
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        add_arguments(command)
        command.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _train_arguments(command: ArgumentParser) -> None:
    add = command.add_argument
    add("--data", default="digits", metavar="DATA", help=f"{DATA_HELP}; default: digits")
    add("--layers", type=_layers, default=[784, 16, 16, 10], metavar="SIZES",
        help="the size of every layer, input and output too; default: 784-16-16-10")  # fmt: skip
    add("--activation", choices=("sigmoid", "relu", "tanh", "identity"), default="sigmoid",
        help="of the hidden layers; default: sigmoid")  # fmt: skip
    add("--loss", choices=("squared_error", "cross_entropy", "binary_cross_entropy"), default="squared_error",
        help="with softmax outputs for cross_entropy, else sigmoid; default: squared_error")  # fmt: skip
    add("--epochs", type=_whole(0), default=30, metavar="N", help="passes over the data; default: 30")
    add("--batch-size", type=_whole(1), default=10, metavar="N", help="rows a step; default: 10")
    add("--learning-rate", type=_rate, metavar="RATE", help="default: one at which the network learns, 3 for the default one")
    add("--seed", type=_whole(0, 2**32), default=0, metavar="N",
        help="of the initial weights and the shuffles; the same seed gives the same hash; default: 0")  # fmt: skip
    add("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")
    _add_backend(command)
    add("--out", default="fastmlp-model.npz", metavar="FILE", help="default: fastmlp-model.npz")
    add("--checkpoint", metavar="FILE", help="a file to write as training goes, from which --resume goes on")
    add("--resume", action="store_true", help="go on from --checkpoint FILE if it is there, to the same hash")
    _add_plot(command)


def _evaluate_arguments(command: ArgumentParser) -> None:
    _add_model(command)
    command.add_argument(
        "--data", default="digits", metavar="DATA", help=f"whose held-out part to use: {DATA_HELP}; default: digits"
    )
    _add_backend(command)


def _predict_arguments(command: ArgumentParser) -> None:
    _add_model(command)
    command.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a picture of one digit, dark on light or light on dark, of any size"
    )
    _add_backend(command)


def _verify_arguments(command: ArgumentParser) -> None:
    _add_backend(command)


def _reproduce_arguments(command: ArgumentParser) -> None:
    _add_model(command)
    command.add_argument(
        "--data", default="digits", metavar="DATA", help=f"that it was trained on: {DATA_HELP}; default: digits"
    )
    _add_backend(command)


def _show_arguments(command: ArgumentParser) -> None:
    _add_model(command)
    _add_plot(command)
    command.add_argument("--all", action="store_true", help="draw every neuron of the first layer, not only the first 16")


def _export_arguments(command: ArgumentParser) -> None:
    _add_model(command)
    add = command.add_argument
    add("--to", choices=("onnx", "c", "javascript"), required=True, help="the format; onnx needs the extra of that name")
    add("--out", required=True, metavar="FILE", help="the file to write, such as net.onnx, net.h or net.mjs")


def _add_model(command: ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="a file that train or MLP.save wrote")


def _add_backend(command: ArgumentParser) -> None:
    command.add_argument("--threads", type=_whole(1), metavar="N", help="never changes a result; default: all cores")
    command.add_argument("--backend", choices=("compiled", "numba", "reference"), help="same bits; default: the fastest")


def _page_arguments(command: ArgumentParser) -> None:
    add = command.add_argument
    add("model", nargs="?", metavar="MODEL", help="a file that train or MLP.save wrote; default: a fresh 784-16-16-10")
    add("--data", metavar="DATA", help=f"to train on: {DATA_HELP}; default: digits, if the network takes them")
    add("--port", type=_whole(0, 65536), default=8642, metavar="N", help="the first one to try; default: 8642")
    add("--no-browser", action="store_true", help="only print the address")
    _add_backend(command)


def _add_plot(command: ArgumentParser) -> None:
    command.add_argument("--plot", metavar="DIR", help="write pictures to this directory; needs matplotlib")


def _layers(text: str) -> list[int]:
    try:
        sizes = [int(size) for size in text.split("-")]
    except ValueError:
        sizes = []
    if len(sizes) < 2 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes such as 784-16-16-10, not {text!r}")
    return sizes


def _whole(least: int, end: int = 2**31) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if not least <= number < end:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {end - 1}, not {text!r}")
        return number

    return parse


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise argparse.ArgumentTypeError(f"expected a finite number >= 0, not {text!r}")
    return rate
