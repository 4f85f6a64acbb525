"""Networks in files: npz without pickle, or safetensors, written beside and renamed, and checked throughout when read.

An npz file holds one-dimensional arrays in little-endian order: header, JSON as bytes; parameters, the flat array; and those of the
training's state, of which the header has the names and checksums. What stands in the header beside the FIELDS is kept for
whoever wrote it. Its version is 3.
Version 2 holds of the training no more than how many epochs there were. Version 1 does not say what numbers mean either (uint8
stood for x / 255, other types for themselves), and of the task only whether its first targets named classes.
Files whose names end in .safetensors hold the same, in the form that interop/safetensors.py says.
"""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import secrets
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from . import validation
from .activations import ACTIVATIONS
from .architecture import TASKS, Architecture, n_parameters
from .arrays import Floats
from .containers import describe
from .custom import CustomActivation
from .losses import WITH_PARAMETER, Huber, Quantile
from .training import stored
from .training.state import TrainingState

FORMAT, VERSION = "fastmlp network", 3
FIELDS = "layer_sizes", "activations", "loss", "dtype", "seed", "sha256"
FIELDS_OF = {  # beside those
    1: ("epochs_trained", "is_classifier"),
    2: ("epochs_trained", "input_scale", "task"),
    3: ("input_scale", "task", "training", "arrays"),
}
OF_STATE = "state "  # how the names of the arrays of a TrainingState begin
PICTURE = 784  # inputs of the networks of version 1 that were trained on uint8 pixels, as far as anyone can tell
LARGEST_HEADER = 2**24
SAFETENSORS = ".safetensors"
DTYPES = "float32", "float64", "int32", "int64", "uint8"  # of arrays

# The start of an npy file as NumPy writes a one-dimensional array. It is matched, not evaluated.
NPY_START = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"(?P<text>{'descr': '(?P<dtype>[^']{1,9})', 'fortran_order': False, 'shape': \((?P<size>\d{1,18}),\), } *\n)",
    re.DOTALL,
)

# What zipfile and the checks here raise for files of other content.
DAMAGE = (
    zipfile.BadZipFile, ValueError, TypeError, KeyError, EOFError, NotImplementedError, RuntimeError, OverflowError,
    OSError,
)  # fmt: skip


class Saved(NamedTuple):
    """What a file holds of a network; more are further entries of its header, and arrays further ones of one dimension."""

    architecture: Architecture
    seed: int
    parameters: Floats
    state: TrainingState
    more: dict[str, Any]
    arrays: dict[str, np.ndarray]


Header = dict[str, Any]
Read = tuple[Header, Architecture, dict[str, np.ndarray]]


def save(path: str | PathLike[str], saved: Saved) -> None:
    """Write what is Saved of a network to path; see MLP.save."""
    architecture, seed, parameters, state, more, arrays = saved
    own = {OF_STATE + name: array for name, array in state.arrays.items()}
    contents: dict[str, Any] = {"parameters": parameters, **own, **arrays}
    # Copies, so that numbers and checksums agree even while another thread trains the network.
    contents = {name: array.astype(array.dtype.newbyteorder("<")) for name, array in contents.items()}
    sums = {name: _checksum(array) for name, array in contents.items()}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "layer_sizes": architecture.layer_sizes,
        "activations": [str(activation) for activation in architecture.activations],
        "loss": architecture.loss if isinstance(architecture.loss, str) else _described(architecture.loss),
        "dtype": architecture.dtype.name,
        "input_scale": architecture.input_scale,
        "seed": seed,
        "task": architecture.task,
        "training": stored.to_dict(state),
        "sha256": sums.pop("parameters"),
        "arrays": sums,
        **more,
    }
    text = json.dumps(header)
    encoded = np.frombuffer(text.encode(), np.uint8)
    if len(encoded) > LARGEST_HEADER - 1000:
        raise ValueError(
            f"what describes the network, its history above all, takes {len(encoded)} bytes, more than a file holds"
        )
    with replacing(path) as file:
        if _is_safetensors(path):
            from .interop import safetensors

            safetensors.write(file, text, architecture, contents)
        else:
            np.savez(file, header=encoded, **contents)


class MissingActivation(ValueError):
    """A network needs an activation that is not fastmlp's and was not passed."""


def load(path: str | PathLike[str], activations: object = (), input_scale: float | None = None) -> Saved:
    """What is Saved at path; see MLP.load."""
    path = _path(path)
    own = validation.custom_activations("activations", activations)
    with open(path, "rb") as file:
        try:
            header, architecture, contents = _read_tensors(path, own) if _is_safetensors(path) else _read(file, own)
            parameters = contents.pop("parameters")
            state = _state(header, contents, parameters)
        except MissingActivation as missing:
            raise ValueError(
                f"{path!r} holds a network with the activation {missing}, which is not one of fastmlp's: define it as it "
                f"was, and pass it: MLP.load(path, activations=[{missing}])"
            ) from None
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # the disk's trouble, not the file's
                raise
            reason = str(error) or type(error).__name__
            raise ValueError(f"{path!r} is damaged or not a network saved by fastmlp: {reason}") from error
    architecture = _with_scale(path, header["version"], architecture, input_scale)
    more = {name: value for name, value in header.items() if name not in {*FIELDS, *sum(FIELDS_OF.values(), ())}}
    return Saved(architecture, header["seed"], parameters, state, more, contents)


