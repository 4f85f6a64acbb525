"""Schedules: their values at the ends and on the way, and those of PyTorch and Keras where they are installed."""

import math
import os

import numpy as np
import pytest

from fastmlp.schedules import (
    Cosine,
    Exponential,
    InverseScaling,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Step,
    half_cosine,
    power,
)

T = np.arange(60)


def rates(schedule, t=T, steps_per_epoch=10):
    return schedule.rates(np.asarray(t), steps_per_epoch)


@pytest.mark.parametrize("wrong", [5, "59", None, np.array(5), {5, 9}, {5: 9}], ids=repr)
def test_milestones_are_a_list(wrong):
    with pytest.raises(TypeError, match="milestones must be a list of integers, not"):
        MultiStep(0.1, milestones=wrong)
    assert MultiStep(0.1, milestones=np.array([5, 9])).milestones == (5, 9)


def test_half_a_cosine():
    u = np.linspace(0, 1, 10_001)
    assert half_cosine(np.array([0, 0.5, 1.0])).tolist() == [1.0, 0.5, 0.0]
    assert np.abs(half_cosine(u) - (1 + np.cos(np.pi * u)) / 2).max() < 3e-16


def test_powers_are_squared_and_multiplied():
    exponents = np.array([0, 1, 2, 3, 7, 100])
    assert power(0.5, exponents).tolist() == [0.5**n for n in exponents.tolist()]
    assert np.allclose(power(0.9, exponents), 0.9**exponents, rtol=1e-14, atol=0)


def test_values():
    assert rates(Step(1.0, 10, 0.5))[[0, 9, 10, 29, 30]].tolist() == [1, 1, 0.5, 0.25, 0.125]
    assert rates(Step(1.0, 2, 0.5, per="epoch"))[[0, 19, 20, 40]].tolist() == [1, 1, 0.5, 0.25]
    assert rates(MultiStep(1.0, [5, 20], 0.5))[[4, 5, 19, 20]].tolist() == [1, 0.5, 0.5, 0.25]
    assert rates(Linear(1.0, steps=4))[:6].tolist() == [1, 0.75, 0.5, 0.25, 0, 0]
    assert rates(Polynomial(1.0, epochs=1, power=2, low=0.5), [0, 5, 10, 50]).tolist() == [1, 0.625, 0.5, 0.5]
    assert rates(Linear(1.0, steps=4, warmup=2))[:5].tolist() == [0.5, 1, 1, 0.75, 0.5]
    assert rates(Cosine(2.0, steps=10, low=0.1))[[0, 5, 10, 30]].tolist() == [2, 1.1, 0.2, 0.2]
    restarted = rates(Cosine(1.0, steps=4, restarts=2, stretch=2))
    assert restarted[[0, 2, 4, 8, 12, 20, 28, 40]].tolist() == [1, 0.5, 1, 0.5, 1, 0.5, 0, 0]
    assert rates(InverseScaling(1.0))[[0, 3, 8]].tolist() == [1, 0.5, 1 / 3]
    assert rates(InverseScaling(1.0, power=1))[3] == 0.25
    assert rates(InverseScaling(1.0, power=0.3))[9] == pytest.approx(10**-0.3, rel=1e-15)
    assert rates(Exponential(1.0, 0.5, per="epoch"))[[0, 9, 10, 59]].tolist() == [1, 1, 0.5, 0.5**5]
    cycle = rates(OneCycle(1.0, steps=50))
    assert cycle.argmax() == 14 and cycle[14] == 1 and cycle[0] == 0.04 and cycle[49] == pytest.approx(4e-6, rel=1e-12)
    assert (np.diff(cycle[:15]) > 0).all() and (np.diff(cycle[14:50]) < 0).all()


@pytest.mark.parametrize("make, words", [
    (lambda: Cosine(-1, steps=3), "rate must be a number from 0"),
    (lambda: Cosine(0.1), "needs steps or epochs"),
    (lambda: Cosine(0.1, steps=3, epochs=2), "one of the two"),
    (lambda: Cosine(0.1, steps=0), "steps must be an integer of at least 1"),
    (lambda: Step(0.1, 0), "every must be an integer of at least 1"),
    (lambda: Step(0.1, 3, per="year"), "per must be one of step, epoch"),
    (lambda: MultiStep(0.1, [5, 3]), "milestones must increase"),
    (lambda: Exponential(0.1, 1.5), "gamma must be a number from 0 to 1"),
    (lambda: OneCycle(0.1, steps=10, rising=2), "rising"),
])  # fmt: skip
def test_wrong_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# Beside PyTorch's and Keras's. Those of PyTorch go from one step's rate to the next, and so err a little more in each of 60.


