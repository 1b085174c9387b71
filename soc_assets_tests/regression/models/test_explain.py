import numpy as np
import pytest

from soc_assets.regression.models.explain import partial_dependence
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.regression.models.recipes import NAMED
from soc_assets_tests.regression.designs import make


@pytest.mark.parametrize(("n", "background", "steps"), [(120, 50, 9), (120, 500, 3), (31, 7, 1), (1, 5, 2)])
def test_partial_dependence_is_the_mean_prediction_with_a_band_set_to_a_value(n, background, steps):
    design, training, rows = make(), np.arange(160), np.arange(n)
    recipe = NAMED["ridge"].model_copy(update={"features": "embedding+point:1:9", "pca": 5.0})
    model = fit_recipe(recipe, design, training, training % 3, Options())
    found = partial_dependence(model, design, rows, 7, background, steps)
    drawn = rows[np.random.default_rng(7).permutation(n)[:background]]
    reduced, place = model.reduce(design, drawn), 5  # five components come before the point values
    for band, lag, windows in (("Elevation", None, 2), ("LAI", 0, 2), ("LAI", 1, 2)):
        part = found[(found["band"] == band) & (found["lag"].isna() if lag is None else found["lag"] == lag)]
        ends = np.quantile(reduced[:, place], [0.02, 0.98])
        np.testing.assert_allclose(part["value"], np.linspace(*ends, steps))
        for value, predicted in zip(part["value"], part["predicted"], strict=True):
            changed = reduced.copy()
            changed[:, place : place + windows] = value
            assert predicted == pytest.approx(model.predict(changed).mean.mean(), rel=1e-6)
        place += windows
    assert len(found) == 3 * steps


def test_model_without_point_values_has_none():
    design, rows = make(), np.arange(60)
    model = fit_recipe(NAMED["ridge"].model_copy(update={"features": "embedding"}), design, rows, rows % 3, Options())
    assert partial_dependence(model, design, rows, 0).empty
