"""The main job in three, chained by `soc run` or sensors: partitions registered in a run do not exist for that run."""

from typing import Any

import dagster as dg

from soc_assets.settings import Automation

PREPARE = ("raster_catalog", "soil_samples", "balanced_samples")
LEARN = ("features", "mlp_model")
EVALUATE = ("baselines", "evaluation")


def limits(automation: Automation) -> dict[str, str]:
    """Tags by which the daemon ends a run that takes too long, and starts one again whose process died."""
    return {
        "dagster/max_runtime": str(round(automation.max_runtime_hours * 3600)),
        "dagster/max_retries": str(automation.max_retries),
    }


def build_jobs(automation: Automation) -> list[Any]:
    """`prepare`, `embed` and `learn`, the main job; `evaluate` and `tune`, which are run when asked for."""
    tags = limits(automation)
    assets = dg.AssetSelection.assets
    return [
        dg.define_asset_job(
            "prepare", assets(*PREPARE), tags=tags, description="Catalog rasters, read soil tables, split and batch."
        ),
        dg.define_asset_job("embed", assets("embeddings"), tags=tags, description="Embed batches of samples."),
        dg.define_asset_job("learn", assets(*LEARN), tags=tags, description="Build the database and train the model."),
        dg.define_asset_job(
            "evaluate", assets(*EVALUATE), tags=tags, description="Compare models on identical folds, with intervals."
        ),
        dg.define_asset_job(
            "tune",
            assets("hyperparameters"),
            tags=tags,
            description="Search for an MLP recipe inside the training data.",
        ),
    ]
