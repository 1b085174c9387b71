"""The code location that Dagster loads: assembles assets, jobs, schedules, sensors and resources, nothing else."""

from typing import Any

import dagster as dg

from soc_assets.defs import assets
from soc_assets.defs.automation import jobs, schedules, sensors
from soc_assets.defs.execution import gpu_executor
from soc_assets.defs.resources import ProjectResource, settings_at_load
from soc_assets.settings import Automation, Execution


def build_definitions(
    automation: Automation | None = None, execution: Execution | None = None, **resources: Any
) -> dg.Definitions:
    """All definitions; a test overrides resources by keyword. Sections that are left out are those of soc.toml."""
    settings = settings_at_load()
    chosen = automation or settings.automation
    return dg.Definitions(
        assets=_all_assets(chosen.batches_per_run),
        jobs=jobs.build_jobs(chosen),
        schedules=schedules.build_schedules(chosen),
        sensors=sensors.build_sensors(chosen),
        executor=gpu_executor(execution or settings.execution),
        resources={"project": ProjectResource(), **resources},
    )


def _all_assets(batches_per_run: int) -> list[dg.AssetsDefinition]:
    """Every asset of the modules in `soc_assets.defs.assets`; backfills take several partitions in one run."""
    several = dg.BackfillPolicy.multi_run(max_partitions_per_run=batches_per_run)
    found = [item for item in dg.load_assets_from_package_module(assets) if isinstance(item, dg.AssetsDefinition)]
    return [
        item.with_attributes(backfill_policy=several) if item.partitions_def and item.is_materializable else item
        for item in found
    ]


defs = build_definitions()
