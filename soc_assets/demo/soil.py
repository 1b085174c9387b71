"""The soil tables of the demo: one as LUCAS ships its own, one like the combined file of Bavaria, with their blemishes.

Organic carbon is the landscape's, plus noise of the place and of the visit. Here is decided where and when samples are
taken and how a table spells them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.warp import transform

from soc_assets.demo.landscape import EAST, MARGIN, NORTH, PLACE_NOISE, SOUTH, VISIT_NOISE, WEST, Landscape
from soc_assets.demo.rasters import REFERENCE_CRS, in_lakes
from soc_assets.geo.grid import WGS84

LUCAS_FILE, COMBINED_FILE = "LUCAS_demo.csv", "LfU_LfL_demo.xlsx"
_CAMPAIGNS = (2012, 2015, 2018, 2022)
_OUTSIDE = [(9.93, 49.79), (10.88, 49.89), (13.45, 48.57), (8.68, 50.11), (12.1, 49.01)]


@dataclass(frozen=True)
class Survey:
    """How many samples are taken.

    Attributes:
        lucas_places: places of LUCAS, each visited in two or three campaigns.
        lucas_2009: of these also in 2009, before the default study begins.
        other_places: places of the Bavarian agencies.
        other_rows: their samples; a place is sampled once, some again in another year.
    """

    lucas_places: int
    lucas_2009: int
    other_places: int
    other_rows: int


SURVEYS = {"demo": Survey(320, 48, 950, 1200), "demo-960": Survey(160, 24, 475, 600)}
"""The default, and one of 960 samples with the same rasters, on which benchmarks are measured."""


@dataclass(frozen=True)
class Visits:
    """Samples as taken: a table (longitude, latitude, place, year, date, oc) and the explainable log carbon [n]."""

    table: pd.DataFrame
    log_carbon: np.ndarray


def draw_visits(landscape: Landscape, survey: Survey) -> tuple[Visits, Visits]:
    """Draw the LUCAS visits and those of the Bavarian agencies."""
    places = _places(landscape, survey.lucas_places + survey.other_places)
    return (
        _visits(landscape, places.head(survey.lucas_places), _lucas_years(landscape.rng("lucas years"), survey)),
        _visits(landscape, places.tail(survey.other_places), _other_years(landscape.rng("other years"), survey)),
    )


def write_lucas(path: Path, visits: pd.DataFrame, rng: np.random.Generator) -> int:
    """Write visits with the columns of LUCAS 2018 (Latin-1, dates dd-mm-yy) and a few blemishes; returns the rows."""
    table = _lucas_columns(visits, rng)
    broken = table.sample(10, random_state=rng).reset_index(drop=True)
    broken["POINTID"] = 49_000_000 + np.arange(len(broken))
    broken["OC"] = ["< LOD"] * 4 + ["<0.0"] + [""] * 2 + ["14.2"] * 3
    broken.loc[7:, ["TH_LONG", "TH_LAT"]] = _OUTSIDE[:3]
    table = pd.concat([table, broken, table.sample(3, random_state=rng)], ignore_index=True)
    table.to_csv(path, index=False, encoding="latin-1")
    return len(table)


def write_combined(path: Path, visits: pd.DataFrame, rng: np.random.Generator) -> int:
    """Write visits with GPS_LONG, GPS_LAT, OC, survey_date, source and a few blemishes; returns the rows."""
    source = np.where(visits["place"] % 2, "LfU (synthetic)", "LfL (synthetic)")
    table = pd.DataFrame({"GPS_LONG": visits["longitude"], "GPS_LAT": visits["latitude"], "OC": visits["oc"]})
    table = table.assign(survey_date=visits["date"].to_numpy(), source=source)
    broken = table.sample(9, random_state=rng).reset_index(drop=True)
    broken["GPS_LAT"] += 1e-3  # places of their own
    broken.loc[:2, "OC"] = np.nan
    broken.loc[3:4, "survey_date"] = pd.NaT
    broken.loc[5:6, "GPS_LONG"] = np.nan
    broken.loc[7:, ["GPS_LONG", "GPS_LAT"]] = _OUTSIDE[3:]
    table = pd.concat([table, broken, table.sample(3, random_state=rng)], ignore_index=True)
    table.to_excel(path, index=False, sheet_name="synthetic")
    return len(table)


def _places(landscape: Landscape, count: int) -> pd.DataFrame:
    """Places on land: longitude, latitude (1e-6 degrees), x, y (metres) and what is peculiar to each."""
    rng = landscape.rng("places")
    x = rng.uniform(WEST + MARGIN, EAST - MARGIN, 2 * count)
    y = rng.uniform(SOUTH + MARGIN, NORTH - MARGIN, 2 * count)
    dry = np.flatnonzero(~in_lakes(landscape, x, y))[:count]
    longitude, latitude = transform(REFERENCE_CRS, WGS84, x[dry].tolist(), y[dry].tolist())[:2]
    table = pd.DataFrame({"longitude": longitude, "latitude": latitude}).round(6)
    return table.assign(x=x[dry], y=y[dry], peculiar=rng.normal(0, PLACE_NOISE, count))


def _lucas_years(rng: np.random.Generator, survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Place and year of each visit: two or three campaigns each, a few also in 2009."""
    count = survey.lucas_places
    visited = np.argsort(rng.random((count, len(_CAMPAIGNS))), axis=1)
    place, rank = np.nonzero(visited < 2 + (np.arange(count) % 2)[:, None])
    early = rng.choice(count, survey.lucas_2009, replace=False)
    years = np.concatenate([np.asarray(_CAMPAIGNS)[rank], np.full(survey.lucas_2009, 2009)])
    return np.concatenate([place, early]), years


