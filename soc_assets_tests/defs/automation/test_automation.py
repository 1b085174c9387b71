"""Sensors and schedules: what they launch, why they skip, and that failures are not repeated for ever."""

import datetime
import itertools
import shutil
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from soc_assets.definitions import build_definitions, defs
from soc_assets.defs.automation import backfill
from soc_assets.defs.automation.schedules import build_schedules
from soc_assets.defs.resources import ProjectResource
from soc_assets.errors import SocWarning
from soc_assets.settings import Automation
from soc_assets_tests.small_project import SmallProject, sheet, write_tiff

pytestmark = pytest.mark.usefixtures("undrawn")

MIDNIGHT = datetime.datetime(2026, 11, 2, 2, 0, tzinfo=datetime.UTC)


def diff(sensor: str, made: SmallProject, cursor: str | None = None) -> tuple[list[dg.RunRequest], str, str | None]:
    """One tick: the run requests, why it was skipped, and the new cursor."""
    with dg.DagsterInstance.get() as instance:
        context = dg.build_sensor_context(instance, cursor, resources={"project": ProjectResource()})
        result = defs.resolve_sensor_def(sensor).evaluate_tick(context)
    return list(result.run_requests or []), result.skip_message or "", result.cursor


def tick(schedule: str, built: dg.Definitions = defs) -> tuple[list[dg.RunRequest], str]:
    with dg.DagsterInstance.get() as instance:
        context = dg.build_schedule_context(instance, MIDNIGHT, resources={"project": ProjectResource()})
        result = built.resolve_schedule_def(schedule).evaluate_tick(context)
    return list(result.run_requests or []), result.skip_message or ""


@pytest.fixture
def in_the_ui(templates, tmp_path) -> SmallProject:
    """Tables made by a run of the UI, not by `soc run`, which this process would seem to be at still."""
    made = templates.copy("prepared in the UI", tmp_path / "project")
    made.use()
    return made


def prepare(made: SmallProject) -> SmallProject:
    made.use()
    with dg.DagsterInstance.get() as instance:
        assert defs.resolve_job_def("prepare").execute_in_process(instance=instance).success
    return made


