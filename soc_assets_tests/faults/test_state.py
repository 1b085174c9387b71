"""Tables that were deleted, damaged, edited or put back from another moment: never believed, and put right."""

import shutil
import warnings

import pandas as pd
import pyarrow.parquet as pq
import pytest

from soc_assets.defs.assets import sampling
from soc_assets.embedding.inputs import read_inputs
from soc_assets.errors import SamplingError, SocWarning, TableError
from soc_assets.features import refresh
from soc_assets.integrity import tables
from soc_assets.pipeline import inspection, repairs
from soc_assets.project import Project
from soc_assets.sampling.inputs import earlier_splits, sampling_inputs
from soc_assets.storage import files, second_copy, vouching
from soc_assets_tests import spoil
from soc_assets_tests.faults.states import DAMAGES, mend, older
from soc_assets_tests.small_project import SmallProject

ASSETS = {
    "raster_catalog": ("rasters", "problems", "gaps"),
    "soil_samples": ("samples", "rejected", "tables"),
    "balanced_samples": ("balanced", "excluded", "folds", "batches", "splits"),
}


def as_before(project: Project) -> None:
    """The tables of balanced_samples as an earlier version wrote them: neither seals nor copies, nobody vouches."""
    for name in ASSETS["balanced_samples"]:
        path = project.samples(name)
        kept = {
            key: value for key, value in files.read_metadata(path).items() if key not in ("soc.seal", "soc.siblings")
        }
        pq.write_table(pq.read_table(path).replace_schema_metadata(kept), path, compression="zstd")
        second_copy.copy_of(path).unlink(missing_ok=True)


def prepare_again(project: Project) -> None:
    """What the asset balanced_samples writes."""
    sampling._write(sampling._prepare(project), project, sampling_inputs(project))


def test_every_table_that_is_not_as_it_was_written_makes_its_asset_stale(made):
    project, believed = made.project, []
    for asset, names in ASSETS.items():
        assert tables.complete(project, asset)
        for path in (
            project.samples(name) if asset != "raster_catalog" else project.catalog.with_stem(name) for name in names
        ):
            content = path.read_bytes()
            for word, damage in DAMAGES.items():
                damage(path)
                if word == "older" and path == tables.last_of(project, asset):
                    path.write_bytes(content)  # it says itself what it was made from
                    continue
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always", SocWarning)
                    if tables.complete(project, asset) or (word != "deleted" and path.name not in str(told[0].message)):
                        believed.append((path.name, word))
                path.write_bytes(content)
    assert believed == []


@pytest.mark.parametrize("name", ["batches", "splits"])
def test_damaged_decision_is_put_back_from_its_copy(made, name):
    project = made.project
    path = project.samples(name)
    content = path.read_bytes()
    for word, damage in DAMAGES.items():
        damage(path)
        [said] = mend(project)
        expected = {"deleted": "is missing", "older": "is an older or edited one"}.get(word, "is damaged")
        assert f"{path} {expected}, its copy {name}.copy.parquet is whole: it was put right." in said
        assert path.read_bytes() == content
        damage(second_copy.copy_of(path))
        mend(project)
        assert second_copy.copy_of(path).read_bytes() == content or word == "older", word
        second_copy.copy_of(path).write_bytes(content)
    assert tables.complete(project, "balanced_samples")


def test_ledger_is_read_from_its_copy_until_it_is_put_back(made):
    path = made.project.samples("batches")
    ledger = tables.read_ledger(made.project)
    assert ledger is not None
    twice = pd.concat([ledger, ledger.iloc[:5]])
    for other in (ledger.iloc[:-12], twice):
        files.write_table(path, other)
        found = tables.read_ledger(made.project)
        assert found is not None and found.equals(ledger)
        inputs = read_inputs(made.project)
        assert [inputs.rows(key) for key in inputs.keys] == [16, 16, 16, 12]


@pytest.mark.parametrize("name", ["batches", "splits"])
def test_lost_decision_is_an_error_and_its_cure_works(made, name):
    project, path = made.project, made.project.samples(name)
    spoil.flip(path)
    spoil.cut(second_copy.copy_of(path))
    with pytest.raises(SamplingError, match=f"{name}.parquet and its copy .* are lost") as told:
        prepare_again(project)
    found = inspection._earlier_splits(project)[1]
    assert [item.severity for item in found] == (["error"] if name == "splits" else [])
    said = f"delete {name}.parquet and {name}.copy.parquet and balanced.parquet in {path.parent}"
    assert said in str(told.value)
    assert mend(project) == [], "nothing is put back from what is damaged"
    for each in (path, second_copy.copy_of(path), project.samples("balanced")):
        each.unlink()
    with pytest.warns(SocWarning, match=rf"{name}\.copy\.parquet are gone"):
        prepare_again(project)
    assert tables.complete(project, "balanced_samples")


