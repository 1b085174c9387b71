"""Vectors as int8 with a scale: how far they are off, what is missing, and reading them again."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from numpy.testing import assert_array_equal

from soc_assets.errors import FeaturesError
from soc_assets.exporting.export import export
from soc_assets.exporting.int8 import quantise, read_int8_npz, read_int8_parquet, restore
from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.small_project import N_FEATURES, copy_of


def test_numbers_are_off_by_half_a_scale_at_most():
    vectors = np.random.default_rng(0).normal(0, [[1e-6], [1], [1e6]], (3, 768)).astype(np.float32)
    numbers, scales = quantise(vectors)
    assert (numbers.dtype, scales.dtype) == (np.int8, np.float32)
    assert_array_equal(np.abs(numbers).max(axis=1), 127)
    assert (np.abs(restore(numbers, scales) - vectors) <= scales[:, None] * 0.5001).all()
    twice = quantise(restore(numbers, scales))
    assert_array_equal(twice[0], numbers)


def test_missing_vectors_stay_missing_and_zeros_zero():
    vectors = np.zeros((2, 2, 4), np.float32)
    vectors[0, 0] = np.nan
    numbers, scales = quantise(vectors)
    assert_array_equal(restore(numbers, scales), vectors)
    assert_array_equal(restore(numbers.reshape(2, 8), scales), vectors.reshape(2, 8))  # laid end to end


def test_features_and_embeddings_as_int8_in_every_format(finished, tmp_path):
    for stage in ("features", "embeddings"):
        export(finished.project, stage, "npz", tmp_path / f"{stage}.exact")
        for kind in ("npz", "zarr", "parquet"):
            export(finished.project, stage, kind, tmp_path / f"{stage}.{kind}", int8=True)
        exact, found = np.load(tmp_path / f"{stage}.exact"), read_int8_npz(tmp_path / f"{stage}.npz")
        assert set(found) == set(exact.files)
        values, whole = found[stage], exact[stage]
        assert values.shape == whole.shape and values.dtype == np.float32
        assert_array_equal(np.isnan(values), np.isnan(whole))
        vectors = whole.reshape(len(whole), -1, 768)
        most = np.broadcast_to(np.abs(vectors).max(axis=-1, keepdims=True), vectors.shape).reshape(whole.shape)
        close = np.abs(values - whole) <= most / 127 * 0.5001
        assert (close | np.isnan(whole)).all() and (values != whole).any()
        group = zarr.open_group(tmp_path / f"{stage}.zarr", mode="r")
        assert_array_equal(restore(group[stage][:], group["scale"][:]), values)
    table = read_int8_parquet(tmp_path / "features.parquet").to_pandas()
    assert_array_equal(np.vstack(table["features"]), read_int8_npz(tmp_path / "features.npz")["features"])
    assert "scale" not in table and list(table["sample_id"]) == list(found["sample_id"])
    whole = read_int8_parquet(tmp_path / "embeddings.parquet")
    assert whole.column_names == pq.read_schema(next(iter(finished.batch_files().values()))).names
    first = np.vstack(whole["elevation_embedding"][0].as_py())
    assert_array_equal(first, found["embeddings"][0, 0])


def test_int8_takes_a_quarter_of_the_bytes(finished, tmp_path):
    """Of the features the names of the columns are left out, as they outweigh 60 samples."""
    sizes = []
    for int8 in (False, True):
        export(finished.project, "features", "npz", tmp_path / "features", int8=int8, overwrite=True)
        export(finished.project, "embeddings", "parquet", tmp_path / "embeddings", int8=int8, overwrite=True)
        arrays = np.load(tmp_path / "features")
        numbers = sum(arrays[name].nbytes for name in ("features", "scale") if name in arrays.files)
        sizes.append([numbers, (tmp_path / "embeddings").stat().st_size])
    assert (np.divide(*sizes[::-1]) < [0.26, 0.35]).all()
    assert arrays["features"].shape == (60, N_FEATURES)


def test_what_int8_is_not_for_is_refused(finished, tmp_path):
    assert "--int8" in refused("export", "--int8", "--format", "csv", "--out", tmp_path / "x", at=finished)
    path = tmp_path / "floats.npz"
    assert soc("export", "--format", "npz", "--out", path, "--bands", "LAI", at=finished).exit_code == 0
    with pytest.raises(FeaturesError, match="is not an int8 export"):
        read_int8_npz(path)
    with pytest.raises(FeaturesError, match="is not an int8 export"):
        read_int8_parquet(next(iter(finished.batch_files().values())))
    with_points = copy_of(finished, tmp_path / "with_points", '\n[features]\ninclude = ["embedding", "point"]\n')
    message = refused("export", "--int8", "--out", tmp_path / "x", at=with_points)
    assert "include in soc.toml" in message
