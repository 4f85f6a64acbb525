"""A contender's own process: reads requests as lines of JSON, times what they ask for, answers in lines of JSON.

Started by compare.py as `python -m benchmarks.worker NAME THREADS`. Requests: {"prepare": index of a work},
{"seconds": how long to measure}, {"check": true}.
"""

import gc
import json
import os
import sys
import time

import numpy as np

from benchmarks.contenders import CONTENDERS
from benchmarks.works import WORKS


def loss_of(work, weights, biases):
    """The mean loss on the first rows, in float64, for comparing what contenders have learnt."""
    x, labels, _ = work.data()
    a, labels = x[:640].astype(np.float64), labels[:640]
    for i, (w, b) in enumerate(zip(weights, biases)):
        z = a @ np.asarray(w, np.float64) + b
        sigmoid = work.activation == "sigmoid" or i + 1 == len(weights)
        a = 1 / (1 + np.exp(-z)) if sigmoid else np.maximum(z, 0)
    if work.loss == "squared_error":
        return float(0.5 * ((a - np.eye(work.sizes[-1])[labels]) ** 2).sum() / len(x[:640]))
    z = z - z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]))


class Timed:
    """One contender at one work: microseconds a call, or a step of an epoch."""

    def __init__(self, name, work, threads):
        kind, _ = CONTENDERS[name]
        if work.kind not in kind.kinds:
            raise NotImplementedError
        net = work.network()
        self.name, self.work = name, work
        self.contender = kind(work, net.weights, net.biases, threads)
        self.next = 0
        self.call()  # compiles, and takes memory

    def call(self):
        if self.work.kind == "epoch":
            return self.contender.epoch()
        self.next = (self.next + 1) % len(self.contender.batches)
        return getattr(self.contender, self.work.kind)(self.next)

    def measure(self, seconds):
        per_call = len(self.contender.batches) if self.work.kind == "epoch" else 1
        times, end = [], time.perf_counter() + seconds
        gc.disable()
        while len(times) < 3 or time.perf_counter() < end:
            began = time.perf_counter()
            self.call()
            times.append((time.perf_counter() - began) / per_call * 1e6)
        gc.enable()
        return times

    def check(self):
        """The loss after the same two epochs or twenty steps from the start, or a sum of outputs."""
        net = self.work.network()
        kind = type(self.contender).in_others_order or type(self.contender)
        fresh = kind(self.work, net.weights, net.biases, self.contender.threads)
        if self.work.kind == "infer":
            return float(np.asarray(fresh.infer(0), np.float64).sum(axis=0)[0])
        for i in range(2 if self.work.kind == "epoch" else 20):
            fresh.epoch() if self.work.kind == "epoch" else fresh.step(i % len(fresh.batches))
        return loss_of(self.work, *fresh.parameters())


def main(name, threads):
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # for those that have no other setting
    timed = None
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        try:
            if "prepare" in request:
                timed = None
                timed = Timed(name, WORKS[request["prepare"]], threads)
            elif "check" in request:
                answer["check"] = timed.check()
            else:
                answer["times"] = timed.measure(request["seconds"])
        except NotImplementedError:
            answer = {"absent": True}
        print("\n" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
