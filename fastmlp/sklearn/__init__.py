"""scikit-learn's MLPClassifier and MLPRegressor on fastmlp's kernels: the same parameters, attributes, warnings and random draws.

    from fastmlp.sklearn import MLPClassifier, MLPRegressor

estimators.py    the two classes and what they have in common: what scikit-learn's classes call, done by fastmlp
parameters.py    coefs_ and intercepts_ as views of one flat array, and the engines over it
optimizers.py    _optimizer: scikit-learn's, with their state in flat arrays
fitting.py       the loop over epochs
losses.py        losses as scikit-learn reports them
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
