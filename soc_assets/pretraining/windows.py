"""Windows to learn from: drawn over the region, stratified in space and over bands and steps, by seed and step.

Every batch is drawn from its own random stream, so that a run that goes on after a crash sees the same windows, and
processes that share a batch agree on it. Tiles of rasters are kept up to a limit of memory.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.embedding.encoder.architecture import anchor_index
from soc_assets.embedding.tile_cache import TileCache
from soc_assets.embedding.window_range import ROUNDING
from soc_assets.errors import RasterError
from soc_assets.pretraining.region import Block, Region, Scene

_ATTEMPTS = 50
_ARRAYS = ("images", "seen", "valid")
_HELD_OUT_STREAM = 2**32  # apart from the steps of training


@dataclass(frozen=True)
class Windows:
    """Windows of some bands at some steps.

    Attributes:
        images: [n, frames, h, w] float32, normalised, 0 where nothing is seen.
        seen: [n, frames, h, w] pixels that have a value.
        valid: [n, frames, h, w] those of them that the loss is of.
        names: of the images (`LAI_2012`).
    """

    images: np.ndarray
    seen: np.ndarray
    valid: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def part(self, rows: np.ndarray | slice) -> "Windows":
        """Some of them."""
        names = tuple(np.array(self.names, dtype=object)[rows])
        return Windows(self.images[rows], self.seen[rows], self.valid[rows], names)


class WindowSampler:
    """Draws windows. Thread-safe.

    Args:
        region: scenes and the held-out rectangle.
        cache_mb: limit of the memory for rasters.
        seed: of all draws.
    """

    def __init__(self, region: Region, cache_mb: int, seed: int) -> None:
        choices = region.spec.choices
        self.region, self._seed = region, seed
        self._size, self._limit = choices["image_size"], choices["min_valid_fraction"]
        self._anchor = anchor_index(self._size, choices["anchor"])
        self._cache = TileCache(region.raster_index.grid, self._size, choices["anchor"], cache_mb, filtered=False)
        self._names = list(region.scenes)
        self._shares = np.array([len(region.scenes[name][0].bands) for name in self._names], float)

    def training(self, step: int, n: int, own: slice = slice(None)) -> Windows:
        """The n windows of a step, or some of them; pixels of the held-out rectangle have no value in them.

        Raises:
            RasterError: hardly any window has enough valid pixels.
        """
        grid = self.region.raster_index.grid
        everywhere = Block(0, 0, grid.height, grid.width)
        return self._draw(np.random.default_rng([self._seed, step]), n, everywhere, hide=True).part(own)

    def held_out(self, n: int) -> list[Windows]:
        """About n windows around pixels of the held-out rectangle, which alone count, by number of frames."""
        frames = sorted({len(scenes[0].bands) for scenes in self.region.scenes.values()})
        draw = np.random.default_rng([self._seed, _HELD_OUT_STREAM])
        each = max(1, n // len(frames))
        return [self._draw(draw, each, self.region.held_out, hide=False, frames=count) for count in frames]

    def _draw(self, draw: np.random.Generator, n: int, within: Block, hide: bool, frames: int | None = None) -> Windows:
        """Windows around n pixels of a rectangle, with the same number of frames."""
        names = self._names_for(draw, frames)
        found: list[Windows] = []
        for _ in range(_ATTEMPTS):
            wanted = n - sum(map(len, found))
            scenes = self._scenes(draw, names, wanted)
            rows, columns = _stratified(draw, within, wanted)
            windows = self._read(scenes, rows - self._anchor, columns - self._anchor, hide)
            shares = windows.seen.reshape(wanted, -1).mean(axis=1)
            found.append(windows.part((shares >= self._limit) & windows.valid.any(axis=(1, 2, 3))))
            if sum(map(len, found)) == n:
                return _joined(found)
        where = "the region" if hide else f"the held-out rectangle {within}"
        cure = "Lower" if hide else "Set another `seed` or a larger `held_out` in [pretraining] of soc.toml, or lower"
        raise RasterError(
            f"Of windows drawn {_ATTEMPTS} times over {where} only {sum(map(len, found))} of {n} have "
            f"{self._limit:.0%} valid pixels: nothing can be learned from them. {cure} min_valid_fraction in [rasters] "
            "of soc.toml, or image_size in [embedding]."
        )

    def _names_for(self, draw: np.random.Generator, frames: int | None) -> list[str]:
        """Scenes of one number of frames: that asked for, or drawn in proportion to their bands."""
        counts = np.array([len(self.region.scenes[name][0].bands) for name in self._names])
        if frames is None:
            frames = int(draw.choice(counts, p=self._shares / self._shares.sum()))
        return [name for name, count in zip(self._names, counts, strict=True) if count == frames]

    def _scenes(self, draw: np.random.Generator, names: list[str], n: int) -> list[Scene]:
        """Draw n scenes, every name nearly as often as any other, and every step of a name likewise."""
        chosen = _balanced(draw, len(names), n)
        scenes: list[Scene | None] = [None] * n
        for number, name in enumerate(names):
            there, at = self.region.scenes[name], np.flatnonzero(chosen == number)
            for position, step in zip(at.tolist(), _balanced(draw, len(there), len(at)).tolist(), strict=True):
                scenes[position] = there[step]
        return [scene for scene in scenes if scene is not None]

    def _read(self, scenes: list[Scene], rows: np.ndarray, columns: np.ndarray, hide: bool) -> Windows:
        """Windows that begin at (rows, columns) [n] of one scene each."""
        n, size, spec = len(scenes), self._size, self.region.spec
        images = np.zeros((n, len(scenes[0].bands), size, size), np.float32)
        valid = np.zeros(images.shape, bool)
        by_scene: dict[str, tuple[Scene, list[int]]] = {}
        for number, scene in enumerate(scenes):
            by_scene.setdefault(scene.key, (scene, []))[1].append(number)
        for scene, numbers in by_scene.values():
            members = np.array(numbers)
            for frame, band in enumerate(scene.bands):
                if mosaic := scene.mosaics.get(band):
                    scale = spec.statistics[band]
                    for part in self._cache.windows_in_tiles(mosaic, rows[members], columns[members], scale.mean):
                        found = self._cache.blocks(part, 0, 0, size)
                        images[members[part.members], frame] = found if spec.by_image else scale.apply(found, "band")
                        gaps = self._cache.gap_blocks(part, 0, 0, size)
                        valid[members[part.members], frame] = True if gaps is None else ~gaps
        inside = self.region.held_out.mask(rows, columns, size)[:, None]
        seen = valid & ~inside if hide else valid
        if spec.by_image:
            means = [[spec.statistics[band].mean for band in scene.bands] for scene in scenes]
            images = ranged(images, seen, np.array(means, np.float32)[:, :, None, None])
        images[~seen] = 0
        names = tuple(scene.key for scene in scenes)
        return Windows(images, seen, seen if hide else valid & inside, names)


def ranged(images: np.ndarray, seen: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Images [n, frames, h, w] scaled to 0..1 by the smallest and largest value that is seen; 0 where there is one.

    Args:
        images: relative to their bands' means.
        seen: [n, frames, h, w] pixels that have a value.
        means: [n, frames, 1, 1] of the bands; values that agree to 1e-6 are one value, as in the embeddings.
    """
    low = np.where(seen, images, np.inf).min(axis=(2, 3), keepdims=True)
    high = np.where(seen, images, -np.inf).max(axis=(2, 3), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.maximum(np.maximum(np.abs(low + means), np.abs(high + means)), np.abs(means))
        return np.where(high - low > ROUNDING * size, (images - low) / (high - low), 0).astype(np.float32)


def _joined(found: list[Windows]) -> Windows:
    images, seen, valid = (np.concatenate([getattr(each, name) for each in found]) for name in _ARRAYS)
    return Windows(images, seen, valid, tuple(name for each in found for name in each.names))


def _stratified(draw: np.random.Generator, within: Block, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (rows, columns) [n] of a rectangle: one in each of n cells of nearly the same size, in random order."""
    height, width = within.bottom - within.top, within.right - within.left
    down = min(n, max(1, round((n * height / max(width, 1)) ** 0.5)))
    row = draw.permutation(n) % down
    count = np.bincount(row, minlength=down)[row]
    place = np.zeros(n)
    for each in range(down):
        at = np.flatnonzero(row == each)
        place[at] = draw.permutation(len(at))
    rows = within.top + np.floor((row + draw.random(n)) / down * height).astype(np.int64)
    columns = within.left + np.floor((place + draw.random(n)) / count * width).astype(np.int64)
    return rows, columns


def _balanced(draw: np.random.Generator, count: int, n: int) -> np.ndarray:
    """Numbers below `count` [n], each as often as any other but for one, in random order."""
    whole, rest = divmod(n, count)
    chosen = np.concatenate([np.repeat(np.arange(count), whole), draw.permutation(count)[:rest]])
    return draw.permutation(chosen)
