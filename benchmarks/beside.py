"""fastmlp where it is used: in turn with other libraries, in several processes, beside a busy one: `python -m benchmarks.beside`.

In turn: a call of fastmlp or PyTorch and a call of another library, again and again in one process, against the sum of what both
take in processes of their own, on two threads and on one. Other libraries' idle threads may spin for a tenth of a second (OpenBLAS)
or some milliseconds (libgomp), and hold a processor meanwhile: then two threads can be no faster than one.

Processes: how long k processes take to train at once with two threads each, against one thread each; and one process beside another
that keeps a processor busy. What is not installed is left out. PyTorch and scikit-learn bring copies of libgomp of their own.
"""

import argparse
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

SECONDS, PAUSE, ROUNDS = 0.4, 0.2, 3
TRAINED = {"784-16-16-10, batch 10": ([784, 16, 16, 10], 10, 60), "784-128-10, batch 32": ([784, 128, 10], 32, 24),
           "784-512-512-10, batch 128": ([784, 512, 512, 10], 128, 8)}  # fmt: skip


def data(rows, n_in, n_out=10):
    random = np.random.RandomState(0)
    return random.random_sample((rows, n_in)).astype(np.float32), random.randint(0, n_out, rows)


def network(sizes, n_threads):
    import fastmlp

    return fastmlp.MLP(sizes, activation="relu", seed=1, n_threads=n_threads, task="classes")


def train_step(sizes, rows, n_threads):
    net, (x, y) = network(sizes, n_threads), data(rows, sizes[0])
    return lambda: net.train_step(x, y, 0.01)


def forward(sizes, rows, n_threads):
    net, x = network(sizes, n_threads), data(rows, sizes[0])[0]
    return lambda: net.forward(x)


def gradients(sizes, rows, n_threads):
    net, (x, y) = network(sizes, n_threads), data(rows, sizes[0])
    return lambda: net.gradients(x, y)


def torch_step(sizes, rows, n_threads):
    import torch

    torch.set_num_threads(n_threads)
    layers = [layer for n_in, n_out in zip(sizes, sizes[1:]) for layer in (torch.nn.Linear(n_in, n_out), torch.nn.ReLU())]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=0.01), torch.nn.CrossEntropyLoss()
    x, y = (torch.from_numpy(array) for array in data(rows, sizes[0]))

    def step():
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return step


def matmul(rows, n_in, n_out):
    a, b = data(rows, n_in)[0], data(n_in, n_out)[0]
    return lambda: a @ b


def torch_matmul(rows, n_in, n_out):
    import torch

    a, b = torch.from_numpy(data(rows, n_in)[0]), torch.from_numpy(data(n_in, n_out)[0])
    return lambda: a @ b


def k_means(rows, n_in, clusters):
    from sklearn.cluster import KMeans

    x = data(rows, n_in)[0]
    fitted = KMeans(clusters, n_init=1, max_iter=5, random_state=0).fit(x)
    return lambda: fitted.predict(x)


FIRST = {
    "train_step 784-128-10, 128 rows": (train_step, [784, 128, 10], 128),
    "forward 784-128-10, 128 rows": (forward, [784, 128, 10], 128),
    "gradients 200-100-10, 100 rows": (gradients, [200, 100, 10], 100),
    "train_step 784-512-512-10, 128 rows": (train_step, [784, 512, 512, 10], 128),
    "PyTorch's step 784-128-10, 128 rows": (torch_step, [784, 128, 10], 128),
}
SECOND = {
    "NumPy 128x784x128": (matmul, 128, 784, 128),
    "NumPy 200x100x100": (matmul, 200, 100, 100),
    "PyTorch 128x784x128": (torch_matmul, 128, 784, 128),
    "KMeans.predict 2000x50": (k_means, 2000, 50, 20),
}


def python(*arguments):
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.beside", *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env=os.environ | {"OMP_NUM_THREADS": "2"})  # fmt: skip


def time_calls(first, second, n_threads, order):
    """A worker: the median microseconds of a call of each, in turn; None where one is not installed.

    order: "reversed" imports what the second needs first.
    """
    makers = [functools.partial(FIRST[first][0], *FIRST[first][1:], n_threads)] if first else []
    if second:
        makers.append(functools.partial(SECOND[second][0], *SECOND[second][1:]))
    turn = -1 if order == "reversed" else 1
    try:
        calls = [make() for make in makers[::turn]][::turn]
    except ImportError:
        print("null")
        return
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 10:
        began = time.perf_counter()
        for call in calls:
            call()
        times.append(time.perf_counter() - began)
    print(1e6 * statistics.median(times))


