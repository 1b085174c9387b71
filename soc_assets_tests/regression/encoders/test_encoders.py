"""The comparison of encoders: PCA against its definition, sentences, and the asset on a small project."""

from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from soc_assets.pretraining.inputs import read_region
from soc_assets.pretraining.windows import WindowSampler
from soc_assets.regression.encoders.compare import ALONE, BESIDE, COLUMNS, POINTS
from soc_assets.regression.encoders.pca import KEPT, fit_window_pca
from soc_assets.regression.encoders.words import verdict
from soc_assets.regression.models.recipes import NAMED
from soc_assets.settings.evaluation import ON_WINDOWS
from soc_assets_tests.command_line import refused, soc, states
from soc_assets_tests.pretraining.conftest import unlabelled  # noqa: F401
from soc_assets_tests.small_project import model_record

EVALUATION = """
[evaluation]
primary = "location"
schemes = ["location"]
draws = 100
workers = 1

[[evaluation.recipes]]
name = "tuned"
model = "finetune"
features = "window:16+point"
epochs = 2
members = 2
hidden = [8]
"""


def rows(own=0.4, low=0.02, high=0.2, pca=0.3, beside_low=-0.01, learned=True):
    made = [
        {"encoder": "random", "features": ALONE, "r2": 0.3},
        {"encoder": POINTS, "features": "point", "r2": 0.5},
        {"encoder": "pca_window", "features": ALONE, "r2": pca},
    ]
    if learned:
        made.append(
            {"encoder": "own pre-training", "features": ALONE, "r2": own}
            | {"over_random": own - 0.3, "over_random_low": low, "over_random_high": high}
            | {"over_pca": own - pca, "over_pca_low": own - pca - 0.05, "over_pca_high": own - pca + 0.05}
        )
        made.append(
            {"encoder": "own pre-training", "features": BESIDE, "r2": 0.52}
            | {"over_points": 0.02, "over_points_low": beside_low, "over_points_high": 0.05}
        )
    return pd.DataFrame(made, columns=list(COLUMNS)).assign(model="ridge", share=1.0)


def test_the_verdict_follows_the_interval_not_the_difference():
    said = verdict(rows(), "block")
    assert said.startswith("PRE-TRAINING HELPS under block folds")
    assert "+0.100 (95 % interval +0.020 to +0.200)" in said
    assert "does not surely add to the point values" in said
    assert "It is better than PCA of the same windows, without a network (R2 0.300): +0.100" in said
    assert verdict(rows(low=-0.01), "block").startswith("PRE-TRAINING DOES NOT HELP BEYOND THE INTERVAL")
    assert verdict(rows(own=0.2, low=-0.2, high=-0.05), "block").startswith("PRE-TRAINING HARMS")
    assert "It adds to the point values" in verdict(rows(beside_low=0.001), "block")
    assert "It is not surely better than PCA" in verdict(rows(pca=0.37), "block")
    assert "It is worse than PCA" in verdict(rows(pca=0.5), "block")
    assert verdict(rows(learned=False), "block").startswith("NO PRE-TRAINED ENCODER")


def test_the_verdict_says_what_training_in_the_folds_gives():
    gains = {"over_frozen": 0.03, "over_frozen_low": 0.01, "over_frozen_high": 0.05}
    beside = {"over_points": -0.01, "over_points_low": -0.04, "over_points_high": 0.02}
    trained = [
        {"encoder": name, "features": features, "model": model, "r2": r2, **gains, **beside, "share": 1.0}
        for name, model in (("fine-tuned", "finetune"), ("convolution", "convolution"))
        for features, r2 in ((ALONE, 0.45), (BESIDE, 0.55))
    ]
    said = verdict(pd.concat([rows(), pd.DataFrame(trained)]), "block")
    assert (
        "Fine-tuned in the folds, the encoder reaches R2 0.450 alone, a difference from MLPs on the frozen embedding "
        "of +0.030 (95 % interval +0.010 to +0.050); beside the point values 0.550, a difference from MLPs on these "
        "alone of -0.010 (95 % interval -0.040 to +0.020)."
    ) in said
    assert "A convolutional encoder without pre-training reaches R2 0.450 alone" in said
    assert "Fine-tuned" not in verdict(rows(), "block")
    failed = pd.DataFrame(trained).assign(r2=np.nan)
    assert verdict(pd.concat([rows(), failed]), "block").endswith("Of convolution a fold failed: it has no score.")


