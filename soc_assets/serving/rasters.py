"""The rasters of the catalog as layers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table, variable_of
from soc_assets.rasters.names import BandName, band_names
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.steps import Step
from soc_assets.serving import colours
from soc_assets.serving.layers import Range
from soc_assets.serving.tiles import Tile, read_tile
from soc_assets.settings import Channel, channels_of
from soc_assets.settings.seasons import season_rank
from soc_assets.storage import digest, files

RAMP = "input"
_TERRAIN = ("elev", "dem", "dtm", "dsm", "height", "altitude", "srtm")
_SPREAD = 2.0  # standard deviations from the mean at which the ramp ends


@dataclass(frozen=True)
class RasterLayer:
    """One step of a band.

    Attributes:
        key: in addresses; another where a file has changed.
        band: its settings.
        step: year and season.
        rows: of the catalog, one per file.
        span: values at which the ramp begins and ends, the same for all steps of the band.
        name: of the band for people, and its unit.
    """

    key: str
    band: Channel
    step: Step
    rows: tuple[Mapping[Any, Any], ...]
    span: Range
    name: BandName

    @property
    def label(self) -> str:
        """`2015`, `2015 summer`, or nothing for a static band."""
        return " ".join(str(part) for part in (self.step.year, self.step.season) if part is not None)


def raster_layers(project: Project) -> dict[str, RasterLayer]:
    """The rasters that the project's bands are read from, by key, in the order of the settings and of time."""
    if not project.catalog.is_file():
        return {}
    catalog, found = read_table(project.catalog, project), {}
    names = band_names(project.settings.rasters, catalog)
    for band in (channel for given in project.settings.rasters.bands for channel in channels_of(given)):
        own = catalog[catalog["band"] == band.name]
        if len(own):
            span, steps = _span(own), _by_step(own)
            for step in sorted(steps, key=lambda step: (step.year or 0, season_rank(step.season))):
                rows = tuple(steps[step])
                key = digest.of_values([[row["digest"], row["layer"]] for row in rows])[:16]
                found[key] = RasterLayer(key, band, step, rows, span, names[band.name])
    return found


def terrain(layers: Iterable[RasterLayer], reference: str) -> RasterLayer | None:
    """The reference band, if its name says that it is the height of the ground."""
    named = any(word in reference.lower() for word in _TERRAIN)
    return next((layer for layer in layers if named and layer.band.name == reference and not layer.step.year), None)


def values_of(layer: RasterLayer, tile: Tile) -> np.ndarray | None:
    """Values in a tile, float32 [height, width]; where files overlap, of the first by path that has one."""
    found: np.ndarray | None = None
    for row in layer.rows:
        with open_raster(str(row["path"]), variable_of(row)) as dataset:
            band = layer.band
            how = (band.fill_values, int(row["layer"]), band.valid_range, band.scaling)
            part = read_tile(dataset, tile, *how)
        if part is not None:
            found = part if found is None else np.where(np.isnan(found), part, found)
    if found is not None and layer.band.value is not None:
        return np.where(np.isnan(found), np.float32(np.nan), (found == layer.band.value).astype(np.float32))
    return found


def render(layer: RasterLayer, tile: Tile) -> colours.Picture | None:
    """A raster in a tile; None where there is nothing."""
    values = values_of(layer, tile)
    return None if values is None else colours.colour(values, RAMP, *layer.span)


def _by_step(rows: pd.DataFrame) -> dict[Step, list[dict[Any, Any]]]:
    steps: dict[Step, list[dict[Any, Any]]] = {}
    for row in rows.sort_values("path", kind="stable").to_dict("records"):
        year, season = (None if pd.isna(row[name]) else row[name] for name in ("year", "season"))
        steps.setdefault(Step(None if year is None else int(year), season), []).append(row)
    return steps


def _span(rows: pd.DataFrame) -> Range:
    mean, std = rows["mean"].mean(), rows["std"].mean()
    low, high = max(rows["min"].min(), mean - _SPREAD * std), min(rows["max"].max(), mean + _SPREAD * std)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)


def stamp(project: Project) -> tuple[int, ...] | None:
    """Another where the catalog was written again; None where there is none."""
    return files.stamp(project.catalog) if project.catalog.is_file() else None
