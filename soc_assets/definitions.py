"""The code location that Dagster loads: assembles assets, jobs, schedules, sensors and resources, nothing else."""

from datetime import timedelta
from typing import Any

import dagster as dg

from soc_assets.defs import assets
from soc_assets.defs.assets.provided import RASTER_FILES, SOIL_FILES
from soc_assets.defs.automation import jobs, maps, schedules, sensors
from soc_assets.defs.execution import gpu_executor
from soc_assets.defs.names import BARE, Names
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.studies import asset_of_study, spec_of_study
from soc_assets.pipeline.assets import ASSETS, JOB_OF, MAPS
from soc_assets.settings import Automation, Execution


def build_definitions(
    automation: Automation | None = None,
    execution: Execution | None = None,
    names: Names = BARE,
    project: ProjectResource | None = None,
    **resources: Any,
) -> dg.Definitions:
    """All definitions of a study.

    Args:
        automation: None takes the section of the project's settings.
        execution: None takes the section of the project's settings.
        names: with a prefix for one of several studies in a deployment (`soc_assets.components`). Its jobs then have
            the executor; which one all else in the deployment has is not for a study to say.
        project: where the settings come from; by default from $SOC_CONFIG or the nearest soc.toml.
        **resources: further resources, or others in their place.
    """
    project = project or ProjectResource()
    settings = project.described()
    chosen, executor = automation or settings.automation, gpu_executor(execution or settings.execution)
    every, wanted = jobs.build_jobs(chosen, names, None if names == BARE else executor), settings.map
    of_maps = [job for job in every if job.name in {names.flat(JOB_OF[name]) for name in MAPS}]
    return dg.Definitions(
        assets=_all_assets(chosen, names, project),
        jobs=every,
        schedules=[*schedules.build_schedules(chosen, names), maps.build_map_schedule(chosen, wanted, names)],
        sensors=[*sensors.build_sensors(chosen, names), maps.build_map_sensor(chosen, wanted, of_maps, names)],
        executor=executor if names == BARE else None,
        resources={names.resource: project, **resources},
    )


def _all_assets(
    automation: Automation, names: Names, project: ProjectResource
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every asset of the modules in `soc_assets.defs.assets`, and what users provide."""
    found = [item for item in dg.load_assets_from_package_module(assets) if isinstance(item, dg.AssetsDefinition)]
    made = [_with_policies(item, automation) for item in found]
    provided = [RASTER_FILES, SOIL_FILES]
    if names == BARE:
        return [*made, *provided]
    return [
        *(asset_of_study(item, names, project) for item in made),
        *(spec_of_study(spec, names, project) for spec in provided),
    ]


def _with_policies(item: dg.AssetsDefinition, automation: Automation) -> dg.AssetsDefinition:
    """Backfills take several partitions in one run; what the main job makes may be asked to be recent."""
    several = dg.BackfillPolicy.multi_run(max_partitions_per_run=automation.batches_per_run)
    if item.partitions_def and item.is_materializable:
        item = item.with_attributes(backfill_policy=several)
    if automation.freshness_hours is None or item.key.path[-1] not in ASSETS:
        return item
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=automation.freshness_hours))
    return item.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))


defs = build_definitions()
