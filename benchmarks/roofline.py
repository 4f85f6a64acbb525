"""The share of the measured peak that each kernel reaches: `python -m benchmarks.roofline`.

The peak is that of fused multiply-adds on registers, measured on the same core in the same run. Rows: the forward product,
the input gradient and the weight gradient with its update, by shape, element type and instruction set.
"""

import time

import numpy as np

from benchmarks.test_kernels import peak_flops
from fastmlp import kernels

SHAPES = [  # rows, n_in, n_out
    (1, 784, 16), (1, 784, 128), (10, 784, 16), (32, 784, 128), (128, 784, 16), (128, 784, 512), (128, 512, 512),
    (256, 2048, 2048),
]  # fmt: skip


def seconds_of(call, least=0.05):
    """The median time of a call, over rounds of enough calls to be timed."""
    call()
    began = time.perf_counter()
    call()
    calls = max(1, int(least / 5 / max(time.perf_counter() - began, 1e-7)))
    rounds = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(calls):
            call()
        rounds.append((time.perf_counter() - began) / calls)
    return float(np.median(rounds))


def kernels_of(module, rows, n_in, n_out):
    """{name: a call}, each of 2 rows n_in n_out operations."""
    random, dtype = np.random.RandomState(0), module.dtype
    x, w = (random.random_sample(size).astype(dtype) - dtype.type(0.5) for size in ((rows, n_in), (n_in, n_out)))
    g, bias = random.random_sample((rows, n_out)).astype(dtype), np.zeros(n_out, dtype)
    z, grad_x = np.empty((rows, n_out), dtype), np.empty((rows, n_in), dtype)
    return {
        "forward": lambda: module.sum_of_products(x, w, bias, z),
        "input gradient": lambda: module.sum_of_products(g, w.T, 0, grad_x),
        "weight gradient and update": lambda: module.dense_update(x, w, bias, g, 1e-9),
    }


def main():
    print("| instruction set, type, rows x n_in x n_out | forward | input gradient | weight gradient and update |")
    print("|---|---|---|---|")
    for isa in kernels.available():
        for dtype, module in kernels.modules(isa).items():
            if (isa, dtype.name) == ("portable", "float64"):
                continue  # fma in software, one by one: minutes
            peak = peak_flops(module)
            for shape in SHAPES if isa != "portable" else SHAPES[:5]:
                flops = 2 * np.prod(shape)
                shares = [flops / seconds_of(call) / peak for call in kernels_of(module, *shape).values()]
                cells = " | ".join(f"{share:.0%}" for share in shares)
                print(f"| {isa} {dtype.name} {'x'.join(map(str, shape))} (peak {peak / 1e9:.0f}) | {cells} |", flush=True)


if __name__ == "__main__":
    main()
