"""`soc suggest` on a finished project: what it says, what it writes, and what it refuses."""

from dataclasses import replace

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from soc_assets.cli.main import COMMANDS, main
from soc_assets.cli.options import FiniteRange
from soc_assets.mapping.suggestion.inputs import suggestion_inputs
from soc_assets.mapping.suggestion.measure import measure_of
from soc_assets.mapping.suggestion.sites import suggest_sites
from soc_assets.tracking.registered import load_registered
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_project import SmallProject


def soc(project: SmallProject, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["suggest", *arguments, "--config", str(project.config)])


def test_sites_are_listed_and_written(templates, tmp_path):
    made = templates.copy("finished", tmp_path / "project")
    done = soc(made, "--year", "2014", "--count", "6", "--places", "49")  # three of them lack images
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for words in (
        "6 sites in 2014 by models:/soc_mlp/1, of 46 places",
        "compared by the features of the model, as its dissimilarity",
        "There is no map of 2014, so that only the middle of each square was looked at: `soc map --year 2014`",
        "Written:",
    ):
        assert words in said
    results = made.project.results
    table = pd.read_csv(results / "sites.csv")
    assert len(table) == 6 and table["dissimilarity"].notna().all()
    assert (results / "sites.geojson").is_file() and (results / "sites.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Which year? `soc suggest --year 2020`"),
        (("--year", "1990"), "No map of 1990"),
        (("--year", "2014", "--season", "summer"), "reads no band by season"),
        (("--year", "2014", "--version", "77"), "soc_mlp has no version 77"),
        (("--year", "2014", "--output", "sites.xlsx"), "Name a file that ends in .csv"),
        (("--year", "2014", "--count", "0"), "0 is not in the range x>=1"),
        (("--year", "2014", "--minimum-distance", "nan"), "'--minimum-distance': nan is not a finite number"),
        (("--year", "2014", "--minimum-distance", "inf"), "'--minimum-distance': inf is not a finite number"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_cure(finished, arguments, words):
    done = soc(finished, *arguments)
    assert done.exit_code in (1, 2)
    assert words in " ".join(done.output.split())


def test_one_site_is_named_in_the_singular(templates, tmp_path):
    made = templates.copy("finished", tmp_path / "project")
    done = soc(made, "--year", "2014", "--count", "1", "--places", "9")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "1 site in 2014 by" in said and "km apart" not in said
    assert "It lies outside the area" in said or "It does not lie outside the area" in said


def test_no_float_option_takes_what_is_not_finite():
    found = {
        (command.name, option.name): option.type
        for name in COMMANDS
        if (command := main.get_command(click.Context(main), name))
        for option in command.params
        if isinstance(option.type, click.types.FloatParamType)
    }
    assert found and all(isinstance(kind, FiniteRange) for kind in found.values()), found


def test_without_a_model_the_cure_is_named(fresh):
    done = soc(fresh, "--year", "2014")
    assert done.exit_code == 1
    assert "run `soc run` first" in done.output


class Old:
    """A model without dissimilarity, as earlier releases registered it."""

    def __init__(self, model):
        self._model = model

    def predict(self, features):
        return self._model.predict(features)[:, :3]


def test_model_without_dissimilarity_is_helped_out_by_point_values(finished):
    project = finished.project
    registered = load_registered(tracking_of(project), None)
    inputs, period = suggestion_inputs(project, replace(registered, model=Old(registered.model)), 2014)
    measure, samples = measure_of(inputs), finished.table("samples").query("year == 2014")
    read = inputs.predictor.read(period.rows(samples["longitude"].to_numpy(), samples["latitude"].to_numpy()))
    assert measure.to_samples(measure.places(read)) == pytest.approx(0, abs=1e-4)  # they are samples
    found = suggest_sites(inputs, period, 3, most=25)
    assert found.facts["space"] == "point values, as the model has no dissimilarity"
    assert (found.places["dissimilarity"] > 0.1).all()
    assert set(found.sites["applicable"]) == {"unknown"}
