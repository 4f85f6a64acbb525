"""Read pictures of digits, drawn, scanned or photographed, as the networks know them: 28x28 grey pixels, white ink on black.

Here the ink is found: what stands out from the paper around it, is no noise, and belongs to the digit and not to the table,
a frame, a ruled line or dust. Then it goes the way that MNIST's digits went: cut out, scaled to a 20x20 box, and laid on the
paper with its centre of mass in the middle. A picture and its negative give the same pixels.
"""

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Doubles

Mask = NDArray[np.bool_]

SIDE = 28  # pixels of the paper's side
BOX = 20  # pixels of the box that a digit fills
WORKING_SIDE = 280  # pixels to which larger pictures are reduced
NOISE = 6  # how many deviations of the paper's brightness are not ink yet
SMALLEST = 0.08  # of the largest part's area: smaller ones are dust
TALL = 0.2  # of the picture's height: what lies inside and is as tall may be the digit
LONG = 0.8  # of the width of the picture: longer strokes that are thin are lines
BAND = 0.8  # of a row or column along a side: more marks are no digit
COARSE = 70  # pixels of the picture in which the paper's brightness is found
EXTRA = "pip install 'fastmlp[image]'"


def read_digit(path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Read one picture of a digit.

    path: a PNG file, or any other that Pillow reads: of any size, grey or in colour, with or without transparency,
    dark ink on light paper or light ink on dark.
    Returns uint8 of shape (784,), rows of 28x28 pixels, 0 paper to 255 ink.
    Needs the extra: pip install fastmlp[image]; raises ImportError without it. Raises OSError if the file cannot be
    read, and ValueError, naming the file, if it is no picture or shows no ink.
    """
    ink = _ink(_grey_levels(path))
    if not ink.any():
        raise ValueError(f"{path}: expected a digit on plain paper, found a blank picture")
    return _centred(_boxed(ink)).reshape(SIDE * SIDE)


def _grey_levels(path: str | PathLike[str]) -> Doubles:
    """The picture's brightness, (height, width) from 0 black to 255 white, transparent places filled in."""
    try:
        import skimage  # noqa: F401  which finds the ink
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(f"reading pictures needs Pillow and scikit-image; install them with: {EXTRA}") from error
    with open(path, "rb") as file:
        try:
            image = ImageOps.exif_transpose(Image.open(file))
            if image.mode == "F" or image.mode.startswith("I"):  # which Pillow's conversion would cut off at 255
                return _as_bytes(np.asarray(image, np.float64), image.mode)
            alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float64)
            grey = np.asarray(image.convert("RGBA").convert("RGB").convert("L"), np.float64)
        # Pillow reports a damaged PNG in any of these ways.
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            reason = "not a picture that Pillow knows" if isinstance(error, UnidentifiedImageError) else error
            raise ValueError(f"{path}: expected a picture: {reason}") from error
    # Whoever draws on transparent paper draws with dark ink for a light page, or the other way round.
    page = 255 if (grey * alpha).sum() * 2 < 255 * alpha.sum() else 0
    return np.rint((grey * alpha + page * (255 - alpha)) / 255)


def _as_bytes(levels: Doubles, mode: str) -> Doubles:
    """Levels of 16 bits, or floating-point ones that end at 1, 255 or 65535, from 0 to 255."""
    largest = levels.max(initial=0)
    full = 65535 if mode != "F" or largest > 255 else 255 if largest > 1 else 1
    return np.rint(np.clip(np.nan_to_num(levels), 0, full) * (255 / full))


