"""fastmlp.sklearn's estimators in the libraries around scikit-learn: Dask computes with them, skops and skl2onnx write them; and
models that scikit-learn's own classes wrote."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from rounding import assert_close
from sklearn import neural_network
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp.sklearn import MLPClassifier, MLPRegressor, from_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]
LABELS = np.stack([y > 0, X[:, 0] > 5.8], axis=1) * 1


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": 8, "max_iter": 8, "random_state": 0, "batch_size": 40, **parameters})


def assert_go_on_alike(one, other, y):
    """Two fitted models predict the same, and do so after another epoch."""
    for _ in range(2):
        assert all((a == b).all() for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_))
        assert (one.predict(X) == other.predict(X)).all()
        if one.solver != "lbfgs" and not one.early_stopping:
            one.partial_fit(X, y), other.partial_fit(X, y)


# Dask.


@pytest.fixture(scope="module")
def cluster():
    """Two of Dask's workers, in this process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield


def gain(model, X, y):
    """A score that tells any two models apart."""
    return -log_loss(y, model.predict_proba(X))


def gain_there(model, X, y):
    """Likewise; an error where no worker of Dask's asks for it."""
    from distributed import get_worker

    get_worker()
    return gain(model, X, y)


def test_searches_on_dask(cluster):
    grid = {"alpha": [1e-4, 1.0], "dropout": [0.0, 0.2], "solver": ["adam", "sgd"]}
    alone = GridSearchCV(classifier(), grid, cv=2, scoring=gain).fit(X, NAMES)
    with joblib.parallel_config("dask"):
        together = GridSearchCV(classifier(), grid, cv=2, scoring=gain_there, error_score="raise").fit(X, NAMES)
    assert (alone.cv_results_["mean_test_score"] == together.cv_results_["mean_test_score"]).all()
    assert (alone.best_estimator_.coefs_[0] == together.best_estimator_.coefs_[0]).all()


def test_cross_validation_on_dask(cluster):
    model = make_pipeline(StandardScaler(), classifier(early_stopping=True, average=0.9))
    alone = cross_val_score(model, X, NAMES, cv=4, scoring=gain)
    with joblib.parallel_config("dask"):
        together = cross_val_score(model, X, NAMES, cv=4, scoring=gain_there, error_score="raise")
    assert (together == alone).all()


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_models_travel_between_dasks_workers(solver):
    protocol = pytest.importorskip("distributed.protocol.serialize")
    model = classifier(solver=solver).fit(X, y)
    there = protocol.deserialize_bytes(protocol.serialize_bytes(model))
    assert len({id(array.base) for array in there.coefs_ + there.intercepts_}) == 1
    assert_go_on_alike(model, there, y)


# skops.


@pytest.mark.parametrize("parameters", [
    {}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}, {"average": 0.9, "dropout": [0.1]},
    {"optimizer": "adamw", "activation": ["gelu"], "class_weight": {0: 2.0}, "dtype": "float32"},
], ids=str)  # fmt: skip
def test_skops(parameters):
    skops = pytest.importorskip("skops.io")
    model = make_pipeline(StandardScaler(), classifier(**parameters)).fit(X, y)
    written = skops.dumps(model)
    to_trust = skops.get_untrusted_types(data=written)
    assert "fastmlp.sklearn.estimators.MLPClassifier" in to_trust
    assert all(name.startswith("fastmlp.") for name in to_trust)
    with pytest.raises(skops.exceptions.UntrustedTypesFoundException):
        skops.loads(written)
    read = skops.loads(written, trusted=to_trust)
    assert (model.predict_proba(X) == read.predict_proba(X)).all()
    assert read[-1].get_params().keys() == model[-1].get_params().keys()
    assert_go_on_alike(model[-1], read[-1], y)


def test_skops_of_their_class():
    skops = pytest.importorskip("skops.io")
    written = skops.dumps(neural_network.MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, X[:, 0]))
    theirs = skops.loads(written, trusted=skops.get_untrusted_types(data=written))
    assert np.allclose(from_sklearn(theirs).predict(X), theirs.predict(X), rtol=1e-12)


# Pickles of scikit-learn's.

