"""What the UI says of every table: its owner, its columns with their meaning, and which columns they come from.

A lineage is given only where a column follows from named columns of another asset; rasters and soil files are none.
"""

from collections.abc import Mapping, Sequence

import dagster as dg
import pyarrow as pa

from soc_assets.embedding.parquet import SCHEMA

OWNERS = ["team:soil-carbon"]
_WORDS = {"large_string": "string", "double": "float64", "float": "float32"}

_CATALOG = {
    "band": ("string", "raster variable, as in [rasters] bands"),
    "kind": ("string", "static, yearly or seasonal"),
    "year": ("int32", "of the step; null if static"),
    "season": ("string", "of the step; a winter has the year of its January; null unless seasonal"),
    "path": ("string", "file; from the folder of soc.toml where it lies in it"),
    "tile": ("string", "name of the tile where several files make one raster"),
    "layer": ("int64", "band of the file, from 1"),
    "crs": ("string", "coordinate reference system"),
    "transform": ("list<float64>", "affine transform, six numbers (a, b, c, d, e, f), in units of the CRS"),
    "shape": ("list<int64>", "rows and columns, pixels"),
    "height": ("int64", "rows, pixels"),
    "width": ("int64", "columns, pixels"),
    "dtype": ("string", "type of the stored numbers"),
    "nodata": ("float64", "the file's number for no data"),
    "bounds": ("list<float64>", "west, south, east, north, in units of the CRS"),
    "valid_share": ("float64", "share of pixels with a value"),
    "mean": ("float64", "of the valid pixels, in the band's unit"),
    "std": ("float64", "of the valid pixels, in the band's unit"),
    "min": ("float64", "of the valid pixels, in the band's unit"),
    "max": ("float64", "of the valid pixels, in the band's unit"),
    "valid_count": ("int64", "valid pixels"),
    "digest": ("string", "of the file's bytes: what decides whether a batch is stale"),
    "size": ("int64", "bytes"),
    "mtime_ns": ("int64", "time of change, nanoseconds since 1970"),
    "stamp": ("string", "digest of size, times and inode of the files: by which a change is noticed"),
    "reading": ("string", "digest of how the file is read; another way of reading reads it again"),
}
_SAMPLES = {
    "sample_id": ("string", "unique; made from place, date, source and value where a table has no ids"),
    "longitude": ("float64", "WGS84 degrees"),
    "latitude": ("float64", "WGS84 degrees"),
    "organic_carbon": ("float64", "g/kg"),
    "survey_date": ("timestamp", "of sampling, where it is known to the day"),
    "year": ("int32", "of sampling"),
    "season": ("string", "of sampling; null unless a band is seasonal"),
    "season_year": ("int32", "year of the season: a December belongs to the next winter"),
    "source": ("string", "LUCAS, LfU, LfL, or as [[soil.tables]] says"),
    "file": ("string", "soil table"),
    "row": ("int64", "of the soil table"),
    "own_id": ("string", "that the soil table gives it; empty where it gives none"),
    "horizons": ("int32", "how many horizons of a profile the value is made of; 1 where the row states the depth"),
}
_BALANCED = {
    "sample_id": ("string", "a sample of the study; unique"),
    "location_id": ("string", "samples that share a place; one location is never in two splits"),
    "split": ("string", "train, validation or test"),
    "bin": ("int32", "bin of organic carbon in the training split; null elsewhere"),
    "multiplicity": ("int32", "how often an epoch visits it (balance = resample); 1 outside the training split"),
    "weight": ("float32", "in the loss (balance = weights); 1 outside the training split"),
}
_FEATURES = {
    "sample_id": ("string", "a studied and embedded sample; unique"),
    "location_id": ("string", "samples that share a place"),
    "split": ("string", "train, validation or test"),
    "multiplicity": ("int32", "how often an epoch visits it"),
    "weight": ("float32", "in the loss"),
    "longitude": ("float64", "WGS84 degrees"),
    "latitude": ("float64", "WGS84 degrees"),
    "year": ("int32", "of sampling"),
    "organic_carbon": ("float64", "g/kg: the target"),
    "missing_images": ("int64", "images without a raster, filled as [features] missing says"),
    "features": ("list<float32>", "the vector; the table feature_index says what stands at each position"),
}
_IMAGES = ("elevation_embedding", "channel_time_embeddings", "static_embeddings")
_SOIL = ("longitude", "latitude", "organic_carbon", "sample_id", "year", "season", "source")


def schema(asset: str) -> dg.TableSchema:
    """The columns of an asset's table."""
    if asset == "embeddings":
        return dg.TableSchema([_column(field) for field in SCHEMA])
    columns = {
        "raster_catalog": _CATALOG,
        "soil_samples": _SAMPLES,
        "balanced_samples": _BALANCED,
        "features": _FEATURES,
    }[asset]
    return dg.TableSchema([dg.TableColumn(name, kind, words) for name, (kind, words) in columns.items()])


def about(asset: str) -> dict[str, dg.TableSchema]:
    """Metadata of an asset's definition."""
    return {"dagster/column_schema": schema(asset)}


def lineage(asset: str) -> dict[str, dg.TableColumnLineage]:
    """Metadata of an asset's materialisation: which columns its columns follow from."""
    place, study = _of("soil_samples", "longitude", "latitude"), _of("soil_samples", "organic_carbon")
    read = [*place, *_of("soil_samples", "year"), *_of("raster_catalog", "path", "mean", "std")]
    vectors = _of("embeddings", *_IMAGES)
    columns: dict[str, Mapping[str, Sequence[dg.TableColumnDep]]] = {
        "balanced_samples": {
            "sample_id": _of("soil_samples", "sample_id"),
            **dict.fromkeys(("location_id", "split"), place),
            **dict.fromkeys(("bin", "multiplicity", "weight"), study),
        },
        "embeddings": {
            **{name: _of("soil_samples", name) for name in _SOIL},
            "location_id": _of("balanced_samples", "location_id"),
            **dict.fromkeys((*_IMAGES, "valid_fraction", "point_values"), read),
            **dict.fromkeys(("geometry", "bbox"), place),
        },
        "features": {
            **{name: _of("embeddings", name) for name in ("sample_id", "longitude", "latitude", "year")},
            "organic_carbon": _of("embeddings", "organic_carbon"),
            **{name: _of("balanced_samples", name) for name in ("location_id", "split", "multiplicity", "weight")},
            **dict.fromkeys(("missing_images", "features"), vectors),
        },
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(columns[asset])}


def _of(asset: str, *columns: str) -> list[dg.TableColumnDep]:
    return [dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=name) for name in columns]


def _column(field: pa.Field) -> dg.TableColumn:
    words = (field.metadata or {}).get(b"comment", b"").decode()
    return dg.TableColumn(field.name, _WORDS.get(str(field.type), str(field.type)), words)
