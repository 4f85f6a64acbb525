"""Epochs of the 784-16-16-10 network at batch 10: fastmlp's fit beside hand-written NumPy, in one run.

`python -m benchmarks.test_training` alternates the two and prints their medians and the ratio.
"""

import time

import numpy as np
import pytest

import fastmlp
from benchmarks.numpy_network import NumpyNetwork

ROWS, BATCH, RATE, EPOCHS = 6400, 10, 3.0, 5  # fit checks its data once for all of its epochs


def contenders():
    """(name, function that trains EPOCHS epochs) of each contender, on the same data and initial weights."""
    random = np.random.RandomState(0)
    x = random.random_sample((ROWS, 784)).astype(np.float32)
    labels = random.randint(0, 10, ROWS)
    y = np.eye(10, dtype=np.float32)[labels]
    net = fastmlp.MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0)
    by_hand = NumpyNetwork(net.weights, net.biases)

    def fastmlp_fit():
        net.fit(x, labels, epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE, verbose=0)

    def numpy_fit():
        for _ in range(EPOCHS):
            by_hand.epoch(x, y, random.permutation(ROWS), BATCH, RATE)

    return {"fastmlp": fastmlp_fit, "numpy": numpy_fit}


@pytest.mark.parametrize("name", ["fastmlp", "numpy"])
def test_fit(benchmark, name):
    benchmark.group = f"{EPOCHS} epochs of 784-16-16-10, batch 10"
    benchmark(contenders()[name])


def main(rounds=15):
    times = {name: [] for name in contenders()}
    functions = contenders()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append((time.perf_counter() - start) / (EPOCHS * ROWS / BATCH) * 1e6)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:8} {median:8.2f} us a step (median of {rounds} fits)")
    ratios = np.array(times["numpy"]) / np.array(times["fastmlp"])
    print(f"fastmlp is {np.median(ratios):.1f} times as fast (pair by pair: {ratios.min():.1f} to {ratios.max():.1f})")


if __name__ == "__main__":
    main()
