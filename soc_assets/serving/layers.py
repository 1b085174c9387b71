"""The layers of a map: what each shows, in which colours, and from where to where its colours go."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from soc_assets.mapping.change import classes as change_classes
from soc_assets.mapping.quality_classes import CLASSES, INCOMPLETE, OUTSIDE
from soc_assets.rasters.reading import read_decimated
from soc_assets.serving import colours
from soc_assets.serving.maps import MapFolder, opened
from soc_assets.serving.tiles import Tile, read_tile

_LOOKED_AT = 512  # pixels along the longer edge that decide the range of the colours
_SHARES = (2, 98)  # percentiles at which a ramp begins and ends
Range = tuple[float, float]


@dataclass(frozen=True)
class Layer:
    """A layer of a map.

    Attributes:
        key: in addresses.
        title: for people.
        unit: of its values.
        ramp: one of `colours.RAMPS`, or None for classes, whose colours and words are in `CLASSES_OF`.
        files: rasters of the map that it is made of.
        about: a sentence for people.
    """

    key: str
    title: str
    unit: str
    ramp: str | None
    files: tuple[str, ...]
    about: str


LAYERS = {
    layer.key: layer
    for layer in (
        Layer("organic_carbon", "Organic carbon", "g/kg", "carbon", ("organic_carbon",), "The prediction."),
        Layer("lower", "Lower end", "g/kg", "carbon", ("lower",), "Lower end of the prediction interval."),
        Layer("upper", "Upper end", "g/kg", "carbon", ("upper",), "Upper end of the prediction interval."),
        Layer(
            *("width", "Interval width", "g/kg", "uncertainty", ("lower", "upper")),
            "Upper minus lower end of the prediction interval: the wider, the less is known.",
        ),
        Layer(
            *("dissimilarity", "Dissimilarity", "", "distance", ("dissimilarity",)),
            "How unlike those of the training samples the inputs of a cell are.",
        ),
        Layer(
            *("quality", "Quality", "", None, ("quality",)),
            "Where the model applies, and why cells have no value.",
        ),
        Layer(
            *("change", "Change", "g/kg", "change", ("change",)),
            "The later prediction minus the earlier one: what the model makes of other rasters, not a measured change.",
        ),
        Layer(
            *("change_width", "Interval width", "g/kg", "uncertainty", ("change_lower", "change_upper")),
            "Upper minus lower end of the interval of the change: the wider, the more the model's members disagree.",
        ),
        Layer(
            *("beyond_uncertainty", "More than uncertainty", "", None, ("beyond_uncertainty",)),
            "Whether the interval of the change excludes zero.",
        ),
    )
}
CLASSES_OF = {
    "quality": (CLASSES, colours.CLASSES),
    "beyond_uncertainty": (change_classes.CLASSES, colours.CHANGE_CLASSES),
}
"""Of a layer of classes the words and colours."""
HATCHED = "hatched"
"""The lines over cells to which the model is known not to apply."""


def layers_of(found: MapFolder) -> list[Layer]:
    """Those for which the map has rasters with values."""
    counted = found.facts.get("statistics", {})
    empty = {name for name, facts in counted.items() if facts.get("count") == 0}
    there = {name for name in found.names if found.has(name)} - empty
    return sorted(
        (layer for layer in LAYERS.values() if there.issuperset(layer.files)), key=lambda layer: layer.key == "quality"
    )


def render(found: MapFolder, key: str, tile: Tile, span: Range) -> colours.Picture | None:
    """A layer, or `HATCHED`, in a tile; None where there is nothing.

    Args:
        found: the map.
        key: of the layer.
        tile: where.
        span: values at which its ramp begins and ends.
    """
    if key == HATCHED:
        quality, value = _read(found, "quality", tile), _read(found, found.names[0], tile)
        if quality is None or value is None:
            return None
        return colours.hatching(np.isfinite(value) & np.isin(quality, (OUTSIDE, INCOMPLETE)))
    values = values_of(found, LAYERS[key], tile)
    if values is None:
        return None
    ramp = LAYERS[key].ramp
    return colours.colour(values, ramp, *span) if ramp else colours.classes(values, CLASSES_OF[key][1])


def values_of(found: MapFolder, layer: Layer, tile: Tile) -> np.ndarray | None:
    """Values of a layer in a tile, float32 [height, width], NaN where there is none; None outside the map."""
    parts = [part for name in layer.files if (part := _read(found, name, tile)) is not None]
    return _combined(parts) if len(parts) == len(layer.files) else None


def spans(maps: Iterable[MapFolder]) -> dict[str, Range]:
    """From where to where the ramp of each layer goes, the same for all periods of a model, so that they compare.

    The ends of the interval have the colours of the prediction; zero is in the middle of those of a change.
    """
    listed = list(maps)
    found = {layer.key: _span(layer, listed) for layer in LAYERS.values() if layer.ramp and layer.ramp != "carbon"}
    return found | dict.fromkeys(("organic_carbon", "lower", "upper"), _span(LAYERS["organic_carbon"], listed))


def _read(found: MapFolder, name: str, tile: Tile) -> np.ndarray | None:
    with opened(found.raster(name)) as dataset:
        return read_tile(dataset, tile)


def _span(layer: Layer, maps: list[MapFolder]) -> Range:
    values = [_looked_at(each.folder, layer.files, each.stamp) for each in maps if layer in layers_of(each)]
    known = np.concatenate([part[np.isfinite(part)] for part in values]) if values else np.empty(0)
    if not len(known):
        return 0.0, 1.0
    low, high = np.percentile(known, _SHARES)
    if layer.ramp == "change":
        low, high = -max(-low, high, 1e-6), max(-low, high, 1e-6)
    return float(low), float(max(high, low + 1e-6))


@lru_cache(maxsize=64)
def _looked_at(folder: Path, names: tuple[str, ...], stamp: str) -> np.ndarray:
    """Values of a layer, coarsely; `stamp` is another where the map was made again."""
    parts = []
    for name in names:
        with opened(folder / f"{name}.tif") as dataset:
            parts.append(read_decimated(dataset, _LOOKED_AT))
    return _combined(parts).ravel()


def _combined(parts: list[np.ndarray]) -> np.ndarray:
    """The values of a layer from those of its rasters: the only one's, or how far the second lies above the first."""
    return parts[0] if len(parts) == 1 else parts[1] - parts[0]


def quality_words(number: float) -> str:
    """What a number of quality.tif means."""
    return CLASSES.get(int(number), "outside the map")
