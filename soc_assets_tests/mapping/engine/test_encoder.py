"""Maps of the whole encoder: every cell is what `soc predict` says there, and equal windows are embedded once."""

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import rasterio

from soc_assets.embedding.encoder import architecture
from soc_assets.mapping import rows
from soc_assets.mapping.engine import columns
from soc_assets.mapping.engine.blocks import PointEngine
from soc_assets.mapping.engine.columns import ColumnEngine
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.estimate import estimate
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Cells, Period, of_key
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.tile_files import read_tile
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project
from soc_assets.settings import Band, Features
from soc_assets.storage import files
from soc_assets_tests.mapping.small_maps import spec_of, with_settings
from soc_assets_tests.small_world import catalog_of, project_of, reference_transform, write_raster, write_world

SIZE = 64
PERIOD = Period(2020, "summer")
SOME = [Cells(13, 10, 16, 26), Cells(2, 58, 5, 64)]  # beside a hole; in a corner, where windows are nearly empty
BANDS = (
    Band(name="Elevation", kind="static"),
    Band(name="LAI"),
    Band(name="NPP"),
    Band(name="NDVI", kind="seasonal"),
)
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "encoder": ({"stage": "encoder"}, "embedding", "zero"),
    "encoder, parts, nulls": (
        {"stage": "encoder", "pooling": "mean_center", "anchor": "token"},
        "point:1:9+embedding",
        "null",
    ),
    "encoder, nearest lags": (
        {"stage": "encoder", "pooling": "center", "storage": "float16"},
        "embedding+coordinates",
        "nearest_lag",
    ),
    "encoder, stack": ({"stage": "encoder", "arrangement": "stack"}, "embedding+point:25", "nearest_lag"),
    "encoder, every token": ({"stage": "encoder", "pooling": "none"}, "embedding", "zero"),
    "encoder, raw, nulls": ({"stage": "encoder", "arrangement": "stack", "normalise": "none"}, "embedding", "null"),
    "encoder, by image": (
        {"stage": "encoder", "arrangement": "stack", "normalise": "image"},
        "embedding+point",
        "zero",
    ),
    "patches, by image": ({"pooling": "mean_center", "normalise": "image"}, "point+embedding", "nearest_lag"),
    "patches, maximum": ({"pooling": "max", "arrangement": "stack"}, "embedding", "zero"),
    "patches, seasons": ({"pooling": "mean_center"}, "point+embedding", "nearest_lag"),
    "windows": ({"stage": "encoder"}, "window:8+point", "zero"),
    "windows, raw, stack": ({"arrangement": "stack", "normalise": "none"}, "window:16", "null"),
}


