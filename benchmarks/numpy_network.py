"""The 784-16-16-10 network as people write it in NumPy: the contender that fastmlp replaces."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class NumpyNetwork:
    """Dense sigmoid layers, squared error, gradient descent on batches; weights are (n_in, n_out)."""

    def __init__(self, weights, biases):
        self.weights = [w.copy() for w in weights]
        self.biases = [b.copy() for b in biases]

    def step(self, x, y, learning_rate):
        activations = [x]
        for w, b in zip(self.weights, self.biases):
            activations.append(sigmoid(activations[-1] @ w + b))
        a = activations[-1]
        delta = (a - y) / len(x) * a * (1 - a)
        for i in reversed(range(len(self.weights))):
            grad_w, grad_b = activations[i].T @ delta, delta.sum(axis=0)
            if i > 0:
                a = activations[i]
                delta = (delta @ self.weights[i].T) * a * (1 - a)
            self.weights[i] -= learning_rate * grad_w
            self.biases[i] -= learning_rate * grad_b

    def epoch(self, x, y, order, batch_size, learning_rate):
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            self.step(x[rows], y[rows], learning_rate)
