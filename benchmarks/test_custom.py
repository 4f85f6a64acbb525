"""A relu of the user's own beside the built-in one, and mish, inside fit, in one run.

`python -m benchmarks.test_custom` lets them take turns and prints their medians and ratios.
"""

import time

import numpy as np
import pytest

import fastmlp
import fastmlp.math as fm
from benchmarks.works import SMALL, WIDE, Work

WORKS = {"wide": Work("epoch", WIDE, "relu", "cross_entropy", 128, 1280),
         "small": Work("epoch", SMALL, "relu", "cross_entropy", 10)}  # fmt: skip


@fastmlp.activation
def own_relu(z):
    return 0 if z <= 0 else z


@own_relu.derivative
def own_relu_derivative(z):
    return 1 if z > 0 else 0


@fastmlp.activation
def mish(z):
    return z * fm.tanh(fm.log1p(fm.exp(z)))


@mish.derivative
def mish_derivative(z):
    t = fm.tanh(fm.log1p(fm.exp(z)))
    return t + z * (1 - t * t) * fm.sigmoid(z)


ACTIVATIONS = {"relu": "relu", "own relu": own_relu, "mish": mish}


def fit(work, activation, **options):
    """A function that trains one epoch."""
    net = fastmlp.MLP(work.sizes, activation, loss=work.loss, seed=0, **options)
    x, labels, _ = work.data()
    return lambda: net.fit(x, labels, 1, work.batch, work.learning_rate, verbose=0)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("work", WORKS)
def test_fit(benchmark, work, name):
    benchmark.group = str(WORKS[work])
    benchmark(fit(WORKS[work], ACTIVATIONS[name]))


def main(rounds=41):
    for work in WORKS.values():
        for n_threads in (1, 2):
            functions = {name: fit(work, activation, n_threads=n_threads) for name, activation in ACTIVATIONS.items()}
            times = {name: [] for name in functions}
            for _ in range(rounds):
                for name, function in functions.items():
                    start = time.perf_counter()
                    function()
                    times[name].append((time.perf_counter() - start) / (work.rows / work.batch) * 1e6)
            for name, values in times.items():
                ratio = np.median(np.array(values) / np.array(times["relu"]))
                print(f"{work}, {n_threads} threads  {name:8} {np.median(values):9.1f} us a step, {ratio:.2f} of relu")


if __name__ == "__main__":
    main()
