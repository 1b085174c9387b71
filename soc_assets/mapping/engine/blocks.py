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
from soc_assets.mapping.predictions import NUMBERS, Predictions
from soc_assets.mapping.quality import quality_of
from soc_assets.mapping.quality_classes import BEYOND, MASKED
from soc_assets.mapping.tile_files import TileLayers
from soc_assets.runtime import interrupts, progress

Block = Callable[[Cells], Predictions]


class Engine(Protocol):
    """Opens tiles.

    Attributes:
        threads: blocks that may be computed at the same time.
        name: for people.
        together: whether the periods of a place are predicted block by block: few cells take long.
        once: whether what several periods of a place share is computed once.
    """

    threads: int
    name: str
    together: bool
    once: bool

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        ...


class PointEngine:
    """Predicts the cells of a block as `soc predict` does single points."""

    threads, name, together, once = 1, "as points", True, True

    def __init__(self, inputs: MapInputs) -> None:
        self._inputs = inputs

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        return lambda cells: self._inputs.predictor(frame_of(self._inputs, period, cells))


def compute_tiles(
    inputs: MapInputs, engine: Engine, periods: Sequence[Period], place: Place
) -> Iterator[tuple[Period, TileLayers]]:
    """Predict the wanted cells of a tile in some periods; blocks without one are left out.

    Args:
        inputs: with the loaded model.
        engine: how blocks are predicted.
        periods: years, or seasons of them.
        place: of the tile.

    Yields:
        Each period, in order, as soon as its tile is done. Progress is reported in cells, of all periods together.
    """
    cells = inputs.lattice.cells(place)
    covered = masks.masked(inputs.project, inputs.project.settings.map.masks, inputs.lattice, cells)
    asked = inputs.places[place] & ~covered
    blocks = [block for block in cells.blocks() if asked[block.inside(cells)].any()]
    done = 0
    for some in [periods] if engine.together else [[period] for period in periods]:
        tiles = {period: _Tile(inputs, cells, inputs.places[place], asked) for period in some}
        work = [(period, engine.open(period, place)) for period in some] if blocks else []
        jobs = [(period, block_of, block) for block in blocks for period, block_of in work]
        before, every = done, int(inputs.places[place].sum())
        predicted = _predicted(jobs, engine.threads, inputs.project.settings.map.tile)
        for number, (period, block, found) in enumerate(predicted, start=1):
            tiles[period].put(block, found)
            done = before + every * len(some) * number // len(jobs)
            progress.report(done, every * len(periods), f"block {number} of {len(jobs)} of {place}")
        yield from ((period, TileLayers(tile.numbers, tile.quality)) for period, tile in tiles.items())


class _Tile:
    """The layers of a tile, filled block by block.

    Args:
        inputs: of the maps.
        cells: of the tile.
        within: [h, w] which of them lie in the region.
        asked: [h, w] which of these are not masked.
    """

    def __init__(self, inputs: MapInputs, cells: Cells, within: np.ndarray, asked: np.ndarray) -> None:
        self._cells, self._asked, self._most_missing = cells, asked, inputs.registered.most_missing
        self.numbers = np.full((len(NUMBERS) - 1, *cells.shape), np.nan, np.float32)
        self.quality = np.where(within, MASKED, BEYOND).astype(np.uint8)

    def put(self, block: Cells, found: Predictions) -> None:
        """Put the predictions of a block in their place."""
        where = block.inside(self._cells)
        here = self._asked[where]
        self.numbers[:, *where] = np.where(here, found.numbers[:, :-1].T.reshape(-1, *block.shape), np.nan)
        classes = quality_of(found, self._most_missing).reshape(block.shape)
        self.quality[where] = np.where(here, classes, self.quality[where])


def _predicted(
    jobs: Sequence[tuple[Period, Block, Cells]], threads: int, tile: int | None
) -> Iterator[tuple[Period, Cells, Predictions]]:
    """Blocks with their predictions; as many at once as `tile` pixels hold, and not more than there are threads."""
    at_once = max(1, len(jobs) if tile is None else (-(-tile // BLOCK)) ** 2)

    def heeding_signals(job: tuple[Period, Block, Cells]) -> Predictions:
        interrupts.check()
        return job[1](job[2])

    with ThreadPoolExecutor(
        max(1, min(threads, at_once)), initializer=one_thread_each if threads > 1 else None
    ) as pool:
        for start in range(0, len(jobs), at_once):
            some = jobs[start : start + at_once]
            for (period, _, block), found in zip(some, pool.map(heeding_signals, some), strict=True):
                yield period, block, found


def one_thread_each() -> None:
    """Blocks are computed side by side: a product shared by threads would wait for them, and round otherwise."""
    import torch

    torch.set_num_threads(1)


def cores() -> int:
    """Blocks to compute at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