def _other_years(rng: np.random.Generator, survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Place and year of each visit: every place once, some again in another year; few before 2012."""
    count = survey.other_places
    again = rng.choice(count, survey.other_rows - count, replace=False)
    first = np.where(rng.random(count) < 0.06, rng.integers(2009, 2012, count), 0)
    first = np.where(first, first, rng.integers(2012, 2020, count))
    return np.concatenate([np.arange(count), again]), np.concatenate([first, rng.integers(2020, 2024, len(again))])


def _visits(landscape: Landscape, places: pd.DataFrame, when: tuple[np.ndarray, np.ndarray]) -> Visits:
    place, year = when
    table = places.take(place).reset_index(drop=True).assign(place=place, year=year)
    rng = landscape.rng("visits", len(places))
    explained = landscape.log_carbon(table["x"].to_numpy(), table["y"].to_numpy(), year)
    oc = np.exp(explained + table["peculiar"].to_numpy() + rng.normal(0, VISIT_NOISE, len(table)))
    days = rng.integers(90, 300, len(table)).astype("timedelta64[D]")  # April to October
    date = pd.to_datetime(year.astype(str)) + pd.to_timedelta(days)
    return Visits(table.assign(oc=oc.round(1), date=date), explained)


def _lucas_columns(visits: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    n, oc = len(visits), visits["oc"].to_numpy()
    peat, grass = oc > 70, oc > 20
    ph = rng.normal(6.2, 0.7, n).clip(3.8, 7.8)
    return pd.DataFrame(
        {
            "Depth": "0-20 cm",
            "POINTID": 43_000_000 + visits["place"].to_numpy() * 137,
            "pH_CaCl2": (ph - 0.5).round(1),
            "pH_H2O": ph.round(2),
            "EC": rng.gamma(4, 4, n).round(2),
            "OC": [f"{value:.1f}" for value in oc],
            "CaCO3": rng.integers(0, 60, n),
            "P": rng.gamma(3, 10, n).round(1),
            "N": (oc / 11).round(1),
            "K": rng.gamma(4, 45, n).round(1),
            "OC (20-30 cm)": "",
            "CaCO3 (20-30 cm)": "",
            "Ox_Al": "",
            "Ox_Fe": "",
            "NUTS_0": "DE",
            "NUTS_1": "DE2",
            "NUTS_2": "DE21",
            "NUTS_3": "DE21B",
            "TH_LAT": visits["latitude"],
            "TH_LONG": visits["longitude"],
            "SURVEY_DATE": visits["date"].dt.strftime("%d-%m-%y"),
            "Elev": rng.integers(420, 720, n),
            "LC": np.where(peat, "H12", np.where(grass, "E20", "B11")),
            "LU": "U111",
            "LC0_Desc": np.where(peat, "Wetlands", np.where(grass, "Grassland", "Cropland")),
            "LC1_Desc": np.where(peat, "Peatbogs (Moorböden)", np.where(grass, "Grassland (Grünland)", "Common wheat")),
            "LU1_Desc": "Agriculture (excluding fallow land and kitchen gardens)",
            "source": "LUCAS (synthetic)",
        }
    )