class Weighed:
    """A stand-in in which every column has its own weight, and so has its absence."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        stream = np.random.default_rng(features.shape[1])
        weights, absent = stream.normal(0, 1, (2, features.shape[1]))
        value = np.nan_to_num(features.astype(float)) @ weights + np.isnan(features) @ absent
        return np.column_stack([value, value - 5, value + 9, np.abs(value), value < 20])


@pytest.fixture(autouse=True)
def small_encoder():
    """vit_base_patch8, made small."""
    small = replace(architecture.ARCHITECTURES["vit_base_patch8"], width=48, depth=2, heads=3)
    with mock.patch.dict(architecture.ARCHITECTURES, {"vit_base_patch8": small}):
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Project:
    """Elevation with a hole; LAI of all years, NPP not of 2019, NDVI by season, not of spring 2020."""
    root = tmp_path_factory.mktemp("encoded")
    project = project_of(write_world(root / "data/rasters", SIZE), root)
    with rasterio.open(root / "data/rasters/static/Elevation.tif", "r+") as dataset:
        values = dataset.read(1)
        values[4:16, 2:20] = -9999
        dataset.write(values, 1)
    stream = np.random.default_rng(3)
    steps = [f"yearly/NPP/NPP_{year}" for year in (2018, 2020)]
    steps += [f"seasonal/NDVI/NDVI_{step}" for step in ("2020_summer", "2020_winter", "2019_autumn")]
    for step in steps:
        values = stream.normal(9, 2, (SIZE, SIZE)).astype(np.float32)
        values[20:, :12] = np.nan if "NDVI" in step else 9
        write_raster(root / f"data/rasters/{step}.tif", values, reference_transform())
    project = with_settings(project, rasters={"bands": BANDS}, study={"time_before": 2})
    files.write_table(project.catalog, catalog_of(project.settings, project.raster_folder))
    return project


def maps_of(project: Project, features: str, missing: str, *periods: Period, files: str = "") -> MapInputs:
    vector, study = Features.model_validate({"missing": missing}), project.settings.study
    registered = Registered(Weighed(), "models:/m/1", spec_of(project).digest, features, 9, vector, study, files=files)
    return read_map_inputs(project, registered, periods)


@pytest.mark.parametrize("name", CASES)
def test_every_cell_is_what_points_say(world, name, monkeypatch):
    embedding, features, missing = CASES[name]
    project, period = with_settings(world, embedding=embedding), PERIOD
    if "arrangement" in embedding:  # which takes no bands of two kinds
        project, period = with_settings(project, rasters={"bands": BANDS[:3]}), Period(2020)
    inputs = maps_of(project, features, missing, period)
    if embedding.get("pooling") == "none":
        monkeypatch.setattr(columns, "_STRIP_BYTES", 4 * 32 * inputs.predictor.spec.n_features)  # rows of a block
    if inputs.predictor.windows:
        monkeypatch.setattr(rows, "rows_at_once", lambda *_: 97)
        assert inputs.predictor.rows_at_once == 97
    [place] = inputs.places
    by_points, engine = PointEngine(inputs), ColumnEngine(inputs)
    assert engine.once == (not inputs.predictor.spec.linear and "window" not in features)
    assert engine.together == (not inputs.predictor.spec.linear or "window" in features)
    for cells in SOME:
        points, found = (each.open(period, place)(cells) for each in (by_points, engine))
        np.testing.assert_array_equal(found.missing, points.missing)
        np.testing.assert_allclose(found.numbers, points.numbers, rtol=1e-5, atol=1e-5)
        assert len(np.unique(points.missing)) > 1 and np.isfinite(points.numbers).any()


def test_equal_windows_are_embedded_once_in_all_periods_and_make_the_same_map(tmp_path):
    project = project_of(write_world(tmp_path / "data/rasters", SIZE), tmp_path)
    lai = tmp_path / "data/rasters/yearly/LAI"
    (lai / "LAI_2021.tif").write_bytes((lai / "LAI_2020.tif").read_bytes())  # as users fill a year that is not there
    project = with_settings(project, embedding={"stage": "encoder"}, map={"step": 16})
    files.write_table(project.catalog, catalog_of(project.settings, project.raster_folder))
    years, found = [Period(2020), Period(2021)], {}
    for name, some in (("together", [years]), ("alone", [[year] for year in years])):
        for periods in some:
            inputs = maps_of(project, "embedding", "zero", *periods, files=name)
            engine = engine_for(inputs)
            assert isinstance(engine, ColumnEngine) and inputs.cells == 16
            for tile in write_tiles(inputs, inputs.keys, engine):
                assert (tile.outcome, tile.cells) == ("computed", 16)
            embedded = inputs.predictor.embedder.encoder.images_embedded
            assert embedded == 16 * (4 if len(periods) == 2 else {2020: 4, 2021: 3}[periods[0].year])
            for key in inputs.keys:
                layers = read_tile(inputs.tile_path(key), inputs.tile_inputs(*of_key(key)))
                assert layers is not None
                found.setdefault(key, []).append(layers)
    both = maps_of(project, "embedding", "zero", *years)
    assert both.images(both.keys) == 16 * 5 and len(found) == 2
    for one, other in found.values():
        np.testing.assert_allclose(one.numbers, other.numbers, rtol=1e-5)
        np.testing.assert_array_equal(one.quality, other.quality)


def test_tiles_that_are_there_stay_and_only_the_others_are_computed_together(world):
    project = with_settings(world, embedding={"stage": "encoder"}, map={"step": 16})
    periods = [Period(year, "summer") for year in (2018, 2019, 2020)]
    first = maps_of(project, "embedding", "zero", periods[1], files="stay")
    list(write_tiles(first, first.keys, engine_for(first)))
    inputs = maps_of(project, "embedding", "zero", *periods, files="stay")
    engine = engine_for(inputs)
    told = estimate(inputs, inputs.keys, engine)
    assert told.engine == "encoder" and 1 <= told.cells <= 16 and told.seconds > 0
    outcomes = {tile.key: tile.outcome for tile in write_tiles(inputs, inputs.keys, engine)}
    assert [outcomes[key] for key in inputs.keys] == ["computed", "cached", "computed"]
