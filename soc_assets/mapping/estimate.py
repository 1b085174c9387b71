"""How long maps will take, measured on a few cells of one tile."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from soc_assets.mapping.blocks import Engine, PointEngine, one_thread_each
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells, of_key

_FEW = 32  # cells that are predicted as single points


@dataclass(frozen=True)
class Estimate:
    """Seconds that maps will take, and what was measured: cells of which tile, by which engine."""

    seconds: float
    cells: int
    tile: str
    engine: str


def estimate(inputs: MapInputs, keys: Sequence[str], engine: Engine) -> Estimate:
    """Measure the opening of a tile and some of its blocks, as many as are computed at the same time.

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
    opened = time.perf_counter()
    some = _some(inputs.lattice.cells(place), engine)
    with ThreadPoolExecutor(len(some), initializer=one_thread_each if engine.threads > 1 else None) as pool:
        list(pool.map(block_of, some))
    done, cells = time.perf_counter(), sum(part.size for part in some)
    left = sum(int(inputs.places[of_key(each)[1]].sum()) for each in keys)
    seconds = (opened - start) * len(keys) + (done - opened) / cells * left
    return Estimate(seconds, cells, key, engine.name)


def _some(cells: Cells, engine: Engine) -> list[Cells]:
    blocks = cells.blocks()
    if isinstance(engine, PointEngine):
        first = blocks[len(blocks) // 2]
        return [Cells(first.top, first.left, first.top + 1, min(first.left + _FEW, first.right))]
    return blocks[: engine.threads]
