from ._signatures import *
