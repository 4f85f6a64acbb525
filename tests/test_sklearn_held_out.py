"""Validation data that fit is given: errors name them, and scorers of early stopping get their weights if they take any."""

import re

import numpy as np
import pytest

pytest.importorskip("sklearn")

import scipy.sparse
from sklearn.metrics import accuracy_score, make_scorer, max_error, r2_score

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(1).standard_normal((60, 4))
CLASSES = np.array(["a", "b", "c"])[(X[:, 0] > 0) * 1 + (X[:, 1] > 0.2)]
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0], axis=1) * 1
ONE_HOT = (CLASSES[:, None] == np.array(["a", "b", "c"])) * 1
TARGETS = {"classes": CLASSES, "labels": LABELS, "number": X[:, 0], "numbers": X[:, :2]}


def estimator(target, **parameters):
    kind = MLPRegressor if "number" in target else MLPClassifier
    return kind(**{"hidden_layer_sizes": 5, "max_iter": 1, "random_state": 0, **parameters})


def broken(array, value):
    array = np.array(array, object if isinstance(value, str) else None)
    array[3] = value
    return array


@pytest.mark.parametrize("target, wrong, message", [
    ("classes", {"X_val": broken(X, np.nan)}, "X_val: Input X contains NaN."),
    ("classes", {"X_val": X[:, :3]}, "X_val: X has 3 features, but MLPClassifier is expecting 4 features as input."),
    ("classes", {"X_val": X[0]}, "X_val: Expected 2D array, got 1D array instead"),
    ("classes", {"X_val": X[:0], "y_val": []}, "X_val: Found array with 0 sample(s)"),
    ("classes", {"X_val": scipy.sparse.csr_matrix(broken(X, np.inf))}, "X_val: Input X contains infinity"),
    ("classes", {"X_val": X[:9]}, "X_val and y_val: Found input variables with inconsistent numbers of samples: [9, 60]"),
    ("classes", {"y_val": broken(CLASSES, "d")}, "y_val: classes ['d'] are not in `self.classes_`, which has ['a' 'b' 'c']"),
    ("classes", {"y_val": broken(X[:, 0], np.nan)}, "y_val: Input y contains NaN."),
    ("classes", {"y_val": ONE_HOT}, "y_val must have as many columns as y, 1, not 3"),
    ("classes", {"y_val": 3}, "y_val: Input should have at least 1 dimension"),
    ("labels", {"y_val": LABELS[:, 0]}, "y_val must have as many columns as y, 3, not 1"),
    ("labels", {"y_val": LABELS[:, :2]}, "y_val must have as many columns as y, 3, not 2"),
    ("labels", {"y_val": LABELS + LABELS[::-1]}, "y_val: Multioutput target data is not supported"),
    ("number", {"y_val": broken(X[:, 0], np.inf)}, "y_val: Input y contains infinity"),
    ("number", {"y_val": broken(X[:, 0], "a")}, "y_val: could not convert string to float: 'a'"),
    ("number", {"y_val": X[:, :2]}, "y_val must have as many columns as y, 1, not 2"),
    ("numbers", {"y_val": X[:, 0]}, "y_val must have as many columns as y, 2, not 1"),
    ("number", {"sample_weight_val": np.ones(3)}, "sample_weight_val: sample_weight.shape == (3,), expected (60,)!"),
    ("number", {"sample_weight_val": np.zeros(60)}, "sample_weight_val: Sample weights must contain at least one non-zero"),
    ("number", {"sample_weight_val": broken(np.ones(60), np.nan)}, "sample_weight_val: Input sample_weight contains NaN."),
])  # fmt: skip
def test_errors_name_the_argument(target, wrong, message):
    model, y = estimator(target), TARGETS[target]
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(message)):
        model.fit(X, y, **{"X_val": X, "y_val": y, **wrong})


def test_names_of_columns_are_compared():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = estimator("classes").fit(frame, CLASSES, X_val=frame, y_val=CLASSES)
    with pytest.raises(ValueError, match="^X_val: The feature names should match those that were passed during fit"):
        model.fit(frame, CLASSES, X_val=frame[list("dcba")], y_val=CLASSES)


def hits(y, predicted):
    return (y == predicted).mean()


def of_rows(model, X, y):
    return hits(y, model.predict(X))


def of_weighted_rows(model, X, y, sample_weight=None):
    return np.average(y == model.predict(X), weights=sample_weight)


def r2(model, X, y, sample_weight=None):
    return r2_score(y, model.predict(X), sample_weight=sample_weight)


@pytest.mark.parametrize("target, scoring, score, takes_weights", [
    ("classes", of_rows, of_rows, False),
    ("classes", of_weighted_rows, of_weighted_rows, True),
    ("classes", make_scorer(hits), of_rows, False),
    ("classes", make_scorer(accuracy_score), of_weighted_rows, True),
    ("number", "neg_max_error", lambda model, X, y: -max_error(y, model.predict(X)), False),
    ("number", "r2", r2, True),
])  # fmt: skip
def test_scorers_get_weights_if_they_take_any(target, scoring, score, takes_weights):
    y, weights = TARGETS[target], np.random.default_rng(2).uniform(0.1, 3, 60)
    model = estimator(target, scoring=scoring, early_stopping=True)
    model.fit(X, y, sample_weight=weights, X_val=X, y_val=y, sample_weight_val=weights)
    expected = score(model, X, y, sample_weight=weights) if takes_weights else score(model, X, y)
    assert model.validation_scores_ == pytest.approx([expected], rel=1e-12)
    model.fit(X, y, sample_weight=weights)  # of a part of X
    if target == "classes":
        model.set_params(class_weight={"a": 3.0}).fit(X, y)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
def test_scores_of_what_is_not_finite(scoring):
    """They are NaN, as scikit-learn's own is, and training goes on to its error, or to better weights."""
    model = estimator("number", scoring=scoring, early_stopping=True, solver="sgd", learning_rate_init=1e20, max_iter=9)
    model.fit(X, X[:, 0])
    assert np.isnan(model.validation_scores_[-1])
