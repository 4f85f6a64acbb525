"""fastmlp.sklearn beside scikit-learn's classes: the same draws, and after 20 steps the same weights and losses, to rounding."""

import warnings

import numpy as np
import pytest
from rounding import units_apart

pytest.importorskip("sklearn")

import scipy.sparse
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network._base import LOSS_FUNCTIONS

from fastmlp import sklearn as ours
from fastmlp.sklearn import losses

ROWS, BATCH, EPOCHS = 112, 23, 4  # 20 steps, each fifth of them short
SOLVERS = {
    "adam": dict(solver="adam"),
    "adam, tanh, alpha": dict(solver="adam", activation="tanh", alpha=1.0),
    "adam, own numbers": dict(beta_1=0.8, beta_2=0.99, epsilon=1e-4, learning_rate_init=0.01, activation="logistic"),
    "sgd": dict(solver="sgd", learning_rate_init=0.01),
    "sgd, momentum": dict(solver="sgd", nesterovs_momentum=False, learning_rate_init=0.01),
    "sgd, plain": dict(solver="sgd", momentum=0, learning_rate_init=0.01, alpha=0.1),
    "sgd, invscaling": dict(solver="sgd", learning_rate="invscaling", learning_rate_init=0.1, power_t=0.3),
    "sgd, adaptive": dict(solver="sgd", learning_rate="adaptive", learning_rate_init=0.1, n_iter_no_change=1, tol=10.0),
    "early stopping": dict(early_stopping=True, validation_fraction=0.2),
    "in order": dict(shuffle=False, hidden_layer_sizes=(9, 5), activation="identity"),
    "no hidden layer": dict(hidden_layer_sizes=()),
    "lbfgs": dict(solver="lbfgs"),
}
KINDS = {
    "classes": ("MLPClassifier", {}),
    "two classes": ("MLPClassifier", {}),
    "labels": ("MLPClassifier", {}),
    "numbers": ("MLPRegressor", {}),
    "several numbers": ("MLPRegressor", {}),
    "counts": ("MLPRegressor", {"loss": "poisson"}),
}


@pytest.fixture(scope="module")
def data():
    draws = np.random.default_rng(3)
    X = draws.standard_normal((ROWS, 7))
    y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.3)
    targets = {
        "classes": np.array(["low", "middle", "high"])[y],
        "two classes": y > 0,
        "labels": np.stack([y > 0, X[:, 2] > 0, y == 1], axis=1).astype(int),
        "numbers": X[:, 0] - X[:, 1] ** 2,
        "several numbers": np.stack([X[:, 0], X[:, 1] * X[:, 2]], axis=1),
        "counts": draws.poisson(np.exp(X[:, 0] / 2)),
    }
    return X, targets, draws.uniform(0.1, 2.0, ROWS)


def fitted(module, name, X, y, weights=None, **parameters):
    model = getattr(module, name)(
        **{"random_state": 5, "batch_size": BATCH, "max_iter": EPOCHS, "hidden_layer_sizes": 9, **parameters}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight=weights)


