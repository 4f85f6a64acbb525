"""The contenders, each in its fastest documented form: one class for each, imported only in its own process.

A contender takes a Work, starts from the weights and biases of fastmlp's network, and has three methods: epoch(), which
trains over the shuffled data once; step(i), which trains on the i-th batch; infer(i), which gives the outputs of the
i-th batch. parameters() are the weights and biases after that, for the check that all have computed the same.
"""

import importlib.util
import os

import numpy as np

import fastmlp
from fastmlp.reference import Samples, Steps


class Contender:
    threads = None  # of the process; None is the library's own choice
    kinds = ("epoch", "step", "infer")
    optimizers = ("sgd",)
    in_others_order = None  # the class to check instead, of a contender that shuffles by itself

    def __init__(self, work, weights, biases, threads):
        if work.optimizer not in self.optimizers:
            raise NotImplementedError
        self.work, self.threads = work, threads
        self.x, self.labels, self.order = work.data()
        self.y = np.eye(work.sizes[-1], dtype=np.float32)[self.labels]
        self.weights, self.biases = [w.copy() for w in weights], [b.copy() for b in biases]
        starts = range(0, work.rows - work.batch + 1, work.batch)
        self.batches = [slice(start, start + work.batch) for start in starts]
        self.prepare()

    def parameters(self):
        return self.weights, self.biases


class FastMLP(Contender):
    backend = "compiled"
    optimizers = ("sgd", "momentum", "adam")

    def prepare(self):
        self.net = self.work.network(n_threads=self.threads, backend=self.backend)
        self.net.parameters[:] = np.concatenate([part.ravel() for pair in zip(self.weights, self.biases) for part in pair])
        self.ready = [(self.x[rows], self.labels[rows]) for rows in self.batches]
        rate, kinds = self.work.learning_rate, {"momentum": {"momentum": 0.9}}
        kind = fastmlp.Adam if self.work.optimizer == "adam" else fastmlp.SGD
        self.optimizer = kind(learning_rate=rate, **kinds.get(self.work.optimizer, {}))

    def epoch(self):
        self.net.fit(self.x, self.labels, 1, self.work.batch, verbose=0, optimizer=self.optimizer)

    def step(self, i):
        self.net.train_step(*self.ready[i], self.work.learning_rate)

    def infer(self, i):
        return self.net.forward(self.ready[i][0])

    def parameters(self):
        return self.net.weights, self.net.biases


class FastMLPSameOrder(FastMLP):
    """Not timed: it trains in the others' order, so that losses can be compared."""

    def epoch(self):
        losses, correct = np.empty(self.work.rows), np.empty(self.work.rows, np.uint8)
        steps = Steps(0, self.work.rows, self.work.batch, self.order)
        self.optimizer.begin(self.net.state, self.net.parameters)
        update = self.optimizer.update(self.net.state, steps.n_steps, self.net.dtype)
        self.net._engine.train(Samples(self.x, self.labels), update, steps, losses, correct)


class FastMLPNumba(FastMLP):
    backend = "numba"


class FastMLPNumbaSameOrder(FastMLPSameOrder):
    backend = "numba"


FastMLP.in_others_order, FastMLPNumba.in_others_order = FastMLPSameOrder, FastMLPNumbaSameOrder


