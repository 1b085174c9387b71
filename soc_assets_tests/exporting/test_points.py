"""`soc export --stage points`: the rasters' own values at the samples, in every format."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.warp import transform

from soc_assets.embedding.spec import Statistics
from soc_assets.errors import FeaturesError
from soc_assets.exporting.export import export
from soc_assets_tests.command_line import refused, soc


@pytest.fixture(scope="module")
def table(finished, tmp_path_factory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("points") / "points.csv"
    result = soc("export", "--stage", "points", "--format", "csv", "--out", path, at=finished)
    assert result.exit_code == 0 and f"60 samples in {path}" in result.stdout
    return pd.read_csv(path, dtype={"sample_id": str})


def values_at(path, table: pd.DataFrame) -> np.ndarray:
    """What a raster has at the pixels of samples, read with rasterio alone."""
    with rasterio.open(path) as dataset:
        places = transform("EPSG:4326", dataset.crs, table["longitude"].tolist(), table["latitude"].tolist())
        return np.array([value[0] for value in dataset.sample(zip(*places, strict=True))])


def test_values_are_those_of_the_rasters_at_the_pixels(finished, table):
    """Elevation and MODIS_NPP are noise on the reference grid: a neighbour's value would not do."""
    elevation = values_at(finished.root / "data/rasters/static/Elevation.tif", table)
    assert elevation.std() > 1
    assert_allclose(table["Elevation"], elevation, rtol=1e-6)
    for year, part in table.groupby("year"):
        for lag in range(5):
            wanted = values_at(finished.raster("MODIS_NPP", year - lag), part)
            assert_allclose(part[f"MODIS_NPP lag {lag}"], wanted, rtol=1e-6)


def test_missing_rasters_are_empty_and_samples_have_their_columns(finished, table):
    for year, part in table.groupby("year"):
        for lag in range(5):
            assert part[f"SoilEvaporation lag {lag}"].isna().all() == (year - lag == 2010)
    known = finished.table("balanced").set_index("sample_id")["split"]
    assert_array_equal(table["split"], known.loc[table["sample_id"]])
    carbon = finished.table("samples").set_index("sample_id")["organic_carbon"]
    assert_allclose(table["organic_carbon"], carbon.loc[table["sample_id"]])
    assert list(table.columns[-26:-20]) == ["Elevation", *(f"LAI lag {lag}" for lag in range(5))]


def test_every_format_has_the_same_values(finished, table, tmp_path):
    wanted = table[table["split"] == "test"]
    bands = ["LAI lag 0", "LAI lag 1", "LAI lag 2", "LAI lag 3", "LAI lag 4"]
    for kind in ("parquet", "npz", "zarr"):
        assert export(finished.project, "points", kind, tmp_path / kind, "test", ["LAI"]) == len(wanted)
    frame = pd.read_parquet(tmp_path / "parquet")
    arrays, group = np.load(tmp_path / "npz"), zarr.open_group(tmp_path / "zarr", mode="r")
    assert list(frame.columns[-5:]) == list(arrays["value_name"]) == bands
    assert_array_equal(arrays["lag"], range(5))
    for found in (frame[bands], arrays["points"], group["points"][:]):
        assert_allclose(found, wanted[bands], rtol=1e-6)
    assert list(frame["sample_id"]) == list(arrays["sample_id"]) == list(wanted["sample_id"])
    for told in (pq.read_schema(tmp_path / "parquet").metadata[b"soc.values"].decode(), group.attrs["soc.values"]):
        assert "in their own units" in told


def test_unknown_band_is_told(finished, tmp_path):
    message = refused("export", "--stage", "points", "--bands", "NDVI", "--out", tmp_path / "x", at=finished)
    assert "no band 'NDVI'" in message and "LAI" in message
    with pytest.raises(FeaturesError, match="--int8"):
        export(finished.project, "points", "npz", tmp_path / "x", int8=True)


@pytest.mark.parametrize("normalise", ["band", "none", "image"])
@pytest.mark.parametrize("statistics", [Statistics(14320.39, 57.6), Statistics(0.33, 1e-3), Statistics(7, 0)])
def test_normalisation_is_undone(statistics, normalise):
    values = np.linspace(statistics.mean - 3, statistics.mean + 3, 50, dtype=np.float32)
    relative = values - np.float32(statistics.mean)
    assert_allclose(statistics.restore(statistics.apply(relative, normalise), normalise), values, rtol=2e-7, atol=1e-7)
