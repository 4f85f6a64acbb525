"""Read pictures of digits, drawn or photographed, as the networks know them: 28x28 grey pixels, white ink on black.

A picture goes the way that MNIST's digits went: cut out the ink, scale it to a 20x20 box, and lay it on the paper with
its centre of mass in the middle. A picture and its negative give the same pixels.
"""

import numpy as np

SIDE = 28  # pixels of the paper's side
BOX = 20  # pixels of the box that a digit fills
NOISE = 6  # how many typical deviations from the paper's brightness are not ink yet


def read_digit(path):
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


def _grey_levels(path):
    """The picture's brightness, (height, width) from 0 black to 255 white, transparent places filled in."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError("reading pictures needs Pillow; install it with: pip install fastmlp[image]") from error
    with open(path, "rb") as file:
        try:
            image = ImageOps.exif_transpose(Image.open(file))
            if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow's conversion would cut off at 255
                return np.rint(np.asarray(image) / 257)
            alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float64)
            grey = np.asarray(image.convert("RGBA").convert("RGB").convert("L"), np.float64)
        # Pillow reports a damaged PNG in any of these ways.
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            reason = "not a picture that Pillow knows" if isinstance(error, Image.UnidentifiedImageError) else error
            raise ValueError(f"{path}: expected a picture: {reason}") from error
    # Whoever draws on transparent paper draws with dark ink for a light page, or the other way round.
    page = 255 if (grey * alpha).sum() * 2 < 255 * alpha.sum() else 0
    return np.rint((grey * alpha + page * (255 - alpha)) / 255)


def _ink(grey):
    """How much ink each pixel shows: its distance from the brightness of the paper, which lies along the border."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = np.median(border)
    dark_on_light = grey.max() - paper < paper - grey.min()
    ink = paper - grey if dark_on_light else grey - paper
    noise = NOISE * np.median(np.abs(border - paper))
    return np.where(ink > noise, ink, 0).astype(np.uint8)


def _boxed(ink):
    """The ink alone, scaled so that its longer side measures 20 pixels and its darkest place 255."""
    from PIL import Image

    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(BOX * side / max(ink.shape))) for side in ink.shape)
    scaled = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BILINEAR))
    darkest = max(int(scaled.max()), 1)
    return ((scaled.astype(np.int64) * 255 * 2 + darkest) // (2 * darkest)).astype(np.uint8)


def _centred(ink):
    """The ink on 28x28 pixels of paper, its centre of mass as near the middle as whole pixels allow."""
    paper = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (_start(ink.sum(axis=1 - axis, dtype=np.int64).tolist()) for axis in (0, 1))
    paper[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return paper


def _start(masses):
    """Where these rows (or columns) of ink begin, so that their centre of mass lies where MNIST has it: rounded up."""
    total = sum(masses)
    twice_centre = sum(mass * (2 * i + 1) for i, mass in enumerate(masses))
    start = -((twice_centre - SIDE * total) // (2 * total))
    return min(max(start, 0), SIDE - len(masses))
