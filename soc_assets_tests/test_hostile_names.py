"""One hostile project through everything: what others call things is text wherever it is shown."""

import csv
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import dagster as dg
import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner

from soc_assets.cli.main import main
from soc_assets.reporting.as_text import is_formula
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.hostile import ANSI, EXTRA, FORMULA, HTML, NAMES, points, write_hostile
from soc_assets_tests.small_project import clean_environment

pytestmark = pytest.mark.slow
_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
_MADE_BY_US = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "img", "ul", "li"}
_MADE_BY_US |= {"table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "section", "main", "header", "nav"}
_MADE_BY_US |= {"ol", "a", "b", "span", "details", "summary"}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def soc(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert not _STEERS.search(done.output)
    return done.output


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Any:
    """After check, run, predict and export; with what they printed."""
    made = write_hostile(tmp_path_factory.mktemp("hostile"))
    points(22).to_csv(made.root / "points.csv", index=False)
    with clean_environment(), pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOC_CONFIG", str(made.config))
        said = {"check": soc("check")}
        for to in ("evaluation", "mlp_model"):
            assert made.run(to).failures == []
        said["status"] = soc("status")
        said["predict"] = soc("predict", str(made.root / "points.csv"))
        said["features"] = soc("export", "--format", "csv")
        said["embeddings"] = soc("export", "--stage", "embeddings", "--format", "csv")
        yield SimpleNamespace(made=made, said=said, root=made.root)


def test_nothing_is_left_out_but_what_cannot_be_read(hostile):
    assert len(hostile.made.table("samples")) == 60
    assert {*EXTRA} <= {*hostile.made.table("samples").columns}
    assert "worse\\udcff\\udcfe.csv" in hostile.said["check"]  # not UTF-8
    assert r"\nerror forged" in hostile.said["check"]
    assert not any(
        line.lstrip().startswith("error forged") for said in hostile.said.values() for line in said.splitlines()
    )
    problems = pd.read_parquet(hostile.made.project.catalog.with_name("problems.parquet"))
    assert len(problems) == 2 and problems["problem"].str.contains("is not UTF-8").sum() == 1
    assert "fresh" in hostile.said["status"] and "stale" not in hostile.said["status"]


def test_database_keeps_the_names_and_the_terminal_shows_them(hostile, monkeypatch):
    found = hostile.made.query("SELECT own_id, source FROM samples")
    assert {re.sub(r"\d+$", "", own) for own in found["own_id"]} >= {HTML, FORMULA}
    assert {*found["source"]} == {NAMES[0], NAMES[3]}
    monkeypatch.setenv("SOC_CONFIG", str(hostile.made.config))
    shown = soc("sql", "SELECT own_id FROM samples WHERE own_id LIKE '%red%' LIMIT 1")
    assert "[31mred" in shown and "[bold]b[/]" in shown and ":boom:" in shown
    quoted = EXTRA[2].replace('"', '""')
    assert str(len(NAMES)) not in soc("sql", f'SELECT count("{quoted}") AS n FROM samples WHERE false')
    assert '=HYPERLINK("http://evil.invalid","x")' in soc("sql", ".views samples")


def test_report_holds_no_element_that_a_name_made(hostile):
    page = Elements()
    page.feed((hostile.made.project.results / "evaluation.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.found} <= _MADE_BY_US
    for tag, attributes in page.found:
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "img" or str(attributes["src"]).startswith("data:image/png;base64,")
    policy = next(attributes["content"] for _, attributes in page.found if "http-equiv" in attributes)
    assert policy and "default-src 'none'" in policy and "script-src" not in policy
    assert HTML in page.text and FORMULA in page.text


def test_markdown_of_dagster_shows_the_names(hostile):
    hostile.made.use()
    pages = []
    with dg.DagsterInstance.get() as instance:
        for name in ("raster_catalog", "soil_samples", "balanced_samples", "features", "mlp_model", "evaluation"):
            event = instance.get_latest_materialization_event(dg.AssetKey(name))
            assert event is not None and event.asset_materialization is not None
            values = event.asset_materialization.metadata.values()
            pages += [value.value for value in values if isinstance(value, dg.MarkdownMetadataValue)]
    lines = "\n".join(re.sub(r"!\[figure\]\(data:image/png;base64,[^)]*\)", "", page) for page in pages)
    assert "&lt;img src=x onerror=alert(1)&gt;" in lines
    assert not re.search(r"<(img|script)|(?<!\\)!\[|(?<!\\)\]\(", lines)
    for page in pages:
        rows = [re.findall(r"(?<!\\)\|", line) for line in page.splitlines() if line.startswith("|")]
        assert len({len(bars) for bars in rows}) <= 1  # every row has the cells of the header


def test_csv_files_hold_no_formula(hostile):
    export = hostile.made.project.data / "export"
    for path in (hostile.root / "points_predicted.csv", export / "features.csv", export / "embeddings.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = {cell for row in csv.reader(file) for cell in row[:24]}
        assert not any(is_formula(cell) for cell in cells)
        assert path.stem != "points_predicted" or f"'{FORMULA}" in cells
    own = pd.read_csv(hostile.root / "points_predicted.csv")
    assert own["predicted"].dtype == float and own["longitude"].dtype == float
    given, kept = points(22)["id"].tolist(), own["id"].str.replace(r"^'(?=\s*[=+\-@])", "", regex=True).tolist()
    assert kept == given


def test_mlflow_keeps_what_was_named(hostile):
    tracking = tracking_of(hostile.made.project)
    client = mlflow.MlflowClient(tracking.uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    strata = [run.data.params["evaluation.strata"] for run in runs if "evaluation.strata" in run.data.params]
    assert strata and all("HYPERLINK" in words for words in strata)
    assert all(run.info.status == "FINISHED" for run in runs)


def test_scores_are_there_for_every_region_and_part(hostile):
    table = pd.read_parquet(hostile.made.project.results / "evaluation.parquet")
    assert {HTML, FORMULA} <= {*table["part"]}
    assert table.loc[table["scope"] == "region", "part"].nunique() == 2
    said = json.loads((hostile.made.project.results / "verdict.json").read_text(encoding="utf-8"))
    assert ANSI not in str(said)
