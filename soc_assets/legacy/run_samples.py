"""The samples of an old run: identity, what is rejected, and a grid around them for folds and batches."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rasterio.transform import from_origin

from soc_assets.geo.grid import WGS84, Grid
from soc_assets.storage import digest

_PIXEL = 0.0025  # degrees, about 250 m: spatial blocks of folds count in pixels
_BATCH = "batch_{:04d}"


@dataclass(frozen=True)
class Collected:
    """Samples with their batch and row in the old files, rejected rows, and how many rows repeated a sample."""

    samples: pd.DataFrame
    rejected: pd.DataFrame
    repeated: int


def collect(rows: pd.DataFrame) -> Collected:
    """Samples of the rows of all old files, in their order.

    Args:
        rows: longitude, latitude, organic_carbon, year (-1 where no image has one), season, old_file.
    """
    rows = rows.assign(old_row=rows.groupby("old_file", sort=False).cumcount())
    reason = np.select(
        [
            ~(rows["longitude"].between(-180, 180) & rows["latitude"].between(-90, 90)),
            rows["organic_carbon"].isna() | (rows["organic_carbon"] < 0),
            rows["year"] < 0,
        ],
        ["coordinates missing or not in degrees", "organic carbon missing or negative", "no image has a year"],
        "",
    )
    bad = rows[reason != ""]
    rejected = pd.DataFrame({"file": bad["old_file"], "row": bad["old_row"] + 1, "source": "imported"})
    rejected = rejected.assign(reason=reason[reason != ""], detail="").astype({"detail": "str"})
    good = rows[reason == ""].copy()
    identity = good[["longitude", "latitude", "organic_carbon", "year", "season"]].to_numpy(object).tolist()
    good["sample_id"] = [f"old_{digest.of_values(values)}" for values in identity]
    kept = good.drop_duplicates("sample_id").reset_index(drop=True)
    order = {name: number for number, name in enumerate(dict.fromkeys(kept["old_file"]), start=1)}
    kept["batch"] = [_BATCH.format(order[name]) for name in kept["old_file"]]
    kept["survey_date"] = pd.NaT
    kept["season_year"] = kept["year"] = kept["year"].astype("Int32")
    kept = kept.assign(source="imported", file=kept["old_file"], row=kept["old_row"] + 1, own_id="")
    return Collected(_ordered(kept), rejected.reset_index(drop=True), len(good) - len(kept))


def grid_round(samples: pd.DataFrame) -> Grid:
    """A grid in degrees that holds the samples."""
    west, north = samples["longitude"].min() - _PIXEL, samples["latitude"].max() + _PIXEL
    width = int((samples["longitude"].max() - west) / _PIXEL) + 2
    height = int((north - samples["latitude"].min()) / _PIXEL) + 2
    return Grid(WGS84, from_origin(west, north, _PIXEL, _PIXEL), width, height)


def _ordered(samples: pd.DataFrame) -> pd.DataFrame:
    first = ["sample_id", "longitude", "latitude", "organic_carbon", "survey_date", "year", "season", "season_year"]
    columns = [*first, "source", "file", "row", "own_id", "batch", "old_file", "old_row"]
    return samples[columns].astype({"survey_date": "datetime64[us]", "season": "str", "source": "str"})