class NumPy(Contender):
    """By hand, with arrays for every result kept between steps."""

    def prepare(self):
        n, sizes = self.work.batch, self.work.sizes
        self.a = [np.empty((n, size), np.float32) for size in sizes[1:]]
        self.delta = [np.empty((n, size), np.float32) for size in sizes[1:]]
        self.gate = [np.empty((n, size), np.float32) for size in sizes[1:]]
        self.grad_w = [np.empty_like(w) for w in self.weights]
        self.x_batch, self.y_batch = np.empty((n, sizes[0]), np.float32), np.empty((n, sizes[-1]), np.float32)

    def activate(self, a, activation):
        if activation == "relu":
            np.maximum(a, 0, out=a)
        elif activation == "softmax":
            a -= a.max(axis=1, keepdims=True)
            np.exp(a, out=a)
            a /= a.sum(axis=1, keepdims=True)
        else:
            np.negative(a, out=a)
            np.exp(a, out=a)
            a += 1
            np.divide(1, a, out=a)

    def forward(self, x):
        last = len(self.weights) - 1
        for i, (w, b, a) in enumerate(zip(self.weights, self.biases, self.a)):
            np.dot(x, w, out=a)
            a += b
            output = "softmax" if self.work.loss == "cross_entropy" else "sigmoid"
            self.activate(a, output if i == last else self.work.activation)
            x = a
        return x

    def derivative(self, i, activation):
        a, gate = self.a[i], self.gate[i]
        if activation == "relu":
            np.greater(a, 0, out=gate)
        else:
            np.subtract(1, a, out=gate)
            gate *= a
        self.delta[i] *= gate

    def train(self, x, y):
        a, rate = self.forward(x), np.float32(self.work.learning_rate)
        last = len(self.weights) - 1
        np.subtract(a, y, out=self.delta[last])
        self.delta[last] /= np.float32(len(x))
        if self.work.loss == "squared_error":
            self.derivative(last, "sigmoid")
        for i in range(last, -1, -1):
            delta = self.delta[i]
            np.dot((self.a[i - 1] if i else x).T, delta, out=self.grad_w[i])
            if i:
                np.dot(delta, self.weights[i].T, out=self.delta[i - 1])
                self.derivative(i - 1, self.work.activation)
            self.grad_w[i] *= rate
            self.weights[i] -= self.grad_w[i]
            self.biases[i] -= rate * delta.sum(axis=0)

    def epoch(self):
        for rows in self.batches:
            chosen = self.order[rows]
            np.take(self.x, chosen, axis=0, out=self.x_batch)
            np.take(self.y, chosen, axis=0, out=self.y_batch)
            self.train(self.x_batch, self.y_batch)

    def step(self, i):
        self.train(self.x[self.batches[i]], self.y[self.batches[i]])

    def infer(self, i):
        return self.forward(self.x[self.batches[i]])


class ScikitLearn(Contender):
    """Its own loop over an epoch, on rows shuffled beforehand; it has no squared error with sigmoid outputs."""

    optimizers = ("sgd", "momentum", "adam")

    def prepare(self):
        from sklearn.neural_network import MLPClassifier

        if self.work.loss != "cross_entropy":
            raise NotImplementedError
        self.net = MLPClassifier(self.work.sizes[1:-1], activation=self.work.activation, alpha=0,
                                 solver="adam" if self.work.optimizer == "adam" else "sgd", batch_size=self.work.batch,
                                 learning_rate_init=self.work.learning_rate, nesterovs_momentum=False, shuffle=False,
                                 momentum=0.9 if self.work.optimizer == "momentum" else 0)  # fmt: skip
        self.net.partial_fit(self.x[: self.work.batch], self.labels[: self.work.batch], classes=range(self.work.sizes[-1]))
        self.net.coefs_, self.net.intercepts_ = self.weights, self.biases
        optimizer, parameters = self.net._optimizer, self.weights + self.biases
        optimizer.params, optimizer.t = parameters, 0
        optimizer.velocities, optimizer.ms, optimizer.vs = ([np.zeros_like(p) for p in parameters] for _ in range(3))
        self.shuffled, self.shuffled_labels = self.x[self.order], self.labels[self.order]

    def epoch(self):
        self.net.partial_fit(self.shuffled, self.shuffled_labels)

    def step(self, i):
        self.net.partial_fit(self.x[self.batches[i]], self.labels[self.batches[i]])

    def infer(self, i):
        return self.net.predict_proba(self.x[self.batches[i]])

    def parameters(self):
        return self.net.coefs_, self.net.intercepts_


