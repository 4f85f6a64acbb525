"""What is timed: networks, batches and data, the same for every contender."""

from typing import NamedTuple

import numpy as np

import fastmlp


class Work(NamedTuple):
    """One row of the tables.

    kind: "epoch" trains over all rows, shuffled, in one call where the contender has one; "step" makes one Python call
    a batch, on batches that lie ready; "infer" calls the network on `batch` rows. optimizer: "sgd", "momentum" (0.9), "adam".
    """

    kind: str
    sizes: tuple
    activation: str
    loss: str
    batch: int
    rows: int = 6400
    optimizer: str = "sgd"

    def __str__(self):
        sizes = "-".join(map(str, self.sizes))
        if self.kind == "infer":
            return f"infer {sizes} {self.activation}, {self.batch:,} row{'s' * (self.batch > 1)}"
        optimizer = "" if self.optimizer == "sgd" else f", {self.optimizer}"
        return f"{self.kind} {sizes} {self.activation}, batch {self.batch}{optimizer}"

    @property
    def flops(self):
        """Of one call: a product and a sum for each weight and row; in training also in both gradients, but for x."""
        forward = 2 * self.batch * sum(n * m for n, m in zip(self.sizes, self.sizes[1:]))
        return forward if self.kind == "infer" else 3 * forward - 2 * self.batch * self.sizes[0] * self.sizes[1]

    def network(self, **options):
        """fastmlp's network, whose weights every contender starts from."""
        output = "sigmoid" if self.loss == "squared_error" else None
        return fastmlp.MLP(self.sizes, self.activation, output, self.loss, seed=0, **options)

    def data(self):
        """Random pixels as float32 (rows, n_in), labels (rows,) int64, and the order that an epoch takes them in."""
        random = np.random.RandomState(0)
        x = random.random_sample((self.rows, self.sizes[0])).astype(np.float32)
        return x, random.randint(0, self.sizes[-1], self.rows).astype(np.int64), random.permutation(self.rows)

    @property
    def learning_rate(self):
        if self.optimizer == "adam":
            return 0.001
        return 0.5 if self.loss == "squared_error" else 0.01


SMALL, MIDDLE, WIDE, WIDER = (784, 16, 16, 10), (784, 128, 10), (784, 512, 512, 10), (784, 2048, 2048, 10)
WORKS = [
    Work("epoch", SMALL, "sigmoid", "squared_error", 10),
    Work("epoch", SMALL, "relu", "cross_entropy", 128),
    Work("epoch", MIDDLE, "relu", "cross_entropy", 32),
    Work("epoch", WIDE, "relu", "cross_entropy", 128, 1280),
    Work("epoch", WIDER, "relu", "cross_entropy", 256, 1280),
    *(
        work._replace(optimizer=optimizer)
        for work in (
            Work("epoch", SMALL, "relu", "cross_entropy", 10),
            Work("epoch", WIDE, "relu", "cross_entropy", 128, 1280),
        )
        for optimizer in ("sgd", "momentum", "adam")
        if (work.batch, optimizer) != (128, "sgd")  # which is above
    ),
    Work("step", SMALL, "sigmoid", "squared_error", 10),
    Work("step", SMALL, "relu", "cross_entropy", 128),
    Work("step", MIDDLE, "relu", "cross_entropy", 32),
    Work("step", WIDE, "relu", "cross_entropy", 128, 1280),
    Work("infer", SMALL, "sigmoid", "squared_error", 1),
    Work("infer", MIDDLE, "relu", "cross_entropy", 1),
    Work("infer", SMALL, "sigmoid", "squared_error", 10_000, 10_000),
    Work("infer", WIDE, "relu", "cross_entropy", 10_000, 10_000),
]
