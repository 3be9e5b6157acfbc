"""Values of many features in many samples, as the statistics that take all features at once want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def feature_matrix(values: ArrayLike, samples: int) -> NDArray[np.floating]:
    """`values` as samples x features of floating-point numbers; raises ValueError for another shape.

    Single precision is kept until a block is copied: half the memory.
    """
    y = np.asarray(values)
    if not np.issubdtype(y.dtype, np.floating):
        y = y.astype(np.float64)
    if y.ndim != 2 or len(y) != samples:
        raise ValueError(f"values {y.shape} are not samples x features for {samples} samples")
    return y
