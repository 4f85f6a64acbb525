"""MNIST, the database of handwritten digits by LeCun, Cortes and Burges: from your files, or downloaded once."""

import time
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Integers
from fastmlp.datasets.idx import load_idx

Half = tuple[NDArray[np.uint8], Integers]  # images and their labels
Mnist = tuple[NDArray[np.uint8], Integers, NDArray[np.uint8], Integers]  # to train on, and to test with

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

BASE_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
ATTEMPTS = 3  # at each file, a second and then two apart
TIMEOUT = 30  # seconds without an answer after which an attempt has failed


def load_mnist(dir: str | PathLike[str]) -> Mnist:
    """Read MNIST's four IDX files from a directory.

    dir: the directory. Each file may be gzipped (.gz) or not, and named as published (train-images-idx3-ubyte) or with
    a dot (train-images.idx3-ubyte).
    Returns (train_images, train_labels, test_images, test_labels): images uint8 of shape (60000, 784) and (10000, 784),
    rows of 28x28 pixels, 0 black to 255 white; labels int64 of shape (60000,) and (10000,), 0 to 9. Files in the same
    format with other counts, such as Fashion-MNIST, are read too.
    Raises FileNotFoundError naming every missing file, and ValueError for files that are damaged or disagree.
    """
    found = {name: path for name in FILES if (path := _find(Path(dir), name))}
    missing = [name for name in FILES if name not in found]
    if missing:
        raise FileNotFoundError(f"{dir}: no {', '.join(missing)}, neither with nor without .gz")
    return _load_halves(found.values())


def fetch_mnist(cache_dir: str | PathLike[str] | None = None, progress: bool = True) -> Mnist:
    """Download MNIST once, then read it from the user's cache.

    cache_dir: where the four files are kept; by default the user's cache directory (pooch.os_cache("fastmlp")).
    progress: show a progress bar for each download. Every file is checked against its published SHA-256.
    Returns what load_mnist returns. Needs the extra: pip install fastmlp[mnist].
    Raises ImportError without it, OSError if a download fails, ValueError if a file is not the published one.
    """
    try:
        import pooch
        import tqdm  # noqa: F401  pooch's progress bar
    except ImportError as error:
        raise ImportError(f"fetch_mnist needs {error.name}; install it with: pip install fastmlp[mnist]") from error
    cache = Path(pooch.os_cache("fastmlp") if cache_dir is None else cache_dir)
    for name, digest in SHA256.items():
        _fetch(pooch, name, digest, cache, progress)
    return _load_halves(cache / name for name in SHA256)


def _find(directory: Path, name: str) -> Path | None:
    """The path of a file under one of its spellings, or None."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = directory / (spelling + ending)
            if path.is_file():
                return path
    return None


def _load_halves(paths: Iterable[Path]) -> Mnist:
    x, y, held_x, held_y = paths
    return _load_half(x, y) + _load_half(held_x, held_y)


def _load_half(images_path: Path, labels_path: Path) -> Half:
    """The images and the labels of one half, checked against each other."""
    images, labels = load_idx(images_path), load_idx(labels_path)
    if images.dtype != "uint8" or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"{images_path}: expected uint8 images of 28x28 pixels, found {images.dtype} {images.shape}")
    if labels.dtype != "uint8" or labels.ndim != 1:
        raise ValueError(f"{labels_path}: expected a row of uint8 labels, found {labels.dtype} {labels.shape}")
    if len(images) != len(labels):
        raise ValueError(f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels")
    if (labels > 9).any():
        raise ValueError(f"{labels_path}: expected labels from 0 to 9, found {labels.max()}")
    return images.reshape(len(images), 28 * 28), labels.astype("int64")


def _fetch(pooch: Any, name: str, digest: str, cache: Path, progress: bool) -> None:
    """Have one file in the cache: keep a good one, download it otherwise; a file appears there only once checked."""
    url = BASE_URL + name
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            pooch.retrieve(url, known_hash=f"sha256:{digest}", fname=name, path=cache, downloader=downloader)
            return
        except ValueError as error:  # pooch's word for a wrong checksum; it has removed the file
            failure: OSError | ValueError = ValueError(
                f"{url}: what was downloaded is not the published file: expected SHA-256 {digest}. It was removed. "
                f"{_ELSEWHERE}"
            )
            failure.__cause__ = error
        except OSError as error:  # no connection, no such page, or the connection was cut
            failure = OSError(f"{url}: the download failed: {error}. {_ELSEWHERE}")
            failure.__cause__ = error
        if attempt < ATTEMPTS:
            time.sleep(attempt)
    raise failure


_ELSEWHERE = (
    "Without a network, put the four files "
    + ", ".join(SHA256)
    + " from another source in a directory and call fastmlp.datasets.load_mnist(directory), "
    "or use fastmlp.datasets.digits(n), which needs no files."
)
