"""fastmlp.sklearn's test scores beside scikit-learn's: whole fits with all defaults, on small data sets, of five seeds."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import sklearn as ours

SEEDS = range(5)


def california(rows=1500, seed=0):
    """Data as those of California's housing are: eight skewed columns, and a price that is capped.

    Incomes, rooms, people and households' sizes are lognormal, some of them far out, ages end at 52, and places lie about a few
    cities. What a house costs grows with income and falls with crowding, with the distance from its city and with that from the
    coast; noise multiplies it, and a price above 5 is written as 5.
    """
    draws = np.random.default_rng(seed)
    income = draws.lognormal(1.25, 0.45, rows)
    age = np.minimum(draws.gamma(4.5, 6.5, rows), 52).round()
    rooms = draws.lognormal(1.65, 0.25, rows) * np.where(draws.random(rows) < 0.01, 6, 1)
    bedrooms = rooms * draws.normal(0.2, 0.02, rows)
    population = draws.lognormal(7.0, 0.75, rows)
    occupancy = draws.lognormal(1.05, 0.22, rows) * np.where(draws.random(rows) < 0.005, 20, 1)
    cities = np.array([[34.05, -118.25], [37.75, -122.3], [32.75, -117.1], [38.55, -121.45], [36.75, -119.75]])
    city = draws.choice(5, rows, p=[0.45, 0.25, 0.1, 0.1, 0.1])
    place = cities[city] + draws.standard_t(3, (rows, 2)) * [0.25, 0.3]
    inland = np.maximum(0, place[:, 1] + 122.5 - 0.9 * (37.75 - place[:, 0]))
    far = np.hypot(*(place - cities[city]).T)
    price = 0.55 * income * np.exp(0.004 * age - 0.25 * np.log(occupancy) - 0.3 * far - 0.25 * inland) + 0.2 * (bedrooms < 1)
    price = np.minimum(price * draws.lognormal(0.4, 0.25, rows), 5.0)
    return np.column_stack([income, age, rooms, bedrooms, population, occupancy, place]), price


SETS = {
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "friedman1": lambda: datasets.make_friedman1(1500, 8, noise=0.5, random_state=0),
    "california": california,
}


def test_what_california_is_like():
    X, y = california()
    skewness = ((X - X.mean(axis=0)) ** 3).mean(axis=0) / X.std(axis=0) ** 3
    assert X.shape == (1500, 8) and (skewness[[0, 2, 3, 4, 5]] > 1).all()
    assert y.max() == 5 and 0.02 < (y == 5).mean() < 0.1 and y.min() > 0


@pytest.mark.parametrize("name", SETS)
def test_scores(name):
    """Over five seeds, which split, draw weights and shuffle, the mean of the differences between our test scores and theirs is
    at most the standard error of the mean of theirs: one row of wine that falls the other way in one seed is within it."""
    X, y = SETS[name]()
    numbers = y.dtype.kind == "f"
    kind = "MLPRegressor" if numbers else "MLPClassifier"
    y = (y - y.mean()) / y.std() if numbers else y
    found = []
    for seed in SEEDS:
        train, test, of_train, of_test = train_test_split(X, y, random_state=seed, stratify=None if numbers else y)
        for module in neural_network, ours:
            model = make_pipeline(StandardScaler(), getattr(module, kind)(random_state=seed))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                found.append(model.fit(train, of_train).score(test, of_test))
    theirs, mine = np.reshape(found, (-1, 2)).T
    error = theirs.std(ddof=1) / np.sqrt(len(SEEDS))
    assert theirs.mean() > 0.3 and error > 0
    assert abs((mine - theirs).mean()) <= error
