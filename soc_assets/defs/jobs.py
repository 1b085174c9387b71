"""The main job in three, chained by `soc run`: partitions registered in a run do not exist for that run."""

import dagster as dg

from soc_assets.defs.partitions import BATCH

PREPARE = ("raster_catalog", "soil_samples", "balanced_samples")
LEARN = ("features", "mlp_model")

prepare = dg.define_asset_job(
    "prepare", dg.AssetSelection.assets(*PREPARE), description="Catalog rasters, read soil tables, split and batch."
)
embed = dg.define_asset_job(
    "embed", dg.AssetSelection.assets("embeddings"), partitions_def=BATCH, description="Embed batches of samples."
)
learn = dg.define_asset_job(
    "learn", dg.AssetSelection.assets(*LEARN), description="Build the database and train the model."
)
