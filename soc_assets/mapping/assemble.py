"""Assembling a map from its tiles: Cloud Optimized GeoTIFFs in a folder that appears whole, and map.json in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from soc_assets.errors import MapError
from soc_assets.mapping import layer_files
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.documents.provenance import rasters_of
from soc_assets.mapping.documents.write import write_documents
from soc_assets.mapping.inputs import MapInputs, missing_steps
from soc_assets.mapping.lattice import Cells, Period, Place, key_of
from soc_assets.mapping.layer_files import Facts, MapFile
from soc_assets.mapping.layers import POSITIONS, QUALITY, Layer, layers_of
from soc_assets.mapping.quality_classes import CLASSES
from soc_assets.mapping.statistics import Running
from soc_assets.mapping.tables import AtSamples, digest_of_samples, write_tables
from soc_assets.mapping.tile_files import TileLayers, read_tile
from soc_assets.mapping.versions import FILES
from soc_assets.mapping.write_raster import write_categories
from soc_assets.reporting.as_text import percent
from soc_assets.storage import digest

NAME = "map.json"


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
    return layer_files.read_folder(folder, NAME)


def state_of_map(inputs: MapInputs, period: Period) -> str:
    """missing, stale or fresh."""
    return layer_files.state_of(read_map(map_folder(inputs, period)), map_inputs(inputs, period))


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
    with layer_files.replacing(folder, NAME) as temporary:
        content = _Content(inputs, period, layers)
        facts = layer_files.write_layers(temporary, inputs, layers, content.stored(), content.describe)
        write_tables(temporary, content.at_samples, facts)
        write_categories(temporary / "quality.tif", CLASSES)
        write_documents(temporary, facts, evidence or Evidence())
        layer_files.write_facts(temporary, NAME, facts)
    return MapFile(folder, facts)


class _Content:
    """The numbers of a map as they are stored, and what is known of it once all were seen."""

    def __init__(self, inputs: MapInputs, period: Period, layers: list[Layer]) -> None:
        self.at_samples = AtSamples(inputs)
        self._inputs, self._period, self._layers = inputs, period, layers
        self._running = {layer.name: Running(layer.scale / 2 if layer.scale < 1 else 0.005) for layer in layers[:-1]}
        self._counts = dict.fromkeys(CLASSES, 0)

    def stored(self) -> Iterator[tuple[Cells, Mapping[str, np.ndarray]]]:
        """Cells of each tile, and by layer the numbers [h, w] as they are stored."""
        for cells, tile in layer_files.tiles_of(self._inputs, len(POSITIONS), self._read):
            for name, statistics in self._running.items():
                statistics.add(tile.numbers[POSITIONS[name]])
            layer_files.count_classes(tile.quality, self._counts)
            self.at_samples.add(cells, tile)
            numbers = {each.name: each.encode(tile.numbers[POSITIONS[each.name]]) for each in self._layers[:-1]}
            yield cells, numbers | {QUALITY.name: tile.quality}

    def describe(self) -> tuple[Facts, dict[str, str], str]:
        """Facts, tags of every file and the period in words, once all tiles were seen."""
        inputs, period = self._inputs, self._period
        facts = layer_files.facts_of(inputs, self._layers, CLASSES, self._counts) | {
            "period": str(period),
            "year": period.year,
            "season": period.season,
            "digest": map_inputs(inputs, period),
            "statistics": {name: each.facts() for name, each in self._running.items()},
            "rasters": rasters_of(inputs, period),
            "missing_rasters": missing_steps(inputs, period),
            "level": (level := inputs.registered.level),
        }
        tags = {"SOC_INTERVAL": f"prediction interval that should cover {percent(level)} of samples"} if level else {}
        return facts, {"SOC_PERIOD": str(period), **tags}, str(period)

    def _read(self, place: Place) -> TileLayers:
        key = key_of(self._period, place)
        tile = read_tile(self._inputs.tile_path(key), self._inputs.tile_inputs(self._period, place))
        if tile is None:
            raise MapError(
                f"The tile {key} is missing, damaged or made from other inputs: materialise map_tiles first (`soc map` "
                "does all in order)."
            )
        return tile
