"""The batches' Parquet files, and the view `features` that is made of them."""

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
    Table,
)

_IMAGES = "list<list<float32>>"
EMBEDDINGS = Table(
    "",
    "one row per embedded sample: the columns of the batches' Parquet files",
    (
        LONGITUDE,
        LATITUDE,
        Column("organic_carbon", "float64", "g/kg"),
        Column("elevation_embedding", _IMAGES, "tokens x width: the reference band"),
        Column(
            "channel_time_embeddings",
            f"map<string, {_IMAGES}>",
            "per band and year (LAI_2012), most recent first: tokens x width, null where the raster is missing",
        ),
        Column("static_embeddings", f"map<string, {_IMAGES}>", "per further static band: tokens x width"),
        Column("sample_id", "string", "unique"),
        Column("location_id", "string", "samples that share a place"),
        YEAR,
        Column("season", "string", "of sampling; a winter has the year of its January"),
        Column("source", "string", "of the sample: LUCAS, LfU, LfL, ..."),
        Column("batch", "string", "partition"),
        Column("valid_fraction", "map<string, float32>", "valid pixels per key"),
        Column(
            "point_values",
            "map<string, list<float32>>",
            "normalised values at the sample per key: the pixel, and means over 3x3, 9x9, 25x25 pixels",
        ),
        Column("geometry", "binary", "WKB point"),
        Column(
            "bbox",
            "struct<xmin: float64, ymin: float64, xmax: float64, ymax: float64>",
            "the same point, for readers that filter by rectangles",
        ),
    ),
)
"""One such file per batch; the columns and their order are the contract of the platform (docs/files.md)."""
FEATURES = Table(
    "",
    "the flattened feature vector of each studied sample that is embedded, with its split",
    (
        SAMPLE_ID,
        LOCATION,
        SPLIT,
        MULTIPLICITY,
        WEIGHT,
        LONGITUDE,
        LATITUDE,
        YEAR,
        CARBON,
        Column("missing_images", "int64", "images that are missing"),
        Column("features", "list<float32>", "the vector; feature_index says what stands where"),
    ),
)
