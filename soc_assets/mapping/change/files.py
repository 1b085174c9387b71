"""Assembling a change from its tiles: Cloud Optimized GeoTIFFs in a folder that appears whole, with change.json."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.errors import MapError
from soc_assets.integrity.schemas.changes import CHANGE_CELLS, MAP_CHANGES
from soc_assets.mapping import layer_files
from soc_assets.mapping.change.changes import Change, change_folder, change_inputs, tile_inputs, tile_path
from soc_assets.mapping.change.classes import (
    CAUTION,
    CLASS_COLOURS,
    CLASSES,
    LESS,
    MORE,
    NOT_KNOWN,
    QUALITY,
    QUALITY_COLOURS,
    WITHIN,
)
from soc_assets.mapping.change.tiles import LAYERS
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.documents.write import write_documents
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells, Place
from soc_assets.mapping.layer_files import Facts, MapFile
from soc_assets.mapping.layers import Layer, layer_of
from soc_assets.mapping.quality_classes import NODATA
from soc_assets.mapping.statistics import Running
from soc_assets.mapping.tile_files import TileLayers, read_tile
from soc_assets.mapping.write_raster import write_categories
from soc_assets.reporting.as_text import percent
from soc_assets.settings import Maps
from soc_assets.storage import files

NAME = "change.json"
_WORDS = {
    "change": "change of predicted soil organic carbon, later minus earlier",
    "change_lower": "lower end of the interval of the change, from the paired members of the model",
    "change_upper": "upper end of the interval of the change, from the paired members of the model",
}
_CLASSES = {
    "beyond_uncertainty": ("whether the interval of the change excludes zero", CLASSES, CLASS_COLOURS),
    "quality": ("where the change may be believed", QUALITY, QUALITY_COLOURS),
}


def layers_of_change(settings: Maps) -> list[Layer]:
    """The layers of a change: numbers first, then classes."""
    numbers = [layer_of(settings, name, words, "g/kg", 0.02) for name, words in _WORDS.items()]
    return numbers + [
        Layer(name, f"{words}: {'; '.join(f'{n} {w}' for n, w in of.items())}", "", "uint8", NODATA, 1.0, colours)
        for name, (words, of, colours) in _CLASSES.items()
    ]


def read_change(folder: Path) -> MapFile | None:
    """A change; None where there is none, or one of its files is missing."""
    return layer_files.read_folder(folder, NAME)


def state_of_change(inputs: MapInputs, change: Change) -> str:
    """missing, stale or fresh."""
    return layer_files.state_of(read_change(change_folder(inputs, change)), change_inputs(inputs, change))


def assemble_change(inputs: MapInputs, change: Change, members: int, evidence: Evidence | None = None) -> MapFile:
    """Write a change from its tiles.

    Args:
        inputs: of the maps.
        change: from which period to which.
        members: of the model; 0 where it has none.
        evidence: what is known of the model, for card and catalog; None is nothing.

    Raises:
        MapError: a tile is missing, stale or damaged.
        StorageError: the disk is full or read-only.
    """
    folder, layers = change_folder(inputs, change), layers_of_change(inputs.project.settings.map)
    with layer_files.replacing(folder, NAME) as temporary:
        content = _Content(inputs, change, members, layers)
        facts = layer_files.write_layers(temporary, inputs, layers, content.stored(), content.describe)
        for name, (_, classes, _) in _CLASSES.items():
            write_categories(temporary / f"{name}.tif", classes)
        files.write_table(temporary / "change.parquet", row_of(facts))
        write_documents(temporary, facts, evidence or Evidence())
        layer_files.write_facts(temporary, NAME, facts)
    return MapFile(folder, facts)


def classes_of(numbers: np.ndarray) -> np.ndarray:
    """The class uint8 [h, w] of `beyond_uncertainty.tif` from difference, lower and upper end [3, h, w]."""
    difference, lower, upper = numbers
    result = np.full(difference.shape, WITHIN, np.uint8)
    result[upper < 0], result[lower > 0] = LESS, MORE
    result[np.isnan(lower)] = NOT_KNOWN
    result[np.isnan(difference)] = NODATA
    return result


class _Content:
    """The numbers of a change as they are stored, and what is known of it once all were seen."""

    def __init__(self, inputs: MapInputs, change: Change, members: int, layers: list[Layer]) -> None:
        self._inputs, self._change, self._members, self._layers = inputs, change, members, layers
        self._running = {name: Running(0.005, -500.0) for name in LAYERS}
        self._counts = {"quality": dict.fromkeys(QUALITY, 0), "beyond_uncertainty": dict.fromkeys(CLASSES, 0)}

    def stored(self) -> Iterator[tuple[Cells, Mapping[str, np.ndarray]]]:
        """Cells of each tile, and by layer the numbers [h, w] as they are stored."""
        layers = {layer.name: layer for layer in self._layers}
        for cells, tile in layer_files.tiles_of(self._inputs, len(LAYERS), self._read):
            classes = {"quality": tile.quality, "beyond_uncertainty": classes_of(tile.numbers)}
            numbers = dict(zip(LAYERS, tile.numbers, strict=True))
            for name, values in numbers.items():
                self._running[name].add(values)
            for name, values in classes.items():
                layer_files.count_classes(values, self._counts[name])
            yield cells, {name: layers[name].encode(values) for name, values in numbers.items()} | classes

    def describe(self) -> tuple[Facts, dict[str, str], str]:
        """Facts, tags of every file and the period in words, once all tiles were seen."""
        inputs, change, quality = self._inputs, self._change, self._counts["quality"]
        level = inputs.project.settings.evaluation.level
        facts = layer_files.facts_of(inputs, self._layers, QUALITY, quality) | {
            "change": str(change),
            "before": str(change.before),
            "after": str(change.after),
            "season": change.after.season,
            "members": self._members,
            "level": level,
            "caution": CAUTION,
            "digest": change_inputs(inputs, change),
            "statistics": {name: each.facts() for name, each in self._running.items()},
            "beyond_uncertainty": {str(number): n for number, n in self._counts["beyond_uncertainty"].items()},
            "beyond_uncertainty_classes": {str(number): words for number, words in CLASSES.items()},
        }
        members = f"{percent(level)} of the paired ensemble of {self._members} members"
        tags = {
            "SOC_CHANGE": f"{change.after} minus {change.before}",
            "SOC_INTERVAL": members if self._members else "unknown: the model has no members",
            "SOC_CAUTION": CAUTION,
        }
        return facts, tags, f"{change.before} to {change.after}"

    def _read(self, place: Place) -> TileLayers:
        path, wanted = tile_path(self._inputs, self._change, place), tile_inputs(self._inputs, self._change, place)
        tile = read_tile(path, wanted)
        if tile is None:
            raise MapError(
                f"The tile {place} of the change {self._change} is missing or damaged: `soc map` computes it again."
            )
        return tile


def row_of(facts: Facts) -> pd.DataFrame:
    """What change.json says as one row."""
    values, quantiles = facts["statistics"]["change"], facts["statistics"]["change"].get("quantiles", {})
    names = ("recipe", "model_digest", "change", "before", "after", "season", "members", "level", "digest", "made")
    row = {name: facts[name] for name in names} | {"model": facts["uri"], "cells": values["count"]}
    row |= {name: facts["beyond_uncertainty"][str(number)] for number, name in enumerate(CHANGE_CELLS)}
    row |= {"cells_inside": facts["counts"]["0"], "cells_outside": facts["counts"]["1"]}
    row |= {name: values.get(name, np.nan) for name in ("mean", "std", "min", "max")}
    row |= {f"q{round(100 * float(share)):02d}": quantiles.get(share, np.nan) for share in ("0.05", "0.5", "0.95")}
    season = pd.Series([facts["season"]], dtype="str")
    return pd.DataFrame([row]).assign(season=season)[list(MAP_CHANGES.names)]
