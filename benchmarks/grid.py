"""No cliffs: steps of training over batches 1 to 512 and widths 1 to 1024, `python -m benchmarks.grid [--short] [--json FILE]`.

Each point is timed on one and on two threads in turns, and beside NumPy by hand. Printed are the points where one more
row costs more than 15% beyond its share, where two threads are more than 3% slower than one, or where NumPy is faster;
then a table of the times. A point that looks bad is measured twice more before it is counted. Each width's times are printed
as they come. Where other programs keep the processors busy, times say nothing about rules, and none is judged.
"""

import argparse
import json
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would spin on, and take a core from ours for a while

import numpy as np

from benchmarks.contenders import NumPy
from benchmarks.works import Work
from fastmlp.reference import Samples, Steps, Update

WIDTHS = (1, 2, 4, 8, 10, 16, 17, 24, 32, 48, 64, 100, 128, 200, 256, 400, 512, 1024)
BATCHES = (1, 2, 3, 4, 7, 8, 9, 10, 11, 16, 17, 31, 32, 33, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512)
SHORT = (1, 16, 128, 512), (1, 9, 10, 11, 32, 127, 128, 129)  # some of the widths and batches
BUSY = 0.3  # processors that other programs may keep busy
JUMP, THREADS, SECONDS = 1.15, 1.03, 0.004
SETTLING = 0.15  # seconds: an engine takes up to 0.1 to find out whether two threads pay


class Point:
    """A network 784-width-10 at a batch size, three ways."""

    def __init__(self, width, batch):
        work = Work("step", (784, width, 10), "relu", "cross_entropy", batch, 2 * batch)
        x, labels, _ = work.data()
        self.batch, self.rows = batch, 2 * batch
        nets = [work.network(n_threads=n) for n in (1, 2)]
        losses, correct = np.empty(self.rows), np.empty(self.rows, np.uint8)
        samples, steps = Samples(x, labels), Steps(0, self.rows, batch)
        update = Update("sgd", np.array([[1e-3]], np.float32))
        self.ways = [lambda net=net: net._engine.train(samples, update, steps, losses, correct) for net in nets]
        time_of(self.ways[1], SETTLING)
        by_hand = NumPy(work, nets[0].weights, nets[0].biases, 2)
        self.ways.append(lambda: (by_hand.step(0), by_hand.step(1)))

    def measure(self):
        """Microseconds a step: [one thread, two threads, NumPy on one], medians of rounds; the first two in turns."""
        ours = np.median([[time_of(way) for way in self.ways[:2]] for _ in range(7)], axis=0)
        return np.array([*ours, np.median([time_of(self.ways[2]) for _ in range(5)])])


def time_of(way, seconds=SECONDS):
    """Microseconds a step of a call with two."""
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < seconds or not calls:
        way()
        calls += 1
    return (time.perf_counter() - began) / calls / 2 * 1e6


def faults(times, widths, batches):
    """Descriptions of the points that break a rule: {(width, batch): text}."""
    found = {}
    for width in widths:
        for batch in batches:
            one, two, by_hand = times[width, batch]
            text = []
            if two > THREADS * one:
                text.append(f"two threads take {two / one:.2f} times as long as one")
            if min(one, two) > by_hand:
                text.append(f"NumPy is {min(one, two) / by_hand:.2f} times as fast")
            if batch - 1 in batches:
                before = times[width, batch - 1][0]
                if one > JUMP * before * batch / (batch - 1):
                    text.append(f"the last row takes {one / before:.2f} times the time of {batch - 1} rows")
            if text:
                found[width, batch] = "; ".join(text)
    return found


def report(times, widths, batches):
    """Measure again what looks bad, and print what is."""
    for _ in range(2):
        for width, batch in faults(times, widths, batches):
            for near in {batch, batch - 1} & set(batches):
                times[width, near] = np.minimum(times[width, near], Point(width, near).measure())
    bad = faults(times, widths, batches)
    print(f"\n{len(times)} points, {len(bad)} of them break a rule")
    for (width, batch), text in bad.items():
        print(f"784-{width}-10 at batch {batch}: {text}")


def others_busy(seconds=1.0):
    """How many processors other programs have kept busy while this one slept; 0 where the system does not say."""
    before = busy_ticks()
    time.sleep(seconds)
    return (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds if before else 0.0


def busy_ticks():
    """Clock ticks of all processors that were not idle since the system started; 0 where it does not say."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _waiting, *rest = map(int, file.readline().split()[1:])
    except (OSError, ValueError):
        return 0
    return user + nice + system + sum(rest[:3])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="32 of the 432 points")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    widths, batches = SHORT if arguments.short else (WIDTHS, BATCHES)
    busy, times = [others_busy()], {}
    print("microseconds a step on one thread; rows: width, columns: batch")
    print("        " + "".join(f"{batch:>8}" for batch in batches))
    for width in widths:
        print(f"{width:8}", end="", flush=True)
        for batch in batches:
            times[width, batch] = Point(width, batch).measure()
            print(f"{times[width, batch][0]:8.1f}", end="", flush=True)
        print()
    busy.append(others_busy())
    if max(busy) > BUSY:
        print(f"\nother programs keep {max(busy):.1f} processors busy: no rule is judged; try again when they do not")
    else:
        report(times, widths, batches)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump([{"width": w, "batch": b, "us": list(t)} for (w, b), t in times.items()], file)


if __name__ == "__main__":
    main()
