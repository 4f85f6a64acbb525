"""fastmlp.sklearn in scikit-learn's own machinery: pipelines, searches, calibration, ensembles, inspection, and joblib."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastmlp.sklearn
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def classifier(**parameters):
    return MLPClassifier(
        **{"hidden_layer_sizes": 16, "max_iter": 30, "random_state": 0, "learning_rate_init": 0.02, **parameters}
    )


def regressor(**parameters):
    return MLPRegressor(
        **{"hidden_layer_sizes": 16, "max_iter": 30, "random_state": 0, "learning_rate_init": 0.02, **parameters}
    )


def test_pipeline_of_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"]).assign(kind=np.where(X[:, 0] > 5.8, "long", "short"))
    columns = ColumnTransformer([
        ("numbers", StandardScaler(), ["a", "b", "c", "d"]), ("kind", OneHotEncoder(sparse_output=False), ["kind"]),
    ]).set_output(transform="pandas")  # fmt: skip
    labels = pandas.Series(y).map({0: "setosa", 1: "versicolor", 2: "virginica"})
    model = make_pipeline(columns, classifier()).fit(frame, labels)
    assert model.score(frame, labels) > 0.9
    assert list(model[-1].feature_names_in_) == list(columns.fit_transform(frame).columns)


def test_pipeline_of_sparse_columns():
    sparse = make_pipeline(OneHotEncoder(), classifier()).fit(X.round(), y)
    dense = make_pipeline(OneHotEncoder(sparse_output=False), classifier()).fit(X.round(), y)
    assert np.allclose(sparse.predict_proba(X.round()), dense.predict_proba(X.round()), rtol=1e-9)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_searches_give_the_same_anywhere(backend):
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(8,), (8, 8)], "dropout": [0.0, 0.1]}
    alone = GridSearchCV(classifier(max_iter=8), grid, cv=2).fit(X, y)
    with joblib.parallel_backend(backend, n_jobs=2):
        together = GridSearchCV(classifier(max_iter=8), grid, cv=2, n_jobs=2).fit(X, y)
    assert (alone.cv_results_["mean_test_score"] == together.cv_results_["mean_test_score"]).all()
    assert (alone.best_estimator_.coefs_[0] == together.best_estimator_.coefs_[0]).all()


def test_halving_search_and_cross_validation():
    search = HalvingGridSearchCV(classifier(), {"alpha": [1e-4, 0.1, 10.0]}, cv=2, random_state=0, min_resources=50).fit(X, y)
    assert search.best_score_ > 0.7
    assert cross_val_score(make_pipeline(StandardScaler(), classifier()), X, y, cv=3).mean() > 0.85
    assert cross_val_predict(classifier(), X, y, cv=2, method="predict_proba").shape == (150, 3)


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_joblib(mmap_mode, tmp_path):
    model = classifier().fit(X, y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode=mmap_mode)
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()
    if mmap_mode:
        assert isinstance(loaded._parameters.flat, np.memmap) and not loaded.coefs_[0].flags.writeable
    loaded.partial_fit(X, y)
    model.partial_fit(X, y)
    assert (loaded.coefs_[0] == model.coefs_[0]).all() and loaded.coefs_[0].flags.writeable


def test_meta_estimators():
    members = [("mlp", classifier()), ("logistic", LogisticRegression())]
    for model in (
        CalibratedClassifierCV(classifier(), cv=2), StackingClassifier(members, cv=2), VotingClassifier(members, voting="soft"),
        BaggingClassifier(classifier(), n_estimators=3, random_state=0),
    ):  # fmt: skip
        assert model.fit(X, y).score(X, y) > 0.85 and model.predict_proba(X).shape == (150, 3)
    stacked = StackingRegressor([("mlp", regressor()), ("ridge", Ridge())], cv=2).fit(X, X[:, 0])
    assert stacked.score(X, X[:, 0]) > 0.9
    assert MultiOutputRegressor(regressor()).fit(X[:, :2], X[:, 2:]).predict(X[:, :2]).shape == (150, 2)
    assert TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp).fit(X, X[:, 0]).predict(X).min() > 0
    assert (
        SequentialFeatureSelector(classifier(max_iter=3), n_features_to_select=1, cv=2).fit(X[:, :3], y).get_support().sum()
        == 1
    )


def test_inspection():
    model = classifier().fit(X, y)
    importances = permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean
    assert importances[2:].max() > importances[:2].max()
    assert partial_dependence(model, X, [2], grid_resolution=10)["average"].shape == (3, 10)


def test_metadata_is_routed():
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), classifier().set_fit_request(sample_weight=True)
        )
        weights = np.where(y == 0, 0.0, 1.0)
        assert (model.fit(X, y, sample_weight=weights).predict(X[y == 1]) != 0).all()


def test_validation_data_are_routed_and_transformed():
    from sklearn import config_context

    scaled = StandardScaler().fit(X[::2]).transform(X)
    alone = classifier(early_stopping=True).fit(scaled[::2], y[::2], X_val=scaled[1::2], y_val=y[1::2])
    with config_context(enable_metadata_routing=True):
        last = classifier(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(StandardScaler(), last, transform_input=["X_val"])
        model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model[-1].validation_scores_ == alone.validation_scores_


def test_scikit_learn_takes_it_for_its_own():
    from sklearn import neural_network

    for name in "MLPClassifier", "MLPRegressor":
        ours, theirs = getattr(fastmlp.sklearn, name), getattr(neural_network, name)
        assert issubclass(ours, theirs)
        assert ours().get_params().items() >= theirs().get_params().items()
        assert ours().__sklearn_tags__() == theirs().__sklearn_tags__()
