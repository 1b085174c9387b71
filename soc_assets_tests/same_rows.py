"""Whether two tables of embeddings hold the same rows: every number of every vector, to the bit."""

from typing import Any

import numpy as np
import pandas as pd


def assert_same_rows(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Names the column that differs; vectors are compared as numbers (as text, numpy would leave most of them out)."""
    nested = [name for name in expected if any(isinstance(value, np.ndarray) for value in expected[name])]
    pd.testing.assert_frame_equal(found.drop(columns=nested), expected.drop(columns=nested))
    assert list(found.columns) == list(expected.columns)
    for name in nested:
        for left, right in zip(found[name], expected[name], strict=True):
            np.testing.assert_array_equal(_dense(left), _dense(right), err_msg=str(name))


def _dense(value: Any) -> np.ndarray:
    """A vector of vectors, as pandas reads it from Parquet, as one array."""
    array = np.asarray(value)
    return np.stack([_dense(each) for each in array]) if array.dtype == object and array.size and array.ndim else array