def in_order(*schedules, at):
    """Schedules of PyTorch, the second from a step on."""
    return lambda s, o: s.SequentialLR(o, [make(s, o) for make in schedules], [at])


def warmup(s, o):
    return s.LinearLR(o, 1 / 7, 1.0, 6)


@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")  # PyTorch's own
@pytest.mark.parametrize("ours, theirs", [
    (Step(0.1, 7, 0.3), lambda s, o: s.StepLR(o, 7, 0.3)),
    (MultiStep(0.1, [5, 20]), lambda s, o: s.MultiStepLR(o, [5, 20])),
    (Exponential(0.1, 0.93), lambda s, o: s.ExponentialLR(o, 0.93)),
    (Cosine(0.1, steps=60), lambda s, o: s.CosineAnnealingLR(o, 60)),
    (Cosine(0.1, steps=60, low=0.2), lambda s, o: s.CosineAnnealingLR(o, 60, 0.02)),
    (Cosine(0.1, steps=8, restarts=9, stretch=2), lambda s, o: s.CosineAnnealingWarmRestarts(o, 8, 2)),
    (Cosine(0.1, steps=60, warmup=7), in_order(warmup, lambda s, o: s.CosineAnnealingLR(o, 60), at=7)),
    (Polynomial(0.1, steps=50, power=3), lambda s, o: s.PolynomialLR(o, 50, 3)),
    (Linear(0.1, steps=50, low=0.25), lambda s, o: s.LinearLR(o, 1.0, 0.25, 50)),
    (Linear(0.1, steps=50, warmup=7), in_order(warmup, lambda s, o: s.LinearLR(o, 1.0, 0.0, 50), at=7)),
    (OneCycle(0.1, steps=60), lambda s, o: s.OneCycleLR(o, 0.1, total_steps=60, pct_start=0.3, div_factor=25,
                                                        final_div_factor=1e4, cycle_momentum=False)),
])  # fmt: skip
def test_pytorch_s(ours, theirs):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = theirs(torch.optim.lr_scheduler, optimizer)
    expected = []
    for _ in T:
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    difference = np.abs(rates(ours) - expected)
    assert difference.max() < 1e-14 * 0.1 * len(T) and not math.isnan(difference.max())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["min", "max"])
def test_pytorch_s_on_a_plateau(mode, seed):
    """Which counts the epochs it waits for one lower."""
    torch = pytest.importorskip("torch")
    ours = ReduceOnPlateau(0.4, "said", factor=0.5, patience=2, min_delta=0.1, mode=mode, cooldown=seed % 3, min_rate=0.01)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, 0.5, patience=1, threshold=0.1, threshold_mode="abs", cooldown=seed % 3, min_lr=0.01
    )
    powers, cuts = {}, set()
    for value in np.random.RandomState(seed).random_sample(60):
        ours.after_epoch(powers, {"said": value})
        theirs.step(value)
        assert ours.reduced([0], powers).tolist() == [optimizer.param_groups[0]["lr"]]
        cuts.add(optimizer.param_groups[0]["lr"])
    assert len(cuts) > 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("ours, theirs", [
    (Step(0.1, 7, 0.3), lambda s: s.ExponentialDecay(0.1, 7, 0.3, staircase=True)),
    (MultiStep(0.1, [5, 20]), lambda s: s.PiecewiseConstantDecay([4, 19], [0.1, 0.01, 0.001])),  # which its boundaries belong to
    (Exponential(0.1, 0.93), lambda s: s.ExponentialDecay(0.1, 1, 0.93)),
    (Cosine(0.1, steps=50), lambda s: s.CosineDecay(0.1, 50)),
    (Cosine(0.1, steps=50, low=0.2), lambda s: s.CosineDecay(0.1, 50, alpha=0.2)),
    (Cosine(0.1, steps=8, restarts=9, stretch=2, low=0.1), lambda s: s.CosineDecayRestarts(0.1, 8, 2.0, alpha=0.1)),
    (Polynomial(0.1, steps=50, power=3, low=0.1), lambda s: s.PolynomialDecay(0.1, 50, 0.01, 3)),
    (Linear(0.1, steps=50), lambda s: s.PolynomialDecay(0.1, 50, 0.0)),
    (InverseScaling(0.1, power=1), lambda s: s.InverseTimeDecay(0.1, 1, 1.0)),
])  # fmt: skip
def test_keras_s(ours, theirs):
    """Keras computes them in float32: gamma^t is off by t u, and the cosine, of numbers up to pi, by as much as them."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    schedule = theirs(keras.optimizers.schedules)
    expected = [float(keras.ops.convert_to_numpy(schedule(t))) for t in T.tolist()]
    np.testing.assert_allclose(rates(ours), expected, rtol=0, atol=0.1 * 8 * 2.0**-24)
