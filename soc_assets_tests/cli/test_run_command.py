"""`soc run` and `soc refit` as a user meets them: what they say when all is well, and what is to be mended."""

import pytest

from soc_assets_tests.command_line import refused, soc, states
from soc_assets_tests.small_project import SmallProject, damaged

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


def test_run_on_a_finished_project_says_that_nothing_was_computed_and_where_to_look(finished):
    before = finished.stamps()
    result = soc("run", at=finished)
    assert result.exit_code == 0, result.output
    assert "Everything is fresh: nothing was computed." in result.stdout
    words = " ".join(result.stdout.replace("│", " ").split())
    for expected in (
        "62 usable, 4 rows rejected",
        "60 samples kept, 2 excluded",
        "4 of 4 done",
        "random (seed 42)",
        "19,968",
        "models:/soc_mlp/1",
    ):
        assert expected in words
    for split in ("test", "validation"):
        assert f"{split} R2 " in words
    last = result.stdout.splitlines()[-3:]
    assert [line.split()[0] for line in last] == ["Dagster", "MLflow", "SQL"]
    assert all(f"--config {finished.config}" in line for line in last)
    assert finished.stamps() == before


def test_query_that_run_recommends_works(finished):
    [line] = [line for line in soc("run", at=finished).stdout.splitlines() if line.startswith("SQL")]
    query = line.partition('"')[2].rpartition('"')[0]
    result = soc("sql", query, at=finished)
    assert result.exit_code == 0, result.output
    assert all(split in result.stdout for split in ("train", "validation", "test"))


def test_run_tells_its_progress(fresh):
    result = soc("run", "--to", "soil_samples", at=fresh)
    assert result.exit_code == 0, result.output
    assert "job prepare" in result.stdout
    assert "raster_catalog: 40 of 40" in result.stdout
    assert "62 samples, 4 rows rejected" in result.stdout
    assert "62 usable" in result.stdout
    assert not fresh.project.samples("balanced").exists()


def test_missing_folder_of_rasters_is_named_with_the_cure(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    message = refused("run", at=made)
    assert str(tmp_path / "data/rasters") in message
    assert "does not exist" in message
    assert "[paths] rasters" in message and "soc demo" in message


def test_empty_folder_of_rasters_is_named_with_what_was_expected(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    (tmp_path / "data/rasters").mkdir(parents=True)
    message = refused("run", at=made)
    assert f"{tmp_path / 'data/rasters'} holds no raster" in message
    assert "static/Elevation.tif" in message and "soc demo" in message


def test_band_without_a_raster_is_named(fresh):
    for path in fresh.raster("LST", 2012).parent.iterdir():
        path.unlink()
    message = refused("run", at=fresh)
    assert "yearly band LST has no raster" in message
    assert "yearly/{band}/{band}_{year}.tif" in message


def test_missing_and_empty_folders_of_soil_tables_are_named_with_the_cure(with_a_catalog):
    fresh = with_a_catalog
    folder = fresh.root / "data/soil"
    for path in folder.iterdir():
        path.unlink()
    message = refused("run", "--to", "soil_samples", at=fresh)
    assert f"{folder} holds no *.csv" in message and "[paths] soil" in message
    folder.rmdir()
    message = refused("run", "--to", "soil_samples", at=fresh)
    assert f"{folder} does not exist" in message and "[paths] soil" in message
    found = states(fresh)
    assert (found["raster_catalog"], found["soil_samples"]) == (["fresh"], ["failed"])


def test_asset_that_did_not_fail_is_not_called_failed_because_its_run_was(with_a_catalog):
    fresh = with_a_catalog
    (fresh.root / "data/soil/a.csv").write_text("nothing\n1\n")
    (fresh.root / "data/soil/b.csv").unlink()
    refused("run", at=fresh)
    path = fresh.raster("LAI", 2012)
    path.write_bytes(path.read_bytes() + b" ")  # the catalog was made, and is stale now
    found = states(fresh)
    assert found["soil_samples"] == ["failed"]
    assert found["raster_catalog"] == ["stale"]
    assert found["balanced_samples"] == ["missing"]


def test_checkpoint_that_does_not_exist_names_file_and_setting(prepared):
    fresh = prepared
    fresh.set('device = "cpu"\n\n[training]', 'checkpoint = "weights/S.pth"\n\n[training]')
    message = refused("run", at=fresh)
    assert str(fresh.root / "weights/S.pth") in message
    assert "`checkpoint` in [embedding]" in message
    assert fresh.batch_files() == {}


def test_failing_batch_is_named_the_others_are_written_and_only_it_is_repeated(prepared):
    fresh = prepared
    assert soc("run", "--to", "balanced_samples", at=fresh).exit_code == 0  # it has looked at the copied rasters
    broken = fresh.raster("LAI", 2008)  # read by the samples of 2012 alone
    with damaged(broken):
        message = refused("run", at=fresh)
        assert "1 of 4 batches failed" in message
        assert f"batch_0001: The raster {broken}" in message
        written = {batch: path.stat().st_mtime_ns for batch, path in fresh.batch_files().items()}
        assert list(written) == ["batch_0002", "batch_0003", "batch_0004"]
        assert states(fresh)["embeddings"] == ["failed", "3 of 4"]
        assert not fresh.project.database.exists()
    result = soc("run", "--to", "embeddings", at=fresh)
    assert result.exit_code == 0, result.output
    assert "embeddings: 1 of 1  batch_0001 computed" in result.stdout
    assert {batch: path.stat().st_mtime_ns for batch, path in fresh.batch_files().items()}.items() > written.items()
    assert states(fresh)["embeddings"] == ["fresh", "4 of 4"]


def test_refit_freezes_a_new_spec_and_needs_a_catalog(prepared):
    fresh, catalog = prepared, prepared.project.catalog
    aside = catalog.rename(catalog.with_name("aside"))
    assert "soc run --to raster_catalog" in refused("refit", at=fresh)
    aside.rename(catalog)
    first = soc("refit", at=fresh)
    assert first.exit_code == 0
    digest = first.stdout.split()[-1].rstrip(".")
    assert (fresh.root / f"data/embeddings/{digest}/spec.json").is_file()
    assert states(fresh)["embeddings"] == ["missing", "0 of 4"]