@pytest.mark.parametrize(("frames", "width"), [(1, 8), (3, 7), (1, 256)])
def test_pca_of_windows_is_that_of_its_definition(unlabelled, frames, width):  # noqa: F811
    """Against numpy's decomposition of the very windows: as much variance, uncorrelated, centred, 95 % of it."""
    sampler = WindowSampler(read_region(unlabelled.project), 64, 1)
    fitted = fit_window_pca(sampler, SimpleNamespace(shape=(1, width), frames=frames), seed=0, windows=300)
    windows = np.concatenate([sampler.training(step, 256).images for step in range(2)])[:300]
    exact = np.linalg.svd(windows.reshape(300, -1) - windows.reshape(300, -1).mean(axis=0), compute_uv=False) ** 2
    [found] = fitted.stream([np.repeat(windows, frames, axis=1)])  # frames of one group
    enough = int(np.searchsorted(np.cumsum(exact) / exact.sum(), KEPT)) + 1
    each = min(width // frames, enough)
    assert found.shape == (300, 1, 1, width)
    scores = found[:, 0, 0, :each].astype(float)
    assert_allclose(scores.mean(axis=0), 0, atol=1e-3)
    assert 0.98 < (scores**2).sum() / exact[:each].sum() <= 1.0001
    products = scores.T @ scores
    assert np.abs(products - np.diag(np.diag(products))).max() < 0.02 * products.max()
    if frames > 1:
        assert_allclose(found[:, 0, 0, each : 2 * each], scores, atol=1e-4)
    assert not found[..., each * frames + 2 :].any()  # give or take a component by rounding


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`finetune` starts from weights that are random")
def test_encoders_are_compared_on_a_small_project(unlabelled, monkeypatch):  # noqa: F811
    for name in ON_WINDOWS:
        monkeypatch.setitem(NAMED, name, NAMED[name].model_copy(update={"epochs": 2}))
    unlabelled.set("[sampling]\n", "[sampling]\nn_folds = 2\n")
    unlabelled.config.write_text(unlabelled.config.read_text() + EVALUATION)
    before = soc("run", "--to", "encoder_comparison", at=unlabelled)
    assert before.exit_code == 0, before.output
    results = unlabelled.project.results
    table = pd.read_parquet(results / "encoder_comparison.parquet")
    assert set(table["encoder"]) == {"random", "pca_window", "convolution", POINTS}
    assert soc("pretrain", at=unlabelled).exit_code == 0
    assert states(unlabelled)["encoder_comparison"][0] == "stale"
    after = soc("run", "--to", "encoder_comparison", at=unlabelled)
    assert after.exit_code == 0, after.output
    table = pd.read_parquet(results / "encoder_comparison.parquet")
    assert table.groupby("encoder").size().to_dict() == {
        "random": 10,
        "own pre-training": 10,
        "pca_window": 10,
        "fine-tuned": 8,
        "convolution": 8,
        POINTS: 5,
    }
    tuned = table[(table["encoder"] == "fine-tuned") & (table["share"] == 1)].set_index("features")
    assert (tuned["images_seen"] == 48).all()
    frozen = table[(table["encoder"] == "own pre-training") & (table["model"] == "mlp")].set_index("features")
    assert_allclose(tuned["over_frozen"], tuned["r2"] - frozen["r2"].loc[tuned.index], atol=1e-9)
    own = table[(table["encoder"] == "own pre-training") & (table["share"] == 1)]
    assert (table["n"] == table["n"].max()).all()
    assert own["over_random"].notna().all()
    assert (own["images_seen"] == 48).all()
    gain = own[own["features"] == ALONE].set_index("model")
    random = table[(table["encoder"] == "random") & (table["share"] == 1) & (table["features"] == ALONE)].set_index(
        "model"
    )
    assert_allclose(gain["over_random"], gain["r2"] - random["r2"].loc[gain.index], atol=1e-9)
    page = (results / "encoders.html").read_text()
    assert "Does pre-training help?" in page
    assert "PRE-TRAINING" in page
    assert "Fine-tuned in the folds, the encoder reaches R2" in page
    assert "A convolutional encoder without pre-training reaches R2" in page
    assert states(unlabelled)["encoder_comparison"][0] == "fresh"
    assert len(list((results / "encoders").glob("*.npy"))) == 3
    _fine_tuned_model_is_registered_and_predicts(unlabelled)


def _fine_tuned_model_is_registered_and_predicts(made):
    """It takes windows from the rasters, in the samples' own places as elsewhere, and says how long it will train."""
    made.set("[training]\n", '[training]\nrecipe = "tuned"\n')
    done = soc("run", "--to", "mlp_model", at=made)
    assert done.exit_code == 0, done.output
    record = model_record(made)
    assert record.params["fit.recipe"] == "tuned"
    samples = pd.read_parquet(made.project.samples("samples")).head(5)
    points = made.root / "points.csv"
    samples[["longitude", "latitude", "year"]].assign(date="2015-07-01").to_csv(points, index=False)
    with mock.patch("soc_assets.mapping.rows.load_encoder", side_effect=AssertionError("it has its own encoder")):
        predicted = soc("predict", str(points), "--output", str(made.root / "found.csv"), at=made)
    assert predicted.exit_code == 0, predicted.output
    found = pd.read_csv(made.root / "found.csv")
    assert found["predicted"].between(0, 200).all()
    assert (found["lower"] <= found["upper"]).all()
    mapped = soc("map", "--year", "2015", "--step", "16", at=made)
    assert mapped.exit_code == 0, mapped.output


def test_tokens_without_a_transformer_are_not_compared(unlabelled):  # noqa: F811
    unlabelled.set('stage = "encoder"', 'stage = "patch_embed"')
    assert "set stage = 'encoder' in [embedding]" in refused("run", "--to", "encoder_comparison", at=unlabelled)
