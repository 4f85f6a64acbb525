"""MLPClassifier and MLPRegressor: their parameters, and what only one of them has."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn import neural_network
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from .. import optimizers
from ..activations import AnyActivation
from ..custom import CustomActivation
from ..losses import AnyLoss, Huber, Quantile
from . import at_once
from .base import HIDDEN, Estimator

CONSTRAINTS: dict[str, list[Any]] = {
    "activation": [StrOptions(HIDDEN), CustomActivation, list, tuple],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "l1": [Interval(Real, 0, None, closed="left")],
    "optimizer": [StrOptions(set(optimizers.OPTIMIZERS)), optimizers.Optimizer, None],
    "gradient_clip": [Interval(Real, 0, None, closed="neither"), None],
    "average": [Interval(Real, 0, 1, closed="both"), None],
    "scoring": [str, callable, None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    "dtype": [StrOptions({"float32", "float64"}), None],
}
CHECKED = "alpha", "solver", *CONSTRAINTS


class MLPClassifier(Estimator, neural_network.MLPClassifier):
    """scikit-learn's MLPClassifier, computed by fastmlp: its parameters, attributes, warnings and random draws.

    Those parameters are described in sklearn.neural_network.MLPClassifier; activation may also be any of fastmlp's for hidden
    layers ("gelu", "silu", "leaky_relu", ...), one of your own, made by fastmlp.activation, or a list of one a hidden layer.
    Beside them it has:

    optimizer: in place of the solver's own: None, a name, "sgd", "adam", "adamw" or "rmsprop", that takes learning_rate_init,
        beta_1, beta_2, epsilon and, "sgd" alone, momentum from here, or one of fastmlp's with its own numbers, such as
        fastmlp.AdamW(learning_rate=fastmlp.schedules.Cosine(1e-3, epochs=10), weight_decay=0.01).
    dropout: the share of each hidden layer's units to leave out in a step: a number from 0 to below 1, or a list of one a layer.
    l1: how much the weights' magnitudes cost, see below.
    gradient_clip: the most that the norm of all gradients of a step together may be: those that are longer are scaled down to
        it, g * gradient_clip / |g|. None does not clip.
    average: None, or b, such as 0.999: coefs_ are an average that becomes c * average + (1 - c) * weights in each step t, with
        c = min(b, (1 + t) / (10 + t)).
    scoring: of early stopping: None is the score, "loss" the loss of the validation data, or any scorer of scikit-learn, its name
        or a callable (estimator, X, y); weights of rows are given to those that take sample_weight.
    n_threads: how many threads compute; None is all that this process may use. The numbers are the same.
    dtype: "float32" or "float64" to compute in; None is that of X, as in scikit-learn. X must not be too large for it.
    class_weight: None, a dict {class: weight}, or "balanced", rows / (classes * rows of the class): what the weights of a class's
        rows are multiplied by.
    label_smoothing: s from 0 to 1 draws targets to y (1 - s) + s / classes in training (2 for each of several labels).

    A step on rows r with weights w_r (1 unless given), which add up to S, makes smaller

        sum_r w_r loss_r / S + (alpha / 2 * sum W^2 + l1 * sum |W|) / S, where the W are coefs_, without intercepts_,

    with loss_r = -log p of the row's class, of the p of softmax, or for two classes of sigmoid; several labels at once add up.

    Attributes are scikit-learn's: coefs_[i] (units of layer i, units of layer i + 1) and intercepts_[i] (units of layer i + 1,)
    in the dtype computed in, all of them views of one array, loss_curve_ (epochs,) and so on. Beside them, validation_loss_curve_
    has the mean loss of the validation data after each epoch, without penalties, where there are any: a part of X with
    early_stopping, or fit's X_val and y_val. solver="lbfgs" computes in float64, as scikit-learn's does.

    Raises scikit-learn's errors, and ValueError for what does not go together, such as optimizer, dropout, gradient_clip or average
    with solver="lbfgs", which takes all rows at once and has steps of its own. Sources: Adam, Kingma and Ba 2015; dropout,
    Srivastava et al. 2014; average, Polyak and Juditsky 1992; label_smoothing, Szegedy et al. 2016.

    What differs: sums are in fastmlp's order, so that results are the same on any machine and number of threads, and
    scikit-learn's to rounding; all is computed in one dtype, the state of the optimizer too, where scikit-learn's turns partly to
    float64 for float32 inputs with float64 weights or targets; after early stopping coefs_ are a copy of the best weights, which
    scikit-learn goes on to train in a warm start; NumPy does not warn of overflow; and where one of several labels is
    wrong by far, but its row costs less than scikit-learn lets a label cost (36, in float32 16), the loss that is reported lacks
    the rounding of 1 - p that scikit-learn's has.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), dropout=0.1, average=0.99, learning_rate_init=0.02, random_state=0, early_stopping=True)
    >>> model.fit(X, y, X_val=X[::5], y_val=y[::5]).score(X, y) > 0.9
    True
    """

    _classifies = True
    _checked_by_partial_fit = *CHECKED, "class_weight", "label_smoothing"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **neural_network.MLPClassifier._parameter_constraints, **CONSTRAINTS,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="both")],
    }  # fmt: skip

    def __init__(self, hidden_layer_sizes: int | Sequence[int] = (100,),
                 activation: AnyActivation | Sequence[AnyActivation] = "relu", *, solver: str = "adam",
                 alpha: float = 0.0001, batch_size: int | str = "auto", learning_rate: str = "constant",
                 learning_rate_init: float = 0.001, power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True,
                 random_state: int | np.random.RandomState | None = None, tol: float = 1e-4, verbose: bool = False,
                 warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True,
                 early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9,
                 beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: int = 10, max_fun: int = 15000,
                 optimizer: str | optimizers.Optimizer | None = None, dropout: float | Sequence[float] = 0.0,
                 l1: float = 0.0, gradient_clip: float | None = None, average: float | None = None,
                 scoring: str | Callable[..., float] | None = None, n_threads: int | None = None,
                 dtype: Literal["float32", "float64"] | None = None,
                 class_weight: Mapping[Any, float] | str | None = None, label_smoothing: float = 0.0) -> None:  # fmt: skip
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes, activation=activation, solver=solver, alpha=alpha,
            batch_size=batch_size, learning_rate=learning_rate, learning_rate_init=learning_rate_init, power_t=power_t,
            max_iter=max_iter, shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose,
            warm_start=warm_start, momentum=momentum, nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping, validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2,
            epsilon=epsilon, n_iter_no_change=n_iter_no_change, max_fun=max_fun,
        )  # fmt: skip
        self.optimizer, self.dropout, self.l1, self.gradient_clip = optimizer, dropout, l1, gradient_clip
        self.average, self.scoring, self.n_threads, self.dtype = average, scoring, n_threads, dtype
        self.class_weight, self.label_smoothing = class_weight, label_smoothing

    @available_if(lambda estimator: estimator._check_solver())
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch on X (rows, features) and y (rows,), or (rows, labels); return the estimator.

        classes: all there are, needed in the first call, of labels their places; later None, or the same. sample_weight: (rows,),
        None is 1. The optimizer goes on where it stands. Raises ValueError for other classes, early_stopping, and
        class_weight="balanced". It is not there with solver="lbfgs".
        """
        if classes is not None and hasattr(self, "classes_") and np.array_equal(classes, self.classes_):
            classes = None  # known: to look at them again takes longer than to train on a row
        if classes is not None or not self._fit_at_once(X, y, sample_weight):
            super().partial_fit(X, y, sample_weight, classes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class of classes_, or of each label, for X (rows, n_features_in_): (rows, n_classes).

        Of two classes it is [1 - p, p], p of sigmoid. In the dtype that X and coefs_ have in common. Raises NotFittedError before
        fit, and ValueError for other columns and for what is not finite.
        """
        outputs = at_once.outputs(self, X)
        if outputs is None:
            probabilities: np.ndarray = super().predict_proba(X)
            return probabilities
        if outputs.shape[1] > 1:
            return outputs
        both = np.empty((len(outputs), 2), outputs.dtype)
        both[:, 1] = outputs[:, 0]
        np.subtract(1, both[:, 1], out=both[:, 0])
        return both


class MLPRegressor(Estimator, neural_network.MLPRegressor):
    """scikit-learn's MLPRegressor, computed by fastmlp: its parameters, attributes, warnings and random draws.

    Those parameters are described in sklearn.neural_network.MLPRegressor; activation may also be any of fastmlp's for hidden
    layers ("gelu", "silu", "leaky_relu", ...), one of your own, made by fastmlp.activation, or a list of one a hidden layer.
    Beside them it has:

    optimizer: in place of the solver's own: None, a name, "sgd", "adam", "adamw" or "rmsprop", that takes learning_rate_init,
        beta_1, beta_2, epsilon and, "sgd" alone, momentum from here, or one of fastmlp's with its own numbers, such as
        fastmlp.AdamW(learning_rate=fastmlp.schedules.Cosine(1e-3, epochs=10), weight_decay=0.01).
    dropout: the share of each hidden layer's units to leave out in a step: a number from 0 to below 1, or a list of one a layer.
    l1: how much the weights' magnitudes cost, see below.
    gradient_clip: the most that the norm of all gradients of a step together may be: those that are longer are scaled down to
        it, g * gradient_clip / |g|. None does not clip.
    average: None, or b, such as 0.999: coefs_ are an average that becomes c * average + (1 - c) * weights in each step t, with
        c = min(b, (1 + t) / (10 + t)).
    scoring: of early stopping: None is the score, "loss" the loss of the validation data, or any scorer of scikit-learn, its name
        or a callable (estimator, X, y); weights of rows are given to those that take sample_weight.
    n_threads: how many threads compute; None is all that this process may use. The numbers are the same.
    dtype: "float32" or "float64" to compute in; None is that of X, as in scikit-learn. X must not be too large for it.
    loss: also "absolute_error", "huber" (delta 1), "quantile" (the median), fastmlp.Huber(delta) and fastmlp.Quantile(q), whose
        numbers are in y's unit.

    A step on rows r with weights w_r (1 unless given), which add up to S, makes smaller

        sum_r w_r loss_r / S + (alpha / 2 * sum W^2 + l1 * sum |W|) / S, where the W are coefs_, without intercepts_,

    with loss_r = 1/2 sum_j (a_j - y_j)^2 over outputs a_j for "squared_error", of which loss_ and loss_curve_ are the mean over j,
    sum_j a_j - y_j log a_j + (y_j log y_j - y_j), a_j = exp(z_j), for "poisson", sum_j |a_j - y_j| for "absolute_error", and what
    fastmlp.Huber and fastmlp.Quantile say.

    Attributes are scikit-learn's: coefs_[i] (units of layer i, units of layer i + 1) and intercepts_[i] (units of layer i + 1,)
    in the dtype computed in, all of them views of one array, loss_curve_ (epochs,) and so on. Beside them, validation_loss_curve_
    has the mean loss of the validation data after each epoch, without penalties, where there are any: a part of X with
    early_stopping, or fit's X_val and y_val. solver="lbfgs" computes in float64, as scikit-learn's does.

    Raises scikit-learn's errors, and ValueError for what does not go together, such as optimizer, dropout, gradient_clip or average
    with solver="lbfgs", which takes all rows at once and has steps of its own. Sources: Adam, Kingma and Ba 2015; dropout,
    Srivastava et al. 2014; average, Polyak and Juditsky 1992; huber, Huber 1964; quantile, Koenker and Bassett 1978.

    What differs: sums are in fastmlp's order, so that results are the same on any machine and number of threads, and
    scikit-learn's to rounding; all is computed in one dtype, the state of the optimizer too, where scikit-learn's turns partly to
    float64 for float32 inputs with float64 weights or targets; after early stopping coefs_ are a copy of the best weights, which
    scikit-learn goes on to train in a warm start; NumPy does not warn of overflow.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor("huber", (16,), optimizer="adamw", learning_rate_init=0.05, random_state=0, early_stopping=True)
    >>> model.fit(X, y).score(X, y) > 0.45
    True
    """

    _classifies = False
    _checked_by_partial_fit = *CHECKED, "loss"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **neural_network.MLPRegressor._parameter_constraints, **CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber", "quantile"}), Huber, Quantile],
    }  # fmt: skip

    def __init__(self, loss: AnyLoss = "squared_error", hidden_layer_sizes: int | Sequence[int] = (100,),
                 activation: AnyActivation | Sequence[AnyActivation] = "relu", *, solver: str = "adam",
                 alpha: float = 0.0001, batch_size: int | str = "auto", learning_rate: str = "constant",
                 learning_rate_init: float = 0.001, power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True,
                 random_state: int | np.random.RandomState | None = None, tol: float = 1e-4, verbose: bool = False,
                 warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True,
                 early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9,
                 beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: int = 10, max_fun: int = 15000,
                 optimizer: str | optimizers.Optimizer | None = None, dropout: float | Sequence[float] = 0.0,
                 l1: float = 0.0, gradient_clip: float | None = None, average: float | None = None,
                 scoring: str | Callable[..., float] | None = None, n_threads: int | None = None,
                 dtype: Literal["float32", "float64"] | None = None) -> None:  # fmt: skip
        super().__init__(
            loss=loss, hidden_layer_sizes=hidden_layer_sizes, activation=activation, solver=solver, alpha=alpha,
            batch_size=batch_size, learning_rate=learning_rate, learning_rate_init=learning_rate_init, power_t=power_t,
            max_iter=max_iter, shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose,
            warm_start=warm_start, momentum=momentum, nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping, validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2,
            epsilon=epsilon, n_iter_no_change=n_iter_no_change, max_fun=max_fun,
        )  # fmt: skip
        self.optimizer, self.dropout, self.l1, self.gradient_clip = optimizer, dropout, l1, gradient_clip
        self.average, self.scoring, self.n_threads, self.dtype = average, scoring, n_threads, dtype

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on X (rows, features) and y (rows,), or (rows, outputs); return the estimator.

        sample_weight: (rows,), None is 1. The optimizer goes on where it stands. Raises ValueError for early_stopping. With
        solver="lbfgs" it is all of fit, from the weights that are there.
        """
        if not self._fit_at_once(X, y, sample_weight):
            super().partial_fit(X, y, sample_weight)
        return self
