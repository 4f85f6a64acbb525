"""Data to train on: IDX files, MNIST, and digits drawn on the spot.

WHITE is the brightest grey level of all images here, 255: the input_scale of networks that are to read them.
"""

from fastmlp.datasets.digits import digits
from fastmlp.datasets.idx import load_idx
from fastmlp.datasets.mnist import fetch_mnist, load_mnist

WHITE = 255

__all__ = ["WHITE", "digits", "fetch_mnist", "load_idx", "load_mnist"]
