"""Which change makes which asset stale, and what may change without any of it being done again."""

import os
from dataclasses import replace
from unittest import mock

import pytest

from soc_assets.embedding.inputs import freeze_spec, read_inputs
from soc_assets.errors import EmbeddingError
from soc_assets.pipeline import freshness
from soc_assets.pipeline.assets import ASSETS, RESULTS
from soc_assets.pipeline.freshness import Freshness
from soc_assets.project import Project
from soc_assets.regression.inputs import evaluation_inputs, model_inputs
from soc_assets_tests.command_line import states as status
from soc_assets_tests.small_project import SmallProject

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


def states(project: Project, model: str = "fresh") -> dict[str, str]:
    return {item.asset: item.state for item in freshness.assess(project, lambda inputs: model)}


def with_settings(made: SmallProject, section: str, **values) -> Project:
    project = made.project
    changed = getattr(project.settings, section).model_copy(update=values)
    return replace(project, settings=project.settings.model_copy(update={section: changed}))


def test_finished_project_is_fresh_and_counts_its_batches(finished):
    found = freshness.assess(finished.project, lambda inputs: "fresh")
    assert [item.asset for item in found] == list(ASSETS)
    assert all(item.fresh for item in found)
    assert found[3] == Freshness("embeddings", "fresh", 4, 4)


@pytest.mark.parametrize(
    ("section", "change", "first"),
    [
        ("rasters", {"min_valid_fraction": 0.6}, "raster_catalog"),
        ("soil", {"below_detection": "half_limit"}, "soil_samples"),
        ("study", {"max_oc": 20.0}, "balanced_samples"),
        ("study", {"location": "pixel"}, "balanced_samples"),
        ("study", {"id_metres": 50.0}, "balanced_samples"),
        ("study", {"location_metres": 30.0}, "balanced_samples"),
        ("evaluation", {"schemes": ("knndm",)}, "balanced_samples"),
        ("sampling", {"n_bins": 3}, "balanced_samples"),
        ("study", {"time_before": 4}, "embeddings"),
        ("study", {"first_lag": 1}, "embeddings"),
        ("embedding", {"pooling": "center"}, "embeddings"),
        ("embedding", {"weights_seed": 1}, "embeddings"),
        ("embedding", {"normalise": "none"}, "embeddings"),
        ("features", {"missing": "nearest_lag"}, "features"),
        ("features", {"alignment": "absolute"}, "features"),
    ],
)
def test_setting_makes_its_asset_and_all_after_it_not_fresh(finished, section, change, first):
    found = states(with_settings(finished, section, **change))
    fresh = [asset for asset in ASSETS if found[asset] == "fresh"]
    assert fresh == list(ASSETS[: ASSETS.index(first)])


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("embedding", {"device": "cuda", "cache_mb": 64, "drop_path": 0.2}),
        ("training", {"device": "cuda"}),
    ],
)
def test_what_decides_no_number_leaves_everything_fresh(finished, section, change):
    assert set(states(with_settings(finished, section, **change)).values()) == {"fresh"}


def test_model_is_asked_for_by_the_digest_of_its_own_inputs(finished):
    project, asked = finished.project, []

    def trained(inputs: str) -> str:
        asked.append(inputs)
        return "stale"

    assert freshness.assess(project, trained)[-1].state == "stale"
    assert asked == [model_inputs(project)]
    for change in ({"epochs": 3}, {"seed": 1}, {"hidden": (4,)}):
        assert model_inputs(with_settings(finished, "training", **change)) != asked[0]


def test_nothing_done_is_missing_and_nothing_is_written(fresh):
    before = fresh.stamps()
    assert set(states(fresh.project).values()) == {"missing"}
    assert fresh.stamps() == before


