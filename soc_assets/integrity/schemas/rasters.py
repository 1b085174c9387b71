"""The catalog of rasters, and the steps that it lacks."""

from soc_assets.integrity.schemas.columns import BAND, Column, Table

RASTERS = Table(
    "catalog/rasters.parquet",
    "usable rasters: one row per file and step",
    (
        BAND,
        Column("kind", "string", "static, yearly or seasonal", nullable=False),
        Column("year", "int32", "null for static bands"),
        Column("season", "string", "null but for seasonal bands"),
        Column("path", "string", "file; from the folder of soc.toml where it lies in it", nullable=False),
        Column("tile", "string", "where a step is cut into tiles"),
        Column("layer", "int64", "band of the file, from 1", nullable=False),
        Column("crs", "string", "coordinate reference system", nullable=False),
        Column("transform", "list<float64>", "affine transform, six numbers", nullable=False),
        Column("shape", "list<int64>", "rows and columns", nullable=False),
        Column("height", "int64", "rows", nullable=False),
        Column("width", "int64", "columns", nullable=False),
        Column("dtype", "string", "type of the stored numbers", nullable=False),
        Column("nodata", "float64", "value that stands for none"),
        Column("bounds", "list<float64>", "west, south, east, north in the units of the CRS", nullable=False),
        Column("valid_share", "float64", "share of pixels with a value"),
        Column("mean", "float64", "of the valid pixels"),
        Column("std", "float64", "standard deviation of the valid pixels"),
        Column("min", "float64", "of the valid pixels"),
        Column("max", "float64", "of the valid pixels"),
        Column("valid_count", "int64", "pixels with a value", nullable=False),
        Column("digest", "string", "of the file's bytes and of how they are read", nullable=False),
        Column("size", "int64", "bytes of the file", nullable=False),
        Column("mtime_ns", "int64", "time of the file's last change, nanoseconds since 1970", nullable=False),
        Column(
            "stamp",
            "string",
            "digest of size, times and inode of the files: by which a change is noticed",
            nullable=False,
        ),
        Column("reading", "string", "settings that decide how the file is read, JSON", nullable=False),
        Column("unit", "string", "of the values, by the tags of the file"),
        Column("label", "string", "name for people, by the tags of the file"),
    ),
)
GAPS = Table(
    "catalog/gaps.parquet",
    "steps that samples of the study read and that have no raster",
    (
        BAND,
        Column("year", "int32", "of the step"),
        Column("season", "string", "null for yearly bands"),
    ),
)
