"""The rasters of the catalog by band and step: files, digests and places on the reference grid.

Answers which rasters a set of windows reads, without opening one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from soc_assets.geo.grid import Grid, box_on
from soc_assets.geo.reference_grid import grid_of
from soc_assets.rasters.mosaic import StepMosaic, Tile
from soc_assets.rasters.steps import Step
from soc_assets.rasters.tiles import Source
from soc_assets.settings import Channel, ReferenceGrid
from soc_assets.storage import digest

_KERNEL = 2  # pixels of a tile across whose edge resampling can carry a value into the next tile


@dataclass(frozen=True)
class RasterIndex:
    """All rasters of a spec's bands on the reference grid."""

    grid: Grid
    mosaics: dict[tuple[str, Step], StepMosaic]

    @classmethod
    def of_catalog(
        cls,
        catalog: pd.DataFrame,
        bands: tuple[Channel, ...],
        reference: str,
        chosen: ReferenceGrid | None = None,
    ) -> "RasterIndex":
        """Place every raster of the catalog that belongs to one of the bands.

        Args:
            catalog: the raster catalog.
            bands: those of the spec.
            reference: the reference band.
            chosen: a custom reference grid, or None for that of the reference band.
        """
        grid = grid_of(catalog, reference, chosen)
        by_name = {band.name: band for band in bands}
        mosaics = {}
        steps: dict[tuple[str, Step], list[dict[Any, Any]]] = {}
        for row in catalog[catalog["band"].isin(by_name)].to_dict("records"):
            year = None if pd.isna(row["year"]) else int(row["year"])
            season = None if pd.isna(row["season"]) else str(row["season"])
            steps.setdefault((row["band"], Step(year, season)), []).append(row)
        for (name, step), rows in steps.items():
            tiles = [_tile(row, by_name[name], grid, len(rows) > 1) for row in rows]
            mosaics[name, step] = StepMosaic.of(tiles, grid)
        return cls(grid, mosaics)


def _tile(row: Mapping[Any, Any], band: Channel, grid: Grid, has_neighbours: bool) -> Tile:
    own, layer = Grid.of_row(row), int(row["layer"])
    box = box_on(grid, own)
    reach = box
    if has_neighbours:
        reach = box_on(grid, own.part(-_KERNEL, -_KERNEL, own.height + 2 * _KERNEL, own.width + 2 * _KERNEL))
    how = (band.resampling, band.fill_values, box, layer, band.valid_range, band.value, band.variable, band.scaling)
    source = Source(str(row["path"]), *how)
    content = str(row["digest"]) if layer == 1 else digest.of_values([row["digest"], layer])
    return Tile(source, own, content, reach)