def _state(header: Header, arrays: dict[str, np.ndarray], parameters: Floats) -> TrainingState:
    """The TrainingState of a file, whose arrays are taken out of these."""
    if header["version"] < 3:
        return TrainingState(epoch=header["epochs_trained"])
    own = {name.removeprefix(OF_STATE): arrays.pop(name) for name in list(arrays) if name.startswith(OF_STATE)}
    return stored.from_dict(header["training"], own, parameters)


def _with_scale(path: str, version: int, architecture: Architecture, input_scale: float | None) -> Architecture:
    """The architecture with the scale of its inputs, which a file of version 1 does not hold."""
    if version > 1:
        if input_scale not in (None, architecture.input_scale):
            raise ValueError(
                f"{path!r} says input_scale={architecture.input_scale:g}: it cannot be loaded with {input_scale}"
            )
        return architecture
    if input_scale is None:
        input_scale = 255.0 if architecture.layer_sizes[0] == PICTURE else 1.0
        warnings.warn(
            f"{path!r} was saved when uint8 inputs stood for x / 255 and all others for themselves, which it does not tell "
            f"apart: loaded with input_scale={input_scale:g}, for all types. Say what it was trained on, "
            "MLP.load(path, input_scale=255) for grey levels or input_scale=1 for numbers as they are, and save it again",
            stacklevel=4,
        )
    return architecture._replace(input_scale=validation.scale_of_inputs(input_scale, architecture.dtype))


def _read(file: BinaryIO, own: Mapping[str, CustomActivation]) -> Read:
    """(header, architecture, {name: array}), from a file that may hold anything; own: {name: the user's activation}."""
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if "header.npy" not in members or len(archive.infolist()) != len(members):
            raise ValueError("it does not hold the arrays header and parameters")
        for info in members.values():
            # Stored members cannot unfold into more memory than the file itself takes.
            if info.header_offset >= size:
                raise ValueError(f"{info.filename} begins after the file's end")
            if info.compress_type != zipfile.ZIP_STORED or not info.file_size == info.compress_size <= size:
                raise ValueError(f"{info.filename} is compressed, or longer than the file")
        if sum(info.file_size for info in members.values()) > size:
            raise ValueError("its arrays are longer than the file")
        if members["header.npy"].file_size > LARGEST_HEADER:
            raise ValueError("its header is too long")
        header = _parsed(_array(archive.read("header.npy"), [np.dtype(np.uint8)]).tobytes())
        sums = {"parameters": header["sha256"], **(header["arrays"] if header["version"] > 2 else {})}
        if members.keys() != {f"{name}.npy" for name in ("header", *sums)}:
            raise ValueError(f"it does not hold the arrays header and {', '.join(sums)}")
        architecture = _architecture(header, own)
        little_endian = architecture.dtype.newbyteorder("<")
        needed = n_parameters(architecture.layer_sizes) * little_endian.itemsize
        if not needed < members["parameters.npy"].file_size <= size:
            raise ValueError(f"its layers need {needed} bytes of parameters, which it does not hold")
        dtypes = {name: [np.dtype(dtype).newbyteorder("<") for dtype in DTYPES] for name in sums}
        dtypes["parameters"] = [little_endian]
        arrays = {name: _array(archive.read(f"{name}.npy"), dtypes[name]) for name in sums}
    return header, architecture, _checked(architecture, sums, arrays)


def _read_tensors(path: str, own: Mapping[str, CustomActivation]) -> Read:
    """The same, from a safetensors file."""
    from .interop import safetensors

    text, tensors = safetensors.read(path)
    if text is None:
        raise ValueError(
            "it says no more than its tensors: give layer_sizes=[...], activation and the like, as for MLP. They are "
            f"{safetensors.described(tensors)}"
        )
    header = _parsed(text)
    architecture = _architecture(header, own)
    arrays = safetensors.contents_of(architecture, tensors)
    sums = {"parameters": header["sha256"], **header["arrays"]}
    if arrays.keys() != sums.keys() or any(array.ndim != 1 or array.dtype not in DTYPES for array in arrays.values()):
        raise ValueError(f"it does not hold the arrays {', '.join(sums)}")
    return header, architecture, _checked(architecture, sums, arrays)


