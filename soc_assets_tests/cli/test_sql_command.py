"""`soc sql`: its answers, the database that it builds where it needs one, and folders that were moved."""

import shutil

import pytest

from soc_assets.embedding.inputs import read_inputs
from soc_assets.features.inputs import features_inputs
from soc_assets.features.sql.database import read_info
from soc_assets_tests.command_line import refused, soc, states
from soc_assets_tests.small_project import SmallProject

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.fixture
def copy(finished, tmp_path):
    """The finished project elsewhere, with the times of its files; its Dagster instance stays behind."""
    shutil.copytree(finished.root, tmp_path / "moved", ignore=shutil.ignore_patterns(".dagster"))
    return SmallProject(tmp_path / "moved")


def numbers(result):
    assert result.exit_code == 0, result.output
    return [int(word) for word in result.stdout.replace("│", " ").split() if word.isdigit()]


def test_sql_answers_before_anything_was_made_and_after_each_step(fresh, templates, tmp_path):
    count = "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM features), count(*) FROM feature_index"
    assert numbers(soc("sql", count, at=fresh)) == [0, 0, 19968]
    assert soc("status", at=fresh).exit_code == 0
    assert states(fresh)["features"] == ["missing"]
    made = templates.copy("prepared", tmp_path / "prepared")
    assert numbers(soc("sql", count, at=made))[:2] == [62, 0]
    assert numbers(soc("sql", "SELECT count(*) FROM batches WHERE state = 'missing'", at=made)) == [4]
    assert "The answer is from 0 of 4 batches" in soc("sql", count, at=made).stderr
    made = templates.copy("embedded", tmp_path / "embedded")
    assert numbers(soc("sql", count, at=made))[:2] == [62, 60]
    assert states(made)["features"] == ["missing"]  # its asset was not materialised
    assert soc("run", "--to", "features", at=made).exit_code == 0
    assert states(made)["features"] == ["fresh"]
    assert numbers(soc("sql", "SELECT count(*) FROM batches WHERE state = 'fresh'", at=made)) == [4]


def test_sql_says_in_one_line_that_batches_are_missing(copy):
    assert soc("sql", "SELECT 1", at=copy).stderr == ""
    copy.batch_files()["batch_0002"].unlink()
    told = soc("sql", "SELECT count(DISTINCT batch) FROM embeddings", at=copy)
    assert told.stderr.splitlines()[-1] == (
        "The answer is from 3 of 4 batches: `soc run --to features` computes the others."
    )
    assert numbers(told) == [3]


def inputs_are_known(made):
    """Whether the database says it was made from what is there."""
    inputs = read_inputs(made.project)
    return read_info(made.project.database)["inputs"] == features_inputs(made.project, inputs)


def test_sql_follows_a_changed_setting_and_features_is_stale_until_it_is_materialised(copy):
    assert numbers(soc("sql", "SELECT count(*) FROM feature_index", at=copy))[-1:] == [19968]
    assert inputs_are_known(copy)
    copy.config.write_text(copy.config.read_text() + '\n[features]\ninclude = ["point"]\n')
    assert numbers(soc("sql", "SELECT count(*) FROM feature_index", at=copy)) == [104]
    assert not inputs_are_known(copy)
    copy.config.write_text(copy.config.read_text().replace('["point"]', '["embedding"]'))
    assert not inputs_are_known(copy)  # its views are those of point values
    assert numbers(soc("sql", "SELECT count(*) FROM feature_index", at=copy)) == [19968]


def test_moved_project_is_built_anew_by_the_first_command_and_its_features_stay_fresh(copy):
    before = soc("sql", "SELECT count(*) FROM embeddings", at=copy)
    assert "was moved: rebuilding soc.duckdb" in before.stdout
    assert numbers(soc("sql", "SELECT count(*) FROM embeddings", at=copy)) == [60]
    again = soc("status", at=copy)
    assert "was moved" not in again.stdout
    paths = copy.query("SELECT DISTINCT file FROM batches")["file"]
    assert all(path.startswith(str(copy.root)) for path in paths)
    assert inputs_are_known(copy)


def test_views_command_explains_views_columns_and_macros(finished):
    text = soc("sql", ".views", at=finished).stdout
    words = " ".join(text.split())
    for expected in (
        "embedding_long view one row per sample, band and step",
        "vector FLOAT[768] the embedding, null where the image is missing",
        "similar(sample_id, k, bands, elsewhere) macro the k samples",
        "neighbour_index table behind similar",
    ):
        assert expected in words
    one = soc("sql", ".views gaps", at=finished).stdout
    assert "season" in one and "embedding_long" not in one
    assert ".views lists" in refused("sql", ".views nothing", at=finished)
    assert ".views" in refused("sql", ".tables", at=finished)


def test_prompt_takes_views_without_a_semicolon(finished):
    result = soc("sql", at=finished, stdin=".views gaps\nSELECT 6 * 7;\n")
    assert "steps that samples of the study read" in result.stdout
    assert "42" in result.stdout


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


@pytest.mark.filterwarnings("default::soc_assets.errors.SocWarning")
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
