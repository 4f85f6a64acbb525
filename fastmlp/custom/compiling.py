"""Users' own activations through Numba: C functions over runs of z, in which every number is of one type.

specialise.py has made the numbers in the code of type T. What is left of Python's other numbers are the integers of
loops and truth values: with a float they become T, as in NumPy, and an expression that still is float64 in a float32
function is refused, never computed otherwise than the reference does.
"""

import linecache
import operator
import re
import weakref

import numba
import numpy as np
from numba import types
from numba.core import errors, ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, FunctionPass, register_pass
from numba.core.typed_passes import NopythonTypeInference
from numba.core.untyped_passes import ReconstructSSA
from numba.extending import overload, typeof_impl

from .. import math
from ..jit import elementary
from ..jit.compiling import ARITHMETIC, OPTIONS
from . import specialise


def forward(what, copy):
    """The C function (z*, a*, n) that writes a[i] = f(z[i]), for a specialise.Copy; keep it as long as it is used.

    what: the function in an error's words. Raises ValueError or TypeError for what Numba does not compile to give T.
    """
    number = _number(what, copy)

    def run(z, a, n):
        for i in range(n):
            a[i] = number(z[i])

    return _tile(run, copy.T)


def gradient(what, copy):
    """The C function (z*, g*, n) that makes g[i] = g[i] * f'(z[i]), for a derivative's Copy; see forward."""
    number = _number(what, copy)

    def run(z, g, n):
        for i in range(n):
            g[i] = g[i] * number(z[i])

    return _tile(run, copy.T)


def _tile(run, T):
    pointer = types.CPointer(numba.from_dtype(np.dtype(T)))
    return numba.cfunc(types.void(pointer, pointer, types.intp), **ARITHMETIC)(run)


def _number(what, copy):
    """The copy compiled for one number of its type, to be called from Numba."""
    real, number = numba.from_dtype(np.dtype(copy.T)), _dispatcher(copy)
    try:
        number.compile((real,))
    except OtherBits as refusal:
        raise TypeError(f"{what} {refusal}") from None
    except errors.NumbaError as error:
        raise ValueError(f"{what} does not compile: {_essence(error)}") from error
    (signature,) = number.nopython_signatures
    if not isinstance(signature.return_type, types.Integer) and signature.return_type != real:
        raise TypeError(f"{what} must return {real} on every path, not {signature.return_type}")
    return number


_dispatchers = weakref.WeakKeyDictionary()  # by Copy


def _dispatcher(copy):
    """What Numba compiles of a copy, once it meets a call of it."""
    if copy not in _dispatchers:
        compiler = {np.float32: InFloat32, np.float64: InFloat64}[copy.T]
        _dispatchers[copy] = numba.njit(pipeline_class=compiler, forceinline=True, **OPTIONS)(copy.func)
    return _dispatchers[copy]


@typeof_impl.register(specialise.Copy)
def _type_of_copy(copy, _):
    return types.Dispatcher(_dispatcher(copy))


