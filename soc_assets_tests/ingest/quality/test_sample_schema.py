"""The samples' schema names sample, column and value; drift is told by numbers before and now."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.ingest.quality.sample_drift import carbon_drift
from soc_assets.ingest.quality.sample_schema import schema_failures
from soc_assets_tests.small_world import reference_grid, samples_at


@pytest.fixture
def samples() -> pd.DataFrame:
    made = samples_at(range(10), range(10), [2015] * 10, reference_grid())
    return made.astype({"sample_id": "str", "season": "str", "source": "str"})


def failures(samples: pd.DataFrame, *, timed: bool = True) -> list[tuple[str, ...]]:
    return [*schema_failures(samples, timed=timed).itertuples(index=False, name=None)]


def test_good_samples_and_the_ends_of_each_range_pass(samples):
    samples.loc[0, ["longitude", "latitude", "organic_carbon"]] = [-180.0, 90.0, 0.0]
    samples.loc[1, ["longitude", "latitude", "organic_carbon"]] = [180.0, -90.0, 1000.0]
    assert failures(samples) == []


@pytest.mark.parametrize(
    ("column", "value", "told", "rule"),
    [
        ("organic_carbon", 1000.5, "1000.5", "between 0 and 1000"),
        ("organic_carbon", -0.1, "-0.1", "between 0 and 1000"),
        ("organic_carbon", np.nan, "nan", "not missing"),
        ("longitude", 180.5, "180.5", "between -180 and 180"),
        ("latitude", np.nan, "nan", "not missing"),
        ("year", 1902, "1902", "between 1950 and"),
        ("season", "monsoon", "monsoon", "one of winter"),
        ("source", None, "nan", "not missing"),
    ],
)
def test_a_value_out_of_place_names_sample_column_and_value(samples, column, value, told, rule):
    samples.loc[4, column] = value
    [(own, where, found, expected)] = failures(samples)
    assert (own, where, found) == ("s004", column, told)
    assert expected.startswith(rule)


def test_an_id_that_occurs_twice_is_told_with_both_rows(samples):
    samples.loc[7, "sample_id"] = "s002"
    assert [(own, column, rule) for own, column, _, rule in failures(samples)] == 2 * [("s002", "sample_id", "unique")]


def test_wrong_types_and_missing_columns_are_told(samples):
    [(_, column, found, rule)] = failures(samples.astype({"organic_carbon": "float32"}))
    assert (column, found, rule) == ("organic_carbon", "float32", "of type float64")
    [(_, _, found, rule)] = failures(samples.drop(columns="source"))
    assert (found, rule) == ("source", "a column of the table")


def test_a_year_may_be_missing_only_where_no_band_has_time(samples):
    samples.loc[3, "year"] = pd.NA
    assert [line[:2] for line in failures(samples)] == [("s003", "year")]
    assert failures(samples, timed=False) == []


def test_a_unit_mistake_drifts_and_a_second_draw_does_not():
    stream = np.random.default_rng(0)
    first, second = (pd.Series(stream.lognormal(2.8, 0.8, 2000)) for _ in range(2))
    same = carbon_drift(first, second)
    assert not same.drifted
    percent = carbon_drift(first, second / 10)
    assert percent.drifted
    assert percent.table["measure"].tolist() == ["samples", "median g/kg", "IQR g/kg", "share above 50 g/kg"]
    assert percent.table["before"].tolist()[1] == pytest.approx(first.median(), abs=1e-3)
    assert percent.table["now"].tolist()[1] == pytest.approx(second.median() / 10, abs=1e-3)
    assert f"median g/kg {round(first.median(), 3):g} -> " in percent.in_words()


def test_distance_is_that_of_kolmogorov_and_smirnov():
    from scipy.stats import ks_2samp

    stream = np.random.default_rng(1)
    old, new = stream.normal(20, 5, 300).round(), stream.normal(22, 5, 170).round()
    drift = carbon_drift(pd.Series(old), pd.Series(new))
    assert drift.distance == pytest.approx(ks_2samp(old, new).statistic)


def test_few_samples_never_drift_by_chance_alone():
    assert not carbon_drift(pd.Series([5.0, 10, 20]), pd.Series([8.0, 30, 60])).drifted
