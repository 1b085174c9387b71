import numpy as np

from soc_assets.regression.design.standardisation import column_statistics


def test_statistics_are_those_of_the_given_rows_only():
    matrix = np.random.default_rng(0).normal(5, 3, size=(700, 4)).astype(np.float32)
    rows = np.arange(600)
    matrix[600:] = 1e6
    mean, scale = column_statistics(matrix, rows)
    np.testing.assert_allclose(mean, matrix[rows].mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(scale, matrix[rows].std(axis=0, dtype=np.float64))


def test_large_offset_does_not_cost_precision():
    matrix = (14300 + np.random.default_rng(0).normal(0, 0.5, size=(500, 1))).astype(np.float32)
    _, scale = column_statistics(matrix, np.arange(500))
    np.testing.assert_allclose(scale, matrix.astype(np.float64).std(axis=0), rtol=1e-9)


def test_constant_and_empty_columns_get_scale_one_and_nan_is_left_out():
    matrix = np.array([[0.1, np.nan, 1.0], [0.1, np.nan, np.nan], [0.1, np.nan, 3.0]], dtype=np.float32)
    mean, scale = column_statistics(matrix, np.arange(3))
    np.testing.assert_allclose(mean, [0.1, 0, 2], rtol=1e-6)
    np.testing.assert_array_equal(scale, [1, 1, 1])