def _checked(architecture: Architecture, sums: Mapping[str, str], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, if they are as many numbers, with the checksums, as the header says."""
    n_found = arrays["parameters"].size
    if n_found != n_parameters(architecture.layer_sizes):
        raise ValueError(f"its layers need {n_parameters(architecture.layer_sizes)} parameters, not {n_found}")
    for name, array in arrays.items():
        if _checksum(array) != sums[name]:
            raise ValueError(f"its {name} do not have the checksum in its header")
    return arrays


def _is_safetensors(path: str | PathLike[str]) -> bool:
    return _path(path).endswith(SAFETENSORS)


def _checksum(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<"), copy=False).data).hexdigest()


def _array(member: bytes, dtypes: Sequence[np.dtype]) -> np.ndarray:
    """The one-dimensional array, of one of these dtypes, in the bytes of an npy file."""
    start = NPY_START.match(member)
    if not start or int.from_bytes(start["length"], "little") != len(start["text"]):
        raise ValueError("an array does not begin as the npy file of one dimension does")
    length = len(member) - start.end()
    for dtype in dtypes:
        if start["dtype"] == dtype.str.encode() and int(start["size"]) * dtype.itemsize == length:
            return np.frombuffer(member, dtype, offset=start.end()).astype(dtype.newbyteorder("="))
    raise ValueError(f"an array of {start['size'].decode()} elements {start['dtype']!r} has {length} bytes")


def _parsed(text: str | bytes) -> Header:
    try:
        header = json.loads(text)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its header does not say {FORMAT!r}")
    if type(header.get("version")) is not int or header["version"] not in FIELDS_OF:
        raise ValueError(f"its format has version {header.get('version')!r}, and this fastmlp reads versions 1 to {VERSION}")
    missing = [name for name in FIELDS + FIELDS_OF[header["version"]] if name not in header]
    if missing:
        raise ValueError(f"its header lacks {', '.join(missing)}")
    validation.integer("seed", header["seed"], 0, 2**32)
    if header["version"] < 3:
        validation.integer("epochs_trained", header["epochs_trained"], 0)
    elif not isinstance(header["arrays"], dict):
        raise ValueError(f"arrays is {describe(header['arrays'])}")
    if header["version"] == 1 and not any(header["is_classifier"] is value for value in (None, True, False)):
        raise ValueError(f"is_classifier is {header['is_classifier']!r}")
    return header


def _architecture(header: Header, own: Mapping[str, CustomActivation]) -> Architecture:
    activations = header["activations"]
    dtype = validation.choice("dtype", header["dtype"], ("float32", "float64"))
    if not isinstance(activations, list) or not activations:
        raise ValueError(f"activations is {describe(activations)}")
    for name in activations:
        if isinstance(name, str) and name.isidentifier() and name not in ACTIVATIONS and name not in own:
            raise MissingActivation(name)
    activations = [own.get(name, name) if isinstance(name, str) else name for name in activations]
    if header["version"] == 1:
        scale, task = 1.0, {True: "classes", False: "numbers", None: None}[header["is_classifier"]]
    else:
        scale, task = header["input_scale"], validation.choice("task", header["task"], TASKS)
    return validation.architecture(
        header["layer_sizes"], activations[:-1], activations[-1], _loss(header["loss"]), dtype, scale, task
    )


def _described(loss: Huber | Quantile) -> dict[str, Any]:
    """A loss with a parameter, for the header: {"name": "huber", "delta": 1.0}."""
    return {"name": loss.name, **vars(loss)}


def _loss(header: Any) -> Any:
    """A name, or the loss that _described describes; what is neither is left for validation to refuse."""
    if not isinstance(header, dict) or header.get("name") not in tuple(WITH_PARAMETER):
        return header
    loss = WITH_PARAMETER[header["name"]]()
    parameters = {name: value for name, value in header.items() if name != "name"}
    if parameters.keys() != vars(loss).keys():
        raise ValueError(f"loss is {describe(header)}")
    return type(loss)(**parameters)


@contextlib.contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A new file to write, which takes path's place in one stroke once it is written and on the disk."""
    target = _target(path)
    beside = f"{_beside(target)}{secrets.token_hex(8)}.tmp"
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == beside:  # which nobody has heard of
            error.filename = _path(path)
        with contextlib.suppress(FileNotFoundError):
            os.remove(beside)
        raise
    _sync_folder(os.path.dirname(target))


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write a file of text as a whole, see replacing."""
    with replacing(path) as file:
        file.write(text.encode())


def remove_leftovers(path: str | PathLike[str]) -> None:
    """Remove what saves to path that were killed have left beside it. Raises as save does where none could be written."""
    for leftover in glob.glob(f"{glob.escape(_beside(_target(path)))}*.tmp"):
        with contextlib.suppress(OSError):
            os.remove(leftover)


def _target(path: str | PathLike[str]) -> str:
    """The file that is written for path: a symbolic link stays, and what it names is replaced."""
    path = _path(path)
    target = os.path.realpath(path)
    if not path or os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, "a network is saved in a file, and this is a folder", path)
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to save a network in", os.path.dirname(path))
    return target


def _beside(target: str) -> str:
    """How the names of files begin that are to take target's place."""
    return os.path.join(os.path.dirname(target), f".{os.path.basename(target)[:200]}-fastmlp-")


def _sync_folder(folder: str) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems cannot; the file itself is safe
    finally:
        os.close(descriptor)


def _path(path: str | PathLike[str]) -> str:
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a string or a path, not {describe(path)}") from None