def microseconds(first, second, n_threads=2, order="as given"):
    process = python("--calls", first or "", second or "", n_threads, order)
    answer = json.loads(process.communicate()[0])
    time.sleep(PAUSE)
    return answer


def in_turn():
    """For each pair the rounds' medians: each alone on two threads and on one, and both in turn; without what is not installed."""
    alone, both = {}, {}
    for _ in range(ROUNDS):
        for first in FIRST:
            alone.setdefault(first, []).append((microseconds(first, None), microseconds(first, None, 1)))
        for second in SECOND:
            alone.setdefault(second, []).append((microseconds(None, second),))
        for first, second in itertools.product(FIRST, SECOND):
            if alone[first][0][0] is None or alone[second][0][0] is None:
                continue
            both.setdefault((first, second), []).append(
                (microseconds(first, second), microseconds(first, second, order="reversed"), microseconds(first, second, 1))
            )
    for (first, second), times in both.items():
        medians = [statistics.median(of) for of in zip(*alone[first], strict=True)]
        other = statistics.median(of[0] for of in alone[second])
        together = [statistics.median(of) for of in zip(*times, strict=True)]
        yield {
            "first": first, "second": second, "alone": medians[0], "alone on one thread": medians[1], "second alone": other,
            "both": together[0], "both, the second imported first": together[1], "both, the first on one thread": together[2],
        }  # fmt: skip


def minimize(n_threads):
    """A worker: the seconds of SciPy's L-BFGS over a network's gradients; None without SciPy."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        print("null")
        return
    net, (x, y) = network([64, 100, 10], n_threads), data(1800, 64)
    net.forward(x[:1])

    def loss_and_gradients(parameters):
        net.parameters[...] = parameters
        loss, gradients = net.gradients(x, y)
        return loss, gradients.parameters.astype(np.float64)

    start = net.parameters.astype(np.float64)
    began = time.perf_counter()
    minimize(loss_and_gradients, start, jac=True, method="L-BFGS-B", options={"maxiter": 40})
    print(time.perf_counter() - began)


def train(name, n_threads):
    """A worker: trains when it is told to, and says when it is done."""
    sizes, batch_size, epochs = TRAINED[name]
    net, (x, y) = network(sizes, n_threads), data(6400, sizes[0])
    print("ready", flush=True)
    sys.stdin.readline()
    net.fit(x, y, epochs=epochs, batch_size=batch_size, learning_rate=0.01, verbose=0)
    print("done", flush=True)


def seconds_of(name, k, n_threads, busy):
    """Seconds that k processes take to train at once."""
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    processes = [python("--train", name, n_threads) for _ in range(k)]
    for process in processes:
        process.stdout.readline()
    began = time.perf_counter()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.stdout.readline()
    seconds = time.perf_counter() - began
    for process in processes:
        process.communicate()
    if hog:
        hog.kill()
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--calls", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--minimize", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.calls:
        return time_calls(args.calls[0], args.calls[1], int(args.calls[2]), args.calls[3])
    if args.train:
        return train(args.train[0], int(args.train[1]))
    if args.minimize:
        return minimize(args.minimize)
    figures = {"in turn": [], "processes": []}
    print("microseconds: both in turn, of the sum of both alone; the second imported first; the first on one thread")
    for found in in_turn():
        figures["in turn"].append(found)
        first, second, alone, one, other, *both = found.values()
        ratios = zip(both, (alone + other, alone + other, one + other), strict=True)
        print(f"{first:38} {second:24}", *(f"{of:9.0f} {of / whole:5.2f}" for of, whole in ratios), flush=True)
    print("seconds of L-BFGS by SciPy, of two threads and of one")
    times = [[json.loads(python("--minimize", n).communicate()[0]) for n in (2, 1)] for _ in range(ROUNDS)]
    if times[0][0] is not None:
        two, one = figures["L-BFGS"] = [statistics.median(of) for of in zip(*times, strict=True)]
        print(f"64-100-10, 1,800 rows {two:7.3f} {one:7.3f} {two / one:6.2f}", flush=True)
    print("seconds of k processes at once, of two threads each and of one")
    for name in TRAINED:
        for k, busy in ((1, True), (2, False), (4, False)):
            times = {1: [], 2: []}
            for _ in range(ROUNDS):
                for n_threads, seconds in times.items():
                    seconds.append(seconds_of(name, k, n_threads, busy))
            one, two = (statistics.median(times[n]) for n in (1, 2))
            figures["processes"].append({"name": name, "k": k, "beside a busy one": busy, "one": one, "two": two})
            print(
                f"{name:30} k={k} {'beside a busy one' if busy else '':18} {two:7.3f} {one:7.3f} {two / one:6.2f}", flush=True
            )
    if args.json:
        with open(args.json, "w") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
