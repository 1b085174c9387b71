"""The documented MLP inside a fold, and the recipes that change one of its choices."""

import numpy as np
import pytest

from soc_assets.errors import SocWarning
from soc_assets.regression.design.target import Target
from soc_assets.regression.models.documented import fit_documented
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.regression.models.recipes import DOCUMENTED
from soc_assets.settings import Sampling, Training
from soc_assets_tests.regression.designs import make

TRAINING = Training(hidden=(16,), epochs=25, learning_rate=1e-2, dropout=0.0, device="cpu")
RECIPE = DOCUMENTED.model_copy(update={"features": "point", "balance": False})


@pytest.fixture(scope="module")
def design():
    return make(noise=0.1)


def fitted(design, **changed):
    rows = np.arange(240)
    recipe = RECIPE.model_copy(update=changed)
    return fit_recipe(recipe, design, rows, rows // 2 % 3, Options(training=TRAINING))


def weights_of(model) -> float:
    return sum(float((p.detach() ** 2).sum()) for p in model.learner.network.parameters())


def test_transformed_target_is_what_the_network_predicts(design):
    model, oc = fitted(design, target="log1p"), design.samples["organic_carbon"].to_numpy()
    x = model.reduce(design, np.arange(240))
    found = model.predict(x)
    assert found.transformed == pytest.approx(model.learner.predict(x).value)
    assert np.corrcoef(found.transformed, np.log1p(oc))[0, 1] > 0.95
    # smeared over the rows that stopped it early
    held = np.arange(240) // 2 % 3 == 0
    np.testing.assert_allclose(model.residuals, (np.log1p(oc) - found.transformed)[held], atol=1e-6)
    np.testing.assert_allclose(found.mean, model.target.mean(found.transformed, model.residuals))
    assert (found.plain < found.mean).mean() > 0.5


def test_weight_decay_makes_weights_smaller_and_none_is_what_is_documented(design):
    plain = fitted(design)
    assert weights_of(fitted(design, decay=5.0)) < 0.9 * weights_of(plain)
    assert weights_of(fitted(design, decay=0.0)) == weights_of(plain)


def test_other_inner_folds_can_stop_the_network(design):
    x, oc = design.matrices["point"], design.samples["organic_carbon"].to_numpy()
    inner, target = np.arange(240) // 2 % 3, Target.fit("none", oc)

    def fit(inner_folds, number):
        recipe = RECIPE.model_copy(update={"validation_fold": number})
        return fit_documented(recipe, x, oc, inner_folds, TRAINING, Sampling(), target)

    for number in range(3):
        learner, (predicted, observed) = fit(inner, number)
        assert observed.tolist() == oc[inner == number].tolist()
        np.testing.assert_array_equal(predicted.value, learner.predict(x[inner == number]).value)
        alone = fit(np.where(inner == number, 0, 1), 0)[0]  # of the other two nothing but the split counts
        np.testing.assert_array_equal(alone.predict(x).value, learner.predict(x).value)
    with pytest.warns(SocWarning, match="There are no validation samples"):
        assert len(fit(np.zeros(240), 2)[1][1]) == 0
