"""Networks as C: the bits of the reference, compiled by every compiler that is here, at every level of optimisation."""

import platform
import shutil
import subprocess

import numpy as np
import pytest
from conftest import assert_same_bits
from interop_cases import networks, numbers_for_activations, numbers_for_fma, rows_for

import fastmlp
from fastmlp import reference
from fastmlp.reference.activations import activate

FLAGS = ["-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
HARDWARE = ["-march=native"] if platform.machine() == "x86_64" else []
SOFT = ["-DMLP_SOFT_FMA"]
CROSS, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"

# A program's part for one network: reads rows and writes their outputs; then reads three arrays for each of the calls, and writes
# what it gives, number by number.
UNIT = """\
#include <stdio.h>
#include <stdlib.h>
#include "{name}.h"

static mlp_real *numbers(size_t n) {{
    mlp_real *array = malloc(n * sizeof *array);
    if (!array || fread(array, sizeof *array, n, stdin) != n) exit(1);
    return array;
}}

#define EACH(CALL) do {{ \\
    mlp_real *a = numbers({n}), *b = numbers({n}), *c = numbers({n}); \\
    for (size_t i = 0; i < {n}; i++) a[i] = (mlp_real)(CALL); \\
    fwrite(a, sizeof *a, {n}, stdout); \\
    free(a), free(b), free(c); \\
}} while (0)

void {name}(void);
void {name}(void) {{
    mlp_real *x = numbers({rows} * MLP_INPUTS), out[MLP_OUTPUTS];
    for (size_t row = 0; row < {rows}; row++) {{
        predict(x + row * MLP_INPUTS, out);
        fwrite(out, sizeof *out, MLP_OUTPUTS, stdout);
    }}
    free(x);
    {calls}
}}
"""


def function_of(activation, dtype):
    """The call that applies it in C."""
    digits = "" if activation in ("relu", "leaky_relu") else "24" if dtype == np.float32 else "53"
    return f"mlp_{activation}{digits}(a[i])"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """(folder with the sources of a program that runs them all, what it reads, what it must write)."""
    folder, asked, wanted, names = tmp_path_factory.mktemp("c"), [], [], []
    for net in networks():
        name, dtype, x = f"net{len(names)}", net.dtype, rows_for(net)
        names.append(name)
        net.to_c(folder / f"{name}.h")
        asked.append(x)
        wanted.append(net.forward(x))
        activations = [a for a in net.layer_activations if a not in ("identity", "softmax")]
        fma = numbers_for_fma(dtype)
        z = numbers_for_activations(dtype, len(fma[0]))
        calls = ["MLP_FMA(a[i], b[i], c[i])", *(function_of(activation, dtype) for activation in activations)]
        asked += [*fma, *[z, z, z] * len(activations)]
        wanted += [reference.fma(*fma), *(activate(activation, z) for activation in activations)]
        calls = "\n    ".join(f"EACH({call});" for call in calls)
        (folder / f"{name}.c").write_text(UNIT.format(name=name, rows=len(x), n=len(z), calls=calls))
    calls = (
        "".join(f"void {name}(void);\n" for name in names)
        + "int main(void) {\n"
        + "".join(f"    {name}();\n" for name in names)
    )
    (folder / "main.c").write_text(calls + "    return 0;\n}\n")
    return folder, b"".join(array.tobytes() for array in asked), wanted


def check(program, compiler, flags, emulator=()):
    """Compile, run, compare."""
    folder, asked, wanted = program
    sources = [path.name for path in folder.glob("*.c")]
    built = subprocess.run(
        [compiler, *FLAGS, *flags, *sources, "-o", "program", "-lm"], cwd=folder, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    written = subprocess.run([*emulator, "./program"], cwd=folder, input=asked, capture_output=True, check=True).stdout
    start = 0
    for i, array in enumerate(wanted):
        found = np.frombuffer(written, array.dtype, array.size, start).reshape(array.shape)
        assert_same_bits([found], [array], f"result {i} of {compiler} {' '.join(flags)}")
        start += array.nbytes
    assert start == len(written)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", [
    ["-O0", *HARDWARE], ["-O1", *HARDWARE, "-std=c99", "-pedantic"], ["-O2", *HARDWARE], ["-O3", *HARDWARE],
    ["-Os", *SOFT], ["-O3", *SOFT],
], ids=" ".join)  # fmt: skip
def test_the_bits_of_the_reference(program, compiler, flags):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    check(program, compiler, flags)


@pytest.mark.skipif(not (shutil.which(CROSS) and shutil.which(EMULATOR)), reason="no compiler for aarch64, or no emulator")
@pytest.mark.parametrize("flags", [["-O0"], ["-O3"], ["-O2", *SOFT]], ids=" ".join)
def test_the_bits_of_the_reference_on_aarch64(program, flags):
    check(program, CROSS, [*flags, "-static"], [EMULATOR])


def test_what_the_first_lines_say(tmp_path):
    net = fastmlp.MLP([300, 16, 8, 4, 10], "relu", seed=0, input_scale=255)
    net.to_c(tmp_path / "net.h")
    opening = (tmp_path / "net.h").read_text().split("*/")[0]
    assert net.hash() in opening and "300-16-8-4-10" in opening and "divides by 255" in opening
    assert f"{4 * net.n_parameters} bytes of flash" in opening
    assert f"{4 * (16 + 8 + 64 + 256)} bytes of stack" in opening


def test_every_number_can_be_written(tmp_path):
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed")
    for dtype in ("float32", "float64"):
        net = fastmlp.MLP([3, 3], "identity", dtype=dtype)
        info = np.finfo(dtype)
        net.weights[0][...] = [[np.inf, -np.inf, np.nan], [info.max, info.smallest_subnormal, -0.0], [0.1, -1 / 3, 1e30]]
        net.to_c(tmp_path / "net.h")
        print_them = "for (int i = 0; i < 9; i++) fwrite(&mlp_w_1[i], sizeof(mlp_real), 1, stdout);"
        program = f'#include <stdio.h>\n#include "net.h"\nint main(void) {{ {print_them} return 0; }}'
        (tmp_path / "program.c").write_text(program)
        subprocess.run([compiler, "program.c", "-o", "program", "-lm"], cwd=tmp_path, check=True)
        written = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, check=True).stdout
        assert_same_bits([np.frombuffer(written, dtype).reshape(3, 3)], [net.weights[0]], dtype)


def test_what_changes_bits_is_refused(tmp_path):
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed")
    fastmlp.MLP([3, 3]).to_c(tmp_path / "net.h")
    (tmp_path / "program.c").write_text('#include "net.h"\nint main(void) { return 0; }')
    refused = subprocess.run([compiler, "-Ofast", "program.c"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode != 0 and "leave out -ffast-math" in refused.stderr


def test_an_activation_of_one_s_own_is_refused(tmp_path):
    @fastmlp.activation
    def steep(z):
        return z * 10

    net = fastmlp.MLP([3, 4, 2], steep, backend="reference")
    with pytest.raises(ValueError, match="activation steep is a Python function of your own, which C cannot say"):
        net.to_c(tmp_path / "net.h")
    assert not list(tmp_path.iterdir())
