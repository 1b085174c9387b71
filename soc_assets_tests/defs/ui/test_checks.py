"""Asset checks: what is an error stops `soc run` with its cure, what is a warning does not, what is accepted passes."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import rasterio

from soc_assets.cli import runner
from soc_assets.definitions import defs
from soc_assets_tests.small_project import SmallProject

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


def turn_constant(made: SmallProject, band: str = "MODIS_NPP", year: int = 2012) -> None:
    with rasterio.open(made.raster(band, year), "r+") as dataset:
        dataset.write(np.full(dataset.shape, 4, dataset.dtypes[0]), 1)


def accept(made: SmallProject, *entries: str) -> None:
    made.set("[sampling]", f"[rasters]\naccept = {list(entries)!r}\n\n[sampling]".replace("'", '"'))


def materialised_checks(*assets: str) -> dict[str, dg.AssetCheckEvaluation]:
    """Evaluations of the checks, by name, of the assets materialised as the UI does."""
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name) for name in assets], raise_on_error=False
        )
    found = [event.asset_check_evaluation_data for event in result.all_events if "CHECK_EVAL" in event.event_type_value]
    return {evaluation.check_name: evaluation for evaluation in found}


def test_a_finding_that_is_an_error_stops_the_run_again_and_again_until_it_is_mended(fresh):
    content = fresh.raster("MODIS_NPP", 2012).read_bytes()
    turn_constant(fresh)
    for _ in range(2):
        outcome = fresh.run()
        assert outcome.launched == ["prepare"]
        [words] = outcome.failures
        assert words.startswith("raster_catalog: constant: MODIS_NPP 2012 (")
        assert "every valid pixel is 4, while 7 other steps vary. Replace the file" in words
        assert "accept" in words
        assert "Error" not in words
        assert not fresh.project.samples("samples").exists()
        assert runner.assess(fresh.project)[0].state == "stale"
    fresh.raster("MODIS_NPP", 2012).write_bytes(content)
    assert fresh.run("soil_samples") == runner.Outcome(["prepare"], [])
    assert runner.assess(fresh.project)[0].fresh


def test_an_accepted_finding_passes_and_is_kept_as_a_note(fresh):
    turn_constant(fresh)
    accept(fresh, "constant:MODIS_NPP_2012")
    fresh.use()
    checks = materialised_checks("raster_catalog", "soil_samples")
    assert checks["constant"].passed
    assert "(accepted in soc.toml)" in checks["constant"].metadata["findings"].value
    assert fresh.project.samples("samples").is_file()


def test_new_errors_stop_a_finished_project_too(prepared):
    fresh = prepared
    turn_constant(fresh)
    assert len(fresh.run("balanced_samples").failures) == 1
    assert len(fresh.run("balanced_samples").failures) == 1


def test_warnings_are_shown_with_a_table_and_block_nothing(fresh):
    fresh.use()
    checks = materialised_checks("raster_catalog", "soil_samples", "balanced_samples")
    gaps = checks["gaps"]
    assert (gaps.passed, gaps.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "2010" in (gaps.description or "")
    assert "| warning | SoilEvaporation |" in gaps.metadata["findings"].value
    assert fresh.project.samples("balanced").is_file()
    assert all(check.passed or check.severity == dg.AssetCheckSeverity.WARN for check in checks.values())


def test_every_check_is_declared_once_and_those_of_inputs_and_models_block():
    graph = defs.resolve_asset_graph()
    keys = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    raster = ("fill_values", "wild_pixels", "orientation", "constant", "outliers", "copies", "grid", "gaps", "files")
    samples = ("samples", "columns", "carbon", "places", "coverage", "edges", "locations", "schema", "drift")
    own = {
        "raster_catalog": raster,
        "soil_samples": samples,
        "balanced_samples": ("no_location_in_two_splits", "tables"),
        "embeddings": ("finite", "complete", "spec", "rank", "constant_columns"),
        "features": ("count_equals_embeddings", "vectors"),
        "mlp_model": ("metrics_sane", "better_than_mean"),
        "baselines": ("every_fit_succeeded",),
        "evaluation": ("every_fit_succeeded", "no_baseline_wins", "intervals_cover"),
        "hyperparameters": ("search_beats_mean",),
        "soc_map": ("map_values", "map_applicable"),
        "soc_map_change": ("change_values", "change_applicable", "change_uncertainty"),
    }
    assert keys == {(asset, name) for asset, names in own.items() for name in names}
    specs = {key: graph.get_check_spec(key) for key in graph.asset_check_keys}
    idle = {key.asset_key.to_user_string() for key, spec in specs.items() if not spec.blocking}
    assert idle == {"baselines", "evaluation", "hyperparameters"}
    assert all((spec.description or "").startswith("Must hold: ") for spec in specs.values())


def soil(made: SmallProject) -> pd.DataFrame:
    return pd.read_csv(made.root / "data/soil/a.csv")


def test_samples_that_break_the_schema_stop_the_run_and_are_named(with_a_catalog):
    fresh = with_a_catalog
    table = soil(fresh)
    table.loc[3, "OC"] = 20_000
    table.to_csv(fresh.root / "data/soil/a.csv", index=False)
    for _ in range(2):
        [words] = fresh.run("balanced_samples").failures
        assert words.startswith("soil_samples: sample s")
        assert "organic_carbon is 20000.0, expected between 0 and 1000" in words
    assert not fresh.project.samples("balanced").exists()


def test_drift_against_the_last_materialisation_is_a_warning_with_both_numbers(with_a_catalog):
    fresh = with_a_catalog
    fresh.use()
    first = materialised_checks("soil_samples")["drift"]
    assert first.passed
    for name in ("a.csv", "b.csv"):
        path = fresh.root / "data/soil" / name
        table = pd.read_csv(path)
        table["OC"] = pd.to_numeric(table["OC"], errors="coerce") / 10
        table.to_csv(path, index=False)
    drift = materialised_checks("soil_samples")["drift"]
    assert (drift.passed, drift.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "median g/kg 2" in (drift.description or "")
    assert "| median g/kg |" in drift.metadata["before_and_now"].value
    assert materialised_checks("soil_samples")["drift"].passed  # unchanged since


@pytest.mark.parametrize("entry", ["constant", "constant:Snow", "strange:LAI"])
def test_an_entry_of_accept_that_names_nothing_is_refused(fresh, entry):
    from soc_assets.errors import SettingsError

    accept(fresh, entry)
    with pytest.raises(SettingsError, match="accept"):
        _ = fresh.project
