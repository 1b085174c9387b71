"""The `soc` command as a user meets it: help, exit codes, and messages that name what to mend."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from soc_assets.cli import main
from soc_assets_tests.small_project import SmallProject, damage

COMMANDS = (
    "demo",
    "import-tiles",
    "check",
    "run",
    "status",
    "sql",
    "export",
    "import-run",
    "clean",
    "refit",
    "ui",
    "mlflow",
)


def soc(*arguments: str | Path, at: SmallProject | None = None, stdin: str | None = None) -> Result:
    """Run a command in this process; `at` adds --config."""
    options = ["--config", str(at.config)] if at else []
    result = CliRunner().invoke(main, [*map(str, arguments), *options], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: str | Path, at: SmallProject | None = None) -> str:
    """The message of a command that fails as it should: exit code 1, on stderr, no traceback."""
    result = soc(*arguments, at=at)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


def states(made: SmallProject) -> dict[str, list[str]]:
    """What `soc status` says of each asset: its state and, for embeddings, the batches."""
    result = soc("status", at=made)
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines()]
    return {row[0]: [cell for cell in row[1:] if cell] for row in rows if len(row) == 3}


def test_help_leads_a_newcomer_through_every_command():
    result = soc("--help")
    assert result.exit_code == 0, result.output
    for command in COMMANDS:
        assert command in result.stdout
    assert "Exit codes: 0 done, 1 failed" in " ".join(result.stdout.split())
    assert "SOC_EMBEDDING__STAGE=encoder" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_says_what_it_does(command):
    result = soc(command, "--help")
    assert result.exit_code == 0, result.output
    body = " ".join(result.stdout.partition("Options:")[0].split())
    assert len(body) > 80
    assert "--config FILE" in result.stdout


@pytest.mark.parametrize(
    "arguments", [["runn"], ["run", "--to", "maps"], ["run", "--fast"], ["sql", "--rows", "many"], ["demo", "here"]]
)
def test_wrong_usage_exits_with_2(arguments):
    result = soc(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_console_script_exits_with_the_same_codes(tmp_path):
    script = Path(sys.executable).with_name("soc")
    done = subprocess.run([script, "sql", "SELECT 1"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "soc.duckdb does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_is_written_once_and_never_over_a_file(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    first = soc("demo", "--seed", "7", at=made)
    assert first.exit_code == 0
    assert "synthetic" in first.stdout
    assert (tmp_path / "data/rasters/static/Elevation.tif").is_file()
    before = made.stamps()
    message = refused("demo", at=made)
    assert str(tmp_path / "data/rasters") in message
    assert soc("demo", "--if-empty", at=made).exit_code == 0
    assert made.stamps() == before


def test_demo_if_empty_writes_beside_a_users_soil_table_nothing(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    (tmp_path / "data/soil").mkdir(parents=True)
    (tmp_path / "data/soil/mine.csv").write_text("a,b\n")
    (tmp_path / "data/rasters").mkdir()
    (tmp_path / "data/rasters/.gitkeep").touch()
    before = made.stamps()
    assert soc("demo", "--if-empty", at=made).exit_code == 0
    assert str(tmp_path / "data/soil") in refused("demo", at=made)
    assert made.stamps() == before


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


def test_missing_and_empty_folders_of_soil_tables_are_named_with_the_cure(fresh):
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


def test_asset_that_did_not_fail_is_not_called_failed_because_its_run_was(fresh):
    (fresh.root / "data/soil/a.csv").write_text("nothing\n1\n")
    (fresh.root / "data/soil/b.csv").unlink()
    refused("run", at=fresh)
    os.utime(fresh.raster("LAI", 2012))  # the catalog was made, and is stale now
    found = states(fresh)
    assert found["soil_samples"] == ["failed"]
    assert found["raster_catalog"] == ["stale"]
    assert found["balanced_samples"] == ["missing"]


def test_settings_that_cannot_be_read_are_told_without_a_traceback(tmp_path):
    made = SmallProject(tmp_path)
    assert f"{made.config} does not exist" in refused("run", at=made)
    made.config.write_text("[samplign]\n")
    for command in COMMANDS:
        arguments = [command, tmp_path] if command.startswith("import-") else [command]
        assert "there is no table [samplign]; the nearest is sampling" in refused(*arguments, at=made)


def test_checkpoint_that_does_not_exist_names_file_and_setting(fresh):
    fresh.set('device = "cpu"\n\n[training]', 'checkpoint = "weights/S.pth"\n\n[training]')
    message = refused("run", at=fresh)
    assert str(fresh.root / "weights/S.pth") in message
    assert "`checkpoint` in [embedding]" in message
    assert fresh.batch_files() == {}


def test_sql_prints_a_table(finished):
    result = soc("sql", "SELECT count(*) AS n, min(len(features)) AS low FROM features", at=finished)
    assert result.exit_code == 0, result.output
    assert [part for part in result.stdout.split() if part.isdigit()] == ["60", "19968"]


def test_sql_shows_the_first_rows_and_says_so(finished):
    result = soc("sql", "--rows", "2", "SELECT sample_id, features FROM features", at=finished)
    assert result.exit_code == 0, result.output
    assert "The first 2 rows; --rows shows more." in result.stdout
    assert "..." in result.stdout  # a long vector is cut
    assert len(result.stdout) < 2000


@pytest.mark.parametrize("query", ["SELECT nothing FROM features", "SELEC 1", "DELETE FROM feature_index"])
def test_wrong_sql_is_told_by_duckdb_and_exits_with_1(finished, query):
    message = refused("sql", query, at=finished)
    assert message.startswith("Error: DuckDB: ")


def test_damaged_database_is_built_anew_and_its_asset_is_not_called_fresh(
    finished, tmp_path, monkeypatch, empty_instance
):
    shutil.copytree(finished.root / "data", tmp_path / "data")
    shutil.copytree(empty_instance, tmp_path / "home")
    monkeypatch.setenv("SOC_PATHS__DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    database = finished.project.database
    database.write_bytes(b"no database" * 1000)
    assert database == tmp_path / "data/soc.duckdb"
    assert states(finished)["features"] != ["fresh"]
    assert soc("sql", "SELECT count(*) FROM features", at=finished).exit_code == 0
    assert states(finished)["features"] != ["fresh"]
    assert soc("run", "--to", "features", at=finished).exit_code == 0
    assert soc("sql", "SELECT count(*) FROM features", at=finished).exit_code == 0


def test_prompt_answers_each_query_and_goes_on_after_a_wrong_one(finished):
    lines = "SELECT count(*) AS n\n  FROM features;\n\nSELECT nope;\nSELECT 6 * 7 AS answer;\n"
    result = soc("sql", at=finished, stdin=lines)
    assert result.exit_code == 0, result.output
    assert "60" in result.stdout
    assert "nope" in result.stdout
    assert "42" in result.stdout


def test_status_goes_from_missing_over_fresh_to_stale(fresh):
    assert states(fresh) == {
        "raster_catalog": ["missing"],
        "soil_samples": ["missing"],
        "balanced_samples": ["missing"],
        "embeddings": ["missing", "0 of 0"],
        "features": ["missing"],
        "mlp_model": ["missing"],
    }
    assert soc("status", "--check", at=fresh).exit_code == 1
    assert soc("run", "--to", "features", at=fresh).exit_code == 0
    found = states(fresh)
    assert found.pop("mlp_model") == ["missing"]
    assert found.pop("embeddings") == ["fresh", "4 of 4"]
    assert set(map(tuple, found.values())) == {("fresh",)}
    fresh.set("batch_size = 16", "batch_size = 16\nseed = 43")
    stale = {asset: state[0] for asset, state in states(fresh).items()}
    assert [stale[asset] for asset in ("raster_catalog", "soil_samples")] == ["fresh", "fresh"]
    assert [stale[asset] for asset in ("balanced_samples", "embeddings", "features")] == ["stale"] * 3


def test_status_check_succeeds_on_a_finished_project(finished):
    assert soc("status", "--check", at=finished).exit_code == 0
    assert states(finished)["mlp_model"] == ["fresh"]


def test_status_reads_only(fresh):
    before = fresh.stamps()
    states(fresh)
    assert fresh.stamps() == before


def test_failing_batch_is_named_the_others_are_written_and_only_it_is_repeated(fresh):
    assert soc("run", "--to", "balanced_samples", at=fresh).exit_code == 0
    broken = fresh.raster("LAI", 2008)  # read by the samples of 2012 alone
    content, stamp = damage(broken), broken.stat()
    message = refused("run", at=fresh)
    assert "1 of 4 batches failed" in message
    assert f"batch_0001: The raster {broken}" in message
    written = {batch: path.stat().st_mtime_ns for batch, path in fresh.batch_files().items()}
    assert list(written) == ["batch_0002", "batch_0003", "batch_0004"]
    assert states(fresh)["embeddings"] == ["failed", "3 of 4"]
    assert not fresh.project.database.exists()
    fresh.raster("LAI", 2008).write_bytes(content)
    os.utime(broken, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    result = soc("run", "--to", "embeddings", at=fresh)
    assert result.exit_code == 0, result.output
    assert "embeddings: 1 of 1  batch_0001 computed" in result.stdout
    assert {batch: path.stat().st_mtime_ns for batch, path in fresh.batch_files().items()}.items() > written.items()
    assert states(fresh)["embeddings"] == ["fresh", "4 of 4"]


def test_refit_freezes_a_new_spec_and_needs_a_catalog(fresh):
    assert "soc run --to raster_catalog" in refused("refit", at=fresh)
    assert soc("run", "--to", "balanced_samples", at=fresh).exit_code == 0
    first = soc("refit", at=fresh)
    assert first.exit_code == 0
    digest = first.stdout.split()[-1].rstrip(".")
    assert (fresh.root / f"data/embeddings/{digest}/spec.json").is_file()
    assert states(fresh)["embeddings"] == ["missing", "0 of 4"]
