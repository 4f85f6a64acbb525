"""ONNX: networks as graphs of Gemm and activations, and chains of Gemm, MatMul and Add, and activations as networks.

Files are of opset 20. Where ONNX has an operator, it is taken, save in float64 those that onnxruntime does not compute there, or
only to float32's precision: these are functions of the file itself, in the domain "fastmlp", made of operators that it computes.
"""

from collections.abc import Iterator
from os import PathLike, fsdecode
from typing import Any

import numpy as np

from ..activations import ACTIVATIONS
from ..architecture import Architecture, layer_views
from ..persistence import replacing
from ..reference.smooth import NORMAL_SERIES, SELU_SCALE, SELU_SCALE_ALPHA, TANH_CUBIC, TANH_LINEAR
from .layers import Arrays, Layers
from .parts import activation_names

try:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import TensorProto, helper, numpy_helper, parser
except ImportError as error:
    raise ImportError('ONNX is not installed; install it with: pip install "fastmlp[onnx]"') from error

OPSET, IR_VERSION = 20, 9
LARGEST = 2**31 - 2**20  # bytes of weights: a file of protobuf ends at 2 GB
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {  # and the options with which they are fastmlp's activations
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}),
    "softplus": ("Softplus", {}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "softmax": ("Softmax", {"axis": -1}),
    "exp": ("Exp", {}),
}
DEFAULTS = {
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Selu": OPERATORS["selu"][1],
    "Gelu": {"approximate": "none"},
}
NOTHING = "Identity", "Dropout"
OF_LABELS = "ArgMax", "Greater", "Cast", "Squeeze"
DOMAIN = "fastmlp"

# Bodies of the functions for float64: z becomes a. Numbers in braces become constants.
IN_FLOAT64 = {
    "leaky_relu": "p = Relu(z) n = Min(z, {0}) s = Mul(n, {0.01}) a = Add(p, s)",
    "elu": "p = Relu(z) n = Min(z, {0}) t = Exp(n) m = Sub(t, {1}) a = Add(p, m)",
    "selu": f"p = Relu(z) n = Min(z, {{0}}) t = Exp(n) m = Sub(t, {{1}}) q = Mul(p, {{{SELU_SCALE}}}) "
    f"r = Mul(m, {{{SELU_SCALE_ALPHA}}}) a = Add(q, r)",
    "softplus": "p = Relu(z) x = Abs(z) n = Neg(x) t = Exp(n) u = Add(t, {1}) l = Log(u) a = Add(p, l)",
    "gelu_tanh": f"x = Max(z, {{-22}}) c = Min(x, {{22}}) y = Mul(c, c) q = Mul(y, {{{TANH_CUBIC}}}) f = Add(q, {{{TANH_LINEAR}}}) "
    "v = Mul(c, f) s = Sigmoid(v) a = Mul(x, s)",
    # As in reference/smooth.py: Phi(-x) = e^(-x^2/2) r P(t), with r = 1 / (x + 5.5) and t = 1 - 11 r.
    "gelu": "p = Relu(z) m = Abs(z) x = Min(m, {39}) y = Mul(x, x) h = Mul(y, {-0.5}) e = Exp(h) d = Add(x, {5.5}) r = Div({1}, d) "
    "v = Mul(r, {11}) t = Sub({1}, v) " + f"s0 = Identity({{{NORMAL_SERIES[0]!r}}}) "
    + " ".join(f"m{i} = Mul(s{i - 1}, t) s{i} = Add(m{i}, {{{c!r}}})" for i, c in enumerate(NORMAL_SERIES) if i)
    + f" w = Mul(r, s{len(NORMAL_SERIES) - 1}) g = Mul(e, w) k = Mul(x, g) a = Sub(p, k)",
}  # fmt: skip


def write(path: str | PathLike[str], architecture: Architecture, parameters: np.ndarray, labels: bool) -> None:
    """Write a network as an ONNX file; see MLP.to_onnx."""
    model = model_of(architecture, parameters, labels)
    onnx.checker.check_model(model, full_check=True)
    with replacing(path) as file:
        file.write(model.SerializeToString())


