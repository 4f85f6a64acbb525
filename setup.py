"""The extension modules: fastmlp/kernels/kernels.pyx, built once for each instruction set and element type.

Everything else stands in pyproject.toml. Without a C compiler nothing is built and fastmlp runs on its reference;
with one, an error of the compiler is an error. FASTMLP_BUILD_STRICT=1, for wheels, makes an error of everything that would be left
out: an instruction set, OpenMP, or all kernels. Environment variables: FASTMLP_BUILD_ISAS, a comma-separated list,
restricts what is built; FASTMLP_BUILD_OPENMP=no leaves OpenMP out; FASTMLP_BUILD_SANITIZE=address,undefined or =thread
builds with the compiler's sanitizers.
"""

import os
import platform
import sys
import tempfile

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

X86 = platform.machine().lower() in ("x86_64", "amd64")
ISA_FLAGS = {
    "portable": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mavx2", "-mfma", "-mprefer-vector-width=512"],
}
# No contraction and no reassociation: every operation is rounded as it is written. The last two flags give up errno
# and floating-point exceptions, which nobody reads, and no bit of a result.
FLAGS = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
# gcc follows each clamp of exp through all that comes after it, and computes both ends of the range beside every value.
PLAIN_JUMPS = ["-fno-thread-jumps"]
INEXACT = {"-Ofast", "-ffast-math", "-funsafe-math-optimizations", "-fassociative-math", "-freciprocal-math"}
HEADERS = [
    "simd.h", "softfma.h", "tile.h", "stream.h", "narrow.h", "updates.h", "dropout.h", "transpose.h", "runtime.h", "waiting.h",
    "team.h",
]  # fmt: skip
INCLUDES = [
    "branches.pxi", "arrays.pxi", "products.pxi", "elementary.pxi", "smooth.pxi", "activations.pxi", "losses.pxi",
    "updates.pxi", "norms.pxi", "network.pxi", "workspace.pxi", "autotune.pxi", "team.pxi", "functions.pxi", "engine.pxi",
]  # fmt: skip


def extensions():
    import numpy
    from Cython.Build import cythonize

    isas = os.environ.get("FASTMLP_BUILD_ISAS", ",".join(ISA_FLAGS) if X86 else "portable").split(",")
    built = []
    for isa in isas:
        for dtype in ("float32", "float64"):
            name = f"{isa}_{dtype}"
            # One C file for each module, since the module's name stands in it. What tells the modules apart is set
            # only then: Cython remembers macros and flags by source file, and would give all modules the first ones.
            source = Extension(f"fastmlp.kernels.{name}", ["fastmlp/kernels/kernels.pyx"])
            (extension,) = cythonize(source, build_dir=f"build/cython/{name}", quiet=True)
            extension.include_dirs = ["fastmlp/kernels", numpy.get_include()]
            extension.define_macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
            extension.define_macros.append(("FASTMLP_DOUBLE", str(int(dtype == "float64"))))
            if isa == "portable":
                extension.define_macros.append(("FASTMLP_PORTABLE", "1"))
            extension.extra_compile_args = FLAGS + ISA_FLAGS[isa]
            extension.depends = [f"fastmlp/kernels/{file}" for file in HEADERS + INCLUDES]
            built.append(extension)
    return built


def isa_of(extension):
    return extension.name.rsplit(".", 1)[1].split("_")[0]


def left_out(what):
    """Say what a build goes without; an error where it must be whole."""
    if os.environ.get("FASTMLP_BUILD_STRICT", "0") not in ("", "0"):
        raise SystemExit(f"fastmlp: {what}, and FASTMLP_BUILD_STRICT allows nothing to be left out")
    print(f"fastmlp: {what}", file=sys.stderr)


class BuildKernels(build_ext):
    """Builds with OpenMP where the compiler has it, leaves out what it cannot compile for, or everything."""

    def build_extensions(self):
        asked = {flag for name in ("CC", "CFLAGS", "LDFLAGS") for flag in os.environ.get(name, "").split()}
        if asked & INEXACT:
            raise SystemExit(f"fastmlp promises bits, and {', '.join(asked & INEXACT)} changes them: leave it out")
        if not self.compiles([]):
            left_out("no working C compiler: the slow reference will be used")
            self.extensions = []
            return
        sanitize = os.environ.get("FASTMLP_BUILD_SANITIZE")
        sanitizers = [f"-fsanitize={sanitize}", "-fno-sanitize-recover=undefined", "-g1"] if sanitize else []
        program = "#include <omp.h>\nint main(void) { return omp_get_num_threads() - 1; }"
        openmp = os.environ.get("FASTMLP_BUILD_OPENMP") != "no" and self.compiles(["-fopenmp"], program)
        if not openmp:
            left_out("without OpenMP: the kernels will run on one thread")
        usable = {isa: self.compiles(ISA_FLAGS[isa]) for isa in {isa_of(extension) for extension in self.extensions}}
        for isa in sorted(isa for isa in usable if not usable[isa]):
            left_out(f"the compiler knows no {isa}")
        self.extensions = [extension for extension in self.extensions if usable[isa_of(extension)]]
        plain_jumps = PLAIN_JUMPS if self.compiles(PLAIN_JUMPS) else []
        for extension in self.extensions:
            extension.extra_compile_args += plain_jumps + sanitizers
            extension.extra_link_args += sanitizers[:1]
            if openmp:
                extension.extra_compile_args.append("-fopenmp")
                extension.extra_link_args.append("-fopenmp")
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def compiles(self, flags, source="int main(void) { return 0; }"):
        """Whether the compiler turns this source into a program with these flags."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "probe.c")
            with open(path, "w") as file:
                file.write(source)
            try:
                objects = self.compiler.compile([path], output_dir=folder, extra_postargs=flags)
                self.compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=flags)
            except Exception:  # noqa: BLE001  whatever goes wrong, it does not compile
                return False
        return True


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
