"""Everything that maps are made from: model, periods, cells, rasters; and the digest of each tile's inputs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.embedding.encoder.architecture import anchor_index
from soc_assets.embedding.tile_cache import HALF
from soc_assets.errors import MapError
from soc_assets.geo.polygons import Region
from soc_assets.mapping import masks
from soc_assets.mapping.lattice import Cells, Lattice, Period, Place, iter_windows, key_of, of_key
from soc_assets.mapping.region import read_map_region, require_cells, wanted
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.rows import Predictor
from soc_assets.mapping.tile_files import read_tile_inputs
from soc_assets.mapping.versions import TILES
from soc_assets.project import Project
from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.rasters.steps import Slot, Step, step_numbers, step_of
from soc_assets.storage import digest

_CACHE_MB = 384  # rasters of two tiles: a tile reads each once, for all of its periods
_KEPT_MB = 512  # embedded windows of a block, twice as much as a period's: those of the next are embedded once


@dataclass(frozen=True)
class MapInputs:
    """Inputs of the maps of one model.

    Attributes:
        project: settings and paths.
        predictor: the model with its spec, and the rasters.
        lattice: the cells.
        periods: those that are wanted, in order.
        region: None is the whole reference grid.
    """

    project: Project
    predictor: Predictor
    lattice: Lattice
    periods: tuple[Period, ...]
    region: Region | None

    @property
    def registered(self) -> Registered:
        """The model."""
        return self.predictor.registered

    @property
    def folder(self) -> Path:
        """The folder of the model's maps."""
        return self.project.data / "maps" / self.registered.digest

    def tile_path(self, key: str) -> Path:
        """The file of a tile."""
        return self.folder / "tiles" / f"{key}.npz"

    @cached_property
    def places(self) -> dict[Place, np.ndarray]:
        """The tiles that hold wanted cells, row by row, with which of their cells those are."""
        every = (
            (place, wanted(self.region, self.lattice, self.lattice.cells(place))) for place in self.lattice.places()
        )
        found = {place: cells for place, cells in every if cells.any()}
        require_cells(len(found), self.project, self.lattice)
        return found

    @property
    def keys(self) -> list[str]:
        """The partitions of all tiles, period by period."""
        return [key_of(period, place) for period in self.periods for place in self.places]

    @property
    def cells(self) -> int:
        """Cells that are predicted in each period."""
        return int(sum(int(wanted.sum()) for wanted in self.places.values()))

    def steps(self, period: Period) -> list[tuple[Slot, Step]]:
        """Per band and lag the step that a cell reads."""
        return _steps(period, self.predictor.spec.band_slots)

    def rasters(self, period: Period) -> dict[str, StepMosaic | None]:
        """Per key (`LAI_2012`) the rasters of the step; None where there is none."""
        mosaics = self.predictor.raster_index.mosaics
        return {step.key(slot.name): mosaics.get((slot.name, step)) for slot, step in self.steps(period)}

    def images(self, keys: Sequence[str]) -> int:
        """Images that the cells of tiles read; one that several periods of a place share counts once."""
        read: dict[Place, set[tuple[str, Step]]] = {}
        for key in keys:
            period, place = of_key(key)
            images = {(slot.name, step) for slot, step in _steps(period, self.predictor.spec.slots)}
            read.setdefault(place, set()).update(images)
        return sum(int(self.places[place].sum()) * len(images) for place, images in read.items())

    def tile_inputs(self, period: Period, place: Place) -> str:
        """Digest of all that decides the numbers of a tile."""
        windows = self._windows(place)
        read = {
            key: mosaic.digest_of(*windows) if mosaic else None for key, mosaic in sorted(self.rasters(period).items())
        }
        cells = digest.of_bytes(np.packbits(self.places[place]).tobytes())
        where = [str(period), str(place), self.lattice.step, cells, *self._grid]
        return digest.of_inputs(TILES, self.registered.digest, where, read, self._masks)

    def states(self) -> dict[str, str]:
        """Per partition: missing, stale or fresh."""
        found = {}
        for period in self.periods:
            for place in self.places:
                key = key_of(period, place)
                stored = read_tile_inputs(self.tile_path(key))
                fresh = stored is not None and stored == self.tile_inputs(period, place)
                found[key] = "fresh" if fresh else "stale" if stored else "missing"
        return found

    @cached_property
    def _grid(self) -> list[object]:
        grid = self.lattice.reference
        return [grid.crs.to_wkt(), list(grid.transform[:6]), grid.width, grid.height]

    @cached_property
    def _masks(self) -> list[object]:
        return masks.content_of(self.project, self.project.settings.map.masks)

    def _windows(self, place: Place) -> tuple[np.ndarray, np.ndarray, int]:
        """Windows (first rows [n], first columns [n], edge) that cover what the wanted cells of a tile read."""
        choices, within = self.predictor.spec.choices, self.places[place]
        size = choices["image_size"]
        before = max(anchor_index(size, choices["anchor"]), HALF)
        after = max(size - anchor_index(size, choices["anchor"]) - 1, HALF)
        edges = []
        for axis, pixels in enumerate(self.lattice.pixels(self.lattice.cells(place))):
            there = pixels[within.any(axis=1 - axis)]
            edges.append(list(iter_windows(int(there[0]) - before, int(there[-1]) + after + 1, size)))
        rows, columns = np.meshgrid(*edges, indexing="ij")
        return rows.ravel(), columns.ravel(), size


