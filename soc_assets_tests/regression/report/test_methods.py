"""The table of models in the methods: what each one is, in words."""

from dataclasses import replace

from soc_assets.regression.report.methods import methods_section
from soc_assets.settings.evaluation import Recipe


def test_models_of_space_are_described_and_the_mean_has_no_features(small):
    spatial = (
        Recipe(name="kriging", model="kriging", features="coordinates"),
        Recipe(name="regression_kriging", model="regression_kriging", features="point+coordinates"),
        Recipe(name="gaussian_process", model="gaussian_process", features="point+coordinates", target="none"),
        Recipe(name="mean", model="mean", features="coordinates"),
    )
    rows = methods_section(replace(small.facts, recipes=spatial)).tables[1].rows.set_index("Model")
    fitted = "fitted by maximum likelihood, above 1,024 samples summed over contiguous blocks"
    space = "covariance: nugget and two exponentials in space"
    assert rows["Setting"].tolist() == [
        f"ordinary kriging of the transformed target; {space}; {fitted}",
        f"trend: ridge regression (penalty 1 per sample); ordinary kriging of its residuals; {space}; {fitted}",
        "process of organic carbon with a constant mean; covariance: nugget, two exponentials in space and Matern 3/2 "
        f"between features; {fitted}",
        "",
    ]
    assert rows["Features"].tolist() == ["coordinates", *["point values + coordinates"] * 2, ""]


def test_encoders_that_are_trained_in_the_folds_are_described(small):
    recipes = (
        Recipe(name="tuned", model="finetune", features="window:16+point", last_blocks=2, hidden=(8, 4), epochs=9),
        Recipe(name="lora", model="finetune", features="window:32", tuned="lora", rank=4),
        Recipe(name="convolution", model="convolution", features="window:32"),
    )
    rows = methods_section(replace(small.facts, recipes=recipes)).tables[1].rows
    settings, features = rows["Setting"].tolist(), rows["Features"].tolist()
    assert settings[0] == (
        "the last 2 blocks of the embedding's encoder, from random weights; head: 5 networks of 8-4; at most 9 epochs, "
        "stopped by an inner fold"
    )
    assert settings[1].startswith("low-rank updates (rank 4) of the attention of the embedding's encoder")
    assert settings[2].startswith("three strided convolutions, from random weights")
    assert features == ["windows (16 px) + point values", "windows (32 px)", "windows (32 px)"]
