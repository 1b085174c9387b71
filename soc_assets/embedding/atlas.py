"""The rasters of the catalog by band and step: file, digest and place on the reference grid.

Answers which rasters a set of windows reads, without opening one.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rasterio.crs import CRS
from rasterio.transform import Affine

from soc_assets.embedding.steps import Step
from soc_assets.embedding.tiles import Source
from soc_assets.ingest.grid import Grid
from soc_assets.settings import Band


@dataclass(frozen=True)
class Sheet:
    """One raster: how to read it, and the digest of its file."""

    source: Source
    digest: str


@dataclass(frozen=True)
class Atlas:
    """All rasters of a spec's bands on the reference grid."""

    grid: Grid
    sheets: dict[tuple[str, Step], Sheet]

    @classmethod
    def of_catalog(cls, catalog: pd.DataFrame, bands: tuple[Band, ...], reference: str) -> "Atlas":
        """Place every raster of the catalog that belongs to one of the bands."""
        grid = Grid.of_catalog(catalog, reference)
        by_name = {band.name: band for band in bands}
        sheets = {}
        for row in catalog[catalog["band"].isin(by_name)].to_dict("records"):
            band = by_name[row["band"]]
            year = None if pd.isna(row["year"]) else int(row["year"])
            season = None if pd.isna(row["season"]) else str(row["season"])
            crs, transform = CRS.from_user_input(row["crs"]), Affine(*row["transform"])
            box = grid.box_of(crs, transform, int(row["height"]), int(row["width"]))
            source = Source(Path(row["path"]), band.resampling, band.fill_values, box)
            sheets[band.name, Step(year, season)] = Sheet(source, str(row["digest"]))
        return cls(grid, sheets)
