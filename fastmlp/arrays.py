"""What annotations call arrays."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]  # of a network's dtype, float32 or float64
Doubles = NDArray[np.float64]
