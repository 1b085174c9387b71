"""Assembling a map from its tiles: Cloud Optimized GeoTIFFs in a folder that appears whole, and map.json in it.

Each layer is written as a tiled GeoTIFF, tile by tile, and translated once by GDAL's own driver, since that can write
no windows.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from soc_assets import __version__
from soc_assets.errors import MapError
from soc_assets.mapping.documents import write_documents
from soc_assets.mapping.evidence import Evidence
from soc_assets.mapping.inputs import MapInputs, missing_steps
from soc_assets.mapping.lattice import Cells, Period, key_of
from soc_assets.mapping.layers import POSITIONS, QUALITY, Layer, layers_of
from soc_assets.mapping.quality_classes import BEYOND, CLASSES
from soc_assets.mapping.sources import rasters_of
from soc_assets.mapping.statistics import Running
from soc_assets.mapping.tables import AtSamples, digest_of_samples, write_tables
from soc_assets.mapping.tile_files import TileLayers, read_tile
from soc_assets.mapping.versions import FILES
from soc_assets.mapping.write_raster import as_cog, checksum, open_tiled, require_content, window_of, write_categories
from soc_assets.runtime import progress
from soc_assets.storage import digest, files, mirror

NAME = "map.json"


@dataclass(frozen=True)
class MapFile:
    """A map on disk: its folder, and what map.json says."""

    folder: Path
    facts: dict[str, Any]


def map_inputs(inputs: MapInputs, period: Period) -> str:
    """Digest of all that decides the files of a period."""
    settings = inputs.project.settings.map
    tiles = [inputs.tile_inputs(period, place) for place in inputs.places]
    layers = [layer.name for layer in layers_of(settings)]
    return digest.of_inputs(FILES, tiles, layers, settings.dtype, digest_of_samples(inputs))


def map_folder(inputs: MapInputs, period: Period) -> Path:
    """The folder of a period's map."""
    return inputs.folder / str(period)


