"""What fit is given as X_val, y_val and sample_weight_val: checked as X, y and sample_weight are, with errors that name them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight, _check_y, validate_data


def checked(estimator: Any, X: Any, y: Any, weights: Any, n_outputs: int) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """(X, y with a column for each of the n_outputs, weights); classes are bool, as _validate_input has them."""
    with named("X_val"):
        X = validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
    with named("y_val"):
        y = _check_y(y, multi_output=True, y_numeric=not estimator._classifies, estimator=estimator)
    with named("X_val and y_val"):
        check_consistent_length(X, y)
    of_classes = estimator._classifies and not estimator._label_binarizer.y_type_.startswith("multilabel")
    expected, columns = 1 if of_classes else n_outputs, y.shape[1] if y.ndim == 2 else 1
    if columns != expected:
        raise ValueError(f"y_val must have as many columns as y, {expected}, not {columns}")
    if estimator._classifies:
        with named("y_val"):
            y = binarized(estimator, column_or_1d(y) if of_classes else y)
    if weights is not None:
        with named("sample_weight_val"):
            weights = _check_sample_weight(weights, X)
    return X, y.reshape(-1, n_outputs), weights


def binarized(estimator: Any, y: Any) -> np.ndarray:
    """Classes (rows,), or labels (rows, n_outputs), as the estimator's binarizer has them, as bool."""
    unknown = np.setdiff1d(y, estimator.classes_) if y.ndim == 1 else ()
    if len(unknown):
        raise ValueError(f"classes {unknown} are not in `self.classes_`, which has {estimator.classes_}")
    found: np.ndarray = estimator._label_binarizer.transform(y).astype(bool)
    return found


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Within it, scikit-learn's errors begin with this name: of themselves they speak of X, y and sample_weight."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error
