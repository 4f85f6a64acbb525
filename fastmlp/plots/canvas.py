"""What all pictures share: axes that show themselves in notebooks, the colours, and images laid out as tiles."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator

Column = Sequence[float | None]
Columns = Mapping[str, Column]  # of a History

POSITIVE, NEGATIVE, HIGHLIGHT = "#0b6fc2", "#d95f02", "#e8a90c"  # blue and orange: colour-blind people tell them apart too
MUTED = "#6b7280"
SIGNED = LinearSegmentedColormap.from_list("fastmlp", ["#8a3a00", NEGATIVE, "#fbfaf8", POSITIVE, "#063d6e"])


class Picture(Axes):
    """Axes on a figure of their own, which a notebook shows as a PNG."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        write_png(self, png)
        return png.getvalue()


def write_png(ax: Axes, file: Path | BinaryIO) -> None:
    """Write the figure that axes are on."""
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.savefig(file, format="png", dpi=110)


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """ax itself, or new axes on a figure of width x height inches."""
    if ax is not None:
        return ax
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(axes_class=Picture)


def symmetric(values: np.ndarray) -> Normalize:
    """The scale from minus to plus the largest finite magnitude, so that zero is the palest."""
    magnitudes = np.abs(values[np.isfinite(values)])
    largest = float(magnitudes.max(initial=0)) or 1.0
    return Normalize(-largest, largest)


def bare(ax: Axes) -> Axes:
    """Without ticks and frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def whole_numbers(axis: Axis) -> None:
    """Ticks at integers alone."""
    locator = AutoLocator()
    locator.set_params(integer=True, min_n_ticks=1)
    axis.set_major_locator(locator)


def tiles(images: np.ndarray, columns: int, gap: int = 2) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """One image of all images (n, height, width), row by row, with gaps of NaN: and each tile's left upper corner."""
    n, height, width = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    corners = []
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
        corners.append((left, top))
    return sheet, corners
