"""In cases that few think of, fastmlp.sklearn's estimators do as scikit-learn's: the same results, warnings and errors.

A case is a function of the module that the estimators come from; what it returns is compared to rounding, arrays with their dtype.
"""

import inspect
import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import scipy.sparse
from sklearn import config_context, neural_network

from fastmlp import sklearn as ours

draws = np.random.default_rng(3)
X = draws.standard_normal((112, 7))
y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.3)
LABELS = np.stack([y > 0, X[:, 2] > 0, y == 1], axis=1).astype(int)
NUMBERS = X[:, 0] - X[:, 1] ** 2
COMMON = dict(hidden_layer_sizes=9, max_iter=4, random_state=5, batch_size=23)
OWN_ATTRIBUTES = {"_parameters", "_checked_values", "validation_loss_curve_"}


def classifier(module, **parameters):
    return module.MLPClassifier(**{**COMMON, **parameters})


def regressor(module, **parameters):
    return module.MLPRegressor(**{**COMMON, **parameters})


def learned(model):
    return [*model.coefs_, *model.intercepts_, list(getattr(model, "loss_curve_", ())), model.n_iter_, model.t_]


def told(call):
    """What a call returns, or its error, and its warnings with the file that they are of, which filters of a module go by, save
    those of NumPy's arithmetic, of which ours does little.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            found = call()
        except Exception as error:  # noqa: BLE001
            found = type(error), str(error)
    return found, [(w.category, str(w.message), w.filename) for w in caught]


def are_alike(one, other):
    if isinstance(one, np.ndarray):
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            return False
        return np.allclose(one, other, rtol=1e-6, equal_nan=True) if one.dtype.kind == "f" else (one == other).all()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(are_alike, one, other))
    return np.isclose(one, other, rtol=1e-6, equal_nan=True) if isinstance(one, float) else one == other


def assert_the_same(case, with_files=True):
    theirs, mine = (told(lambda: case(module)) for module in (neural_network, ours))
    assert are_alike(theirs[0], mine[0]), (theirs[0], mine[0])
    parts = slice(3 if with_files else 2)
    assert [warning[parts] for warning in theirs[1]] == [warning[parts] for warning in mine[1]]


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_signatures_begin_alike(name):
    theirs, mine = (
        [(p.name, p.kind, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()]
        for module in (neural_network, ours)
    )
    assert mine[: len(theirs)] == theirs and {kind for _, kind, _ in mine[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("parameters", [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
def test_attributes(kind, parameters):
    make, target = {"classes": (classifier, y), "labels": (classifier, LABELS), "numbers": (regressor, NUMBERS)}[kind]

    def case(module):
        model = make(module, **parameters).fit(X, target)
        return sorted(vars(model).keys() - ours.MLPClassifier().get_params().keys() - OWN_ATTRIBUTES)

    assert_the_same(case)


@pytest.mark.parametrize("predicted", ["int32", "float16", "float32", "float64"])
@pytest.mark.parametrize("fitted", ["bool", "int32", "float16", "float32", "float64"])
def test_dtypes(fitted, predicted):
    def case(module):
        models = classifier(module).fit(X.astype(fitted), y), regressor(module).fit(X.astype(fitted), NUMBERS)
        outputs = models[0].predict_proba(X.astype(predicted)), models[1].predict(X.astype(predicted))
        return [array.dtype for array in (*models[0].coefs_, *outputs)]

    assert_the_same(case)


HOOKS = (
    "_init_coef", "_initialize", "_validate_input", "_fit_stochastic", "_fit_lbfgs", "_loss_grad_lbfgs", "_unpack", "_backprop",
    "_forward_pass", "_compute_loss_grad", "_forward_pass_fast", "_predict", "_score", "_update_no_improvement_count",
)  # fmt: skip


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_are_called(hook, solver):
    """A hook that a subclass overrides is called as often as scikit-learn calls it; lbfgs may take another last step."""

    def case(module):
        calls = []

        def overriding(self, *args, **kwargs):
            calls.append(1)
            return getattr(super(Overriding, self), hook)(*args, **kwargs)

        Overriding = type("Overriding", (module.MLPClassifier,), {hook: overriding})
        model = Overriding(**COMMON, solver=solver, early_stopping=solver == "adam").fit(X, y)
        in_fit = len(calls)
        probabilities = model.predict_proba(X), model.predict(X)
        in_both = len(calls) - in_fit
        return [in_fit if solver == "adam" else in_fit > 0, in_both, probabilities[0].dtype, len(probabilities[1])]

    assert_the_same(case, with_files=hook != "_fit_stochastic")  # which warnings are counted from


def rates_set(module):
    sgd, adam = classifier(module, solver="sgd"), classifier(module)
    for model, name in (sgd, "learning_rate"), (adam, "learning_rate_init"):
        model.partial_fit(X, y, classes=[0, 1, 2])
        setattr(model._optimizer, name, 0.3)
        model.partial_fit(X, y)
    return learned(sgd), learned(adam), sgd._optimizer.learning_rate, adam._optimizer.learning_rate, adam._optimizer.t


def global_state(module):
    np.random.seed(3)  # noqa: NPY002
    model = classifier(module, random_state=None).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    return learned(model), learned(classifier(module, random_state=None).fit(X, y)), np.random.random_sample()  # noqa: NPY002


def warm_start_with_other_layers(module):
    model = classifier(module, warm_start=True).fit(X, y).set_params(hidden_layer_sizes=(3,))
    return learned(model.fit(X, y)), model.best_loss_


def there(module):
    return [hasattr(make(module, solver=s), "partial_fit") for make in (classifier, regressor) for s in ("adam", "lbfgs")]


def sparse_labels(module, kind):
    model = classifier(module).fit(X, getattr(scipy.sparse, kind)(LABELS))
    answers = model.predict(X)
    return learned(model), type(answers), answers.toarray(), model.score(X, getattr(scipy.sparse, kind)(LABELS))


def logits(module):
    model = classifier(module).fit(X, y)
    model.out_activation_ = "identity"
    return model.predict_proba(X)


def interrupted(module):
    class Interrupted(module.MLPClassifier):
        def _update_no_improvement_count(self, *args):
            raise KeyboardInterrupt

    return learned(Interrupted(**COMMON).fit(X, y))


def unchecked(module):
    model = classifier(module).fit(X, y)
    with config_context(assume_finite=True):
        return model.predict_proba(np.where(X > 2, np.nan, X)), model.predict(np.where(X > 2, np.nan, X))


HALF, NOTHING = np.where(np.arange(112) < 23, 0.0, 1.0), np.zeros(112)
CASES = {
    "where partial_fit is": there,
    "partial_fit of a regressor with lbfgs": lambda m: learned(regressor(m, solver="lbfgs").partial_fit(X, NUMBERS)),
    "partial_fit with an int as random_state": lambda m: learned(
        classifier(m).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X[:40], y[:40]).partial_fit(X, y)
    ),
    "partial_fit without classes": lambda m: classifier(m).partial_fit(X, y),
    "partial_fit with other classes": lambda m: classifier(m).fit(X, y).partial_fit(X, y, classes=[0, 1, 2, 3]),
    "partial_fit with early stopping": lambda m: classifier(m, early_stopping=True).partial_fit(X, y, classes=[0, 1, 2]),
    "partial_fit of other columns": lambda m: classifier(m).fit(X, y).partial_fit(X[:, :3], y),
    "partial_fit with weights": lambda m: learned(regressor(m).partial_fit(X, NUMBERS, sample_weight=np.arange(112.0))),
    "the global random state": global_state,
    "rates that are set": rates_set,
    "warm start with other layers": warm_start_with_other_layers,
    "warm start with other classes": lambda m: classifier(m, warm_start=True).fit(X, y).fit(X, y + 1),
    "warm start with other columns": lambda m: classifier(m, warm_start=True).fit(X, y).fit(X[:, :3], y),
    "a batch that is larger than X": lambda m: learned(classifier(m, batch_size=500).fit(X, y)),
    "interrupted": interrupted,
    "counts below zero": lambda m: regressor(m, loss="poisson").fit(X, NUMBERS).loss_curve_,
    "NaN never stops": lambda m: learned(regressor(m, loss="poisson", max_iter=20, n_iter_no_change=2).fit(X, NUMBERS - 10)),
    "weights below zero": lambda m: learned(regressor(m).fit(X, NUMBERS, sample_weight=np.where(X[:, 0] > 1, -0.1, 1))),
    "no weights but zero": lambda m: regressor(m).fit(X, NUMBERS, sample_weight=NOTHING),
    "no weights but zero, lbfgs": lambda m: regressor(m, solver="lbfgs").fit(X, NUMBERS, sample_weight=NOTHING),
    "a batch of weights zero": lambda m: classifier(m, shuffle=False).fit(X, y, sample_weight=HALF),
    "one weight": lambda m: learned(classifier(m).fit(X, y, sample_weight=2.0)),
    "too few weights": lambda m: classifier(m).fit(X, y, sample_weight=np.ones(5)),
    "sparse labels, CSR": lambda m: sparse_labels(m, "csr_matrix"),
    "sparse labels, COO array": lambda m: sparse_labels(m, "coo_array"),
    "a column of classes": lambda m: learned(classifier(m).fit(X, y[:, None])),
    "a column of numbers": lambda m: regressor(m).fit(X, NUMBERS[:, None]).predict(X),
    "partial_fit with a column of numbers": lambda m: learned(regressor(m).fit(X, NUMBERS).partial_fit(X, NUMBERS[:, None])),
    "one class": lambda m: classifier(m).fit(X, np.zeros(112)).predict(X),
    "classes as bytes": lambda m: classifier(m).fit(X, np.array([b"a", b"b", b"c"])[y]).predict(X),
    "classes as objects": lambda m: classifier(m).fit(X, np.array(["a", "b", "c"], object)[y]).predict(X).tolist(),
    "classes of two columns": lambda m: classifier(m).fit(X, np.stack([y, y], 1)),
    "classes that are no integers": lambda m: classifier(m).fit(X, y + 0.5),
    "a held-out part that is too small": lambda m: classifier(m, early_stopping=True).fit(X[:6], y[:6]),
    "not fitted": lambda m: classifier(m).predict(X),
    "columns in Fortran order": lambda m: learned(classifier(m).fit(np.asfortranarray(X), y)),
    "lists": lambda m: learned(classifier(m).fit(X.tolist(), y.tolist())),
    "complex X": lambda m: classifier(m).fit(X + 1j, y),
    "no y": lambda m: classifier(m).fit(X, None),
    "logits": logits,
    "log probabilities": lambda m: classifier(m).fit(X, y).predict_log_proba(X),
    "NaN that is not looked for": unchecked,
    "an activation that is set": lambda m: classifier(m).fit(X, y).set_params(activation="tanh").predict_proba(X),
    "max_fun": lambda m: classifier(m, solver="lbfgs", max_fun=3).fit(X, y).n_iter_,
    "what it prints": lambda m: repr(classifier(m, alpha=0.1)),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    assert_the_same(CASES[name])


@pytest.mark.parametrize("wrong", [
    {"alpha": -1}, {"solver": "x"}, {"batch_size": 0}, {"batch_size": "x"}, {"momentum": 2}, {"max_iter": 0}, {"beta_1": 1.0},
    {"hidden_layer_sizes": -1}, {"hidden_layer_sizes": (3, 0)}, {"hidden_layer_sizes": (3.5,)}, {"validation_fraction": 1.0},
    {"tol": -1}, {"n_iter_no_change": 0}, {"epsilon": 0}, {"learning_rate": "x"}, {"shuffle": 2}, {"random_state": "a"},
    {"learning_rate_init": 0}, {"power_t": -1}, {"max_fun": 0}, {"warm_start": None}, {"verbose": "x"}, {"early_stopping": None},
], ids=str)  # fmt: skip
def test_parameters_that_are_wrong(wrong):
    assert_the_same(lambda module: learned(classifier(module, **wrong).fit(X, y)))


@pytest.mark.parametrize("numbers", [
    {"alpha": False}, {"alpha": True}, {"momentum": False}, {"beta_1": False}, {"epsilon": True},
    {"learning_rate_init": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_numbers_that_are_said_by_true_and_false(solver, numbers):
    assert_the_same(lambda module: learned(classifier(module, solver=solver, **numbers).fit(X, y).partial_fit(X, y)))


CHANGED = {
    "hidden_layer_sizes": [0, -1, (5, 0), 7, (8,)], "activation": ["tanh", "logistic"], "solver": ["sgd", "adam", "lbfgs"],
    "alpha": [0.5], "learning_rate_init": [0.5, -1], "batch_size": ["auto", 5, 0, 1000], "random_state": [3, None, "a", -1],
    "shuffle": [False], "momentum": [0.5, 2], "nesterovs_momentum": [False], "learning_rate": ["adaptive"], "max_iter": [0, 1],
    "tol": [1.0, -1], "n_iter_no_change": [0], "beta_1": [2], "warm_start": [True], "early_stopping": [True],
}  # fmt: skip


@pytest.mark.parametrize("name, value", [(name, value) for name, values in CHANGED.items() for value in values])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_parameters_that_change_before_partial_fit(make, solver, name, value):
    """What is looked at only once, as the learning rate, goes on to be what it was; the rest is obeyed, or refused."""
    targets = y if make is classifier else NUMBERS

    def changed(module):
        model = make(module, solver=solver).fit(X, targets).partial_fit(X, targets)
        model.set_params(**{name: value, **({"shuffle": False} if value is None else {})})
        for rows in slice(40), slice(1), slice(20, 40):
            model.partial_fit(X[rows], targets[rows])
        return learned(model)

    assert_the_same(changed)


@pytest.mark.parametrize("wrong", [
    {"hidden_layer_sizes": "a"}, {"hidden_layer_sizes": None}, {"hidden_layer_sizes": 2.5}, {"batch_size": "x"},
    {"batch_size": 2.5}, {"max_iter": None}, {"tol": "a"}, {"n_iter_no_change": "a"},
], ids=str)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_where_their_partial_fit_ends_in_an_error_of_python_ours_says_what_fit_says(wrong):
    model = classifier(ours).fit(X, y).partial_fit(X, y).set_params(**wrong)
    (error, words), _ = told(lambda: classifier(ours, **wrong).fit(X, y))
    assert next(iter(wrong)) in words
    for rows in X, X.tolist():
        with pytest.raises(error, match="^" + re.escape(words) + "$"):
            model.partial_fit(rows, y)


@pytest.mark.parametrize("sizes", [(), (9, 9)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_numbers_of_layers_than_there_are(solver, sizes):
    """Where their training ends in an IndexError or an AttributeError."""
    model = regressor(ours, solver=solver).fit(X, NUMBERS).set_params(hidden_layer_sizes=sizes)
    for again in model.partial_fit, model.set_params(warm_start=True).fit:
        with pytest.raises(ValueError, match=rf"asks for {len(sizes)} hidden layers, but coefs_ has 1"):
            again(X, NUMBERS)
    assert len(model.set_params(warm_start=False).fit(X, NUMBERS).coefs_) == len(sizes) + 1
