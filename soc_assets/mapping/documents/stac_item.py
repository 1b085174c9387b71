"""A map, or a change between two, as a STAC item (version 1.1, the core alone: it can be validated without a network).

Links and assets are relative, so that the folder of maps can be copied anywhere. What the core has no name for (model,
scores, source rasters) stands under names that begin with `soc:`.
"""

import calendar
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.transform import Affine

from soc_assets.geo.grid import WGS84, Grid, crs_of_text, move
from soc_assets.mapping.documents.card import NAME as CARD
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.read_layer import open_layer
from soc_assets.settings.seasons import SEASONS
from soc_assets.storage import digest

NAME = "item.json"
COLLECTION = "collection.json"
ID = "soil-organic-carbon"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_BESIDE = {
    ".json": ("application/json", "what made it, its statistics"),
    ".parquet": ("application/vnd.apache.parquet", "the same as one row"),
}
_EDGE = 16  # parts of an edge of the footprint, which is curved in degrees


def make_item(folder: Path, facts: Mapping[str, Any], evidence: Evidence) -> str:
    """The item of a map, or of a change, JSON.

    Args:
        folder: with its files.
        facts: map.json, or change.json.
        evidence: what is known of its model.
    """
    import pystac

    west, south, east, north, outline = _footprint(facts["grid"])
    kind = "change" if "change" in facts else "map"
    ends = [Period.of(facts[name]) for name in (("before", "after") if kind == "change" else ("period", "period"))]
    start, end = span_of(ends[0])[0], span_of(ends[1])[1]
    own = _of_change(facts) if kind == "change" else _of_map(facts)
    item = pystac.Item(
        id=f"{facts['model_digest']}_{'change_' if kind == 'change' else ''}{own['soc:period']}",
        geometry={"type": "Polygon", "coordinates": [outline]},
        bbox=[west, south, east, north],
        datetime=None,
        start_datetime=start,
        end_datetime=end,
        properties=own | _properties(facts, evidence),
        collection=ID,
    )
    for name, path in facts["files"].items():
        item.add_asset(name, _layer(folder / path, facts))
    beside = {kind + suffix: told for suffix, told in _BESIDE.items()}
    beside[CARD] = ("text/markdown", "what it is, and what it is not good for")
    for path, (media_type, title) in beside.items():
        asset = pystac.Asset(f"./{path}", title, media_type=media_type, roles=["metadata"])
        item.add_asset(path.replace(".", "_"), asset)
    item.clear_links()
    for rel in ("root", "parent", "collection"):
        item.add_link(pystac.Link(rel, f"../../{COLLECTION}", pystac.MediaType.JSON))
    for period in ends if kind == "change" else ():
        if (folder.parent / str(period) / NAME).is_file():
            item.add_link(pystac.Link("derived_from", f"../{period}/{NAME}", pystac.MediaType.GEOJSON))
    return json.dumps(item.to_dict(include_self_link=False, transform_hrefs=False), indent=2) + "\n"


def span_of(period: Period) -> tuple[datetime, datetime]:
    """First and last second of a year, or of a season; a winter begins in the December before its year."""
    first = datetime(period.year, 1, 1, tzinfo=UTC)
    last = datetime(period.year, 12, 31, tzinfo=UTC)
    if period.season:
        number = 3 * SEASONS.index(period.season)
        first = datetime(period.year, number, 1, tzinfo=UTC) if number else datetime(period.year - 1, 12, 1, tzinfo=UTC)
        month = number + 2
        last = datetime(period.year, month, calendar.monthrange(period.year, month)[1], tzinfo=UTC)
    return first, last + timedelta(days=1, seconds=-1)


def _of_map(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": f"Soil organic carbon, {facts['period'].replace('_', ' ')}",
        "description": "Organic carbon of the topsoil predicted from rasters, with its interval and area of "
        f"applicability. Read {CARD} for what it is not good for.",
        "soc:period": facts["period"],
        "soc:level": facts.get("level"),
        "soc:rasters": facts.get("rasters", []),
        "soc:missing_rasters": facts["missing_rasters"],
    }


