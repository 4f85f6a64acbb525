"""Users' own activations: the decorator fastmlp.activation, and what it makes of a function.

The function is written for one number. specialise.py copies it for each dtype; here the copy is tried, applied element
by element (the reference backend), and its derivative checked; compiling.py compiles it.
"""

import importlib.util
import inspect
import threading
import types
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..activations import ACTIVATIONS
from ..arrays import Doubles, FloatDtype
from ..reference import check_environment
from .specialise import Copy, Real, refuse, specialise

Function = TypeVar("Function", bound=Callable[[Any], Any])

STEP = 2.0**-17  # of the finite differences, for |z| <= 1


class DerivativeCheck(NamedTuple):
    """Where an activation's derivative is farthest from finite differences.

    difference: |derivative - finite_difference| / max(1, |finite_difference|), some 1e-9 where the derivative is right.
    """

    z: float
    derivative: float
    finite_difference: float
    difference: float


class CustomActivation:
    """A user's activation, made by the decorator fastmlp.activation; a network takes it where it takes a name.

    Called with an array or a number, float32 or float64, it gives its values, as every backend computes them.
    """

    initializer = "he_uniform"

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = _function("fastmlp.activation", function)
        self._derivative: types.FunctionType | None = None
        self.name = function.__name__
        self.__name__, self.__qualname__, self.__module__ = self.name, function.__qualname__, function.__module__
        self.__doc__ = function.__doc__
        if self.name in ACTIVATIONS:
            raise ValueError(f"{self.name} is the name of one of fastmlp's own activations: call yours otherwise")
        refuse(f"activation {self.name}", self.function)
        self._lock = threading.RLock()
        self._copies: dict[tuple[str, Real], Copy] = {}
        self._compiled: dict[tuple[str, Real], Any] = {}

    def derivative(self, function: Function) -> Function:
        """Decorator: function(z) is the derivative with respect to z. It must be given before a network uses this."""
        given = _function(f"{self.name}.derivative", function)
        if self._derivative is not None:
            raise ValueError(f"activation {self.name} has a derivative already: {self._derivative.__name__}")
        refuse(f"the derivative of {self.name}", given)
        self._derivative = given
        return function

    @property
    def has_derivative(self) -> bool:
        """Whether networks that are made now with this activation can be trained."""
        return self._derivative is not None

    def __call__(self, z: ArrayLike) -> Any:
        """The function's values for an array, an array of its shape; a number for a number.

        Raises RuntimeError in a thread that flushes subnormal numbers to zero or does not round to nearest.
        """
        return self._each("value", z)

    def derivative_at(self, z: ArrayLike) -> Any:
        """The derivative's values, as __call__ gives the function's."""
        return self._each("derivative", z)

    def check(self, z: ArrayLike | None = None) -> DerivativeCheck:
        """The DerivativeCheck where the derivative is worst, in float64 against central differences.

        z: the numbers to check at; None takes 401 from -10 to 10 and small ones of both signs. At a kink, such as relu's
        at 0, the derivative of either side counts as right. Raises ValueError without a derivative.
        """
        if z is None:
            small = 10.0 ** np.arange(-8, 0)
            z = np.concatenate([np.linspace(-10, 10, 401), small, -small])
        z = np.asarray(z, np.float64).reshape(-1)
        if not z.size or not np.isfinite(z).all():
            raise ValueError("z must hold finite numbers, at least one")
        with np.errstate(all="ignore"):
            given, differences = self.derivative_at(z), self._differences(z)
            off = np.abs(given - differences) / np.maximum(1.0, np.abs(differences))
        off = np.where(np.isnan(off), np.inf, off)
        nearest = np.argmin(off, axis=0)
        worst = int(np.argmax(np.min(off, axis=0)))
        side = nearest[worst], worst
        return DerivativeCheck(float(z[worst]), float(given[worst]), float(differences[side]), float(off[side]))

    def _differences(self, z: Doubles) -> Doubles:
        """(central, left, right) differences of the function at z."""
        step = STEP * np.maximum(1.0, np.abs(z))
        left, right = z - step, z + step
        a_left, a, a_right = self(left), self(z), self(right)
        return np.array([(a_right - a_left) / (right - left), (a - a_left) / (z - left), (a_right - a) / (right - z)])

    def prepare(self, dtype: FloatDtype) -> None:
        """Copy and try the function, and the derivative if there is one, for a dtype, so that errors come now."""
        for role in ("value", "derivative") if self.has_derivative else ("value",):
            self._copy(role, dtype.type)

    def addresses(self, dtype: FloatDtype) -> tuple[int, int]:
        """The C functions (forward, gradient) of this dtype, compiled on first use; gradient is 0 without a derivative.

        Raises ImportError without Numba, and ValueError or TypeError, naming the function, for what does not compile.
        """
        if importlib.util.find_spec("numba") is None:
            raise ImportError(
                f'activation {self.name} needs Numba, which is not installed: pip install "fastmlp[numba]", or take '
                'backend="reference", which works without'
            )
        from . import compiling  # which imports Numba

        forward = self._address("value", compiling.forward, dtype.type)
        return forward, self._address("derivative", compiling.gradient, dtype.type) if self.has_derivative else 0

    def __repr__(self) -> str:
        return f"<activation {self.name}>"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled and copied as functions are: by the name in its module

    def _what(self, role: str) -> str:
        return f"activation {self.name}" if role == "value" else f"the derivative of {self.name}"

    def _address(self, role: str, compiled: Callable[[str, Copy], Any], T: Real) -> int:
        with self._lock:
            if (role, T) not in self._compiled:
                self._compiled[role, T] = compiled(self._what(role), self._copy(role, T))
            address: int = self._compiled[role, T].address
            return address

    def _copy(self, role: str, T: Real) -> Copy:
        """The function for T, which gives numbers of type T or raises an error that names it; tried when it is made."""
        check_environment()  # a copy made in another one would keep what it rounded otherwise
        with self._lock:
            function = self.function if role == "value" else self._derivative
            if function is None:
                raise ValueError(f"activation {self.name} has no derivative: define it with @{self.name}.derivative")
            if (role, T) not in self._copies:
                copy = specialise(self._what(role), function, T, _as_written)
                with np.errstate(all="ignore"):
                    for z in _trial(T):
                        self._at(role, copy.func, z)
                self._copies[role, T] = copy
            return self._copies[role, T]

    def _each(self, role: str, z: ArrayLike) -> Any:
        z = np.asarray(z)
        z = z if z.dtype == np.float32 else z.astype(np.float64, copy=False)
        function = self._copy(role, z.dtype.type).func
        with np.errstate(all="ignore"):
            values = [self._at(role, function, number) for number in z.reshape(-1)]
        return np.array(values, z.dtype).reshape(z.shape)[()]

    def _at(self, role: str, function: Callable[[Any], Any], z: np.floating) -> np.floating:
        try:
            value = function(z)
            if type(value) in (int, float):  # Python's own numbers, of a loop or of the module math
                value = type(z)(value)
        except Exception as error:
            raise ValueError(f"{self._what(role)} fails at z = {z}: {type(error).__name__}: {error}") from error
        if type(value) is type(z):
            return value
        raise TypeError(f"{self._what(role)} must return {type(z).__name__}, but at z = {z} it returns {value!r}, "
                        f"a {type(value).__name__}")  # fmt: skip


