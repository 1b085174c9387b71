"""`soc sql` builds the database that it needs, and goes on where the project's folder was moved."""

import shutil

import pytest

from soc_assets.embedding.inputs import load_inputs
from soc_assets.features.database import read_info
from soc_assets.freshness import features_inputs
from soc_assets_tests.small_project import SmallProject
from soc_assets_tests.test_cli import refused, soc, states


@pytest.fixture
def copy(finished, tmp_path):
    """The finished project elsewhere, with the times of its files; its Dagster instance stays behind."""
    shutil.copytree(finished.root, tmp_path / "moved", ignore=shutil.ignore_patterns(".dagster"))
    return SmallProject(tmp_path / "moved")


def numbers(result):
    assert result.exit_code == 0, result.output
    return [int(word) for word in result.stdout.replace("│", " ").split() if word.isdigit()]


def test_sql_answers_before_anything_was_made_and_after_each_step(fresh):
    count = "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM features), count(*) FROM feature_index"
    assert numbers(soc("sql", count, at=fresh)) == [0, 0, 19968]
    assert soc("status", at=fresh).exit_code == 0
    assert states(fresh)["features"] == ["missing"]
    assert soc("run", "--to", "balanced_samples", at=fresh).exit_code == 0
    assert numbers(soc("sql", count, at=fresh))[:2] == [62, 0]
    assert numbers(soc("sql", "SELECT count(*) FROM batches WHERE state = 'missing'", at=fresh)) == [4]
    assert soc("run", "--to", "embeddings", at=fresh).exit_code == 0
    assert numbers(soc("sql", count, at=fresh))[:2] == [62, 60]
    assert states(fresh)["features"] == ["missing"]  # its asset was not materialised
    assert soc("run", "--to", "features", at=fresh).exit_code == 0
    assert states(fresh)["features"] == ["fresh"]
    assert numbers(soc("sql", "SELECT count(*) FROM batches WHERE state = 'fresh'", at=fresh)) == [4]


def inputs_are_known(made):
    """Whether the database says it was made from what is there."""
    inputs = load_inputs(made.project)
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
    assert "was moved: building soc.duckdb anew" in before.stdout
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
