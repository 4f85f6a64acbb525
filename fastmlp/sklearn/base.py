"""What both estimators have in common: the hooks of scikit-learn's classes that compute, done by fastmlp.

Constraints, error texts, tags, routing and the checks of data are those of the scikit-learn that is installed. A hook of its loop
that a subclass overrides is obeyed: training then takes scikit-learn's own loop.
"""

import copy
import inspect
from collections.abc import Collection
from operator import attrgetter, is_
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import issparse
from sklearn import neural_network
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics import check_scoring
from sklearn.neural_network._base import DERIVATIVES, LOSS_FUNCTIONS
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import assert_all_finite
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import validation
from ..activations import ACTIVATIONS
from ..custom import CustomActivation
from ..network import MLP
from ..optimizers import Optimizer
from ..reference import Engine
from . import at_once, class_weights, held_out, lbfgs, losses
from .callbacks import Told
from .fitting import fit_stochastic, require_plain, samples_of
from .optimizers import OnFlatArrays
from .parameters import Parameters, common_dtype
from .sparse import is_worth_it

HIDDEN = {"logistic", *(row.name for row in ACTIVATIONS.values() if row.hidden)}
HOOKS_OF_THEIR_LOOP = "_backprop", "_forward_pass", "_compute_loss_grad"
FITTED = "_label_binarizer", "_optimizer", "_no_improvement_count", "_random_state", "_best_coefs", "_best_intercepts"
# Parameters that scikit-learn's partial_fit checks by itself, or takes where fit would not.
SEEN_BY_THEIRS = "hidden_layer_sizes", "batch_size", "max_iter", "n_iter_no_change", "tol"
NOT_KEPT = "_told", "_own_validation", "_checked_values"
OUTPUT_NAMES = {"logistic": "sigmoid"}
DEFAULTS = {"dropout": 0.0, "l1": 0.0, "optimizer": None, "gradient_clip": None, "average": None, "label_smoothing": 0.0}
THEIR_LOOP = "hooks of one's own, nor with these coefs_"
NOT_OF_LBFGS = "dropout", "optimizer", "gradient_clip", "average"  # it takes all rows at once, and steps of its own
TEAM_PAYS = 2e6  # multiply-adds of a step from which more threads are tried: shorter fits are over before that has paid
OF_ROWS = 1024  # of sparse inputs that are made dense at a time, in inference


