"""The worth of a single split's scores: intervals by location, and coordinates alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from soc_assets.regression.evaluation.single_split import BY_PLACE, judge_splits


def samples_of(places: int, visits: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples with equal values at each place, of a field that rises to the east, and predictions of it with errors."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.uniform(0, 80_000, places), visits)
    field = 20 + x / 2000
    observed = field + np.repeat(rng.normal(0, 3, places), visits)
    predicted = field + np.repeat(rng.normal(0, 6, places), visits)
    names = [f"s{number}" for number in range(len(x))]
    split = np.repeat(rng.choice(["train", "validation", "test"], places, p=[0.6, 0.15, 0.25]), visits)
    predictions = pd.DataFrame({"sample_id": names, "split": split, "observed": observed, "predicted": predicted})
    where = {"sample_id": names, "location_id": np.repeat(np.arange(places), visits), "x": x, "y": np.zeros(len(x))}
    return predictions, pd.DataFrame(where).sample(frac=1, random_state=1)  # in another order


def test_interval_is_that_of_a_bootstrap_over_locations():
    predictions, samples = samples_of(places=211, visits=3)
    worth = judge_splits(predictions, samples, seed=3)
    assert worth is not None
    table = predictions.merge(samples, on="sample_id")
    rng = np.random.default_rng(0)
    for split in ("test", "validation"):
        parts = [part for _, part in table[table["split"] == split].groupby("location_id")]
        drawn = [pd.concat([parts[i] for i in rng.integers(0, len(parts), len(parts))]) for _ in range(400)]
        r2 = [r2_score(part["observed"], part["predicted"]) for part in drawn]
        assert worth.intervals[split] == pytest.approx(np.quantile(r2, [0.025, 0.975]), abs=0.05)


def test_place_alone_is_fitted_on_what_is_not_test():
    predictions, samples = samples_of(places=200, visits=1)
    worth = judge_splits(predictions, samples, seed=3)
    assert worth is not None and 0.85 < worth.by_place < 1
    shuffled = predictions.copy()
    rest = shuffled["split"] != "test"
    shuffled.loc[rest, "observed"] = shuffled.loc[rest, "observed"].sample(frac=1, random_state=0).to_numpy()
    learnt_nothing = judge_splits(shuffled, samples, seed=3)
    assert learnt_nothing is not None and learnt_nothing.by_place < 0.2
    assert learnt_nothing.intervals["test"] == worth.intervals["test"]
    assert worth.metrics()[BY_PLACE] == worth.by_place


def test_nothing_is_said_without_test_samples_or_others():
    predictions, samples = samples_of(places=30, visits=1)
    for split in ("train", "test"):
        assert judge_splits(predictions.assign(split=split), samples, seed=3) is None
    no_validation = predictions.replace({"split": {"validation": "train"}})
    worth = judge_splits(no_validation, samples, seed=3)
    assert worth is not None and set(worth.intervals) == {"test"}
