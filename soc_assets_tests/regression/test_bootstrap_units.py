"""What the bootstrap draws, and who shares its draws."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.evaluation import bootstrap
from soc_assets.regression.evaluation.bootstrap import Draws, intervals, resampled
from soc_assets.regression.evaluation.leaderboard import compare_models
from soc_assets.regression.evaluation.scoring import OutOfFold, score_table, strata
from soc_assets_tests.regression.designs import make


def samples(blocks: int, sources: int = 2) -> pd.DataFrame:
    number = np.arange(600)
    return pd.DataFrame(
        {
            "location_id": [f"l{i // 2}" for i in number],
            "block": [f"{i % blocks},0" for i in number],
            "source": [f"laboratory {i % sources}" for i in number],
            "year": pd.array(2010 + number % 4, dtype="Int32"),
        }
    )


def test_what_a_scheme_holds_out_is_drawn_where_there_is_enough_of_it():
    table = samples(blocks=40, sources=12)
    drawn = {
        scheme: units_of(scheme, table)[1]
        for scheme in ("random", "location", "block", "knndm", "leave_source_out", "leave_year_out")
    }
    assert drawn == {
        "random": "locations",
        "location": "locations",
        "block": "blocks",
        "knndm": "blocks",
        "leave_source_out": "sources",
        "leave_year_out": "blocks",  # four years
    }
    assert (units_of("block", table)[0] == table["block"]).all()
    assert units_of("leave_source_out", samples(40))[1] == "blocks"
    assert units_of("block", samples(9))[1] == "locations"
    assert units_of("leave_year_out", table.assign(block=None))[1] == "locations"
    assert units_of("block", table.drop(columns="block"))[1] == "locations"


def predictions(design, scheme: str, name: str, error: np.ndarray, rows: slice = slice(None)) -> OutOfFold:
    observed = design.samples["organic_carbon"].to_numpy()
    predicted = observed + error
    table = pd.DataFrame({"sample_id": design.samples["sample_id"], "observed": observed, "predicted": predicted})
    table = table.assign(plain=predicted, target=observed, transformed=predicted, lower=np.nan, upper=np.nan, scale=1.0)
    table = table.assign(dissimilarity=np.nan, inside=True, fold=np.arange(len(table)) * 4 // len(table))[rows]
    failed = 4 - table["fold"].nunique()
    return OutOfFold(scheme, name, "point", table.reset_index(drop=True), failed, (), 0.0)


@pytest.fixture
def design():
    made = make()
    blocks = (np.arange(len(made.samples)) // 12).astype(str)
    return replace(made, samples=made.samples.assign(block=blocks))


def test_errors_shared_by_a_block_widen_the_interval_under_block_folds(design):
    n = len(design.samples)
    error = np.repeat(np.random.default_rng(0).normal(0, 5, n // 12 + 1), 12)[:n]
    table = score_table([predictions(design, s, "a", error) for s in ("location", "block")], design, 200, 0)
    rmse = table[(table["metric"] == "rmse") & (table["scope"] == "pooled") & (table["scale"] == "g/kg")]
    width = (rmse["high"] - rmse["low"]).set_axis(rmse["scheme"])
    assert width["block"] > 1.5 * width["location"]
    pair = [predictions(design, "block", "a", error), predictions(design, "block", "b", 0.9 * error)]
    apart = [replace(model, scheme="location") for model in pair]
    wide, narrow = compare_models(*pair, design, 200, 0), compare_models(*apart, design, 200, 0)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_models_that_failed_in_different_folds_do_not_share_draws(design):
    n = len(design.samples)
    error = np.random.default_rng(1).normal(0, 5, n)
    first = predictions(design, "block", "first", error, slice(0, n // 2))
    second = predictions(design, "block", "second", error, slice(n // 2, n))
    together = score_table([first, second], design, 200, 0)
    alone = score_table([second], design, 200, 0)
    columns = ["scope", "part", "metric", "value", "low", "high"]
    found = together.loc[together["model"] == "second", columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, alone[columns])


def test_strata_end_where_the_study_ends(design):
    assert strata(150.0) == (0, 15, 30, 50, 150)
    assert strata(400.0) == (0, 15, 30, 50, 150, 400)
    assert strata(40.0) == (0, 15, 30, 40)
    rich = design.samples.assign(organic_carbon=np.linspace(1, 400, len(design.samples)))
    rich_design = replace(design, samples=rich)
    model = predictions(rich_design, "block", "a", np.ones(len(rich)))
    table = score_table([model], rich_design, 100, 0, max_oc=400)
    part = table[(table["scope"] == "oc_stratum") & (table["metric"] == "rmse")].set_index("part")["n"]
    assert {"50-150", "150-400"} <= set(part.index)
    assert part["150-400"] == (rich["organic_carbon"] >= 150).sum()


def test_draws_that_are_too_many_to_keep_are_the_same_ones(monkeypatch):
    rng = np.random.default_rng(5)
    observed, units = rng.lognormal(3, 0.6, 900), np.arange(900) // 3
    predicted = observed + rng.normal(0, 4, 900)
    kept = resampled(observed, predicted, Draws.of(units, 3, 200))
    monkeypatch.setattr(bootstrap, "_MOST_KEPT", 0)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 7000)
    again = resampled(observed, predicted, Draws.of(units, 3, 200))
    for name, values in kept.items():
        np.testing.assert_allclose(again[name], values)


def test_memory_of_draws_is_bounded():
    locations = np.arange(20_000)
    tracemalloc.start()
    draws = Draws.of(locations, 0, 200)
    intervals(locations.astype(float), locations + 1.0, draws)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6  # as float64 the draws alone took 32 MB here, and 800 MB for 100,000 locations and 1,000 draws
    assert sum(times.nbytes for times in draws.kept) == 20_000 * 200