def _steps(period: Period, slots: Sequence[Slot]) -> list[tuple[Slot, Step]]:
    """The step that the cells of a period read in each slot."""
    row = period.rows(np.zeros(1), np.zeros(1))
    return [(slot, step_of(int(step_numbers(slot, row)[0]), slot.kind)) for slot in slots]


def read_map_inputs(project: Project, registered: Registered, periods: Sequence[Period] | None = None) -> MapInputs:
    """Read what maps are made from; nothing is computed.

    Args:
        project: settings and paths.
        registered: the model; its graph may be missing where only digests are asked for.
        periods: None takes those of [map] in the settings.

    Raises:
        SocError: the model's spec or the catalog is gone.
        MapError: a period does not fit the model's bands, or has no rasters; a region without a cell, a mask without
            its class.
    """
    settings = project.settings.map
    predictor = Predictor(project, registered, min(project.settings.embedding.cache_mb, _CACHE_MB), _KEPT_MB)
    lattice = Lattice(predictor.grid, settings.step)
    chosen = tuple(sorted(set(wanted_periods(project) if periods is None else periods)))
    inputs = MapInputs(project, predictor, lattice, chosen, read_map_region(project))
    _require_season(inputs)
    masks.require_classes(project, settings.masks)
    if 0 in lattice.shape:
        height, width = lattice.reference.height, lattice.reference.width
        raise MapError(
            f"step = {settings.step} in [map] of soc.toml leaves no cell: the reference grid has {height} x {width} "
            "pixels. Set a smaller one."
        )
    for period in chosen:
        _require_rasters(inputs, period)
    return inputs


def wanted_periods(project: Project) -> tuple[Period, ...]:
    """The periods of [map] in the settings."""
    settings = project.settings.map
    return tuple(Period(year, settings.season) for year in settings.wanted_years)


def missing_steps(inputs: MapInputs, period: Period) -> list[str]:
    """Keys (`LAI_2012`) of the steps that the cells of a period would read and that have no raster."""
    return [key for key, mosaic in inputs.rasters(period).items() if mosaic is None]


def known_years(raster_index: Iterable[tuple[str, Step]]) -> list[int]:
    """The years of which there is any raster."""
    return sorted({step.year for _, step in raster_index if step.year is not None})


def _require_season(inputs: MapInputs) -> None:
    seasonal = any(slot.kind == "seasonal" for slot in inputs.predictor.spec.band_slots)
    for period in inputs.periods:
        if seasonal and period.season is None:
            raise MapError(
                f"The model {inputs.registered.uri} reads bands by season, and {period} is a year alone: set season in "
                '[map] of soc.toml (season = "summer"), or name it (`soc map --season summer`).'
            )
        if period.season is not None and not seasonal:
            raise MapError(
                f"The model {inputs.registered.uri} reads no band by season, so there is no map of {period}. Leave "
                "season in [map] of soc.toml (or --season) away."
            )


def _require_rasters(inputs: MapInputs, period: Period) -> None:
    timed = [step.key(slot.name) for slot, step in inputs.steps(period) if slot.lag is not None]
    missing, most = missing_steps(inputs, period), inputs.registered.most_missing
    too_many = most is not None and len(missing) > most
    if missing and (too_many or set(missing) >= set(timed)):
        share = len(missing) / len(inputs.rasters(period))
        years = known_years(inputs.predictor.raster_index.mosaics)
        there = f"There are rasters of {years[0]} to {years[-1]}. " if years else ""
        limit = f", of training samples at most {most}" if too_many else ""
        raise MapError(
            f"No map of {period}: {len(missing)} of {len(inputs.rasters(period))} images ({share:.0%}) have no raster"
            f"{limit}: {_listed(missing)}. {there}Map another year, or add these rasters and `soc run`."
        )


def _listed(keys: list[str], most: int = 6) -> str:
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more


def frame_of(inputs: MapInputs, period: Period, cells: Cells) -> pd.DataFrame:
    """Cells as rows to be predicted, row by row."""
    return period.rows(*inputs.lattice.coordinates(cells))
