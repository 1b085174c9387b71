"""The STAC collection of all maps of a project: `data/maps/collection.json`, brought up to date as maps come and go.

It is made from the items that are there. Two processes that bring it up to date at once leave the right one: each looks
again after it has written.
"""

import json
from pathlib import Path
from typing import Any

from soc_assets.mapping.documents.stac_item import COLLECTION, ID, NAME
from soc_assets.storage import files

_WORDS = (
    "Organic carbon of the topsoil (g/kg) predicted at every cell from rasters, with prediction intervals and the area "
    "of applicability of the model. One item per model and year or season, and per change between two of them. "
    "Predictions, not measurements: the card of each says what it is not good for. No licence is stated: whoever "
    "publishes the maps chooses one."
)
_KEYWORDS = ["soil", "soil organic carbon", "prediction interval", "area of applicability"]


def update_collection(maps: Path) -> Path | None:
    """Bring the collection up to date with the items below it.

    Args:
        maps: the folder of all maps.

    Returns:
        The file; None where there is no map, and so no collection.

    Raises:
        StorageError: the disk is full or read-only.
    """
    path = maps / COLLECTION
    while True:
        items = _items(maps)
        wanted = _collection(items) if items else None
        there = path.read_text(encoding="utf-8") if path.is_file() else None
        if wanted == there:
            return path if items else None
        if wanted is None:
            files.remove(path)
        else:
            files.write_text(path, wanted)


def _items(maps: Path) -> dict[str, dict[str, Any]]:
    """The items of whole maps by their place; one that is damaged is left out."""
    found = {}
    for path in sorted(maps.glob(f"[!.]*/[!.]*/{NAME}")):
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
            if len(item["bbox"]) == 4 and any((path.parent / name).is_file() for name in ("map.json", "change.json")):
                found[f"./{path.relative_to(maps).as_posix()}"] = item
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _collection(items: dict[str, dict[str, Any]]) -> str:
    import pystac

    properties = [item["properties"] for item in items.values()]
    boxes = [item["bbox"] for item in items.values()]
    box = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    ends = [
        pystac.utils.str_to_datetime(pick(each[name] for each in properties))
        for pick, name in ((min, "start_datetime"), (max, "end_datetime"))
    ]
    extent = pystac.Extent(pystac.SpatialExtent([box]), pystac.TemporalExtent([list(ends)]))
    found = pystac.Collection(ID, _WORDS, extent, "Soil organic carbon", license="other", keywords=_KEYWORDS)
    found.clear_links()
    found.add_link(pystac.Link("root", f"./{COLLECTION}", pystac.MediaType.JSON))
    for href, item in items.items():
        found.add_link(pystac.Link("item", href, pystac.MediaType.GEOJSON, item["properties"].get("title")))
    stored = found.to_dict(include_self_link=False, transform_hrefs=False)
    models = {each["soc:model"]["digest"]: each["soc:model"] for each in properties}
    periods = sorted({each["soc:period"] for each in properties})
    stored["summaries"] = {"soc:period": periods, "soc:model": list(models.values())}
    return json.dumps(stored, indent=2) + "\n"