def assert_agree(theirs, mine, bound):
    assert units_apart(theirs.coefs_ + theirs.intercepts_, mine.coefs_ + mine.intercepts_) <= bound
    for name in "n_iter_", "t_", "_no_improvement_count", "n_layers_", "n_outputs_", "out_activation_":
        assert getattr(theirs, name, None) == getattr(mine, name, None), name
    losses = [np.array([*getattr(model, "loss_curve_", ()), model.loss_]) for model in (theirs, mine)]
    assert units_apart([losses[0]], [losses[1]]) <= bound
    if theirs.solver != "lbfgs":
        assert theirs._optimizer.learning_rate == pytest.approx(mine._optimizer.learning_rate, rel=1e-12)
        assert theirs.validation_scores_ is None or np.allclose(
            theirs.validation_scores_, mine.validation_scores_, rtol=1e-12
        )
        for name in "velocities", "ms", "vs":
            for one, other in zip(getattr(theirs._optimizer, name, ()), getattr(mine._optimizer, name, ())):
                assert one.shape == other.shape and (theirs.momentum == 0 or np.allclose(one, other, rtol=1e-9, atol=1e-13))


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_twenty_steps(solver, kind, weighted, data):
    X, targets, weights = data
    name, parameters = KINDS[kind]
    parameters = {**parameters, **SOLVERS[solver]}
    models = [
        fitted(module, name, X, targets[kind], weights if weighted else None, **parameters)
        for module in (neural_network, ours)
    ]
    assert_agree(*models, bound=500 if "invscaling" in solver else 100)
    draws = [model._random_state.random_sample(3) for model in models]
    assert (draws[0] == draws[1]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_and_warm_starts(solver, kind, data):
    X, targets, weights = data
    y, models = targets[kind], []
    name, parameters = KINDS[kind]
    first = (
        {"classes": np.unique(y)}
        if kind in ("classes", "two classes")
        else {"classes": [0, 1, 2]}
        if kind == "labels"
        else {}
    )
    for module in (neural_network, ours):
        draws = np.random.RandomState(8)
        model = getattr(module, name)(
            solver=solver, random_state=draws, warm_start=True, max_iter=2, batch_size=BATCH, **parameters
        )
        for start in range(0, ROWS, 40):
            rows = slice(start, start + 40)
            model.partial_fit(X[rows], y[rows], **first)
        model.set_params(alpha=0.5, activation="tanh")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y, sample_weight=weights).fit(X, y)
        models.append(model)
        assert model._random_state is draws
    assert_agree(*models, bound=100)
    assert (models[0]._random_state.get_state()[1] == models[1]._random_state.get_state()[1]).all()


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "adam, tanh, alpha", "sgd", "early stopping", "lbfgs"])
@pytest.mark.parametrize("columns", [40, 400])
def test_sparse_inputs(columns, solver, kind, weighted, data):
    """Few columns are made dense, of many the first layer reads what is not zero; of both the weights are those of dense X."""
    _, targets, weights = data
    X = scipy.sparse.random_array((ROWS, columns), density=0.03, format="csr", rng=np.random.default_rng(0))
    name, parameters = KINDS[kind]
    parameters, weights = {**parameters, **SOLVERS[solver], "hidden_layer_sizes": (9, 4)}, weights if weighted else None
    theirs = fitted(neural_network, name, X, targets[kind], weights, **parameters)
    mine = fitted(ours, name, X.tocsc(), targets[kind], weights, **parameters)
    assert_agree(theirs, mine, bound=1e4 if solver == "lbfgs" else 100)
    assert (mine.predict(X) == mine.predict(X.tocsc())).all()
    assert np.allclose(mine._forward_pass_fast(X), mine._forward_pass_fast(X.toarray()), rtol=1e-12)


