"""Handwritten-looking digits drawn from a table of pen strokes: data that need no file and no network.

Every image is a function of (seed, image number) alone, the same to the last bit on every machine: randomness is
Philox addressed by position, and the arithmetic is + - * / sqrt, comparisons and selects, each rounded to float32 in
the order written. Arrays carry the images of a block along their last axis, n long.
"""

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Floats, Integers
from fastmlp.datasets.skeletons import SKELETONS
from fastmlp.reference.philox import philox, split64, uniform

TRAINING_DIGITS, TRAINING_SEED = 30_000, 0  # what the command line and the page train on,
HELD_OUT_DIGITS, HELD_OUT_SEED = 2_000, 1  # and test with

SIDE = 28  # pixels of an image's side
BOX = 20  # pixels of the square that a digit fills, as in MNIST
STAMPS = 96  # places where the pen marks the paper, ordinarily less than a pixel apart
BLOCK = 128  # images drawn at once: their distances to the pen fit in cache
STREAM = 0x64696769  # the last word of every counter: other uses of a seed draw other numbers

# How hands differ. Skeletons span about -1 to 1 when these apply; each is the deviation of a nearly normal number.
WOBBLE = 0.18  # of neighbouring points of a path together
JITTER = 0.05  # of each point of a path by itself
UNSTEADY = 0.5, 1.0  # a hand's wobble and jitter are multiplied by the first plus up to the second
BEND = 0.10  # of the coefficients of a quadratic deformation of the plane
SLANT = 0.06, 0.24  # mean and deviation of the tangent; to the right is positive
STRETCH = 0.15  # of the width
TURN = 0.05  # of the tangent of half the angle
RADIUS = 1.20, 0.33  # mean and deviation of half the stroke width, pixels
RADII = 0.55, 2.6  # its bounds
BLUR = 1.2, 0.15  # mean and deviation of the width of the stroke's grey edge, pixels


def digits(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], Integers]:
    """Draw n handwritten-looking digits, white ink on black, laid out as MNIST is.

    n: how many, from 0 to 2**32 - 1. seed: an integer in [0, 2**64); another seed gives other images.
    Returns (images, labels): uint8 of shape (n, 784), rows of 28x28 pixels, 0 to 255; and int64 of shape (n,), 0 to 9.
    Image i depends only on seed and i: digits(50, s) are the first 50 of digits(200, s), on every machine.
    Raises TypeError if n or seed is not an integer, ValueError if it is out of range.

    >>> images, labels = digits(5, seed=0)
    >>> images.shape, images.dtype, labels
    ((5, 784), dtype('uint8'), array([4, 9, 9, 7, 6]))
    """
    n, seed = _integer("n", n, 2**32), _integer("seed", seed, 2**64)
    images = np.empty((n, SIDE, SIDE), np.uint8)
    labels = np.empty(n, np.int64)
    for start in range(0, n, BLOCK):
        block = slice(start, min(start + BLOCK, n))
        draws = _Draws(seed, np.arange(block.start, block.stop))
        labels[block] = draws.integer(10)
        radius, blur = _pen(draws)
        x, y = _write(draws, labels[block])
        x, y = _deform(draws, x, y)
        x, y = _fit(x, y, radius)
        images[block] = _centre(_ink(x, y, radius, blur))
    return images.reshape(n, SIDE * SIDE), labels


