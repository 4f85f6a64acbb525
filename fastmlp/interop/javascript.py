"""Networks as JavaScript: an ES module with the weights and a function that gives the bits of forward for one row.

The functions that it is made of are in network.mjs.
"""

import base64
import textwrap

import numpy as np

from ..architecture import Architecture, layer_views
from ..arrays import Floats
from .parts import activation_names, parts, title

OPENING = """\
{title}
// SHA-256 of its parameters: {sha256}
//
//     import {{ predict }} from "./net.mjs";
//     const outputs = predict(x);          // or predict(x, outputs)
//
// x: {n_in} numbers{scaled}; outputs: {n_out} numbers, a {real}.
// They are fastmlp's bit for bit, on every engine: only operations are used that JavaScript defines to the last bit.

const Real = {real};

{functions}

// Numbers from their bytes, little-endian, in base64.
function decode(text) {{
    const view = new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    return Real.from({{ length: view.byteLength / {size} }}, (_, i) => view.{get}(i * {size}, true));
}}

const LAYERS = [ // weights (n_in, n_out), biases, outputs, sums
{layers}
];
const input = new Real({n_in});

export const inputs = {n_in}, outputs = {n_out};

export function predict(x, out = new Real({n_out})) {{
    if (x.length !== {n_in} || out.length !== {n_out}) throw new RangeError("predict: x must hold {n_in} numbers, out {n_out}");
    input.set(x);
{scaling}    let a = input;
    for (const [w, b, z, s, activate] of LAYERS) {{
        dense(a, w, b, z, s);
        activate(z);
        a = z;
    }}
    out.set(a);
    return out;
}}
"""


def source(architecture: Architecture, parameters: Floats, sha256: str) -> str:
    """The text of the module; see MLP.to_javascript."""
    sizes, _, _, dtype, input_scale, _ = architecture
    names, single = activation_names(architecture, "JavaScript"), dtype == np.float32
    digits = "24" if single else "53"
    used = {name if name in ("relu", "leaky_relu") else name + digits for name in names if name != "identity"}
    is_scaled = input_scale != 1
    return OPENING.format(
        title=textwrap.fill(title(architecture), 125, initial_indent="// ", subsequent_indent="// "),
        sha256=sha256,
        n_in=sizes[0],
        n_out=sizes[-1],
        scaled=f", which are divided by {input_scale:g}" if is_scaled else "",
        scaling=f"    for (let i = 0; i < {sizes[0]}; i++) input[i] = input[i] / {float(dtype.type(input_scale))!r};\n"
        * is_scaled,
        real="Float32Array" if single else "Float64Array",
        get="getFloat32" if single else "getFloat64",
        size=dtype.itemsize,
        functions=parts("network.mjs", used | {"dense", "fma" + digits}),
        layers="\n".join(_layer(*layer, name, digits) for layer, name in zip(layer_views(parameters, sizes), names)),
    )


def _layer(weights: Floats, bias: Floats, name: str, digits: str) -> str:
    arrays = ", ".join(f"new Real({len(bias)})" for _ in "zs")
    return f"    [decode(`{_encoded(weights)}`), decode(`{_encoded(bias)}`), {arrays}, {_activation(name, digits)}],"


def _activation(name: str, digits: str) -> str:
    if name == "identity":
        return "() => {}"
    if name == "softmax":
        return "softmax"
    function = name if name in ("relu", "leaky_relu") else name + digits
    return f"(z) => {{ for (let j = 0; j < z.length; j++) z[j] = {function}(z[j]); }}"


def _encoded(values: Floats) -> str:
    little_endian = values.astype(values.dtype.newbyteorder("<"))
    return base64.encodebytes(little_endian.tobytes()).decode().strip()
