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
