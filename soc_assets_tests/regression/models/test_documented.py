"""The documented MLP inside a fold, and the recipes that change one of its choices."""

import numpy as np
import pytest

from soc_assets.errors import SocWarning, TrainingError
from soc_assets.regression.design.target import Target
from soc_assets.regression.models.documented import DocumentedEnsemble, fit_documented
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.regression.models.recipes import DOCUMENTED, require_servable
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


def test_several_splits_are_networks_that_are_stopped_by_other_inner_folds(design):
    x, oc = design.matrices["point"], design.samples["organic_carbon"].to_numpy()
    inner, target = np.arange(240) // 2 % 3, Target.fit("none", oc)

    def fit(inner_folds, splits):
        recipe = RECIPE.model_copy(update={"splits": splits})
        return fit_documented(recipe, x, oc, inner_folds, TRAINING, Sampling(), target)

    learner, (predicted, observed) = fit(inner, 3)
    assert isinstance(learner, DocumentedEnsemble)
    singles = [fit(np.where(inner == number, 0, 1), 1)[0] for number in range(3)]
    np.testing.assert_allclose(learner.predict(x).value, np.mean([s.predict(x).value for s in singles], axis=0))
    assert observed.tolist() == np.concatenate([oc[inner == number] for number in range(3)]).tolist()
    np.testing.assert_allclose(predicted.value[: (inner == 0).sum()], singles[0].predict(x[inner == 0]).value)
    with pytest.warns(SocWarning, match="There are no validation samples"):
        assert not isinstance(fit(np.zeros(240), 3)[0], DocumentedEnsemble)


def test_several_networks_are_compared_and_not_registered():
    with pytest.raises(TrainingError, match="of which there is no graph"):
        require_servable([RECIPE.model_copy(update={"splits": 3})], 3)
    require_servable([RECIPE], 3)
