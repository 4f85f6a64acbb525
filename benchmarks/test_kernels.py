"""Sums of products on one core, as a share of the peak of fused multiply-add measured in the same run."""

import time

import numpy as np
import pytest

from fastmlp import kernels

SHAPES = [(128, 784, 512), (128, 784, 16), (10, 784, 16), (784, 128, 512), (256, 2048, 2048)]


def peak_flops(module):
    """The most floating-point operations a second that one core does on registers: the best of several runs."""
    best = 0.0
    for _ in range(10):
        start = time.perf_counter()
        work = module.fma_peak_work(2_000_000)
        best = max(best, work / (time.perf_counter() - start))
    return best


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("isa", [isa for isa in kernels.available() if isa != "portable"])
def test_sum_of_products(benchmark, isa, dtype, shape):
    m, k, n = shape
    module = kernels.modules(isa)[np.dtype(dtype)]
    random = np.random.RandomState(0)
    a, b = random.randn(m, k).astype(dtype), random.randn(k, n).astype(dtype)
    seed, out = np.zeros(n, dtype), np.empty((m, n), dtype)
    peak = peak_flops(module)
    benchmark.group = f"{isa} {dtype}"
    benchmark(module.sum_of_products, a, b, seed, out)
    achieved = 2 * m * k * n / benchmark.stats.stats.median
    benchmark.extra_info.update(gflops=achieved / 1e9, peak_gflops=peak / 1e9, share_of_peak=achieved / peak)
    print(f"\n{isa} {dtype} {m}x{k}x{n}: {achieved / 1e9:.1f} of {peak / 1e9:.1f} GFLOP/s, {achieved / peak:.0%}")