def _of_change(facts: Mapping[str, Any]) -> dict[str, Any]:
    counts, classes = facts["beyond_uncertainty"], facts["beyond_uncertainty_classes"]
    return {
        "title": f"Change of predicted soil organic carbon, {facts['before']} to {facts['after']}".replace("_", " "),
        "description": facts["caution"],
        "soc:period": facts["change"],
        "soc:level": facts["level"] if facts["members"] else None,
        "soc:members": facts["members"],
        "soc:beyond_uncertainty": _classes(counts, classes),
    }


def _classes(counts: Mapping[str, int], words: Mapping[str, str]) -> list[dict[str, Any]]:
    total = max(sum(counts.values()), 1)
    return [
        {"value": int(n), "meaning": words[n], "cells": cells, "share": round(cells / total, 6)}
        for n, cells in counts.items()
    ]


def _properties(facts: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    """What maps and changes have in common."""
    grid = facts["grid"]
    model = {name: facts[name] for name in ("version", "uri", "recipe", "features", "weights", "spec")}
    return {
        "created": facts["made"],
        "soc:model": {"name": facts["model"], **model, "digest": facts["model_digest"]},
        "soc:digest": facts["digest"],
        "soc:software": facts["software"],
        "soc:grid": {name: grid[name] for name in ("crs", "transform", "width", "height", "step")},
        "soc:statistics": facts["statistics"],
        "soc:quality": _classes(facts["counts"], facts["classes"]),
        "soc:samples": evidence.samples_as_json(),
        "soc:scores": evidence.scores_as_json(),
    }


def _layer(path: Path, facts: Mapping[str, Any]) -> Any:
    """The asset of a layer, with what the file itself says of its band."""
    import pystac

    name = path.stem
    with open_layer(path) as dataset:
        band: dict[str, Any] = {"name": name, "description": dataset.descriptions[0], "data_type": dataset.dtypes[0]}
        band |= {"nodata": dataset.nodata, "unit": dataset.units[0]}
        scale = dataset.scales[0]
    own = facts["statistics"].get(name, {})
    names = {"minimum": "min", "maximum": "max", "mean": "mean", "stddev": "std", "count": "count"}
    band["statistics"] = {key: own[each] for key, each in names.items() if each in own}
    band = {key: value for key, value in band.items() if value not in (None, "", {})}
    more: dict[str, Any] = {"bands": [band], "soc:sha256": digest.of_file(path, 64)}
    if scale != 1:
        more["soc:scale"] = scale
    return pystac.Asset(
        f"./{path.name}", band.get("description", name), media_type=_COG, roles=["data"], extra_fields=more
    )


def _footprint(facts: Mapping[str, Any]) -> tuple[float, float, float, float, list[list[float]]]:
    """West, south, east and north in degrees, and the outline [longitude, latitude], counterclockwise."""
    grid = Grid(crs_of_text(facts["crs"]), Affine(*facts["transform"]), facts["width"], facts["height"])
    t = np.linspace(0, 1, _EDGE, endpoint=False)
    columns = np.concatenate([0 * t, t, 1 + 0 * t, 1 - t, [0]]) * grid.width
    rows = np.concatenate([t, 1 + 0 * t, 1 - t, 0 * t, [0]]) * grid.height
    a, b, c, d, e, f = grid.transform[:6]
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    longitude, latitude = (x, y) if grid.crs == WGS84 else move(grid.crs, WGS84, x, y)
    if not (np.isfinite(longitude) & np.isfinite(latitude)).all():  # beyond the edge of the projection
        longitude, latitude = np.array([-180, 180, 180, -180, -180]), np.array([-90, -90, 90, 90, -90])
    outline = [[round(float(x), 7), round(float(y), 7)] for x, y in zip(longitude, latitude, strict=True)]
    (west, south), (east, north) = np.min(outline, axis=0).tolist(), np.max(outline, axis=0).tolist()
    return west, south, east, north, outline