class PyTorch(Contender):
    """Linear layers, autograd and the fused optimizer; compiled, or the optimizer foreach, where the subclass says so."""

    compiled = False
    optimizers = ("sgd", "momentum", "adam")
    form = "fused"

    def prepare(self):
        import torch
        from torch import nn

        self.torch = torch
        if self.threads:
            torch.set_num_threads(self.threads)
        layers = []
        for w, b in zip(self.weights, self.biases):
            linear = nn.Linear(*w.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w.T.copy()))
                linear.bias.copy_(torch.from_numpy(b))
            layers += [linear, nn.ReLU() if self.work.activation == "relu" else nn.Sigmoid()]
        squared = self.work.loss == "squared_error"
        self.net = nn.Sequential(*(layers if squared else layers[:-1]))
        self.softmax = not squared
        kind, options = {"sgd": (torch.optim.SGD, {}), "momentum": (torch.optim.SGD, {"momentum": 0.9}),
                         "adam": (torch.optim.Adam, {})}[self.work.optimizer]  # fmt: skip
        optimizer = kind(self.net.parameters(), lr=self.work.learning_rate, **options, **{self.form: True})
        cross_entropy = nn.CrossEntropyLoss()

        def loss_of(x, y):
            outputs = self.net(x)
            return 0.5 * ((outputs - y) ** 2).sum() / len(x) if squared else cross_entropy(outputs, y)

        if self.compiled:
            loss_of = torch.compile(loss_of)

        def train(x, y):
            optimizer.zero_grad()
            loss_of(x, y).backward()
            optimizer.step()

        def outputs_of(x):
            outputs = self.net(x)
            return torch.softmax(outputs, 1) if self.softmax else outputs

        self.train, self.outputs = train, torch.compile(outputs_of) if self.compiled else outputs_of
        self.tx, self.ty = torch.from_numpy(self.x), torch.from_numpy(self.y if squared else self.labels)
        self.torder = torch.from_numpy(self.order)

    def epoch(self):
        for rows in self.batches:
            chosen = self.torder[rows]
            self.train(self.tx[chosen], self.ty[chosen])

    def step(self, i):
        self.train(self.tx[self.batches[i]], self.ty[self.batches[i]])

    def infer(self, i):
        with self.torch.inference_mode():
            return self.outputs(self.tx[self.batches[i]]).numpy()

    def parameters(self):
        linear = self.net[::2]
        return [layer.weight.detach().numpy().T for layer in linear], [layer.bias.detach().numpy() for layer in linear]


class PyTorchForeach(PyTorch):
    form = "foreach"
    optimizers = ("momentum", "adam")


class PyTorchCompiled(PyTorch):
    compiled = True


class PyTorchByHand(PyTorch):
    """The same tensors without autograd: the gradients written out, and each update one product in place."""

    optimizers = ("sgd",)

    def prepare(self):
        super().prepare()
        torch, rate, squared = self.torch, self.work.learning_rate, not self.softmax
        self.w, self.b = ([torch.from_numpy(a.copy()) for a in arrays] for arrays in (self.weights, self.biases))
        hidden = torch.relu_ if self.work.activation == "relu" else torch.sigmoid_
        output = torch.sigmoid_ if squared else lambda z: torch.softmax(z, 1)

        def forward(x):
            a = [x]
            for i, (w, b) in enumerate(zip(self.w, self.b)):
                a.append((output if i + 1 == len(self.w) else hidden)(torch.addmm(b, a[-1], w)))
            return a

        def slope(a):
            return a > 0 if self.work.activation == "relu" else a * (1 - a)

        @torch.inference_mode()
        def train(x, y):
            a = forward(x)
            if squared:
                delta = (a[-1] - y) * (a[-1] * (1 - a[-1]))
            else:
                delta = a[-1]
                delta[torch.arange(len(x)), y] -= 1
            for i in reversed(range(len(self.w))):
                before = (delta @ self.w[i].T) * slope(a[i]) if i else None
                self.w[i].addmm_(a[i].T, delta, alpha=-rate / len(x))
                self.b[i].sub_(delta.sum(0), alpha=rate / len(x))
                delta = before

        self.train, self.outputs = train, lambda x: forward(x)[-1]

    def parameters(self):
        return [w.numpy() for w in self.w], [b.numpy() for b in self.b]


