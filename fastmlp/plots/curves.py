"""How loss and accuracy went from epoch to epoch."""

import math

from matplotlib.axes import Axes

from .border import axes_of, history_of
from .canvas import MUTED, NEGATIVE, POSITIVE, Column, Columns, axes, whole_numbers


def learning_curves(history: Columns, ax: Axes | None = None) -> Axes:
    """Loss (left scale) and accuracy (right scale) after each epoch of a History, training and validation.

    history: what MLP.fit returned. ax: matplotlib Axes to draw on; None makes new ones. Returns them.
    Raises ValueError if no epoch was completed.
    """
    history, ax = history_of(history), axes_of(ax)
    n_epochs = len(history.get("loss", ()))
    if not n_epochs:
        raise ValueError("history has no completed epoch to draw")
    ax = axes(ax, 6.4, 3.8)
    epochs = range(1, n_epochs + 1)
    marker = "o" if n_epochs == 1 else None
    lines = []
    for column, name, style in (("loss", "loss", "--"), ("val_loss", "validation loss", "-")):
        if values := history.get(column):
            lines += ax.plot(epochs, _numbers(values), style, color=NEGATIVE, marker=marker, label=name)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss", color=NEGATIVE)
    whole_numbers(ax.xaxis)
    ax.grid(axis="x", color="#e5e7eb")
    ax.spines["top"].set_visible(False)
    if history.get("accuracy") or history.get("val_accuracy"):
        right = ax.twinx()
        right.spines["top"].set_visible(False)
        for column, name, style in (("accuracy", "accuracy", "--"), ("val_accuracy", "validation accuracy", "-")):
            if values := history.get(column):
                percent = [100 * value for value in _numbers(values)]
                lines += right.plot(epochs, percent, style, color=POSITIVE, marker=marker, label=name)
        right.set_ylabel("accuracy, %", color=POSITIVE)
    else:
        ax.spines["right"].set_visible(False)
    ax.legend(
        handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, fontsize=8, frameon=False, labelcolor=MUTED
    )
    return ax


def _numbers(values: Column) -> list[float]:
    """A column of a History with NaN, which matplotlib leaves out, where it was not measured."""
    return [math.nan if value is None else value for value in values]
