"""fastmlp beside its peers: `python -m benchmarks.compare [--only NAME ...] [--works NAME ...] [--threads N ...] [--json FILE]`.

Each contender that is installed (`pip install ".[bench]"`; PyTorch and JAX when found) runs in a process of its own for each
number of threads, one and two unless told; all take turns, work by work and round by round, and medians are compared. Every
contender's network is then trained from the same weights on the same batches, and its loss must be fastmlp's.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys

import numpy as np

from benchmarks.contenders import CONTENDERS
from benchmarks.works import WORKS

OURS = ("fastmlp", "numba")
AGREEMENT = 0.02  # relative: float32 sums in other orders, over hundreds of steps, and scikit-learn's gradient clipping


class Process:
    """A contender in its process."""

    def __init__(self, name, threads):
        self.name, self.threads, self.works = name, threads, {}
        environment = {key: str(threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        command = ["env", *(f"{key}={value}" for key, value in environment.items()),
                   sys.executable, "-W", "ignore", "-m", "benchmarks.worker", name, str(threads)]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"the process of {self.name} has ended")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def works_called(names):
    """The indices of the works in whose descriptions one of these names occurs. ValueError for a name that occurs in none."""
    for name in names:
        if not any(name in str(work) for work in WORKS):
            raise ValueError(f"no work is called {name!r}; there are: {'; '.join(map(str, WORKS))}")
    return [index for index, work in enumerate(WORKS) if any(name in str(work) for name in names)]


def contenders_called(names):
    """Those of CONTENDERS with these names, fastmlp always among them. ValueError for one that is not there."""
    for name in names:
        if name not in CONTENDERS:
            raise ValueError(f"no contender is called {name!r}; there are: {', '.join(CONTENDERS)}")
    return ["fastmlp", *(name for name in CONTENDERS if name in names and name != "fastmlp")]


def microseconds(time):
    """A time as people read it: three figures or whole numbers."""
    return f"{time:,.0f}" if time >= 99.5 else f"{time:.3g}"


def installed(names):
    return [name for name in names if importlib.util.find_spec(CONTENDERS[name][1])]


def measure(names, works, rounds, seconds, numbers_of_threads):
    """{(index of work, name, threads): {"times", "check"}}."""
    processes = [Process(name, threads) for name in names for threads in numbers_of_threads]
    results = {}
    try:
        for index in works:
            here = []
            for process in processes:
                answer = process.ask(prepare=index)
                if "absent" not in answer:
                    here.append(process)
            for process in here:
                results[index, process.name, process.threads] = {"times": []}
            for _ in range(rounds):
                for process in here:
                    result = results[index, process.name, process.threads]
                    result["times"] += process.ask(seconds=seconds)["times"]
            for process in here:
                results[index, process.name, process.threads]["check"] = process.ask(check=True)["check"]
            print(f"{WORKS[index]}: {len(here)} measured", file=sys.stderr)
    finally:
        for process in processes:
            process.close()
    return results


def import_seconds(name):
    """The median time that importing a contender takes in a new interpreter."""
    program = f"import time; began = time.perf_counter(); import {CONTENDERS[name][1]}; print(time.perf_counter() - began)"
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(3)]
    return float(np.median([float(run.stdout) for run in runs]))


def disagreements(results):
    """Contenders that have not computed what fastmlp has: lines to print."""
    lines = []
    for (index, name, threads), result in results.items():
        expected = results[index, "fastmlp", threads]["check"]
        if not abs(result["check"] - expected) <= AGREEMENT * abs(expected):
            lines.append(f"{WORKS[index]}: {name} on {threads} threads ends at {result['check']:.6g}, not {expected:.6g}")
    return lines


def median(results, index, name, threads):
    result = results.get((index, name, threads))
    return float(np.median(result["times"])) if result else None


def threads_of(results):
    """The numbers of threads that there are results for, in order."""
    return sorted({threads for _, _, threads in results})


def best(results, index, name):
    """The median at the better number of threads."""
    return min(
        (m for threads in threads_of(results) if (m := median(results, index, name, threads)) is not None), default=None
    )


def table(results, names, works, peak):
    """Markdown: microseconds at each number of threads, and fastmlp's share of the peak at the better of them."""
    lines = ["| work, us | " + " | ".join(names) + " | share of peak | beside the best peer |",
             "|---|" + "---|" * (len(names) + 2)]  # fmt: skip
    for index in works:
        cells = []
        for name in names:
            medians = [median(results, index, name, threads) for threads in threads_of(results)]
            cells.append(" / ".join(map(microseconds, medians)) if None not in medians else "")
        ours = {threads: median(results, index, "fastmlp", threads) for threads in threads_of(results)}
        share = max(WORKS[index].flops / m / 1e3 / (peak * threads) for threads, m in ours.items())
        peers = [m for name in names if name not in OURS and (m := best(results, index, name)) is not None]
        ratio = f"{min(peers) / min(ours.values()):.1f} times as fast" if peers else ""
        lines.append(f"| {WORKS[index]} | " + " | ".join(cells) + f" | {share:.0%} | {ratio} |")
    return lines


