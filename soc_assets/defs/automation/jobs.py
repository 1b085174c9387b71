"""The main job in three, chained by `soc run` or sensors: partitions registered in a run do not exist for that run."""

from typing import Any

import dagster as dg

from soc_assets.defs.names import BARE, Names
from soc_assets.pipeline.assets import assets_of
from soc_assets.settings import Automation

_JOBS = {
    "prepare": "Catalog rasters, read soil tables, split and batch",
    "embed": "Embed batches of samples",
    "learn": "Build the database and train the model",
    "evaluate": "Compare models on identical folds, with intervals",
    "tune": "Search for an MLP recipe inside the training data",
    "compare_encoders": "Compare encoders on identical folds: does pre-training help",
    "pretrain": "Pre-train an encoder on windows of the rasters, without labels",
    "map": "Predict tiles of maps",
    "assemble": "Assemble maps from their tiles",
    "compare": "Map changes between two periods",
}


def limits(automation: Automation) -> dict[str, str]:
    """Tags by which the daemon ends a run that takes too long, and retries one whose process died."""
    return {
        "dagster/max_runtime": str(round(automation.max_runtime_hours * 3600)),
        "dagster/max_retries": str(automation.max_retries),
    }


def build_jobs(automation: Automation, names: Names = BARE, executor: dg.ExecutorDefinition | None = None) -> list[Any]:
    """`prepare`, `embed` and `learn`, the main job; the others are made on request."""
    return [
        dg.define_asset_job(
            names.flat(name),
            dg.AssetSelection.assets(*names.keys(assets_of(name))),
            tags=limits(automation),
            description=f"{what}.",
            executor_def=executor,
        )
        for name, what in _JOBS.items()
    ]
