"""fastmlp trains and runs multilayer perceptrons on CPUs, with the same bits on every one of them."""

from . import backends, datasets, functional, math
from .activations import ACTIVATIONS
from .config import config, show_config
from .custom import activation
from .losses import LOSSES
from .network import MLP, Gradients
from .training.history import History
from .training.metrics import Evaluation
from .version import __version__

__all__ = [
    "ACTIVATIONS", "LOSSES", "MLP", "Evaluation", "Gradients", "History", "__version__", "activation", "config", "datasets",
    "functional", "math", "show_config",
]  # fmt: skip

backends.warn_if_slow()