def single_rows(results, names, works):
    lines = ["| single rows, us: p50, p99 | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for index in works:
        cells = []
        for name in names:
            result = results.get((index, name, threads_of(results)[0]))
            cells.append(", ".join(map(microseconds, np.percentile(result["times"], [50, 99]))) if result else "")
        lines.append(f"| {WORKS[index]} | " + " | ".join(cells) + " |")
    return lines


def report(results, names, works, peak):
    whole = [index for index in works if WORKS[index].kind == "epoch"]
    calls = [index for index in works if WORKS[index].kind != "epoch"]
    lines = [machine(peak), ""]
    for title, part in (("Whole epochs, microseconds a step", whole), ("Call by call, microseconds", calls)):
        if part:
            lines += [
                f"{title}, on {' / '.join(map(str, threads_of(results)))} threads",
                "",
                *table(results, names, part, peak),
                "",
            ]
    if one_row := [index for index in calls if WORKS[index].kind == "infer" and WORKS[index].batch == 1]:
        lines += [*single_rows(results, names, one_row), ""]
    lines.append("import, seconds: " + ", ".join(f"{name} {import_seconds(name):.2f}" for name in names))
    wrong = disagreements(results)
    lines += ["", *(wrong or ["All losses agree."])]
    return "\n".join(lines)


def machine(peak):
    packages = ("fastmlp", "numpy", "scikit-learn", "torch", "jax", "onnxruntime")
    versions = []
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            processor = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{processor}, Python {platform.python_version()}, {', '.join(versions)}; peak of one core {peak:.0f} GFLOP/s"


def chart(results, names, works, path):
    """Bars: how many times as long as fastmlp each contender takes, each at its better number of threads."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fastmlp", "font.size": 8})
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(works) + 1))
    height = 0.85 / len(names)
    for n, name in enumerate(names):
        ratios = [(best(results, i, name) or np.nan) / best(results, i, "fastmlp") for i in works]
        label = "fastmlp on Numba" if name == "numba" else name
        axes.barh([k + (n + 0.5) * height for k in range(len(works))], ratios, height, label=label)
    axes.set_yticks([k + 0.42 for k in range(len(works))], [str(WORKS[index]) for index in works])
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("time, in times of fastmlp's; each at its better number of threads")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", default=list(CONTENDERS), help=", ".join(CONTENDERS))
    parser.add_argument(
        "--works", nargs="+", metavar="NAME", default=[""], help="parts of their names: " + "; ".join(map(str, WORKS))
    )
    parser.add_argument("--threads", nargs="+", type=int, metavar="N", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.15, help="of measuring in each round")
    for kind in ("json", "markdown", "chart"):
        parser.add_argument(f"--{kind}", metavar="FILE")
    arguments = parser.parse_args()
    try:
        names, works = installed(contenders_called(arguments.only)), works_called(arguments.works)
    except ValueError as error:
        parser.error(str(error))

    from benchmarks.test_kernels import peak_flops
    from fastmlp import kernels

    peak = peak_flops(kernels.chosen()[np.dtype(np.float32)]) / 1e9
    results = measure(names, works, arguments.rounds, arguments.seconds, sorted(set(arguments.threads)))
    text = report(results, names, works, peak)
    print(text)
    if arguments.markdown:
        with open(arguments.markdown, "w") as file:
            file.write(text + "\n")
    if arguments.json:
        rows = [{"work": str(WORKS[index]), "contender": name, "threads": threads, "median_us": float(np.median(r["times"])),
                 "p99_us": float(np.percentile(r["times"], 99)), "calls": len(r["times"]), "check": r["check"]}
                for (index, name, threads), r in results.items()]  # fmt: skip
        with open(arguments.json, "w") as file:
            json.dump({"machine": machine(peak), "results": rows}, file, indent=1)
    if arguments.chart:
        chart(results, names, works, arguments.chart)
    return 1 if disagreements(results) else 0


if __name__ == "__main__":
    sys.exit(main())