def activation(function: Callable[[Any], Any]) -> CustomActivation:
    """Decorator: makes a function of one number an activation, for MLP(activation=...) and output_activation=....

        @fastmlp.activation
        def mish(z):
            return z * fm.tanh(fm.log1p(fm.exp(z)))

        @mish.derivative
        def mish_derivative(z): ...

    Numbers in it take the network's dtype. The bits are the same in every backend for + - * /, comparisons, if and else,
    loops over range, abs, min, max and fastmlp.math; for functions of math and numpy, save sqrt, that is not promised.
    Raises TypeError or ValueError for what is no function of one argument, or does what cannot be compiled.
    """
    return CustomActivation(function)


def _as_written(value: Any) -> Any:
    return value.function if isinstance(value, CustomActivation) else value


def _function(decorator: str, function: object) -> types.FunctionType:
    """function, which must be one of one argument."""
    if not isinstance(function, types.FunctionType) or function.__name__ == "<lambda>":
        raise TypeError(f"{decorator} is for a function defined with def, not {function!r}")
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 1 or parameters[0].kind > inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise TypeError(f"{function.__name__} must take one argument, z, not {inspect.signature(function)}")
    return function


def _trial(T: Real) -> list[np.floating]:
    """Numbers of every kind, on which a function must neither raise nor return another type."""
    sizes = 0.0, 1e-30, 0.5, 1, 2, 10, 1e3, np.finfo(T).max, np.inf
    return [T(sign * size) for size in sizes for sign in (1, -1)] + [T(np.nan)]
