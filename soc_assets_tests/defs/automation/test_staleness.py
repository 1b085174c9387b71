"""In the UI a batch shows as stale only if its own inputs have changed; what `soc status` says follows the files."""

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from soc_assets.definitions import defs
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.storage import files
from soc_assets_tests.small_project import BATCHES, SmallProject, clean_environment, sheet, write_tiff

pytestmark = pytest.mark.usefixtures("undrawn")

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture(scope="module")
def made(templates, tmp_path_factory) -> SmallProject:
    """A project with every batch embedded, as the UI does it."""
    project = templates.copy("prepared in the UI", tmp_path_factory.mktemp("stale") / "project")
    with clean_environment():
        project.use()
        materialise("embeddings", tags=dict(zip(RANGE, ("batch_0001", "batch_0004"), strict=True)))
    return project


@pytest.fixture(autouse=True)
def used(made, no_settings_from_outside):
    made.use()


def materialise(*assets: str, **options) -> None:
    with dg.DagsterInstance.get() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name) for name in assets], **options
        ).success


def stale_in_the_ui() -> set[str]:
    with dg.DagsterInstance.get() as instance:
        resolver = CachingStaleStatusResolver(instance, defs.resolve_asset_graph(), LoadingContextForTest(instance))
        return {key for key in BATCHES if resolver.get_status(dg.AssetKey("embeddings"), key).value == "STALE"}


def stale_on_disk(made: SmallProject) -> set[str]:
    inputs = known_embeddings(made.project)
    assert inputs is not None
    return {key for key, state in inputs.states().items() if state != "fresh"}


def observed() -> dict[str, dict[str, str]]:
    """The data version of each batch's inputs that Dagster saw last."""
    wanted = (dg.AssetKey("batch_inputs"), dg.DagsterEventType.ASSET_OBSERVATION, ["dagster/data_version"])
    with dg.DagsterInstance.get() as instance:
        return instance.event_log_storage.get_latest_tags_by_partition(*wanted)


def embed(*keys: str) -> None:
    for key in keys:
        materialise("embeddings", partition_key=key)


def test_new_catalog_and_samples_of_the_same_content_make_no_batch_stale(made):
    materialise("raster_catalog", "soil_samples", "balanced_samples")
    assert stale_in_the_ui() == stale_on_disk(made) == set()


def test_changed_raster_makes_stale_the_batches_that_read_it_and_they_become_fresh_again(made):
    values, transform, crs = sheet("MODIS_NPP", 2015, seed=1)
    write_tiff(made.raster("MODIS_NPP", 2015), values, transform, crs)
    materialise("raster_catalog")
    assert stale_in_the_ui() == stale_on_disk(made) == {"batch_0004"}  # of 2015; the others reach back from 2014
    embed("batch_0004")
    assert stale_in_the_ui() == stale_on_disk(made) == set()


def test_batch_embedded_before_anybody_observed_the_change_is_not_called_stale_afterwards(made):
    values, transform, crs = sheet("LAI", 2015, seed=1)
    write_tiff(made.raster("LAI", 2015), values + 1, transform, crs)
    before, project = observed(), made.project
    catalog = scan_rasters(project.settings.rasters, project.rasters, pd.read_parquet(project.catalog)).frame
    files.write_table(project.catalog, catalog, {"soc.inputs": "written by another machine"})
    assert stale_on_disk(made) == {"batch_0004"}
    assert stale_in_the_ui() == set()
    embed("batch_0004")
    materialise("raster_catalog")
    assert stale_in_the_ui() == stale_on_disk(made) == set()
    assert {key for key, version in observed().items() if version != before.get(key)} == {"batch_0004"}


def test_corrected_carbon_marks_its_batch_alone_and_observing_by_hand_says_so(made):
    path = made.root / "data/soil/a.csv"
    table = pd.read_csv(path)
    table.loc[3, "OC"] += 1
    table.to_csv(path, index=False)
    materialise("soil_samples", "balanced_samples")
    assert stale_in_the_ui() == stale_on_disk(made) == {"batch_0001"}
    materialise("batch_inputs")
    assert stale_in_the_ui() == {"batch_0001"}
    embed("batch_0001")
    assert stale_in_the_ui() == stale_on_disk(made) == set()


def test_observing_twice_reports_nothing_new(made):
    with dg.DagsterInstance.get() as instance:
        observe = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("batch_inputs")]
        )
        [event] = observe.get_asset_observation_events()
    facts = {name: value.value for name, value in event.asset_observation_data.asset_observation.metadata.items()}
    assert (facts["batches"], facts["changed"], facts["fresh"]) == (4, 0, 4)
