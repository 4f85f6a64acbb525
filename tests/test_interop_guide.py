"""The README's guide to C, JavaScript and ONNX, run as it stands there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.cli.main import main

README = (Path(__file__).parent.parent / "README.md").read_text()
GUIDE = README.partition("\n## Microcontrollers, JavaScript and ONNX\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def blocks(language):
    return [text for kind, text in BLOCKS if kind == language]


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = fastmlp.MLP([784, 16, 16, 10], output_activation="sigmoid", seed=0, input_scale=255, task="classes")
    net.save("fastmlp-model.npz")
    return net


def test_c(net, tmp_path):
    export, compile_it = (shlex.split(command) for command in blocks(""))
    compiler = shutil.which(compile_it[0]) or pytest.skip("gcc is not installed")
    assert main(export[1:]) == 0
    (program,) = blocks("c")
    (tmp_path / "program.c").write_text(program)
    subprocess.run([compiler, *compile_it[1:]], check=True)
    printed = subprocess.run(["./a.out"], capture_output=True, text=True, check=True).stdout.split()
    x = np.zeros(784, np.float32)
    x[300:500] = 255
    assert [float.fromhex(number) for number in printed] == net.forward(x).tolist()
    opening = Path("net.h").read_text().split("*/")[0]
    for figure in re.findall(r"([\d,]+) bytes of (?:weights|stack)", GUIDE):
        assert f"{figure.replace(',', '')} bytes of" in opening


def test_javascript(net):
    node = shutil.which("node") or pytest.skip("node is not installed")
    net.to_javascript("net.mjs")
    line = re.search(r"`(import \{ predict \}[^`]*)`", GUIDE)[1]
    program = f"const x = new Float32Array(784).fill(255, 300, 500); {line} console.log(JSON.stringify(Array.from(outputs)));"
    printed = subprocess.run([node, "--input-type=module", "-e", program], capture_output=True, text=True, check=True).stdout
    x = np.zeros(784, np.float32)
    x[300:500] = 255
    assert [float(number) for number in printed.strip()[1:-1].split(",")] == net.forward(x).tolist()


def test_onnx(net):
    pytest.importorskip("onnxruntime")
    (program,) = blocks("python")
    images = fastmlp.datasets.digits(50)[0]
    found = {"net": net, "fastmlp": fastmlp, "images": images}
    exec(compile(program, "README.md", "exec"), found)
    assert np.allclose(found["outputs"], net.forward(images), atol=1e-5)
    assert (found["answers"] == net.predict(images)).all()
    assert found["net"].hash() == net.hash() and found["net"].task == "classes"
