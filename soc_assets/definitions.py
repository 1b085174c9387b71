"""The code location that Dagster loads: assembles assets, jobs, schedules, sensors and resources, nothing else."""

from typing import Any

import dagster as dg

from soc_assets.defs.assets import batch_inputs, embedding, features, ingest, regression, sampling
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
    in_runs_of_several = dg.BackfillPolicy.multi_run(max_partitions_per_run=chosen.batches_per_run)
    return dg.Definitions(
        assets=[
            ingest.raster_catalog,
            ingest.soil_samples,
            sampling.balanced_samples,
            batch_inputs.batch_inputs,
            embedding.embeddings.with_attributes(backfill_policy=in_runs_of_several),
            features.features,
            regression.mlp_model,
            regression.baselines,
            regression.evaluation,
            regression.hyperparameters,
        ],
        jobs=jobs.build_jobs(chosen),
        schedules=schedules.build_schedules(chosen),
        sensors=sensors.build_sensors(chosen),
        executor=gpu_executor(execution or settings.execution),
        resources={"project": ProjectResource(), **resources},
    )


defs = build_definitions()
