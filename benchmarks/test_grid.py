"""Steps of training over widths and batch sizes, as grid.py has them: `pytest benchmarks/test_grid.py` (12 of 432 points).

`python -m benchmarks.grid` takes all of them and says where one breaks a rule.
"""

import pytest

from benchmarks.grid import Point


@pytest.mark.parametrize("batch", [1, 10, 128, 512])
@pytest.mark.parametrize("width", [1, 16, 512])
@pytest.mark.parametrize("way", ["one thread", "two threads", "NumPy"])
def test_step(benchmark, way, width, batch):
    benchmark.group = f"two steps of 784-{width}-10, batch {batch}"
    benchmark(Point(width, batch).ways[["one thread", "two threads", "NumPy"].index(way)])
