"""The main job in three, chained by `soc run` or sensors: partitions registered in a run do not exist for that run."""

from typing import Any

import dagster as dg

from soc_assets.pipeline.assets import assets_of
from soc_assets.settings import Automation


def limits(automation: Automation) -> dict[str, str]:
    """Tags by which the daemon ends a run that takes too long, and retries one whose process died."""
    return {
        "dagster/max_runtime": str(round(automation.max_runtime_hours * 3600)),
        "dagster/max_retries": str(automation.max_retries),
    }


def build_jobs(automation: Automation) -> list[Any]:
    """`prepare`, `embed` and `learn`, the main job; the others are made on request."""
    tags = limits(automation)
    assets = dg.AssetSelection.assets
    return [
        dg.define_asset_job(
            "prepare",
            assets(*assets_of("prepare")),
            tags=tags,
            description="Catalog rasters, read soil tables, split and batch.",
        ),
        dg.define_asset_job("embed", assets(*assets_of("embed")), tags=tags, description="Embed batches of samples."),
        dg.define_asset_job(
            "learn", assets(*assets_of("learn")), tags=tags, description="Build the database and train the model."
        ),
        dg.define_asset_job(
            "evaluate",
            assets(*assets_of("evaluate")),
            tags=tags,
            description="Compare models on identical folds, with intervals.",
        ),
        dg.define_asset_job(
            "tune",
            assets(*assets_of("tune")),
            tags=tags,
            description="Search for an MLP recipe inside the training data.",
        ),
        dg.define_asset_job(
            "compare_encoders",
            assets(*assets_of("compare_encoders")),
            tags=tags,
            description="Compare encoders on identical folds: does pre-training help?",
        ),
        dg.define_asset_job(
            "pretrain",
            assets(*assets_of("pretrain")),
            tags=tags,
            description="Pre-train an encoder on windows of the rasters, without labels.",
        ),
        dg.define_asset_job("map", assets(*assets_of("map")), tags=tags, description="Predict tiles of maps."),
        dg.define_asset_job(
            "assemble", assets(*assets_of("assemble")), tags=tags, description="Assemble maps from their tiles."
        ),
        dg.define_asset_job(
            "compare", assets(*assets_of("compare")), tags=tags, description="Map changes between two periods."
        ),
    ]
