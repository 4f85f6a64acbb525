"""The programs of benchmarks: what they take, what they print, and how they judge. What they measure is not tested."""

import json
import sys

import numpy as np
import pytest
from conftest import kernels

from benchmarks import compare, grid
from benchmarks.works import WORKS

STEP, EPOCH = (str(next(work for work in WORKS if work.kind == kind)) for kind in ("step", "epoch"))


def run(program, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [program.__name__, *arguments])
    return program.main()


@pytest.mark.parametrize(
    "time, read",
    [(0.01234, "0.0123"), (1.234, "1.23"), (99.49, "99.5"), (99.5, "100"), (1234.5, "1,234"), (2e6, "2,000,000")],
)
def test_times_as_people_read_them(time, read):
    assert compare.microseconds(time) == read


def test_works_are_called_by_parts_of_their_names():
    assert compare.works_called([""]) == list(range(len(WORKS)))
    assert compare.works_called([STEP]) == [next(i for i, work in enumerate(WORKS) if work.kind == "step")]
    every = compare.works_called(["infer", EPOCH])
    assert {WORKS[i].kind for i in every} == {"infer", "epoch"} and every == sorted(every)


def test_fastmlp_is_always_among_the_contenders():
    assert compare.contenders_called(["NumPy"]) == ["fastmlp", "NumPy"]


@pytest.mark.parametrize("arguments", [("--works", "784-7-10"), ("--only", "Caffe")])
def test_unknown_names_are_errors_that_name_what_there_is(arguments, monkeypatch, capsys):
    with pytest.raises(SystemExit) as error:
        run(compare, monkeypatch, *arguments)
    printed = capsys.readouterr().err
    assert error.value.code == 2 and repr(arguments[1]) in printed and (STEP in printed or "NumPy" in printed)


@pytest.mark.skipif(kernels() is None, reason="compares the compiled kernels")
def test_a_comparison_from_end_to_end(monkeypatch, capsys, tmp_path):
    files = {kind: tmp_path / kind for kind in ("json", "markdown")}
    options = [text for kind, path in files.items() for text in (f"--{kind}", str(path))]
    code = run(compare, monkeypatch, "--only", "NumPy", "--works", STEP, "--threads", "1", "--rounds", "1", "--seconds", "0.001",
               *options)  # fmt: skip
    printed = capsys.readouterr()
    assert code == 0 and "All losses agree." in printed.out and f"{STEP}: 2 measured" in printed.err
    assert f"| {STEP} | " in printed.out and "on 1 threads" in printed.out
    assert files["markdown"].read_text() == printed.out
    rows = json.loads(files["json"].read_text())["results"]
    assert [(row["work"], row["contender"], row["threads"]) for row in rows] == [(STEP, "fastmlp", 1), (STEP, "NumPy", 1)]


def test_contenders_that_computed_something_else_are_named():
    results = {(0, "fastmlp", 1): {"check": 2.0}, (0, "NumPy", 1): {"check": 2.01}, (0, "JAX", 1): {"check": 2.1}}
    assert compare.disagreements(results) == [f"{WORKS[0]}: JAX on 1 threads ends at 2.1, not 2"]


class FakePoint:
    """A point of the grid with times that are made up: batch 2 takes thrice the time of batch 1, and NumPy half of any."""

    def __init__(self, width, batch):
        self.time = 3.0 if batch == 2 else 1.0

    def measure(self):
        return np.array([self.time, 1.5 * self.time, self.time / 2])


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr(grid, "Point", FakePoint)
    monkeypatch.setattr(grid, "WIDTHS", (4, 8))
    monkeypatch.setattr(grid, "BATCHES", (1, 2))
    monkeypatch.setattr(grid, "SHORT", ((4,), (1,)))
    monkeypatch.setattr(grid, "others_busy", lambda: 0.0)


def test_the_grid_judges_every_point(small_grid, monkeypatch, capsys, tmp_path):
    run(grid, monkeypatch, "--json", str(tmp_path / "points"))
    printed = capsys.readouterr().out
    assert "4 points, 4 of them break a rule" in printed
    assert (
        "784-8-10 at batch 2: two threads take 1.50 times as long as one; NumPy is 2.00 times as fast; the last row takes "
        in printed
    )
    assert len(json.loads((tmp_path / "points").read_text())) == 4


def test_the_grid_prints_as_it_goes(small_grid, monkeypatch, capsys):
    seen = []

    class Watching(FakePoint):
        def __init__(self, width, batch):
            super().__init__(width, batch)
            seen.append(capsys.readouterr().out)

    monkeypatch.setattr(grid, "Point", Watching)
    monkeypatch.setattr(grid, "report", lambda *arguments: None)
    run(grid, monkeypatch)
    assert all(seen) and seen[1].strip() == "1.0"


def test_the_short_form_of_the_grid(small_grid, monkeypatch, capsys):
    run(grid, monkeypatch, "--short")
    assert "1 points, " in capsys.readouterr().out


def test_a_busy_machine_is_not_judged(small_grid, monkeypatch, capsys):
    monkeypatch.setattr(grid, "others_busy", lambda: 1.2)
    run(grid, monkeypatch)
    printed = capsys.readouterr().out
    assert "other programs keep 1.2 processors busy: no rule is judged" in printed and "break a rule" not in printed


def test_points_of_the_grid_are_measured_three_ways(monkeypatch):
    if kernels() is None:
        pytest.skip("times the compiled kernels")
    monkeypatch.setattr(grid, "SETTLING", 0)
    monkeypatch.setattr(grid, "SECONDS", 1e-6)
    times = grid.Point(2, 3).measure()
    assert times.shape == (3,) and (times > 0).all()
