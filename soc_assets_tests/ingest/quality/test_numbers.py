"""Findings about organic carbon and places in soil tables: what triggers each, and real distributions that do not."""

import numpy as np
import pandas as pd
import pyproj
import pytest

from soc_assets.ingest.quality.carbon import carbon_findings
from soc_assets.ingest.quality.places import place_findings
from soc_assets_tests.small_world import reference_grid

N = 300


def soil(scale: float = 18.0, seed: int = 0, digits: int = 1, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(np.log(scale), 0.7, n).round(digits)


def carbon(values: np.ndarray, unit: str = "g/kg", below: str = "reject") -> list[str]:
    samples = pd.DataFrame({"organic_carbon": values, "file": "lab.csv", "row": np.arange(2, 2 + len(values))})
    tables = pd.DataFrame({"file": ["lab.csv"], "unit": [unit], "below_detection": [below]})
    findings = carbon_findings(samples, tables)
    assert {(item.severity, item.band) for item in findings} <= {("warning", "lab.csv")}
    return [f"{item.found} | {item.cure}" for item in findings]


def test_codes_that_occur_far_too_often_are_named_with_their_counts():
    values = soil()
    values[:10], values[10:17] = 99.9, 0
    [words] = carbon(values)
    assert "organic carbon is 0 in 7 and 99.9 in 10 of 300 rows" in words
    values[:17] = 77.3
    assert "77.3 in 17 of 300" in carbon(values)[0]


@pytest.mark.parametrize("digits", [0, 1, 2])
def test_rounded_numbers_peat_and_half_limits_are_as_they_should_be(digits):
    values = soil(digits=digits, n=3000)
    values[:30] = np.linspace(300, 560, 30).round(digits)
    assert carbon(values) == []
    values[100:400] = 1.05
    assert carbon(np.maximum(values, 1.05), below="half_limit") == []


def test_numbers_far_from_all_others_are_named_with_their_rows():
    values = soil()
    values[4], values[7] = 0.0123, 900.0
    [words] = carbon(values)
    assert "2 of 300 rows" in words
    assert "0.0123 (row 6)" in words
    assert "900 (row 9)" in words
    peat = np.random.default_rng(4).uniform(200, 560, N)
    peat[3] = 700
    assert "more than the 580 g/kg of organic matter itself: 700 (row 5)" in carbon(peat)[0]


@pytest.mark.parametrize("digits", [1, 2])
def test_per_cent_read_as_grams_is_told_for_each_table_with_the_line_that_cures_it(digits):
    [words] = [item for item in carbon(soil(2.0, digits=digits).clip(0.2)) if "per cent" in item]
    assert 'file = "lab.csv", unit = "%"' in words
    assert not [item for item in carbon(soil(2.0).clip(0.2), unit="%") if "per cent" in item]
    assert not [item for item in carbon(soil(9.0, digits=digits)) if "per cent" in item]
    assert "kg/kg" in carbon(soil(0.02, digits=4).clip(0.001))[-1]


def placed(longitude, latitude, crs: str = "WGS84", date: str | None = "2015-05-03") -> list[tuple[str, str]]:
    n = len(longitude)
    samples = pd.DataFrame({"longitude": longitude, "latitude": latitude, "file": "lab.csv", "year": 2015})
    samples["survey_date"] = pd.to_datetime([date] * n)
    tables = pd.DataFrame({"file": ["lab.csv"], "crs": [crs]})
    return [(item.severity, item.found) for item in place_findings(samples, tables, reference_grid(64))]


def points(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    stream = np.random.default_rng(1)
    return 11 + stream.random(n), 48 + stream.random(n)


@pytest.mark.parametrize(
    ("rounded", "words"),
    [
        (lambda v: v.round(1), "0.1 degrees (11 km)"),
        (lambda v: v.round(2), "0.01 degrees (1,113 m)"),
        (lambda v: (np.round(v * 60) / 60).round(4), "1 minute (1,855 m)"),
    ],
)
def test_coordinates_coarser_than_a_pixel_are_told_with_both_sizes(rounded, words):
    (x, y), (exact_x, exact_y) = points(), points(6)
    both = np.r_[rounded(x), exact_x], np.r_[rounded(y), exact_y]
    [(severity, found)] = [item for item in placed(*both) if "rounded" in item[1]]
    assert severity == "warning"
    assert words in found
    assert found.startswith("60 of 66 samples")
    assert found.endswith("a pixel is 250 m")


def test_coordinates_as_fine_as_a_pixel_are_no_finding():
    x, y = points()
    assert placed(x.round(5), y.round(5)) == []
    assert placed(x.round(3), y.round(3)) == []  # 111 m, and a pixel has 250


def test_coarse_eastings_are_found_through_the_crs_of_the_table():
    stream = np.random.default_rng(2)
    name, metres = "ETRS89 / UTM zone 32N", 650_000 + np.column_stack([stream.uniform(0, 30_000, 40)] * 2)
    metres[:, 1] = 5_320_000 + stream.uniform(0, 30_000, 40)
    to_degrees = pyproj.Transformer.from_crs(name, "EPSG:4326", always_xy=True)
    [(_, found)] = placed(*to_degrees.transform(*(metres / 1000).round().T * 1000), crs=name)
    assert "rounded to 1,000 m" in found
    assert placed(*to_degrees.transform(*metres.round().T), crs=name) == []


def test_many_samples_of_one_day_at_one_point_are_a_note():
    x, y = points()
    x[:40], y[:40] = 11.54321, 48.12345
    [(severity, found)] = placed(x, y)
    assert (severity, found) == ("note", "40 samples of one day stand at 11.54321, 48.12345")
    assert placed(np.r_[x[39:], x[39:45]], np.r_[y[39:], y[39:45]]) == []  # six replicates are usual
