"""The embedded digits: the same bytes everywhere, laid out as MNIST is, and different enough to learn from."""

import ast
import hashlib
import sys

import numpy as np
import pytest

from fastmlp.datasets import digits
from fastmlp.datasets.skeletons import SKELETONS

module = sys.modules["fastmlp.datasets.digits"]


def test_shapes_and_types():
    images, labels = digits(200)
    assert images.shape == (200, 784) and images.dtype == np.uint8 and images.flags.c_contiguous
    assert labels.shape == (200,) and labels.dtype == np.int64
    assert set(labels.tolist()) == set(range(10))


def test_the_bytes_are_pinned():
    images, labels = digits(1000, seed=2026)
    digest = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    assert digest == "cbbf4636bccfe06ca13bcae9d41ba5116bb322eacab6f949b87a8af5acba6aec"


def test_an_image_depends_on_seed_and_number_alone():
    images, labels = digits(50, 7)
    more_images, more_labels = digits(200, 7)
    np.testing.assert_array_equal(images, more_images[:50])
    np.testing.assert_array_equal(labels, more_labels[:50])


def test_the_block_size_changes_nothing(monkeypatch):
    images, labels = digits(40, 3)
    monkeypatch.setattr(module, "BLOCK", 7)
    again, again_labels = digits(40, 3)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, again_labels)


def test_every_image_and_every_seed_differs():
    rows = np.concatenate([digits(300, seed)[0] for seed in (0, 1, 2**32, 2**64 - 1)])
    assert len(np.unique(rows, axis=0)) == 1200


def test_labels_are_spread_evenly():
    counts = np.bincount(digits(5000, 11)[1], minlength=10)
    assert counts.min() > 400 and counts.max() < 600


def test_the_layout_is_that_of_mnist():
    images = digits(1000, 5)[0].reshape(-1, 28, 28).astype(float)
    # Black paper, white ink, about as much of both as in MNIST (a mean of 33).
    assert images.max() == 255 and images.min() == 0 and 25 < images.mean() < 40
    # The ink fills a box of 20x20 pixels, and its centre of mass is in the middle.
    rows, columns = images.max(axis=2) > 0, images.max(axis=1) > 0
    size = np.maximum(rows.sum(axis=1), columns.sum(axis=1))
    assert size.max() <= 20 and (size == 20).mean() > 0.95
    places = np.arange(28) + 0.5
    for profile in images.sum(axis=2), images.sum(axis=1):
        centre = (profile * places).sum(axis=1) / profile.sum(axis=1)
        assert np.abs(centre - 14).max() <= 0.5 + 1e-9


def test_a_nearest_mean_classifier_reads_them():
    images, labels = digits(4000, 1)
    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    others, truth = digits(1000, 2)
    distances = ((others[:, None] - means) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == truth).mean() > 0.6


def test_every_way_of_writing_is_drawn(monkeypatch):
    used = set()
    integer = module._Draws.integer

    def spy(draws, end):
        result = integer(draws, end)
        if not np.isscalar(end):
            used.update(zip(end.tolist(), result.tolist()))
        return result

    monkeypatch.setattr(module._Draws, "integer", spy)
    digits(3000)
    assert used == {(len(ways), way) for ways in SKELETONS.values() for way in range(len(ways))}


def test_normal_numbers():
    draws = module._Draws(0, np.arange(100_000))
    z = draws.normal()
    assert z.dtype == np.float32
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01 and np.abs(z).max() < 3.5


def test_everything_is_drawn_in_float32(monkeypatch):
    ink = module._ink

    def spy(*arrays):
        assert [array.dtype for array in arrays] == [np.float32] * 4
        return ink(*arrays)

    monkeypatch.setattr(module, "_ink", spy)
    digits(3)


def test_none_and_few():
    images, labels = digits(0)
    assert images.shape == (0, 784) and labels.shape == (0,)
    assert digits(np.int64(3), seed=np.uint64(4))[0].shape == (3, 784)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((-1,), ValueError, "n must be at least 0 and below 2\\*\\*32, not -1"),
        ((2**32,), ValueError, "n must be at least 0 and below"),
        ((2.0,), TypeError, "n must be an integer, not 2.0"),
        (("5",), TypeError, "n must be an integer, not '5'"),
        ((True,), TypeError, "n must be an integer, not True"),
        ((5, -1), ValueError, "seed must be at least 0 and below 2\\*\\*64, not -1"),
        ((5, 2**64), ValueError, "seed must be at least 0 and below"),
        ((5, None), TypeError, "seed must be an integer, not None"),
        ((5, 0.5), TypeError, "seed must be an integer, not 0.5"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        digits(*arguments)


def test_only_arithmetic_that_is_the_same_everywhere():
    """Of NumPy, the source uses nothing whose bits depend on the machine."""
    allowed = {"arange", "array", "empty", "full", "pad", "sqrt", "stack", "where", "zeros"}
    types = {"bool_", "float32", "int32", "int64", "intp", "uint8", "uint32"}
    with open(module.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
    }
    assert used <= allowed | types
    # 2**32 and 2**64 are integers; every other power or matrix product would be libm's or a BLAS's.
    operations = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp)]
    powers = [ast.unparse(node) for node in operations if isinstance(node.op, (ast.Pow, ast.MatMult))]
    assert powers == ["2 ** 32", "2 ** 64"]
