from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import TrainingError
from soc_assets.regression.evaluation.compare import strata_of
from soc_assets.regression.evaluation.interval_scores import best_with_intervals, block_coverage, interval_scores
from soc_assets.regression.evaluation.scoring import OutOfFold, score_table
from soc_assets.settings.evaluation import Evaluation
from soc_assets_tests.regression.designs import make


def model(design, name: str, width: float | None, noise: float, baseline: bool = False) -> OutOfFold:
    """Predictions as the fits give them, with intervals of one width or none."""
    rng = np.random.default_rng(len(name))
    observed = design.samples["organic_carbon"].to_numpy()
    predicted = observed + rng.normal(0, noise, len(observed))
    half = np.nan if width is None else width / 2
    rows = pd.DataFrame({"sample_id": design.samples["sample_id"], "observed": observed, "predicted": predicted})
    rows = rows.assign(plain=predicted, target=np.log1p(observed), transformed=np.log1p(np.maximum(predicted, 0)))
    rows = rows.assign(lower=predicted - half, upper=predicted + half, scale=1.0, dissimilarity=np.nan, inside=True)
    return OutOfFold("block", name, "point", rows.assign(fold=np.arange(len(rows)) % 4), 0, (), 0.0, baseline)


@pytest.fixture(scope="module")
def scored():
    design = make()
    models = [
        model(design, "plain", None, 3.0, True),
        model(design, "good", 8.0, 2.0),
        model(design, "worse", 4.0, 5.0),
    ]
    return design, models, score_table(models, design, 100, 0)


def test_every_region_has_all_scores_of_its_own_samples(scored):
    design, models, table = scored
    found = table[(table["scope"] == "region") & (table["model"] == "good")]
    assert set(found["part"]) == {"west", "east"}
    assert {"r2", "rmse", "bias", "ccc", "coverage", "width"} <= set(found["metric"])
    rows = models[1].rows
    for region in ("west", "east"):
        inside = (design.samples["region"] == region).to_numpy()
        part = found[found["part"] == region].set_index("metric")
        assert (part["n"] == inside.sum()).all()
        error = (rows["predicted"] - rows["observed"])[inside]
        assert part.loc["rmse", "value"] == pytest.approx(np.sqrt((error**2).mean()))
        assert part.loc["coverage", "value"] == pytest.approx((error.abs() <= 4).mean())
        assert part.loc["coverage", "low"] < part.loc["coverage", "value"] <= part.loc["coverage", "high"]


def test_table_of_intervals_has_all_samples_then_strata_then_regions_of_each_model(scored):
    design, _, table = scored
    found = interval_scores(table, "block")
    assert found["model"].drop_duplicates().tolist() == ["good", "worse"]  # `plain` states none; the best comes first
    good = found[found["model"] == "good"]
    assert good["scope"].drop_duplicates().tolist() == ["pooled", "oc_stratum", "predicted", "region"]
    assert good["part"].iloc[0] == "all" and good["n"].iloc[0] == 240
    assert good["width"].to_numpy() == pytest.approx(8.0)
    assert good["n"][good["scope"] == "region"].sum() == design.samples["region"].notna().sum() < 240
    assert set(best_with_intervals(table, "block", 1)["model"]) == {"good"}


def test_coverage_over_blocks_names_the_lowest(scored):
    design, models, table = scored
    rows, block = models[1].rows, design.samples["block"]
    inside = (
        ((rows["observed"] >= rows["lower"]) & (rows["observed"] <= rows["upper"])).groupby(block).agg(["mean", "size"])
    )
    enough = inside.loc[inside["size"] >= 20, "mean"]
    found = block_coverage(table, "block").set_index("model").loc["good"]
    assert found["blocks"] == len(enough) > 0
    assert found[["lowest", "highest"]].tolist() == pytest.approx([enough.min(), enough.max()])


def test_model_with_a_failed_fold_is_left_out(scored):
    design, models, _ = scored
    broken = [*models[:2], replace(models[2], failed=1)]
    table = score_table(broken, design, 100, 0)
    assert set(interval_scores(table, "block")["model"]) == set(block_coverage(table, "block")["model"]) == {"good"}


def test_share_inside_the_area_of_applicability_is_that_of_models_that_have_one(scored):
    design, models, table = scored
    assert "share_applicable" not in set(table["metric"])
    rows = models[1].rows.assign(dissimilarity=0.5, inside=np.arange(240) < 60)
    found = score_table([replace(models[1], rows=rows)], design, 100, 0).set_index(["scope", "metric"])["value"]
    assert found["pooled", "share_applicable"] == 0.25


def test_columns_of_the_soil_tables_are_strata_with_scores_of_their_own():
    design, rng = make(), np.random.default_rng(3)
    cover = np.where(np.arange(240) % 3, "Cropland", "Woodland")
    samples = design.samples.assign(land_cover=cover, clay=rng.uniform(5, 45, 240), laboratory="one")
    found = model(design, "good", 8.0, 2.0)
    table = score_table([found], replace(design, samples=samples), 100, 0, columns=("land_cover", "clay", "laboratory"))
    rmse = table[(table["metric"] == "rmse") & (table["scale"] == "g/kg")]
    by_cover = rmse[rmse["scope"] == "land_cover"].set_index("part")
    error = (found.rows["predicted"] - found.rows["observed"]).to_numpy()
    for part in ("Cropland", "Woodland"):
        assert by_cover.loc[part, "value"] == pytest.approx(np.sqrt((error[cover == part] ** 2).mean()))
    assert by_cover["n"].to_dict() == {"Cropland": 160, "Woodland": 80}
    assert rmse.loc[rmse["scope"] == "clay", "n"].to_list() == [60] * 4
    assert "laboratory" not in set(table["scope"])


def test_strata_that_no_sample_has_are_told_with_those_that_there_are():
    columns = ["sample_id", "year", "land_cover", "clay"]
    assert strata_of(Evaluation(), columns) == ["land_cover"]
    assert strata_of(Evaluation(strata=("clay", "year")), columns) == ["clay"]
    with pytest.raises(TrainingError, match=r"names 'sand'.*have land_cover, clay"):
        strata_of(Evaluation(strata=("sand",)), columns)