def _ink(grey: Doubles) -> NDArray[np.uint8]:
    """How much ink of the digit each pixel shows, (height, width) uint8; large pictures are reduced to WORKING_SIDE first."""
    from skimage import filters, transform

    grey = grey if _is_on_light_paper(grey) else 255 - grey
    scale = max(grey.shape) / WORKING_SIDE
    if scale > 1:
        grey = transform.resize(grey, [max(1, round(side / scale)) for side in grey.shape], anti_aliasing=True)
    noise = _noise(grey)
    if noise > 0:
        size = 1 + 2 * (max(grey.shape) // (5 * SIDE))  # narrower than half a pen
        grey = filters.gaussian(filters.median(grey, np.ones((size, size))), size / 4)
        noise = _noise(grey)
    ink = np.maximum(_paper(grey) - grey, 0)
    ink[ink <= NOISE * noise] = 0
    marks = _marks(ink)
    strokes = _strokes(marks)
    distance = _distance_to(strokes)  # the strokes' soft edge is ink too, but not what is nearer to something else
    edge = 2 * max(1, round(max(grey.shape) / (5 * SIDE)))
    return np.rint(np.where((distance <= edge) & (distance < _distance_to(marks & ~strokes)), ink, 0)).astype(np.uint8)


def _is_on_light_paper(grey: Doubles) -> bool:
    """Whether most of the picture is of its lighter half, as Otsu's threshold divides it."""
    from skimage import filters

    is_light = grey.max() == grey.min() or np.count_nonzero(grey > filters.threshold_otsu(grey)) * 2 > grey.size
    return bool(is_light)


def _noise(grey: Doubles) -> float:
    """The typical deviation of pixels from the mean of those beside them."""
    beside = (np.roll(grey, 1, 0) + np.roll(grey, -1, 0) + np.roll(grey, 1, 1) + np.roll(grey, -1, 1)) / 4
    return float(np.median(np.abs(grey - beside)))


def _paper(grey: Doubles) -> Doubles:
    """The brightness of the paper at every pixel: what a quarter of the pixels around it exceed, of a coarse picture."""
    from scipy import ndimage
    from skimage import transform

    coarse = grey
    if max(grey.shape) > COARSE:
        coarse = transform.resize(grey, [min(side, COARSE) for side in grey.shape], anti_aliasing=True)
    around = ndimage.percentile_filter(coarse, 75, size=2 * (COARSE // 5) + 1, mode="nearest")
    paper: Doubles = transform.resize(ndimage.gaussian_filter(around, COARSE / 10, mode="nearest"), grey.shape)
    return paper


def _marks(ink: Doubles) -> Mask:
    """Which pixels surely are ink: bool, like ink."""
    from skimage import filters

    if ink.max(initial=0) == ink.min(initial=0):
        return ink > 0
    threshold = filters.threshold_otsu(ink)
    marks: Mask = filters.apply_hysteresis_threshold(ink, 0.6 * threshold, threshold)
    return marks


def _strokes(marks: Mask) -> Mask:
    """Which of the marks are the digit's."""
    from skimage import measure

    marks = _without_lines(_without_lines(_without_surroundings(marks)).T).T
    parts = measure.regionprops(measure.label(marks, connectivity=2))
    inside = [part for part in parts if not _touches_border(part, marks.shape)]
    if inside and max(part.bbox[2] - part.bbox[0] for part in inside) >= TALL * len(marks):
        parts = inside  # what touches the border is a frame, the table, or another line's text
    strokes = np.zeros(marks.shape, bool)
    largest = max((part.area for part in parts), default=0)
    for part in parts:
        if part.area >= SMALLEST * largest:
            strokes[part.slice] |= part.image
    return strokes


def _without_surroundings(marks: Mask) -> Mask:
    """The marks without the bands along the sides that hardly hold anything else: a frame, or the table around the page.

    A single band may be the stroke of a digit that was cut out closely.
    """
    bands = []
    for turned in (marks, marks[::-1], marks.T, marks.T[::-1]):
        free = np.flatnonzero(turned.mean(axis=1) < BAND)
        bands.append(free[0] if len(free) else 0)
    if np.count_nonzero(bands) < 2:
        return marks
    top, bottom, left, right = bands
    inner = np.zeros_like(marks)
    inside = slice(top, len(marks) - bottom), slice(left, marks.shape[1] - right)
    inner[inside] = marks[inside]
    return inner


def _touches_border(part: Any, shape: tuple[int, ...]) -> bool:
    top, left, bottom, right = part.bbox
    return bool(top == 0 or left == 0 or bottom == shape[0] or right == shape[1])


def _without_lines(marks: Mask) -> Mask:
    """The marks without thin lines along the rows, as on ruled paper and of frames; strokes that cross them stay."""
    from scipy import ndimage

    length, thick = round(LONG * marks.shape[1]), max(1, marks.shape[0] // 40)
    if length < 2 * thick:
        return marks
    lines = ndimage.binary_opening(marks, np.ones((1, length)))
    lines &= ~ndimage.binary_opening(lines, np.ones((thick + 1, 1)))  # not what is thick, as a table is
    if not lines.any():
        return marks
    lines = ndimage.binary_dilation(lines, np.ones((3, 1)))
    rest = marks & ~lines
    padded = np.pad(rest, thick + 3)
    bridged = ndimage.binary_closing(padded, np.ones((thick + 3, 1)))[thick + 3 : -thick - 3, thick + 3 : -thick - 3]
    joined: Mask = rest | bridged & lines & marks
    return joined


def _distance_to(marks: Mask) -> Doubles:
    """How far each pixel is from the nearest mark; infinity where there is none."""
    from scipy import ndimage

    return ndimage.distance_transform_edt(~marks) if marks.any() else np.full(marks.shape, np.inf)


def _boxed(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The ink alone, scaled so that its longer side measures 20 pixels and its darkest place 255."""
    from PIL import Image

    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(BOX * side / max(ink.shape))) for side in ink.shape)
    scaled = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BILINEAR))
    darkest = max(int(scaled.max()), 1)
    return ((scaled.astype(np.int64) * 255 * 2 + darkest) // (2 * darkest)).astype(np.uint8)


def _centred(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The ink on 28x28 pixels of paper, its centre of mass as near the middle as whole pixels allow."""
    paper = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (_start(ink.sum(axis=1 - axis, dtype=np.int64).tolist()) for axis in (0, 1))
    paper[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return paper


def _start(masses: list[int]) -> int:
    """Where these rows (or columns) of ink begin, so that their centre of mass lies where MNIST has it: rounded up."""
    total = sum(masses)
    twice_centre = sum(mass * (2 * i + 1) for i, mass in enumerate(masses))
    start = -((twice_centre - SIDE * total) // (2 * total))
    return min(max(start, 0), SIDE - len(masses))
