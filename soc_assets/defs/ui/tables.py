"""What the UI says of every table: its owner, its columns with their meaning, and which columns they come from.

A lineage is given only where a column follows from named columns of another asset; rasters and soil files are none.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from soc_assets.defs.names import Names
from soc_assets.integrity.schemas import BALANCED, EMBEDDINGS, FEATURES, RASTERS, SOIL_SAMPLES

OWNERS = ["team:soil-carbon"]
_TABLES = {
    "raster_catalog": RASTERS,
    "soil_samples": SOIL_SAMPLES,
    "balanced_samples": BALANCED,
    "embeddings": EMBEDDINGS,
    "features": FEATURES,
}
_IMAGES = ("elevation_embedding", "channel_time_embeddings", "static_embeddings")
_SOIL = ("longitude", "latitude", "organic_carbon", "sample_id", "year", "season", "source")


def schema(asset: str) -> dg.TableSchema:
    """The columns of an asset's table."""
    return dg.TableSchema([dg.TableColumn(column.name, column.type, column.description) for column in _TABLES[asset]])


def about(asset: str) -> dict[str, dg.TableSchema]:
    """Metadata of an asset's definition."""
    return {"dagster/column_schema": schema(asset)}


def lineage(asset: str, names: Names) -> dict[str, dg.TableColumnLineage]:
    """Metadata of an asset's materialisation: which columns its columns follow from."""

    def of(asset: str, *columns: str) -> list[dg.TableColumnDep]:
        return [dg.TableColumnDep(asset_key=names.key(asset), column_name=name) for name in columns]

    place, study = of("soil_samples", "longitude", "latitude"), of("soil_samples", "organic_carbon")
    read = [*place, *of("soil_samples", "year"), *of("raster_catalog", "path", "mean", "std")]
    vectors = of("embeddings", *_IMAGES)
    columns: dict[str, Mapping[str, Sequence[dg.TableColumnDep]]] = {
        "balanced_samples": {
            "sample_id": of("soil_samples", "sample_id"),
            **dict.fromkeys(("location_id", "split"), place),
            **dict.fromkeys(("bin", "multiplicity", "weight"), study),
        },
        "embeddings": {
            **{name: of("soil_samples", name) for name in _SOIL},
            "location_id": of("balanced_samples", "location_id"),
            **dict.fromkeys((*_IMAGES, "valid_fraction", "point_values"), read),
            **dict.fromkeys(("geometry", "bbox"), place),
        },
        "features": {
            **{name: of("embeddings", name) for name in ("sample_id", "longitude", "latitude", "year")},
            "organic_carbon": of("embeddings", "organic_carbon"),
            **{name: of("balanced_samples", name) for name in ("location_id", "split", "multiplicity", "weight")},
            **dict.fromkeys(("missing_images", "features"), vectors),
        },
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(columns[asset])}
