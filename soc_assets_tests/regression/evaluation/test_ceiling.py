from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rasterio.transform import Affine

from soc_assets.geo.grid import WGS84, Grid
from soc_assets.regression.evaluation.ceiling import (
    ALL,
    ALONE,
    NUGGET,
    Limit,
    _words,
    find_ceiling,
    nugget_limit,
    pixel_steps,
    replicate_limits,
)
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.settings import Band, Rasters, Study
from soc_assets_tests.regression.designs import make

GRID = Grid(WGS84, Affine(0.01, 0, 9.0, 0, -0.01, 49.0), 200, 200)


def test_pure_error_is_the_pooled_variance_within_places_by_hand():
    values = np.array([1.0, 3.0, 10.0, 10.0, 13.0, 20.0, *np.tile([4.0, 6.0], 9)])
    place = np.array(["a", "a", "b", "b", "b", "alone", *np.repeat([f"c{i}" for i in range(9)], 2)])
    every, alone = replicate_limits(values, place, "g/kg", 200, 0)
    pure = (2 * 1.0 + 2 * 1.0 + 4.0 + 9 * 2.0) / (1 + 2 + 9)  # squares within a (2), b (6) and nine c (2 each)
    assert pure == pytest.approx((2 + 6 + 18) / 12)
    assert every.share == pytest.approx(pure / values.var())
    assert alone.share == pytest.approx(pure / values[place != "alone"].var())
    assert (every.places, every.samples) == (11, 23)
    assert every.low <= every.share <= every.high
    assert every.ceiling == pytest.approx(1 - every.share)


def test_pure_error_is_unbiased_for_places_of_unequal_size_and_its_interval_covers():
    """Variance 3 between and 1 within places of 1 to 5 samples: the share is a quarter."""
    found, covered = [], 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        place = np.repeat(np.arange(150), rng.integers(1, 6, 150))
        values = rng.normal(0, np.sqrt(3), 150)[place] + rng.normal(size=len(place))
        every, _ = replicate_limits(values, place, "g/kg", 100, seed)
        found.append(every.share)
        covered += every.low <= 0.25 <= every.high
    assert np.mean(found) == pytest.approx(0.25, abs=0.01)
    assert covered >= 50


