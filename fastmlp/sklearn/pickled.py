"""Models that were fitted by scikit-learn's own classes."""

from typing import Any

from sklearn import neural_network

from ..containers import describe
from .estimators import MLPClassifier, MLPRegressor


def from_sklearn(model: Any) -> MLPClassifier | MLPRegressor:
    """model, a fitted sklearn.neural_network.MLPClassifier or MLPRegressor, as it was unpickled, as one of these classes.

    All its parameters and attributes are taken over, and coefs_ copied, into one array; partial_fit and warm starts go on where it
    stands, with the state of its optimizer. One that is not fitted becomes one that is not. Raises TypeError for anything else,
    subclasses too.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> theirs = neural_network.MLPClassifier(random_state=0, solver="lbfgs").fit(X, y)
    >>> from_sklearn(theirs).score(X, y) == theirs.score(X, y)
    True
    """
    classes = {neural_network.MLPClassifier: MLPClassifier, neural_network.MLPRegressor: MLPRegressor}
    if type(model) not in classes:
        raise TypeError(f"model must be scikit-learn's MLPClassifier or MLPRegressor, not {describe(model)}")
    ours: MLPClassifier | MLPRegressor = classes[type(model)](**model.get_params())
    ours.__setstate__({**vars(ours), "validation_loss_curve_": [], **vars(model)})
    return ours
