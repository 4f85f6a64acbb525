"""scikit-learn's own tests of its multilayer perceptrons, with the import changed, and its checks of every estimator.

The tests come from the scikit-learn that is installed: its wheel has them.
"""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network
from sklearn.utils.estimator_checks import (
    check_classifier_data_not_an_array,
    check_sample_weights_not_an_array,
    parametrize_with_checks,
)

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("default")  # theirs warn at will

IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
THEIR_TESTS = Path(importlib.util.find_spec("sklearn.neural_network").origin).parent / "tests" / "test_mlp.py"
source = THEIR_TESTS.read_text()
assert source.count(IMPORT) == 1
exec(
    compile(source.replace(IMPORT, "from fastmlp.sklearn import MLPClassifier, MLPRegressor"), THEIR_TESTS, "exec"), globals()
)


@pytest.fixture
def global_random_seed():
    """Of scikit-learn's conftest, where a day's number is drawn."""
    return 42


def test_the_tests_are_of_these_classes():
    assert MLPClassifier.__module__ == MLPRegressor.__module__ == "fastmlp.sklearn.estimators"
    assert len([name for name in globals() if name.startswith("test_")]) > 30


def expected_failures(estimator):
    """Checks that scikit-learn's own class fails too."""
    theirs = getattr(neural_network, type(estimator).__name__)()
    from sklearn.utils._test_common.instance_generator import _get_expected_failed_checks

    return _get_expected_failed_checks(theirs)


@pytest.mark.parametrize("check", [check_classifier_data_not_an_array, check_sample_weights_not_an_array])
def test_checks_with_class_weight(check):
    check("MLPClassifier", MLPClassifier(max_iter=5, class_weight="balanced"))


@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)], expected_failed_checks=expected_failures)
def test_checks_of_every_estimator(estimator, check):
    check(estimator)
