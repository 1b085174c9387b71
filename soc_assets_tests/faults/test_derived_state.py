"""Files that are derived from others, damaged or of another moment: written again, stale or refused."""

import json
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

from soc_assets.embedding import manifest
from soc_assets.errors import SocWarning, TableError
from soc_assets.regression.evaluation import compare
from soc_assets.storage import files, vouching
from soc_assets.tracking import results
from soc_assets_tests import spoil
from soc_assets_tests.faults.states import DAMAGES, deleted, mend


def test_manifest_that_is_damaged_older_or_gone_is_written_from_the_batches(made):
    project = made.project
    folder = next(project.embeddings.glob("*"))
    path, text = folder / "manifest.json", folder / "documentation.md"
    content, words = path.read_bytes(), text.read_bytes()
    assert manifest.wrong(folder) is None
    older_one = {key: value for key, value in json.loads(content).items() if key != "checksum"}
    older_one["batches"] = older_one["batches"][:3]
    damages = {**spoil.DAMAGES, "deleted": deleted, "older": lambda file: file.write_text(json.dumps(older_one))}
    for file, word in [(path, word) for word in damages] + [(text, word) for word in ("flipped", "empty", "deleted")]:
        damages[word](file)
        assert manifest.wrong(folder) is not None, word
        said = mend(project)
        assert [f"{file} is " in line for line in said] == (
            [] if file == path and word in ("deleted", "older") else [True]
        )
        assert (path.read_bytes(), text.read_bytes()) == (content, words)


def test_predictions_that_are_damaged_or_of_another_run_are_stale(tmp_path, monkeypatch, made):
    path, runs = made.project.results / "predictions.parquet", made.project.results / "runs.parquet"
    run = files.read_metadata(path)["soc.mlflow_run"]
    record = SimpleNamespace(run_id=run)
    monkeypatch.setattr(results, "tracking_of", lambda _: SimpleNamespace(find_run=lambda _: record))
    assert results.fresh_record(made.project, "") is record
    content = {each: each.read_bytes() for each in (path, runs)}
    for each in content:
        for word, damage in DAMAGES.items():
            damage(each)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SocWarning)
                if (each, word) != (path, "older"):
                    assert results.fresh_record(made.project, "") is None, (each.name, word)
            each.write_bytes(content[each])
    record.run_id = "another"
    assert results.fresh_record(made.project, "") is None
    files.read_table(path).to_parquet(path)
    assert results.fresh_record(made.project, "") is None
    record.run_id = run
    assert results.fresh_record(made.project, "") is record, "of an earlier version"


def test_recipe_that_the_trials_do_not_vouch_for_is_refused(made):
    folder = made.project.results
    assert compare.tuned_recipe(made.project) is None
    told, table = folder / "hyperparameters.json", folder / "hyperparameters.parquet"
    files.write_json(told, {"recipe": {"name": "mlp", "hidden": [8]}})
    files.write_table(table, pd.DataFrame({"value": [0.5]}), vouching.vouch(table, [told]))
    content = told.read_bytes()
    for damage in (deleted, *spoil.DAMAGES.values(), lambda path: path.write_bytes(content.replace(b"8", b"9"))):
        recipe = compare.tuned_recipe(made.project)
        assert recipe is not None and recipe.hidden == (8,)
        damage(told)
        with pytest.raises(TableError, match=r"hyperparameters\.json .*`soc run --to hyperparameters` makes it again"):
            compare.tuned_recipe(made.project)
        told.write_bytes(content)
