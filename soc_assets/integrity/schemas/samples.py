"""The tables of soil samples and of what sampling makes of them: study, splits, folds, batches."""

from soc_assets.integrity.schemas.columns import (
    CARBON,
    LATITUDE,
    LOCATION,
    LONGITUDE,
    MULTIPLICITY,
    SAMPLE_ID,
    SPLIT,
    WEIGHT,
    YEAR,
    Column,
    Rule,
    Table,
)
from soc_assets.settings.seasons import SEASONS

SOIL_SAMPLES = Table(
    "samples/samples.parquet",
    "usable soil samples",
    (
        SAMPLE_ID,
        LONGITUDE,
        LATITUDE,
        CARBON,
        Column("survey_date", "timestamp", "day of sampling, null where only the year is known"),
        YEAR,
        Column("season", "string", "of sampling: winter, spring, summer or autumn", rule=Rule(values=SEASONS)),
        Column("season_year", "int32", "year of the season; a winter has the year of its January"),
        Column("source", "string", "survey that the sample comes from", nullable=False, rule=Rule()),
        Column("file", "string", "soil table"),
        Column("row", "int64", "row of the soil table"),
        Column("own_id", "string", "id that the soil table gives it; empty where it gives none"),
        Column("horizons", "int32", "how many horizons of a profile the value is made of"),
    ),
)
REJECTED = Table(
    "samples/rejected.parquet",
    "rows of soil tables that are unusable in themselves",
    (
        Column("file", "string", "soil table"),
        Column("row", "int64", "row of the soil table"),
        Column("source", "string", "survey"),
        Column("reason", "string", "why the row is no sample"),
        Column("detail", "string", "the offending value as the file has it"),
    ),
)
BALANCED = Table(
    "samples/balanced.parquet",
    "samples studied, with split and balancing",
    (
        SAMPLE_ID,
        LOCATION,
        SPLIT,
        Column("bin", "int32", "bin of organic carbon by which the training split is balanced"),
        MULTIPLICITY,
        WEIGHT,
    ),
)
EXCLUDED = Table(
    "samples/excluded.parquet",
    "usable samples that the filters of the study leave out",
    (
        SAMPLE_ID,
        Column("filter", "string", "filter of [study]"),
        Column("detail", "string", "the value that it looked at"),
    ),
)
LEDGER = Table(
    "samples/batches.parquet",
    "which batch embeds which sample",
    (
        SAMPLE_ID,
        Column("batch", "string", "key of the batch, batch_0001"),
    ),
)
FOLDS = Table(
    "samples/folds.parquet",
    "parts of the cross-validation schemes, over training and validation samples",
    (
        Column("scheme", "string", "how the parts were cut"),
        SAMPLE_ID,
        Column("fold", "int32", "part, from 0"),
    ),
)
