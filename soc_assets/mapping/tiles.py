"""Bringing the tiles of maps up to date: those that are fresh stay, each of the others is written when it is done."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from soc_assets.errors import MapError
from soc_assets.mapping.engine.blocks import Engine, compute_tiles
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Place, key_of, of_key
from soc_assets.mapping.tile_files import TileLayers, read_tile, write_tile
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
    done = predicted = number = 0
    start = time.perf_counter()
    by_place = sorted(keys, key=lambda key: of_key(key)[::-1])
    for place, here in groupby(by_place, key=lambda key: of_key(key)[1]):
        tiles = _write_tiles(inputs, place, list(here), engine)
        before = done
        while (tile := _next(tiles, before, total)) is not None:
            number += 1
            done += int(inputs.places[place].sum())
            predicted += tile.cells
            before = before if tile.cells else done
            words = _words(number, len(keys), predicted, time.perf_counter() - start)
            progress.report(done, total, words, unit="cell")
            yield tile


def _write_tiles(inputs: MapInputs, place: Place, keys: Sequence[str], engine: Engine) -> Iterator[Tiled]:
    """Bring the tiles of a place up to date: first those that are there, then the others as they are done."""
    wanted = {key: inputs.tile_inputs(of_key(key)[0], place) for key in keys}
    due = []
    for key in keys:
        start = time.perf_counter()
        if (stored := read_tile(inputs.tile_path(key), wanted[key])) is None:
            due.append(of_key(key)[0])
        else:
            yield _tiled(key, stored, wanted[key], 0, time.perf_counter() - start)
    start = time.perf_counter()
    for period, layers in compute_tiles(inputs, engine, due, place):
        key = key_of(period, place)
        write_tile(inputs.tile_path(key), layers, wanted[key])
        now = time.perf_counter()
        yield _tiled(key, layers, wanted[key], int(inputs.places[place].sum()), now - start)
        start = now


def _next(tiles: Iterator[Tiled], before: int, total: int) -> Tiled | None:
    """The next tile of a place; cells that are reported while it is computed come after those of other places."""
    with progress.part(before, total):
        return next(tiles, None)


def _tiled(key: str, layers: TileLayers, inputs: str, computed: int, seconds: float) -> Tiled:
    """What became of a tile of which so many cells were computed."""
    values = layers.numbers[0][np.isfinite(layers.numbers[0])]
    classes, counts = np.unique(layers.quality, return_counts=True)
    return Tiled(
        key=key,
        outcome="computed" if computed else "cached",
        cells=computed,
        seconds=seconds,
        inputs=inputs,
        mean=float(values.mean(dtype=np.float64)) if len(values) else float("nan"),
        counts=dict(zip(classes.tolist(), counts.tolist(), strict=True)),
    )


def _words(number: int, tiles: int, predicted: int, seconds: float) -> str:
    words = f"tile {number} of {tiles}"
    if not predicted:
        return f"{words}, cached"
    return f"{words}, {predicted / max(seconds, 1e-9):,.0f} cells/s"
