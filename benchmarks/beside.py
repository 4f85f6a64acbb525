"""fastmlp where it is used: in turn with other libraries, in several processes, beside a busy one: `python -m benchmarks.beside`.

In turn: a call of fastmlp or PyTorch and a call of another library, again and again in one process, against the sum of what both
take in processes of their own, on two threads and on one. Other libraries' idle threads may spin for a tenth of a second (OpenBLAS)
or some milliseconds (libgomp), and hold a processor meanwhile: then two threads can be no faster than one.

Processes: how long k processes take to train at once with two threads each, against one thread each; and one process beside another
that keeps a processor busy. What is not installed is left out.
"""

import argparse
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


def time_calls(first, second, n_threads):
    """A worker: the median microseconds of a call of each, in turn; None where one is not installed."""
    try:
        calls = [FIRST[first][0](*FIRST[first][1:], n_threads)] if first else []
        if second:
            calls.append(SECOND[second][0](*SECOND[second][1:]))
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


def microseconds(first, second, n_threads):
    process = python("--calls", first or "", second or "", n_threads)
    answer = json.loads(process.communicate()[0])
    time.sleep(PAUSE)
    return answer


def in_turn(first, second):
    """The rounds' medians: each alone on two threads and on one, and both in turn; None where something is not installed."""
    found = {}
    for _ in range(ROUNDS):
        for key in ((first, None, 2), (first, None, 1), (None, second, 2), (first, second, 2), (first, second, 1)):
            found.setdefault(key, []).append(microseconds(*key))
            if found[key][-1] is None:
                return None
    alone, alone_1, other, both, both_1 = (statistics.median(times) for times in found.values())
    return {"first": first, "second": second, "alone": alone, "alone on one thread": alone_1, "second alone": other, "both": both,
            "both, first on one thread": both_1}  # fmt: skip


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
    parser.add_argument("--calls", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.calls:
        return time_calls(args.calls[0], args.calls[1], int(args.calls[2]))
    if args.train:
        return train(args.train[0], int(args.train[1]))
    figures = {"in turn": [], "processes": []}
    print("microseconds: both in turn, of the sum of both alone; the same with the first on one thread")
    for first in FIRST:
        for second in SECOND:
            found = in_turn(first, second)
            if found:
                figures["in turn"].append(found)
                _, _, alone, one, other, both, both_1 = found.values()
                two_threads, one_thread = both / (alone + other), both_1 / (one + other)
                print(f"{first:38} {second:24} {both:9.0f} {two_threads:6.2f} {both_1:9.0f} {one_thread:6.2f}", flush=True)
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
