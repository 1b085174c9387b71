"""The assets as the Dagster UI runs them: the implicit asset job, partition keys and range tags, no command line."""

import dagster as dg
import pandas as pd
import pytest

from soc_assets.definitions import defs
from soc_assets.storage import files
from soc_assets_tests.small_project import BATCHES, SmallProject, clean_environment, write_project

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture(scope="module")
def made(templates, tmp_path_factory) -> SmallProject:
    """A project whose ingest and sampling assets were materialised in the UI's way."""
    made = templates.copy("prepared in the UI", tmp_path_factory.mktemp("ui") / "project")
    with clean_environment():
        made.use()
        assert materialise("raster_catalog").success  # it has looked at the copied rasters
    return made


@pytest.fixture(autouse=True)
def used(made, no_settings_from_outside):
    made.use()


def materialise(*assets: str, **options) -> dg.ExecuteInProcessResult:
    """What "Materialize" does, in this process."""
    with dg.DagsterInstance.get() as instance:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name) for name in assets], raise_on_error=False, **options
        )


def facts(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict]:
    """Metadata of what the run materialised of an asset, by partition."""
    found = [event.materialization for event in result.get_asset_materialization_events()]
    return {
        event.partition: {name: value.value for name, value in event.metadata.items()}
        for event in found
        if event.asset_key == dg.AssetKey(asset)
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    return (data.user_failure_data.description if data.user_failure_data else "") + data.error.to_string()


def test_every_step_works_from_the_ui_alone(made):
    with dg.DagsterInstance.get() as instance:
        assert sorted(instance.get_dynamic_partitions("batch")) == list(BATCHES)
    one = materialise("embeddings", partition_key="batch_0002")
    assert facts(one, "embeddings")["batch_0002"]["outcome"] == "computed"
    assert list(made.batch_files()) == ["batch_0002"]
    every = materialise("embeddings", tags=dict(zip(RANGE, ("batch_0001", "batch_0004"), strict=True)))
    found = facts(every, "embeddings")
    assert {batch: found[batch]["cached"] for batch in found} == {batch: batch == "batch_0002" for batch in BATCHES}
    assert {batch: found[batch]["samples"] for batch in found} == BATCHES
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("embeddings")) == set(BATCHES)
    learnt = materialise("features", "mlp_model")
    assert learnt.success
    features, model = facts(learnt, "features")[None], facts(learnt, "mlp_model")[None]
    assert (features["dagster/row_count"], features["features"], features["missing_images"]) == (60, 19_968, 48)
    assert (features["cached"], model["cached"], model["model"]) == (False, False, "models:/soc_mlp/1")
    for figure in ("loss_curve", "observed_predicted", "residual_map"):
        assert model[figure].startswith("![figure](data:image/png;base64,")


def test_what_is_fresh_says_cached_and_keeps_its_data_version(made):
    first = materialise("embeddings", partition_key="batch_0001")
    path = made.batch_files()["batch_0001"]
    stamp = path.stat().st_mtime_ns
    again = materialise("embeddings", partition_key="batch_0001")
    assert facts(again, "embeddings")["batch_0001"]["cached"] is True
    assert facts(again, "embeddings")["batch_0001"]["outcome"] == "cached"
    assert path.stat().st_mtime_ns == stamp
    assert data_versions(first) == data_versions(again)
    prepared = materialise("raster_catalog", "soil_samples", "balanced_samples")
    assert facts(prepared, "raster_catalog")[None]["files_read"] == 0
    assert [facts(prepared, name)[None]["cached"] for name in ("soil_samples", "balanced_samples")] == [True, True]


def data_versions(result: dg.ExecuteInProcessResult) -> list[str]:
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return [event.tags["dagster/data_version"] for event in events if event.tags]


def test_embeddings_without_a_partition_fails_and_says_what_to_choose(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME")
    fresh = write_project(tmp_path)
    fresh.use()
    assert "choose partitions" in failure(materialise("embeddings"))


def test_embeddings_without_a_partition_computes_nothing_where_batches_were_observed(made):
    assert materialise("embeddings", partition_key="batch_0001").success
    before = {path: path.stat().st_mtime_ns for path in made.batch_files().values()}
    result = materialise("embeddings")
    assert not result.success
    assert "non-partitioned run" in failure(result)
    assert {path: path.stat().st_mtime_ns for path in made.batch_files().values()} == before


def test_ingest_metadata_counts_what_was_read_and_rejected(made):
    prepared = materialise("raster_catalog", "soil_samples", "balanced_samples")
    catalog, soil, balanced = (
        facts(prepared, name)[None] for name in ("raster_catalog", "soil_samples", "balanced_samples")
    )
    assert catalog["dagster/row_count"] == 1 + 5 * 8 - 1
    gaps = next(line for line in catalog["bands_by_year"].splitlines() if "SoilEvaporation" in line)
    assert gaps.count("missing") == 1 + 8  # 2010, and 2016 to 2023
    assert (soil["dagster/row_count"], soil["rejected"]) == (62, 4)
    assert "| below detection limit | 1 |" in soil["rejected_by_reason"]
    assert (balanced["dagster/row_count"], balanced["batches"], balanced["excluded"]) == (60, 4, 2)
    assert "| train |" in balanced["splits"]


def test_steps_without_a_raster_are_listed_beside_the_catalog(made):
    gaps = pd.read_parquet(made.project.gaps)
    of_2010 = gaps[gaps["year"] == 2010]
    assert of_2010.astype(object).where(of_2010.notna(), None).values.tolist() == [["SoilEvaporation", 2010, None]]
    assert sorted(gaps["year"].unique()) == [2010, *range(2016, 2024)]  # rasters end in 2015, the study in 2023
    assert files.read_metadata(made.project.gaps)["soc.years"] == "2008-2023"


def test_unusable_raster_is_set_aside_and_the_rest_goes_on(made):
    broken = made.root / "data/rasters/yearly/LAI/LAI_2019.tif"
    broken.write_bytes(made.raster("LAI", 2015).read_bytes()[:300])
    result = materialise("raster_catalog")
    broken.unlink()
    assert result.success
    assert "LAI_2019.tif" in facts(result, "raster_catalog")[None]["set_aside"]
    assert facts(result, "raster_catalog")[None]["dagster/row_count"] == 40
