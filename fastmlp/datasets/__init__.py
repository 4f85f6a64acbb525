"""Data to train on: IDX files, MNIST, and digits drawn on the spot."""

from fastmlp.datasets.digits import digits
from fastmlp.datasets.idx import load_idx
from fastmlp.datasets.mnist import fetch_mnist, load_mnist

WHITE = 255  # the brightest grey level of all images here: the input_scale of networks that are to read them

__all__ = ["WHITE", "digits", "fetch_mnist", "load_idx", "load_mnist"]
