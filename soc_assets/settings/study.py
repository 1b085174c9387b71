"""Which samples are studied, and how they are split, balanced and cut into folds and batches."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from soc_assets.settings.base import Section, Share
from soc_assets.settings.seasons import season_number, season_of_number

FoldScheme = Literal["random", "location", "block", "knndm", "leave_source_out", "leave_year_out"]
FOLD_SCHEMES: tuple[FoldScheme, ...] = get_args(FoldScheme)
VISIT_METRES = 100.0
"""How far apart visits to one point may be. A handheld GPS is off by 5 to 20 m, and a nominal grid point is visited
where the field allows it; surveys put their points much farther apart than this (LUCAS: 2 km)."""


class Study(Section):
    """Which samples are studied, and how far back in time the rasters are read."""

    year_from: int = 2012
    """First sampling year kept (inclusive)."""
    year_to: int = 2023
    """Last sampling year kept (inclusive)."""
    time_before: int = Field(default=5, ge=0)
    """Time steps read per yearly or seasonal band, the most recent first (lags 0 to time_before - 1)."""
    first_lag: int = Field(default=0, ge=0)
    """How many steps before sampling the first step lies: 0 starts with the sampling year (or season) itself."""
    max_oc: float = Field(default=150.0, gt=0)
    """Largest organic carbon kept, g/kg."""
    region: str | None = None
    """A file of polygons in any CRS (GeoJSON, `file.gpkg` or `file.gpkg|layer=name`); samples outside them are
    excluded, those on the boundary are not. None keeps all."""
    vector_drivers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """GDAL drivers by suffix for region files, in addition to those in docs/security.md: `{ ".tab" = ["MapInfo File"]
    }`."""
    location: Literal["coordinates", "pixel"] = "coordinates"
    """What makes samples one location: coordinates equal to 1e-5 degrees, or the same pixel of the reference grid."""
    id_metres: float = Field(default=VISIT_METRES, ge=0, le=1000)
    """Samples that share an id and are at most this many metres apart are one location, too: GPS positions of visits to
    one point differ. 0 links none."""
    location_metres: float = Field(default=0.0, ge=0, le=1000)
    """Samples at most this many metres apart are one location, whatever their ids: for revisits in tables without ids.
    0 by default, because profiles some metres apart may be different soils; `soc check` says where a test sample is
    that near."""

    def raster_steps(self, kind: str) -> list[tuple[int, str | None]]:
        """Year and season (None for a `yearly` band) of the steps that the study's samples read, in order.

        Seasons run from the winter of year_from to the autumn of year_to; a December sample of year_to reads one more.
        """
        first, last = self.first_lag + max(self.time_before, 1) - 1, self.first_lag
        if kind == "yearly":
            return [(year, None) for year in range(self.year_from - first, self.year_to - last + 1)]
        winter, next_winter = season_number(self.year_from, 0), season_number(self.year_to + 1, 0)
        return [season_of_number(number) for number in range(winter - first, next_winter - last)]

    @model_validator(mode="after")
    def _years_in_order(self) -> Self:
        if self.year_to < self.year_from:
            raise ValueError(f"year_to ({self.year_to}) lies before year_from ({self.year_from})")
        return self


class Sampling(Section):
    """Splits, balancing of the training split, folds and batches."""

    seed: int = 42
    """Seed of the split, of the balancing and of the folds."""
    validation_fraction: Share = 0.16
    """Share of locations for validation."""
    test_fraction: Share = 0.20
    """Share of locations for testing."""
    balance: Literal["resample", "weights", "none"] = "resample"
    """Balance the training split by repeating samples, by weights in the loss, or not."""
    bins: Literal["quantile", "width"] = "quantile"
    """Bins of organic carbon: equally filled (as in the original) or equally wide."""
    n_bins: int = Field(default=128, ge=1)
    """Bins of organic carbon, at most a fifth of the training samples."""
    min_ratio: Share = 0.75
    """Every bin is oversampled to this share of the fullest one."""
    min_per_bin: int = Field(default=5, ge=1)
    """... and to at least this many samples."""
    max_multiplicity: int = Field(default=10, ge=1)
    """Maximum number of repeats of one sample when bins are equally wide."""
    n_folds: int = Field(default=5, ge=2)
    """Folds of each cross-validation scheme."""
    block_size: int = Field(default=20, ge=1)
    """Edge length of the spatial blocks of the scheme `block`, reference pixels (if block_metres is not set)."""
    block_metres: float | None = Field(default=None, gt=0)
    """Edge length of the blocks in metres, squares in a projected CRS: for reference grids in degrees."""
    fold_schemes: tuple[FoldScheme, ...] | None = Field(default=None, min_length=1)
    """Cross-validation schemes to build. None: all, but the expensive `knndm` only where [evaluation] asks for it."""
    batch_size: int = Field(default=256, ge=1)
    """Unique samples per batch, which is one partition of `embeddings`."""

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must leave something to train on")
        return self
