"""fastmlp.sklearn beside scikit-learn's: `python -m benchmarks.sklearn_mlp [step | labels | fit | row | sparse | search]`.

Times are the least of several runs that alternate between the two, on as many threads as they take by themselves. A step's time is
that of a long fit less that of a short one, over the steps between.
"""

import sys
import time
import warnings
from functools import partial

import numpy as np
import scipy.sparse
from sklearn import datasets, neural_network
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from fastmlp import sklearn as ours

RUNS = 2
STEPS = [  # layer sizes, batch, dtypes
    ((20, 100, 2), 200),
    ((64, 100, 10), 200),
    ((784, 100, 10), 200),
    ((784, 512, 512, 10), 128),
]


PAUSE = 0.25  # seconds: idle threads of the other library's spin for about a tenth of a second


def seconds(work):
    time.sleep(PAUSE)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def alternating(*works, runs=RUNS):
    """The least time of each, taken in turn."""
    return np.min([[seconds(work) for work in works] for _ in range(runs)], axis=0)


def table(n_in, n_classes, rows, dtype):
    draws = np.random.default_rng(0)
    return draws.standard_normal((rows, n_in)).astype(dtype), draws.integers(0, n_classes, rows)


def classifier(module, sizes, batch_size, epochs, **parameters):
    """One that takes that many epochs."""
    return module.MLPClassifier(
        sizes[1:-1], batch_size=batch_size, max_iter=epochs, tol=0, n_iter_no_change=10**6, random_state=0, **parameters
    )


def step():
    """Microseconds of a step of Adam."""
    print(
        "step, us".ljust(28), "scikit-learn".rjust(12), "fastmlp".rjust(9), "times".rjust(6), "float32 for float64".rjust(20)
    )
    for sizes, batch in STEPS:
        rows, epochs = (1000, 21) if sizes[0] < 100 else (1024, 5)
        n = -(-rows // batch) * (epochs - 1)
        for dtype in ("float64", "float32"):
            X, y = table(sizes[0], sizes[-1], rows, dtype)
            kinds = [(neural_network, {}), (ours, {})] + [(ours, {"dtype": "float32"})] * (dtype == "float64")
            works = [partial(classifier(m, sizes, batch, e, **p).fit, X, y) for m, p in kinds for e in (1, epochs)]
            times = alternating(*works)
            each = (times[1::2] - times[::2]) / n * 1e6
            name = f"{'-'.join(map(str, sizes))}, batch {batch}, {dtype}"
            single = f"{each[2]:9.0f} ({each[0] / each[2]:.1f})" if dtype == "float64" else ""
            print(f"{name:38} {each[0]:6.0f} {each[1]:9.0f} {each[0] / each[1]:6.1f} {single:>16}")


def labels():
    """Microseconds of a step of Adam with ten labels at once: 64-100-10, batch 200."""
    X, y = table(64, 2, 1000, "float64")
    y = (X[:, :10] > 0).astype(int)
    works = [partial(classifier(m, (64, 100, 10), 200, e).fit, X, y) for m in (neural_network, ours) for e in (1, 21)]
    times = alternating(*works)
    theirs, mine = (times[1::2] - times[::2]) / 100 * 1e6
    print(f"{'step, us: 64-100-10, ten labels':38} {theirs:8.1f} {mine:8.1f} {theirs / mine:6.1f}")


def fit():
    """Milliseconds of whole fits with scikit-learn's defaults, and until the first epoch is over."""
    sets = {name: getattr(datasets, f"load_{name}")(return_X_y=True) for name in ("iris", "digits")}
    sets["1000 x 20"] = table(20, 2, 1000, "float64")
    for name, (X, y) in sets.items():
        X = StandardScaler().fit_transform(X)
        for what, parameters in (("", {}), (", one epoch", {"max_iter": 1}), (", early stopping", {"early_stopping": True}), (
            ", lbfgs", {"solver": "lbfgs"},
        )):  # fmt: skip
            works = [partial(m.MLPClassifier(random_state=0, **parameters).fit, X, y) for m in (neural_network, ours)]
            theirs, mine = alternating(*works) * 1e3
            print(f"{'fit, ms: ' + name + what:38} {theirs:8.1f} {mine:8.1f} {theirs / mine:6.1f}")


def for_each_row(call, *arrays):
    for i in range(len(arrays[0])):
        call(*(array[i : i + 1] for array in arrays))


def row():
    """Microseconds of a call with one row."""
    for sizes in ((20, 100, 2), (784, 100, 10)):
        X, y = table(sizes[0], sizes[-1], 200, "float64")
        models = [classifier(module, sizes, 200, 2).fit(X, y) for module in (neural_network, ours)]
        calls = {"predict_proba": (X,), "predict": (X,), "partial_fit": (X, y)}
        for name, arrays in calls.items():
            works = [partial(for_each_row, getattr(model, name), *arrays) for model in models]
            theirs, mine = alternating(*works, runs=7) / 200 * 1e6
            print(
                f"{'one row, us: ' + '-'.join(map(str, sizes)) + ' ' + name:38} {theirs:8.1f} {mine:8.1f} {theirs / mine:6.1f}"
            )


def sparse():
    """Milliseconds of a step with sparse X: 20,000 columns, 100 numbers a row, 100 hidden units."""
    draws = np.random.default_rng(0)
    X, y = scipy.sparse.random_array((800, 20_000), density=0.005, format="csr", rng=draws), draws.integers(0, 4, 800)
    works = [
        lambda m=m, e=e: classifier(m, (20_000, 100, 4), 200, e).fit(X, y) for m in (neural_network, ours) for e in (1, 4)
    ]
    times = alternating(*works)
    theirs, mine = (times[1::2] - times[::2]) / 12 * 1e3
    print(f"{'sparse step, ms: 20000-100-4':38} {theirs:8.1f} {mine:8.1f} {theirs / mine:6.1f}")


def search():
    """Seconds of a GridSearchCV over 24 settings, two processes."""
    X, y = datasets.load_digits(return_X_y=True)
    grid = {
        "alpha": [1e-5, 1e-4, 1e-3, 1e-2],
        "hidden_layer_sizes": [(50,), (100,), (50, 50)],
        "learning_rate_init": [1e-3, 3e-3],
    }
    works = [
        lambda m=m: GridSearchCV(m.MLPClassifier(max_iter=30, random_state=0), grid, cv=2, n_jobs=2).fit(X / 16, y)
        for m in (neural_network, ours)
    ]
    theirs, mine = alternating(*works, runs=1)
    print(f"{'GridSearchCV, 24 settings, s':38} {theirs:8.2f} {mine:8.2f} {theirs / mine:6.1f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parts = {part.__name__: part for part in (step, labels, fit, row, sparse, search)}
    for name in sys.argv[1:] or parts:
        parts[name]()
