"""A user's function for one dtype: a copy in which every number that it names is of that dtype, for all backends.

Numbers written in the code, and those in globals, closures, defaults and modules that it uses, are NumPy scalars of type
T in the copy, and so is what float() gives. NumPy then computes it in T throughout, and so does Numba, which would make
float64 of z * 2. The copy keeps the values from when it was made, and what could give other bits in another backend is
refused here: see refuse().
"""

import builtins
import dis
import functools
import itertools
import math as standard_math
import types
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import math

Real = type[np.float32] | type[np.float64]
CONSTANT = "a constant"
OPERATORS = {"+", "-", "*", "/", "+=", "-=", "*=", "/="}
ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
REFUSED = {
    "RAISE_VARARGS": "raises an exception (or asserts)",
    "IMPORT_NAME": "imports",
    "STORE_GLOBAL": "assigns to a global variable",
    "STORE_DEREF": "assigns to a variable of the function around it",
    "MAKE_FUNCTION": "defines a function inside, or has a comprehension",
    "YIELD_VALUE": "is a generator",
    "CONTAINS_OP": "uses the operator in",
    "IS_OP": "uses the operator is",
    "UNARY_INVERT": "uses the operator ~",
    "BINARY_SUBSCR": "uses a subscript",
    "BINARY_SLICE": "uses a subscript",
    "BUILD_LIST": "makes a list",
    "BUILD_SET": "makes a set",
    "BUILD_MAP": "makes a dictionary",
    "BUILD_CONST_KEY_MAP": "makes a dictionary",
    "CALL_FUNCTION_EX": "calls a function with * or **",
}
UNLIKE = (  # of numpy: they differ in the sign of zero or for NaN, from place to place
    (np.maximum, "max"), (np.fmax, "max"), (np.minimum, "min"), (np.fmin, "min"), (np.clip, "max and min"),
    (np.sign, "if and else"),
)  # fmt: skip
BUILTINS = (abs, min, max, bool)


def refuse(name: str, function: types.FunctionType) -> None:
    """Raise ValueError for code that cannot have the same bits, or no way to report an error, in every backend."""
    refusal = "that cannot be compiled into a network"
    if function.__code__.co_kwonlyargcount:
        raise ValueError(f"{name} has arguments that are passed by keyword only: {refusal}")
    if function.__code__.co_exceptiontable:
        raise ValueError(f"{name} uses try or with: {refusal}")
    for before, instruction in itertools.pairwise(_instructions(function)):
        if instruction.opname in REFUSED:
            raise ValueError(f"{name} {REFUSED[instruction.opname]}: {refusal}")
        if instruction.opname == "BINARY_OP" and instruction.argrepr not in OPERATORS:
            raise ValueError(
                f"{name} uses the operator {instruction.argrepr}, whose bits differ between machines: write it with "
                "+ - * / and fastmlp.math (z * z for z ** 2)"
            )
        if instruction.opname in ATTRIBUTES and before.opname not in {"LOAD_GLOBAL", "LOAD_DEREF", *ATTRIBUTES}:
            raise ValueError(f"{name} uses .{instruction.argval} of what is no module: it can use attributes of modules only")
    texts = [i.argval for i in _instructions(function) if i.opcode in dis.hasconst and isinstance(i.argval, str)]
    if texts:
        raise ValueError(f"{name} uses the text {texts[0]!r}: it can use numbers, such as math.inf")


def _instructions(function: types.FunctionType) -> list[dis.Instruction]:
    return [instruction for instruction in dis.get_instructions(function) if instruction.opname != "EXTENDED_ARG"]


class Copy(functools.partial[Any]):
    """A function for numbers of type T, and called as one; func is the bare function.

    A partial without arguments, since calling through one takes next to no time. The functions that it calls are such
    copies, too, in which compiling.py knows them: plain functions are not for Numba.
    """

    T: Real

    def __new__(cls, function: Callable[[Any], Any], T: Real) -> Self:
        copy = super().__new__(cls, function)
        copy.T = T
        return copy


def specialise(name: str, function: types.FunctionType, T: Real, as_written: Callable[[Any], Any]) -> Copy:
    """The Copy of function for the NumPy type T; functions that it calls are copied too.

    as_written(value) gives the function that a user wrote for an object made of it, and any other value back.
    Raises ValueError or TypeError, naming the activation, for what cannot be copied or is refused.
    """
    return _copy(name, function, T, as_written, ())


