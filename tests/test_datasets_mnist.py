"""MNIST from files and over HTTP, against a server of our own on this machine."""

import gzip
import hashlib
import http.server
import os
import struct
import sys
import threading

import numpy as np
import pytest

from fastmlp.datasets import fetch_mnist, load_mnist, mnist


def images_and_labels(n, start=0):
    images = (np.arange(start, start + n * 784) % 251).astype(np.uint8).reshape(n, 28, 28)
    return images, (np.arange(n) % 10).astype(np.uint8)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


ARRAYS = dict(zip(mnist.FILES, images_and_labels(20) + images_and_labels(10, start=7)))
ZIPPED = {name + ".gz": gzip.compress(idx(array)) for name, array in ARRAYS.items()}


def check(loaded):
    for result, array in zip(loaded, ARRAYS.values(), strict=True):
        np.testing.assert_array_equal(result, array.reshape(len(array), 784) if array.ndim == 3 else array)
        assert result.dtype == (np.uint8 if array.ndim == 3 else np.int64)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_both_spellings_zipped_or_not(tmp_path, zipped, dotted):
    for name, array in ARRAYS.items():
        name = name.replace("-idx", ".idx") if dotted else name
        (tmp_path / (name + ".gz" * zipped)).write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    check(load_mnist(str(tmp_path)))


def test_every_missing_file_is_named(tmp_path):
    (tmp_path / mnist.FILES[1]).write_bytes(idx(ARRAYS[mnist.FILES[1]]))
    with pytest.raises(FileNotFoundError) as error:
        load_mnist(tmp_path)
    for number, name in enumerate(mnist.FILES):
        assert (name in str(error.value)) == (number != 1)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    "number, array, message",
    [
        (1, np.zeros(19, np.uint8), "20 images.*19 labels"),
        (2, np.zeros((10, 28, 27), np.uint8), "28x28"),
        (0, np.zeros(20, np.uint8), "28x28"),
        (3, np.zeros((10, 1), np.uint8), "row of uint8 labels"),
        (3, np.full(10, 10, np.uint8), "labels from 0 to 9, found 10"),
    ],
)
def test_files_that_disagree_are_refused(tmp_path, number, array, message):
    for name, good in ARRAYS.items():
        (tmp_path / name).write_bytes(idx(array if name == mnist.FILES[number] else good))
    with pytest.raises(ValueError, match=message) as error:
        load_mnist(tmp_path)
    assert mnist.FILES[number] in str(error.value)


def test_the_real_files():
    folder = os.environ.get("FASTMLP_MNIST")
    if not folder:
        pytest.skip("set FASTMLP_MNIST to the directory of the real MNIST files")
    train_images, train_labels, test_images, test_labels = load_mnist(folder)
    assert train_images.shape == (60000, 784) and test_images.shape == (10000, 784)
    assert np.bincount(train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    digest = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    assert hashlib.sha256(idx(test_images.reshape(-1, 28, 28))).hexdigest() == digest


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, counts requests; `cut` sends only half of what it promises, that many times."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests, self.cut = dict(ZIPPED), [], 0
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path[1:]
        self.server.requests.append(name)
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.server.cut:
            self.server.cut -= 1
            content = content[: len(content) // 2]
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("pooch", reason="downloads need the extra: pip install fastmlp[mnist]")
    pytest.importorskip("tqdm", reason="downloads need the extra: pip install fastmlp[mnist]")
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setattr(mnist, "BASE_URL", server.url)
        monkeypatch.setattr(mnist, "SHA256", {n: hashlib.sha256(c).hexdigest() for n, c in ZIPPED.items()})
        monkeypatch.setattr(mnist.time, "sleep", lambda seconds: None)
        # A proxy of the environment must not come between.
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()


def test_a_download_and_then_the_cache(server, tmp_path, capfd):
    check(fetch_mnist(tmp_path / "cache"))
    assert server.requests == list(ZIPPED)
    assert "100%" in capfd.readouterr().err
    check(fetch_mnist(tmp_path / "cache"))
    assert server.requests == list(ZIPPED)
    assert sorted(os.listdir(tmp_path / "cache")) == sorted(ZIPPED)


def test_no_progress_bar(server, tmp_path, capfd):
    check(fetch_mnist(tmp_path, progress=False))
    assert "%" not in capfd.readouterr().err


def test_the_default_cache_is_the_users(server, tmp_path, monkeypatch):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    check(fetch_mnist(progress=False))
    assert sorted(os.listdir(tmp_path / "fastmlp")) == sorted(ZIPPED)


def test_one_cut_connection_is_tried_again(server, tmp_path):
    server.cut = 1
    check(fetch_mnist(tmp_path, progress=False))
    assert len(server.requests) == 5


def test_a_connection_always_cut(server, tmp_path):
    server.cut = 1000
    with pytest.raises((OSError, ValueError), match="download.*load_mnist.*digits"):
        fetch_mnist(tmp_path, progress=False)
    assert len(server.requests) == mnist.ATTEMPTS
    assert os.listdir(tmp_path) == []


def test_a_wrong_checksum(server, tmp_path):
    server.files[mnist.FILES[1] + ".gz"] = b"something else"
    with pytest.raises(ValueError, match="train-labels.*not the published file.*load_mnist"):
        fetch_mnist(tmp_path, progress=False)
    assert os.listdir(tmp_path) == [mnist.FILES[0] + ".gz"]


def test_a_damaged_file_in_the_cache_is_replaced(server, tmp_path):
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    check(fetch_mnist(tmp_path, progress=False))


def test_a_missing_page(server, tmp_path):
    del server.files[mnist.FILES[0] + ".gz"]
    with pytest.raises(OSError, match="404.*load_mnist"):
        fetch_mnist(tmp_path, progress=False)


def test_without_a_network(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="put the four files.*load_mnist\\(directory\\).*digits\\(n\\)") as error:
        fetch_mnist(tmp_path, progress=False)
    for name in ZIPPED:
        assert name in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("absent", ["pooch", "tqdm"])
def test_without_the_extra(tmp_path, monkeypatch, absent):
    if absent == "tqdm":
        pytest.importorskip("pooch", reason="downloads need the extra: pip install fastmlp[mnist]")
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(ImportError, match="pip install fastmlp\\[mnist\\]"):
        fetch_mnist(tmp_path)
