"""What a map cannot be made from is refused before anything is computed, with a cure; what is merely unusual works."""

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from pydantic import ValidationError
from rasterio.transform import from_origin

from soc_assets.errors import MapError, SamplingError, SocError, TrainingError
from soc_assets.mapping.assemble import assemble
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.fitting import require_fitting_model
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Cells, Period
from soc_assets.mapping.points import predict_values, read_points
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project
from soc_assets.settings import Band, Maps, Mask, Rasters
from soc_assets_tests.mapping.small_maps import with_settings
from soc_assets_tests.mapping.test_tiles import YEAR, Sum, catalogued, maps_of, model
from soc_assets_tests.small_world import ORIGIN, UTM, project_of, reference_transform, write_raster, write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Project:
    root = tmp_path_factory.mktemp("world")
    project = project_of(write_world(root / "data/rasters"), root)
    catalogued(project)
    return project


class Narrow(Sum):
    """Fitted on four features."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        if features.shape[1] != 4:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\nmore lines")
        return super().predict(features)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            {"features": "embedding+terrain"},
            r"reads the feature set 'embedding\+terrain', and there are no features 't",
        ),
        ({"features": "point:99"}, r"'point:99' asks for windows \['99'\]; there are \[1, 3, 9, 25\]"),
        (
            {"model": Narrow()},
            r"cannot take the 8 features .*\(RuntimeError: mat1 and mat2 shapes.*Name another version",
        ),
        ({"spec": "0123456789"}, r"of the spec 0123456789, which is not in .* Put its folder back"),
    ],
)
def test_model_of_other_features_or_another_spec_is_refused(world, how, words):
    with pytest.raises(TrainingError, match=words):
        require_fitting_model(read_map_inputs(world, replace(model(world), **how), [YEAR]))


def test_seasonal_model_needs_a_season_and_is_mapped_with_one(tmp_path):
    folder = tmp_path / "data/rasters"
    settings = write_world(folder)
    bands = Rasters(bands=(Band(name="Elevation", kind="static"), Band(name="NDVI", kind="seasonal")))
    project = project_of(settings.model_copy(update={"rasters": bands}), tmp_path)
    stream = np.random.default_rng(0)
    for year in (2019, 2020):
        for season in ("winter", "spring", "summer", "autumn"):
            values = stream.normal(0.5, 0.1, (64, 64)).astype(np.float32)
            write_raster(folder / f"seasonal/NDVI/NDVI_{year}_{season}.tif", values, reference_transform(), nodata=-1)
    catalogued(project)
    with pytest.raises(
        MapError, match=r"reads bands by season, and 2020 is a year alone: set season .*--season summer"
    ):
        maps_of(project, YEAR)
    inputs = maps_of(with_settings(project, map={"step": 8}), Period(2020, "winter"))
    assert [step.key(slot.name) for slot, step in inputs.steps(Period(2020, "winter"))] == [
        "Elevation",
        "NDVI_2020_winter",
        "NDVI_2019_autumn",
        "NDVI_2019_summer",
    ]
    assert made(inputs, Period(2020, "winter")).name == "2020_winter"


def made(inputs: MapInputs, period: Period = YEAR) -> Path:
    list(write_tiles(inputs, inputs.keys, engine_for(inputs)))
    return assemble(inputs, period).folder


def test_reference_grid_in_degrees_is_mapped_as_its_points_are_predicted(tmp_path):
    folder = tmp_path / "data/rasters"
    settings = write_world(folder)
    stream, transform = np.random.default_rng(0), from_origin(10.5, 48.7, 0.003, 0.002)
    for path in folder.rglob("*.tif"):
        values = stream.normal(20, 4, (40, 50)).astype(np.float32)
        write_raster(path, values, transform, "EPSG:4326", nodata=-9999)
    project = project_of(settings, tmp_path)
    catalogued(project)
    inputs = maps_of(project)
    map_folder = made(inputs)
    longitude, latitude = inputs.lattice.coordinates(Cells(7, 11, 8, 12))
    (tmp_path / "p.csv").write_text(f"longitude,latitude,year\n{longitude[0]:.9f},{latitude[0]:.9f},2020\n")
    [point] = predict_values(project, read_points(tmp_path / "p.csv"), model(project)).to_dict("records")
    with rasterio.open(map_folder / "organic_carbon.tif") as dataset:
        assert dataset.crs == rasterio.CRS.from_epsg(4326) and dataset.transform == transform
        assert dataset.read(1)[7, 11] == pytest.approx(point["predicted"], abs=6e-4)
    assert "50 x 40 cells of 0.003 degrees in EPSG:4326" in (map_folder / "card.md").read_text()


def region(root: Path, geometry: shapely.Geometry, crs: object) -> str:
    geopandas.GeoDataFrame(geometry=[geometry], crs=crs).to_file(root / "region.gpkg")
    return "region.gpkg"


def test_region_in_another_crs_or_outside_the_rasters(world):
    west, north = ORIGIN
    box = shapely.box(west + 2000, north - 6000, west + 7000, north - 2000)
    cells = {}
    for crs in (UTM, "EPSG:4326", "EPSG:3035"):
        file = region(world.root, *geopandas.GeoSeries([box], crs=UTM).to_crs(crs), crs)
        cells[crs] = maps_of(with_settings(world, map={"region": file})).cells
    assert set(cells.values()) == {20 * 16}
    for outside, words in (
        (region(world.root, shapely.box(0, 0, 1, 1), 4326), "No cell of the map .* Look at the CRS of the region"),
        ("absent.gpkg", "absent.gpkg does not exist"),
    ):
        with pytest.raises(SocError, match=words):
            maps_of(with_settings(world, map={"region": outside})).keys  # noqa: B018
    file = region(world.root, box, None)
    with pytest.raises(SamplingError, match="CRS"):
        maps_of(with_settings(world, map={"region": file}))


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Mask(file="absent.tif", classes=(1,)), "absent.tif does not exist. Correct the name"),
        (Mask(file="cover.tif", classes=(1, 9)), "holds no pixel of 9. Its classes are 1, 7"),
        (Mask(file="cover.tif", classes=(1,), layer=3), "has 1 bands. Correct it"),
        (Mask(file="cover.txt", classes=(1,)), "cover.txt' in .* cannot be read"),
    ],
)
def test_mask_of_an_unknown_file_or_class_is_refused(world, mask, words):
    codes = np.where(np.arange(64) < 32, 1, 7).astype(np.uint8)
    write_raster(world.root / "cover.tif", np.tile(codes, (64, 1)), reference_transform())
    (world.root / "cover.txt").write_text("1 2 3")
    with pytest.raises(MapError, match=words):
        maps_of(with_settings(world, map={"masks": (mask,)}))


@pytest.mark.parametrize("wrong", [{"step": 0}, {"tile": 0}, {"outputs": ("width",)}, {"dtype": "int8"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Maps.model_validate(wrong)


def test_years_without_rasters_are_named_with_the_share_of_missing_images(world):
    with pytest.raises(MapError, match=r"No map of 2030: 3 of 4 images \(75%\) have no raster.*LAI_2030, LAI_2029"):
        maps_of(world, Period(2030))