def test_question_about_freshness_without_a_spec_writes_nothing_and_measures_nothing(prepared):
    fresh = prepared
    assert states(fresh.project)["balanced_samples"] == "fresh"  # it has looked at the copied rasters
    fresh.set("image_size = 16", 'image_size = 16\nstage = "encoder"')  # whose precision is measured
    measured = AssertionError("bfloat16 was measured")
    with mock.patch("soc_assets.embedding.inputs.settle_precision", side_effect=measured):
        before = fresh.stamps()
        assert states(fresh.project)["embeddings"] == "missing"
        assert status(fresh)["embeddings"] == ["missing", "0 of 0"]
        with pytest.raises(EmbeddingError, match="There is no embedding spec of the present settings yet"):
            read_inputs(fresh.project)
        assert fresh.stamps() == before
        with pytest.raises(AssertionError, match="bfloat16 was measured"):
            freeze_spec(fresh.project)
    assert freeze_spec(fresh.project) == read_inputs(fresh.project).spec
    assert states(fresh.project)["embeddings"] == "missing"
    assert fresh.stamps() != before


def test_touched_raster_is_read_once_and_stays_fresh(with_a_catalog):
    fresh = with_a_catalog
    assert states(fresh.project)["raster_catalog"] == "fresh"  # it has looked at the copied rasters
    os.utime(fresh.raster("LAI", 2012))
    assert states(fresh.project)["raster_catalog"] == "fresh"
    with mock.patch("soc_assets.rasters.catalog.readable_digest", side_effect=AssertionError("it was noted")):
        assert states(fresh.project)["raster_catalog"] == "fresh"


def test_rasters_that_changed_places_with_equal_sizes_and_times_make_the_catalog_stale_and_what_follows(fresh):
    one, other = fresh.raster("LAI", 2012), fresh.raster("LAI", 2013)
    longest = max(path.stat().st_size for path in (one, other))
    for path in (one, other):
        path.write_bytes(path.read_bytes().ljust(longest, b"\0"))
        os.utime(path, ns=(1, 1))
    fresh.run("balanced_samples")
    assert states(fresh.project)["balanced_samples"] == "fresh"
    one.rename(fresh.root / "x")
    other.rename(one)
    (fresh.root / "x").rename(other)
    found = states(fresh.project)
    assert [found[asset] for asset in ASSETS[:4]] == ["stale", "stale", "stale", "missing"]


def test_soil_table_counts_by_its_bytes_not_its_time(templates, tmp_path):
    fresh = templates.copy("read", tmp_path / "project")
    table = fresh.root / "data/soil/a.csv"
    os.utime(table)
    assert states(fresh.project)["soil_samples"] == "fresh"
    table.write_text(table.read_text().replace("2012-07-01", "2012-07-02", 1))
    assert states(fresh.project)["soil_samples"] == "stale"


def test_regions_decide_scores_and_neither_fits_nor_models_nor_searches(fresh):
    fitted = [name for name in RESULTS if name in ("baselines", "evaluation", "hyperparameters")]

    def digests(**values) -> dict[str, str]:
        project = with_settings(fresh, "evaluation", **values)
        recipe = project.settings.training.model_copy(update={"recipe": "chosen"})
        trained = replace(project, settings=project.settings.model_copy(update={"training": recipe}))
        found = {asset: evaluation_inputs(project, asset) for asset in fitted}
        return {**found, "documented": model_inputs(project), "chosen": model_inputs(trained)}

    def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
        return {name for name in before if before[name] != after[name]}

    none, path = digests(), fresh.root / "regions.geojson"
    missing = digests(regions=path.name)
    path.write_text("{}")
    first = digests(regions=path.name)
    path.write_text("{ }")
    assert changed(none, missing) == changed(missing, first) == {"baselines", "evaluation"}
    assert changed(first, digests(regions=path.name)) == {"baselines", "evaluation"}
    assert changed(digests(regions=path.name), digests(regions=path.name, region_column="id")) == {
        "baselines",
        "evaluation",
    }
    assert not changed(none, digests(region_column="id"))
    assert changed(none, digests(seed=7)) == {*fitted, "chosen"}
