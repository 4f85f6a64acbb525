"""scikit-learn: networks from and to its fitted MLPClassifier, MLPRegressor, and Pipelines of one after a scaler."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..architecture import Architecture
from ..losses import name_of
from .layers import Layers

try:
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import MaxAbsScaler
except ImportError as error:
    raise ImportError('scikit-learn is not installed; install it with: pip install "fastmlp[sklearn]"') from error

NAMES = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}  # ours and theirs
OF_HIDDEN = {theirs: ours for ours, theirs in NAMES.items()}
OF_OUTPUTS = {**OF_HIDDEN, "softmax": "softmax", "exp": "exp"}
LOSSES = {"log_loss": {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}}  # by the outputs; others have one name


def layers_of(estimator: Any) -> tuple[Layers, str, str]:
    """(Layers, loss, task) of a fitted estimator; see fastmlp.from_sklearn."""
    scale = 1.0
    if isinstance(estimator, Pipeline):
        scaler, estimator = _steps(estimator)
        scale = float(scaler.scale_[0])
    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise TypeError(f"estimator must be an MLPClassifier or MLPRegressor, not {estimator!r:.80}")
    if not hasattr(estimator, "coefs_"):
        raise ValueError("estimator is not fitted: call its fit first")
    if not isinstance(estimator.activation, str) or estimator.activation not in OF_HIDDEN:
        raise ValueError(
            f"estimator's activation must be one of scikit-learn's, {', '.join(OF_HIDDEN)}, not {estimator.activation!r}: "
            "estimators of fastmlp.sklearn become networks by their to_network()"
        )
    activations = [OF_HIDDEN[estimator.activation]] * (estimator.n_layers_ - 2) + [OF_OUTPUTS[estimator.out_activation_]]
    loss = LOSSES.get(estimator.loss, {}).get(activations[-1], estimator.loss)
    several = activations[-1] == "sigmoid" and estimator.n_outputs_ > 1
    task = "numbers" if isinstance(estimator, MLPRegressor) else "labels" if several else "classes"
    weights, biases = ([np.asarray(array) for array in arrays] for arrays in (estimator.coefs_, estimator.intercepts_))
    return Layers(weights, biases, activations, scale), loss, task


def estimator(
    architecture: Architecture, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], classes: Any = None
) -> Any:
    """See MLP.to_sklearn."""
    *hidden, output = map(str, architecture.activations)
    loss, task, n_out, dtype = name_of(architecture.loss), architecture.task, weights[-1].shape[1], weights[0].dtype
    if len(set(hidden)) > 1 or any(activation not in NAMES for activation in hidden):
        raise ValueError(
            f"scikit-learn's estimators have one activation for all hidden layers, of {', '.join(NAMES)}, and this network "
            f"{', '.join(hidden)}"
        )
    is_regressor = task == "numbers" and (loss, output) in (("squared_error", "identity"), ("poisson", "exp"))
    is_classifier = loss == "cross_entropy" or loss == "binary_cross_entropy" and (n_out == 1) == (task == "classes")
    if task == "numbers" and not is_regressor or task != "numbers" and not is_classifier or task == "labels" and n_out == 1:
        raise ValueError(
            f"scikit-learn's estimators have no task {task!r} with loss {loss!r} and {n_out} outputs of {output}: classifiers have "
            "cross_entropy, or binary_cross_entropy of one output or of labels, regressors squared_error of identity or poisson"
        )
    sizes = tuple(w.shape[1] for w in weights[:-1])
    options = {"hidden_layer_sizes": sizes, "activation": NAMES[hidden[0]] if hidden else "identity"}
    x = np.zeros((1, weights[0].shape[0]), dtype)
    if is_regressor:
        made = MLPRegressor(loss=loss, **options)
        made.partial_fit(x, np.zeros((1, n_out), dtype) if n_out > 1 else np.zeros(1, dtype))
    else:
        names = np.arange(max(n_out, 2)) if classes is None else np.asarray(classes)
        if len(names) != max(n_out, 2) or (np.unique(names) != names).any():
            raise ValueError(
                f"classes must be {max(n_out, 2)} names in ascending order, as scikit-learn has them, not {classes!r}"
            )
        made = MLPClassifier(**options)
        made.partial_fit(x, np.zeros((1, n_out), int) if task == "labels" else names[:1], classes=names)
    for own, values in zip((*made.coefs_, *made.intercepts_), (*weights, *biases)):
        own[...] = values
    # As before the first step; what the one above left of an optimizer is not this network's.
    made.n_iter_ = made.t_ = 0
    made.loss_curve_, made.best_loss_ = [], np.inf
    del made._optimizer
    if architecture.input_scale == 1:
        return made
    scaler = MaxAbsScaler().fit(np.full_like(x, architecture.input_scale))
    return make_pipeline(scaler, made)


def _steps(pipeline: Pipeline) -> tuple[Any, Any]:
    """The scaler and the estimator of a Pipeline that divides all inputs by one number, then asks a network."""
    steps = [step for _, step in pipeline.steps]
    if len(steps) != 2 or not isinstance(steps[0], MaxAbsScaler) or len({*steps[0].scale_.tolist()}) != 1:
        raise ValueError(
            "of Pipelines, a network can be what to_sklearn makes: one that divides all inputs by one number, then an estimator. "
            "Of others give the last step, and to the network what the steps before it make of x"
        )
    return steps[0], steps[1]
