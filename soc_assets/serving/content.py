"""What the page is made of, as JSON: maps, layers, legends, rasters and the figures above them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.mapping.change.classes import LESS, MORE, WITHIN
from soc_assets.mapping.documents.card import NAME as CARD
from soc_assets.mapping.quality_classes import INSIDE, OUTSIDE, UNKNOWN
from soc_assets.rasters.reading import read_decimated
from soc_assets.serving import colours
from soc_assets.serving.layers import CLASSES_OF, LAYERS, Layer, layers_of, spans
from soc_assets.serving.maps import MapFolder, opened
from soc_assets.serving.rasters import RAMP, RasterLayer
from soc_assets.serving.samples import Samples

_LOOKED_AT = 1024
_STOPS = 33  # colours of a legend


def legend(layer: Layer) -> dict[str, Any]:
    """A layer and its legend."""
    facts = {"key": layer.key, "title": layer.title, "unit": layer.unit, "about": layer.about}
    if layer.ramp is None:
        words, colours_of = CLASSES_OF[layer.key]
        return facts | {"classes": [{"label": t, "colour": c} for t, c in zip(words.values(), colours_of, strict=True)]}
    return facts | {"colours": ramp(layer.ramp)}


def ramp(name: str) -> list[str]:
    """Colours of a ramp from its lowest value to its highest."""
    return [f"#{bytes(row.tolist()).hex()}" for row in colours.ramp(name, _STOPS)]


def models(maps: Iterable[MapFolder]) -> list[dict[str, Any]]:
    """The models with their maps and changes, newest first; a model of which there are only changes is left out."""
    by_model: dict[str, list[MapFolder]] = {}
    for each in maps:
        by_model.setdefault(each.model, []).append(each)
    return [_model(model, own) for model, own in by_model.items() if not own[0].is_change]


def _model(model: str, maps: list[MapFolder]) -> dict[str, Any]:
    first, boxes = maps[0], np.array([each.bounds for each in maps])
    known = {key: str(first.facts[key]) for key in ("recipe", "weights", "spec") if first.facts.get(key)}
    return {
        "id": model,
        "title": first.title,
        "facts": known,
        "bounds": [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()],
        "spans": {key: list(span) for key, span in spans(maps).items()},
        "periods": [_period(each) for each in maps if not each.is_change],
        "changes": [_period(each) for each in maps if each.is_change],
    }


def _period(found: MapFolder) -> dict[str, Any]:
    return {
        "id": found.period,
        "label": found.label,
        "stamp": found.stamp,
        "layers": [layer.key for layer in layers_of(found)],
        "figures": figures(found),
        "card": (found.folder / CARD).is_file(),
        "counts": {"quality": found.facts.get("counts", {})}
        | {"beyond_uncertainty": found.facts.get("beyond_uncertainty", {})},
        "main": found.names[0],
        "level": found.facts.get("level"),
    }


def card(found: MapFolder) -> str | None:
    """The card of a map; None where it has none, as those of earlier versions."""
    try:
        return (found.folder / CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def figures(found: MapFolder) -> dict[str, float | None]:
    """The figures of a map for its head, those of map.json or else of its overviews.

    Returns:
        mean, low and high (between which 9 of 10 cells lie), g/kg, applicable: the share of the cells with a value
        that lie inside the area of applicability, None where it is not known, and beyond: the share of them whose
        change is more than the uncertainty, None where that is not known.
    """
    facts = found.facts.get("statistics", {}).get(found.names[0], {})
    shares = facts.get("quantiles", {})
    if facts.get("count") and {"0.05", "0.95"} <= set(shares):
        known = {"mean": facts["mean"], "low": shares["0.05"], "high": shares["0.95"]}
    else:
        known = _looked_up(found)
    known["applicable"] = _applicable(found.facts.get("counts", {}), facts.get("count"))
    return known | {"beyond": _beyond(found.facts.get("beyond_uncertainty", {}))}


def _looked_up(found: MapFolder) -> dict[str, float | None]:
    with opened(found.raster(found.names[0])) as dataset:
        values = read_decimated(dataset, _LOOKED_AT)
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("mean", "low", "high"))
    low, high = np.percentile(known, (5, 95)).tolist()
    return {"mean": float(known.mean()), "low": low, "high": high}


def _applicable(counts: Mapping[str, int], with_value: int | None) -> float | None:
    inside, outside, unknown = (counts.get(str(number), 0) for number in (INSIDE, OUTSIDE, UNKNOWN))
    total = with_value or inside + outside + unknown
    return None if total <= unknown else inside / total


def _beyond(counts: Mapping[str, int]) -> float | None:
    found = {number: counts.get(str(number), 0) for number in (WITHIN, LESS, MORE)}
    total = sum(found.values())
    return (found[LESS] + found[MORE]) / total if total else None


def rasters(layers: Iterable[RasterLayer]) -> list[dict[str, Any]]:
    """The bands of the catalog with their labels, units and steps."""
    found: dict[str, dict[str, Any]] = {}
    for layer in layers:
        facts: dict[str, Any] = {"title": layer.name.label, "unit": layer.name.unit, "span": list(layer.span)}
        facts |= {"colours": ramp(RAMP), "steps": []}
        found.setdefault(layer.band.name, facts)["steps"].append({"key": layer.key, "label": layer.label})
    return list(found.values())


def samples(of: Samples) -> dict[str, Any]:
    """The samples by column; numbers that are missing are null."""
    table = of.table
    columns = {
        "id": table["sample_id"].astype(str).tolist(),
        "longitude": table["longitude"].round(6).tolist(),
        "latitude": table["latitude"].round(6).tolist(),
        "value": numbers(table["organic_carbon"]),
        "residual": numbers(table["residual"]),
        "year": numbers(table["year"], 0),
        "source": texts(table["source"]),
        "split": texts(table["split"]),
    }
    return {
        "columns": columns,
        "residual_of": of.residual,
        "residual_colours": ramp("residual"),
        "residual_span": _largest(table["residual"]),
    }


def numbers(column: Iterable[Any], digits: int = 3) -> list[float | None]:
    """Numbers for JSON, which knows no NaN; None where there is none."""
    return [None if pd.isna(value) else round(float(value), digits) for value in column]


def texts(column: Any) -> list[str | None]:
    """Texts for JSON."""
    return [value if isinstance(value, str) else None for value in column]


def _largest(residual: Any) -> float:
    """The residual at which the ramp ends: 95 % are smaller."""
    known = np.abs(residual.to_numpy(float))
    known = known[np.isfinite(known)]
    return float(max(np.percentile(known, 95), 1e-6)) if len(known) else 1.0


def layers() -> list[dict[str, Any]]:
    """All layers with their legends."""
    return [legend(layer) for layer in LAYERS.values()]
