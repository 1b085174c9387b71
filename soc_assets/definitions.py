"""The code location that Dagster loads: assembles assets, jobs, schedules, sensors and resources, nothing else."""

from typing import Any

import dagster as dg

from soc_assets.defs import assets
from soc_assets.defs.assets import ingest
from soc_assets.defs.automation import jobs, maps, schedules, sensors
from soc_assets.defs.execution import gpu_executor
from soc_assets.defs.resources import ProjectResource, settings_at_load
from soc_assets.pipeline.assets import JOB_OF, MAPS
from soc_assets.settings import Automation, Execution


def build_definitions(
    automation: Automation | None = None, execution: Execution | None = None, **resources: Any
) -> dg.Definitions:
    """All definitions; a test overrides resources by keyword. Sections that are left out are those of soc.toml."""
    settings = settings_at_load()
    chosen = automation or settings.automation
    every, wanted = jobs.build_jobs(chosen), settings.map
    of_maps = [job for job in every if job.name in {JOB_OF[name] for name in MAPS}]
    return dg.Definitions(
        assets=[*_all_assets(chosen.batches_per_run), ingest.RASTER_FILES, ingest.SOIL_FILES],
        jobs=every,
        schedules=[*schedules.build_schedules(chosen), maps.build_map_schedule(chosen, wanted)],
        sensors=[*sensors.build_sensors(chosen), maps.build_map_sensor(chosen, wanted, of_maps)],
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
