"""What fastmlp.sklearn has beyond scikit-learn's classes, and how its estimators hold their weights."""

import copy
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn")

import scipy.sparse
from sklearn import config_context, neural_network
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_array

import fastmlp
from fastmlp.sklearn import MLPClassifier, MLPRegressor, from_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROWS = 120


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(1).standard_normal((ROWS, 6))


@pytest.fixture(scope="module")
def y(X):
    return np.array(["a", "b", "c"])[(X[:, 0] > 0) * 1 + (X[:, 1] * X[:, 2] > 0.2)]


@pytest.fixture(scope="module")
def numbers(X):
    return X[:, 0] - X[:, 1] ** 2


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": 12, "max_iter": 4, "random_state": 0, "batch_size": 25, **parameters})


def regressor(**parameters):
    return MLPRegressor(**{"hidden_layer_sizes": 12, "max_iter": 4, "random_state": 0, "batch_size": 25, **parameters})


def weights_of(model):
    return np.concatenate([array.ravel() for array in model.coefs_ + model.intercepts_])


# The weights are views of one array.


def flat_of(model):
    """The arrays that its weights are views of."""
    return {id(array.base if array.base.base is None else array.base.base) for array in model.coefs_ + model.intercepts_}


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("again", [lambda m: m, copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_coefs_are_live_views(solver, again, X, y):
    first = classifier(solver=solver).fit(X, y)
    model = again(first)
    assert len(flat_of(model)) == 1 and (model.predict_proba(X) == first.predict_proba(X)).all()
    model.coefs_[0][...] = 0
    model.intercepts_[1][...] = [0, 0, 50]
    assert (model.predict(X) == "c").all()
    if model is not first:
        assert first.coefs_[0].any()
    if solver != "lbfgs":
        held = model.coefs_[0]
        model.partial_fit(X, y)
        assert held is model.coefs_[0] and held.any()


def test_what_users_put_into_coefs(X, y):
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    model.coefs_[0] = model.coefs_[0] * 2
    assert not np.allclose(model.predict_proba(X), before)
    model.coefs_ = [coef / 2 if i == 0 else coef for i, coef in enumerate(model.coefs_)]
    assert np.allclose(model.predict_proba(X), before)
    model.partial_fit(X, y)  # and are views again
    assert len(flat_of(model)) == 1
    model.coefs_ = [coef.astype(np.float16) for coef in model.coefs_]
    model.intercepts_ = [bias.astype(np.float16) for bias in model.intercepts_]
    assert model.predict_proba(X.astype(np.float16)).dtype == np.float16
    model.out_activation_ = "identity"
    assert not np.allclose(model.predict_proba(X).sum(axis=1), 1)


def test_predict_adds_nothing(X, y):
    model = classifier().fit(X, y)
    for one in model, pickle.loads(pickle.dumps(model)):
        before = set(vars(one))
        one.predict(X), one.predict_proba(X[:1]), one.activations(X)
        assert set(vars(one)) == before


def test_estimators_made_by_hand(X):
    net = fastmlp.MLP([6, 5, 1], "tanh", seed=0, dtype="float64")
    model = MLPRegressor(activation="tanh")
    model.coefs_, model.intercepts_ = list(net.weights), list(net.biases)
    model.n_layers_, model.n_outputs_, model.out_activation_ = 3, 1, "identity"
    assert (model.predict(X) == net.forward(X)[:, 0]).all()


# The straight ways give what the others do.


@pytest.mark.parametrize("target", ["classes", "two classes", "one class", "labels", "numbers"])
def test_straight_ways(target, X, y, numbers):
    targets = {
        "classes": y,
        "two classes": y == "a",
        "one class": np.zeros(ROWS),
        "labels": np.stack([y == "a", y != "b"], 1) * 1,
    }
    model = regressor().fit(X, numbers) if target == "numbers" else classifier().fit(X, targets[target])
    for method in ("predict", "predict_proba") if target != "numbers" else ("predict",):
        straight, other = getattr(model, method)(X), getattr(model, method)(X.tolist())
        assert (straight == other).all() and straight.dtype == other.dtype and straight.shape == other.shape
    if "class" in target and "one" not in target:
        assert (model.predict(X) == model.classes_[model.predict_proba(X).argmax(axis=1)]).all()
    one, two = copy.deepcopy(model), copy.deepcopy(model)
    now = numbers if target == "numbers" else targets[target]
    for start in range(0, ROWS, 30):
        rows = slice(start, start + 30)
        one.partial_fit(X[rows], now[rows])
        two.partial_fit(X[rows].tolist(), now[rows].tolist() if target != "labels" else now[rows])
    assert (weights_of(one) == weights_of(two)).all() and one.loss_curve_ == two.loss_curve_
    assert one._random_state.get_state()[1].tolist() == two._random_state.get_state()[1].tolist()


@pytest.mark.parametrize("wrong", [
    lambda X: X[:, :5], lambda X: X[0], lambda X: np.where(X > 2, np.nan, X), lambda X: X[:0], lambda X: np.full(X.shape, "a"),
    lambda X: np.where(X > 2, np.inf, X),
])  # fmt: skip
def test_errors_of_inputs_are_scikit_learns(wrong, X, y):
    errors = []
    for module in (neural_network, fastmlp.sklearn):
        model = module.MLPClassifier(max_iter=2, random_state=0).fit(X, y)
        for method in model.predict, model.predict_proba, lambda x: model.partial_fit(x, y[: len(x)]):
            with pytest.raises(Exception) as raised:
                method(wrong(X))
            errors.append((type(raised.value), str(raised.value)))
    assert errors[:3] == errors[3:]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_inputs_that_are_assumed_to_be_finite(solver, X, y):
    """Nobody looks for NaN in them, and what it does is the same."""
    with_nan, found = np.where(X > 2, np.nan, X), []
    for module in (neural_network, fastmlp.sklearn):
        model = module.MLPClassifier(solver=solver, max_iter=2, random_state=0, batch_size=25).fit(X, y)
        with config_context(assume_finite=True):
            outputs = model.predict_proba(with_nan)
            for name in "fit", "partial_fit":
                with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
                    getattr(model, name)(with_nan, y)
        found.append(outputs)
    assert np.isnan(found[0]).any() and np.allclose(*found, rtol=1e-10, equal_nan=True)


def test_targets_that_are_wrong(X, y, numbers):
    with pytest.raises(ValueError, match="has classes not in `self.classes_`"):
        classifier().fit(X, y).partial_fit(X, np.where(y == "a", "d", y))
    with pytest.raises(ValueError, match="contains NaN"):
        regressor().fit(X, numbers).partial_fit(X, np.where(numbers > 1, np.nan, numbers))
    with pytest.raises(ValueError, match="Weights sum to zero|zero"):
        regressor().fit(X, numbers, sample_weight=np.zeros(ROWS))


def test_frames_keep_their_warnings(X, y):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    model = classifier(early_stopping=True, scoring="accuracy").fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcdef")
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


# Hooks that subclasses override.


def test_overridden_hooks_are_obeyed(X, y):
    def twice(base):
        class Twice(base):
            calls = 0

            def _backprop(self, *args):
                type(self).calls += 1
                return super()._backprop(*args)

            def _init_coef(self, fan_in, fan_out, dtype):
                coef, intercept = super()._init_coef(fan_in, fan_out, dtype)
                return 2 * coef, intercept

        return Twice

    theirs, mine = (
        twice(base)(max_iter=3, random_state=0).fit(X, y) for base in (neural_network.MLPClassifier, MLPClassifier)
    )
    assert type(mine).calls == type(theirs).calls and (weights_of(theirs) == weights_of(mine)).all()
    mine.partial_fit(X, y)
    with pytest.raises(ValueError, match="dropout=0.5 does not go with hooks"):
        twice(MLPClassifier)(dropout=0.5).fit(X, y)
    with pytest.raises(ValueError, match="this X_val does not go with hooks"):
        twice(MLPClassifier)().fit(X, y, X_val=X, y_val=y)
    beyond = {"activation": "gelu"}, {"activation": ["relu"]}, {"early_stopping": True, "scoring": "loss"}
    for parameters in *beyond, {"solver": "lbfgs", "activation": "gelu"}:
        with pytest.raises(ValueError, match="this (activation|scoring) does not go with hooks"):
            twice(MLPClassifier)(**parameters).fit(X, y)
    with pytest.raises(ValueError, match="this loss does not go with hooks"):
        twice(MLPRegressor)(loss="huber").fit(X, X[:, 0])


@pytest.mark.parametrize("hook", ["_fit", "_fit_stochastic", "_validate_input"])
def test_hooks_of_every_partial_fit(hook, X, y):
    calls = []

    def counted(self, *args, **kwargs):
        calls.append(hook)
        return getattr(super(kind, self), hook)(*args, **kwargs)

    kind = type("Counting", (MLPClassifier,), {hook: counted})
    model = kind(max_iter=2).fit(X, y)
    for _ in range(3):
        model.partial_fit(X[:1], y[:1])
    assert len(calls) == 4


def test_weights_that_become_infinite(X, numbers):
    """Also where rows and parameters need not be looked at, as in the later calls."""
    model = regressor(batch_size="auto").fit(X, numbers).partial_fit(X, numbers).partial_fit(X, numbers)
    model._optimizer.learning_rate_init = 1e308
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        for _ in range(3):
            model.partial_fit(X[:1], numbers[:1])


def test_their_optimizer_goes_on(X, y):
    """A model that scikit-learn's class fitted, pickled or not, becomes ours, and training goes on as theirs does."""
    for solver in "adam", "sgd":
        theirs = neural_network.MLPClassifier(solver=solver, max_iter=3, random_state=1, learning_rate_init=0.01).fit(X, y)
        mine = from_sklearn(pickle.loads(pickle.dumps(theirs)))
        assert type(mine) is MLPClassifier and np.allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
        for _ in range(3):
            theirs.partial_fit(X, y), mine.partial_fit(X, y)
        assert np.allclose(weights_of(mine), weights_of(theirs), rtol=1e-10, atol=1e-14)
        mine._optimizer.learning_rate = 0.0
        mine._optimizer = None
        mine.partial_fit(X, y)
    with pytest.raises(TypeError, match="model must be scikit-learn's MLPClassifier or MLPRegressor, not 3"):
        from_sklearn(3)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_there_and_back(solver, X, y):
    mine = classifier(solver=solver).fit(X, y)
    theirs = mine.to_sklearn()
    assert type(theirs) is neural_network.MLPClassifier and "fastmlp" not in pickle.dumps(theirs).decode("latin-1")
    assert np.allclose(theirs.predict_proba(X), mine.predict_proba(X), rtol=1e-12)
    if solver != "lbfgs":
        for _ in range(3):
            theirs.partial_fit(X, y), mine.partial_fit(X, y)
    assert np.allclose(weights_of(mine), weights_of(theirs), rtol=1e-10, atol=1e-14)
    assert (from_sklearn(theirs).predict(X) == mine.predict(X)).all()
    with pytest.raises(ValueError, match="activation"):
        classifier(activation="gelu").fit(X, y).to_sklearn()


def test_their_optimizer_begins_where_they_have_none_such(X, y):
    theirs = classifier(optimizer="adamw").fit(X, y).to_sklearn()
    before = weights_of(theirs)
    assert theirs.partial_fit(X, y)._optimizer.t == 5 and (weights_of(theirs) != before).any()


# What scikit-learn's classes lack.

BEYOND = {
    "dropout": [0.5, [0.3]], "activation": ["gelu", ["silu"], "leaky_relu"],
    "optimizer": ["adamw", "rmsprop", fastmlp.SGD(momentum=0.5)],
    "gradient_clip": [0.01], "average": [0.9], "l1": [0.5], "dtype": ["float32"],
}  # fmt: skip


@pytest.mark.parametrize("name", BEYOND)
def test_options_change_training_and_are_clonable(name, X, y, numbers):
    for make, target in (classifier, y), (regressor, numbers):
        plain = make().fit(X, target)
        for value in BEYOND[name]:
            model = make(**{name: value})
            copied = clone(model)
            assert copied.get_params()[name] == value
            one, two = model.fit(X, target), copied.fit(X, target)
            assert not np.allclose(weights_of(one), weights_of(plain)) or name == "dtype"
            assert (weights_of(one) == weights_of(two)).all()
            again = pickle.loads(pickle.dumps(one))
            assert (one.partial_fit(X, target).predict(X) == again.partial_fit(X, target).predict(X)).all()


@pytest.mark.parametrize("parameters, target", [
    ({"class_weight": "balanced"}, "classes"), ({"class_weight": {"a": 5}}, "classes"), ({"label_smoothing": 0.2}, "classes"),
    ({"loss": "huber"}, "numbers"), ({"loss": fastmlp.Quantile(0.9)}, "numbers"), ({"loss": "absolute_error"}, "numbers"),
])  # fmt: skip
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_options_of_one_kind(solver, parameters, target, X, y, numbers):
    y = y[:ROWS] if target == "classes" else numbers
    make = classifier if target == "classes" else regressor
    plain, model = make(solver=solver, max_iter=30).fit(X, y), make(solver=solver, max_iter=30, **parameters).fit(X, y)
    assert not np.allclose(weights_of(plain), weights_of(model)) and np.isfinite(model.loss_)


def test_schedules_count_epochs(X, y):
    """A rate that is down to nothing after three epochs changes no weight in the fourth."""
    schedule = fastmlp.schedules.Linear(0.01, epochs=3)
    three, four = (classifier(optimizer=fastmlp.SGD(learning_rate=schedule), max_iter=n).fit(X, y) for n in (3, 4))
    assert (weights_of(three) == weights_of(four)).all() and four._optimizer.learning_rate == 0
    assert not (
        weights_of(classifier(optimizer=fastmlp.SGD(learning_rate=schedule), max_iter=2).fit(X, y)) == weights_of(three)
    ).all()
    with pytest.raises(ValueError, match="must not have ReduceOnPlateau"):
        classifier(optimizer=fastmlp.Adam(learning_rate=fastmlp.schedules.ReduceOnPlateau(0.01))).fit(X, y)


@pytest.mark.parametrize("loss, message", [
    (fastmlp.Quantile(2), "q of the loss must be a number between 0 and 1"), (fastmlp.Huber(-1), "delta of the loss must be"),
    (fastmlp.Huber("a"), "delta of the loss must be"),
])  # fmt: skip
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_wrong_parameters_of_losses_are_refused(loss, message, solver):
    model, X, y = MLPRegressor(solver=solver, max_iter=1), np.ones((20, 2)), np.arange(20.0)
    with pytest.raises((TypeError, ValueError), match=message):
        clone(model).set_params(loss=loss).fit(X, y)
    model.fit(X, y).set_params(loss=loss)
    with pytest.raises((TypeError, ValueError), match=message):
        model.partial_fit(X, y)


@pytest.mark.parametrize("y, class_weight, message", [
    (None, "balanced", "requires y to be passed, but the target y is None"), ([0.0, np.nan], "balanced", "y contains NaN"),
    ([0.5, 1.2], "balanced", "Unknown label type: continuous"),
    ([0, 1], {0: -2}, "class_weight must hold weights of at least 0, not {0: -2}"),
])  # fmt: skip
def test_targets_and_class_weights_are_checked_before_they_are_used(y, class_weight, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(class_weight=class_weight).fit(np.ones((2, 2)), y)


def test_class_weight_is_a_sample_weight(X, y):
    weights = np.where(y == "a", 3.0, 1.0)
    one = classifier(class_weight={"a": 3}, batch_size="auto").fit(X, y)
    two = classifier(batch_size="auto").fit(X, y, sample_weight=weights)
    assert (weights_of(one) == weights_of(two)).all()
    for rows in (y == "a", y == "b", y == "c", y < "c", y > "a"):  # of which the dict names one
        one.partial_fit(X[rows], y[rows])
        two.partial_fit(X[rows], y[rows], sample_weight=weights[rows])
        assert (weights_of(one) == weights_of(two)).all()
    with pytest.raises(ValueError, match="class_weight='balanced' needs all classes at once"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=list("abc"))


def test_l1_and_alpha_in_lbfgs_are_those_of_its_gradient(X, numbers):
    model = regressor(solver="lbfgs", l1=3.0, alpha=2.0).fit(X, numbers)
    at, lists = np.concatenate([a.ravel() for a in model.coefs_ + model.intercepts_]), (None,) * 4
    _, gradient = model._loss_grad_lbfgs(at, X, numbers[:, None], None, *lists)
    for i in range(0, len(at), 7):
        step = np.zeros_like(at)
        step[i] = 1e-6
        up, down = (model._loss_grad_lbfgs(at + s, X, numbers[:, None], None, *lists)[0] for s in (step, -step))
        assert (up - down) / 2e-6 == pytest.approx(gradient[i], abs=1e-7)


def test_threads_of_python_may_predict_at_once(X, y):
    model = classifier(hidden_layer_sizes=(64, 64)).fit(X, y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        assert all((found == expected).all() for found in pool.map(lambda _: model.predict_proba(X), range(60)))


def test_threads_change_no_bit(X, y):
    one, two = (classifier(n_threads=n, hidden_layer_sizes=(64, 64)).fit(X, y) for n in (1, 2))
    assert (weights_of(one) == weights_of(two)).all()


def test_threads_that_are_set_after_fit(X, y):
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match="n_threads must be an integer of at least 1 .*not -1"):
        copy.copy(model).set_params(n_threads=-1).predict(X)
    with pytest.warns(UserWarning, match="n_threads=100000 is more than"):
        model.set_params(n_threads=100_000).predict(X)


def test_own_validation_data_and_scores(X, y):
    train, held_out = slice(0, 80), slice(80, None)
    model = classifier(max_iter=30, n_iter_no_change=30).fit(X[train], y[train], X_val=X[held_out], y_val=y[held_out])
    assert len(model.validation_loss_curve_) == model.n_iter_ and model.validation_scores_ is None
    of_last = model.predict_proba(X[held_out])[np.arange(40), np.searchsorted(model.classes_, y[held_out])]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(of_last).mean(), rel=1e-12)
    for scoring in None, "balanced_accuracy", "loss", lambda estimator, X, y: estimator.score(X, y):
        model = classifier(early_stopping=True, scoring=scoring, max_iter=40, n_iter_no_change=3)
        model.fit(X[train], y[train], X_val=X[held_out], y_val=y[held_out])
        assert (
            model.best_validation_score_ == max(model.validation_scores_) and len(model.validation_scores_) == model.n_iter_
        )
        if scoring is None:
            assert model.score(X[held_out], y[held_out]) == model.best_validation_score_
        if scoring == "loss":
            assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        model.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="lbfgs validates nothing"):
        classifier(solver="lbfgs").fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "loss"])
