"""What an evaluation finds out beside the comparison: each table against its definition, on one small evaluation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from soc_assets.integrity.schemas import TABLES
from soc_assets.regression.evaluation import engine, kept
from soc_assets.regression.evaluation.best import best_recipe
from soc_assets.regression.evaluation.engine import run_fits
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.evaluation.plan import make_plan
from soc_assets.regression.evaluation.scoring import out_of_fold, score_table
from soc_assets.regression.evaluation.supplement import NAMES, Comparison, Supplement, make_supplement
from soc_assets.regression.metrics import r_squared
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.report.sections import display
from soc_assets.regression.report.supplement_sections import sections_of
from soc_assets.regression.words import model_words
from soc_assets.settings import Training
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests.regression.designs import folds_of, make

SETTINGS = Evaluation(
    schemes=("block",),
    models=("ridge",),
    feature_sets=("point",),
    recipes=(Recipe(name="mlp", hidden=(4,), epochs=2, members=1, intervals=False),),
    candidates=(
        Recipe(name="few", hidden=(4,), epochs=2, members=1, features="point:1"),
        Recipe(name="linear", model="ridge", weight_decay=3.0, features="point:1"),
    ),
    learning_curve=(0.25, 0.5),
    network_choices=2,
    draws=100,
    workers=1,
)
OPTIONS = Options(training=Training(hidden=(8, 4), epochs=3, device="cpu"))
HIGHER = 6.0  # g/kg that the laboratory LfU measures too much


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def compared(folder) -> Comparison:
    """Ridge, MLPs and the documented MLP by blocks; one of two laboratories measures too much."""
    plain = make()
    source = np.where(np.arange(240) // 2 % 2, "LfU", "LUCAS")  # of both visits to a location
    carbon = plain.samples["organic_carbon"] + np.where(source == "LfU", HIGHER, 0.0)
    design = replace(plain, samples=plain.samples.assign(organic_carbon=carbon, source=source))
    by_source = folds_of(design, scheme="leave_source_out").assign(fold=pd.factorize(design.samples["source"])[0])
    folds = pd.concat([folds_of(design, 3), by_source], ignore_index=True)
    plan = make_plan(design, folds, SETTINGS, "embedding")
    done = run_fits(plan.fits, design, folder, OPTIONS, 1)
    models = out_of_fold(done)
    scores = score_table(models, design, SETTINGS.draws, 0)
    return Comparison(design, folds, plan.folds, done, models, scores, "mean", "random (seed 42)")


@pytest.fixture(scope="module")
def found(compared, folder) -> Supplement:
    return make_supplement(compared, SETTINGS, folder, OPTIONS)


def test_fits_of_the_curve_see_nothing_of_the_test_part_and_the_whole_is_not_fitted_again(found, compared):
    location = compared.design.samples["location_id"].to_numpy()
    fits = [item.fit for item in found.done if "of the locations" in item.fit.model]
    assert len(fits) == 6  # two shares in three folds: those of all locations are the evaluation's
    known = {item.fit.number: item.fit for item in compared.done if item.fit.model == "ridge"}
    for fit in fits:
        assert not set(location[fit.train]) & set(location[fit.test])
        assert set(fit.train) <= set(known[fit.number].train)
        assert fit.test.tolist() == known[fit.number].test.tolist()
        assert len(np.unique(fit.inner)) == 2


def test_curve_scores_what_was_fitted_on_each_share(found, compared):
    curve = found["learning_curve"]
    assert tuple(curve.columns) == TABLES["learning_curve"].names
    assert curve["share"].tolist() == [0.25, 0.5, 1.0]
    assert set(curve["recipe"]) == {"ridge"}
    whole = leaderboard(compared.scores, "block").set_index("model").loc["ridge"]
    assert curve["r2"].iloc[-1] == pytest.approx(whole["r2"])
    half = [item for item in found.done if "50% of the locations" in item.fit.model]
    rows = pd.concat([item.result.predictions for item in half])
    assert curve["r2"].iloc[1] == pytest.approx(r_squared(rows["observed"].to_numpy(), rows["predicted"].to_numpy()))
    assert curve["gain"].iloc[1] == pytest.approx(curve["r2"].iloc[2] - curve["r2"].iloc[1])
    assert curve["gain"].isna().tolist() == [False, False, True]
    assert (curve["r2_low"] < curve["r2"]).all() and (curve["r2"] < curve["r2_high"]).all()
    assert curve["locations"].iloc[0] == pytest.approx(np.ceil(0.25 * 80))  # of 120 locations in three folds


def test_nothing_is_fitted_twice_and_its_fits_are_in_use(found, compared, folder, monkeypatch):
    monkeypatch.setattr(engine, "run_fold", None)
    again = make_supplement(compared, SETTINGS, folder, OPTIONS)
    assert all(item.cached for item in again.done)
    for name in NAMES:
        pd.testing.assert_frame_equal(again[name], found[name])
    [used] = [item for item in kept.kept(folder) if item.what == "fits"]
    assert used.in_use
    without = SETTINGS.model_copy(update={"learning_curve": (), "network_choices": 0, "source_offsets": False})
    none = make_supplement(compared, without, folder, OPTIONS)
    assert none.done == ()
    assert [name for name in NAMES if len(none[name])] == ["highest_values"]
    free = [item for item in kept.kept(folder) if item.what == "fits" and not item.in_use]
    assert {path.stem for item in free for path in item.paths} == {item.digest for item in found.done}
    make_supplement(compared, SETTINGS, folder, OPTIONS)


def test_laboratory_that_measures_too_much_has_that_offset(found, compared):
    table = found["source_offsets"].set_index("source")
    assert table.index.tolist() == ["LUCAS", "LfU", "all"]
    own = pd.concat([item.result.predictions for item in compared.done if item.fit.model == table["model"].iloc[0]])
    residual = (own["observed"] - own["predicted"]).groupby(
        compared.design.samples.set_index("sample_id").loc[own["sample_id"], "source"].to_numpy()
    )
    assert table["offset"].drop("all").to_dict() == pytest.approx(residual.mean().to_dict())
    apart = table.loc["LfU", "offset"] - table.loc["LUCAS", "offset"]
    assert apart == pytest.approx(HIGHER, abs=1.5)
    assert table.loc["LfU", "offset_low"] > 0 > table.loc["LUCAS", "offset_high"]
    assert table.loc["LfU", "factor_low"] > 1 > table.loc["LUCAS", "factor_high"]
    assert table.loc["all", "n"] == 240
    # a model of the other laboratory alone is too low by all of it
    assert table.loc["LfU", "left_out_bias"] == pytest.approx(-HIGHER, abs=1.5)
    assert table.loc["LUCAS", "left_out_bias_low"] > 0
    assert np.isnan(table.loc["all", "left_out_r2"])


def test_one_laboratory_has_no_table(compared, folder):
    alone = replace(compared.design, samples=compared.design.samples.assign(source="LfU"))
    found = make_supplement(replace(compared, design=alone), SETTINGS, folder, OPTIONS)
    assert found["source_offsets"].empty
    assert tuple(found["source_offsets"].columns) == TABLES["source_offsets"].names


def test_each_variant_of_the_documented_network_changes_one_choice(found, compared):
    table = found["network_choices"]
    assert table["choice"].tolist() == [
        "as documented",
        "target",
        "weight decay",
        "split",
        "features",
        "weights of the encoder",
        "current practice",
    ]
    base = next(item.fit.recipes[0] for item in compared.done if item.fit.model == "mlp_documented")
    recipes = {fit.fit.model: fit.fit.recipes[0] for fit in found.done if "other" in fit.fit.model}
    changed = {
        name: {k for k, v in recipe.model_dump(exclude={"name"}).items() if v != getattr(base, k)}
        for name, recipe in recipes.items()
    }
    assert changed == {
        "mlp_documented, other target": {"target"},
        "mlp_documented, other weight decay": {"decay"},
        "mlp_documented, other split 1": {"validation_fold"},
        "mlp_documented, other split 2": {"validation_fold"},
        "mlp_documented, other features": {"features"},
    }
    assert set(table["folds"]) == {2}
    first = {
        model: pd.concat(
            [
                item.result.predictions
                for item in compared.done
                if (item.fit.scheme, item.fit.model) == ("block", model) and item.fit.number < 2
            ]
        )
        for model in ("mlp_documented", "mlp")
    }
    by = table.set_index("choice")
    for choice, model in (("as documented", "mlp_documented"), ("current practice", "mlp")):
        rows = first[model]
        r2 = r_squared(rows["observed"].to_numpy(), rows["predicted"].to_numpy())
        assert by.loc[choice, ["r2", "n"]].tolist() == pytest.approx([r2, len(rows)])
    measured = by["difference"].dropna()
    assert measured.index.tolist() == ["target", "weight decay", "split", "features", "current practice"]
    assert measured.to_dict() == pytest.approx((by["r2"] - by.loc["as documented", "r2"])[measured.index].to_dict())
    assert by.loc["weights of the encoder", ["instead", "n"]].tolist() == ["pretrained: needs a checkpoint", 0]
    # the networks of other splits are averaged with the documented one
    splits = [item.result.predictions for item in found.done if ", other split" in item.fit.model]
    every = pd.concat([first["mlp_documented"], *splits]).groupby("sample_id")[["observed", "predicted"]].mean()
    assert by.loc["split", "r2"] == pytest.approx(r_squared(*every.to_numpy().T))


def test_dear_recipe_is_passed_over_for_the_next(compared):
    board = leaderboard(compared.scores, "block")
    first, second = board["model"].iloc[0], board["model"].iloc[1]
    slow = [
        replace(item, result=replace(item.result, facts=item.result.facts | {"seconds": 1e4}))
        if item.fit.model == first
        else item
        for item in compared.done
    ]
    assert best_recipe(compared.done, compared.scores, "block", 10).model == first
    found = best_recipe(slow, compared.scores, "block", 10)
    assert found.model == second
    assert f"{model_words(first)} on" in found.words and "would take" in found.words
    mean = compared.scores[compared.scores["model"] == "mean"]
    assert best_recipe(compared.done, mean, "block", 10) is None


def test_choice_counts_as_the_recipe_that_it_made_most_often(compared, folder):
    """It is fitted on all locations, too, where the evaluation has it only as a choice."""
    only = compared.scores[compared.scores["model"] == "mlp_chosen"]
    found = make_supplement(replace(compared, scores=only), SETTINGS, folder, OPTIONS)
    curve = found["learning_curve"]
    assert curve[["model", "features", "recipe"]].drop_duplicates().values.tolist() == [
        ["mlp_chosen", "chosen", "linear"]
    ]
    assert "linear, chosen most often in the inner folds" in found.words
    whole = [item for item in found.done if "100% of the locations" in item.fit.model]
    assert len(whole) == 3
    assert curve["r2"].iloc[-1] == pytest.approx(only.query("scope == 'pooled' and metric == 'r2'")["value"].iloc[0])


def test_sections_state_the_numbers_of_the_tables(found):
    sections = sections_of(found, "block")
    assert [section.title for section in sections] == [
        "How much is enough",
        "Laboratories and programmes",
        "The highest one per cent",
        "What each choice of the documented network costs",
    ]
    text = " ".join(words for section in sections for words in section.paragraphs)
    curve = found["learning_curve"]
    assert f"from {curve['r2'].iloc[1]:.3f} to {curve['r2'].iloc[2]:.3f}" in text
    offsets = found["source_offsets"].set_index("source").loc["LfU"]
    said = f"more (95 % interval {offsets['offset_low']:.1f} to {offsets['offset_high']:.1f}), as a factor"
    assert "LfU measures" in text and said in text and "which includes 1" not in text
    assert "In 2 block folds (" in text
    assert "Not measured here: weights of the encoder (pretrained, needs a checkpoint)." in text
    for section in sections:
        assert all(table.caption and len(table.rows) for table in section.tables)
        assert all(figure.png.startswith(b"\x89PNG") and figure.alt for figure in section.figures)
    assert [figure.name for section in sections for figure in section.figures] == [
        "learning_curve",
        "source_offsets",
        "network_choices",
    ]
    assert sections_of(Supplement(), "block") == []


def test_offset_of_a_source_that_was_left_out_has_the_sign_of_the_other(found):
    [section] = [each for each in sections_of(found, "block") if each.title == "Laboratories and programmes"]
    shown, row = section.tables[0].rows.set_index("Source"), found["source_offsets"].set_index("source").loc["LfU"]
    ends = f"({-row['left_out_bias_high']:.2f} to {-row['left_out_bias_low']:.2f})"
    assert shown.loc["LfU", "Offset, left out, g/kg"] == f"{-row['left_out_bias']:.2f} {ends}"
    assert float(shown.loc["LfU", "Offset, left out, g/kg"].split()[0]) > 0 < row["offset"]
    assert "Bias, left out, g/kg" not in shown
    drawn = "those of a source that was left out draw its blocks, or locations where it has fewer than 10 blocks."
    assert section.tables[0].caption.endswith(drawn) == (row["unit"] == "blocks")


def test_one_highest_observation_of_fifty_is_two_per_cent(found):
    table = found["highest_values"].assign(n=50, highest=1)
    section = next(each for each in sections_of(Supplement({"highest_values": table}), "block"))
    assert section.title == "The highest observations"
    assert section.paragraphs[0].startswith("The highest observation of 50 (2 %, from ")
    assert " makes " in section.paragraphs[0] and "without it its R2" in section.paragraphs[0]
    caption = section.tables[0].caption
    assert caption == "Scores with and without the highest observation (2 %), and its share of the squared error."


def test_one_fold_of_the_network_is_named_in_the_singular(found):
    table = found["network_choices"].assign(folds=1)
    section = next(each for each in sections_of(Supplement({"network_choices": table}), "block"))
    assert section.paragraphs[0].startswith("In one block fold (")


def test_numbers_are_rounded_once(found):
    """0.7453 is 0.75, and not 0.74 by way of 0.745."""
    table = found["highest_values"].assign(r2=0.7453, bias=-0.6346)
    supplement = Supplement({**found.tables, "highest_values": table})
    [section] = [each for each in sections_of(supplement, "block") if each.title == "The highest one per cent"]
    shown = display(section.tables[0].rows)
    assert (shown["R2"][0], shown["Bias, g/kg"][0]) == ("0.75", "-0.63")
