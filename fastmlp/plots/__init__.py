"""Pictures of networks, of their training and of their mistakes, through matplotlib (extra `plot`).

Every function takes `ax`, a matplotlib Axes to draw on, and returns it. Without one it draws on a figure of its own,
which pyplot does not know, and the Axes returned shows itself in notebooks; `ax.figure.savefig(path)` writes it to a
file.
"""

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError('fastmlp.plots needs matplotlib; install it with: pip install "fastmlp[plot]"') from error

from .curves import learning_curves
from .diagram import network
from .folder import save_network, save_training
from .mistakes import confusion_matrix, worst_mistakes
from .weights import receptive_field, weights

__all__ = [
    "confusion_matrix", "learning_curves", "network", "receptive_field", "save_network", "save_training", "weights",
    "worst_mistakes",
]  # fmt: skip