def test_weights_of_validation_data(scoring, X, y):
    weights = np.random.default_rng(2).uniform(0.1, 3, 40)
    held_out = dict(X_val=X[80:], y_val=y[80:], sample_weight_val=weights)
    model = classifier(early_stopping=True, scoring=scoring).fit(X[:80], y[:80], **held_out)
    losses = -np.array(model.validation_scores_) if scoring else model.validation_loss_curve_
    assert losses == pytest.approx(model.validation_loss_curve_, rel=1e-12)
    last = classifier().fit(X[:80], y[:80], **held_out)
    assert last.validation_loss_curve_ == pytest.approx(model.validation_loss_curve_, rel=1e-12)
    expected = log_loss(y[80:], last.predict_proba(X[80:]), sample_weight=weights)
    assert last.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-12)
    if scoring is None:
        assert model.score(X[80:], y[80:], sample_weight=weights) == pytest.approx(model.best_validation_score_, rel=1e-12)
    with pytest.raises(ValueError, match="sample_weight_val needs X_val and y_val"):
        model.fit(X, y, sample_weight_val=weights)


def test_the_best_weights_are_kept_apart_from_those_that_are_trained(X, y):
    """In scikit-learn a warm start after early stopping trains the best weights themselves, and restores nothing."""
    model = classifier(early_stopping=True, warm_start=True, learning_rate_init=0.1, max_iter=10).fit(X, y)
    assert (model._best_coefs[0] == model.coefs_[0]).all() and model._best_coefs[0] is not model.coefs_[0]