def model_of(architecture: Architecture, parameters: np.ndarray, labels: bool) -> onnx.ModelProto:
    """The network as a graph: x (rows, n_in) becomes output (rows, n_out), and where asked label, what predict gives."""
    sizes, _, _, dtype, input_scale, task = architecture
    if parameters.nbytes > LARGEST:
        raise ValueError(f"an ONNX file holds up to 2 GB, and the parameters of this network take {parameters.nbytes} bytes")
    names, real = activation_names(architecture, "ONNX"), helper.np_dtype_to_tensor_dtype(dtype)
    nodes, constants, functions, value = [], [], set[str](), "x"
    if input_scale != 1:
        constants.append(numpy_helper.from_array(np.array(input_scale, dtype), "input_scale"))
        nodes.append(helper.make_node("Div", ["x", "input_scale"], ["scaled"], "scaled"))
        value = "scaled"
    for i, ((weights, bias), name) in enumerate(zip(layer_views(parameters, sizes), names), 1):
        z, a = f"z{i}", "output" if i == len(names) else f"a{i}"
        constants += [numpy_helper.from_array(array.copy(), f"{kind}{i}") for kind, array in (("w", weights), ("b", bias))]
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [z], z))
        if name == "identity":
            nodes[-1].output[0] = a
        elif name == "silu":
            nodes += [helper.make_node("Sigmoid", [z], [f"s{i}"], f"s{i}"), helper.make_node("Mul", [z, f"s{i}"], [a], a)]
        elif dtype == np.float64 and name in IN_FLOAT64:
            nodes.append(helper.make_node(name, [z], [a], a, domain=DOMAIN))
            functions.add(name)
        else:
            operator, options = OPERATORS[name]
            nodes.append(helper.make_node(operator, [z], [a], a, **options))
        value = a
    outputs = [helper.make_tensor_value_info("output", real, ["rows", sizes[-1]])]
    if labels:
        outputs.append(_label(task, sizes[-1], dtype, nodes, constants))
    graph = helper.make_graph(
        nodes, "multilayer_perceptron", [helper.make_tensor_value_info("x", real, ["rows", sizes[0]])], outputs, constants
    )
    imports = [helper.make_opsetid("", OPSET), *([helper.make_opsetid(DOMAIN, 1)] if functions else [])]
    return helper.make_model(
        graph,
        opset_imports=imports,
        ir_version=IR_VERSION,
        producer_name="fastmlp",
        functions=[_function(f) for f in sorted(functions)],
    )


def _label(task: str, n_out: int, dtype: np.dtype, nodes: list[Any], constants: list[Any]) -> Any:
    """Add what makes label of output; its description."""
    if task == "numbers":
        raise ValueError("labels=True is for networks that answer classes or labels; this one's task is 'numbers'")
    if task == "classes" and n_out > 1:
        nodes.append(helper.make_node("ArgMax", ["output"], ["label"], "label", axis=1, keepdims=0))
        return helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"])
    constants.append(numpy_helper.from_array(np.array(0.5, dtype), "half"))
    flags = "flags" if task == "classes" else "label"
    nodes.append(helper.make_node("Greater", ["output", "half"], ["holds"], "holds"))
    nodes.append(helper.make_node("Cast", ["holds"], [flags], flags, to=TensorProto.INT64))
    if task == "labels":
        return helper.make_tensor_value_info("label", TensorProto.INT64, ["rows", n_out])
    constants.append(numpy_helper.from_array(np.array([1]), "axes"))
    nodes.append(helper.make_node("Squeeze", [flags, "axes"], ["label"], "label"))
    return helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"])


def _function(name: str) -> onnx.FunctionProto:
    numbers: list[str] = []

    def constant(text: str) -> str:
        numbers.append(f"c{len(numbers)} = Constant <value = double {{{float(text)!r}}}> ()")
        return f"c{len(numbers) - 1}"

    pieces = IN_FLOAT64[name].replace("}", "{").split("{")
    body = "".join(constant(piece) if i % 2 else piece for i, piece in enumerate(pieces))
    text = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}"> {name} (z) => (a) {{ {" ".join(numbers)} {body} }}'
    return parser.parse_function(text)


def layers_of(model: Any) -> Layers:
    """The Layers of an ONNX model, or of a file; see fastmlp.from_onnx."""
    if not isinstance(model, onnx.ModelProto):
        path = fsdecode(model)
        try:
            model = onnx.load(path)
        except DecodeError as error:
            raise ValueError(f"{path!r} is damaged or not an ONNX file: {error}") from None
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"not a valid ONNX model: {error}") from None
    return _Chain(model.graph).layers()


