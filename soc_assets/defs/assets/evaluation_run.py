"""What the assets `baselines` and `evaluation` do: compare, write tables and the report, track it in MLflow.

The assets themselves are in `soc_assets.defs.assets.regression`, the comparison in
`soc_assets.regression.evaluation.compare`.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from soc_assets.defs.ui import report
from soc_assets.features.sql.database import read_info
from soc_assets.pipeline.evaluation_results import further_sections, results_of
from soc_assets.project import Project
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.evaluation.compare import Compared, compare
from soc_assets.regression.evaluation.interval_scores import best_with_intervals
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.evaluation.next_model import next_model_of
from soc_assets.regression.evaluation.supplement import NAMES
from soc_assets.regression.inputs import model_inputs
from soc_assets.regression.report.evaluation_sections import evaluation_sections
from soc_assets.regression.report.facts import facts_of
from soc_assets.regression.report.page import html_report
from soc_assets.regression.report.quarto import quarto_report
from soc_assets.regression.report.sections import Section, pictures
from soc_assets.storage import files
from soc_assets.storage.vouching import vouch
from soc_assets.tracking.champion import promote
from soc_assets.tracking.evaluation import log_evaluation
from soc_assets.tracking.store import tracking_of

_REGIONS = "soc.regions"  # key of the sentence about regions in a table's metadata
_CEILING = "soc.ceiling"  # ... and of the ceiling of R2
_TITLE = "Prediction of soil organic carbon: evaluation"


def run_baselines(context: dg.AssetExecutionContext, project: Project, inputs: str) -> None:
    """Fit the baselines and write baselines.parquet."""
    compared = _compare(context, project, only_baselines=True)
    stored = {files.INPUTS: inputs, _REGIONS: compared.regions}
    files.write_table(project.results / "baselines.parquet", compared.table, stored)


def run_evaluation(context: dg.AssetExecutionContext, project: Project, inputs: str) -> None:
    """Fit everything, write predictions, the report with its figures and evaluation.parquet (last), and track it."""
    compared = _compare(context, project)
    results = project.results
    predictions = _predictions(compared)
    found = results_of(project, compared, predictions)
    ceiling, more = found.ceiling, further_sections(project, compared)
    _write_report(project, evaluation_sections(found, facts_of(project, compared), more))
    files.write_table(results / "out_of_fold.parquet", predictions)
    for name in NAMES:
        files.write_table(results / f"{name}.parquet", compared.supplement[name])
    words = {scheme: each.words for scheme, each in found.verdicts.items()}
    files.write_json(results / "verdict.json", words)
    run_id = log_evaluation(tracking_of(project), project, compared, words, inputs, context.run.run_id)
    stored = {files.INPUTS: inputs, "soc.mlflow_run": run_id, _REGIONS: compared.regions}
    stored |= {_CEILING: json.dumps(ceiling.as_json())} if ceiling else {}
    tables = [f"{name}.parquet" for name in ("out_of_fold", *NAMES)]
    names = (*tables, "verdict.json", "evaluation.html", "evaluation.qmd")
    beside = [results / name for name in names]
    path = results / "evaluation.parquet"
    vouched = vouch(path, [*beside, *sorted((results / "figures").glob("*.png"))])
    files.write_table(path, compared.table, {**stored, **vouched})
    tracking = tracking_of(project)
    if record := tracking.find_run(model_inputs(project)):
        context.log.info(promote(project, tracking, record))


def evaluation_metadata(project: Project, scheme: str) -> dict[str, Any]:
    """What the UI shows of the evaluation on disk."""
    results = project.results
    path = results / "evaluation.parquet"
    table = files.read_table(path)
    words = json.loads((results / "verdict.json").read_text(encoding="utf-8"))
    board, stored = leaderboard(table, scheme).round(4), files.read_metadata(path)
    figures = {file.stem: report.picture(file.read_bytes()) for file in sorted((results / "figures").glob("*.png"))}
    return {
        **{f"verdict_{name}": dg.MetadataValue.text(said) for name, said in words.items()},
        "next_model": next_model_of(project),
        "leaderboard": report.table(board),
        "intervals": report.table(best_with_intervals(table, scheme, 3).round(4)),
        "regions": stored.get(_REGIONS, ""),
        "ceiling": json.loads(stored[_CEILING])["words"] if _CEILING in stored else "",
        **{f"{name}_table": report.table(table.round(4)) for name, table in _supplement(results).items()},
        **{name: value for name, value in board_metrics(board).items() if value is not None},
        **figures,
        "weights": read_info(project.database).get("weights", ""),
        "report": dg.MetadataValue.path(str(results / "evaluation.html")),
        "table": dg.MetadataValue.path(str(path)),
        "mlflow_run": stored.get("soc.mlflow_run", ""),
    }


def _supplement(results: Path) -> dict[str, pd.DataFrame]:
    """The tables of the supplementary analyses that have rows."""
    paths = {name: results / f"{name}.parquet" for name in NAMES}
    found = {name: files.read_table(path) for name, path in paths.items() if path.is_file()}
    return {name: table for name, table in found.items() if len(table)}


def board_metrics(board: pd.DataFrame) -> dict[str, float | None]:
    """R2 of the best model and of the best baseline, for the UI's plots over time."""
    best = {}
    for name, flag in (("best_r2", False), ("best_baseline_r2", True)):
        values = board.loc[board["baseline"] == flag, "r2"].dropna()
        best[name] = float(values.iloc[0]) if len(values) else None
    return best


def _compare(context: dg.AssetExecutionContext, project: Project, only_baselines: bool = False) -> Compared:
    compared = compare(project, only_baselines)
    context.log.info(compared.regions)
    for item in (*compared.done, *compared.supplement.done):
        if item.error:
            context.log.error(
                f"{item.fit.model} on {item.fit.features}, {item.fit.scheme} fold {item.fit.number}: {item.error}"
            )
    return compared


def _predictions(compared: Compared) -> pd.DataFrame:
    """Out-of-fold predictions of every model: scheme, model, features, fold, unit and the columns of the fits."""
    known = compared.design.samples.set_index("sample_id")
    parts = [
        found.rows.assign(
            unit=units_of(found.scheme, known.loc[found.rows["sample_id"]])[0],
            scheme=found.scheme,
            model=found.model,
            features=found.features,
            failed=found.failed,
            baseline=found.baseline,
        )
        for found in compared.models
        if not found.rows.empty
    ]
    return pd.concat(parts, ignore_index=True)


def _write_report(project: Project, sections: Sequence[Section]) -> None:
    """The page, the Quarto source of the same sections, and their figures, which replace those of a former one."""
    results, today = project.results, datetime.now(UTC)
    when = f"{today.day} {today:%B %Y}"
    for old in (results / "figures").glob("*.png"):
        files.remove(old)
    for name, png in pictures(sections).items():
        _write_bytes(results / "figures" / f"{name}.png", png)
    files.write_text(results / "evaluation.html", html_report(_TITLE, sections, when))
    files.write_text(results / "evaluation.qmd", quarto_report(_TITLE, sections, when))


def _write_bytes(path: Path, content: bytes) -> None:
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
