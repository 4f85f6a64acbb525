"""Whether this thread rounds to nearest and flushes nothing to zero: the reference's check, in a tenth of the time."""

from ..reference import arithmetic
from .compiling import entry

# Arguments, so that the compiler does not compute with them itself.
PROBES = (2.0**-1074, 2.0**-1022, 0.5, 1.0, -1.0, 2.0**-60)


@entry
def is_changed(probes):
    """Whether subnormal numbers are flushed to zero, or rounding is not to nearest."""
    smallest, normal, half, one, minus_one, small = probes
    flushes = smallest + smallest == 0 or normal * half == 0
    return flushes or one + small != 1 or minus_one - small != -1 or one - small != 1


def check_environment():
    """Raise RuntimeError, in the reference's words, where Numba's code could not give its bits."""
    if is_changed(PROBES):
        try:
            arithmetic.check_environment()
        except RuntimeError as error:
            raise RuntimeError(str(error).replace("the reference", "the Numba backend")) from None