def _essence(error):
    """What Numba complains of and where, out of a page."""
    text = re.sub(r"\x1b\[[0-9;]*m| at 0x[0-9a-f]+", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Failed in")]
    said = " ".join(lines[: 2 if lines[0].endswith(":") else 1])[:200]
    place = re.search(r", line (\d+):\n", text)
    return said + (f", line {place[1]}" if place else "")


class OtherBits(Exception):
    """A function that would give other bits than NumPy's types give."""


def _weak(op):
    """op(a, b) for operands of which one may be an integer or a truth value: beside a float it is taken for one."""

    def operation(a, b):
        raise NotImplementedError("Numba chooses below")

    @overload(operation, jit_options=OPTIONS)
    def choose(a, b):
        weak = types.Integer, types.Boolean
        if isinstance(a, types.Float) and isinstance(b, weak):
            return lambda a, b: op(a, type(a)(np.float64(int(b))))
        if isinstance(a, weak) and isinstance(b, types.Float):
            return lambda a, b: op(type(b)(np.float64(int(a))), b)
        if isinstance(a, weak) and isinstance(b, weak) and op in OPERATIONS:
            if isinstance(a, types.Boolean) and isinstance(b, types.Boolean):
                raise OtherBits("computes with truth values: use if and else")
            raise OtherBits("computes with the integers of loops alone, which may overflow: use float(i)")
        return lambda a, b: op(a, b)

    return operation


OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
WEAK = {op: _weak(op) for op in OPERATIONS + COMPARISONS}


@register_pass(mutates_CFG=False, analysis_only=False)
class WeakOperands(FunctionPass):
    """Replaces + - * / and the comparisons by the functions above."""

    _name = "fastmlp_weak_operands"

    def __init__(self):
        FunctionPass.__init__(self)

    def run_pass(self, state):
        for block in state.func_ir.blocks.values():
            for expression in block.find_exprs():
                if expression.op == "inplace_binop":
                    expression.op, expression.fn = "binop", expression.immutable_fn
                if expression.op == "binop":
                    expression.fn = WEAK.get(expression.fn, expression.fn)
        return True


@register_pass(mutates_CFG=False, analysis_only=True)
class OneType(AnalysisPass):
    """Refuses what Numba made float64 in a float32 function, and integers and truth values that it made floats.

    In Python these stay what they are; only an integer that is returned may become a float. A range whose step could
    become 0 is refused here, too, where the types tell what is called.
    """

    _name = "fastmlp_one_type"

    def __init__(self):
        AnalysisPass.__init__(self)

    def run_pass(self, state):
        blocks = state.func_ir.blocks.values()
        typed = [(state.typemap[a.target.name], a.value, a) for block in blocks for a in block.find_insts(ir.Assign)]
        for _, value, _ in typed:
            _require_literal_step(state, value)
        for made, value, assignment in typed:
            if isinstance(made, types.Float) and _mixes(state.typemap, value):
                raise OtherBits(f"takes an integer or truth value for a number (use float), {_place(assignment)}")
        for made, value, assignment in typed:
            if made == types.float64 != state.pipeline.real:
                raise OtherBits(f"computes in float64, in a float32 network, {_place(assignment)}")
            returned = isinstance(value, ir.Expr) and value.op == "cast"
            if returned and isinstance(state.typemap[value.value.name], types.Boolean) and made == state.pipeline.real:
                raise OtherBits(f"returns a truth value, not a number, {_place(assignment)}")
        return False


def _called(typemap, value):
    """The Python function that a value is a call of, where Numba knows it by itself, else None."""
    is_call = isinstance(value, ir.Expr) and value.op == "call"
    return getattr(typemap[value.func.name], "typing_key", None) if is_call else None


def _require_literal_step(state, value):
    """Compiled code has no way to report that the step is 0."""
    if _called(state.typemap, value) is specialise.whole_range and len(value.args) == 3:
        step = state.func_ir.get_definition(value.args[2])
        if not isinstance(step, ir.Const) or specialise.whole(step.value) == 0:
            raise OtherBits("uses a range whose step is not written as a number")


def _mixes(typemap, value):
    """Whether a value is one of several, by the way that led there or by min and max, and some of these are no floats."""
    one_of_several = isinstance(value, ir.Expr) and value.op == "phi"
    if not one_of_several and _called(typemap, value) not in (min, max):
        return False
    sources = value.incoming_values if one_of_several else value.args
    kinds = [typemap[source.name] for source in sources if source is not ir.UNDEFINED]
    return any(isinstance(kind, (types.Integer, types.Boolean)) for kind in kinds)


def _place(assignment):
    line = linecache.getline(assignment.loc.filename, assignment.loc.line).strip()
    return f"at line {assignment.loc.line}: {line}"


class InFloat64(CompilerBase):
    real = types.float64

    def define_pipelines(self):
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(WeakOperands, ReconstructSSA)
        passes.add_pass_after(OneType, NopythonTypeInference)
        passes.finalize()
        return [passes]


class InFloat32(InFloat64):
    real = types.float32


whole = numba.njit(**OPTIONS)(specialise.whole)


@overload(specialise.whole_range, jit_options=OPTIONS)
def _whole_range(*bounds):
    if len(bounds) == 1:
        return lambda *bounds: range(whole(bounds[0]))
    if len(bounds) == 2:
        return lambda *bounds: range(whole(bounds[0]), whole(bounds[1]))
    return lambda *bounds: range(whole(bounds[0]), whole(bounds[1]), whole(bounds[2]))


def _compile_as(public, function):
    """Let functions that call fastmlp.math's public call function instead where Numba compiles them."""

    @overload(public, jit_options=OPTIONS)
    def choose(z):
        if isinstance(z, types.Float):
            return lambda z: function(z)


for _name in ("exp", "expm1", "log", "log1p", "sigmoid", "tanh"):
    _compile_as(getattr(math, _name), getattr(elementary, _name))
_compile_as(math.sqrt, numba.njit(**OPTIONS)(lambda z: np.sqrt(z)))
