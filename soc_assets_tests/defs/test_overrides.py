"""Settings that a run overrides in the Launchpad: the fields of soc.toml, validated, recorded, and gone afterwards."""

import dagster as dg
import pytest

from soc_assets.definitions import defs
from soc_assets.defs.overrides import SamplingConfig, TrainingConfig, overridden
from soc_assets.errors import SettingsError
from soc_assets.settings import Sampling, Training
from soc_assets_tests.small_project import write_project

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.mark.parametrize(("config", "section"), [(SamplingConfig, Sampling), (TrainingConfig, Training)])
def test_every_setting_of_the_section_can_be_overridden_and_is_explained(config, section):
    assert set(config.model_fields) == set(section.model_fields)
    for name, field in config.model_fields.items():
        assert field.default is None
        assert field.description == section.model_fields[name].description


def test_launchpad_shows_the_fields(tmp_path):
    schema = defs.resolve_job_def("learn").run_config_schema
    [fields] = [op.config_field for op in [defs.resolve_job_def("learn").graph.node_named("mlp_model").definition]]
    assert "epochs" in str(fields.config_type.fields.keys())
    assert schema is not None


def test_what_is_left_out_stays_as_in_soc_toml(tmp_path):
    project = write_project(tmp_path).project
    same, given = overridden(project, "training", TrainingConfig())
    assert (same, given) == (project, {})
    changed, given = overridden(project, "training", TrainingConfig(epochs=7, hidden=[5, 3]))
    assert given == {"epochs": 7, "hidden": [5, 3]}
    assert (changed.settings.training.epochs, changed.settings.training.hidden) == (7, (5, 3))
    assert changed.settings.training.learning_rate == project.settings.training.learning_rate == 1e-3
    assert changed.settings.sampling == project.settings.sampling


def test_wrong_value_names_its_field(tmp_path):
    project = write_project(tmp_path).project
    with pytest.raises(SettingsError, match=r"Launchpad[\s\S]*training.dropout: .*less than 1 \(found 1.5\)"):
        overridden(project, "training", TrainingConfig(dropout=1.5))
    with pytest.raises(SettingsError, match=r"sampling.bins: .*'quantile' or 'width' \(found 'deep'\)"):
        overridden(project, "sampling", SamplingConfig(bins="deep"))


def learn(config: dict) -> dict:
    """Train with the run's config; metadata of the model."""
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("mlp_model")],
            run_config={"ops": {"mlp_model": {"config": config}}},
        )
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_override_trains_another_model_and_is_recorded_and_soc_toml_still_holds(templates, tmp_path):
    fresh = templates.copy("finished", tmp_path / "project")
    assert fresh.run().launched == []
    with_override = learn({"epochs": 1})
    assert with_override["overrides"] == {"epochs": 1}
    assert with_override["training"]["epochs"] == 1
    assert (with_override["cached"], with_override["model"]) == (False, "models:/soc_mlp/2")
    assert learn({"epochs": 1})["cached"] is True
    plain = learn({})
    assert (plain["cached"], plain["model"], plain["overrides"]) == (True, "models:/soc_mlp/1", {})
    assert fresh.run().launched == []
