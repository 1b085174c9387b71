"""The state of the model is known without MLflow while nothing has changed, and asked again when something has."""

import json
import shutil
from pathlib import Path

import pytest

from soc_assets.regression.inputs import model_inputs
from soc_assets.storage import remembered
from soc_assets.tracking import known, results
from soc_assets_tests.small_project import SmallProject


def test_a_fresh_model_is_asked_for_once_and_again_when_a_file_changes(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "SETTLED_NS", -(10**12))
    shutil.copytree(finished.root, tmp_path / "own", ignore=shutil.ignore_patterns(".dagster", ".soc"))
    project = SmallProject(tmp_path / "own").project
    inputs = model_inputs(project)
    record = results.fresh_record(project, inputs)
    assert record is not None
    assert known.state_of_model(project, inputs) == "fresh"
    asked: list[str] = []
    monkeypatch.setattr(results, "fresh_record", lambda _, inputs: asked.append(inputs))
    assert known.state_of_model(project, inputs) == "fresh"
    assert asked == []
    found = known.find_model(project, inputs)
    assert found is not None
    assert (found.model_uri, dict(found.metrics)) == (record.model_uri, record.metrics)
    stamps = json.loads(project.answers.read_text())["answers"]["model"]["stamps"]
    assert known.state_of_model(project, "other inputs") == "stale"
    content = next(path for path in stamps if path.endswith("/MLmodel"))
    with Path(content).open("ab") as file:
        file.write(b"\n")
    assert known.state_of_model(project, inputs) == "stale"
    assert asked == ["other inputs", inputs]


def test_a_server_is_always_asked(finished, monkeypatch):
    project = finished.project
    monkeypatch.setattr(remembered.Remembered, "ask", lambda *_: pytest.fail("asked"))
    tracking = project.settings.tracking.model_copy(update={"server": "http://127.0.0.1:9"})
    settings = project.settings.model_copy(update={"tracking": tracking})
    assert known.known_model(type(project)(project.root, settings), "inputs") is None
