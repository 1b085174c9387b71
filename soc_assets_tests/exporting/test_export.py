"""`soc export`: each format holds what the views hold, whole or not at all."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import zarr
from numpy.testing import assert_array_equal

from soc_assets.exporting.export import export
from soc_assets_tests.command_line import refused, soc


@pytest.fixture(scope="module")
def expected(finished):
    """Features of the validation split, bands LAI, by sample."""
    frame = finished.query("SELECT sample_id, features FROM features WHERE split = 'validation'")
    return {row.sample_id: row.features[768 : 6 * 768] for row in frame.itertuples()}


def test_features_in_every_format_are_the_views(finished, expected, tmp_path):
    for kind in ("csv", "parquet", "npz", "zarr"):
        path = tmp_path / f"some.{kind}"
        result = soc(
            *("export", "--format", kind, "--out", path, "--split", "validation", "--bands", "LAI"), at=finished
        )
        assert result.exit_code == 0
        assert f"{len(expected)} samples in {path}" in result.stdout
    table = pd.read_csv(tmp_path / "some.csv", dtype={"sample_id": str}).set_index("sample_id")
    parquet = pd.read_parquet(tmp_path / "some.parquet").set_index("sample_id")
    arrays = np.load(tmp_path / "some.npz")
    group = zarr.open_group(tmp_path / "some.zarr", mode="r")
    assert list(table.index) == list(parquet.index) == list(arrays["sample_id"]) == list(group["sample_id"][:])
    wanted = np.vstack([expected[name] for name in table.index])
    assert table.columns[-1] == arrays["feature_name"][-1] == "LAI lag 4 767"
    assert_array_equal(table.iloc[:, -5 * 768 :].to_numpy(np.float32), wanted)
    assert_array_equal(np.vstack(parquet["features"].to_list()), wanted)
    assert_array_equal(arrays["features"], wanted)
    assert_array_equal(group["features"][:], wanted)
    assert_array_equal(arrays["lag"], np.repeat(np.arange(5), 768))
    assert set(parquet["split"]) == {"validation"}


def test_embeddings_as_arrays_have_band_lag_and_nan_for_what_is_missing(finished, tmp_path):
    export(finished.project, "embeddings", "npz", tmp_path / "all.npz")
    arrays = np.load(tmp_path / "all.npz")
    assert arrays["embeddings"].shape == (60, 26, 1, 768)
    assert arrays["band"].tolist()[:2] == ["Elevation", "LAI"]
    assert arrays["lag"].tolist()[:3] == [-1, 0, 1]
    gaps = finished.query("SELECT sample_id, sum(missing_images) n FROM features GROUP BY 1").set_index("sample_id")[
        "n"
    ]
    missing = np.isnan(arrays["embeddings"]).all(axis=(2, 3)).sum(axis=1)
    assert missing.sum() > 0
    assert_array_equal(missing, gaps.loc[arrays["sample_id"]])


def test_embeddings_as_csv_have_a_row_per_image(finished, tmp_path):
    export(finished.project, "embeddings", "csv", tmp_path / "lai.csv", bands=["LAI"])
    table = pd.read_csv(tmp_path / "lai.csv")
    assert len(table) == 60 * 5
    assert table["lag"].tolist()[:5] == [0, 1, 2, 3, 4]
    one = finished.query(f"SELECT vec('{table['sample_id'][0]}', 'LAI', 3) v")["v"].item()
    assert_array_equal(table.iloc[3, -768:].to_numpy(np.float32), one)


def test_embeddings_as_parquet_are_the_batches_in_one_geoparquet(finished, tmp_path):
    export(finished.project, "embeddings", "parquet", tmp_path / "all.parquet")
    whole = pq.read_table(tmp_path / "all.parquet")
    every = pd.concat([pd.read_parquet(path) for path in finished.batch_files().values()])
    assert whole.column_names == list(every.columns)
    assert whole["sample_id"].to_pylist() == every["sample_id"].tolist()
    geo = json.loads(whole.schema.metadata[b"geo"])
    assert geo["columns"]["geometry"]["bbox"][0] == pytest.approx(every["longitude"].min())


def test_nothing_is_written_over_and_mistakes_are_told(finished, tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    path.write_text("mine")
    assert "--overwrite" in refused("export", "--format", "npz", "--out", path, at=finished)
    assert path.read_text() == "mine"
    assert soc("export", "--format", "npz", "--out", path, "--bands", "LAI", "--overwrite", at=finished).exit_code == 0
    other = tmp_path / "y"
    assert "no band 'NDVI'" in refused("export", "--out", other, "--bands", "NDVI", at=finished)
    refused("export", "--stage", "embeddings", "--out", other, "--split", "test", at=finished)
    refused("export", "--stage", "embeddings", "--out", other, "--bands", "LAI", at=finished)
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    assert "soc-assets[zarr]" in refused("export", "--format", "zarr", "--out", other, at=finished)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.npz"]


def test_export_before_there_is_anything_says_what_makes_it(fresh, tmp_path):
    for stage, command in (("features", "soc run --to features"), ("embeddings", "soc run --to embeddings")):
        assert command in refused("export", "--stage", stage, "--out", tmp_path / "x", at=fresh)