def test_no_replicates_no_limit():
    values = np.arange(40.0)
    assert replicate_limits(values, np.arange(40), "g/kg", 100, 0) == []
    assert (
        replicate_limits(values, np.arange(40) // 2 + 100 * (np.arange(40) > 17) * np.arange(40), "g/kg", 100, 0) == []
    )


def test_samples_of_one_pixel_are_replicates_only_where_their_covariates_are_equal():
    samples = pd.DataFrame(
        {
            "longitude": [10.001, 10.002, 10.003, 10.011],
            "latitude": 48.0,
            "year": pd.array([2012, 2012, 2013, 2012], "Int32"),
            "season": ["winter", "winter", "winter", "winter"],
            "season_year": pd.array([2012, 2013, 2013, 2012], "Int32"),
        }
    )
    static, elevation = Study(time_before=0), Band(name="Elevation", kind="static")

    def groups(bands, study):
        return pd.factorize(pixel_steps(samples, GRID, Rasters(bands=(elevation, *bands)), study))[0].tolist()

    assert groups((), Study()) == groups((Band(name="LAI"),), static) == [0, 0, 0, 1]
    assert groups((Band(name="LAI"),), Study()) == [0, 0, 1, 2]
    assert groups((Band(name="LAI", kind="seasonal"),), Study()) == [0, 1, 2, 3]


@pytest.fixture(scope="module")
def field():
    """A field of practical range 15 km and variance 4, noise of variance 1, at places of 100 km squared."""
    rng = np.random.default_rng(5)
    places = rng.uniform(0, 1e5, (700, 2))
    h = np.linalg.norm(places[:, None] - places[None], axis=2)
    smooth = np.linalg.cholesky(4 * np.exp(-3 * h / 1.5e4) + 1e-8 * np.eye(700)) @ rng.normal(size=700)
    blocks = np.array([f"{int(y // 2e4)},{int(x // 2e4)}" for x, y in places])
    return places, smooth + rng.normal(size=700), blocks


def test_nugget_of_residuals_is_a_share_of_the_variance_with_its_jackknife(field):
    places, values, blocks = field
    limit, sums, model = nugget_limit(values, values, places, blocks, "g/kg", 0)
    assert limit.share == pytest.approx(model.nugget / values.var())
    assert limit.low < 0.2 < limit.high and limit.high - limit.low < 0.6
    assert (limit.places, limit.samples) == (25, 700)
    assert sums.estimate().pairs.sum() > 20_000
    few = nugget_limit(values, values, places, np.arange(700) % 4, "g/kg", 0)[0]
    assert np.isnan(few.low) and few.share == pytest.approx(limit.share)
    assert nugget_limit(values, values, np.zeros((700, 2)), blocks, "g/kg", 0)[0] is None


def test_sentence_has_r2_beside_its_ceiling_or_says_that_there_is_none():
    design = make()
    rows = pd.DataFrame({"sample_id": design.samples["sample_id"], "observed": design.samples["organic_carbon"]})
    found = OutOfFold("block", "good", "point", rows.assign(predicted=rows["observed"] * 0.9), 0, (), 0.0)
    bare = find_ceiling(found, design, 100, 0)
    assert "replicates set no ceiling" in bare.words
    assert {limit.source for limit in bare.limits} == {NUGGET}
    places = design.samples.assign(pixel_step=design.samples["location_id"])  # two samples each
    paired = find_ceiling(found, replace(design, samples=places), 100, 0)
    every, alone, nugget = (limit for limit in paired.limits if limit.scale == "g/kg")
    assert every.share == pytest.approx(alone.share)
    assert f"{paired.r2['g/kg']:.2f} of at most {every.ceiling:.2f} to {alone.ceiling:.2f}" in paired.words
    for limit, words in ((every, f"95 % interval {every.low:.2f}"), (alone, f"{alone.low:.2f}")):
        assert f"by {limit.share:.2f} ({words} to {limit.high:.2f}) of the variance of" in paired.words
    assert f"{nugget.share:.2f} of the variance (95 % interval {nugget.low:.2f} to {nugget.high:.2f})" in paired.words
    assert {limit.scale for limit in paired.limits} == {"g/kg", "log"}
    assert paired.as_json()["limits"][0]["share"] == every.share


def test_nugget_below_r2_is_not_called_a_ceiling():
    words = [_words(r2, [Limit(NUGGET, "g/kg", 0.25, 0.02, 0.7, 30, 760)], 760) for r2 in (0.6, 0.8)]
    assert all("which leaves 0.75 (0.30 to 0.98)." in said for said in words)
    assert [said.endswith("too roughly here to be a ceiling.") for said in words] == [False, True]


@pytest.mark.parametrize(("r2", "which"), [(0.2, ""), (0.3, "the lower"), (0.45, "both")])
def test_r2_above_the_ceilings_of_replicates_says_that_they_are_rough(r2, which):
    every = Limit(ALL, "g/kg", 0.63, 0.5, 0.8, 12, 30)
    words = _words(r2, [every, Limit(ALONE, "g/kg", 0.78, 0.6, 0.95, 12, 30)], 400)
    assert f"{r2:.2f} of at most 0.22 to 0.37" in words
    assert "by 0.63 (95 % interval 0.50 to 0.80) of the variance" in words and "by 0.78 (0.60 to 0.95) of" in words
    assert (f"R2 itself is above {which} of these ceilings" in words) == bool(which)


def test_interval_of_a_nugget_above_the_variance_contains_its_share(field):
    """Of noise alone the fitted nugget may be larger than the variance."""
    places, _, blocks = field
    values = np.random.default_rng(0).normal(size=len(places))
    shares = []
    for scale in (1.0, 1.2):
        limit = nugget_limit(values, scale * values, places, blocks, "g/kg", 0)[0]
        assert limit is not None and limit.low < limit.share <= limit.high
        shares.append(limit.share)
    assert shares[1] > 1
