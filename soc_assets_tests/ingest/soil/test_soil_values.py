import numpy as np
import pandas as pd
import pytest

from soc_assets.ingest.soil.values import below_detection, to_dates, to_numbers, to_seasons


def text(*values: str) -> pd.Series:
    return pd.Series(values, dtype="str")


def commas(series: pd.Series, value: bool = False) -> pd.Series:
    return pd.Series(value, series.index)


@pytest.mark.parametrize(
    ("written", "year", "month", "day"),
    [
        ("06-07-18", 2018, 7, 6),
        ("06.07.2018", 2018, 7, 6),
        ("6/7/2018", 2018, 7, 6),
        ("2018-07-06", 2018, 7, 6),
        ("2018/7/6", 2018, 7, 6),
        ("20180706", 2018, 7, 6),
        ("2018-07-06T10:30:00Z", 2018, 7, 6),
        ("2018-07-06 00:00:00", 2018, 7, 6),
        ("31-12-49", 2049, 12, 31),
        ("01-01-85", 1985, 1, 1),
        ("29.02.2012", 2012, 2, 29),
    ],
)
def test_dates_are_iso_or_day_first(written, year, month, day):
    dates, years = to_dates(text(written))
    assert dates.item() == pd.Timestamp(year, month, day)
    assert years.item() == year


@pytest.mark.parametrize(
    "written", ["", "2018-13-01", "31-02-18", "07/25/2018", "soon", "201807", "0018-07-06", "1-2.2018"]
)
def test_what_is_no_date_gives_no_date(written):
    dates, years = to_dates(text(written))
    assert dates.isna().item()
    assert years.isna().item()


@pytest.mark.parametrize("written", ["2018", "2018.0"])
def test_bare_year_gives_the_year_without_a_date(written):
    dates, years = to_dates(text(written))
    assert dates.isna().item()
    assert years.item() == 2018
    assert years.dtype == "Int32"


def test_winter_belongs_to_the_year_of_its_january():
    dates = pd.Series(pd.to_datetime(["2011-12-01", "2012-01-15", "2012-02-29", "2012-03-01", "2012-11-30", None]))
    seasons, years = to_seasons(dates)
    assert seasons.fillna("-").to_list() == ["winter", "winter", "winter", "spring", "autumn", "-"]
    assert years.to_list() == [2012, 2012, 2012, 2012, 2012, pd.NA]


def test_numbers_are_exact_and_anything_else_is_nan():
    written = text("20.8181913630771", "-1.5e-3", ".5", "7.", "1 2", "", "1,5", "nan", "inf", "12 g/kg", "0x10")
    numbers = to_numbers(written, commas(written))
    assert numbers[:4].to_list() == [20.8181913630771, -0.0015, 0.5, 7.0]
    assert numbers[4:].isna().all()


def test_decimal_comma_counts_only_where_the_file_uses_it():
    written = text("1,5", "1.234,5", "2.5")
    np.testing.assert_array_equal(to_numbers(written, commas(written, True)), [1.5, 1234.5, 2.5])
    np.testing.assert_array_equal(to_numbers(written, commas(written)), [np.nan, np.nan, 2.5])


def test_detection_limits_are_recognised():
    written = text("< LOD", "<0.0", "< 2.0", "<LOD", "LOD", "2.0", "", "lodge")
    below, limit = below_detection(written, commas(written))
    assert below.to_list() == [True] * 5 + [False] * 3
    np.testing.assert_array_equal(limit[:5], [np.nan, 0.0, 2.0, np.nan, np.nan])
