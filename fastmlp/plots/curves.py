"""How loss and accuracy went from epoch to epoch."""

import math

from .canvas import MUTED, NEGATIVE, POSITIVE, axes


def learning_curves(history, ax=None):
    """Loss (left scale) and accuracy (right scale) after each epoch of a History, training and validation.

    history: what MLP.fit returned. ax: matplotlib Axes to draw on; None makes new ones. Returns them.
    Raises ValueError if no epoch was completed.
    """
    if not history.epochs:
        raise ValueError("history has no completed epoch to draw")
    ax = axes(ax, 6.4, 3.8)
    epochs = range(1, history.epochs + 1)
    marker = "o" if history.epochs == 1 else None
    lines = []
    for values, name, style in ((history.loss, "loss", "--"), (history.val_loss, "validation loss", "-")):
        if values:
            lines += ax.plot(epochs, _numbers(values), style, color=NEGATIVE, marker=marker, label=name)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss", color=NEGATIVE)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(axis="x", color="#e5e7eb")
    ax.spines["top"].set_visible(False)
    if history.accuracy or history.val_accuracy:
        right = ax.twinx()
        right.spines["top"].set_visible(False)
        for values, name, style in (
            (history.accuracy, "accuracy", "--"),
            (history.val_accuracy, "validation accuracy", "-"),
        ):
            if values:
                percent = [100 * value for value in _numbers(values)]
                lines += right.plot(epochs, percent, style, color=POSITIVE, marker=marker, label=name)
        right.set_ylabel("accuracy, %", color=POSITIVE)
    ax.legend(
        handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, fontsize=8, frameon=False, labelcolor=MUTED
    )
    return ax


def _numbers(values):
    """A column of a History with NaN, which matplotlib leaves out, where it was not measured."""
    return [math.nan if value is None else value for value in values]
