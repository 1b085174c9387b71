"""What pre-training reads: bands and steps with their rasters, and the part of the region that is held out.

The embedding's own settings decide what an image is (bands, window, arrangement, normalisation), so that a checkpoint
made here fits the embeddings; no sample is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soc_assets.embedding.layout import Layout
from soc_assets.embedding.spec import Spec
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.rasters.steps import Step

_PLACES = 200  # rectangles that are drawn for the held-out part
_LOOKED_AT, _RASTERS, _SQUARE = 24, 3, 16  # of them; rasters, and pixels along a square, that are read of each
_ENOUGH = 0.95  # share of valid pixels with which no other is looked at


@dataclass(frozen=True)
class Block:
    """A rectangle of the reference grid: first row and column, and those after the last."""

    top: int
    left: int
    bottom: int
    right: int

    def mask(self, rows: np.ndarray, columns: np.ndarray, size: int) -> np.ndarray:
        """Which pixels of windows [n, size, size] that begin at (rows, columns) [n] lie inside."""
        along = np.arange(size)
        down, across = rows[:, None] + along, columns[:, None] + along
        inside_rows = (down >= self.top) & (down < self.bottom)
        return inside_rows[:, :, None] & ((across >= self.left) & (across < self.right))[:, None, :]


@dataclass(frozen=True)
class Scene:
    """What one image is made of: the rasters of its frames (None where there is none) at one step.

    Attributes:
        name: of the band, or of the bands of a lag together.
        step: a year, a season of a year, or neither.
        bands: of the frames, in order.
        mosaics: by band.
    """

    name: str
    step: Step
    bands: tuple[str, ...]
    mosaics: dict[str, StepMosaic]

    @property
    def key(self) -> str:
        """`LAI_2012`, or `together_2012` for the bands of a lag."""
        return self.step.key(self.name)


@dataclass(frozen=True)
class Region:
    """All scenes of a spec, by name, and the held-out rectangle."""

    spec: Spec
    raster_index: RasterIndex
    held_out: Block

    @cached_property
    def scenes(self) -> dict[str, list[Scene]]:
        """Scenes by name in the order of the bands, each with its steps in order."""
        found: dict[str, list[Scene]] = {}
        for scene in _scenes(self.spec, self.raster_index):
            found.setdefault(scene.name, []).append(scene)
        return found


def region_of(spec: Spec, raster_index: RasterIndex, share: float, seed: int) -> Region:
    """The region of a project, with a rectangle of `share` of its pixels held out.

    The rectangle has the proportions of the grid. Of many random places those that the rasters' files cover best are
    looked at, in a few small squares of a few rasters, and the one with most valid pixels is taken.
    """
    grid = raster_index.grid
    height, width = (max(1, round(size * share**0.5)) for size in (grid.height, grid.width))
    draw = np.random.default_rng(seed)
    boxes = np.array([tile.reach for mosaic in raster_index.mosaics.values() for tile in mosaic.tiles])
    found: list[tuple[float, Block]] = []
    for _ in range(_PLACES):
        top, left = int(draw.integers(grid.height - height + 1)), int(draw.integers(grid.width - width + 1))
        overlap = np.clip(np.minimum(boxes[:, 2], top + height) - np.maximum(boxes[:, 0], top), 0, height)
        overlap = overlap * np.clip(np.minimum(boxes[:, 3], left + width) - np.maximum(boxes[:, 1], left), 0, width)
        found.append((float(overlap.sum()), Block(top, left, top + height, left + width)))
    found.sort(key=lambda item: -item[0])
    best, most = found[0][1], -1.0
    for _, block in found[:_LOOKED_AT]:
        if (valid := _valid_share(block, raster_index, draw)) > most + 0.01:
            best, most = block, valid
        if most > _ENOUGH:
            break
    return Region(spec, raster_index, best)


def _valid_share(block: Block, index: RasterIndex, draw: np.random.Generator) -> float:
    """Share of valid pixels of a rectangle, from squares in its quarters of some rasters."""
    every = list(index.mosaics.values())
    chosen = [every[number] for number in draw.permutation(len(every))[:_RASTERS]]
    shares = []
    for row in (0.25, 0.75):
        for column in (0.25, 0.75):
            top = block.top + int(row * (block.bottom - block.top)) - _SQUARE // 2
            left = block.left + int(column * (block.right - block.left)) - _SQUARE // 2
            parts = [np.isfinite(each.read(index.grid, top, left, _SQUARE, _SQUARE)).mean() for each in chosen]
            shares.append(float(np.mean(parts)))
    return float(np.mean(shares))


def _scenes(spec: Spec, index: RasterIndex) -> Iterator[Scene]:
    """Every scene for which at least one raster is there."""
    layout = Layout(spec)
    names = dict.fromkeys(layout.scene_of(band.name) for band in spec.bands)
    for name in names:
        bands = tuple(layout.scene_frames(name))
        if len(set(bands)) == 1:
            bands = bands[:1]  # equal frames: the encoder expands one
        steps = sorted(
            {step for band, step in index.mosaics if band in bands},
            key=lambda step: (step.year or 0, step.season or ""),
        )
        for step in steps:
            mosaics = {band: index.mosaics[band, step] for band in set(bands) if (band, step) in index.mosaics}
            yield Scene(name[0] if len(name) == 1 and len(bands) == 1 else "together", step, bands, mosaics)
