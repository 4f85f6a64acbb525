"""How far apart the outputs of one network may be in two libraries that sum in any order: a bound, derived, not measured; and how
far apart arrays are.

A sum of n products and a bias, in whatever order, fused or not, is off by at most g (|x| |W| + |b|) with g = m u / (1 - m u), of
m = n + 2 roundings (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3). An activation multiplies what comes in by
at most its steepest slope, and adds a few roundings; softmax turns an error e of its inputs into a factor of at most exp(2 e).
"""

import numpy as np

import fastmlp.functional as F

SLOPES = {"selu": 1.76, "gelu": 1.13, "gelu_tanh": 1.13, "silu": 1.1}
OWN = 8  # roundings of an activation, of 1 + |z|: no library's exp, tanh or erf is off by more


def bound(net, x):
    """The most by which outputs for rows of float64 or exact x may differ, elementwise, between two libraries."""
    u = np.finfo(net.dtype).eps / 2
    a = x.astype(np.float64) / net.input_scale
    e = u * np.abs(a)
    for w, b, name in zip(net.weights, net.biases, net.layer_activations):
        w, b = w.astype(np.float64), b.astype(np.float64)
        m = (len(w) + 2) * u
        e = e @ np.abs(w) + m / (1 - m) * ((np.abs(a) + e) @ np.abs(w) + np.abs(b))
        z = a @ w + b
        if name == "softmax":
            a = np.exp(z - z.max(axis=1, keepdims=True))
            a /= a.sum(axis=1, keepdims=True)
            e = a * np.expm1(2 * e.max(axis=1, keepdims=True) + (OWN + 2 * z.shape[1]) * u)
        elif name == "exp":
            a, e = np.exp(z), np.exp(z) * np.expm1(e + OWN * u)
        else:
            a, e = F.activate(name, z), SLOPES.get(name, 1) * e + OWN * u * (1 + np.abs(z))
    return 2 * e + np.finfo(net.dtype).smallest_subnormal  # half of which is what rounding errs by where numbers end


def assert_close(net, x, outputs):
    """Another library's outputs for x are within the bound of the network's."""
    ours, limit = net.forward(x).astype(np.float64), bound(net, x)
    far = np.abs(ours - np.asarray(outputs, np.float64).reshape(ours.shape)) > limit
    assert not far.any(), (ours[far], np.asarray(outputs)[far], limit[far])
    assert limit.max() < 1e6 * np.finfo(net.dtype).eps * (1 + np.abs(ours).max())  # so that it says something


def units_apart(a, b):
    """How far arrays are from each other, in units of the last place of the largest number of each."""
    return max(np.abs(x - y).max() / (np.finfo(x.dtype).eps * np.abs(x).max()) for x, y in zip(a, b))
