"""fastmlp trains and runs multilayer perceptrons on CPUs, with the same bits on every one of them.

ACTIVATIONS and LOSSES are the tables of both, {name: row with the formula}. __version__ is fastmlp's own.

>>> import numpy as np, fastmlp
>>> x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
>>> net = fastmlp.MLP([2, 8, 2], "tanh", loss="cross_entropy", seed=0)
>>> history = net.fit(x, y, epochs=200, batch_size=4, learning_rate=1.0, verbose=0)
>>> net.predict(x)
array([0, 1, 1, 0])
>>> net.hash()[:16]
'1be909a782bdad70'
"""

import importlib
from typing import TYPE_CHECKING

from . import backends
from .config import config, show_config
from .version import __version__

__all__ = [
    "ACTIVATIONS", "LOSSES", "MLP", "SGD", "Adam", "AdamW", "Callback", "EarlyStopping", "Evaluation", "Gradients",
    "History", "Huber", "Quantile", "RMSprop", "__version__", "activation", "config", "datasets", "from_keras", "from_layers",
    "from_onnx", "from_sklearn", "from_torch", "functional", "math", "schedules", "show_config",
]  # fmt: skip

backends.warn_if_slow()


if TYPE_CHECKING:  # what is imported when it is first used, so that `import fastmlp` takes a moment
    from . import datasets, functional, math, optimizers, page, plots, reference, schedules  # noqa: F401
    from .activations import ACTIVATIONS
    from .conversion import from_keras, from_layers, from_onnx, from_sklearn, from_torch
    from .custom.activation import activation
    from .losses import LOSSES, Huber, Quantile
    from .network import MLP, Gradients
    from .optimizers import SGD, Adam, AdamW, RMSprop
    from .training.callbacks import Callback
    from .training.early_stopping import EarlyStopping
    from .training.history import History
    from .training.metrics import Evaluation
else:
    _MODULES = "datasets", "functional", "math", "optimizers", "page", "plots", "reference", "schedules"
    _NAMES = {  # of other modules; tests/test_import.py compares both tables with the imports above
        "activations": ("ACTIVATIONS",),
        "conversion": ("from_keras", "from_layers", "from_onnx", "from_sklearn", "from_torch"),
        "custom.activation": ("activation",),
        "losses": ("LOSSES", "Huber", "Quantile"),
        "network": ("MLP", "Gradients"),
        "optimizers": ("SGD", "Adam", "AdamW", "RMSprop"),
        "training.callbacks": ("Callback",),
        "training.early_stopping": ("EarlyStopping",),
        "training.history": ("History",),
        "training.metrics": ("Evaluation",),
    }
    _HOMES = {name: module for module, names in _NAMES.items() for name in names}

    def __getattr__(name):
        """A public name or module, imported when it is first used."""
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