def ranges(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    return [(request.tags[backfill.RANGE_START], request.tags[backfill.RANGE_END]) for request in requests]


def test_new_files_waits_until_they_stand_still_then_prepares_once(fresh):
    fresh.use()
    requests, words, cursor = diff("new_files", fresh)
    assert (requests, "still being written" in words) == ([], True)
    [request], _, cursor = diff("new_files", fresh, cursor)
    assert request.tags[backfill.REASON].startswith("42 new (Elevation.tif")
    requests, words, _ = diff("new_files", fresh, cursor)
    assert (requests, words) == ([], "No file is new, changed or gone.")


def test_new_files_prepares_for_a_changed_file_and_not_for_a_touched_one(in_the_ui):
    fresh = in_the_ui
    _, _, cursor = diff("new_files", fresh)
    requests, words, cursor = diff("new_files", fresh, cursor)
    assert (requests, words) == ([], "Times have changed, and no content.")
    path = fresh.raster("LAI", 2012)
    path.write_bytes(path.read_bytes())
    _, _, cursor = diff("new_files", fresh, cursor)
    requests, words, cursor = diff("new_files", fresh, cursor)
    assert (requests, words) == ([], "Times have changed, and no content.")
    values, transform, crs = sheet("LAI", 2012)
    write_tiff(path, values + 1, transform, crs)
    _, _, cursor = diff("new_files", fresh, cursor)
    [request], _, _ = diff("new_files", fresh, cursor)
    assert request.tags[backfill.REASON] == "1 changed (LAI_2012.tif)"


def test_files_that_are_again_as_they_once_were_are_prepared_again(in_the_ui):
    fresh, keys, cursor = in_the_ui, [], None

    def ask_again() -> None:
        nonlocal cursor
        _, _, cursor = diff("new_files", fresh, cursor)
        [request], _, cursor = diff("new_files", fresh, cursor)
        keys.append(request.run_key)

    fresh.raster("LAI", 2008).unlink()
    ask_again()
    with pytest.warns(SocWarning, match=r"yearly/LAI/LAI_2008\.tif\. Their images will be missing"):
        prepare(fresh)
    shutil.copy(fresh.raster("LAI", 2015), fresh.raster("LAI", 2016))
    ask_again()
    prepare(fresh)
    fresh.raster("LAI", 2016).unlink()  # all is as it was when the first key was given
    ask_again()  # Dagster would skip a run key that it has seen
    assert len(set(keys)) == 3


def test_sensors_say_what_is_wrong_with_the_folders(fresh):
    fresh.use()
    for path in (fresh.root / "data/soil").iterdir():
        path.unlink()
    requests, words, _ = diff("new_files", fresh)
    assert requests == []
    assert "soc demo" in words


def test_embed_follows_prepare_in_stretches_and_not_twice(in_the_ui):
    fresh = in_the_ui
    [request], _, cursor = diff("embed_after_prepare", fresh)
    assert ranges([request]) == [("batch_0001", "batch_0004")]
    assert request.tags[backfill.BATCHES] == "batch_0001 to batch_0004 (4)"
    assert request.tags[backfill.SPEC] == "new"
    requests, words, _ = diff("embed_after_prepare", fresh, cursor)
    assert (requests, "not been materialised since" in words) == ([], True)


def test_embed_waits_for_a_soc_run_that_is_at_work(with_a_catalog):
    fresh = with_a_catalog
    fresh.run("balanced_samples")  # this process is alive
    requests, words, _ = diff("embed_after_prepare", fresh)
    assert (requests, words) == ([], "A run is at work on catalog, samples or batches.")


def test_embed_asks_for_stale_batches_only_and_says_the_spec(in_the_ui):
    fresh = in_the_ui
    fresh.run("embeddings")
    values, transform, crs = sheet("LAI", 2015, seed=1)
    write_tiff(fresh.raster("LAI", 2015), values + 1, transform, crs)
    requests, words, _ = diff("embed_after_prepare", fresh)
    assert (requests, "stale: materialise them" in words) == ([], True)
    prepare(fresh)
    [request], _, _ = diff("embed_after_prepare", fresh)
    assert ranges([request]) == [("batch_0004", "batch_0004")]
    [folder] = (fresh.root / "data/embeddings").iterdir()
    assert request.tags[backfill.SPEC] == folder.name


def test_nightly_backfill_cuts_stretches_at_the_setting_and_at_batches_under_way(in_the_ui):
    built = build_definitions(Automation(batches_per_run=3))
    requests, _ = tick("nightly_backfill", built)
    assert ranges(requests) == [("batch_0001", "batch_0003"), ("batch_0004", "batch_0004")]
    assert len({request.run_key for request in requests}) == 2
    with dg.DagsterInstance.get() as instance:
        tags = {backfill.RANGE_START: "batch_0002", backfill.RANGE_END: "batch_0003"}
        job = built.resolve_job_def("embed")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    requests, _ = tick("nightly_backfill", built)
    assert ranges(requests) == [("batch_0001", "batch_0001"), ("batch_0004", "batch_0004")]


def test_schedules_skip_what_is_not_their_turn(templates, tmp_path):
    templates.copy("empty", tmp_path / "empty").use()
    assert len(tick("nightly_prepare")[0]) == 1
    assert "nightly_prepare" in tick("nightly_backfill")[1]
    assert "Not every batch is done" in tick("nightly_learn")[1]
    templates.copy("embedded", tmp_path / "embedded").use()
    assert tick("nightly_prepare") == ([], "Catalog, samples and batches are fresh.")
    assert tick("nightly_backfill") == ([], "All 4 batches are fresh or under way.")
    assert len(tick("nightly_learn")[0]) == 1
    templates.copy("finished", tmp_path / "finished").use()
    assert tick("nightly_learn") == ([], "Everything is fresh.")


def test_batch_added_after_the_last_one_was_done_is_due_alone(embedded):
    fresh = embedded
    table = pd.read_csv(fresh.root / "data/soil/a.csv").head(3)
    table.assign(survey_date="2014-01-05").to_csv(fresh.root / "data/soil/c.csv", index=False)
    prepare(fresh)
    assert ranges(diff("embed_after_prepare", fresh)[0]) == [("batch_0005", "batch_0005")]


@pytest.mark.parametrize("active", [True, False])
def test_automation_starts_as_the_settings_say(active):
    built = build_definitions(Automation(active=active, cron="15 3 * * 1", timezone="Europe/Berlin", sensor_seconds=7))
    sensors = list(built.sensors or ())
    names = ["new_files", "embed_after_prepare", "learn_after_embed", "map_after_champion"]
    assert [sensor.name for sensor in sensors] == names
    assert sensors.pop().default_status.value == "STOPPED"  # no years are set in [map]
    assert {sensor.default_status.value for sensor in sensors} == {"RUNNING" if active else "STOPPED"}
    assert {sensor.minimum_interval_seconds for sensor in sensors} == {7}
    schedules = [schedule for schedule in built.schedules or () if isinstance(schedule, dg.ScheduleDefinition)]
    names = ["nightly_prepare", "nightly_backfill", "nightly_learn", "nightly_map"]
    assert [schedule.name for schedule in schedules] == names
    assert schedules.pop().default_status.value == "STOPPED"
    assert {schedule.default_status.value for schedule in schedules} == {"RUNNING" if active else "STOPPED"}
    assert {(schedule.cron_schedule, schedule.execution_timezone) for schedule in schedules} == {
        ("15 3 * * 1", "Europe/Berlin")
    }


def test_jobs_carry_the_limits_that_the_daemon_keeps(fresh):
    fresh.use()
    with dg.DagsterInstance.get():  # resolving definitions asks the instance for their state
        built = build_definitions(Automation(max_runtime_hours=0.5, max_retries=4, batches_per_run=9))
        for name in ("prepare", "embed", "learn"):
            tags = built.resolve_job_def(name).run_tags
            assert (tags["dagster/max_runtime"], tags["dagster/max_retries"]) == ("1800", "4")
        policy = built.resolve_asset_graph().get(dg.AssetKey("embeddings")).backfill_policy
    assert policy is not None
    assert policy.max_partitions_per_run == 9


@pytest.mark.parametrize(("first", "hours"), [("2026-03-28", [23.5, 23.5]), ("2026-10-24", [25.0, 24.0])])
def test_nights_on_which_the_clocks_change_have_one_run_each(first, hours):
    automation = Automation(cron="30 2 * * *", timezone="Europe/Berlin")
    [schedule, *_] = build_schedules(automation)
    start = datetime.datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(automation.timezone)).timestamp()
    ticks = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone, True)
    times = [next(ticks).timestamp() for _ in range(3)]
    assert [(later - time) / 3600 for time, later in itertools.pairwise(times)] == hours
