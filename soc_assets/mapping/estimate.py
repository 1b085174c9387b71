"""How long maps will take, measured on a few cells of one tile."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from soc_assets.mapping.engine.blocks import Block, Engine, one_thread_each
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import BLOCK, Cells, of_key

_ENOUGH = 3.0  # seconds after which no more cells are measured


@dataclass(frozen=True)
class Estimate:
    """Seconds that maps will take, and what was measured: cells of which tile, by which engine."""

    seconds: float
    cells: int
    tile: str
    engine: str


def estimate(inputs: MapInputs, keys: Sequence[str], engine: Engine) -> Estimate:
    """Measure the opening of a tile and some of its blocks, as many as are computed at the same time.

    Where periods share images, these are what is measured: as few as take some seconds.

    Args:
        inputs: with the loaded model.
        keys: the tiles to compute, at least one.
        engine: which computes them.
    """
    key = keys[len(keys) // 2]
    period, place = of_key(key)
    inputs.predictor.embedder  # noqa: B018 - loads the weights, which happens once
    start = time.perf_counter()
    block_of = engine.open(period, place)
    opening = time.perf_counter() - start
    blocks = inputs.lattice.cells(place).blocks()
    if engine.together:
        seconds, cells = _of_squares(block_of, blocks[len(blocks) // 2])
    else:
        seconds, cells = _of_blocks(block_of, blocks[: engine.threads], engine)
    if engine.once:
        left = inputs.images(keys) / len(inputs.predictor.spec.slots)
    else:
        left = sum(int(inputs.places[of_key(each)[1]].sum()) for each in keys)
    return Estimate(opening * len(keys) + seconds / cells * left, cells, key, engine.name)


def _of_blocks(block_of: Block, blocks: Sequence[Cells], engine: Engine) -> tuple[float, int]:
    """Seconds of blocks that are computed at the same time, and their cells."""
    start = time.perf_counter()
    with ThreadPoolExecutor(len(blocks), initializer=one_thread_each if engine.threads > 1 else None) as pool:
        list(pool.map(block_of, blocks))
    return time.perf_counter() - start, sum(block.size for block in blocks)


def _of_squares(block_of: Block, block: Cells) -> tuple[float, int]:
    """Seconds of the first square of a block, of 1, 4, 16, ... cells, that takes long enough; and its cells."""
    seconds, cells = 0.0, block
    for edge in (2**power for power in range(BLOCK.bit_length())):
        cells = Cells(block.top, block.left, min(block.top + edge, block.bottom), min(block.left + edge, block.right))
        start = time.perf_counter()
        block_of(cells)
        seconds = time.perf_counter() - start
        if seconds >= _ENOUGH or cells == block:
            break
    return seconds, cells.size