def read_map(folder: Path) -> MapFile | None:
    """A map; None where there is none, or one of its files is missing."""
    try:
        facts = json.loads((folder / NAME).read_text(encoding="utf-8"))
        whole = all((folder / name).is_file() for name in facts["files"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return MapFile(folder, facts) if whole else None


def state_of_map(inputs: MapInputs, period: Period) -> str:
    """missing, stale or fresh."""
    found = read_map(map_folder(inputs, period))
    if found is None:
        return "missing"
    return "fresh" if found.facts.get("digest") == map_inputs(inputs, period) else "stale"


def assemble(inputs: MapInputs, period: Period, evidence: Evidence | None = None) -> MapFile:
    """Write the map of a period from its tiles.

    Args:
        inputs: of the maps.
        period: one of theirs.
        evidence: what is known of the model, for card and catalog; None is nothing.

    Raises:
        MapError: a tile is missing, stale or damaged.
        StorageError: the disk is full or read-only.
    """
    folder, layers = map_folder(inputs, period), [*layers_of(inputs.project.settings.map), QUALITY]
    with mirror.removing(folder), files.replacing_folder(folder) as temporary:
        at_samples = AtSamples(inputs)
        facts, written = _write_layers(inputs, period, layers, temporary, at_samples)
        windows = [window_of(inputs.lattice.cells(place)) for place in inputs.lattice.places()]
        for number, layer in enumerate(layers, start=1):
            as_cog(temporary / f"{layer.name}.part", temporary / f"{layer.name}.tif", layer)
            require_content(temporary / f"{layer.name}.tif", windows, written[layer.name])
            progress.report(number, len(layers), f"{layer.name}.tif of {period}")
        write_tables(temporary, at_samples, facts)
        write_categories(temporary / "quality.tif", CLASSES)
        write_documents(temporary, facts, evidence or Evidence())
        (temporary / NAME).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for path in sorted(folder.iterdir(), key=lambda path: path.name == NAME):  # map.json last
        mirror.send(path)
    return MapFile(folder, facts)


def _write_layers(
    inputs: MapInputs, period: Period, layers: list[Layer], folder: Path, at_samples: AtSamples
) -> tuple[dict[str, Any], dict[str, int]]:
    """Write the layers as tiled GeoTIFFs, tile by tile; returns what is said of the map, and checksums by layer."""
    running = {layer.name: Running(layer.scale / 2 if layer.scale < 1 else 0.005) for layer in layers[:-1]}
    counts, grid = dict.fromkeys(CLASSES, 0), inputs.lattice.grid
    written = {layer.name: 0 for layer in layers}
    with ExitStack() as stack:
        opened = [stack.enter_context(open_tiled(folder / f"{layer.name}.part", layer, grid)) for layer in layers]
        for cells, tile in _tiles(inputs, period):
            _count(tile, running, counts)
            at_samples.add(cells, tile)
            for layer, dataset in zip(layers, opened, strict=True):
                stored = _stored(layer, tile)
                dataset.write(stored, 1, window=window_of(cells))
                written[layer.name] = checksum([stored], written[layer.name])
        statistics = {name: each.facts() for name, each in running.items()}
        facts = _facts(inputs, period, layers, statistics, counts)
        for layer, dataset in zip(layers, opened, strict=True):
            dataset.update_tags(**_tags(facts, layer))
            dataset.update_tags(1, **statistics_tags(statistics.get(layer.name, {})))
    return facts, written


def _tiles(inputs: MapInputs, period: Period) -> Iterator[tuple[Cells, TileLayers]]:
    """All tiles of the lattice; those without a wanted cell are empty."""
    for place in inputs.lattice.places():
        cells = inputs.lattice.cells(place)
        if place not in inputs.places:
            empty = np.full((len(POSITIONS), *cells.shape), np.nan, np.float32)
            yield cells, TileLayers(empty, np.full(cells.shape, BEYOND, np.uint8))
            continue
        key = key_of(period, place)
        tile = read_tile(inputs.tile_path(key), inputs.tile_inputs(period, place))
        if tile is None:
            raise MapError(
                f"The tile {key} is missing, damaged or made from other inputs: materialise map_tiles first (`soc map` "
                "does all in order)."
            )
        yield cells, tile


def _stored(layer: Layer, tile: TileLayers) -> np.ndarray:
    return tile.quality if layer is QUALITY else layer.encode(tile.numbers[POSITIONS[layer.name]])


def _count(tile: TileLayers, running: dict[str, Running], counts: dict[int, int]) -> None:
    for name, statistics in running.items():
        statistics.add(tile.numbers[POSITIONS[name]])
    classes, found = np.unique(tile.quality, return_counts=True)
    for number, cells in zip(classes.tolist(), found.tolist(), strict=True):
        counts[number] += cells


def _facts(
    inputs: MapInputs,
    period: Period,
    layers: list[Layer],
    statistics: dict[str, dict[str, object]],
    counts: dict[int, int],
) -> dict[str, Any]:
    """What made the map, and what it holds: the content of map.json."""
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
        "period": str(period),
        "year": period.year,
        "season": period.season,
        "digest": map_inputs(inputs, period),
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
        "counts": {str(number): cells for number, cells in counts.items()},
        "classes": {str(number): words for number, words in CLASSES.items()},
        "rasters": rasters_of(inputs, period),
        "missing_rasters": missing_steps(inputs, period),
    }


def _tags(facts: dict[str, Any], layer: Layer) -> dict[str, str]:
    """Tags of a file."""
    model = f"{facts['uri']} ({facts['recipe']}; embeddings with weights: {facts['weights']})"
    step = facts["grid"]["step"]
    words = {
        "TIFFTAG_IMAGEDESCRIPTION": f"{layer.description}, {facts['period']}",
        "TIFFTAG_SOFTWARE": facts["software"],
        "SOC_MODEL": model,
        "SOC_PERIOD": facts["period"],
        "SOC_SPEC": facts["spec"],
        "SOC_DIGEST": facts["digest"],
    }
    return (
        {**words, "SOC_STEP": f"one cell per {step} x {step} pixels, predicted at the middle one"}
        if step > 1
        else words
    )


def statistics_tags(statistics: dict[str, Any]) -> dict[str, str]:
    """Statistics as GDAL names them."""
    names = {"MINIMUM": "min", "MAXIMUM": "max", "MEAN": "mean", "STDDEV": "std"}
    return {f"STATISTICS_{tag}": f"{statistics[name]:.9g}" for tag, name in names.items() if name in statistics}
