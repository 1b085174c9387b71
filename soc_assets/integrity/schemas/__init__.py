"""The schema of every table, said once: its columns, their types, meaning and rules.

From it are made the Parquet schema of the batches (`embedding.parquet`), the columns and comments of the database
(`features.sql.tables`), the check of the samples (`ingest.quality.sample_schema`), the types of the catalog
(`ingest.catalog.scan`) and what the UI shows (`defs.ui.tables`). Put a column here; what a library makes of it belongs
into these modules.
"""

from soc_assets.integrity.schemas.changes import MAP_CHANGES
from soc_assets.integrity.schemas.columns import SPLITS, Column, Table, pandas_type
from soc_assets.integrity.schemas.embeddings import EMBEDDINGS, FEATURES
from soc_assets.integrity.schemas.maps import MAP_AT_SAMPLES, MAPS
from soc_assets.integrity.schemas.rasters import GAPS, RASTERS
from soc_assets.integrity.schemas.results import (
    EVALUATION,
    HIGHEST_VALUES,
    LEARNING_CURVE,
    MODEL_PREDICTIONS,
    NETWORK_CHOICES,
    OUT_OF_FOLD,
    RUNS,
    SOURCE_OFFSETS,
)
from soc_assets.integrity.schemas.samples import BALANCED, EXCLUDED, FOLDS, LEDGER, REJECTED, SOIL_SAMPLES
from soc_assets.integrity.schemas.zones import MAP_ZONES

__all__ = ["EMBEDDINGS", "FEATURES", "RASTERS", "SOIL_SAMPLES", "SPLITS", "TABLES", "Column", "Table", "pandas_type"]

TABLES = {
    "soil_samples": SOIL_SAMPLES,
    "balanced": BALANCED,
    "ledger": LEDGER,
    "folds": FOLDS,
    "rejected": REJECTED,
    "excluded": EXCLUDED,
    "rasters": RASTERS,
    "gaps": GAPS,
    "model_predictions": MODEL_PREDICTIONS,
    "out_of_fold": OUT_OF_FOLD,
    "evaluation": EVALUATION,
    "learning_curve": LEARNING_CURVE,
    "source_offsets": SOURCE_OFFSETS,
    "highest_values": HIGHEST_VALUES,
    "network_choices": NETWORK_CHOICES,
    "runs": RUNS,
    "maps": MAPS,
    "map_at_samples": MAP_AT_SAMPLES,
    "map_zones": MAP_ZONES,
    "map_changes": MAP_CHANGES,
}
"""The Parquet files that the database shows, by the name that it knows them by; a path with * stands for several."""
