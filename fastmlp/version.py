"""fastmlp's version, and that of its arithmetic, in a file of their own, which imports nothing and which anything may import."""

__version__ = "0.1.0"

ARITHMETIC = 1
"""What every bit of a training depends on, beside its arguments: it rises in a commit that changes a rule of the arithmetic."""
