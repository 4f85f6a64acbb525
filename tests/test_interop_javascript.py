"""Networks as JavaScript: the bits of the reference, in node."""

import shutil
import subprocess

import numpy as np
import pytest
from conftest import assert_same_bits
from interop_cases import networks, numbers_for_activations, numbers_for_fma, rows_for

import fastmlp
from fastmlp import reference
from fastmlp.reference.activations import activate

# Reads rows and writes their outputs, then three arrays for each function and writes what it gives, number by number.
PROGRAM = """\
import {{ readFileSync, writeFileSync }} from "node:fs";
import * as net from "./net.mjs";

const bytes = readFileSync("asked"), Real = {real}, written = [];
let start = 0;
function numbers(n) {{
    const array = new Real(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + start + n * Real.BYTES_PER_ELEMENT));
    start += array.byteLength;
    return array;
}}
for (let row = 0; row < {rows}; row++) {{
    const x = numbers(net.inputs), out = net.predict(x);
    if (net.predict(Array.from(x), out) !== out || out.length !== net.outputs) throw new Error("predict");
    written.push(out);
}}
for (const f of [{functions}]) {{
    const a = numbers({n}), b = numbers({n}), c = numbers({n});
    written.push(a.map((_, i) => f(a[i], b[i], c[i])));
}}
writeFileSync("written", Buffer.concat(written.map((array) => new Uint8Array(array.buffer))));
"""


@pytest.fixture
def node():
    return shutil.which("node") or pytest.skip("node is not installed")


@pytest.mark.parametrize("number", range(6))
def test_the_bits_of_the_reference(node, number, tmp_path):
    net = list(networks())[number]
    dtype, x = net.dtype, rows_for(net)
    single = dtype == np.float32
    activations = [a for a in net.layer_activations if a not in ("identity", "softmax")]
    fma, module = numbers_for_fma(dtype), tmp_path / "net.mjs"
    z = numbers_for_activations(dtype, len(fma[0]))
    functions = [a if a in ("relu", "leaky_relu") else a + ("24" if single else "53") for a in activations]
    functions = ["fma", *dict.fromkeys(functions)]
    net.to_javascript(module)
    module.write_text(module.read_text() + f"export {{ {', '.join(functions)} }};\n")
    asked = [x, *fma, *[z, z, z] * (len(functions) - 1)]
    (tmp_path / "asked").write_bytes(b"".join(array.tobytes() for array in asked))
    calls = ", ".join(f"net.{function}" for function in functions)
    real = "Float32Array" if single else "Float64Array"
    (tmp_path / "program.mjs").write_text(PROGRAM.format(real=real, rows=len(x), n=len(z), functions=calls))
    subprocess.run([node, "program.mjs"], cwd=tmp_path, check=True)
    wanted = [net.forward(x), reference.fma(*fma), *(activate(name, z) for name in dict.fromkeys(activations))]
    written, start = (tmp_path / "written").read_bytes(), 0
    for array, what in zip(wanted, ["predict", *functions]):
        found = np.frombuffer(written, dtype, array.size, start).reshape(array.shape)
        assert_same_bits([found], [array], what)
        start += array.nbytes
    assert start == len(written)


def test_a_row_of_another_length_is_refused(node, tmp_path):
    fastmlp.MLP([3, 2]).to_javascript(tmp_path / "net.mjs")
    program = 'import { predict } from "./net.mjs"; predict([1, 2]);'
    refused = subprocess.run([node, "--input-type=module", "-e", program], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode != 0 and "x must hold 3 numbers" in refused.stderr


def test_an_activation_of_one_s_own_is_refused(tmp_path):
    @fastmlp.activation
    def steep(z):
        return z * 10

    net = fastmlp.MLP([3, 4, 2], steep, backend="reference")
    with pytest.raises(ValueError, match="activation steep is a Python function of your own, which JavaScript cannot say"):
        net.to_javascript(tmp_path / "net.mjs")
    assert not list(tmp_path.iterdir())
