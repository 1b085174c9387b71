"""Bringing the tiles of maps up to date: those that are fresh stay, each of the others is written when it is done."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from soc_assets.errors import MapError
from soc_assets.mapping.blocks import Engine, compute_tile
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import of_key
from soc_assets.mapping.tile_files import read_tile, write_tile
from soc_assets.runtime import progress


@dataclass(frozen=True)
class Tiled:
    """What became of a tile.

    Attributes:
        key: `2023_r0003_c0012`.
        outcome: computed or cached.
        cells: predicted.
        seconds: that it took.
        inputs: digest of what it was made from.
        mean: of organic carbon, g/kg; NaN where no cell has a value.
        counts: cells by class of quality.
    """

    key: str
    outcome: str
    cells: int
    seconds: float
    inputs: str
    mean: float
    counts: dict[int, int]


def write_tiles(inputs: MapInputs, keys: Sequence[str], engine: Engine) -> Iterator[Tiled]:
    """Bring tiles up to date: place by place, so that rasters are read once for all periods.

    Args:
        inputs: with the loaded model.
        keys: partitions.
        engine: how blocks are predicted.

    Raises:
        MapError: a tile holds no cell of the region.
    """
    if unknown := [key for key in keys if of_key(key)[1] not in inputs.places]:
        raise MapError(
            f"There is no cell to map in {', '.join(unknown[:5])}: the region or the step has changed since these "
            "partitions were registered. `soc map` registers those that there are now."
        )
    total = sum(int(inputs.places[of_key(key)[1]].sum()) for key in keys)
    done = predicted = 0
    start = time.perf_counter()
    by_place = sorted(keys, key=lambda key: of_key(key)[::-1])
    for number, key in enumerate(by_place, start=1):
        with progress.silent():
            tile = _write_tile(inputs, key, engine)
        done += int(inputs.places[of_key(key)[1]].sum())
        predicted += tile.cells
        words = _words(number, len(keys), predicted, total - done, time.perf_counter() - start)
        progress.report(done, total, words, unit="cell")
        yield tile


def _write_tile(inputs: MapInputs, key: str, engine: Engine) -> Tiled:
    period, place = of_key(key)
    wanted, path, start = inputs.tile_inputs(period, place), inputs.tile_path(key), time.perf_counter()
    stored = read_tile(path, wanted)
    layers = stored or compute_tile(inputs, engine, period, place)
    if stored is None:
        write_tile(path, layers, wanted)
    values = layers.numbers[0][np.isfinite(layers.numbers[0])]
    classes, counts = np.unique(layers.quality, return_counts=True)
    return Tiled(
        key=key,
        outcome="cached" if stored else "computed",
        cells=0 if stored else int(inputs.places[place].sum()),
        seconds=time.perf_counter() - start,
        inputs=wanted,
        mean=float(values.mean(dtype=np.float64)) if len(values) else float("nan"),
        counts=dict(zip(classes.tolist(), counts.tolist(), strict=True)),
    )


def _words(number: int, tiles: int, predicted: int, left: int, seconds: float) -> str:
    words = f"tile {number} of {tiles}"
    if not predicted:
        return f"{words}, cached"
    rate = predicted / max(seconds, 1e-9)
    return f"{words}, {rate:,.0f} cells/s, about {left / rate:,.0f} s left"
