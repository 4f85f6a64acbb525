"""fastmlp's version, in a file of its own, which imports nothing and which anything may import."""

__version__ = "0.1.0"
