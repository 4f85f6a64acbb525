"""Benchmarks: `pytest benchmarks` times kernels and training beside NumPy; they are never part of the tests."""
