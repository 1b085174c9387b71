"""Maps by themselves: nightly and after a new champion, tiles before the map, and nothing where no years are set."""

import shutil

import dagster as dg
import pytest

from soc_assets.defs.automation import backfill
from soc_assets_tests.defs.automation.test_automation import diff, ranges, tick
from soc_assets_tests.small_project import SmallProject

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def wanted(finished, tmp_path_factory) -> SmallProject:
    """The finished project, whose settings want two maps."""
    root = tmp_path_factory.mktemp("wanted") / "project"
    shutil.copytree(finished.root, root)
    made = SmallProject(root)
    made.config.write_text(made.config.read_text() + "\n[map]\nyears = [2013, 2014]\nstep = 16\n")
    return made


def test_nothing_is_launched_where_no_years_are_set(finished):
    finished.use()
    assert "No maps are wanted" in tick("nightly_map")[1]
    assert "No maps are wanted" in diff("map_after_champion", finished)[1]


def test_tiles_come_first_and_maps_follow_once(wanted):
    from soc_assets.cli import map_runner

    project = wanted.use()
    requests, _ = tick("nightly_map")
    assert [request.job_name for request in requests] == ["map"]
    assert ranges(requests) == [("2013_r0000_c0000", "2014_r0000_c0000")]
    found, _, cursor = diff("map_after_champion", wanted)
    assert ranges(found) == ranges(requests)
    assert found[0].tags[backfill.REASON] == "after a new champion"
    assert "have not been materialised" in diff("map_after_champion", wanted, cursor)[1]
    assert map_runner.make_maps(map_runner.maps_of(project), "map_tiles").launched == ["map"]
    assert "Every tile is fresh" in tick("nightly_map")[1]
    found, _, cursor = diff("map_after_champion", wanted, cursor)  # tiles were materialised since
    assert [(request.job_name, *ends) for request, ends in zip(found, ranges(found), strict=True)] == [
        ("assemble", "2013", "2013"),
        ("assemble", "2014", "2014"),
    ]
    assert map_runner.make_maps(map_runner.maps_of(project)).launched == ["assemble", "assemble"]
    with dg.DagsterInstance.get() as instance:
        made = instance.get_materialized_partitions(dg.AssetKey("map_tiles"))
        record = instance.get_latest_materialization_event(dg.AssetKey("soc_map"))
    assert made == {"2013_r0000_c0000", "2014_r0000_c0000"}
    assert record is not None and record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert str(metadata["map"].value).startswith("![figure](data:image/png")
    assert metadata["model"].value == "models:/soc_mlp/1"
    wanted.set("step = 16", "step = 16\nchanges = [[2013, 2014]]")
    wanted.use()
    found, _, _ = diff("map_after_champion", wanted, cursor)  # changes follow the maps
    assert [(request.job_name, *ends) for request, ends in zip(found, ranges(found), strict=True)] == [
        ("compare", "2013_2014", "2013_2014")
    ]
    wanted.set("step = 16", 'step = 16\ndtype = "int16"')
    wanted.use()
    assert [request.job_name for request in diff("map_after_champion", wanted, cursor)[0]] == ["assemble", "assemble"]
