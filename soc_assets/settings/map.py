"""Maps: which periods, where, by which model, and how the files are written."""

from typing import Literal

from pydantic import Field, field_validator

from soc_assets.settings.base import Section

Season = Literal["winter", "spring", "summer", "autumn"]


class Mask(Section):
    """Classes of a raster in which there is no soil to map: water, built-up land."""

    file: str
    """A raster of classes in any CRS, read by its nearest pixel."""
    classes: tuple[int, ...] = Field(min_length=1)
    """The stored numbers of the classes that are left out of the map."""
    layer: int = Field(default=1, ge=1)
    """Band in the file."""


class Maps(Section):
    """Maps of organic carbon; `tile`, `outputs` and `dtype` decide no prediction."""

    years: tuple[int, ...] = ()
    """The years to map. None: maps are made only when asked for (`soc map --year 2020`)."""
    changes: tuple[tuple[int, int], ...] = ()
    """Pairs of years whose difference is mapped, the earlier first: [[2015, 2023]]. These years are mapped, too."""
    season: Season | None = None
    """The season of these years, where the model reads bands by season."""
    region: str | None = None
    """A file of polygons, as for [study] region; cells whose centre lies outside have no value. None takes the region
    of the study, or else the whole reference grid."""
    tile: int | None = Field(default=None, ge=1)
    """Edge of the square that is computed at once, pixels: less takes less memory. A tile of 512 pixels is the most.
    None chooses by the free memory. No number depends on it."""
    step: int = Field(default=1, ge=1)
    """Predict every n-th pixel of the reference grid: a coarser map, sooner."""
    model: str | None = None
    """Version of the registered model. None takes the champion, or else the newest."""
    masks: tuple[Mask, ...] = ()
    """Rasters of classes that are left out."""
    dtype: Literal["float32", "int16"] = "float32"
    """Numbers in the files; int16 halves their size, with GDAL's scale and offset (0.02 g/kg)."""
    outputs: tuple[Literal["lower", "upper", "dissimilarity"], ...] = ("lower", "upper", "dissimilarity")
    """Layers beside organic carbon and quality."""

    @field_validator("changes")
    @classmethod
    def _later_minus_earlier(cls, pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        for before, after in pairs:
            if before == after:
                raise ValueError(f"a change needs two years, and {before} is given twice")
            if before > after:
                raise ValueError(f"a change is later minus earlier: write the earlier year first, {after} {before}")
        return pairs

    @property
    def wanted_years(self) -> tuple[int, ...]:
        """The years to map: those of `years` and of `changes`."""
        return tuple(sorted({*self.years, *(year for pair in self.changes for year in pair)}))
