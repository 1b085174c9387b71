"""Schedules, nightly by default: one per job, each asking for what is due of its own stage and skipping otherwise.

`nightly_prepare` looks at the files, and `embed_after_prepare` follows it; `nightly_backfill` finds the batches that an
earlier run left missing or stale, `nightly_learn` features and model.
"""

import dagster as dg

from soc_assets.defs.automation import backfill
from soc_assets.defs.names import BARE, Names
from soc_assets.errors import SocError
from soc_assets.features import refresh
from soc_assets.pipeline import freshness
from soc_assets.settings import Automation
from soc_assets.tracking.known import state_of_model


def build_schedules(automation: Automation, names: Names = BARE) -> list[dg.ScheduleDefinition]:
    """The three schedules."""
    running = dg.DefaultScheduleStatus.RUNNING if automation.active else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        job_name=names.flat("prepare"),
        name=names.flat("nightly_prepare"),
        required_resource_keys={names.resource},
        cron_schedule=automation.cron,
        execution_timezone=automation.timezone,
        default_status=running,
        description="Catalogs rasters and reads soil files where something has changed.",
    )
    def nightly_prepare(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if backfill.tables_are_fresh(names.project(context).load()):
            return dg.SkipReason("Catalog, samples and batches are fresh.")
        return dg.RunRequest(tags={backfill.REASON: "nightly"})

    @dg.schedule(
        job_name=names.flat("embed"),
        name=names.flat("nightly_backfill"),
        required_resource_keys={names.resource},
        cron_schedule=automation.cron,
        execution_timezone=automation.timezone,
        default_status=running,
        description="Backfills missing and stale batches: a run for each contiguous stretch of at most "
        f"{automation.batches_per_run} batches.",
    )
    def nightly_backfill(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        return _backfill(context, names, automation.batches_per_run)

    @dg.schedule(
        job_name=names.flat("learn"),
        name=names.flat("nightly_learn"),
        required_resource_keys={names.resource},
        cron_schedule=automation.cron,
        execution_timezone=automation.timezone,
        default_status=running,
        description="Builds features and trains the model where they are stale and every batch is done.",
    )
    def nightly_learn(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        loaded = names.project(context).load()
        refresh.rebuild_database_if_stale(loaded)
        found = freshness.assess(loaded, lambda inputs: state_of_model(loaded, inputs))
        states = {item.asset: item for item in found}
        if not states["embeddings"].fresh:
            return dg.SkipReason("Not every batch is done; features and model follow the last one.")
        if all(item.fresh for item in states.values()):
            return dg.SkipReason("Everything is fresh.")
        return dg.RunRequest(tags={backfill.REASON: "nightly"})

    return [nightly_prepare, nightly_backfill, nightly_learn]


def _backfill(context: dg.ScheduleEvaluationContext, names: Names, longest: int) -> list[dg.RunRequest] | dg.SkipReason:
    loaded = names.project(context).load()
    if not backfill.tables_are_fresh(loaded):
        return dg.SkipReason(
            "Catalog, samples or batches are stale: `nightly_prepare` comes first, the batches follow it."
        )
    try:
        due = backfill.due_batches(loaded)
    except SocError as error:
        return dg.SkipReason(str(error))
    under_way = backfill.under_way(context.instance, due.keys, names)
    tick = context.scheduled_execution_time.isoformat()
    requests = list(backfill.embed_requests(due, under_way, longest, "nightly", run_key=tick, names=names))
    return requests or dg.SkipReason(f"All {len(due.keys)} batches are fresh or under way.")
