"""fastmlp trains and runs multilayer perceptrons on CPUs, with the same bits on every one of them."""

import importlib
from typing import TYPE_CHECKING

from . import backends, datasets, functional, math, schedules
from .activations import ACTIVATIONS
from .config import config, show_config
from .conversion import from_keras, from_layers, from_onnx, from_sklearn, from_torch
from .custom import activation
from .losses import LOSSES, Huber, Quantile
from .network import MLP, Gradients
from .optimizers import SGD, Adam, AdamW, RMSprop
from .training.callbacks import Callback
from .training.early_stopping import EarlyStopping
from .training.history import History
from .training.metrics import Evaluation
from .version import __version__

__all__ = [
    "ACTIVATIONS", "LOSSES", "MLP", "SGD", "Adam", "AdamW", "Callback", "EarlyStopping", "Evaluation", "Gradients",
    "History", "Huber", "Quantile", "RMSprop", "__version__", "activation", "config", "datasets", "from_keras", "from_layers",
    "from_onnx", "from_sklearn", "from_torch", "functional", "math", "schedules", "show_config",
]  # fmt: skip

backends.warn_if_slow()


if TYPE_CHECKING:
    from . import page, plots  # noqa: F401
else:

    def __getattr__(name):
        """fastmlp.plots and fastmlp.page, which need extras and are imported when they are first used."""
        if name in ("page", "plots"):
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
