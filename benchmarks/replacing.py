"""A NumPy network whose functions are replaced by fastmlp.functional's one by one, and the time of a step after each:
`python -m benchmarks.replacing [--rounds N]` prints the README's table.

On one thread each: NumPy's threads and fastmlp's, taking turns in one process, would wait for each other. All stages take
turns, and medians are compared.
"""

import argparse
import os
import time
from types import SimpleNamespace

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402 (its threads are set before)

import fastmlp  # noqa: E402
from fastmlp import functional  # noqa: E402

NETWORKS = {(784, 128, 10): 32, (784, 512, 512, 10): 128}  # sizes: batch
LEARNING_RATE = 0.1


class ByHand:
    """What the step below calls, in NumPy."""

    def dense_forward(x, weights, bias, activation):
        z = x @ weights + bias
        if activation == "relu":
            return np.maximum(z, 0)
        powers = np.exp(z - z.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def output_gradient(loss, activation, a, y):
        return (a - y) / len(a)

    def dense_backward(x, weights, grad_z, input_gradient):
        return x.T @ grad_z, grad_z.sum(axis=0), grad_z @ weights.T if input_gradient else None

    def activation_gradient(activation, a, grad_a):
        return grad_a * (a > 0)

    def sgd_update(parameters, gradients, learning_rate):
        parameters -= learning_rate * gradients


def step(F, weights, biases, x, y):
    """One step of gradient descent on the rows of x with one-hot targets y; returns the outputs before it."""
    activations, last = [x], len(weights) - 1
    for i, (w, b) in enumerate(zip(weights, biases)):
        activations.append(F.dense_forward(activations[-1], w, b, "softmax" if i == last else "relu"))
    grad_z = F.output_gradient("cross_entropy", "softmax", activations[-1], y)
    gradients = []
    for i in reversed(range(len(weights))):
        grad_w, grad_b, grad_a = F.dense_backward(activations[i], weights[i], grad_z, i > 0)
        gradients += [(weights[i], grad_w), (biases[i], grad_b)]
        if i > 0:
            grad_z = F.activation_gradient("relu", activations[i], grad_a)
    for parameters, gradient in gradients:
        F.sgd_update(parameters, gradient, LEARNING_RATE)
    return activations[-1]


REPLACED = ("dense_forward", "dense_backward", "activation_gradient", "output_gradient", "sgd_update")


def stages():
    """{what was replaced last: the functions then}, "NumPy" first."""
    functions = {name: getattr(ByHand, name) for name in REPLACED}
    found = {"NumPy": SimpleNamespace(**functions)}
    for name in REPLACED:
        functions[name] = getattr(functional, name)
        found[name] = SimpleNamespace(**functions)
    return found


class Training:
    """A network at one stage, and batches to take in turn."""

    def __init__(self, sizes, batch, functions=None, batches=20):
        self.net = fastmlp.MLP(sizes, activation="relu", loss="cross_entropy", seed=0, n_threads=1)
        random = np.random.RandomState(0)
        self.x = random.random_sample((batches, batch, sizes[0])).astype(np.float32)
        self.labels = random.randint(0, sizes[-1], (batches, batch))
        self.y = np.eye(sizes[-1], dtype=np.float32)[self.labels]
        self.weights, self.biases = ([array.copy() for array in arrays] for arrays in (self.net.weights, self.net.biases))
        self.functions, self.next = functions, 0

    def step(self):
        i = self.next = (self.next + 1) % len(self.x)
        if self.functions is None:
            self.net.train_step(self.x[i], self.labels[i], LEARNING_RATE)
        else:
            step(self.functions, self.weights, self.biases, self.x[i], self.y[i])


def time_of(training, seconds=0.05):
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        training.step()
        times.append(time.perf_counter() - began)
    return np.median(times) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    names = [*stages(), "MLP.train_step"]
    columns = []
    for sizes, batch in NETWORKS.items():
        trainings = [Training(sizes, batch, functions) for functions in (*stages().values(), None)]
        columns.append(np.median([[time_of(training) for training in trainings] for _ in range(rounds)], axis=0))
    titles = [f"{'-'.join(map(str, sizes))} relu, {batch}" for sizes, batch in NETWORKS.items()]
    print(f"| replaced, with all above it | {' | '.join(titles)} |", "|---|" + "---|" * len(titles), sep="\n")
    for name, times in zip(names, zip(*columns)):
        label = name if name in ("NumPy", "MLP.train_step") else f"`{name}`"
        print(f"| {label} | {' | '.join(f'{t:.0f}' for t in times)} |")


if __name__ == "__main__":
    main()
