"""Sensors: new files lead to `prepare`, its batches to `embed`, and those to `learn`; the UI switches each."""

import json
from collections.abc import Iterable

import dagster as dg

from soc_assets.defs.automation import backfill, jobs
from soc_assets.defs.names import BARE, Names
from soc_assets.errors import SocError
from soc_assets.ingest import arrivals
from soc_assets.pipeline.assets import assets_of
from soc_assets.runtime.process import is_gone, process_of
from soc_assets.settings import Automation
from soc_assets.storage import digest


def build_sensors(automation: Automation, names: Names = BARE) -> list[dg.SensorDefinition]:
    """The three sensors."""
    status = dg.DefaultSensorStatus.RUNNING if automation.active else dg.DefaultSensorStatus.STOPPED
    every = automation.sensor_seconds

    @dg.sensor(
        job_name=names.flat("prepare"),
        name=names.flat("new_files"),
        required_resource_keys={names.resource},
        minimum_interval_seconds=every,
        default_status=status,
        description="Launches `prepare` when a raster or a soil file is new, changed or gone. A change is noticed by "
        "size, times and inode at two looks in a row (a file still being copied waits), then believed by its bytes.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return _look_for_files(context, names)

    @dg.sensor(
        job_name=names.flat("embed"),
        name=names.flat("embed_after_prepare"),
        required_resource_keys={names.resource},
        minimum_interval_seconds=every,
        default_status=status,
        description="Launches `embed` for missing and stale batches after catalog, samples or batches were "
        f"materialised: a run for each contiguous stretch of at most {automation.batches_per_run} batches.",
    )
    def embed_after_prepare(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return _look_for_batches(context, names, automation.batches_per_run)

    learn_after_embed = dg.AutomationConditionSensorDefinition(
        names.flat("learn_after_embed"),
        target=dg.AssetSelection.assets(*names.keys(assets_of("learn"))),
        use_user_code_server=True,
        minimum_interval_seconds=every,
        default_status=status,
        run_tags={backfill.REASON: "every batch is done", **jobs.limits(automation)},
        description="Materialises `features` and `mlp_model` when the last batch is done (automation conditions).",
    )
    return [new_files, embed_after_prepare, learn_after_embed]


def _look_for_files(context: dg.SensorEvaluationContext, names: Names) -> dg.SensorResult | dg.SkipReason:
    """The cursor holds the digest of names and stamps seen at the last look, and of those dealt with, and their number.

    Dagster launches nothing twice under one run key. With the number, and what the tables were made by last, files that
    return to an earlier state are dealt with again.
    """
    cursor = json.loads(context.cursor or "{}")
    try:
        loaded = names.project(context).load()
        seen = arrivals.fingerprint(loaded)
        if seen == cursor.get("dealt_with"):
            return dg.SkipReason("No file is new, changed or gone.")
        if seen != cursor.get("seen"):
            context.update_cursor(json.dumps({**cursor, "seen": seen}))
            return dg.SkipReason("Files have changed; the next check shows whether they are still being written.")
        found = arrivals.diff(loaded)
    except SocError as error:
        return dg.SkipReason(str(error))
    number = int(cursor.get("number", 0)) + 1
    done = json.dumps({"seen": seen, "dealt_with": seen, "number": number})
    if not found:
        context.update_cursor(done)
        return dg.SkipReason("Times have changed, and no content.")
    key = digest.of_values([seen, number, _newest(_last_events(context.instance, names))])
    request = dg.RunRequest(run_key=key, tags={backfill.REASON: found.words})
    return dg.SensorResult([request], cursor=done)


def _look_for_batches(
    context: dg.SensorEvaluationContext, names: Names, longest: int
) -> dg.SensorResult | dg.SkipReason:
    """The cursor holds the last materialisations of the tables that were dealt with."""
    events = _last_events(context.instance, names)
    newest = _newest(events)
    if newest == context.cursor:
        return dg.SkipReason("Catalog, samples and batches have not been materialised since the last look.")
    if not all(events.values()):
        return dg.SkipReason("Not all of catalog, samples and batches have been materialised.")
    if backfill.running(context.instance, backfill.TABLES, names) or _at_work(context.instance, events.values()):
        return dg.SkipReason("A run is at work on catalog, samples or batches.")
    try:
        loaded = names.project(context).load()
        if not backfill.tables_are_fresh(loaded):
            return dg.SkipReason("Catalog, samples or batches are stale: materialise them (job `prepare`).")
        due = backfill.due_batches(loaded)
    except SocError as error:
        return dg.SkipReason(str(error))
    under_way = backfill.under_way(context.instance, due.keys, names)
    requests = list(backfill.embed_requests(due, under_way, longest, "after prepare", run_key=newest, names=names))
    if not requests:
        context.update_cursor(newest)
        return dg.SkipReason(f"All {len(due.keys)} batches are fresh or under way.")
    return dg.SensorResult(requests, cursor=newest)


def _last_events(instance: dg.DagsterInstance, names: Names) -> dict[str, dg.EventLogEntry | None]:
    return {name: instance.get_latest_materialization_event(names.key(name)) for name in backfill.TABLES}


def _newest(events: dict[str, dg.EventLogEntry | None]) -> str:
    return "/".join(f"{event.run_id}@{event.timestamp}" if event else "none" for event in events.values())


def _at_work(instance: dg.DagsterInstance, events: Iterable[dg.EventLogEntry | None]) -> bool:
    """Whether a `soc run` that made one of these is still alive: it embeds by itself."""
    records = [instance.get_run_record_by_id(event.run_id) for event in events if event]
    found = [(record.dagster_run.tags, record.start_time) for record in records if record]
    return any(process_of(tags) is not None and not is_gone(tags, seen) for tags, seen in found)
