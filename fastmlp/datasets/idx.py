"""IDX files, the format MNIST is published in, gzipped or not.

Two zero bytes, a byte naming the element type, a byte counting the dimensions, each dimension's size as a big-endian
uint32, then the elements in C order, big-endian.
"""

import gzip
import math
import os
import zlib
from typing import BinaryIO

import numpy as np

ELEMENT_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMS = 64  # as many as a NumPy array can have; the format could count to 255
CHUNK = 1 << 20  # bytes read at once
DEFLATE_RATIO = 1032  # bytes that one byte of a gzip stream can stand for, at most


def load_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file as an array.

    path: the file, gzipped or not, whatever its name: its content tells.
    Returns a new array of the file's shape, uint8, int8, int16, int32, float32 or float64 in native byte order.
    Raises ValueError, naming the file and what was expected, if it is not a whole IDX file and nothing else, and
    OSError if it cannot be read. Memory is taken for what the file holds, never for what its header claims.

    >>> from pathlib import Path
    >>> written = Path("three.idx").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    >>> load_idx("three.idx")
    array([7, 8, 9], dtype=uint8)
    """
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        room = os.fstat(file.fileno()).st_size * (DEFLATE_RATIO if zipped else 1)
        try:
            return _read(gzip.GzipFile(fileobj=file) if zipped else file, path, room)
        except EOFError:
            raise ValueError(f"{path}: the gzip stream ends early: the file is cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: expected a sound gzip stream, found damage: {error}") from None


def _read(stream: BinaryIO | gzip.GzipFile, path: str | os.PathLike[str], room: int) -> np.ndarray:
    """The array in an open stream of IDX bytes, of which there can be room at most."""
    magic = _up_to(stream, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in ELEMENT_TYPES:
        types = ", ".join(f"0x{number:02x}" for number in ELEMENT_TYPES)
        raise ValueError(
            f"{path}: not an IDX file: expected two zero bytes, an element type ({types}) and a count of dimensions, "
            f"found {_hex(magic)}"
        )
    dims = magic[3]
    if not 1 <= dims <= MAX_DIMS:
        raise ValueError(f"{path}: expected 1 to {MAX_DIMS} dimensions, the header says {dims}")
    sizes = _up_to(stream, 4 * dims)
    if len(sizes) < 4 * dims:
        raise ValueError(f"{path}: expected {4 * dims} bytes with the sizes of {dims} dimensions, found {len(sizes)}")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, 4 * dims, 4))

    dtype = np.dtype(ELEMENT_TYPES[magic[2]])
    expected = dtype.itemsize * math.prod(shape)
    content = _up_to(stream, expected) if expected <= room else b""
    if len(content) < expected:
        found = f"found {len(content)}" if expected <= room else f"the whole file can hold no more than {room}"
        raise ValueError(
            f"{path}: expected {expected} bytes of elements for shape {shape} of {dtype.newbyteorder('=')}, "
            f"{found}: the file is cut short or its header is wrong"
        )
    # At the end of a gzip stream this also makes the reader verify the checksum.
    if stream.read(1):
        raise ValueError(f"{path}: expected the file to end after {expected} bytes of elements, found more")
    try:
        return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)
    except ValueError as error:  # an empty shape such as (0, 2**32 - 1, ...) can still be more than NumPy can index
        raise ValueError(f"{path}: shape {shape} is more than an array can have: {error}") from None


def _up_to(stream: BinaryIO | gzip.GzipFile, count: int) -> bytearray:
    """The next count bytes, or as many as there are; memory grows with what arrives."""
    content = bytearray()
    while len(content) < count:
        chunk = stream.read(min(CHUNK, count - len(content)))
        if not chunk:
            break
        content += chunk
    return content


def _hex(content: bytearray) -> str:
    return content.hex(" ") or "nothing"
