"""Builds of the kernels in other ways: the same hash from each, or no build, or no import.

Slow, because each builds. A build is made from a copy of the sources, in a process of its own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastmlp.cli.commands import PUBLIC_HASH

ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs the source tree"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
]


def build(folder, edit=None, **environment):
    """(exit status, messages) of a build in place of a copy of the sources in folder."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(ROOT / "fastmlp", folder / "fastmlp", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    setup = (ROOT / "setup.py").read_text()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, folder)
    if edit:
        assert edit[0] in setup
        setup = setup.replace(*edit)
    (folder / "setup.py").write_text(setup)
    done = subprocess.run([sys.executable, "setup.py", "build_ext", "--inplace"], cwd=folder, text=True,
                          capture_output=True, env=os.environ | environment)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def python(folder, program, **environment):
    return subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=folder, text=True, capture_output=True,
                          env=os.environ | environment)  # fmt: skip


@pytest.mark.parametrize("way", ["clang", "no OpenMP", "-O2", "-O1 -march=native"])
def test_builds_with_the_same_hash(way, tmp_path):
    if way == "clang" and shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    environment = {"clang": {"CC": "clang"}, "no OpenMP": {"FASTMLP_BUILD_OPENMP": "no"}}
    edit = ('"-O3"', ", ".join(f'"{flag}"' for flag in way.split())) if way.startswith("-") else None
    status, messages = build(tmp_path, edit, **environment.get(way, {}))
    assert status == 0, messages
    verify = "from fastmlp.cli.main import main; raise SystemExit(main(['verify']))"
    for isa in ("avx512", "avx2", "portable"):
        if python(tmp_path, "import fastmlp; fastmlp.MLP([1, 1])", FASTMLP_ISA=isa).returncode == 0:
            done = python(tmp_path, verify, FASTMLP_ISA=isa)
            assert done.returncode == 0 and PUBLIC_HASH in done.stdout, (way, isa, done.stdout, done.stderr)
    facts = python(tmp_path, "import fastmlp; print(fastmlp.config())").stdout
    assert ("clang" in facts) == (way == "clang")
    if way != "clang":  # whose OpenMP is a package of its own, and may be missing
        assert ("'openmp': False" in facts) == (way == "no OpenMP")


@pytest.mark.parametrize("flag", ["-Ofast", "-ffast-math"])
def test_inexact_flags_are_refused(flag, tmp_path):
    status, messages = build(tmp_path, CFLAGS=flag)
    assert status != 0 and f"fastmlp promises bits, and {flag} changes them" in messages
    status, messages = build(tmp_path / "past setup.py", ('"-O3"', f'"{flag}"'))
    assert status != 0 and "remove it from CFLAGS" in messages  # the header's own words


@pytest.mark.parametrize("flag, isas, lost", [
    ("-fopenmp", "portable", "without OpenMP"), ("-mavx2", "avx2", "knows no avx2"), ("-c", "portable", "no working C compiler"),
])  # fmt: skip
def test_a_strict_build_leaves_nothing_out(flag, isas, lost, tmp_path):
    """A compiler that refuses a flag: what is left out is said, and is an error where nothing may be."""
    compiler = tmp_path / "compiler"
    compiler.write_text(f'#!/bin/sh\ncase " $* " in *" {flag} "*) exit 1;; esac\nexec gcc "$@"\n')
    compiler.chmod(0o755)
    environment = {"CC": str(compiler), "FASTMLP_BUILD_ISAS": isas, "FASTMLP_BUILD_STRICT": "1"}
    status, messages = build(tmp_path / "strict", **environment)
    assert status != 0 and lost in messages and "FASTMLP_BUILD_STRICT" in messages
    status, messages = build(tmp_path / "lenient", **environment | {"FASTMLP_BUILD_STRICT": "0"})
    assert status == 0 and lost in messages, messages


@pytest.mark.parametrize("wrong", [
    ('"-ffp-contract=off"', '"-ffp-contract=fast"'),
    ('"-ffp-contract=off"', '"-ffp-contract=off", "-fassociative-math", "-fno-signed-zeros"'),
], ids=["contracted", "reassociated"])  # fmt: skip
def test_a_wrong_build_is_caught_at_import(wrong, tmp_path):
    status, messages = build(tmp_path, wrong, FASTMLP_BUILD_ISAS="avx2")
    assert status == 0, messages
    done = python(tmp_path, "import fastmlp; fastmlp.MLP([1, 1])")
    assert done.returncode != 0 and "compiled with flags that change its arithmetic" in done.stderr, done.stderr
