"""Statistics of columns, fitted on given rows of a matrix that may be large and may hold NaN.

Which rows (the training split) is decided in `soc_assets.regression.models.training`; applying them is part of the
network.
"""

import numpy as np

_CHUNK = 256  # rows at a time: 41 MB in double precision at the default 19,968 columns
_CONSTANT = 1e-7  # a standard deviation below this share of the mean is rounding noise of float32


def column_statistics(matrix: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale (population standard deviation) of each column over some rows, NaN left out.

    Args:
        matrix: [n, d], float32 or float64.
        rows: indices [m].

    Returns:
        Two float64 arrays [d]. Constant columns get scale 1; columns without a value in the rows mean 0 and scale 1.
    """
    count, total, squares = (np.zeros(matrix.shape[1]) for _ in range(3))
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    for chunk in chunks:
        values = matrix[chunk]
        count += (~np.isnan(values)).sum(axis=0)
        total += np.nansum(values, axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    for chunk in chunks:
        squares += np.nansum((matrix[chunk] - mean) ** 2, axis=0)
    scale = np.sqrt(squares / np.maximum(count, 1))
    return mean, np.where(scale > _CONSTANT * np.abs(mean), scale, 1.0)