def test_activations_and_networks(X, y, numbers):
    for model in (
        classifier(hidden_layer_sizes=(5, 4), activation=["relu", "tanh"]).fit(X, y),
        regressor(loss="poisson").fit(X, numbers**2),
    ):
        activations, net = model.activations(X), model.to_network()
        assert [a.shape[1] for a in activations] == [6, *(coef.shape[1] for coef in model.coefs_)] and isinstance(
            net, fastmlp.MLP
        )
        outputs = model.predict_proba(X) if isinstance(model, MLPClassifier) else model.predict(X)[:, None]
        assert (activations[-1] == outputs).all() and (net.forward(X) == outputs).all()
        net.parameters[...] = 0
        assert model.coefs_[0].any()
    assert np.allclose(activations[1], np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0), rtol=1e-12)


def test_float32_for_float64_data(X, y):
    model = classifier(dtype="float32").fit(X, y)
    assert model.predict_proba(X).dtype == np.float32 and model.coefs_[0].dtype == np.float32
    assert np.allclose(model.predict_proba(X), classifier().fit(X, y).predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("kind", [np.array, scipy.sparse.csr_matrix])
def test_inputs_too_large_for_float32_are_refused(kind, X, y, numbers):
    large = X.copy()
    large[0, 0] = 1e39
    with pytest.raises(ValueError, match="too large for") as theirs, np.errstate(over="ignore"):
        check_array(large, dtype="float32", input_name="X")
    for make, targets in (classifier, y), (regressor, numbers):
        model = make(dtype="float32").fit(X, targets)
        for call in (
            lambda x: model.fit(x, targets), lambda x: model.partial_fit(x, targets), model.predict, model.activations,
            lambda x: model.predict(x[:1]), lambda x: model.score(x, targets),
        ):  # fmt: skip
            with pytest.raises(ValueError, match="^" + re.escape(str(theirs.value)) + "$"):
                call(kind(large))
        with pytest.raises(ValueError, match="Input X_val contains infinity or a value too large"):
            model.fit(X, targets, X_val=kind(large), y_val=targets)
        with config_context(assume_finite=True):
            model.predict(kind(large))


def test_callbacks_of_scikit_learn(X, y):
    class Stop:
        ends = 0

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
            pass

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
            assert (fitted_estimator.predict_proba(X) == estimator.predict_proba(X)).all()
            Stop.ends += context.task_name == "epoch"
            return Stop.ends == 3

    model = classifier(max_iter=9).set_callbacks(Stop()).fit(X, y)
    assert model.n_iter_ == 3 and Stop.ends == 3
    monitor = ScoringMonitor(scoring="accuracy")
    classifier(max_iter=3).set_callbacks(monitor).fit(X, y)
    regressor(solver="lbfgs").set_callbacks(ScoringMonitor(scoring="r2")).fit(X, X[:, 0])


def test_fits_that_fail_leave_no_validation_data(X, y):
    class Failing(ScoringMonitor):
        def on_fit_task_begin(self, *args, **kwargs):
            raise OSError

    for model, error in (classifier().set_callbacks(Failing(scoring="accuracy")), OSError), (classifier(), ValueError):
        with pytest.raises(error):
            model.fit(X, y, X_val=X, y_val=y[:3])
        assert not {"_own_validation", "_told"} & set(vars(model))


@pytest.mark.parametrize("name, values", [
    ("dropout", [0.0, 0.2]), ("optimizer", [None, fastmlp.AdamW(weight_decay=0.1), "sgd"]), ("average", [None, 0.9]),
    ("activation", ["relu", "gelu", ["silu"]]), ("gradient_clip", [None, 0.01]), ("l1", [0.0, 1.0]),
    ("class_weight", [None, "balanced", {"a": 9}]), ("label_smoothing", [0.0, 0.5]), ("dtype", [None, "float32"]),
    ("scoring", [None, "loss"]),
])  # fmt: skip
def test_searched(name, values, X, y):
    """Each value is what a search tries: none gives the score of another."""
    model = classifier(early_stopping=name == "scoring", n_iter_no_change=1, max_iter=9, learning_rate_init=0.02)
    search = GridSearchCV(model, {name: values}, cv=2, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert len({*search.cv_results_["mean_test_score"]}) == len(values)
    assert search.best_estimator_.get_params()[name] == search.best_params_[name]


@pytest.mark.parametrize("parameters, message", [
    ({"solver": "lbfgs", "dropout": 0.5}, "dropout=0.5 does not go with solver='lbfgs'"),
    ({"solver": "lbfgs", "optimizer": "adamw"}, "optimizer='adamw' does not go with solver='lbfgs'"),
    ({"solver": "lbfgs", "gradient_clip": 1.0}, "gradient_clip=1.0 does not go with solver='lbfgs'"),
    ({"solver": "lbfgs", "average": 0.9}, "average=0.9 does not go with solver='lbfgs'"),
    ({"activation": "gleu"}, "activation"), ({"dropout": 1.0}, "dropout"), ({"optimizer": "lion"}, "optimizer"),
    ({"dtype": "int8"}, "dtype"),
    ({"activation": ["relu", "relu"]}, "one for each of 1 hidden layers"),
    ({"dropout": [0.1, 0.2]}, "dropout must be one number, or 1"),
    ({"activation": ["softmax"]}, "got 'softmax'"),
    ({"optimizer": fastmlp.SGD(l2=5.0)}, "must not have l2=5.0 here: give alpha to the estimator"),
    ({"optimizer": fastmlp.AdamW(l1=5.0)}, "must not have l1=5.0 here: give l1 to"),
    ({"optimizer": fastmlp.SGD(clip_norm=1e-9)}, "must not have clip_norm=1e-09 here: give gradient_clip to"),
    ({"optimizer": fastmlp.SGD(average=0.9)}, "must not have average=0.9 here: give average to"),
    ({"optimizer": fastmlp.Adam(epsilon=1e-45), "dtype": "float32"}, "epsilon 1e-45 is too small for float32"),
    ({"optimizer": "rmsprop", "epsilon": 1e-45, "dtype": "float32"}, "epsilon 1e-45 is too small for float32"),
    ({"n_threads": 0}, "'n_threads' parameter of MLPClassifier must be an int in the range"),
])  # fmt: skip
def test_parameters_that_are_wrong(parameters, message, X, y):
    with pytest.raises(ValueError, match=message):
        classifier(**parameters).fit(X, y)


WRONG = {
    "alpha": [-5, "a"], "l1": [-1.0, None], "gradient_clip": [0, "a"], "average": [2.0], "n_threads": [0, 1.5, 2**31],
    "dropout": [1.0, "a", None, [1.0], [0.1, 0.2]], "dtype": ["float16", np.float32, 1], "scoring": [3],
    "activation": ["gleu", None, ["gleu"]], "optimizer": ["lion", fastmlp.Adam, fastmlp.SGD(l2=5.0)],
}  # fmt: skip
WRONG_OF = {
    classifier: {"label_smoothing": [7, -0.1, None], "class_weight": ["a", 3, {"d": 1.0}, {"a": -1.0}]},
    regressor: {"loss": ["hubr", None, "log_loss", fastmlp.Quantile(2)], "solver": ["lion"]},
}


@pytest.mark.parametrize("make, wrong", [
    pytest.param(make, {name: value}, id=f"{make.__name__} {name}={value!r}")
    for make in WRONG_OF for name, values in {**WRONG, **WRONG_OF[make]}.items() for value in values
])  # fmt: skip
def test_parameters_that_are_set_wrong_before_partial_fit(make, wrong, X, y, numbers):
    """In words of fit, where scikit-learn's partial_fit of a fitted model looks at none."""
    y = y if make is classifier else numbers
    model = make().fit(X, y).partial_fit(X, y).set_params(**wrong)
    with pytest.raises((TypeError, ValueError)) as of_fit:
        clone(model).fit(X, y)
    before = weights_of(model)
    for rows in X, X.tolist():
        for _ in "12":
            with pytest.raises(of_fit.type, match="^" + re.escape(str(of_fit.value)) + "$"):
                model.partial_fit(rows, y)
    assert (weights_of(model) == before).all()


# Imports.


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_fastmlp_does_not_import_scikit_learn():
    assert run("import sys, fastmlp; assert not {'sklearn', 'scipy', 'fastmlp.sklearn'} & set(sys.modules)").returncode == 0


def test_without_scikit_learn():
    result = run("import sys; sys.modules['sklearn'] = None; import fastmlp.sklearn")
    assert re.search(r"ImportError: fastmlp.sklearn needs scikit-learn: pip install 'fastmlp\[sklearn\]'", result.stderr)
