"""Whether the place or the covariates carry the scores, and scores of intervals by fifths of the predictions."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.evaluation.leaderboard import calibration_curve, leaderboard, verdict
from soc_assets.regression.evaluation.plan import make_plan
from soc_assets.regression.evaluation.scoring import OutOfFold, score_table
from soc_assets.regression.models.conformal import LEVELS
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests.regression.designs import folds_of, make

DESIGN = make(200)


def predictions(model: str, features: str, error: float, seed: int) -> OutOfFold:
    """Out-of-fold predictions of the design with an error of this standard deviation, g/kg."""
    rng, oc = np.random.default_rng(seed), DESIGN.samples["organic_carbon"].to_numpy()
    predicted = oc + rng.normal(0, error, len(oc))
    rows = pd.DataFrame(
        {
            "sample_id": DESIGN.samples["sample_id"],
            "observed": oc,
            "predicted": predicted,
            "plain": predicted,
            "lower": predicted - 1.645 * error,
            "upper": predicted + 1.645 * error,
            "target": oc,
            "transformed": predicted,
            "scale": error,
            "crps": np.abs(predicted - oc),
            "interval_score": 2.0,
            "pit": rng.uniform(size=len(oc)),
            "dissimilarity": np.nan,
            "inside": True,
            "fold": np.arange(len(oc)) % 4,
        }
    )
    return OutOfFold("block", model, features, rows, 0, (), 1.0, True)


def words_of(place: float, covariates: float, both: float | None) -> str:
    models = [predictions("mean", "coordinates", 0.5, 0), predictions("kriging", "coordinates", place, 1)]
    models.append(predictions("ridge", "point", covariates, 2))
    if both is not None:
        models.append(predictions("gaussian_process", "point+coordinates", both, 3))
    return verdict(models, score_table(models, DESIGN, 200, 0), "block", DESIGN, 200, 0).words


@pytest.mark.parametrize(
    ("place", "covariates", "said"),
    [
        (9.0, 3.0, "Covariates carry the score"),
        (2.0, 8.0, "Space carries"),
        (5.0, 5.05, "Neither covariates nor space"),
    ],
)
def test_sentence_says_what_carries_the_score(place, covariates, said):
    words = words_of(place, covariates, 2.5)
    assert said in words
    assert "best model of the place alone is kriging on coordinates" in words  # and not the mean, which knows no place
    assert "of both gaussian_process on point+coordinates" in words


def test_sentence_needs_both_kinds():
    only = [predictions("ridge", "point", 3.0, 0)]
    assert verdict(only, score_table(only, DESIGN, 200, 0), "block", DESIGN, 200, 0).carried is None
    assert "of both" not in words_of(4.0, 3.0, None)


def test_fifths_of_the_predictions_have_coverage_and_distributions_have_scores():
    table = score_table([predictions("ridge", "point", 4.0, 0)], DESIGN, 200, 0)
    fifths = table[(table["scope"] == "predicted") & (table["metric"] == "coverage")]
    assert fifths["part"].tolist() == [f"fifth {number}" for number in range(1, 6)]
    assert (fifths["n"] == 40).all()
    board = leaderboard(table, "block").iloc[0]
    assert board["interval_score"] == 2.0
    assert board["crps"] == pytest.approx(
        np.abs(predictions("ridge", "point", 4.0, 0).rows.eval("predicted - observed")).mean()
    )


def test_curve_of_calibration_follows_the_ranks_of_the_observations():
    found = predictions("ridge", "point", 4.0, 0)
    np.testing.assert_allclose(calibration_curve(found, LEVELS), LEVELS, atol=0.1)
    certain = OutOfFold(*found.key, found.rows.assign(pit=0.5), 0, (), 1.0)
    np.testing.assert_allclose(calibration_curve(certain, LEVELS), 1.0)


def test_models_of_space_are_planned_once_each_with_the_place_last():
    settings = Evaluation(schemes=("block",), documented=False, chosen=False)
    plan = make_plan(DESIGN, folds_of(DESIGN), settings, "embedding").table()
    space = plan[plan["features"].str.contains("coordinates")].set_index("model")["features"]
    assert space.to_dict() == {
        "coordinates": "coordinates",
        "mean": "coordinates",
        "kriging": "coordinates",
        "regression_kriging": "point+coordinates",
        "gaussian_process": "point+coordinates",
    }


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"model": "kriging", "features": "point+coordinates"}, "set features = 'coordinates'"),
        ({"model": "gaussian_process", "features": "point"}, "'point\\+coordinates', with the coordinates last"),
        ({"model": "regression_kriging", "features": "coordinates+point"}, "with the coordinates last"),
        ({"model": "kriging", "features": "coordinates", "balance": True}, "cannot be balanced"),
    ],
)
def test_recipe_of_space_without_its_place_is_refused_with_a_cure(chosen, said):
    with pytest.raises(ValueError, match=said):
        Recipe(name="r", **chosen)
