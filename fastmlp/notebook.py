"""How a network and a history show themselves in notebooks: HTML and SVG of plain text, without matplotlib.

Pictures that need it are in fastmlp.plots, whose axes show themselves too.
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

Columns = Mapping[str, list[float | None]]  # of a History

POSITIVE, NEGATIVE = "#0b6fc2", "#d95f02"
WIDTH, HEIGHT = 360, 120


def network_html(net: Any) -> str:
    """A table of a network's layers."""
    rows = [
        f"<tr><td>{layer}</td><td>{weights.shape[0]} → {weights.shape[1]}</td><td>{html.escape(str(activation))}</td>"
        f"<td>{weights.size + weights.shape[1]:,}</td></tr>"
        for layer, (weights, activation) in enumerate(zip(net.weights, net.layer_activations), 1)
    ]
    return (
        f"<b>fastmlp.MLP</b> {'-'.join(map(str, net.layer_sizes))}, {net.n_parameters:,} parameters, {net.dtype.name}, "
        f"loss {net.loss}, {net.epochs_trained} epochs trained"
        "<table><tr><th>layer</th><th>size</th><th>activation</th><th>parameters</th></tr>" + "".join(rows) + "</table>"
        f"<code>{net.hash()}</code>"
    )


def history_html(history: Columns) -> str:
    """The loss from epoch to epoch, and the accuracy where there is one, as curves with their last values."""
    n_epochs = len(history.get("loss", []))
    if not n_epochs:
        return "<b>fastmlp.History</b> no epoch completed"
    curves, words = [], []
    for name, colour in (("loss", NEGATIVE), ("accuracy", POSITIVE)):
        for key, dashes in ((name, "4 3"), (f"val_{name}", "none")):
            known = _measured(history, key)
            if known:
                values = [math.nan if value is None else value for value in history[key]]
                highest = 1.0 if name == "accuracy" else max(_measured(history, "loss") + _measured(history, "val_loss"))
                curves.append(_curve(values, highest, colour, dashes))
                words.append(f'<span style="color:{colour}">{key} {known[-1]:.4f}</span>')
    epochs = f"{n_epochs} epoch{'s' if n_epochs > 1 else ''} in {sum(_measured(history, 'seconds')):.2f} s"
    return (
        f"<b>fastmlp.History</b> {epochs}: {', '.join(words)}<br>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="curves">'
        f'<path d="M0 0V{HEIGHT}H{WIDTH}" fill="none" stroke="#9ca3af"/>{"".join(curves)}</svg>'
    )


def _measured(history: Columns, name: str) -> list[float]:
    return [value for value in history.get(name, []) if value is not None]


def _curve(values: Sequence[float], highest: float, colour: str, dashes: str) -> str:
    points = []
    for i, value in enumerate(values):
        if math.isfinite(value):
            x = WIDTH * (i / (len(values) - 1) if len(values) > 1 else 0.5)
            y = HEIGHT - (HEIGHT - 2) * value / highest if highest and math.isfinite(highest) else HEIGHT
            points.append(f"{x:.1f},{y:.1f}")
    if len(points) == 1:
        cx, cy = points[0].split(",")
        return f'<circle cx="{cx}" cy="{cy}" r="3" fill="{colour}"/>'
    style = f'fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"'
    return f'<polyline points="{" ".join(points)}" {style}/>'
