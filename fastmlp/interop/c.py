"""Networks as C: one file with the weights and a function that gives the bits of forward for one row.

The functions that it is made of are in network.h.
"""

import math
import re
import textwrap
from collections.abc import Sequence

import numpy as np

from ..architecture import Architecture, layer_views
from ..arrays import Floats
from .parts import activation_names, parts, title

IN_A_LINE = 6
OF_REALS = "relu", "leaky_relu"  # functions of network.h that are computed in mlp_real, the others in double
CHUNK, SIDE = 256, 64  # as in network.h
OPENING = """\
/* {title}
 * SHA-256 of its parameters: {sha256}
 *
 *     void predict(const {real} *x, {real} *out)
 *
 * writes the {n_out} outputs for the {n_in} inputs x{scaled}; x and out must not overlap.
 *
 * C99, no library but {fma}, no allocation. It gives fastmlp's outputs bit for bit where no compiler fuses or reorders
 * arithmetic of its own accord, in round-to-nearest without flush-to-zero:
 *
 *     gcc -O3 -march=native -ffp-contract=off program.c -lm
 *
 * and clang alike, at any -O but -Ofast, never with -ffast-math, and with the target's own -march or -mcpu. For processors
 * without fused multiply-add in hardware, define MLP_SOFT_FMA: the file then brings its own, in {soft}.
 *
 * Memory: {flash} bytes of flash for weights and biases, which are const, and 1 to 6 KB for the code (gcc -Os, Cortex-M4);
 * {stack} bytes of stack for arrays, and a few hundred for what the compiler keeps there.
 */
#ifndef MLP_NETWORK
#define MLP_NETWORK

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __FAST_MATH__
#error "the bits of this network need arithmetic as it is written: leave out -ffast-math and -Ofast"
#endif
#if (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16) || DBL_MANT_DIG != 53 /* 16: as 0, but for _Float16 */
#error "the bits of this network need float and double of IEEE 754, without excess precision: such as -mfpmath=sse -msse2 on x86"
#endif

typedef {real} mlp_real;
enum {{ MLP_INPUTS = {n_in}, MLP_OUTPUTS = {n_out} }};

static inline uint64_t mlp_to_bits(double x) {{ union {{ double x; uint64_t bits; }} u; u.x = x; return u.bits; }}
static inline double mlp_from_bits(uint64_t bits) {{ union {{ double x; uint64_t bits; }} u; u.bits = bits; return u.x; }}

#ifdef MLP_SOFT_FMA
#define MLP_FMA mlp_fma
{soft_fma}
#else
#define MLP_FMA {fma}
#endif

{functions}

{constants}

static inline void predict(const {real} *x, {real} *out) {{
{body}
}}

#endif
"""


def source(architecture: Architecture, parameters: Floats, sha256: str) -> str:
    """The text of the file; see MLP.to_c."""
    sizes, _, _, dtype, input_scale, _ = architecture
    names, single = activation_names(architecture, "C"), dtype == np.float32
    digits, real = ("24", "float") if single else ("53", "double")
    layers, is_scaled = layer_views(parameters, sizes), input_scale != 1
    used = {name if name in OF_REALS else name + digits for name in names if name != "identity"}
    used.add("scaled_dense" if is_scaled else "dense")
    body, buffers = _body(layers, names, digits, _number(dtype.type(input_scale)) if is_scaled else None)
    return OPENING.format(
        title="\n * ".join(textwrap.wrap(title(architecture), 125)),
        sha256=sha256,
        real=real,
        n_in=sizes[0],
        n_out=sizes[-1],
        scaled=f", which it divides by {input_scale:g}" if is_scaled else "",
        fma="fmaf" if single else "fma",
        soft="double" if single else "integers",
        flash=parameters.nbytes,
        stack=(buffers + SIDE + CHUNK * is_scaled) * dtype.itemsize,
        soft_fma=parts("network.h", {"soft_fma" + digits}),
        functions=parts("network.h", used),
        constants="\n\n".join(
            _array(f"mlp_{kind}_{i}", values) for i, layer in enumerate(layers, 1) for kind, values in zip("wb", layer)
        ),
        body="\n".join("    " + line for line in body),
    )


def _body(
    layers: Sequence[tuple[Floats, Floats]], names: Sequence[str], digits: str, scale: str | None
) -> tuple[list[str], int]:
    """The lines of predict, and how many numbers its arrays hold: hidden layers take turns in two."""
    hidden = [len(bias) for _, bias in layers[:-1]]
    turns = {name: max(hidden[i::2]) for i, name in enumerate("ab") if hidden[i::2]}
    lines = [f"mlp_real {', '.join(f'{name}[{size}]' for name, size in turns.items())};"] if turns else []
    x = "x"
    for i, ((weights, _), name) in enumerate(zip(layers, names)):
        z = "out" if i == len(hidden) else "ab"[i % 2]
        n_in, n_out = weights.shape
        function, x = ("mlp_scaled_dense", f"x, {scale}") if i == 0 and scale else ("mlp_dense", x)
        lines.append(f"{function}({x}, mlp_w_{i + 1}, mlp_b_{i + 1}, {z}, {n_in}, {n_out});")
        if name == "softmax":
            lines.append(f"mlp_softmax({z}, {n_out});")
        elif name != "identity":
            call = f"mlp_{name}({z}[j])" if name in OF_REALS else f"(mlp_real)mlp_{name}{digits}({z}[j])"
            lines.append(f"for (size_t j = 0; j < {n_out}; j++) {z}[j] = {call};")
        x = z
    return lines, sum(turns.values())


def _array(name: str, values: Floats) -> str:
    numbers = [_number(value) for value in values.ravel()]
    lines = (", ".join(numbers[i : i + IN_A_LINE]) for i in range(0, len(numbers), IN_A_LINE))
    return f"static const mlp_real {name}[{len(numbers)}] = {{\n    " + ",\n    ".join(lines) + ",\n};"


def _number(value: np.floating) -> str:
    """A float32 or float64 as C writes it, with all its bits."""
    if not math.isfinite(value):
        return "NAN" if value != value else "INFINITY" if value > 0 else "-INFINITY"
    return re.sub(r"\.?0*p", "p", float(value).hex()) + ("f" if value.dtype == np.float32 else "")
