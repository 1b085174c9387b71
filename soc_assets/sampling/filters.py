"""The study's filters: which usable samples are studied, and why the others are not.

Rows that are unusable in themselves are rejected by the ingest stage; here are the choices of a study: the range of
sampling years, the largest organic carbon and the region. Each excluded sample is named with the first filter it fails.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.geo.polygons import read_region
from soc_assets.settings import Study

TIME_RANGE = "time range"
ABOVE_MAX_OC = "organic carbon above max_oc"
OUTSIDE_REGION = "outside the region"


def apply_filters(samples: pd.DataFrame, study: Study, region: Path | None) -> tuple[np.ndarray, pd.DataFrame]:
    """Apply the filters of the study, one after the other.

    Args:
        samples: [n] rows with sample_id, longitude, latitude (degrees), organic_carbon (g/kg), year (may be null).
        study: the settings; a row without a year passes the time range.
        region: a file of polygons (see `geo.polygons.read_region`), or None for no such filter.

    Returns:
        A mask [n] of the samples kept, and one row (sample_id, filter, detail) for each of the others.

    Raises:
        SamplingError: the region cannot be read or holds no polygon.
    """
    checks = [_time_range(samples, study), _above_max_oc(samples, study)]
    if region is not None:
        checks.append(_outside_region(samples, region))
    kept = np.ones(len(samples), bool)
    excluded = []
    for name, failing, detail in checks:
        first = failing & kept
        kept &= ~failing
        excluded.append(
            pd.DataFrame({"sample_id": samples["sample_id"][first], "filter": name, "detail": detail[first]})
        )
    table = pd.concat(excluded).astype({"sample_id": "str", "filter": "str", "detail": "str"})
    return kept, table.sort_values("sample_id").reset_index(drop=True)


def _time_range(samples: pd.DataFrame, study: Study) -> tuple[str, np.ndarray, np.ndarray]:
    year = samples["year"].astype("Int32")
    outside = ((year < study.year_from) | (year > study.year_to)).fillna(False)
    detail = "year " + year.astype("string") + f", kept are {study.year_from} to {study.year_to}"
    return TIME_RANGE, outside.to_numpy(bool), detail.to_numpy(object)


def _above_max_oc(samples: pd.DataFrame, study: Study) -> tuple[str, np.ndarray, np.ndarray]:
    oc = samples["organic_carbon"].astype(float)
    detail = oc.round(3).astype("string") + f" g/kg, kept up to {study.max_oc:g} g/kg"
    return ABOVE_MAX_OC, ~(oc <= study.max_oc).to_numpy(bool), detail.to_numpy(object)


def _outside_region(samples: pd.DataFrame, path: Path) -> tuple[str, np.ndarray, np.ndarray]:
    region = read_region(path)
    inside = region.contains(samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float))
    place = samples["longitude"].round(5).astype("string") + ", " + samples["latitude"].round(5).astype("string")
    return OUTSIDE_REGION, ~inside, (place + f" is not inside {region.name}").to_numpy(object)
