"""The checks of a batch's file: sound files pass whatever the settings, and each kind of damage is told apart."""

import numpy as np
import pyarrow as pa
import pytest
from rasterio.transform import from_origin

from soc_assets.embedding.check import check_batch
from soc_assets.embedding.variety import Slot, effective_rank, stride
from soc_assets_tests import spoil
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_world import ORIGIN, samples_at, write_raster


def found(world) -> dict[str, str]:
    """What is wrong, by check; an error of a check hides its warnings."""
    findings = check_batch(world.batch(), world.home, world.spec)
    assert all(finding.path == str(world.batch().path(world.home)) for finding in findings)
    return {
        finding.check: finding.found for finding in sorted(findings, key=lambda finding: finding.severity, reverse=True)
    }


def many(world, n=24) -> None:
    """A batch of n samples, one beyond the edge of the grid."""
    places = np.random.default_rng(5).permutation(40 * 40)[:n]
    rows, columns = places // 40 + 10, places % 40 + 10
    rows[3], columns[3] = 2, 60
    world.samples = samples_at(rows, columns, 2020 + np.arange(n) % 2, world.raster_index.grid)


@pytest.fixture
def written(tmp_path):
    world = World(tmp_path)
    many(world)
    world.write()
    return world, world.batch().path(world.home)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pooling": "center", "anchor": "token"},
        {"pooling": "mean_center"},
        {"pooling": "none"},
        {"pooling": "max"},
        {"storage": "float16"},
        {"normalise": "none"},
        {"normalise": "image"},
        {"stage": "encoder"},
        {"stage": "encoder", "arrangement": "stack"},
    ],
)
@pytest.mark.parametrize("n", [1, 2, 24])
def test_sound_files_pass(tmp_path, small_base, options, n):
    world = World(tmp_path, device="cpu", **options)
    many(world, max(n, 4))
    world.samples = world.samples.iloc[:n]
    world.write()
    assert found(world) == {}


def test_rows_are_read_in_chunks(written, monkeypatch):
    world, path = written
    monkeypatch.setattr("soc_assets.embedding.check._AT_ONCE", world.spec.n_features * 4 * 5)
    assert found(world) == {}
    spoil.edit_vectors(path, "elevation_embedding", lambda values: values.__setitem__((20, 3), np.inf))
    assert found(world) == {"finite": "numbers of 1 bands and lags are not finite (first sample s021, Elevation)"}


def test_numbers_that_are_not_finite_are_named_with_sample_and_band(written):
    world, path = written
    spoil.edit_vectors(path, "channel_time_embeddings", lambda values: values.__setitem__((4, 700), np.nan))
    assert "sample s001, LAI lag 1" in found(world)["finite"]


def test_missing_key_and_wrong_order_of_rows_are_incomplete(written):
    world, path = written
    spoil.drop_key(path)
    assert found(world)["complete"] == "channel_time_embeddings of sample s000 has 2 keys, expected 3"
    world.write_anew()
    spoil.rewrite(path, lambda table: table.take(pa.array([1, 0, *range(2, 24)])))
    assert found(world)["complete"] == "it has the sample s001 where the ledger has s000"
    world.write_anew()
    spoil.rewrite(path, lambda table: table.slice(0, 23))
    assert found(world)["complete"] == "it has 23 rows, and the batch 24 samples"


def test_renamed_key_and_uncounted_gap_are_incomplete(written):
    world, path = written

    def rename(table):
        maps = [[("LAI_1999" if key == "LAI_2019" else key, value) for key, value in row] for row in column(table)]
        return put(table, maps)

    def forget(table):
        maps = [[(key, None if key == "LAI_2019" else value) for key, value in row] for row in column(table)]
        return put(table, maps)

    def column(table):
        return table["channel_time_embeddings"].to_pylist()

    def put(table, maps):
        field = table.schema.field("channel_time_embeddings")
        return table.set_column(table.schema.get_field_index(field.name), field, pa.array(maps, field.type))

    spoil.rewrite(path, rename)
    words = "channel_time_embeddings of sample s000 has the key LAI_1999 where LAI_2019 is expected"
    assert found(world)["complete"] == words
    world.write_anew()
    spoil.rewrite(path, forget)
    assert "images are null, and its metadata says 4" in found(world)["complete"]


