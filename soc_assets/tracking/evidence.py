"""Samples and scores of a registered version: of its test split, and of its recipe by the folds of the evaluation."""

from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from soc_assets.features.sql.database import read_info
from soc_assets.mapping.documents.evidence import Campaign, Evidence, Score
from soc_assets.mapping.registered import Registered
from soc_assets.project import Project
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.evaluation.bootstrap import Draws, intervals
from soc_assets.regression.inputs import evaluation_inputs
from soc_assets.regression.metrics import scores
from soc_assets.storage import files, vouching
from soc_assets.tracking.artifacts import Artifacts
from soc_assets.tracking.champion import FEATURES_TAG, MODEL_TAG
from soc_assets.tracking.store import MlflowTracking

if TYPE_CHECKING:
    from mlflow.entities import Run

_PREDICTIONS = "tables/predictions.csv"
_GONE = "no longer among the samples"
Ends = tuple[float | None, float | None, float | None]


def evidence_of(project: Project, tracking: MlflowTracking, registered: Registered) -> Evidence:
    """What is known of a version; empty parts where its run or the evaluation says nothing.

    Raises:
        TableError: the evaluation is damaged.
    """
    client = tracking.client()
    run = client.get_run(str(client.get_model_version(registered.name, registered.version).run_id))
    stored = Artifacts(run.info.run_id, run.info.artifact_uri or "", client).read(_PREDICTIONS)
    if stored is None:
        return Evidence((), _by_folds(project, run))
    rows = _predictions(project, stored)
    return Evidence(_campaigns(rows), [*_of_test_split(project, rows, registered.level), *_by_folds(project, run)])


def _predictions(project: Project, stored: bytes) -> pd.DataFrame:
    """The predictions of the fit, with source, year and location_id of the samples that are still known."""
    rows = pd.read_csv(BytesIO(stored), dtype={"sample_id": str, "split": str})
    for name, columns in (("samples", ["source", "year"]), ("balanced", ["location_id"])):
        known = files.known_table(project.samples(name), ["sample_id", *columns])
        known = pd.DataFrame(columns=["sample_id", *columns]) if known is None else known.drop_duplicates("sample_id")
        rows = rows.merge(known, on="sample_id", how="left")
    return rows


def _campaigns(rows: pd.DataFrame) -> list[Campaign]:
    """The samples of the fit by source, those of most samples first."""
    found = []
    for source, part in rows.groupby(rows["source"].fillna(_GONE).astype(str)):
        years = part["year"].dropna().astype(int)
        ends = (int(years.min()), int(years.max())) if len(years) else (None, None)
        splits = part["split"].value_counts(sort=False)
        found.append(Campaign(str(source), *ends, {str(name): int(n) for name, n in splits.items()}))
    return sorted(found, key=lambda each: (-sum(each.splits.values()), each.source))


def _of_test_split(project: Project, rows: pd.DataFrame, level: float | None) -> list[Score]:
    """The scores of the test split, with intervals that draw locations; none where there is no test split."""
    rows = rows[rows["split"] == "test"]
    if len(rows) < 2:
        return []
    settings = project.settings.evaluation
    places = rows["longitude"].map("{:.5f}".format) + rows["latitude"].map(" {:.5f}".format)
    known = rows["location_id"].notna().all()  # else one place could be two units
    units, words = units_of("location", rows if known else rows.assign(location_id=places))
    observed, predicted = rows["observed"].to_numpy(float), rows["predicted"].to_numpy(float)
    ends = intervals(observed, predicted, Draws.of(units, settings.seed, settings.draws))
    own = vars(scores(observed, predicted))
    r2, rmse = (_ends(own[name], *ends[name]) for name in ("r2", "rmse"))
    inside = (observed >= rows["lower"]) & (observed <= rows["upper"])
    return [Score("test split", len(rows), words, r2, rmse, float(inside.mean()), level)]


def _by_folds(project: Project, run: "Run") -> list[Score]:
    """The pooled scores of the version's recipe under every scheme, of an evaluation of the same features."""
    path, tags = project.results / "evaluation.parquet", run.data.tags
    if not path.is_file() or tags.get("soc.features") != read_info(project.database).get("inputs"):
        return []
    if not vouching.is_fresh(path, evaluation_inputs(project)):
        return []
    table = files.read_table(path)
    own = (table["model"] == tags.get(MODEL_TAG)) & (table["features"] == tags.get(FEATURES_TAG))
    table = table[own & (table["scope"] == "pooled") & (table["scale"] == "g/kg") & (table["failed"] == 0)]
    level, found = project.settings.evaluation.level, []
    for scheme, rows in table.groupby("scheme", sort=False):
        by_metric = rows.drop_duplicates("metric").set_index("metric")
        r2, rmse, coverage = (_row(by_metric, name) for name in ("r2", "rmse", "coverage"))
        found.append(Score(f"{scheme} folds", int(rows["n"].max()), "", r2, rmse, coverage[0], level))
    return found


def _row(table: pd.DataFrame, metric: str) -> Ends:
    if metric not in table.index:
        return None, None, None
    value, low, high = table.loc[metric, ["value", "low", "high"]].to_numpy(float)
    return _ends(value, low, high)


def _ends(value: Any, low: Any, high: Any) -> Ends:
    """The three, None for what is not a number."""
    known = [float(each) if isfinite(np.float64(each)) else None for each in (value, low, high)]
    return known[0], known[1], known[2]