@pytest.mark.parametrize("trace", ["data/embeddings", "data/results", "mlruns"])
def test_decisions_that_are_gone_without_a_word_are_told_where_something_shows_that_they_were(
    finished, tmp_path, trace
):
    made = SmallProject(tmp_path / "own")
    for name in ("soc.toml", "data/catalog", "data/samples", "data/rasters", trace):
        source, target = finished.root / name, made.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
    project, whole = made.project, tmp_path / "whole"
    shutil.copytree(made.root / "data/samples", whole)
    for path in tables.siblings_of(project, "balanced_samples"):
        path.unlink()
        second_copy.copy_of(path).unlink(missing_ok=True)
    project.samples("balanced").unlink()
    for look in (repairs.warn_of_repairs, prepare_again):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", SocWarning)
            look(project)
        said = sorted({str(item.message) for item in told})
        assert [
            f"{name}.copy.parquet are gone" in words for name, words in zip(("batches", "splits"), said, strict=True)
        ]
        assert all(trace in words for words in said) and "places of the test split would move" in said[1]
    assert mend(project) == []
    shutil.rmtree(made.root / "data/samples")
    shutil.copytree(whole, made.root / "data/samples")
    assert tables.complete(project, "balanced_samples") and mend(project) == []


def test_a_first_run_that_was_killed_anywhere_is_told_nothing_of_what_is_gone(made):
    project = made.project
    for folder in (project.embeddings, project.results):
        shutil.rmtree(folder)
    written = ("splits.copy", "splits", "batches.copy", "batches", "excluded", "folds")
    project.samples("balanced").unlink()
    for left in range(len(written) + 1):
        for name in written[left:]:
            project.samples(name).unlink(missing_ok=True)
    assert tables.decision(project, "splits") is None
    assert mend(project) == []


def test_other_settings_of_the_split_still_draw_a_new_one(made, monkeypatch):
    before = made.table("splits")
    monkeypatch.setenv("SOC_SAMPLING__SEED", "7")
    assert earlier_splits(made.project) is None
    prepare_again(made.project)
    assert not made.table("splits").equals(before)
    assert mend(made.project) == []


def test_tables_of_an_earlier_version_are_believed_while_they_agree(made):
    project = made.project
    as_before(project)
    inputs = sampling_inputs(project)
    assert tables.complete(project, "balanced_samples") and vouching.is_fresh(project.samples("balanced"), inputs)
    assert mend(project) == []
    assert second_copy.copy_of(project.samples("splits")).is_file()
    ledger = made.table("batches")
    ledger.iloc[:-12].to_parquet(project.samples("batches"), index=False)
    second_copy.copy_of(project.samples("batches")).unlink()
    with pytest.warns(SocWarning, match=r"12 studied samples are in no batch .* `soc run` makes it again"):
        assert not tables.complete(project, "balanced_samples")
    with pytest.raises(TableError, match=r"12 studied samples are in no batch .*`soc run` makes it again"):
        read_inputs(project)
    folds = project.samples("folds").read_bytes()
    prepare_again(project)
    pd.testing.assert_frame_equal(made.table("batches"), ledger)
    assert project.samples("folds").read_bytes() == folds, "an evaluation knows them by their bytes"


def test_places_that_an_older_copy_of_the_splits_lacks_keep_the_split_of_their_samples(made):
    project = made.project
    as_before(project)
    before = made.table("balanced").set_index("sample_id")["split"]
    path, splits = project.samples("splits"), pq.read_table(project.samples("splits"))
    pq.write_table(splits.slice(0, 20), path)
    with pytest.warns(SocWarning, match="does not have every place of balanced.parquet"):
        prepare_again(project)
    pd.testing.assert_series_equal(made.table("balanced").set_index("sample_id")["split"], before)
    assert len(made.table("splits")) == splits.num_rows


def test_ledger_with_repeated_rows_and_no_copy_counts_each_sample_once(made):
    project = made.project
    as_before(project)
    ledger = made.table("batches")
    pd.concat([ledger, ledger.iloc[:5].assign(batch="batch_0009")]).to_parquet(project.samples("batches"), index=False)
    with pytest.warns(SocWarning, match="5 samples of the batches occur twice"):
        assert not tables.complete(project, "balanced_samples")
    with pytest.warns(SocWarning, match="has 5 rows again .* the first one counts"):
        prepare_again(project)
    pd.testing.assert_frame_equal(made.table("batches"), ledger)


def test_queries_refuse_damaged_tables_and_tell_of_those_of_another_moment(made):
    refresh.require_tables(made.project)
    older(made.project.samples("folds"))
    with pytest.warns(SocWarning, match=r"folds.parquet is not the file that balanced.parquet was written with"):
        refresh.require_tables(made.project)
    for path in (made.project.samples("folds"), made.project.results / "predictions.parquet"):
        spoil.flip(path)
        with pytest.raises(TableError, match=rf"{path.name} is damaged\. `soc run` makes it again"):
            refresh.require_tables(made.project)
        path.unlink()


def test_damaged_batch_with_too_few_rows_is_stale(made):
    inputs = read_inputs(made.project)
    path = inputs.path("batch_0002")
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 10), path)
    assert inputs.states() == {
        "batch_0001": "fresh",
        "batch_0002": "stale",
        "batch_0003": "fresh",
        "batch_0004": "fresh",
    }


def test_state_that_nobody_vouches_for_is_told_by_the_status_alone(made):
    spoil.flip(made.project.samples("splits"))
    with pytest.warns(SocWarning, match=r"splits\.parquet is damaged, its copy .* is whole: `soc run` puts it right"):
        repairs.warn_of_repairs(made.project)
    assert vouching.wrong(made.project.samples("balanced")).endswith("splits.parquet is damaged")