def test_vectors_of_another_width_and_unreadable_pages_are_incomplete(written):
    world, path = written

    def shorten(table):
        rows = [row and [row[0][:-1]] for row in table["elevation_embedding"].to_pylist()]
        field = table.schema.field("elevation_embedding")
        return table.set_column(table.schema.get_field_index(field.name), field, pa.array(rows, field.type))

    spoil.rewrite(path, shorten)
    assert found(world)["complete"] == "elevation_embedding has vectors that are not 1 x 768"
    world.write_anew()
    spoil.flip_bytes(path)
    assert "complete" in found(world)


def test_file_of_another_spec_is_told_by_its_metadata_and_by_spec_json(written):
    world, path = written
    spoil.set_metadata(path, soc_spec="0123456789")
    assert "says that it is of the spec 0123456789" in found(world)["spec"]
    world.write_anew()
    stored = world.home / "spec.json"
    stored.write_text(stored.read_text().replace('"mean"', '"max"', 1))
    assert "differs from" in found(world)["spec"]


def test_collapsed_embeddings_are_an_error_where_the_rasters_differ(written):
    world, path = written
    spoil.edit_vectors(path, "elevation_embedding", lambda values: values.__setitem__(slice(None), values[0]))
    wrong = found(world)
    assert wrong["rank"] == "the embeddings of Elevation are all the same, while the rasters differ"
    assert "100% of Elevation" in wrong["constant_columns"]


def test_embeddings_on_a_line_are_an_error_and_planes_are_not(written):
    world, path = written
    line = np.random.default_rng(0).normal(size=768)

    def flatten(values):
        values[:] = np.linspace(1, 2, len(values))[:, None] * line

    spoil.edit_vectors(path, "elevation_embedding", flatten)
    assert found(world) == {"rank": "the embeddings of Elevation lie on a line (effective rank 1.00)"}
    rows, columns = np.mgrid[:64, :64]
    elevation = world.folder / "rasters/static/Elevation.tif"
    write_raster(elevation, (500 + 3.0 * rows + columns).astype(np.float32), from_origin(*ORIGIN, 250, 250))
    world.refresh()
    world.samples = world.samples.drop(3).reset_index(drop=True)  # beyond the edge the plane ends
    world.write()
    assert found(world) == {}


def test_constant_raster_may_have_constant_embeddings(written):
    world, _ = written
    for year in range(2018, 2022):
        path = world.folder / f"rasters/yearly/LAI/LAI_{year}.tif"
        write_raster(path, np.full((32, 32), 15, np.float32), from_origin(*ORIGIN, 500, 500), nodata=-1)
    world.refresh()
    world.write()
    assert found(world) == {}


def test_few_constant_columns_are_a_warning_and_most_an_error(written):
    world, path = written
    spoil.edit_vectors(path, "elevation_embedding", lambda values: values.__setitem__((slice(None), slice(0, 20)), 0.5))
    [finding] = check_batch(world.batch(), world.home, world.spec)
    assert (finding.check, finding.severity) == ("constant_columns", "warning")
    assert "2.6% of Elevation" in finding.found
    spoil.edit_vectors(path, "elevation_embedding", lambda values: values.__setitem__((slice(None), slice(0, 600)), 0))
    [finding] = check_batch(world.batch(), world.home, world.spec)
    assert (finding.check, finding.severity) == ("constant_columns", "error")


def test_effective_rank_counts_directions():
    stream = np.random.default_rng(1)
    assert effective_rank(np.ones((9, 5))) == 0
    assert effective_rank(np.outer(np.arange(9), stream.normal(size=5)) + 7) == pytest.approx(1)
    assert effective_rank(np.vstack([np.eye(4), -np.eye(4)])) == pytest.approx(4)
    assert effective_rank(stream.normal(size=(2000, 6))) == pytest.approx(6, rel=0.01)


def test_the_effective_rank_looks_at_few_vectors_however_large_they_are():
    assert (stride(256, 1, 768), stride(256, 5, 768), stride(20, 1, 768), stride(256, 5, 144 * 1280)) == (8, 40, 1, 59)


def test_nothing_seen_is_finite():
    assert Slot.empty(3).finite