def test_dropout_of_sparse_inputs(data):
    """The masks are the engine's: with a step of sparse and of dense inputs the same units are left out."""
    _, targets, _ = data
    X = scipy.sparse.random_array((ROWS, 400), density=0.03, format="csr", rng=np.random.default_rng(0))
    parameters = dict(dropout=[0.5, 0.2], hidden_layer_sizes=(9, 4), label_smoothing=0.1, l1=0.1, activation="silu")
    sparse, dense = (fitted(ours, "MLPClassifier", x, targets["classes"], **parameters) for x in (X, X.toarray()))
    assert units_apart(sparse.coefs_, dense.coefs_) <= 100 and sparse.loss_ == pytest.approx(dense.loss_, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_float32(solver, kind, weighted, data):
    """Within the units of float64, now of float32.

    For whole networks no bound can be derived: Adam divides a gradient by its own size, so that one that is all rounding error
    makes a whole step. On given gradients there is one, in test_optimizer_agreement.py.
    """
    X, targets, weights = data
    name, parameters = KINDS[kind]
    weights = weights if weighted else None
    theirs, mine = (
        fitted(module, name, X.astype(np.float32), targets[kind], weights, **{**parameters, **SOLVERS[solver]})
        for module in (neural_network, ours)
    )
    if solver != "lbfgs":  # after which both have float64
        assert {array.dtype for array in mine.coefs_ + mine.intercepts_} == {np.dtype(np.float32)}
    learned = [
        [
            np.float32(array)
            for array in (*model.coefs_, *model.intercepts_, [*getattr(model, "loss_curve_", ()), model.loss_])
        ]
        for model in (theirs, mine)
    ]
    assert units_apart(*learned) <= 100


SATURATED = {
    "far above the clip": dict(solver="sgd", learning_rate_init=3.0),
    "about the clip": dict(learning_rate_init=0.1),
    "of those kept": dict(learning_rate_init=0.1, early_stopping=True),
    "lbfgs": dict(solver="lbfgs", max_fun=1),
}


@pytest.mark.parametrize("kind", ["classes", "two classes", "labels"])
@pytest.mark.parametrize("dtype, case", [
    *((np.float64, case) for case in SATURATED),
    *((np.float32, case) for case in SATURATED if case != "far above the clip"),  # there weights overflow
])  # fmt: skip
def test_losses_of_saturated_outputs(dtype, case, kind, data):
    """scikit-learn clips probabilities and takes logarithms of what rounding left of 1 - p; what stops training depends on it."""
    X, targets, _ = data
    X, parameters = (50 * X).astype(dtype), {"activation": "identity", **SATURATED[case]}
    theirs, mine = (fitted(module, "MLPClassifier", X, targets[kind], **parameters) for module in (neural_network, ours))
    losses = [np.array([*getattr(model, "loss_curve_", ()), model.loss_]) for model in (theirs, mine)]
    assert np.allclose(*losses, rtol=300 * np.finfo(dtype).eps) and losses[0].max() > 4


@pytest.mark.parametrize("kind", ["classes", "two classes", "labels"])
def test_validation_losses_of_saturated_outputs(kind, data):
    X, targets, _ = data
    mine = ours.MLPClassifier(activation="identity", learning_rate_init=0.1, max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mine.fit(50 * X, targets[kind], X_val=50 * X, y_val=targets[kind])
    theirs = LOSS_FUNCTIONS["binary_log_loss" if kind == "labels" else "log_loss"]
    expected = theirs(mine._label_binarizer.transform(targets[kind]), mine.to_sklearn()._forward_pass_fast(50 * X))
    assert expected > 4 and mine.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_labels_that_are_clipped_now_and_then(solver, data, monkeypatch):
    """Steps are taken in slices, and again one by one where a label's loss may be clipped: nothing tells the difference."""
    X, targets, weights = data
    asked = []

    def fitted_where(may_be_clipped):
        monkeypatch.setattr(losses, "may_be_clipped", may_be_clipped)
        parameters = dict(solver=solver, learning_rate_init=0.5, max_iter=9, batch_size=4, n_iter_no_change=99)
        return fitted(ours, "MLPClassifier", 3 * X, targets["labels"], weights, **parameters)

    def as_it_is(*arguments, its=losses.may_be_clipped):
        asked.append(its(*arguments))
        return asked[-1]

    mixed, one_by_one = fitted_where(as_it_is), fitted_where(lambda *_: True)
    assert {*zip(asked, asked[1:])} == {(False, False), (False, True), (True, False), (True, True)}
    for a, b in zip(mixed.coefs_ + mixed.intercepts_, one_by_one.coefs_ + one_by_one.intercepts_):
        assert a.tobytes() == b.tobytes()
    # Of a row below the clip, whose labels are not looked at one by one, fewer digits are scikit-learn's.
    assert np.allclose(mixed.loss_curve_, one_by_one.loss_curve_, rtol=1e-4)


@pytest.mark.parametrize("parameters", [
    dict(solver="sgd", verbose=True, tol=10.0, n_iter_no_change=2, max_iter=9),
    dict(solver="sgd", verbose=True, tol=10.0, n_iter_no_change=1, max_iter=99, learning_rate="adaptive", learning_rate_init=1e-5),
    dict(verbose=True, early_stopping=True, tol=10.0, n_iter_no_change=2),
])  # fmt: skip
def test_printed_lines(parameters, data, capsys):
    X, targets, _ = data
    printed = []
    for module in (neural_network, ours):
        fitted(module, "MLPRegressor", X, targets["numbers"], **parameters)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and "Stopping." in printed[0]
