"""Assembling a change from its tiles: Cloud Optimized GeoTIFFs in a folder that appears whole, with change.json."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from soc_assets import __version__
from soc_assets.errors import MapError
from soc_assets.integrity.schemas.changes import CHANGE_CELLS, MAP_CHANGES
from soc_assets.mapping.assemble import MapFile, statistics_tags
from soc_assets.mapping.change_classes import (
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
from soc_assets.mapping.change_tiles import LAYERS
from soc_assets.mapping.changes import Change, change_folder, change_inputs, tile_inputs, tile_path
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells
from soc_assets.mapping.layers import Layer, layer_of
from soc_assets.mapping.quality_classes import BEYOND, NODATA
from soc_assets.mapping.statistics import Running
from soc_assets.mapping.tile_files import TileLayers, read_tile
from soc_assets.mapping.write_raster import as_cog, checksum, open_tiled, require_content, window_of, write_categories
from soc_assets.runtime import progress
from soc_assets.settings import Maps
from soc_assets.storage import files, mirror

NAME = "change.json"
_WORDS = {
    "change": "change of predicted soil organic carbon, later minus earlier",
    "change_lower": "lower end of the interval of the change, from the paired members of the model",
    "change_upper": "upper end of the interval of the change, from the paired members of the model",
}
_CLASSES = {
    "beyond_uncertainty": ("whether the interval of the change leaves zero out", CLASSES, CLASS_COLOURS),
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
    try:
        facts = json.loads((folder / NAME).read_text(encoding="utf-8"))
        whole = all((folder / name).is_file() for name in facts["files"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return MapFile(folder, facts) if whole else None


def state_of_change(inputs: MapInputs, change: Change) -> str:
    """missing, stale or fresh."""
    found = read_change(change_folder(inputs, change))
    if found is None:
        return "missing"
    return "fresh" if found.facts.get("digest") == change_inputs(inputs, change) else "stale"


def assemble_change(inputs: MapInputs, change: Change, members: int) -> MapFile:
    """Write a change from its tiles.

    Args:
        inputs: of the maps.
        change: from which period to which.
        members: of the model; 0 where it has none.

    Raises:
        MapError: a tile is missing, stale or damaged.
        StorageError: the disk is full or read-only.
    """
    folder, layers = change_folder(inputs, change), layers_of_change(inputs.project.settings.map)
    with mirror.removing(folder), files.replacing_folder(folder) as temporary:
        facts, written = _write_layers(inputs, change, members, layers, temporary)
        windows = [window_of(inputs.lattice.cells(place)) for place in inputs.lattice.places()]
        for number, layer in enumerate(layers, start=1):
            as_cog(temporary / f"{layer.name}.part", temporary / f"{layer.name}.tif", layer)
            require_content(temporary / f"{layer.name}.tif", windows, written[layer.name])
            progress.report(number, len(layers), f"{layer.name}.tif of {change}")
        for name, (_, classes, _) in _CLASSES.items():
            write_categories(temporary / f"{name}.tif", classes)
        files.write_table(temporary / "change.parquet", row_of(facts))
        (temporary / NAME).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for path in sorted(folder.iterdir(), key=lambda path: path.name == NAME):  # change.json last
        mirror.send(path)
    return MapFile(folder, facts)


def classes_of(numbers: np.ndarray) -> np.ndarray:
    """The class uint8 [h, w] of `beyond_uncertainty.tif` from difference, lower and upper end [3, h, w]."""
    difference, lower, upper = numbers
    result = np.full(difference.shape, WITHIN, np.uint8)
    result[upper < 0], result[lower > 0] = LESS, MORE
    result[np.isnan(lower)] = NOT_KNOWN
    result[np.isnan(difference)] = NODATA
    return result


def _write_layers(
    inputs: MapInputs, change: Change, members: int, layers: list[Layer], folder: Path
) -> tuple[dict[str, Any], dict[str, int]]:
    """Write the layers as tiled GeoTIFFs, tile by tile; returns what is said of the change, and checksums by layer."""
    written = {layer.name: 0 for layer in layers}
    running = {name: Running(0.005, -500.0) for name in LAYERS}
    counts = {"quality": dict.fromkeys(QUALITY, 0), "beyond_uncertainty": dict.fromkeys(CLASSES, 0)}
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_tiled(folder / f"{layer.name}.part", layer, inputs.lattice.grid))
            for layer in layers
        ]
        for cells, tile in _tiles(inputs, change):
            classes = {"quality": tile.quality, "beyond_uncertainty": classes_of(tile.numbers)}
            _count(tile, classes, running, counts)
            for layer, dataset in zip(layers, opened, strict=True):
                stored = classes.get(layer.name)
                found = layer.encode(tile.numbers[LAYERS.index(layer.name)]) if stored is None else stored
                dataset.write(found, 1, window=window_of(cells))
                written[layer.name] = checksum([found], written[layer.name])
        facts = _facts(inputs, change, members, layers, {name: each.facts() for name, each in running.items()}, counts)
        for layer, dataset in zip(layers, opened, strict=True):
            dataset.update_tags(**_tags(facts, layer))
            dataset.update_tags(1, **statistics_tags(facts["statistics"].get(layer.name, {})))
    return facts, written


def _tiles(inputs: MapInputs, change: Change) -> Iterator[tuple[Cells, TileLayers]]:
    """All tiles of the lattice; those without a wanted cell are empty."""
    for place in inputs.lattice.places():
        cells = inputs.lattice.cells(place)
        if place not in inputs.places:
            empty = np.full((len(LAYERS), *cells.shape), np.nan, np.float32)
            yield cells, TileLayers(empty, np.full(cells.shape, BEYOND, np.uint8))
            continue
        tile = read_tile(tile_path(inputs, change, place), tile_inputs(inputs, change, place))
        if tile is None:
            raise MapError(
                f"The tile {place} of the change {change} is missing or damaged: `soc map` computes it again."
            )
        yield cells, tile


def _count(
    tile: TileLayers,
    classes: dict[str, np.ndarray],
    running: dict[str, Running],
    counts: dict[str, dict[int, int]],
) -> None:
    for name, statistics in running.items():
        statistics.add(tile.numbers[LAYERS.index(name)])
    for name, values in classes.items():
        for number, cells in zip(*(found.tolist() for found in np.unique(values, return_counts=True)), strict=True):
            if number != NODATA:
                counts[name][number] += cells


def _facts(
    inputs: MapInputs,
    change: Change,
    members: int,
    layers: list[Layer],
    statistics: dict[str, dict[str, object]],
    counts: dict[str, dict[int, int]],
) -> dict[str, Any]:
    """What made the change, and what it holds: the content of change.json."""
    model, grid = inputs.registered, inputs.lattice.grid
    return {
        "model": model.name,
        "version": model.version,
        "uri": model.uri,
        "recipe": model.recipe,
        "features": model.features,
        "weights": model.weights,
        "spec": model.spec,
        "model_digest": model.digest,
        "change": str(change),
        "before": str(change.before),
        "after": str(change.after),
        "season": change.after.season,
        "members": members,
        "level": inputs.project.settings.evaluation.level,
        "caution": CAUTION,
        "digest": change_inputs(inputs, change),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": f"soc_assets {__version__}",
        "grid": {
            "crs": grid.crs.to_string(),
            "transform": list(grid.transform[:6]),
            "width": grid.width,
            "height": grid.height,
            "step": inputs.lattice.step,
        },
        "files": {layer.name: f"{layer.name}.tif" for layer in layers},
        "units": {layer.name: layer.unit for layer in layers if layer.unit},
        "statistics": statistics,
        "counts": {str(number): cells for number, cells in counts["quality"].items()},
        "classes": {str(number): words for number, words in QUALITY.items()},
        "beyond_uncertainty": {str(number): cells for number, cells in counts["beyond_uncertainty"].items()},
        "beyond_uncertainty_classes": {str(number): words for number, words in CLASSES.items()},
    }


def _tags(facts: dict[str, Any], layer: Layer) -> dict[str, str]:
    """Tags of a file."""
    step = facts["grid"]["step"]
    tags = {
        "TIFFTAG_IMAGEDESCRIPTION": f"{layer.description}, {facts['before']} to {facts['after']}",
        "TIFFTAG_SOFTWARE": facts["software"],
        "SOC_MODEL": f"{facts['uri']} ({facts['recipe']}; embeddings with weights: {facts['weights']})",
        "SOC_CHANGE": f"{facts['after']} minus {facts['before']}",
        "SOC_INTERVAL": f"{facts['level']:.0%} of the paired ensemble of {facts['members']} members"
        if facts["members"]
        else "unknown: the model has no members",
        "SOC_CAUTION": CAUTION,
        "SOC_SPEC": facts["spec"],
        "SOC_DIGEST": facts["digest"],
    }
    coarse = {"SOC_STEP": f"one cell per {step} x {step} pixels, predicted at the middle one"} if step > 1 else {}
    return tags | coarse


def row_of(facts: dict[str, Any]) -> pd.DataFrame:
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