class Jax(Contender):
    """jit; an epoch is one lax.scan over the batches, with optax's optimizer but for plain gradient descent."""

    optimizers = ("sgd", "momentum", "adam")

    def prepare(self):
        import jax
        import jax.numpy as jnp

        squared, rate = self.work.loss == "squared_error", self.work.learning_rate
        activation = jax.nn.relu if self.work.activation == "relu" else jax.nn.sigmoid

        def outputs(params, x):
            for w, b in params[:-1]:
                x = activation(x @ w + b)
            w, b = params[-1]
            return jax.nn.sigmoid(x @ w + b) if squared else x @ w + b

        def loss(params, x, y):
            if squared:
                return 0.5 * ((outputs(params, x) - y) ** 2).sum() / len(x)
            return -(jax.nn.log_softmax(outputs(params, x)) * y).sum() / len(x)

        self.params = [(jnp.array(w), jnp.array(b)) for w, b in zip(self.weights, self.biases)]
        self.state = ()
        if self.work.optimizer != "sgd":
            if importlib.util.find_spec("optax") is None:
                raise NotImplementedError
            import optax

            optimizer = optax.adam(rate) if self.work.optimizer == "adam" else optax.sgd(rate, momentum=0.9)
            self.state = optimizer.init(self.params)

        def train(params, state, x, y):
            grads = jax.grad(loss)(params, x, y)
            if self.work.optimizer == "sgd":
                return jax.tree.map(lambda p, g: p - rate * g, params, grads), state
            updates, state = optimizer.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        def epoch(params, state, x, y, order):
            def body(carried, rows):
                return train(*carried, x[rows], y[rows]), None

            return jax.lax.scan(body, (params, state), order)[0]

        self.train, self.run_epoch = (jax.jit(f, donate_argnums=(0, 1)) for f in (train, epoch))
        self.outputs = jax.jit(lambda params, x: outputs(params, x) if squared else jax.nn.softmax(outputs(params, x)))
        self.jx, self.jy = jnp.array(self.x), jnp.array(self.y)
        self.ready = [(self.jx[rows], self.jy[rows]) for rows in self.batches]
        self.jorder = jnp.array(self.order[: len(self.batches) * self.work.batch].reshape(-1, self.work.batch))
        self.wait = jax.block_until_ready

    def epoch(self):
        self.params, self.state = self.wait(self.run_epoch(self.params, self.state, self.jx, self.jy, self.jorder))

    def step(self, i):
        self.params, self.state = self.wait(self.train(self.params, self.state, *self.ready[i]))

    def infer(self, i):
        return np.asarray(self.outputs(self.params, self.ready[i][0]))

    def parameters(self):
        return [np.asarray(w) for w, _ in self.params], [np.asarray(b) for _, b in self.params]


class OnnxRuntime(Contender):
    """Inference only, from and into arrays that are bound once."""

    kinds = ("infer",)

    def prepare(self):
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        nodes, constants, name = [], [], "x"
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            constants += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
            nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], [f"z{i}"]))
            last = i + 1 == len(self.weights)
            kind = {"relu": "Relu", "sigmoid": "Sigmoid"}[self.work.activation]
            kind = "Softmax" if last and self.work.loss == "cross_entropy" else kind
            nodes.append(helper.make_node(kind, [f"z{i}"], [f"a{i}"]))
            name = f"a{i}"
        graph = helper.make_graph(
            nodes, "mlp", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", self.work.sizes[0]])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", self.work.sizes[-1]])], constants,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads or os.cpu_count()
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        self.bound = [self.binding(self.x[rows], name) for rows in self.batches]

    def binding(self, x, name):
        """(binding, x, out): the session reads x and writes out."""
        bound, out = self.session.io_binding(), np.empty((len(x), self.work.sizes[-1]), np.float32)
        bound.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
        bound.bind_output(name, "cpu", 0, np.float32, out.shape, out.ctypes.data)
        return bound, x, out

    def infer(self, i):
        bound, _, out = self.bound[i]
        self.session.run_with_iobinding(bound)
        return out


CONTENDERS = {
    "fastmlp": (FastMLP, "fastmlp"),
    "numba": (FastMLPNumba, "numba"),
    "NumPy": (NumPy, "numpy"),
    "scikit-learn": (ScikitLearn, "sklearn"),
    "PyTorch": (PyTorch, "torch"),
    "PyTorch foreach": (PyTorchForeach, "torch"),
    "PyTorch by hand": (PyTorchByHand, "torch"),
    "torch.compile": (PyTorchCompiled, "torch"),
    "JAX": (Jax, "jax"),
    "onnxruntime": (OnnxRuntime, "onnxruntime"),
}
