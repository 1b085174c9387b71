"""What is told before a run because the run would refuse it, in the same words."""

from pathlib import Path

import pandas as pd
import pytest

from soc_assets.pipeline.run_ahead import embedding_refusals, sampling_refusals, studied_samples
from soc_assets.project import Project
from soc_assets.settings import Band, Embedding, Rasters, Sampling, Study
from soc_assets.settings.evaluation import Evaluation
from soc_assets.settings.loading import Settings
from soc_assets_tests.small_world import reference_grid, samples_at

GRID = reference_grid(64)
STATIC = Rasters(bands=(Band(name="Elevation", kind="static"),))


def samples(n: int = 20, year: int = 2015) -> pd.DataFrame:
    places = [index * 3 for index in range(n)]
    return samples_at(places, places, [year] * n, GRID)


def project(root: Path, **settings) -> Project:
    return Project(root, Settings(**settings))


def told(made: Project, table: pd.DataFrame) -> list[tuple[str, str]]:
    return [(item.severity, item.found) for item in sampling_refusals(made, table, GRID)]


def test_a_sound_study_is_not_refused(tmp_path):
    assert told(project(tmp_path), samples()) == []
    assert embedding_refusals(project(tmp_path)) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"study": Study(year_from=2018)}, "exclude all 20 samples - time range: 20"),
        ({"study": Study(year_from=2018), "rasters": STATIC}, "exclude all 20 samples - time range: 20"),
        ({"study": Study(max_oc=1)}, "organic carbon above max_oc: 20"),
        ({"study": Study(region="gone.gpkg")}, "gone.gpkg does not exist; correct study.region"),
    ],
)
def test_filters_that_leave_nothing_are_errors_that_cannot_be_accepted(tmp_path, settings, words):
    [finding] = sampling_refusals(project(tmp_path, **settings), samples(), GRID)
    assert (finding.severity, finding.acceptable) == ("error", False)
    assert words in finding.found


def test_too_few_locations_after_the_filters_are_an_error(tmp_path):
    table = samples()
    made = project(tmp_path, study=Study(max_oc=float(table["organic_carbon"].iloc[1])))
    assert len(studied_samples(made, table)) == 2
    [(severity, found)] = told(made, table)
    assert severity == "error"
    assert "stand at 2 location(s)" in found


def test_a_primary_scheme_without_folds_is_a_warning(tmp_path):
    one_block = project(tmp_path, sampling=Sampling(block_size=500))
    assert [item[0] for item in told(one_block, samples())] == ["warning"]
    not_cut = project(tmp_path, sampling=Sampling(fold_schemes=("random",)), evaluation=Evaluation(primary="block"))
    assert "is not among [sampling] fold_schemes" in told(not_cut, samples())[0][1]


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path):
    [finding] = embedding_refusals(project(tmp_path, embedding=Embedding(checkpoint="gone.pth")))
    assert (finding.severity, finding.acceptable) == ("error", False)
    assert "gone.pth does not exist" in finding.found
