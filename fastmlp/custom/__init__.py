"""Users' own activations.

activation.py    the decorator fastmlp.activation, and what it makes of a function
specialise.py    a copy of the function for each dtype, which every backend runs
compiling.py     the copy through Numba, for the backends that need its address
"""

from .activation import CustomActivation, DerivativeCheck, activation

__all__ = ["CustomActivation", "DerivativeCheck", "activation"]
