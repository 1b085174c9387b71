"""A batch on disk: columns, values, caching by digest, and what a change of the inputs recomputes."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from numpy.testing import assert_allclose
from rasterio.transform import from_origin

from soc_assets.embedding import architecture
from soc_assets.embedding.atlas import Atlas
from soc_assets.embedding.batch import describe, state, write
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encode import load_encoder
from soc_assets.embedding.network import to_patches
from soc_assets.embedding.spec import choices_of, drift, find_spec, freeze
from soc_assets.embedding.steps import Step
from soc_assets.embedding.windows import corners
from soc_assets.errors import SocWarning
from soc_assets.files import read_metadata
from soc_assets.settings import Band, Embedding
from soc_assets_tests.embedding.test_tiles import window_of
from soc_assets_tests.small_world import ORIGIN, PIXEL, catalog_of, samples_at, write_raster, write_world


class World:
    """A small world with a spec, and a way to write its batch and count what was embedded."""

    def __init__(self, folder, **embedding):
        self.folder = folder
        self.settings = write_world(folder / "rasters")
        if embedding:
            options = {"image_size": 16} | embedding
            self.settings = self.settings.model_copy(update={"embedding": Embedding(**options)})
        self.refresh()
        self.samples = samples_at([20, 30, 40, 2], [20, 30, 45, 60], [2020, 2021, 2020, 2021], self.atlas.grid)

    def refresh(self):
        self.catalog = catalog_of(self.settings, self.folder / "rasters")
        self.spec = freeze(self.folder / "embeddings", choices_of(self.settings, None), self.catalog)
        self.atlas = Atlas.of_catalog(self.catalog, self.spec.bands, self.spec.choices["reference"])
        self.home = self.folder / "embeddings" / self.spec.digest

    def add_band(self, name):
        bands = (*self.settings.rasters.bands, Band(name=name))
        for year in range(2018, 2022):
            values = np.random.default_rng(year).normal(9, 2, (32, 32)).astype(np.float32)
            write_raster(
                self.folder / f"rasters/yearly/{name}/{name}_{year}.tif", values, from_origin(*ORIGIN, 500, 500)
            )
        rasters = self.settings.rasters.model_copy(update={"bands": bands})
        self.settings = self.settings.model_copy(update={"rasters": rasters})
        self.refresh()

    def batch(self):
        return describe("batch_0001", self.samples, self.spec, self.atlas)

    def write(self):
        embedder = Embedder(self.spec, self.atlas, load_encoder(self.spec, None, 0.1, "cpu"), 64)
        written = write(self.batch(), self.home, self.spec, lambda: embedder)
        return written, pd.read_parquet(written.path)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


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


def test_vectors_are_the_mean_tokens_of_the_normalised_windows(world):
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    statistics = world.spec.statistics["LAI"]
    sheet = world.atlas.sheets["LAI", Step(2019)]
    pixels = window_of(sheet.source, world.atlas.grid, 12, 12)[None]
    image = torch.from_numpy((pixels - statistics.mean) / statistics.std).float()
    frames = image.unsqueeze(1).expand(-1, 12, -1, -1)
    expected = network.patch_embed(frames)[:, 0].mean(dim=1)
    stored = np.vstack(dict(frame["channel_time_embeddings"][0])["LAI_2019"])
    assert_allclose(stored, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"pooling": "center"}, (1, 768)),
        ({"pooling": "center", "anchor": "token"}, (1, 768)),
        ({"pooling": "mean_center"}, (1, 1536)),
        ({"pooling": "none"}, (4, 768)),
        ({"pooling": "max"}, (1, 768)),
    ],
)
def test_poolings_agree_with_the_tokens_themselves(tmp_path, options, shape):
    world = World(tmp_path, **options)
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    rows, columns = corners(world.samples, world.atlas.grid, 16, world.spec.choices["anchor"])
    sheet = world.atlas.sheets["LAI", Step(2020)]
    statistics, grid = world.spec.statistics["LAI"], world.atlas.grid
    pixels = np.stack([window_of(sheet.source, grid, *corner) for corner in zip(rows[:3], columns[:3], strict=True)])
    images = torch.from_numpy((pixels - statistics.mean) / statistics.std).float()
    tokens = network.patch_embed.expanded(to_patches(images)).numpy()
    expected = np.stack([tokens[:, part].mean(axis=1) for part in world.spec.parts], axis=1).reshape(-1, *shape)
    expected = tokens.max(axis=1, keepdims=True) if world.spec.choices["pooling"] == "max" else expected
    for sample in (0, 2):  # of 2020
        stored = np.vstack(dict(frame["channel_time_embeddings"][sample])["LAI_2020"])
        assert_allclose(stored, expected[sample], atol=1e-5)


@pytest.fixture
def small_base(monkeypatch):
    """vit_base_patch8, made small enough for tests."""
    small = replace(architecture.ARCHITECTURES["vit_base_patch8"], width=48, depth=2, heads=3)
    monkeypatch.setitem(architecture.ARCHITECTURES, "vit_base_patch8", small)


def test_encoder_stage_pools_the_normalised_tokens(tmp_path, small_base):
    world = World(tmp_path, stage="encoder", pooling="mean_center")
    written, frame = world.write()
    encoder = load_encoder(world.spec, None, 0, "cpu")
    sheet, statistics = world.atlas.sheets["LAI", Step(2018)], world.spec.statistics["LAI"]
    pixels = window_of(sheet.source, world.atlas.grid, 12, 12)
    image = torch.from_numpy((pixels - statistics.mean) / statistics.std).float()
    tokens = encoder.weights.encoder(image.expand(1, 12, 16, 16)[:, :3]).numpy()
    expected = np.concatenate([tokens.mean(axis=1), tokens[:, [0, 1, 2, 3]].mean(axis=1)], axis=1)
    assert_allclose(np.vstack(dict(frame["channel_time_embeddings"][0])["LAI_2018"]), expected, rtol=1e-3, atol=1e-5)
    assert written.images == 3 + 3 * 3  # the fourth sample stands in a corner


def test_results_do_not_depend_on_how_many_images_go_at_once(tmp_path, small_base):
    world = World(tmp_path, stage="encoder")
    scenes = [np.random.default_rng(n).normal(size=(n, 1, 16, 16)).astype(np.float32) for n in (5, 1, 12, 3)]
    together = list(load_encoder(world.spec, None, 0, "cpu", images_at_once=100).stream(scenes))
    singly = list(load_encoder(world.spec, None, 0, "cpu", images_at_once=4).stream(scenes))
    assert [len(found) for found in singly] == [5, 1, 12, 3]
    for one, other in zip(together, singly, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_out_of_memory_halves_the_batch_and_loses_nothing(tmp_path, small_base, monkeypatch):
    world = World(tmp_path, stage="encoder")
    scenes = [np.random.default_rng(n).normal(size=(n, 1, 16, 16)).astype(np.float32) for n in (7, 9)]
    encoder = load_encoder(world.spec, None, 0, "cpu", images_at_once=16)
    expected = list(encoder.stream(scenes))
    grouped, sizes = encoder._network.grouped, []

    def at_most_three(images):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return grouped(images)

    monkeypatch.setattr(encoder._network, "grouped", at_most_three)
    for one, other in zip(expected, encoder.stream(scenes), strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert sizes[0] == 16
    assert encoder.images_at_once <= 3


def test_bfloat16_is_close_to_float32_and_its_cosine_reported(tmp_path, small_base):
    world = World(tmp_path, stage="encoder", precision="bfloat16")
    encoder = load_encoder(world.spec, None, 0, "cpu")
    assert encoder.precision.name == "bfloat16"
    assert encoder.precision.cosine >= 0.999
    assert "cosine 0.99" in str(encoder.precision)
    assert World(tmp_path, stage="encoder").spec.digest != world.spec.digest


def test_stack_sees_the_bands_of_a_lag_as_frames(tmp_path, small_base):
    """Two bands stacked into one group of three frames (the last repeated), at both stages."""
    for stage in ("patch_embed", "encoder"):
        world = World(tmp_path / stage, stage=stage, arrangement="stack")
        world.add_band("NPP")
        written, frame = world.write()
        assert list(dict(frame["channel_time_embeddings"][0])) == ["group1_2020", "group1_2019", "group1_2018"]
        assert list(dict(frame["point_values"][0]))[:3] == ["Elevation", "LAI_2020", "LAI_2019"]
        frames = []
        for band in ("LAI", "NPP", "NPP"):
            pixels = window_of(world.atlas.sheets[band, Step(2019)].source, world.atlas.grid, 12, 12)
            frames.append((pixels - world.spec.statistics[band].mean) / world.spec.statistics[band].std)
        network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
        tokens = network.grouped(torch.from_numpy(np.stack(frames)[None]).float())
        stored = np.vstack(dict(frame["channel_time_embeddings"][0])["group1_2019"])
        assert_allclose(stored, tokens[0, 0].mean(dim=0, keepdim=True), rtol=1e-3, atol=1e-5)
        assert written.missing == 1 + 3  # the corner


def test_point_values_are_means_of_valid_pixels_round_the_sample(world):
    values = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) + 1
    values[10, 10] = -1  # nodata, under the first sample
    write_raster(world.folder / "rasters/yearly/LAI/LAI_2020.tif", values, from_origin(*ORIGIN, 500, 500), nodata=-1)
    world.refresh()
    _, frame = world.write()
    statistics = world.spec.statistics["LAI"]
    sheet = world.atlas.sheets["LAI", Step(2020)]
    around = window_of(sheet.source, world.atlas.grid, 20 - 12, 20 - 12, 25)
    expected = [np.nanmean(around[12 - k : 13 + k, 12 - k : 13 + k]) for k in (0, 1, 4, 12)]
    found = dict(frame["point_values"][0])["LAI_2020"]
    assert_allclose(found, (np.array(expected) - statistics.mean) / statistics.std, rtol=1e-4)
    corner = dict(frame["point_values"][3])  # its image is missing, its point is not
    assert np.isfinite(corner["LAI_2021"]).all()
    assert corner["LAI_2021"] is not None and frame["elevation_embedding"][3] is None


def test_float16_storage_is_within_its_error_and_reads_as_numbers(tmp_path):
    world = World(tmp_path)
    _, exact = world.write()
    world = World(tmp_path / "halves", storage="float16")
    _, halves = world.write()
    one, other = (np.vstack(frame["elevation_embedding"][0]).astype(float) for frame in (exact, halves))
    assert_allclose(other, one, rtol=6e-4, atol=1e-6)


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
    pd.testing.assert_frame_equal(
        frame.drop(columns="organic_carbon").map(str), corrected.drop(columns="organic_carbon").map(str)
    )
    assert state(world.batch(), world.home) == "fresh"
    assert json.loads(read_metadata(second.path)["geo"])["version"] == "1.1.0"


def test_changed_raster_invalidates_only_batches_that_read_it(world):
    world.write()
    path = world.folder / "rasters/yearly/LAI/LAI_2021.tif"
    write_raster(path, np.full((32, 32), 3, np.float32), from_origin(*ORIGIN, 500, 500), nodata=-1)
    world.refresh()
    assert state(world.batch(), world.home) == "stale"
    only_2020 = describe("batch_0002", world.samples.iloc[[0, 2]], world.spec, world.atlas)
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
    pd.testing.assert_frame_equal(frame.map(str), repaired.map(str))


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
