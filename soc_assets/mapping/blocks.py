"""Computing tiles: block by block, each always whole, so that a map does not depend on how it is cut.

An engine opens a tile of a period and then predicts its blocks. The one here goes the way of single points; the others
give the same numbers sooner.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from soc_assets.mapping import masks
from soc_assets.mapping.inputs import MapInputs, frame_of
from soc_assets.mapping.lattice import BLOCK, Cells, Period, Place
from soc_assets.mapping.quality import quality_of
from soc_assets.mapping.quality_classes import BEYOND, MASKED
from soc_assets.mapping.rows import NUMBERS, Predictions
from soc_assets.mapping.tile_files import TileLayers
from soc_assets.runtime import interrupts, progress

Block = Callable[[Cells], Predictions]


class Engine(Protocol):
    """Opens tiles.

    Attributes:
        threads: blocks that may be computed at the same time.
        name: for people.
    """

    threads: int
    name: str

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        ...


class PointEngine:
    """Predicts the cells of a block as `soc predict` does single points."""

    threads, name = 1, "as points"

    def __init__(self, inputs: MapInputs) -> None:
        self._inputs = inputs

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        return lambda cells: self._inputs.predictor(frame_of(self._inputs, period, cells))


def compute_tile(inputs: MapInputs, engine: Engine, period: Period, place: Place) -> TileLayers:
    """Predict the wanted cells of a tile; blocks without one are left out.

    Args:
        inputs: with the loaded model.
        engine: how blocks are predicted.
        period: a year, or a season of one.
        place: of the tile.
    """
    cells = inputs.lattice.cells(place)
    within = inputs.places[place]
    settings = inputs.project.settings.map
    covered = masks.masked(inputs.project, settings.masks, inputs.lattice, cells)
    asked = within & ~covered
    numbers = np.full((len(NUMBERS) - 1, *cells.shape), np.nan, np.float32)
    quality = np.where(within, MASKED, BEYOND).astype(np.uint8)
    blocks = [block for block in cells.blocks() if asked[block.inside(cells)].any()]
    block_of = engine.open(period, place) if blocks else None
    for block, found in _predicted(block_of, blocks, engine.threads, settings.tile):
        here = asked[block.inside(cells)]
        values = found.numbers[:, :-1].T.reshape(-1, *block.shape)
        numbers[:, *block.inside(cells)] = np.where(here, values, np.nan)
        classes = quality_of(found, inputs.registered.most_missing).reshape(block.shape)
        quality[block.inside(cells)] = np.where(here, classes, quality[block.inside(cells)])
    return TileLayers(numbers, quality)


def _predicted(
    block_of: Block | None, blocks: Sequence[Cells], threads: int, tile: int | None
) -> Iterator[tuple[Cells, Predictions]]:
    """Blocks with their predictions; as many at once as `tile` pixels hold, and not more than there are threads."""
    if block_of is None:
        return
    at_once = len(blocks) if tile is None else max(1, -(-tile // BLOCK)) ** 2

    def heeding_signals(block: Cells) -> Predictions:
        interrupts.check()
        return block_of(block)

    with ThreadPoolExecutor(
        max(1, min(threads, at_once)), initializer=one_thread_each if threads > 1 else None
    ) as pool:
        for start in range(0, len(blocks), at_once):
            some = blocks[start : start + at_once]
            for number, found in enumerate(pool.map(heeding_signals, some), start=1):
                progress.report(start + number, len(blocks), "blocks")
                yield some[number - 1], found


def one_thread_each() -> None:
    """Blocks are computed side by side: a product shared by threads would wait for them, and round otherwise."""
    import torch

    torch.set_num_threads(1)


def cores() -> int:
    """Blocks to compute at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
