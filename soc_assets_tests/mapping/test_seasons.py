"""Maps where a model reads bands by season: each cell as `soc predict` has it for a date in that season."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from soc_assets.errors import MapError
from soc_assets.mapping.change.changes import Change, require_maps, wanted_changes
from soc_assets.mapping.change.files import assemble_change
from soc_assets.mapping.change.tiles import write_change_tiles
from soc_assets.mapping.inputs import read_map_inputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.points import predict_values, read_points
from soc_assets.mapping.registered import Registered
from soc_assets.project import Project
from soc_assets.settings import Band, Features, Rasters
from soc_assets.settings.seasons import SEASONS
from soc_assets_tests.mapping.make_map import make
from soc_assets_tests.mapping.small_maps import spec_of, with_settings
from soc_assets_tests.mapping.test_tiles import Sum, catalogued
from soc_assets_tests.small_world import (
    coordinates_of_pixels,
    project_of,
    reference_grid,
    reference_transform,
    write_raster,
    write_world,
)

ROWS, COLUMNS = np.array([0, 31, 40, 63]), np.array([5, 32, 17, 63])
DAYS = {
    Period(2020, "summer"): "2020-07-15",
    Period(2020, "winter"): "2020-01-15",
    Period(2021, "summer"): "2021-06-01",
}
CHANGE = Change(Period(2020, "summer"), Period(2021, "summer"))


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> Project:
    """A static, a yearly and a seasonal band, whose winter of 2021 is missing; maps of two summers and a winter."""
    root = tmp_path_factory.mktemp("seasons")
    settings = write_world(root / "data/rasters")
    stream = np.random.default_rng(3)
    for year in range(2018, 2022):
        for season in SEASONS:
            if (year, season) != (2021, "winter"):
                path = root / f"data/rasters/seasonal/NDVI/NDVI_{year}_{season}.tif"
                values = stream.normal(50, 9, (64, 64)).astype(np.float32)
                write_raster(path, values, reference_transform(), nodata=-1)
    bands = (*settings.rasters.bands, Band(name="NDVI", kind="seasonal"))
    project = project_of(settings.model_copy(update={"rasters": Rasters(bands=bands, min_valid_fraction=0.5)}), root)
    catalogued(project)
    inputs = read_map_inputs(project, model(project), list(DAYS))
    make(inputs)
    return project


def model(project: Project) -> Registered:
    vector = Features.model_validate({"missing": "nearest_lag"})
    bare = Registered(Sum(), "models:/m/1", spec_of(project).digest, "point:1:3+embedding", 2, vector)
    return replace(bare, study=project.settings.study)


def layer(project: Project, folder: str, name: str) -> np.ndarray:
    """A layer of a map in double precision, NaN where there is no value."""
    with rasterio.open(project.data / "maps" / model(project).digest / folder / f"{name}.tif") as dataset:
        return dataset.read(1, masked=True).astype(float).filled(np.nan)


@pytest.mark.parametrize("period", DAYS, ids=str)
def test_map_of_a_season_is_the_prediction_for_a_day_in_it(mapped, period, tmp_path):
    longitude, latitude = coordinates_of_pixels(ROWS, COLUMNS, reference_grid())
    lines = [f"{a:.9f},{b:.9f},{DAYS[period]}" for a, b in zip(longitude, latitude, strict=True)]
    (tmp_path / "p.csv").write_text("\n".join(["longitude,latitude,date", *lines]))
    points = predict_values(mapped, read_points(tmp_path / "p.csv"), model(mapped))
    missing = int(period.year == 2021)
    assert points["missing_images"].tolist() == [7, missing, missing, 7]  # at the corners most of a window is outside
    for name, column in (("organic_carbon", "predicted"), ("upper", "upper"), ("dissimilarity", "dissimilarity")):
        found = layer(mapped, str(period), name)
        np.testing.assert_allclose(found[ROWS, COLUMNS], points[column].astype(float), atol=6e-4)
    summer, winter = (layer(mapped, name, "organic_carbon") for name in ("2020_summer", "2020_winter"))
    assert np.nanmax(np.abs(summer - winter)) > 0.1


def test_change_of_a_season_is_the_difference_of_its_maps(mapped):
    project = with_settings(mapped, map={"changes": ((2020, 2021),), "season": "summer"})
    assert wanted_changes(project) == (CHANGE,)
    inputs = read_map_inputs(project, model(project))
    assert inputs.periods == CHANGE.periods
    require_maps(inputs, [CHANGE])
    list(write_change_tiles(inputs, CHANGE, None))
    assert assemble_change(inputs, CHANGE, 0).folder.name == "change_2020_2021_summer"
    after, before = (layer(project, f"{year}_summer", "organic_carbon") for year in (2021, 2020))
    np.testing.assert_allclose(layer(project, "change_2020_2021_summer", "change"), after - before, rtol=1e-6, atol=0)
    assert not list(inputs.folder.glob("change_*_winter"))


def test_year_without_a_season_is_refused(mapped):
    with pytest.raises(MapError, match="reads bands by season, and 2020 is a year alone"):
        read_map_inputs(mapped, model(mapped), [Period(2020)])
