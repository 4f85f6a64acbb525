"""A user's function for one dtype: a copy in which every number that it names is of that dtype.

Numbers written in the code, and those in globals, closures, defaults and modules that it uses, are NumPy scalars of type
T in the copy, and so is what float() gives. NumPy then computes it in T throughout, and so does Numba, which would make
float64 of z * 2. The copy keeps the values from when it was made, and what could give other bits in another backend is
refused here: see refuse().
"""

import builtins
import dis
import itertools
import math as standard_math
import types

import numpy as np

from . import math

OPERATORS = {"+", "-", "*", "/", "+=", "-=", "*=", "/="}
REFUSED = {
    "RAISE_VARARGS": "raises an exception (or asserts)",
    "IMPORT_NAME": "imports",
    "STORE_GLOBAL": "assigns to a global variable",
    "MAKE_FUNCTION": "defines a function inside, or has a comprehension",
    "YIELD_VALUE": "is a generator",
}
UNLIKE = {"maximum": "max", "minimum": "min"}  # of numpy: they differ in the sign of zero, from place to place
BUILTINS = (abs, min, max, bool, range)


def refuse(name, function):
    """Raise ValueError for code that cannot have the same bits, or no way to report an error, in every backend."""
    for instruction in dis.get_instructions(function):
        if instruction.opname in REFUSED:
            raise ValueError(f"{name} {REFUSED[instruction.opname]}: that cannot be compiled into a network")
        if instruction.opname == "BINARY_OP" and instruction.argrepr not in OPERATORS:
            raise ValueError(
                f"{name} uses the operator {instruction.argrepr}, whose bits differ between machines: write it with "
                "+ - * / and fastmlp.math (z * z for z ** 2)"
            )


def specialise(name, function, T, wrap=lambda function: function):
    """The copy of function for the NumPy type T; functions that it calls are copied too, and go through wrap.

    Raises ValueError or TypeError, naming the activation, for what cannot be copied or is refused.
    """
    return _copy(name, function, T, wrap, ())


def _copy(name, function, T, wrap, callers):
    if function.__code__ in callers:
        raise ValueError(f"{name} must not call itself")
    refuse(name, function)
    code, callers = function.__code__, (*callers, function.__code__)
    instructions = list(dis.get_instructions(function))

    def frozen(what, value):
        if isinstance(value, (bool, np.bool_, str, type(None))):
            return value
        if isinstance(value, (int, float, np.integer, np.floating)):
            return T(value)
        if isinstance(value, tuple):
            return tuple(frozen(what, item) for item in value)
        if isinstance(value, types.ModuleType):
            copy = types.ModuleType(value.__name__)
            for module, attribute in itertools.pairwise(instructions):
                if module.argval == what and attribute.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                    if hasattr(value, attribute.argval):
                        setattr(copy, attribute.argval, frozen(attribute.argval, getattr(value, attribute.argval)))
            return copy
        value = getattr(value, "function", value)  # another activation stands for its function
        if isinstance(value, types.FunctionType) and value.__module__ not in (__name__, math.__name__):
            return wrap(_copy(f"{name} (in {what})", value, T, wrap, callers))
        for theirs, ours in ((float, T), (standard_math.sqrt, math.sqrt), (standard_math.fabs, abs)):
            if value is theirs:  # Python's give float64
                return ours
        if isinstance(value, np.ufunc) and value.__name__ in UNLIKE:
            raise ValueError(f"{name} uses numpy's {what}, whose bits differ: use {UNLIKE[value.__name__]}")
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
        scope[used] = frozen(used, function.__globals__.get(used, getattr(builtins, used, None)))
    try:
        cells = [(variable, cell.cell_contents) for variable, cell in zip(code.co_freevars, function.__closure__ or ())]
    except ValueError:
        raise ValueError(f"{name} uses a variable of the function around it that has no value yet") from None
    copy = types.FunctionType(
        code.replace(
            co_consts=frozen("a constant", code.co_consts),
            co_names=tuple("whole_range" if used == "range" else used for used in code.co_names),
        ),
        {"__builtins__": builtins, "__name__": function.__module__, "whole_range": whole_range, **scope},
        function.__name__,
        frozen("a default", function.__defaults__),
        tuple(types.CellType(frozen(variable, value)) for variable, value in cells),
    )
    copy.__kwdefaults__ = {key: frozen(key, value) for key, value in (function.__kwdefaults__ or {}).items()}
    return copy


def whole(number):
    """number as an integer, the same on every processor: 0 for NaN and from 2^31 on."""
    return int(number) if -2147483648.0 < number < 2147483648.0 else 0


def whole_range(*bounds):
    """range, for bounds that are written as whole numbers and have become numbers of type T."""
    return range(*map(whole, bounds))
