"""A batch as a STAC item: where and when its samples are, its Parquet file, and the rasters that it was made from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding.batch import Batch, read_facts
from soc_assets.embedding.spec import Spec
from soc_assets.exporting.stac import fields
from soc_assets.geo.grid import Grid
from soc_assets.integrity.schemas import EMBEDDINGS
from soc_assets.storage import digest
from soc_assets.storage.access import source

_SHA256 = "1220"  # multihash: the code of sha2-256, and its 32 bytes


def make_item(batch: Batch, spec: Spec, grid: Grid, path: Path, collection: str, int8: bool) -> dict[str, Any]:
    """The item of a batch.

    Args:
        batch: its samples, and the digest of the rasters that their windows read.
        spec: the frozen spec.
        grid: the reference grid.
        path: its file in the folder that is published.
        collection: id.
        int8: whether the file's vectors are int8.
    """
    import pystac

    stored, samples = read_facts(path), batch.samples
    start, end = span_of(samples)
    item = pystac.Item(
        id=f"{spec.digest}_{batch.key}",
        geometry=_outline(samples),
        bbox=_box(samples),
        datetime=None if start else datetime.fromisoformat(spec.created),
        start_datetime=start,
        end_datetime=end,
        properties=_properties(batch, spec, grid, stored, int8),
        collection=collection,
        stac_extensions=[fields.EMBEDDINGS, fields.FILE, fields.PROJECTION, fields.TABLE],
    )
    item.add_asset("embeddings", _asset(path, spec, grid, int8))
    item.clear_links()
    for rel in ("root", "parent", "collection"):
        item.add_link(pystac.Link(rel, f"./{fields.COLLECTION}", pystac.MediaType.JSON))
    item.add_link(pystac.Link("emb:source-data", f"./{fields.SOURCES}", pystac.MediaType.JSON, "the rasters"))
    return {**item.to_dict(include_self_link=False, transform_hrefs=False), "stac_version": fields.STAC_VERSION}


def span_of(samples: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    """First and last second of the days, or years, on which the samples were taken; None where nothing is dated."""
    dates = pd.to_datetime(samples["survey_date"]).dt.normalize()
    years = samples.loc[dates.isna(), "year"].dropna().astype(int).unique().tolist()
    first = [*dates.dropna().tolist(), *(pd.Timestamp(year, 1, 1) for year in years)]
    last = [*dates.dropna().tolist(), *(pd.Timestamp(year, 12, 31) for year in years)]
    if not first:
        return None, None
    start, end = min(first), max(last) + timedelta(days=1, seconds=-1)
    return start.to_pydatetime().replace(tzinfo=UTC), end.to_pydatetime().replace(tzinfo=UTC)


def checksum(path: Path) -> dict[str, Any]:
    """`file:size` and `file:checksum` (a multihash) of a file."""
    return {"file:size": path.stat().st_size, "file:checksum": _SHA256 + digest.of_file(path, 64)}


def _properties(batch: Batch, spec: Spec, grid: Grid, stored: Mapping[str, str], int8: bool) -> dict[str, Any]:
    undated = int((batch.samples["survey_date"].isna() & batch.samples["year"].isna()).sum())
    return {
        "title": f"{batch.key}: {len(batch.samples)} samples, {fields.weights_in_words(spec)}",
        "emb:runtime_parameters": fields.run_parameters(spec),
        "emb:quantization": fields.quantization(spec, int8),
        **fields.grid_fields(grid),
        "table:row_count": len(batch.samples),
        "table:primary_geometry": "geometry",
        "soc:batch": batch.key,
        "soc:inputs": batch.inputs,
        "soc:rasters": {key: content for key, content in batch.rasters.items() if content},
        "soc:missing_rasters": [key for key, content in batch.rasters.items() if not content],
        "soc:missing_images": int(stored["soc.missing_images"]),
        "soc:weights_sha256": stored["soc.weights_sha256"],
        "soc:software": f"soc_assets {stored['soc.version']}",
        **({"soc:undated_samples": undated} if undated else {}),
    }


def _asset(path: Path, spec: Spec, grid: Grid, int8: bool) -> Any:
    """The Parquet file, whose own coordinates are degrees (WGS84), whatever the grid of the windows is."""
    import pystac

    more = {
        **checksum(path),
        "data_type": fields.data_type_of(spec, int8),
        "proj:code": "EPSG:4326",
        **({"proj:wkt2": None} if "proj:wkt2" in fields.grid_fields(grid) else {}),
        "table:columns": _columns(pq.read_schema(source(path))),
    }
    title = f"{'int8 e' if int8 else 'E'}mbeddings, one row per sample, GeoParquet"
    return pystac.Asset(f"./{path.name}", title, media_type=fields.PARQUET, roles=["data"], extra_fields=more)


def _columns(schema: pa.Schema) -> list[dict[str, str]]:
    known = {column.name: column.description for column in EMBEDDINGS}
    found = []
    for field in schema:
        told = (field.metadata or {}).get(b"comment", b"").decode() or known.get(field.name, "")
        found.append({"name": field.name, "type": str(field.type), **({"description": told} if told else {})})
    return found


def _box(samples: pd.DataFrame) -> list[float]:
    places = samples[["longitude", "latitude"]]
    return [*places.min().astype(float).tolist(), *places.max().astype(float).tolist()]


def _outline(samples: pd.DataFrame) -> dict[str, Any]:
    """The convex hull of the places, counterclockwise; a point or a line where there are one or two."""
    from shapely import MultiPoint
    from shapely.geometry import Polygon, mapping
    from shapely.geometry.polygon import orient

    hull = MultiPoint(samples[["longitude", "latitude"]].to_numpy(float)).convex_hull
    return mapping(orient(hull) if isinstance(hull, Polygon) else hull)