KINDS = {
    "names": ("MLPClassifier", NAMES, {}), "two classes": ("MLPClassifier", y > 0, {}), "labels": ("MLPClassifier", LABELS, {}),
    "number": ("MLPRegressor", X[:, 0], {}), "numbers": ("MLPRegressor", X[:, :2], {}),
    "counts": ("MLPRegressor", y, {"loss": "poisson"}),
}  # fmt: skip
EQUAL = "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "_no_improvement_count"
CLOSE = "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"


def number(value):
    return np.array(np.nan if value is None else value, float)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parameters", [
    {"solver": "adam"}, {"solver": "sgd", "learning_rate": "invscaling"}, {"solver": "lbfgs"}, {"early_stopping": True},
], ids=str)  # fmt: skip
def test_their_pickles(parameters, kind, tmp_path):
    """What a pickled model of theirs becomes has all that it had, and a warm start goes on as its own does."""
    name, target, of_kind = KINDS[kind]
    common = dict(hidden_layer_sizes=8, max_iter=6, batch_size=40, random_state=0, warm_start=True)
    joblib.dump(getattr(neural_network, name)(**common, **of_kind, **parameters).fit(X, target), tmp_path / "theirs")
    theirs = joblib.load(tmp_path / "theirs")
    mine = from_sklearn(theirs)
    assert type(mine) is {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name]
    assert mine.get_params().items() >= theirs.get_params().items()
    for _ in range(1 if mine.early_stopping else 2):  # after which theirs trains its best weights themselves
        for attribute in EQUAL:
            assert getattr(mine, attribute, None) == getattr(theirs, attribute, None)
        for attribute in CLOSE:
            one, other = (number(getattr(model, attribute, None)) for model in (mine, theirs))
            assert np.allclose(one, other, rtol=1e-10, equal_nan=True)
        for one, other in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_):
            assert np.allclose(one, other, rtol=1e-8, atol=1e-12)
        assert np.allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-8)
        theirs.fit(X, target), mine.fit(X, target)
    assert len(mine.validation_loss_curve_) == (mine.n_iter_ if mine.early_stopping else 0)


# ONNX.


def outputs_of(model, x):
    """What onnxruntime computes of an ONNX model."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


@pytest.mark.parametrize("target", [NAMES, y > 0, y], ids=["names", "two classes", "numbers"])
@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
def test_skl2onnx(activation, target):
    """It knows classes by their exact type: to_sklearn gives that, also in the place of a step of a Pipeline."""
    skl2onnx = pytest.importorskip("skl2onnx")
    x = X.astype(np.float32)
    model = make_pipeline(StandardScaler(), classifier(activation=activation)).fit(x, target)
    classes, probabilities = model.predict(x), model.predict_proba(x)
    model.set_params(mlpclassifier=model[-1].to_sklearn())
    labels, outputs = outputs_of(skl2onnx.to_onnx(model, x[:1], options={"zipmap": False}), x)
    assert (labels == classes).all() and np.allclose(outputs, probabilities, atol=1e-6)


@pytest.mark.parametrize("target", [X[:, 0], X[:, :2]], ids=["number", "numbers"])
def test_skl2onnx_of_regressors(target):
    skl2onnx = pytest.importorskip("skl2onnx")
    x = X.astype(np.float32)
    model = MLPRegressor(hidden_layer_sizes=8, max_iter=8, random_state=0).fit(x, target)
    (outputs,) = outputs_of(skl2onnx.to_onnx(model.to_sklearn(), x[:1]), x)
    assert np.allclose(outputs.reshape(target.shape), model.predict(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("target, parameters", [
    (y, {"activation": ["gelu"], "dropout": 0.1, "average": 0.9}), (y > 0, {"dtype": "float64"}), (LABELS, {"dtype": "float32"}),
], ids=["classes", "two classes", "labels"])  # fmt: skip
def test_onnx_of_networks(target, parameters, tmp_path):
    """What skl2onnx has no names for goes by way of the network."""
    onnx = pytest.importorskip("onnx")
    model = classifier(**parameters).fit(X, target)
    net = model.to_network()
    net.to_onnx(tmp_path / "model.onnx")
    (outputs,) = outputs_of(onnx.load(tmp_path / "model.onnx"), X.astype(net.dtype))
    assert_close(net, X.astype(net.dtype), outputs)
    assert (net.forward(X) == model.predict_proba(X)[:, -net.layer_sizes[-1] :]).all()
