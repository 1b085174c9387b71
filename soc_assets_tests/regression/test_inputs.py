from dataclasses import replace

from soc_assets.project import Project
from soc_assets.regression.evaluation.fold import _FIELDS, decisive
from soc_assets.regression.inputs import evaluation_inputs, model_inputs
from soc_assets.settings import Training
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.settings.loading import Settings

EVALUATION = Evaluation(schemes=("block",), models=("ridge",), feature_sets=("point",))


def test_settings_of_the_supplement_are_inputs_of_the_evaluation_alone(tmp_path):
    """Neither baselines nor a registered recipe are made again for them, nor for fields that recipes got later."""
    plain = Project(tmp_path, Settings(training=Training(recipe="chosen"), evaluation=EVALUATION))
    off = EVALUATION.model_copy(update={"learning_curve": (), "network_choices": 0, "source_offsets": False})
    other = replace(plain, settings=plain.settings.model_copy(update={"evaluation": off}))
    assert evaluation_inputs(plain) != evaluation_inputs(other)
    for inputs in (lambda at: evaluation_inputs(at, "baselines"), model_inputs):
        assert inputs(plain) == inputs(other)
    assert set(decisive(Recipe(name="a", intervals=False))) == _FIELDS
    spatial = Recipe(name="k", model="kriging", features="coordinates", intervals=False)
    assert set(decisive(spatial)) == {*_FIELDS, "fields"}
    assert set(decisive(Recipe(name="a", intervals=False, decay=1.0))) == {*_FIELDS, "decay"}


def test_a_later_setting_of_training_at_its_default_makes_no_model_stale():
    fields = set(Training.model_fields) - {"device", "recipe", "scale_input_rate"}
    assert set(Training().decisive()) == fields
    assert set(Training(scale_input_rate=True).decisive()) == {*fields, "scale_input_rate"}
