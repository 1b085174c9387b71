"""Tiles of a change: the difference of two maps, its interval and its quality, each written when it is done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from soc_assets.mapping.change.changes import Change, read_both, tile_inputs, tile_path
from soc_assets.mapping.change.classes import WORST_FIRST
from soc_assets.mapping.change.paired import HalfWidths, Paired
from soc_assets.mapping.engine.blocks import one_thread_each
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import BLOCK, Cells, Place
from soc_assets.mapping.tile_files import TileLayers, read_tile, write_tile
from soc_assets.rasters.tiles import TILE
from soc_assets.runtime import interrupts, progress

LAYERS = ("change", "change_lower", "change_upper")
"""Numbers of a tile of a change, in order."""


def write_change_tiles(inputs: MapInputs, change: Change, paired: Paired | None) -> Iterator[str]:
    """Bring the tiles of a change up to date; yields of each whether it was computed or cached.

    Args:
        inputs: whose maps of both periods are there.
        change: from which period to which.
        paired: computes intervals; None where the model has no members.

    Raises:
        MapError: a tile of a map is missing, stale or damaged.
    """
    for number, place in enumerate(inputs.places, start=1):
        path, wanted = tile_path(inputs, change, place), tile_inputs(inputs, change, place)
        outcome = "cached" if read_tile(path, wanted) else "computed"
        if outcome == "computed":
            write_tile(path, compute_change(inputs, change, place, paired), wanted)
        progress.report(number, len(inputs.places), f"tile {number} of {len(inputs.places)}, {outcome}")
        yield outcome


def compute_change(inputs: MapInputs, change: Change, place: Place, paired: Paired | None) -> TileLayers:
    """A tile of a change: numbers are the difference (later minus earlier), its lower and its upper end, g/kg.

    Differences are those of the maps' own tiles, before they are written as int16. An interval is NaN where the model
    has no members.
    """
    before, after = read_both(inputs, change, place)
    difference = after.numbers[0].astype(np.float64) - before.numbers[0]
    half = np.full(difference.shape, np.nan)
    if paired is not None:
        cells, there = inputs.lattice.cells(place), np.isfinite(difference)
        blocks = [block for block in cells.blocks() if there[block.inside(cells)].any()]
        opened = paired.open(change, place) if blocks else None
        for block, found in _computed(opened, blocks, _threads(inputs, paired)):
            half[block.inside(cells)] = found.reshape(block.shape)
    numbers = np.stack([difference, difference - half, difference + half]).astype(np.float32)
    return TileLayers(numbers, worse(before.quality, after.quality))


def worse(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The worse class of quality of two maps [h, w], uint8."""
    result = np.full(one.shape, WORST_FIRST[-1], np.uint8)
    for number in reversed(WORST_FIRST):
        result[(one == number) | (other == number)] = number
    return result


def _threads(inputs: MapInputs, paired: Paired) -> int:
    """Blocks at the same time: not more than `tile` pixels hold."""
    tile = inputs.project.settings.map.tile or TILE
    return min(paired.engine.threads, max(1, -(-tile // BLOCK)) ** 2)


def _computed(opened: HalfWidths | None, blocks: list[Cells], threads: int) -> Iterator[tuple[Cells, np.ndarray]]:
    """Blocks with their half widths, as many at the same time as there are threads."""
    if opened is None:
        return

    def heeding_signals(block: Cells) -> np.ndarray:
        interrupts.check()
        return opened(block)

    with ThreadPoolExecutor(threads, initializer=one_thread_each if threads > 1 else None) as pool:
        yield from zip(blocks, pool.map(heeding_signals, blocks), strict=True)
