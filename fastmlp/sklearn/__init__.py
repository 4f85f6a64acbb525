"""scikit-learn's MLPClassifier and MLPRegressor on fastmlp's kernels: the same parameters, attributes, warnings and random draws.

    from fastmlp.sklearn import MLPClassifier, MLPRegressor

estimators.py    the two classes: their parameters
base.py          what they have in common: the hooks of scikit-learn's classes that compute, done by fastmlp
at_once.py       ways past scikit-learn's checks for rows that need none
parameters.py    coefs_ and intercepts_ as views of one flat array, and the engines over it
optimizers.py    _optimizer: scikit-learn's, with their state in flat arrays
class_weights.py weights of classes, as weights of rows
held_out.py      the checks of fit's X_val, y_val and sample_weight_val
fitting.py       the loop over epochs, told to callbacks.py; lbfgs.py, the other solver
sparse.py        the engine for sparse inputs
losses.py        losses as scikit-learn reports them
pickled.py       from_sklearn: models of scikit-learn's own classes
"""

try:
    import sklearn as _scikit_learn  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ImportError("fastmlp.sklearn needs scikit-learn: pip install 'fastmlp[sklearn]'") from error

from .estimators import MLPClassifier, MLPRegressor
from .pickled import from_sklearn

__all__ = ["MLPClassifier", "MLPRegressor", "from_sklearn"]
