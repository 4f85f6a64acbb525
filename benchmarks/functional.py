"""fastmlp.functional.sum_of_products beside NumPy's `x @ w + b`: `python -m benchmarks.functional [--dtype T] [--json FILE]`.

On a grid of rows x n_in x n_out from 1x1x1 to 512x2048x2048, on one thread and on two. Each contender has a process of its
own for each number of threads: OpenBLAS reads OPENBLAS_NUM_THREADS once, when it is loaded, and its threads spin on for up
to a tenth of a second after a product, which in one process would take a core from ours and make NumPy look good. The processes
take turns, point by point and round by round, with a pause for such threads to fall asleep; a point's ratio is the median of
its rounds' ratios, since a shared machine slows down both contenders of a round alike.

The rules: never more than 3% slower than NumPy, and where NumPy takes less than 3 us at most 1 us longer, checks included. A
point that breaks them is measured twice more before it is counted.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import time

import numpy as np

ROWS = (1, 2, 8, 32, 128, 512)
N_IN = (1, 10, 64, 256, 784, 2048)
N_OUT = (1, 2, 10, 16, 64, 300, 512, 2048)
THREADS = (1, 2)
SLOWER, SHORT, LONGER = 1.03, 3.0, 1.0  # times; microseconds
ROUNDS, SECONDS, PAUSE = 5, 0.004, 0.15
CONTENDERS = ("numpy", "fastmlp")


class Process:
    """A contender in its process."""

    def __init__(self, name, threads, dtype):
        variables = {"OPENBLAS_NUM_THREADS": str(threads if name == "numpy" else 1), "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.functional", "--worker", name, "--dtype", dtype]
        self.threads = threads
        self.process = subprocess.Popen(
            command, env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def time(self, shape):
        """Microseconds a call."""
        print(*shape, file=self.process.stdin, flush=True)
        answer = float(self.process.stdout.readline())
        if self.threads > 1:
            time.sleep(PAUSE)
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def work(name, dtype):
    """A contender's process: reads shapes, answers with microseconds."""
    from fastmlp import functional

    calls = {"numpy": lambda x, w, b: x @ w + b, "fastmlp": functional.sum_of_products}
    random, call, last = np.random.RandomState(0), calls[name], None
    for line in sys.stdin:
        rows, n_in, n_out = shape = tuple(map(int, line.split()))
        if shape != last:
            x, w, b = (random.random_sample(size).astype(dtype) for size in ((rows, n_in), (n_in, n_out), (n_out,)))
            last = shape
        print(median_time(functools.partial(call, x, w, b)), flush=True)


def median_time(call):
    """Microseconds that a call takes: of runs of at least 10 us, the median."""
    call()
    began = time.perf_counter()
    call()
    repeats = range(max(1, int(10e-6 / (time.perf_counter() - began))))
    times, end = [], time.perf_counter() + SECONDS
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in repeats:
            call()
        times.append((time.perf_counter() - began) / len(repeats))
    return float(np.median(times)) * 1e6


def measure(processes, shape, threads, rounds=ROUNDS):
    """(times of NumPy, times of fastmlp), one of each a round."""
    return np.array([[processes[name, threads].time(shape) for name in CONTENDERS] for _ in range(rounds)]).T


def verdict(times):
    """(microseconds of NumPy, of fastmlp, the ratio, whether a rule is broken) from the times of all rounds."""
    by_numpy, ours = np.median(times, axis=1)
    ratio = float(np.median(times[1] / times[0]))
    longer = float(np.median(times[1] - times[0]))
    return float(by_numpy), float(ours), ratio, longer > LONGER if by_numpy < SHORT else ratio > SLOWER


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker, arguments.dtype)
    processes = {(name, n): Process(name, n, arguments.dtype) for name in CONTENDERS for n in THREADS}
    results = {}
    for threads in THREADS:
        shapes = [(rows, n_in, n_out) for rows in ROWS for n_in in N_IN for n_out in N_OUT]
        times = {shape: measure(processes, shape, threads) for shape in shapes}
        for _ in range(2):
            for shape in shapes:
                if verdict(times[shape])[3]:
                    times[shape] = np.hstack([times[shape], measure(processes, shape, threads)])
        results |= {(threads, *shape): verdict(times[shape]) for shape in shapes}
    for process in processes.values():
        process.close()
    report(results)
    if arguments.json:
        with open(arguments.json, "w") as file:
            rows = [dict(zip(("threads", "rows", "n_in", "n_out", "numpy_us", "fastmlp_us", "ratio", "breaks"), (*key, *row)))
                    for key, row in results.items()]  # fmt: skip
            json.dump({"dtype": arguments.dtype, "points": rows}, file, indent=1)


def report(results):
    for threads in THREADS:
        points = {key[1:]: row for key, row in results.items() if key[0] == threads}
        broken = {shape: row for shape, row in points.items() if row[3]}
        ratios = np.array([row[2] for row in points.values()])
        mean = np.exp(np.log(ratios).mean())
        print(f"{threads} thread{'s' * (threads > 1)}: {len(points)} points, {len(broken)} of them break a rule; fastmlp takes "
              f"{mean:.2f} times NumPy's time in the geometric mean, at most {ratios.max():.2f}")  # fmt: skip
        for shape, (by_numpy, ours, ratio, _) in broken.items():
            print(f"  {'x'.join(map(str, shape))}: {ours:.4g} us, NumPy {by_numpy:.4g} us, {ratio:.2f} times")


if __name__ == "__main__":
    sys.exit(main())
