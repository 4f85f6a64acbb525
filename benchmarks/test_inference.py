"""Calls of forward from Python, by batch size: `pytest benchmarks/test_inference.py`."""

import pytest

from benchmarks.works import MIDDLE, SMALL, WIDE, Work


@pytest.mark.parametrize("rows", [1, 2, 10, 100, 10_000])
@pytest.mark.parametrize("sizes", [SMALL, MIDDLE, WIDE], ids=lambda sizes: "-".join(map(str, sizes)))
def test_forward(benchmark, sizes, rows):
    work = Work("infer", sizes, "relu", "cross_entropy", rows, rows)
    benchmark.group = f"forward, {rows} rows"
    benchmark(work.network().forward, work.data()[0])