class Estimator(CallbackSupportMixin):
    """What both estimators have in common, before scikit-learn's class in the order of bases."""

    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    validation_loss_curve_: list[float]
    _classifies: bool
    _checked_by_partial_fit: ClassVar[tuple[str, ...]]  # the parameters that scikit-learn's does not check
    _values_to_check: "ClassVar[attrgetter[tuple[Any, ...]]]"  # theirs, and those of SEEN_BY_THEIRS
    _checked_values: tuple[Any, ...] | None = None  # with which fit or partial_fit went through last
    _parameters: Parameters | None
    _own_validation: tuple[Any, Any, Any] | None = None  # of fit's arguments, while it runs
    _told: Told | None = None  # likewise

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._values_to_check = attrgetter(*SEEN_BY_THEIRS, *cls._checked_by_partial_fit)
        theirs = neural_network.MLPClassifier
        cls._follows_their_loop = any(getattr(cls, name) is not getattr(theirs, name) for name in HOOKS_OF_THEIR_LOOP)
        cls._computes_its_own_outputs = cls._forward_pass is not theirs._forward_pass or any(
            getattr(cls, name) is not getattr(Estimator, name) for name in ("_forward_pass_fast", "_predict")
        )
        cls._changes_training = cls._follows_their_loop or any(
            getattr(cls, name) is not getattr(Estimator, name) for name in ("_fit", "_fit_stochastic", "_validate_input")
        )

    def __sklearn_is_fitted__(self) -> bool:
        attributes = vars(self)
        return "coefs_" in attributes or any(name.endswith("_") and not name.startswith("__") for name in attributes)

    # What fit and partial_fit do.

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None, sample_weight_val: Any = None
    ) -> Self:  # fmt: skip
        """Fit to X (rows, features), dense or sparse, and y (rows,), or (rows, outputs); return the estimator.

        sample_weight: (rows,), by which rows count; None is 1. X_val, y_val, sample_weight_val: likewise, what early stopping looks
        at, in place of a part of X; validation_loss_curve_ is of them, with early stopping and without. Raises scikit-learn's
        errors of data, which begin with the name where it is of X_val, y_val or sample_weight_val, and ValueError for one of X_val
        and y_val alone, for either with solver="lbfgs", for classes in y_val that y does not have, and where weights end as NaN or
        infinity. Warns, ConvergenceWarning, at max_iter.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both, or neither")
        if sample_weight_val is not None and X_val is None:
            raise ValueError("sample_weight_val needs X_val and y_val")
        if X_val is not None and self.solver == "lbfgs":
            raise ValueError("X_val and y_val are for solver='sgd' and 'adam': lbfgs validates nothing")
        self._told = Told(self, X, y, sample_weight)
        self._own_validation = None if X_val is None else (X_val, y_val, sample_weight_val)
        try:
            self._fit(X, y, sample_weight=sample_weight)
            self._told.fit_ends()
        finally:
            del self._own_validation, self._told
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any = None, incremental: bool = False) -> Any:
        if self.solver == "lbfgs":
            self._require_defaults(NOT_OF_LBFGS, "solver='lbfgs'")
        values = self._values_to_check(self)
        if incremental and not self._are_checked(values):
            self._check_parameters()
        if getattr(self, "class_weight", None) is not None and y is not None:
            sample_weight = class_weights.of_rows(self, X, y, sample_weight, incremental)
        try:
            super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)
        except (KeyError, TypeError):  # so ends scikit-learn's partial_fit where a parameter is of a kind that fit refuses
            self._validate_params()
            raise
        self._checked_values = values
        return self

    def _fit_at_once(self, X: Any, y: Any, sample_weight: Any) -> bool:
        """What partial_fit does, if neither rows nor parameters have to be looked at; whether that is so."""
        is_weighted = sample_weight is not None or getattr(self, "class_weight", None) is not None
        if is_weighted or not self._are_checked(self._values_to_check(self)):
            return False
        targets = at_once.rows(self, X, y)
        if targets is None or self._engine_loss() is None:
            return False
        self._random_state = at_once.random_state_of(self)
        fit_stochastic(self, X, targets, None, incremental=True)
        return True

    def _are_checked(self, values: tuple[Any, ...]) -> bool:
        """Whether fit or partial_fit went through with these values of parameters."""
        checked = self._checked_values
        return checked is not None and all(map(is_, values, checked))

    def _check_parameters(self) -> None:
        """Raise fit's errors of what it checks and scikit-learn's partial_fit does not."""
        values = {name: getattr(self, name) for name in self._checked_by_partial_fit}
        validate_parameter_constraints(self._parameter_constraints, values, caller_name=type(self).__name__)
        if isinstance(self.optimizer, Optimizer):
            require_plain(self.optimizer)

    def _dtype_is_changed(self, parameters: Parameters) -> bool:
        return self.dtype is not None and parameters.flat.dtype != self.dtype

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        if incremental or self.warm_start or not self._classifies or getattr(y, "ndim", 0) != 1:
            X, y = super()._validate_input(X, y, incremental, reset)
        else:
            X, y = self._validate_with_new_classes(X, y, reset)
        if self._own_validation is not None:
            n_outputs = y.shape[1] if y.ndim == 2 else 1
            X_val, y_val, weights = held_out.checked(self, *self._own_validation, n_outputs)
            self._own_validation = self._in_dtype(X_val, "X_val"), y_val, weights
        return self._in_dtype(X, "X"), y

    def _in_dtype(self, X: Any, name: str) -> Any:
        """Checked inputs in the dtype that the estimator asks for; ValueError where they are too large for it."""
        if self.dtype is None or X.dtype == self.dtype:
            return X
        with np.errstate(over="ignore"):
            X = X.astype(self.dtype)
        assert_all_finite(X, input_name=name)
        return X

    def _validate_with_new_classes(self, X: Any, y: Any, reset: bool) -> tuple[Any, np.ndarray]:
        """As scikit-learn's for y (rows,), but that it is looked at once to find its classes, and not again to binarize it."""
        X, y = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=(np.float64, np.float32), reset=reset
        )
        self._label_binarizer = LabelBinarizer().fit(y)
        self.classes_ = self._label_binarizer.classes_
        found = np.searchsorted(self.classes_, y)[:, None]
        return X, found == np.arange(len(self.classes_)) if self._label_binarizer.y_type_ == "multiclass" else found.astype(
            bool
        )

    def _initialize(self, y: np.ndarray, layer_units: list[int], dtype: np.dtype) -> None:
        self.__dict__.pop("_dropout_seed", None)
        super()._initialize(y, layer_units, dtype)
        self.validation_loss_curve_ = []
        if common_dtype(self.coefs_, self.intercepts_) is not None:
            self._linked_parameters()

    def _fit_stochastic(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, activations: Any, deltas: Any,
                        coef_grads: Any, intercept_grads: Any, layer_units: list[int], incremental: bool) -> None:  # fmt: skip
        self._require_as_many_layers(layer_units)
        if self._takes_their_loop():
            self._require_what_their_loop_has()
            super()._fit_stochastic(
                X, y, sample_weight, activations, deltas, coef_grads, intercept_grads, layer_units, incremental
            )
        else:
            fit_stochastic(self, X, y, sample_weight, incremental)

    def _fit_lbfgs(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, activations: Any, deltas: Any,
                   coef_grads: Any, intercept_grads: Any, layer_units: list[int]) -> None:  # fmt: skip
        self._require_as_many_layers(layer_units)
        if self._takes_their_loop():
            self._require_what_their_loop_has()
        else:
            parameters = self._linked_parameters(np.dtype(np.float64))
            samples = samples_of(self, X, y, sample_weight, parameters.flat.dtype)
            X, y = samples.x, samples.y
        # BLAS's threads would go on spinning between SciPy's short calls, on the processors that the engine's threads need.
        with _get_threadpool_controller().limit(limits=1, user_api="blas"):
            super()._fit_lbfgs(X, y, sample_weight, activations, deltas, coef_grads, intercept_grads, layer_units)

    def _require_as_many_layers(self, layer_units: list[int]) -> None:
        """Raise ValueError where hidden_layer_sizes were set since: other sizes are not looked at, as in scikit-learn's."""
        asked, there = len(layer_units) - 2, len(self.coefs_) - 1
        if asked != there:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} asks for {asked} hidden layers, but coefs_ has {there}, which "
                "partial_fit and warm_start go on with: only fit without warm_start changes them"
            )

    def _unpack(self, packed_parameters: np.ndarray) -> None:
        parameters = self._parameters_of_views()
        if parameters is None or packed_parameters.dtype != parameters.flat.dtype:
            super()._unpack(packed_parameters)
        else:
            lbfgs.unpack(packed_parameters, parameters)

    def _loss_grad_lbfgs(self, packed_coef_inter: np.ndarray, X: Any, y: np.ndarray, sample_weight: np.ndarray | None,
                         activations: Any, deltas: Any, coef_grads: Any,
                         intercept_grads: Any) -> tuple[float, np.ndarray]:  # fmt: skip
        self._unpack(packed_coef_inter)
        if self._takes_their_loop():
            theirs: tuple[float, np.ndarray] = super()._loss_grad_lbfgs(
                packed_coef_inter, X, y, sample_weight, activations, deltas, coef_grads, intercept_grads
            )
            return theirs
        loss, gradient = lbfgs.loss_and_gradient(self, X, y, sample_weight)
        return loss, lbfgs.packed(gradient)

    # The flat array and its engines.

    def _takes_their_loop(self) -> bool:
        """Whether training takes scikit-learn's loop."""
        theirs = (
            self._follows_their_loop or common_dtype(self.coefs_, self.intercepts_) is None or self._engine_loss() is None
        )
        return bool(theirs or self.coefs_[0].shape[0] != self.n_features_in_ or self.coefs_[-1].shape[1] != self.n_outputs_)

    def _require_what_their_loop_has(self) -> None:
        """Raise ValueError if more is asked for."""
        self._require_defaults(DEFAULTS, THEIR_LOOP)
        beyond = {
            "activation": str(self.activation) not in DERIVATIVES,
            "loss": str(getattr(self, "loss", "squared_error")) not in LOSS_FUNCTIONS,
            "scoring": self.scoring == "loss",
            "X_val": self._own_validation is not None,
        }
        for name, is_beyond in beyond.items():
            if is_beyond:
                raise ValueError(f"this {name} does not go with {THEIR_LOOP}")

    def _require_defaults(self, names: Collection[str], other: str) -> None:
        """Raise ValueError if one of these parameters is not its default, which does not go with the other thing."""
        for name in names:
            value = getattr(self, name, DEFAULTS[name])
            if value != DEFAULTS[name]:
                raise ValueError(f"{name}={value!r} does not go with {other}")

    def _linked_parameters(self, dtype: np.dtype | None = None) -> Parameters:
        """The Parameters that coefs_ and intercepts_ are views of, writable and in dtype, their own unless given."""
        parameters = self._parameters_of_views()
        if parameters is None or not parameters.flat.flags.writeable or dtype not in (None, parameters.flat.dtype):
            dtype = dtype or common_dtype(self.coefs_, self.intercepts_) or np.dtype(np.float64)
            self._parameters = parameters = Parameters.of(self.coefs_, self.intercepts_, dtype)
            self.coefs_, self.intercepts_ = list(parameters.coefs), list(parameters.intercepts)
        return parameters

    def _parameters_of_views(self) -> Parameters | None:
        """The Parameters, if coefs_ and intercepts_ still are their views."""
        parameters = vars(self).get("_parameters")
        return parameters if parameters is not None and parameters.are(self.coefs_, self.intercepts_) else None

    def _engine_of(self, parameters: Parameters, loss: Any = None, macs_of_step: float = np.inf,
                   is_sparse: bool = False, activations: tuple[Any, ...] | None = None) -> Engine:  # fmt: skip
        """The Engine over parameters, to train with loss; None is for outputs alone."""
        loss = "squared_error" if loss is None else validation.network_loss(loss, parameters.flat.dtype)
        n_threads = 1 if self.n_threads is None and macs_of_step < TEAM_PAYS else self.n_threads
        activations = activations or self._engine_activations(len(parameters.sizes) - 2)
        return parameters.engine(activations, loss, n_threads, is_sparse)

    def _engine_of_sums(self, parameters: Parameters, macs_of_step: float, is_sparse: bool) -> Engine:
        """The Engine whose outputs are the sums before their activation."""
        activations = *self._engine_activations(len(parameters.sizes) - 2)[:-1], "identity"
        return self._engine_of(parameters, None, macs_of_step, is_sparse, activations)

    def _engine_activations(self, n_hidden: int) -> tuple[Any, ...]:
        """The engine's activations, one a layer."""
        of_layers = self.activation
        if isinstance(of_layers, (list, tuple)):
            if len(of_layers) != n_hidden:
                raise ValueError(f"activation must be one, or one for each of {n_hidden} hidden layers, got {of_layers!r}")
            for name in of_layers:
                if not isinstance(name, CustomActivation) and name not in HIDDEN:
                    raise ValueError(f"activation must be of {sorted(HIDDEN)}, got {name!r}")
            hidden = tuple(OUTPUT_NAMES.get(name, name) for name in of_layers)
        else:
            hidden = (OUTPUT_NAMES.get(of_layers, of_layers),) * n_hidden
        return *hidden, OUTPUT_NAMES.get(self.out_activation_, self.out_activation_)

    def _engine_loss(self) -> Any:
        """The engine's loss; None where outputs that the user has changed do not go with it."""
        if self._classifies:
            return losses.NAMES[self.out_activation_] if self.out_activation_ in ("softmax", "logistic") else None
        expected = "exp" if self.loss == "poisson" else "identity"
        return self.loss if self.out_activation_ == expected else None

    # What predict, predict_proba and scores do.

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> np.ndarray:
        if check_input:
            outputs = at_once.outputs(self, X)
            if outputs is not None:
                return outputs
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        X = self._in_dtype(X, "X")
        parameters = self._parameters_for(X)
        if parameters is None:
            theirs: np.ndarray = super()._forward_pass_fast(X, check_input=False)
            return theirs
        engine, dtype = self._engine_of(parameters), parameters.flat.dtype
        if not issparse(X):
            return engine.forward(np.ascontiguousarray(X, dtype))
        X = X.tocsr().astype(dtype, copy=False)
        if is_worth_it(X):
            return self._engine_of(parameters, is_sparse=True).forward(X)
        blocks = [X[start : start + OF_ROWS].toarray() for start in range(0, X.shape[0], OF_ROWS)]
        return np.concatenate([engine.forward(np.ascontiguousarray(block)) for block in blocks])

    def _parameters_for(self, X: Any) -> Parameters | None:
        """The Parameters to compute the outputs for checked X with; None where scikit-learn's own way is to be taken."""
        own = common_dtype(self.coefs_, self.intercepts_)
        if own is None or self._computes_its_own_outputs or X.shape[1] != self.coefs_[0].shape[0]:
            return None
        dtype = np.result_type(X.dtype, own)
        if dtype not in (np.float32, np.float64):
            return None
        linked = self._parameters_of_views()
        if linked is not None and linked.flat.dtype == dtype:
            return linked
        return Parameters.of(self.coefs_, self.intercepts_, dtype)

    def predict(self, X: Any) -> np.ndarray:
        """The classes (rows,), labels, 0 or 1 (rows, labels), or numbers (rows,), or (rows, outputs), for X (rows, n_features_in_).

        Of several classes it is that of the largest output, of two, and of labels, what has a probability above 1/2. Raises
        NotFittedError before fit, and ValueError for other columns and for what is not finite.
        """
        outputs = at_once.outputs(self, X)
        return super().predict(X) if outputs is None else self._answers(outputs)

    def _predict(self, X: Any, check_input: bool = True) -> np.ndarray:
        return self._answers(self._forward_pass_fast(X, check_input=check_input))

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        if not self._classifies:
            return outputs.ravel() if outputs.shape[1] == 1 else outputs
        answers = at_once.classes(self, outputs)
        if answers is not None:
            return answers
        labels: np.ndarray = self._label_binarizer.inverse_transform(outputs.ravel() if self.n_outputs_ == 1 else outputs)
        return labels

    def _score(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        if self.scoring is None and self._classifies and y.ndim == 1:
            return float(np.average(self._predict(X, check_input=False) == y, weights=sample_weight))
        if self.scoring is None:
            score: float = super()._score(X, y, sample_weight=sample_weight)
            return score
        if self.scoring == "loss":
            return -self.validation_loss_curve_[-1]
        unnamed = object.__new__(type(self))  # X has lost its names, which is no reason for a warning
        unnamed.__dict__.update((name, value) for name, value in vars(self).items() if name != "feature_names_in_")
        scorer = check_scoring(unnamed, self.scoring)
        weights = {}
        if sample_weight is not None:
            takes = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
            weights = {"sample_weight": sample_weight} if "sample_weight" in takes else {}
        try:
            return float(scorer(unnamed, X, y, **weights))
        except ValueError:
            if np.isfinite(self._forward_pass_fast(X, check_input=False)).all():
                raise
            return np.nan  # as scikit-learn's score of such outputs

    def activations(self, X: Any) -> list[np.ndarray]:
        """The activations of every layer for X (rows, n_features_in_): a list of arrays (rows, units), the inputs first, the
        outputs last, of two classes the probability of the second.

        Dropout is not at work. In the dtype that X and coefs_ have in common. Raises NotFittedError before fit, and ValueError for
        other columns and for what is not finite.
        """
        check_is_fitted(self)
        X = self._in_dtype(validate_data(self, X, accept_sparse=["csr", "csc"], reset=False), "X")
        dtype = np.result_type(X.dtype, self.coefs_[0].dtype, np.float32)
        engine = self._engine_of(Parameters.of(self.coefs_, self.intercepts_, dtype))
        return engine.activations(np.ascontiguousarray(X.toarray() if issparse(X) else X, dtype))

    def to_network(self) -> MLP:
        """A fastmlp.MLP with a copy of these weights, whose forward gives the bits of predict_proba's, or predict's, outputs.

        Of two classes it has one output, the probability of the second; its classes are places in classes_. fastmlp's doors, such
        as to_onnx and save, are its methods. Raises NotFittedError before fit.
        """
        check_is_fitted(self)
        dtype = np.dtype(common_dtype(self.coefs_, self.intercepts_) or np.float64)
        parameters = Parameters.of(self.coefs_, self.intercepts_, dtype)
        *hidden, output = self._engine_activations(len(parameters.sizes) - 2)
        net = MLP(
            parameters.sizes, hidden or "relu", output, self._engine_loss() or "squared_error", dtype.name, seed=0,
            n_threads=self.n_threads,
        )  # fmt: skip
        net.parameters[...] = parameters.flat
        return net

    def to_sklearn(self) -> Any:
        """scikit-learn's own estimator with this one's parameters and attributes, for what looks for its exact class, such as
        skl2onnx, also as a step: pipeline.set_params(mlpclassifier=pipeline[-1].to_sklearn()).

        Its weights and its optimizer's state are copies; in place of an optimizer of fastmlp's, its partial_fit begins
        with its solver's. Raises ValueError for what its class does not have, activations and losses of fastmlp's, and
        NotFittedError before fit.
        """
        check_is_fitted(self)
        (theirs,) = (kind for kind in (neural_network.MLPClassifier, neural_network.MLPRegressor) if isinstance(self, kind))
        model = theirs(**{name: getattr(self, name) for name in theirs().get_params()})
        model._validate_params()
        attributes = {
            name: copy.deepcopy(value) for name, value in vars(self).items() if name.endswith("_") or name in FITTED
        }
        optimizer = attributes.pop("_optimizer", None)
        if isinstance(optimizer, OnFlatArrays):
            optimizer = optimizer.to_sklearn()
        if optimizer is not None:
            attributes["_optimizer"] = optimizer
        vars(model).update(
            attributes, coefs_=[c.copy() for c in self.coefs_], intercepts_=[i.copy() for i in self.intercepts_]
        )
        return model

    # Copies of estimators: of the flat array, into which the lists point again.

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in super().__getstate__().items() if name not in NOT_KEPT}
        state.pop("_parameters", None)
        parameters = self._parameters_of_views()
        if parameters is not None:
            state["_flat"], state["_sizes"] = parameters.flat, parameters.sizes
            del state["coefs_"], state["intercepts_"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        flat, sizes = state.pop("_flat", None), state.pop("_sizes", None)
        super().__setstate__(state)
        if flat is not None:
            self._parameters = parameters = Parameters(flat, sizes)
            if flat.flags.writeable:  # what joblib maps from a file stays there
                self._parameters = parameters = Parameters.of(parameters.coefs, parameters.intercepts, flat.dtype)
            self.coefs_, self.intercepts_ = list(parameters.coefs), list(parameters.intercepts)
        elif "coefs_" in state and common_dtype(self.coefs_, self.intercepts_) is not None:
            self._linked_parameters()
