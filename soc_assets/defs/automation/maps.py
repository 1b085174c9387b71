"""Maps that follow by themselves where [map] years are set: nightly, and after a new champion.

Tiles come first, in runs of several; the sensor assembles a period once all of its tiles are fresh, and then maps the
changes between periods whose maps are.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from soc_assets.defs.automation import backfill
from soc_assets.defs.names import BARE, Names
from soc_assets.defs.partitions import add_changes, add_maps, contiguous_ranges
from soc_assets.errors import SocError
from soc_assets.mapping.assemble import map_inputs, state_of_map
from soc_assets.mapping.change.changes import change_inputs, wanted_changes
from soc_assets.mapping.change.files import state_of_change
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Period, of_key
from soc_assets.pipeline.assets import JOB_OF
from soc_assets.project import Project
from soc_assets.settings import Automation, Maps
from soc_assets.storage import digest
from soc_assets.tracking.registered import describe_registered
from soc_assets.tracking.store import tracking_of

_FOLLOWED = ("mlp_model", "evaluation", "raster_catalog", "map_tiles", "soc_map")
"""What a map may follow from: `evaluation` moves the champion, too."""


def build_map_schedule(automation: Automation, maps: Maps, names: Names = BARE) -> dg.ScheduleDefinition:
    """The schedule; off unless years are set."""
    wanted, tiles_job = automation.active and bool(maps.wanted_years), names.flat(JOB_OF["map_tiles"])

    @dg.schedule(
        job_name=tiles_job,
        name=names.flat("nightly_map"),
        required_resource_keys={names.resource},
        cron_schedule=automation.cron,
        execution_timezone=automation.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if wanted else dg.DefaultScheduleStatus.STOPPED,
        description="Predicts the tiles of [map] years that are missing or stale; `map_after_champion` assembles them.",
    )
    def nightly_map(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        tick = context.scheduled_execution_time.isoformat()
        found = _asked(
            context.instance, names, names.project(context).load(), automation.batches_per_run, "nightly", tick
        )
        tiles = [] if isinstance(found, dg.SkipReason) else [each for each in found if each.job_name == tiles_job]
        return tiles or (found if isinstance(found, dg.SkipReason) else dg.SkipReason("Every tile is fresh."))

    return nightly_map


def build_map_sensor(automation: Automation, maps: Maps, jobs: list[Any], names: Names = BARE) -> dg.SensorDefinition:
    """The sensor, which launches the jobs of maps; off unless years are set."""
    wanted = automation.active and bool(maps.wanted_years)

    @dg.sensor(
        name=names.flat("map_after_champion"),
        jobs=jobs,
        required_resource_keys={names.resource},
        minimum_interval_seconds=automation.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if wanted else dg.DefaultSensorStatus.STOPPED,
        description="Maps [map] years again after a new champion or changed rasters: tiles, then maps, then changes.",
    )
    def map_after_champion(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        loaded = names.project(context).load()
        newest = f"{_newest(context.instance, names)}/{loaded.settings.map.model_dump_json()}"
        if newest == context.cursor:
            return dg.SkipReason("Model, rasters and tiles have not been materialised since the last look.")
        if backfill.running(context.instance, _FOLLOWED, names):
            return dg.SkipReason("A run is at work on the model, the rasters or the tiles.")
        found = _asked(context.instance, names, loaded, automation.batches_per_run, "after a new champion", newest)
        return found if isinstance(found, dg.SkipReason) else dg.SensorResult(found, cursor=newest)

    return map_after_champion


def _asked(
    instance: dg.DagsterInstance, names: Names, project: Project, longest: int, reason: str, run_key: str
) -> list[dg.RunRequest] | dg.SkipReason:
    """Runs of the tiles that are due, or else of the periods whose files are."""
    if not project.settings.map.wanted_years:
        return dg.SkipReason("No maps are wanted: years in [map] of soc.toml is empty.")
    try:
        inputs = read_map_inputs(project, describe_registered(tracking_of(project), project.settings.map.model))
        requests = list(_requests(instance, names, inputs, longest, reason, run_key))
    except SocError as error:
        return dg.SkipReason(str(error))
    return requests or dg.SkipReason(f"All {len(inputs.keys)} tiles and their maps are fresh or under way.")


def _requests(
    instance: dg.DagsterInstance, names: Names, inputs: MapInputs, longest: int, reason: str, run_key: str
) -> Iterator[dg.RunRequest]:
    every, _ = add_maps(instance, inputs.keys, [str(period) for period in inputs.periods], names)
    due = {key for key, state in inputs.states().items() if state != "fresh"}
    tags = {backfill.REASON: reason}
    for stretch in contiguous_ranges(every, due - backfill.under_way(instance, every, names), longest):
        content = [inputs.tile_inputs(*of_key(key)) for key in stretch]
        yield _request(names, "map_tiles", stretch[0], stretch[-1], [run_key, *content], tags)
    of_due = {of_key(key)[0] for key in due}
    periods = [str(period) for period in inputs.periods]
    assembling = backfill.under_way(instance, periods, names)
    stale = {period for period in inputs.periods if state_of_map(inputs, period) != "fresh"}
    for period in inputs.periods:
        if period in stale - of_due and str(period) not in assembling:
            yield _request(names, "soc_map", str(period), str(period), [run_key, map_inputs(inputs, period)], tags)
    yield from _of_changes(instance, names, inputs, stale | of_due, run_key, tags)


def _of_changes(
    instance: dg.DagsterInstance,
    names: Names,
    inputs: MapInputs,
    stale: set[Period],
    run_key: str,
    tags: dict[str, str],
) -> Iterator[dg.RunRequest]:
    """Runs of the changes that are due and whose maps are fresh."""
    changes = {str(change): change for change in wanted_changes(inputs.project)}
    add_changes(instance, list(changes), names)
    comparing = backfill.under_way(instance, list(changes), names)
    for key, change in changes.items():
        if key in comparing or stale & set(change.periods) or state_of_change(inputs, change) == "fresh":
            continue
        yield _request(names, "soc_map_change", key, key, [run_key, change_inputs(inputs, change)], tags)


def _request(
    names: Names, asset: str, first: str, last: str, content: list[str], tags: dict[str, str]
) -> dg.RunRequest:
    ends = {backfill.RANGE_START: first, backfill.RANGE_END: last}
    job = names.flat(JOB_OF[asset])
    return dg.RunRequest(run_key=digest.of_values(content), job_name=job, tags={**tags, **ends})


def _newest(instance: dg.DagsterInstance, names: Names) -> str:
    events = [instance.get_latest_materialization_event(names.key(name)) for name in _FOLLOWED]
    return "/".join(f"{event.run_id}@{event.timestamp}" if event else "none" for event in events)
