"""Tiles of a map: the same however they are cut, computed again exactly where something that they read has changed."""

from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from soc_assets.errors import MapError
from soc_assets.mapping.assemble import assemble, read_map, state_of_map
from soc_assets.mapping.engine.blocks import PointEngine
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Lattice, Period, Place, key_of, of_key
from soc_assets.mapping.points import predict_values, read_points
from soc_assets.mapping.quality_classes import BEYOND, INCOMPLETE, INSIDE, MASKED, OUTSIDE, UNKNOWN
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.tile_files import read_tile
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project
from soc_assets.settings import Features, Mask
from soc_assets.storage import files
from soc_assets_tests.mapping.small_maps import spec_of, with_settings
from soc_assets_tests.small_world import (
    ORIGIN,
    PIXEL,
    UTM,
    catalog_of,
    project_of,
    reference_grid,
    reference_transform,
    write_raster,
    write_world,
)

SIZE = 544  # two tiles of the lattice in each direction, the second of 32 pixels
YEAR = Period(2020)


class Sum:
    """A stand-in: a weighted sum of the features, an interval around it, dissimilarity that grows with it."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        value = 20 + np.nan_to_num(features) @ np.linspace(0.1, 1, features.shape[1])
        return np.column_stack([value, value - 5, value + 9, np.abs(value - 20), value < 20]).astype(np.float32)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Project:
    """Elevation and LAI, of 2020 in the western columns alone; the map is round the place where four tiles meet."""
    root = tmp_path_factory.mktemp("world")
    project = project_of(write_world(root / "data/rasters", SIZE), root)
    path = root / "data/rasters/yearly/LAI/LAI_2020.tif"
    with rasterio.open(path) as dataset:
        values, transform = dataset.read(1)[:, : 496 // 2], dataset.transform
    write_raster(path, values, transform, nodata=-1)
    catalogued(project)
    cross = shapely.box(*around(512, 512, 28))
    geopandas.GeoDataFrame(geometry=[cross], crs=UTM).to_crs(4326).to_file(root / "cross.gpkg")
    return with_settings(project, map={"region": "cross.gpkg"})


def around(row: float, column: float, pixels: float) -> tuple[float, float, float, float]:
    x, y = ORIGIN[0] + column * PIXEL, ORIGIN[1] - row * PIXEL
    return x - pixels * PIXEL, y - pixels * PIXEL, x + pixels * PIXEL, y + pixels * PIXEL


def catalogued(project: Project) -> None:
    files.write_table(project.catalog, catalog_of(project.settings, project.raster_folder))


def model(project: Project, **how: object) -> Registered:
    vector = Features.model_validate({"missing": "zero"})
    return replace(
        Registered(Sum(), "models:/m/1", spec_of(project).digest, "point:1:3", 1, vector, project.settings.study), **how
    )


def maps_of(project: Project, *periods: Period, **how: object) -> MapInputs:
    return read_map_inputs(project, model(project, **how), periods or (YEAR,))


def made(inputs: MapInputs) -> dict[str, str]:
    return {tile.key: tile.outcome for tile in write_tiles(inputs, inputs.keys, engine_for(inputs))}


def test_setting_tile_changes_no_number_and_borders_are_as_points(world, tmp_path):
    found = {}
    for tile in (97, 256, 700, None):
        project = replace(with_settings(world, map={"tile": tile}))
        inputs = maps_of(project, files=f"tile {tile}")
        assert len(inputs.places) == 4
        assert set(made(inputs).values()) == {"computed"}
        found[tile] = [read_tile(inputs.tile_path(key), inputs.tile_inputs(*of_key(key))) for key in inputs.keys]
    for tile in (97, 256, 700):
        for one, whole in zip(found[tile], found[None], strict=True):
            np.testing.assert_array_equal(one.numbers, whole.numbers)
            np.testing.assert_array_equal(one.quality, whole.quality)
    inputs = maps_of(world)
    cells = replace(inputs.lattice.cells(Place(0, 0)), top=508, left=500)
    points = PointEngine(inputs).open(YEAR, Place(0, 0))(cells)
    np.testing.assert_allclose(found[None][0].numbers[:, 508:, 500:].reshape(4, -1), points.numbers[:, :4].T, rtol=1e-6)


def test_changed_raster_recomputes_the_tiles_that_read_it_and_no_others(world):
    inputs = maps_of(world, files="changed")
    assert set(made(inputs).values()) == {"computed"}
    assert set(made(inputs).values()) == {"cached"}
    path = world.root / "data/rasters/yearly/LAI/LAI_2020.tif"
    with rasterio.open(path, "r+") as dataset:
        dataset.write(dataset.read(1) + 1, 1)
    catalogued(world)
    again = maps_of(world, files="changed")
    stale = [key for key, state in again.states().items() if state == "stale"]
    assert stale == [key_of(YEAR, Place(0, 0)), key_of(YEAR, Place(1, 0))]  # it ends 16 columns west of the others
    assert {key for key, outcome in made(again).items() if outcome == "computed"} == set(stale)
    assert set(maps_of(world, files="another model").states().values()) == {"missing"}


def test_tile_that_is_damaged_or_half_written_is_computed_again(world):
    inputs = maps_of(world, files="damaged")
    made(inputs)
    first, second, *_ = inputs.keys
    whole = inputs.tile_path(first).read_bytes()
    inputs.tile_path(first).write_bytes(whole[: len(whole) // 2])
    content = bytearray(inputs.tile_path(second).read_bytes())
    content[len(content) // 2] ^= 255
    inputs.tile_path(second).write_bytes(bytes(content))
    assert inputs.states()[first] == "missing"
    assert [key for key, outcome in made(inputs).items() if outcome == "computed"] == [first, second]
    assert inputs.tile_path(first).read_bytes() == whole


def test_files_of_a_map_say_what_they_are_and_outputs_need_no_prediction(world):
    inputs = maps_of(world, files="files")
    made(inputs)
    assert state_of_map(inputs, YEAR) == "missing"
    found = assemble(inputs, YEAR)
    assert state_of_map(inputs, YEAR) == "fresh" and read_map(found.folder) == found
    assert [path.name for path in found.folder.parent.iterdir() if path.name.startswith(".")] == [".2020.lock"]
    with rasterio.open(found.folder / "organic_carbon.tif") as carbon:
        assert carbon.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (carbon.dtypes, carbon.nodata, carbon.units) == (("float32",), -9999.0, ("g/kg",))
        assert (carbon.crs, carbon.transform) == (rasterio.CRS.from_string(UTM), reference_transform())
        assert carbon.overviews(1) == [2]
        values = carbon.read(1, masked=True)
        assert carbon.tags()["SOC_DIGEST"] == found.facts["digest"]
        assert float(carbon.tags(1)["STATISTICS_MEAN"]) == pytest.approx(float(values.mean()), rel=1e-5)
    with rasterio.open(found.folder / "quality.tif") as dataset:
        quality = dataset.read(1)
        assert dataset.colormap(1)[OUTSIDE] == (230, 159, 0, 255)
    assert "masked class" in (found.folder / "quality.tif.aux.xml").read_text()
    assert (values.mask == (quality == BEYOND)).all() and values.count() == inputs.cells == 56 * 56
    assert found.facts["counts"] == {str(n): int((quality == n).sum()) for n in range(6)}
    assert found.facts["statistics"]["organic_carbon"]["quantiles"]["0.5"] == pytest.approx(
        float(np.median(values.compressed())), abs=0.01
    )
    short = with_settings(world, map={"dtype": "int16", "outputs": ("upper",)})
    other = maps_of(short, files="files")
    assert (set(other.states().values()), state_of_map(other, YEAR)) == ({"fresh"}, "stale")
    again = assemble(other, YEAR)
    assert sorted(path.name for path in again.folder.glob("*.tif")) == [
        "organic_carbon.tif",
        "quality.tif",
        "upper.tif",
    ]
    with rasterio.open(again.folder / "organic_carbon.tif") as carbon:
        assert (carbon.dtypes, carbon.scales) == (("int16",), (0.02,))
        np.testing.assert_allclose(carbon.read(1, masked=True) * 0.02, values, atol=0.0101)


def test_map_is_the_prediction_at_the_centre_of_each_cell(world, tmp_path):
    inputs = maps_of(world, files="points")
    made(inputs)
    folder = assemble(inputs, YEAR).folder
    rows, columns = np.array([511, 512, 490, 530]), np.array([511, 512, 530, 490])
    x, y = inputs.lattice.metres(rows + 0.5, columns + 0.5)
    longitude, latitude = inputs.lattice.degrees(x, y)
    lines = [f"{a:.9f},{b:.9f},2020" for a, b in zip(longitude, latitude, strict=True)]
    (tmp_path / "p.csv").write_text("\n".join(["longitude,latitude,year", *lines]))
    points = predict_values(world, read_points(tmp_path / "p.csv"), model(world))
    for name, column in (("organic_carbon", "predicted"), ("lower", "lower"), ("dissimilarity", "dissimilarity")):
        with rasterio.open(folder / f"{name}.tif") as dataset:
            np.testing.assert_allclose(dataset.read(1)[rows, columns], points[column], atol=6e-4)
    with rasterio.open(folder / "quality.tif") as dataset:
        expected = points["applicable"].map({"yes": INSIDE, "no": OUTSIDE})
        expected[points["missing_images"] > 1] = INCOMPLETE
        assert dataset.read(1)[rows, columns].tolist() == expected.tolist()


def test_model_that_recorded_no_limit_leaves_incomplete_cells_unknown_and_masked_classes_have_no_value(world):
    codes = np.ones((SIZE, SIZE), np.uint8)
    codes[512:] = 7
    write_raster(world.root / "cover.tif", codes, reference_transform())
    project = with_settings(world, map={"masks": (Mask(file="cover.tif", classes=(7,)),)})
    inputs = maps_of(project, most_missing=None, files="masks")
    made(inputs)
    with rasterio.open(assemble(inputs, YEAR).folder / "quality.tif") as dataset:
        quality = dataset.read(1)
    assert set(np.unique(quality[512:540, 490:540])) == {MASKED}
    assert UNKNOWN in quality[490:512, 530:540]  # LAI of 2020 is missing there
    assert UNKNOWN not in quality[490:512, :480]
    before = inputs.states()
    codes[:500] = 7
    write_raster(world.root / "cover.tif", codes, reference_transform())
    assert set(before.values()) == {"fresh"}
    assert "fresh" not in maps_of(project, most_missing=None, files="masks").states().values()


@pytest.mark.parametrize("step", [3, 4, 700])
def test_coarser_map_has_cells_of_whole_pixels_whose_values_are_those_of_the_middle_pixel(step):
    lattice = Lattice(reference_grid(SIZE), step)
    places = lattice.places()
    sizes = [lattice.cells(place).size for place in places]
    assert sum(sizes) == lattice.shape[0] * lattice.shape[1] and min(sizes) > 0
    for place in places:
        for pixels, tile in zip(lattice.pixels(lattice.cells(place)), (place.row, place.column), strict=True):
            assert set(pixels // 512) == {tile} and set(pixels % step) == {step // 2}
    assert lattice.grid.transform.a == step * PIXEL
    if step == 3:
        x, y = lattice.grid.transform * (0.5, 0.5)
        assert lattice.reference.transform * (1.5, 1.5) == (x, y)


def test_map_that_cannot_be_made_is_refused_with_the_reason(world, tmp_path):
    def refused(words: str, project: Project = world, period: Period = YEAR, **how: object) -> None:
        with pytest.raises(MapError, match=words):
            maps_of(project, period, **how).keys  # noqa: B018

    refused("No map of 1999: 3 of 4 images .75%. have no raster.*rasters of 2018 to 2021", period=Period(1999))
    refused("reads no band by season", period=Period(2020, "summer"))
    far = shapely.box(0, 0, 1, 1)
    geopandas.GeoDataFrame(geometry=[far], crs=4326).to_file(world.root / "far.gpkg")
    refused("No cell of the map has its centre in the region", with_settings(world, map={"region": "far.gpkg"}))
    refused("step = 2000 .* leaves no cell", with_settings(world, map={"step": 2000}))
    absent = Mask(file="absent.tif", classes=(1,))
    refused("absent.tif does not exist", with_settings(world, map={"masks": (absent,)}))
    unknown = Mask(file="data/rasters/static/Elevation.tif", classes=(-77,))
    refused("holds no pixel of -77", with_settings(world, map={"masks": (unknown,)}))
    with pytest.raises(MapError, match="The tile 2020_r0000_c0000 is missing"):
        assemble(maps_of(world, files="nothing yet"), YEAR)
