"""The ways past scikit-learn's checks for what needs none: they take ten times as long as a small network.

What is recognised here is an array of the right type and width, in C order, finite, without names of features, for coefs_ that are
still the views of their flat array. All else goes scikit-learn's way, so that errors and warnings are its own.
"""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..reference import Engine
from .parameters import Parameters


def parameters_of(estimator: Any) -> Parameters | None:
    """The Parameters of an estimator whose inputs have no names, if its lists still are their views."""
    attributes = vars(estimator)
    parameters = attributes.get("_parameters")
    if parameters is None or "feature_names_in_" in attributes:
        return None
    return parameters if parameters.are(attributes["coefs_"], attributes["intercepts_"]) else None


def are_ready(X: Any, engine: Engine, n_features: int) -> bool:
    """Whether inputs can be computed with as they are."""
    return bool(engine.takes(X) and X.shape[1] == n_features and engine.all_finite(X))


def outputs(estimator: Any, X: Any) -> np.ndarray | None:
    """The outputs for X; None where it has to be looked at."""
    parameters = parameters_of(estimator)
    if parameters is None or estimator._computes_its_own_outputs:
        return None
    engine: Engine = estimator._engine_of(parameters)
    return engine.forward(X) if are_ready(X, engine, estimator.n_features_in_) else None


def classes(estimator: Any, outputs: np.ndarray) -> np.ndarray | None:
    """The classes that outputs stand for, where each row has one; else None."""
    binarizer = estimator._label_binarizer
    if len(binarizer.classes_) < 2 or binarizer.y_type_ not in ("binary", "multiclass"):
        return None
    places = (outputs[:, 0] > 0.5).view(np.int8) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    found: np.ndarray = binarizer.classes_[places]
    return found


def rows(estimator: Any, X: Any, y: Any) -> np.ndarray | None:
    """The targets of rows to go on training with, as fit_stochastic takes them; None where anything has to be looked at."""
    parameters = parameters_of(estimator)
    if (
        parameters is None or estimator._changes_training or estimator.solver == "lbfgs" or estimator.warm_start
        or estimator.early_stopping or estimator._dtype_is_changed(parameters) or type(y) is not np.ndarray
        or not hasattr(estimator, "_optimizer")
    ):  # fmt: skip
        return None
    engine = estimator._engine_of(parameters)
    if not are_ready(X, engine, estimator.n_features_in_) or len(y) != len(X):
        return None
    if estimator._classifies:
        return labels(estimator, y)
    n_outputs = parameters.sizes[-1]
    if y.dtype.kind not in "iuf" or y.shape != ((len(X), n_outputs) if n_outputs > 1 else (len(X),)):
        return None
    targets = y.reshape(len(y), -1).astype(parameters.flat.dtype)
    return targets if engine.all_finite(targets) else None


def labels(estimator: Any, y: np.ndarray) -> np.ndarray | None:
    """Classes as the estimator's binarizer has them, but for softmax as int64 labels; None where they have to be looked at."""
    known, binarizer = estimator.classes_, estimator._label_binarizer
    if y.ndim != 1 or y.dtype.kind not in "iubU" or known.dtype.kind != y.dtype.kind or len(known) < 2 or binarizer.y_type_ not in (
        "binary", "multiclass",
    ):  # fmt: skip
        return None
    found: np.ndarray = known.searchsorted(y)
    if not (known.take(found, mode="clip") == y).all():
        return None
    return found if estimator.out_activation_ == "softmax" else found[:, None].astype(bool)


def random_state_of(estimator: Any) -> np.random.RandomState:
    """What check_random_state gives for the estimator's random_state; to seed anew what is there is a hundred times as fast."""
    seed, there = estimator.random_state, vars(estimator).get("_random_state")
    if type(seed) is int and type(there) is np.random.RandomState and there is not np.random.mtrand._rand:
        there.seed(seed)
        return there
    state: np.random.RandomState = check_random_state(seed)
    return state
