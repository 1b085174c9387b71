"""The scores at the end of `soc run`: with intervals, yardsticks, and what raises them."""

import re
from dataclasses import replace

import pytest

from soc_assets.cli.score_rows import how_to_raise, score_rows
from soc_assets.regression.evaluation.single_split import BY_PLACE, HIGH, LOW
from soc_assets.regression.inputs import model_inputs
from soc_assets.tracking.store import tracking_of


@pytest.fixture(scope="module")
def record(finished):
    found = tracking_of(finished.project).find_run(model_inputs(finished.project))
    assert found is not None
    return found


def test_scores_come_with_their_intervals_and_coordinates_alone(finished, record):
    rows = dict(score_rows(finished.project, record))
    assert list(rows) == ["test", "  coordinates alone", "validation", "model"]  # whose noise is not known
    low, high = (record.metrics[end.format(split="test")] for end in (LOW, HIGH))
    assert rows["test"].startswith(f"R2 {record.metrics['test_r2']:.3f} ({low:.2f} to {high:.2f})   RMSE ")
    assert rows["  coordinates alone"].startswith(f"R2 {record.metrics[BY_PLACE]:.3f} ")


def test_models_of_earlier_versions_have_no_interval(finished, record):
    plain = {name: value for name, value in record.metrics.items() if not re.search("low|high|coordinates", name)}
    rows = dict(score_rows(finished.project, replace(record, metrics=plain)))
    assert list(rows) == ["test", "validation", "model"]
    assert re.match(r"R2 -?\d\.\d{3}   RMSE", rows["test"])


def test_what_raises_the_score_depends_on_what_was_trained(finished):
    project = finished.project
    assert "recipe" in (words := how_to_raise(project, "random (seed 42)")) and "checkpoint" in words
    assert "checkpoint" not in how_to_raise(project, "SpectralGPT.pth")
    training = project.settings.training.model_copy(update={"recipe": "chosen"})
    chosen = replace(project, settings=project.settings.model_copy(update={"training": training}))
    assert how_to_raise(chosen, "random (seed 42)") == ""
