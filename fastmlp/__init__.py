"""fastmlp trains and runs multilayer perceptrons on CPUs, with the same bits on every one of them."""

__version__ = "0.1.0"

import importlib

from . import backends, datasets, math
from .activations import ACTIVATIONS
from .config import config, show_config
from .custom import activation
from .losses import LOSSES
from .network import MLP, Gradients
from .training import Evaluation, History

__all__ = [
    "ACTIVATIONS", "LOSSES", "MLP", "Evaluation", "Gradients", "History", "activation", "config", "datasets", "math",
    "show_config",
]  # fmt: skip

backends.warn_if_slow()


def __getattr__(name):
    """fastmlp.plots and fastmlp.page, which need extras and are imported when they are first used."""
    if name in ("page", "plots"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
