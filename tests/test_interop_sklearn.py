"""scikit-learn's estimators from networks and networks from them: the same weights, outputs that agree to rounding."""

import numpy as np
import pytest
from rounding import assert_close

import fastmlp
from fastmlp import MLP

neural_network = pytest.importorskip("sklearn.neural_network")
random = np.random.RandomState(0)
X = random.random_sample((40, 6))
CLASSES, NUMBERS = random.randint(0, 3, 40), X @ random.random_sample((6, 2))
LABELS = (NUMBERS.mean(axis=0) < NUMBERS).astype(int)
TARGETS = {
    "classes": CLASSES, "two classes": LABELS[:, 0], "names": np.array(["a", "b", "c"])[CLASSES], "labels": LABELS,
    "number": NUMBERS[:, 0], "numbers": NUMBERS,
}  # fmt: skip


def fitted(name, dtype=np.float64, **options):
    kind = neural_network.MLPRegressor if name.startswith("number") else neural_network.MLPClassifier
    return kind(hidden_layer_sizes=(5, 4), random_state=0, max_iter=3, **options).fit(X.astype(dtype), TARGETS[name])


def outputs(estimator, x):
    return estimator.predict_proba(x) if hasattr(estimator, "predict_proba") else estimator.predict(x)


pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(name, activation, dtype):
    estimator = fitted(name, dtype, activation=activation)
    net = fastmlp.from_sklearn(estimator)
    assert net.dtype == dtype
    for own, theirs in zip((*net.weights, *net.biases), (*estimator.coefs_, *estimator.intercepts_)):
        assert own.tobytes() == theirs.tobytes()
    x = X.astype(dtype)
    theirs = outputs(estimator, x)
    assert_close(net, x, theirs[:, 1] if name == "two classes" else theirs)
    answers = estimator.predict(x)
    if name in ("classes", "names", "two classes"):
        assert (estimator.classes_[net.predict(x)] == answers).all()
    elif name == "labels":
        assert (net.predict(x) == answers).all()
    again = net.to_sklearn(classes=estimator.classes_ if hasattr(estimator, "classes_") else None)
    assert outputs(again, x).tobytes() == theirs.tobytes() and (again.predict(x) == answers).all()
    assert fastmlp.from_sklearn(again).hash() == net.hash() and fastmlp.from_sklearn(again).task == net.task
    assert again.t_ == 0 and not hasattr(again, "_optimizer")  # no moments of a step that was not this network's
    again.partial_fit(x, TARGETS[name])
    assert again.t_ == len(x) and fastmlp.from_sklearn(again).hash() != net.hash()


def test_poisson():
    regressor = neural_network.MLPRegressor(hidden_layer_sizes=(5,), loss="poisson", random_state=0, max_iter=3).fit(
        X, NUMBERS
    )
    net = fastmlp.from_sklearn(regressor)
    assert net.loss == "poisson" and net.layer_activations[-1] == "exp"
    assert_close(net, X, regressor.predict(X))
    assert net.to_sklearn().predict(X).tobytes() == regressor.predict(X).tobytes()


def test_a_scale_becomes_a_step_before():
    net = MLP([6, 5, 3], "relu", loss="cross_entropy", input_scale=255, seed=0)
    pipeline = net.to_sklearn(["a", "b", "c"])
    x = (X * 255).astype(np.float32)
    assert_close(net, x, pipeline.predict_proba(x))
    twin = fastmlp.from_sklearn(pipeline)
    assert twin.hash() == net.hash() and twin.input_scale == 255
    pipeline.steps[0][1].scale_[0] = 3
    with pytest.raises(ValueError, match="divides all inputs by one number"):
        fastmlp.from_sklearn(pipeline)


def test_no_hidden_layers():
    net = MLP([6, 3], loss="cross_entropy", seed=0)
    assert_close(net, X, net.to_sklearn().predict_proba(X.astype(np.float32)))


@pytest.mark.parametrize("net, words", [
    (MLP([6, 5, 4, 3], ["relu", "tanh"]), "one activation for all hidden layers"),
    (MLP([6, 5, 3], "gelu"), "gelu"),
    (MLP([6, 5, 3], output_activation="sigmoid"), "no task 'classes' with loss 'squared_error'"),
    (MLP([6, 5, 3], loss="huber"), "no task 'numbers' with loss 'huber'"),
    (MLP([6, 5, 3], loss="squared_error", output_activation="tanh"), "3 outputs of tanh"),
    (MLP([6, 5, 3], loss="binary_cross_entropy", task="classes"), "no task 'classes'"),
    (MLP([6, 5, 1], loss="binary_cross_entropy", task="labels"), "no task 'labels'"),
    (MLP([6, 5, 3], loss="cross_entropy", task="numbers"), "no task 'numbers'"),
], ids=str)  # fmt: skip
def test_what_scikit_learn_cannot_say(net, words):
    with pytest.raises(ValueError, match=words):
        net.to_sklearn()


def test_what_is_refused():
    with pytest.raises(ValueError, match="3 names in ascending order"):
        MLP([6, 3], loss="cross_entropy").to_sklearn(["b", "a", "c"])
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.from_sklearn(neural_network.MLPClassifier())
    for activation in ("gelu", ["relu", "tanh"]):
        theirs = fitted("classes")
        theirs.activation = activation
        with pytest.raises(ValueError, match="activation must be one of scikit-learn's.*to_network"):
            fastmlp.from_sklearn(theirs)
    with pytest.raises(TypeError, match="must be an MLPClassifier or MLPRegressor"):
        fastmlp.from_sklearn(MLP([6, 3]))