def _integer(name: str, value: Any, end: int) -> int:
    """value as a Python int in [0, end)."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if not 0 <= number < end:
        raise ValueError(f"{name} must be at least 0 and below 2**{end.bit_length() - 1}, not {number}")
    return number


class _Draws:
    """The random numbers of a block of images, handed out in the order asked for.

    Word w of image i is word w % 4 of the Philox block at counter (w // 4, i, 0, STREAM), with the seed as the key.
    """

    def __init__(self, seed: int, images: Integers) -> None:
        counter = np.zeros((_WORDS // 4, len(images), 4), np.uint32)
        counter[:, :, 0] = np.arange(_WORDS // 4)[:, None]
        counter[:, :, 1] = images
        counter[:, :, 3] = STREAM
        words = philox(counter, split64(seed))
        self._words = iter(words.transpose(0, 2, 1).reshape(_WORDS, len(images)))

    def integer(self, end: int | Integers) -> Integers:
        """One integer per image in [0, end), int64 (n,); end may differ by image."""
        return (next(self._words).astype(np.int64) * end) >> 32

    def uniform(self) -> Floats:
        """One number per image in [0, 1), (n,)."""
        return uniform(next(self._words))

    def normal(self) -> Floats:
        """One nearly normal number per image, mean 0, deviation 1, at most 3.5: the sum of a word's bytes, scaled."""
        word = next(self._words)
        total = (word & 255) + ((word >> 8) & 255) + ((word >> 16) & 255) + (word >> 24)
        number: Floats = (total.astype(np.float32) - 510) / 147.8
        return number

    def normals(self, count: int) -> Floats:
        """count rows of normal(), (count, n)."""
        return np.stack([self.normal() for _ in range(count)])


def _parse(path: str) -> tuple[Floats, list[list[int]]]:
    """A path's points, float32 (points, 2), and its spans: the numbers of the four points that shape each."""
    points: list[list[float]] = []
    spans: list[list[int]] = []
    for stroke in path.split("/"):
        corner: list[int] = []
        for piece in stroke.split("|"):
            places = [[float(value) for value in point.split(",")] for point in piece.split()]
            numbers = corner + list(range(len(points), len(points) + len(places)))
            points += places
            corner = numbers[-1:]
            # Where the curve begins or ends, the missing neighbour is the end itself.
            padded = numbers[:1] + numbers + corner
            spans += [padded[i : i + 4] for i in range(len(numbers) - 1)]
    return np.array(points, np.float32), spans


def _spread(points: Floats, spans: list[list[int]]) -> tuple[NDArray[np.intp], Floats]:
    """Where the pen marks, evenly over the spans' chords: numbers of points and their weights, (STAMPS, 4) each."""
    chords = [(points[end] - points[start]).tolist() for _, start, end, _ in spans]
    lengths = [math.sqrt(x * x + y * y) for x, y in chords]
    total = 0.0
    for length in lengths:
        total += length
    numbers, weights = np.empty((STAMPS, 4), np.intp), np.empty((STAMPS, 4), np.float32)
    span, before = 0, 0.0
    for stamp in range(STAMPS):
        place = (stamp + 0.5) / STAMPS * total
        while place > before + lengths[span] and span + 1 < len(spans):
            before += lengths[span]
            span += 1
        t = (place - before) / lengths[span]
        numbers[stamp] = spans[span]
        # The Catmull-Rom curve from the second point (t = 0) to the third (t = 1).
        weights[stamp] = (
            t * (t * (2 - t) - 1) / 2,
            (t * t * (3 * t - 5) + 2) / 2,
            t * (t * (4 - 3 * t) + 1) / 2,
            t * t * (t - 1) / 2,
        )
    return numbers, weights


# One row for each way of writing, those of 0 first; rows are padded with points that no mark uses.
_PATHS = [_parse(path) for label in range(10) for path in SKELETONS[label]]
_WAYS = np.array([len(SKELETONS[label]) for label in range(10)])
_FIRST = np.array([sum(_WAYS[:label].tolist()) for label in range(10)])
_POINTS = max(len(points) for points, _ in _PATHS)
_POINT = np.stack([np.pad(points, ((0, _POINTS - len(points)), (0, 0))) for points, _ in _PATHS])
_NUMBER, _WEIGHT = (np.stack(table) for table in zip(*(_spread(points, spans) for points, spans in _PATHS)))
_WORDS = (4 * _POINTS + 32) // 4 * 4  # drawn for each image; a few are left over


def _pen(draws: _Draws) -> tuple[Floats, Floats]:
    """Half the stroke width and the width of its grey edge, pixels, (n,) each."""
    z = draws.normal()
    # The square skews the distribution: a few strokes are much thicker than most.
    radius = RADIUS[0] + RADIUS[1] * z + RADIUS[1] * 0.15 * z * z
    radius = np.where(radius < RADII[0], RADII[0], np.where(radius > RADII[1], RADII[1], radius))
    return radius, BLUR[0] + BLUR[1] * draws.normal()


def _write(draws: _Draws, labels: Integers) -> tuple[Floats, Floats]:
    """Where an unsteady hand marks the paper: x and y, (STAMPS, n) each, about -1 to 1, y downwards."""
    path = _FIRST[labels] + draws.integer(_WAYS[labels])
    number, weight = _NUMBER[path].transpose(2, 1, 0), _WEIGHT[path].transpose(2, 1, 0)
    unsteady = UNSTEADY[0] + UNSTEADY[1] * draws.uniform()
    image = np.arange(len(labels))
    curve = []
    for points in _POINT[path].transpose(2, 1, 0):
        z = draws.normals(_POINTS + 2)
        wobble = WOBBLE * (z[:-2] + z[1:-1] + z[2:]) / 1.732
        points = points / 50 - 1 + unsteady * (wobble + JITTER * draws.normals(_POINTS))
        marks = weight[0] * points[number[0], image]
        for i in range(1, 4):
            marks = marks + weight[i] * points[number[i], image]
        curve.append(marks)
    return curve[0] + 0.4, curve[1]  # digits are narrower than high: 0.4 brings their middle to 0


def _deform(draws: _Draws, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Bend, stretch, slant and turn each digit as a whole; the same shapes."""
    bend = BEND * draws.normals(6)
    xx, xy, yy = x * x, x * y, y * y
    x, y = x + bend[0] * xx + bend[1] * xy + bend[2] * yy, y + bend[3] * xx + bend[4] * xy + bend[5] * yy
    x = x * (1 + STRETCH * draws.normal()) - y * (SLANT[0] + SLANT[1] * draws.normal())
    # Cosine and sine by the tangent t of half the angle, which needs no library function.
    t = TURN * draws.normal()
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return x * cos - y * sin, x * sin + y * cos


def _fit(x: Floats, y: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Scale each digit so that its ink fills the box, and put it in the middle: pixels, the same shapes."""
    left = right = x[0]
    top = bottom = y[0]
    for i in range(1, STAMPS):
        left, right = np.where(x[i] < left, x[i], left), np.where(x[i] > right, x[i], right)
        top, bottom = np.where(y[i] < top, y[i], top), np.where(y[i] > bottom, y[i], bottom)
    width, height = right - left, bottom - top
    scale = (BOX - 2 * radius) / np.where(width > height, width, height)
    return (x - (left + right) / 2) * scale + BOX / 2, (y - (top + bottom) / 2) * scale + BOX / 2


def _ink(x: Floats, y: Floats, radius: Floats, blur: Floats) -> NDArray[np.int32]:
    """The ink of each pixel by its distance to the nearest mark: int32 (BOX, BOX, n), 0 to 255."""
    middle = (np.arange(BOX, dtype=np.float32) + 0.5)[:, None]
    nearest = np.full((BOX, BOX, x.shape[1]), 4 * BOX * BOX, np.float32)  # squared distances
    for i in range(STAMPS):
        dx, dy = middle - x[i], middle - y[i]
        distance = (dy * dy)[:, None] + dx * dx
        nearest = np.where(distance < nearest, distance, nearest)
    shade = (radius - np.sqrt(nearest)) / blur + 0.5
    shade = np.where(shade > 0, np.where(shade < 1, shade, 1), 0)
    return (shade * 255 + 0.5).astype(np.int32)


def _centre(ink: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Boxes put on paper with the centre of mass in the middle, to the nearest pixel: uint8 (n, SIDE, SIDE)."""
    images = np.zeros((ink.shape[2], SIDE, SIDE), np.uint8)
    image, pixel = np.arange(len(images))[:, None, None], np.arange(BOX)
    row, column = _offset(ink), _offset(ink.transpose(1, 0, 2))
    images[image, row[:, None, None] + pixel[:, None], column[:, None, None] + pixel] = ink.transpose(2, 0, 1)
    return images


def _offset(ink: NDArray[np.int32]) -> NDArray[np.int32]:
    """Where the box begins along its first axis, (n,), so that the centre of mass is in the middle of the paper."""
    rows = ink[:, 0]
    for j in range(1, BOX):
        rows = rows + ink[:, j]
    total = moment = 0
    for i in range(BOX):
        total, moment = total + rows[i], moment + (2 * i + 1) * rows[i]
    # The centre of mass lies moment / (2 total) from the box's edge. All of this is exact.
    offset = (SIDE * total - moment + total) // (2 * total)
    return np.where(offset < 0, 0, np.where(offset > SIDE - BOX, SIDE - BOX, offset))
