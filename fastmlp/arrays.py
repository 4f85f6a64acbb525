"""What annotations call arrays and their dtypes."""

import numpy as np
from numpy.typing import NDArray

FloatDtype = np.dtype[np.floating]  # a network's, float32 or float64
Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
