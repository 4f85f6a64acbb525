"""Which numbers of inputs make a square, and which squares are taken for images, on the page as in pictures."""

import math

SMALLEST_IMAGE = 8  # the side of a square of inputs that is taken for an image


def side_of(size: int) -> int | None:
    """The side of the square that size pixels make, or None."""
    side = math.isqrt(size)
    return side if side * side == size else None