def _copy(name: str, function: types.FunctionType, T: Real, as_written: Callable[[Any], Any],
          callers: tuple[types.FunctionType, ...]) -> Copy:  # fmt: skip
    if function in callers:
        raise ValueError(f"{name} must not call itself")
    refuse(name, function)
    code, callers = function.__code__, (*callers, function)
    instructions = _instructions(function)

    def frozen(what: str, value: Any) -> Any:
        attributes = [
            after.argval for i, after in itertools.pairwise(instructions) if i.argval == what and after.opname in ATTRIBUTES
        ]
        if isinstance(value, types.ModuleType):
            copy = types.ModuleType(value.__name__)
            for attribute in attributes:
                if hasattr(value, attribute):
                    setattr(copy, _renamed(attribute), frozen(attribute, getattr(value, attribute)))
            return copy
        if attributes:
            raise TypeError(f"{name} uses {what}.{attributes[0]}, but {what} is no module: it is {value!r}")
        if isinstance(value, (bool, np.bool_, type(None))) or isinstance(value, str) and what == CONSTANT:
            return value  # the text is a name of an argument, or documentation
        if isinstance(value, (int, float, np.integer, np.floating)):
            return _number(f"{name} uses {what}", value, T)
        if isinstance(value, tuple):
            return tuple(frozen(what, item) for item in value)
        value = as_written(value)
        if isinstance(value, types.FunctionType) and value.__module__ != math.__name__:
            return _copy(f"{name} (in {what})", value, T, as_written, callers)
        for theirs, ours in ((float, T), (standard_math.sqrt, math.sqrt), (standard_math.fabs, abs), (range, whole_range)):
            if value is theirs:  # Python's give float64, and its range takes no numbers of type T
                return ours
        for unlike, instead in UNLIKE:
            if value is unlike:
                raise ValueError(f"{name} uses numpy's {what}, whose bits differ: use {instead}")
        if isinstance(value, type) and issubclass(value, np.generic) and value is not T:
            raise TypeError(f"{name} uses {what}, numbers of another type than the network's {T.__name__}: use float")
        if callable(value) and (value in BUILTINS or getattr(value, "__module__", None) != "builtins"):
            return value
        raise TypeError(
            f"{name} uses {what}, which is {value!r}: it can use real numbers, tuples of them, functions of numbers, "
            "modules, abs, min, max and range"
        )

    scope = {}
    for used in dict.fromkeys(i.argval for i in instructions if i.opname == "LOAD_GLOBAL"):
        if used not in function.__globals__ and not hasattr(builtins, used):
            raise ValueError(f"{name} uses {used}, which is not defined")
        scope[_renamed(used)] = frozen(used, function.__globals__.get(used, getattr(builtins, used, None)))
    try:
        cells = [(variable, cell.cell_contents) for variable, cell in zip(code.co_freevars, function.__closure__ or ())]
    except ValueError:
        raise ValueError(f"{name} uses a variable of the function around it that has no value yet") from None
    copy = types.FunctionType(
        code.replace(
            co_consts=frozen(CONSTANT, code.co_consts),
            co_names=tuple(map(_renamed, code.co_names)),
        ),
        {"__builtins__": builtins, "__name__": function.__module__, **scope},
        function.__name__,
        frozen("a default", function.__defaults__),
        tuple(types.CellType(frozen(variable, value)) for variable, value in cells),
    )
    return Copy(copy, T)


def _renamed(used: str) -> str:
    """What a global or attribute is called in the copy: Numba takes the name range for the builtin."""
    return "range_in_copy" if used == "range" else used


def _number(uses: str, value: Any, T: Real) -> np.floating:
    """value as T, which must have room for it."""
    try:
        with np.errstate(all="ignore"):
            number = T(value)
    except OverflowError:
        number = T(np.inf)
    if np.isinf(number) and value not in (np.inf, -np.inf):
        text = repr(value) if not isinstance(value, int) else f"an integer of {value.bit_length()} bits"
        raise ValueError(f"{uses}, {text}, which {T.__name__} cannot hold")
    return number


def whole(number: float) -> int:
    """number as an integer, the same on every processor: 0 for NaN and from 2^31 on."""
    return int(number) if -2147483648.0 < number < 2147483648.0 else 0


def whole_range(*bounds: float) -> range:
    """range, for bounds that are written as whole numbers and have become numbers of type T."""
    return range(*map(whole, bounds))
