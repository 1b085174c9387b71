"""A batch on disk: columns, values, caching by digest, and what a change of the inputs recomputes."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from rasterio.transform import from_origin

from soc_assets.embedding.batch import describe, state
from soc_assets.embedding.spec import drift, find_spec, freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.errors import SocWarning
from soc_assets.settings import Band
from soc_assets.storage.files import read_metadata
from soc_assets_tests.embedding.world import World
from soc_assets_tests.same_rows import assert_same_rows
from soc_assets_tests.small_world import ORIGIN, PIXEL, write_raster


def test_file_has_the_documented_columns_and_shapes(world):
    written, frame = world.write()
    assert written.path.name == "batch_0001_size_4.parquet"
    assert list(frame.columns) == [
        *("longitude", "latitude", "organic_carbon", "elevation_embedding", "channel_time_embeddings"),
        *("static_embeddings", "sample_id", "location_id", "year", "season", "source", "batch", "valid_fraction"),
        *("point_values", "geometry", "bbox"),
    ]
    first = frame.iloc[0]
    assert np.vstack(first["elevation_embedding"]).shape == (1, 768)
    images = dict(first["channel_time_embeddings"])
    assert list(images) == ["LAI_2020", "LAI_2019", "LAI_2018"]
    assert np.vstack(images["LAI_2019"]).shape == (1, 768)
    assert first["bbox"]["xmin"] == first["longitude"]


def test_missing_rasters_and_windows_beyond_the_edge_are_null_and_counted(world):
    (world.folder / "rasters/yearly/LAI/LAI_2019.tif").unlink()
    world.refresh()
    written, frame = world.write()
    assert dict(frame["channel_time_embeddings"][0])["LAI_2019"] is None
    assert dict(frame["valid_fraction"][0]) == {"Elevation": 1.0, "LAI_2020": 1.0, "LAI_2019": 0.0, "LAI_2018": 1.0}
    corner = frame.iloc[3]  # row 2, column 60: more than half of the window lies outside
    assert corner["elevation_embedding"] is None
    assert 0 < dict(corner["valid_fraction"])["Elevation"] < 0.5
    assert written.missing == 4 + 1 + 2  # LAI_2019 for all four, and the corner's other three images


def test_gaps_take_the_bands_mean(world):
    values = np.full((32, 32), 10, np.float32)
    values[::2] = -1  # nodata
    write_raster(world.folder / "rasters/yearly/LAI/LAI_2020.tif", values, from_origin(*ORIGIN, 500, 500), nodata=-1)
    frozen = world.spec
    world.refresh()
    assert world.spec.digest == frozen.digest
    _, frame = world.write()
    stored = np.vstack(dict(frame["channel_time_embeddings"][0])["LAI_2020"])
    assert np.isfinite(stored).all()


def test_unchanged_batch_is_not_computed_again(world):
    first, _ = world.write()
    before = first.path.stat().st_mtime_ns
    again, _ = world.write()
    assert (first.outcome, again.outcome, again.images) == ("computed", "cached", 0)
    assert first.path.stat().st_mtime_ns == before


def test_corrected_organic_carbon_rewrites_the_column_and_embeds_nothing(world):
    _, frame = world.write()
    world.samples.loc[1, "organic_carbon"] = 99.0
    second, corrected = world.write()
    assert (second.outcome, second.images) == ("relabelled", 0)
    assert corrected["organic_carbon"].tolist() == [*frame["organic_carbon"][:1], 99.0, *frame["organic_carbon"][2:]]
    assert_same_rows(frame.drop(columns="organic_carbon"), corrected.drop(columns="organic_carbon"))
    assert state(world.batch(), world.home) == "fresh"
    assert json.loads(read_metadata(second.path)["geo"])["version"] == "1.1.0"


def test_changed_raster_invalidates_only_batches_that_read_it(world):
    world.write()
    path = world.folder / "rasters/yearly/LAI/LAI_2021.tif"
    write_raster(path, np.full((32, 32), 3, np.float32), from_origin(*ORIGIN, 500, 500), nodata=-1)
    world.refresh()
    assert state(world.batch(), world.home) == "stale"
    only_2020 = describe("batch_0002", world.samples.iloc[[0, 2]], world.spec, world.raster_index)
    assert "LAI_2021" not in only_2020.rasters


def test_raster_beside_all_windows_is_not_among_the_inputs(world):
    x, y = ORIGIN
    far = from_origin(x + 400 * PIXEL, y, PIXEL, PIXEL)
    write_raster(world.folder / "rasters/yearly/LAI/LAI_2018.tif", np.ones((8, 8), np.float32), far, nodata=-1)
    world.refresh()
    assert world.batch().rasters["LAI_2018"] is None


def test_touched_raster_with_equal_bytes_stays_fresh(world):
    world.write()
    path = world.folder / "rasters/yearly/LAI/LAI_2021.tif"
    path.write_bytes(path.read_bytes())
    world.refresh()
    assert state(world.batch(), world.home) == "fresh"


def test_spec_keeps_its_statistics_when_rasters_come_later_and_reports_the_drift(world):
    frozen = world.spec
    values = np.full((32, 32), 60, np.float32)
    write_raster(world.folder / "rasters/yearly/LAI/LAI_2023.tif", values, from_origin(*ORIGIN, 500, 500), nodata=-1)
    world.refresh()
    assert world.spec == frozen
    (words,) = drift(world.spec, world.catalog)
    assert words.startswith("LAI: frozen mean")
    refitted = freeze(world.folder / "embeddings", choices_of(world.settings, None), world.catalog, refit=True)
    assert refitted.digest != frozen.digest
    assert find_spec(world.folder / "embeddings", refitted.choices) == refitted


def test_refit_is_the_newest_spec_also_where_the_clock_was_set_back(world, monkeypatch):
    folder, choices = world.folder / "embeddings", choices_of(world.settings, None)
    ahead = replace(freeze(folder, choices, world.catalog), created="2999-01-01T00:00:00.000000+00:00")
    ahead.save(folder)
    world.catalog["mean"] += 1
    refitted = freeze(folder, choices, world.catalog, refit=True)
    assert refitted.digest != ahead.digest
    assert find_spec(folder, choices) == refitted


def test_spec_statistics_are_those_of_all_valid_pixels(world):
    import rasterio

    pixels = []
    for path in sorted((world.folder / "rasters/yearly/LAI").glob("*.tif")):
        with rasterio.open(path) as dataset:
            pixels.append(dataset.read(1).astype(np.float64))
    statistics = world.spec.statistics["LAI"]
    assert_allclose([statistics.mean, statistics.std], [np.mean(pixels), np.std(pixels)], rtol=1e-6)


def test_damaged_file_is_noticed_and_computed_again(world):
    written, frame = world.write()
    written.path.write_bytes(written.path.read_bytes()[:1000])
    with pytest.warns(SocWarning, match="batch_0001_size_4.parquet is damaged"):
        again, repaired = world.write()
    assert again.outcome == "computed"
    assert_same_rows(frame, repaired)


def test_smaller_batch_replaces_the_larger_file(world):
    world.write()
    world.samples = world.samples.iloc[:3]
    world.write()
    assert [path.name for path in world.home.glob("batch_*")] == ["batch_0001_size_3.parquet"]


def test_file_metadata_carries_spec_digest_weights_and_version(world):
    written, _ = world.write()
    metadata = read_metadata(written.path)
    assert metadata["soc.spec"] == world.spec.digest
    assert metadata["soc.weights"] == "random (seed 42)"
    assert len(metadata["soc.weights_sha256"]) == 64
    assert metadata["soc.inputs"] == world.batch().inputs
    assert json.loads(metadata["soc.spec_json"])["choices"]["stage"] == "patch_embed"
    assert metadata["soc.version"]


def test_seasonal_steps_count_seasons_and_yearly_bands_years(tmp_path):
    world = World(tmp_path)
    bands = (*world.settings.rasters.bands, Band(name="NDVI", kind="seasonal"))
    for year, season in ((2020, "winter"), (2020, "spring"), (2019, "autumn")):
        path = tmp_path / f"rasters/seasonal/NDVI/NDVI_{year}_{season}.tif"
        write_raster(path, np.ones((32, 32), np.float32) * year, from_origin(*ORIGIN, 500, 500), nodata=-1)
    rasters = world.settings.rasters.model_copy(update={"bands": bands})
    world.settings = world.settings.model_copy(update={"rasters": rasters})
    world.refresh()
    world.samples = world.samples.iloc[:1].assign(season="spring")
    _, frame = world.write()
    expected = ["LAI_2020", "LAI_2019", "LAI_2018", "NDVI_2020_spring", "NDVI_2020_winter", "NDVI_2019_autumn"]
    assert list(dict(frame["channel_time_embeddings"][0])) == expected


def test_arrow_types_are_the_contract(world):
    written, _ = world.write()
    schema = pq.read_schema(written.path)
    assert str(schema.field("elevation_embedding").type) == "list<element: list<element: float>>"
    assert str(schema.field("channel_time_embeddings").type).startswith(
        "map<string, list<element: list<element: float>>"
    )
    assert str(schema.field("valid_fraction").type).startswith("map<string, float")