class _Chain:
    """A graph that is gone through from its input to its output."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        self.nodes = []
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            else:
                self.nodes.append(node)
        inputs = [value.name for value in graph.input if value.name not in self.constants]
        reals = [
            value.name
            for value in graph.output
            if value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE)
        ]
        if len(inputs) != 1 or len(reals) != 1:
            raise ValueError(
                f"a network has one input and one output of float32 or float64, and this graph has the inputs {inputs} and the "
                f"outputs {reals}"
            )
        self.value, self.output = inputs[0], reals[0]
        self.weights: Arrays = []
        self.biases: Arrays = []
        self.activations: list[str] = []
        self.waits_for_bias = False  # after a MatMul
        self.input_scale = 1.0

    def layers(self) -> Layers:
        """Take node after node until the output, then look that nothing else is left."""
        left = list(self.nodes)
        while self.value != self.output:
            users = [node for node in left if self.value in node.input]
            for node in self._next(users):
                left.remove(node)
        for node in left:
            if node.op_type not in OF_LABELS:
                raise self._refused(node, "it does not lead to the outputs")
        if not self.weights:
            raise ValueError("the graph has no Gemm or MatMul")
        return Layers(self.weights, self.biases, self.activations, self.input_scale)

    def _next(self, users: list[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        """Take the nodes that use the value, and give them; the value becomes theirs."""
        by_type = {node.op_type: node for node in users}
        if len(users) == 2 and by_type.keys() == {"Sigmoid", "Mul"}:
            product, sigmoid = by_type["Mul"], by_type["Sigmoid"]
            if set(product.input) == {self.value, sigmoid.output[0]}:
                self._activate("silu", product)
                self.value = product.output[0]
                yield from (product, sigmoid)
                return
        if len(users) != 1:
            node = users[1] if users else None
            if node is None:
                raise ValueError(f"{self.value!r} leads nowhere: the graph is no chain from its input to its output")
            raise self._refused(node, f"{self.value!r} goes to several nodes")
        self._take(users[0])
        self.value = users[0].output[0]
        yield users[0]

    def _take(self, node: onnx.NodeProto) -> None:
        kind = node.op_type
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        options = {name: value.decode() if isinstance(value, bytes) else value for name, value in options.items()}
        if node.domain not in ("", "ai.onnx", DOMAIN):
            raise self._refused(node, f"its domain is {node.domain!r}")
        if kind == "Gemm":
            wanted = {"alpha": 1.0, "beta": 1.0, "transA": 0}
            transposed = options.pop("transB", 0)
            self._require(node, wanted, wanted | options)
            w = self._constant(node, 1)
            self._add_layer(node, w.T if transposed else w)
            if len(node.input) > 2 and node.input[2]:
                self._add_bias(node, self._constant(node, 2))
            self.waits_for_bias = False
        elif kind == "MatMul" and node.input[0] == self.value:
            self._add_layer(node, self._constant(node, 1))
            self.waits_for_bias = True
        elif kind == "Add" and self.waits_for_bias:
            self._add_bias(node, self._constant(node, int(node.input[0] == self.value)))
            self.waits_for_bias = False
        elif kind == "Div" and not self.weights and self.input_scale == 1 and node.input[0] == self.value:
            divisor = self._constant(node, 1)
            if divisor.size != 1:
                raise self._refused(node, "its divisor is not one number")
            self.input_scale = float(divisor.reshape(-1)[0])
        elif kind == "Flatten" and not self.weights:
            self._require(node, {"axis": 1}, {"axis": 1, **options})
        elif kind in NOTHING and len(node.input) < 3:
            pass
        else:
            self._activate(self._activation(node, options), node)

    def _activation(self, node: onnx.NodeProto, options: dict[str, Any]) -> str:
        if node.domain == DOMAIN and node.op_type in ACTIVATIONS:
            return node.op_type
        options = {**DEFAULTS.get(node.op_type, {}), **options}
        if node.op_type == "Softmax" and options.get("axis", -1) == 1:  # the last one of two
            options["axis"] = -1
        names = [name for name, (kind, _) in OPERATORS.items() if kind == node.op_type]
        if not names or node.domain == DOMAIN:
            raise self._refused(node, "it is none of these")
        for name in names:
            wanted = OPERATORS[name][1]
            same = [np.float32(value) == np.float32(options.get(key, value)) if isinstance(value, float) else
                    value == options.get(key, value) for key, value in wanted.items()]  # fmt: skip
            if all(same) and options.keys() <= wanted.keys():
                return name
        raise self._refused(node, f"with {options}, it is not fastmlp's {names[0]}")

    def _activate(self, name: str, node: onnx.NodeProto) -> None:
        if not self.weights or self.activations[-1] != "identity":
            raise self._refused(node, "it does not follow a layer")
        self.activations[-1] = name
        self.waits_for_bias = False

    def _add_layer(self, node: onnx.NodeProto, weights: np.ndarray) -> None:
        if weights.ndim != 2 or weights.dtype not in (np.float32, np.float64):
            raise self._refused(node, f"its weights are {weights.dtype} {weights.shape}, not a float32 or float64 matrix")
        if self.weights and len(weights) != len(self.biases[-1]):
            raise self._refused(node, f"its weights are {weights.shape}, after a layer of {len(self.biases[-1])} outputs")
        self.weights.append(weights)
        self.biases.append(np.zeros(weights.shape[1], weights.dtype))
        self.activations.append("identity")

    def _add_bias(self, node: onnx.NodeProto, bias: np.ndarray) -> None:
        n_out = len(self.biases[-1])
        if bias.size not in (1, n_out) or bias.shape[-1:] not in ((), (1,), (n_out,)):
            raise self._refused(node, f"its bias has shape {bias.shape}, for {n_out} outputs")
        self.biases[-1] = np.broadcast_to(bias.reshape(-1), n_out)

    def _constant(self, node: onnx.NodeProto, i: int) -> np.ndarray:
        if node.input[i] not in self.constants:
            raise self._refused(node, f"its input {node.input[i]!r} is not a constant")
        return self.constants[node.input[i]]

    def _require(self, node: onnx.NodeProto, wanted: dict[str, Any], options: dict[str, Any]) -> None:
        if options != wanted:
            raise self._refused(node, f"with {options}")

    def _refused(self, node: onnx.NodeProto, reason: str) -> ValueError:
        name = node.name or node.output[0]
        return ValueError(
            f"{node.op_type} {name!r} has no place in a multilayer perceptron of fastmlp ({reason}): that is a chain of Gemm, or "
            f"MatMul and Add, each with at most one activation after it: {', '.join(OPERATORS)} or silu"
        )
