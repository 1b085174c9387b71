"""Asset checks: their specs, and findings and faults turned into Dagster's results.

What is looked for is in `soc_assets.ingest.quality` and in the modules `check` of the other stages. A check with an
error blocks downstream assets, a check with warnings does not.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import pandas as pd

from soc_assets.defs.ui import report
from soc_assets.embedding import check as embedding
from soc_assets.features import check as features
from soc_assets.ingest.quality import sample_schema
from soc_assets.ingest.quality.sample_drift import Drift
from soc_assets.mapping import check as mapping
from soc_assets.regression import check as regression
from soc_assets.reporting.findings import Finding, errors, in_words, merged
from soc_assets.reporting.findings import errors as errors_of
from soc_assets.sampling import check as sampling
from soc_assets.settings import RASTER_CHECKS, SAMPLE_CHECKS

_SAYS = {
    "fill_values": 'No number that stands for "no data" enters the statistics.',
    "wild_pixels": "No handful of pixels decides a standard deviation.",
    "orientation": "No raster is upside-down against the other steps of its band.",
    "constant": "No raster has one value everywhere.",
    "outliers": "No step is scaled, shifted or spread unlike the others of its band.",
    "copies": "No two steps of a band are the same file.",
    "grid": "The grids fit the reference grid.",
    "gaps": "No step of the study's range is missing.",
    "files": "No raster was set aside, and none lies beside the patterns of the bands.",
    "samples": "The tables are read, few of their rows are rejected, and the study's filters leave enough samples.",
    "carbon": "Organic carbon looks measured, and is in the unit that it is read in.",
    "places": "The coordinates are as fine as the pixels, and the samples stand apart.",
    "columns": "No column of a soil table looks like one that should have been read.",
    "coverage": "The samples have the images that they need.",
    "edges": "The windows of the samples lie inside the reference grid.",
    "locations": "Nothing that looks like one place is on both sides of the split.",
    "schema": "Types, ranges, missing values and ids of the samples are right.",
    "drift": "Organic carbon is distributed as in the last materialisation.",
    "finite": "Every number of the embeddings is finite.",
    "complete": "Each file has the rows of the ledger, in order, and their keys and shapes are the documented ones.",
    "spec": "Each file was made under the spec of its folder.",
    "rank": "The embeddings of a band differ where its rasters differ: they have not collapsed.",
    "constant_columns": "No column of the embeddings is the same in every sample where the rasters differ.",
    "no_location_in_two_splits": "No location is in two splits, or in two folds of a scheme.",
    "count_equals_embeddings": "The view has every embedded sample of the study once, and no other.",
    "vectors": "Vectors have the length that the spec and `feature_index` say, and no gap that should be filled.",
    "metrics_sane": "The scores are finite and possible, and training has not diverged.",
    "better_than_mean": "On the test split the model is better than the mean of the training split.",
    "no_baseline_wins": "Under the primary scheme another model scores higher than every baseline.",
    "intervals_cover": "The best model's prediction intervals cover the share of samples that was asked for.",
    "every_fit_succeeded": "Every model was fitted in every fold.",
    "search_beats_mean": "The best recipe predicts better than the mean in the inner folds.",
    "map_values": "Organic carbon is between 0 and 600 g/kg, and cells have a value.",
    "change_values": "Cells have a value in both periods, and none changes by more than 600 g/kg.",
    "change_applicable": "At least half of the cells are inside the area of applicability in both periods.",
    "change_uncertainty": "The model has members, so that the uncertainty of the change is known.",
    "map_applicable": "At least half of the cells are inside the area of applicability, where that is known.",
    "tables": "Ids are unique, test samples have no fold, and only training samples are repeated or weighted.",
}


_MOST_NAMED = 5  # faults in a description; the table has more
_COLUMNS = ["severity", "where", "found", "cure"]


def _specs(asset: str, names: Sequence[str], blocking: bool = True) -> list[dg.AssetCheckSpec]:
    """The UI shows a description beside failed results too: it says what must hold, not that it does."""
    then = "An error stops what comes after it, a warning does not." if blocking else "It stops nothing."
    return [
        dg.AssetCheckSpec(name, asset=asset, blocking=blocking, description=f"Must hold: {_SAYS[name]} {then}")
        for name in names
    ]


RASTER_SPECS = _specs("raster_catalog", RASTER_CHECKS)
SAMPLE_SPECS = _specs("soil_samples", (*SAMPLE_CHECKS, "schema", "drift"))
SAMPLING_SPECS = _specs("balanced_samples", sampling.CHECKS)
EMBEDDING_SPECS = _specs("embeddings", embedding.CHECKS)
FEATURE_SPECS = _specs("features", features.CHECKS)
MAP_SPECS = _specs("soc_map", mapping.CHECKS)
CHANGE_SPECS = _specs("soc_map_change", mapping.CHANGE_CHECKS)
MODEL_SPECS = _specs("mlp_model", regression.CHECKS)
BASELINE_SPECS = _specs("baselines", regression.BASELINE_CHECKS, blocking=False)
EVALUATION_SPECS = _specs("evaluation", regression.EVALUATION_CHECKS, blocking=False)
TUNING_SPECS = _specs("hyperparameters", regression.TUNING_CHECKS, blocking=False)


def results(findings: Sequence[Finding], names: Sequence[str]) -> list[dg.AssetCheckResult]:
    """One result per kind of finding, with a table of the findings and their fixes."""
    return [_result(name, [finding for finding in findings if finding.check == name]) for name in names]


def schema_result(failures: pd.DataFrame, samples: pd.DataFrame) -> dg.AssetCheckResult:
    """The result of the samples' schema; failure cases name sample, file, row, column and value."""
    words = sample_schema.failures_in_words(failures, samples)
    return dg.AssetCheckResult(
        check_name="schema",
        passed=failures.empty,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{words}. {sample_schema.CURE}" if words else "Every sample fits.",
        metadata={"failures": report.table(failures), "count": len(failures)},
    )


def drift_result(drift: Drift | None) -> dg.AssetCheckResult:
    """The result of comparing organic carbon with the former samples; None where there are none or nothing changed."""
    if drift is None:
        words = "Nothing to compare with: the first samples, or unchanged ones."
        return dg.AssetCheckResult(
            check_name="drift", passed=True, severity=dg.AssetCheckSeverity.WARN, description=words
        )
    return dg.AssetCheckResult(
        check_name="drift",
        passed=not drift.drifted,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Organic carbon: {drift.in_words()}.",
        metadata={"before_and_now": report.table(drift.table), "ks_distance": round(drift.distance, 4)},
    )


def finding_results(
    findings: Sequence[Finding], names: Sequence[str], said: Mapping[str, str] | None = None
) -> list[dg.AssetCheckResult]:
    """One result per check, with a table of what is wrong; `said` is the text for a check that passes."""
    words = {**_SAYS, **(said or {})}
    return [
        _finding_result(name, [finding for finding in findings if finding.check == name], words[name]) for name in names
    ]


def saying(what: str, names: Sequence[str]) -> dict[str, str]:
    """Texts for checks that pass, with what was checked."""
    return {name: f"{_SAYS[name]} Looked at: {what}." for name in names}


def evaluations(results: Sequence[dg.AssetCheckResult], asset: dg.AssetKey) -> Iterator[dg.AssetCheckEvaluation]:
    """Results as a step yields them that is going to fail and materialises nothing as a whole."""
    for result in results:
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=result.check_name or "",
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
            blocking=True,
        )


def _finding_result(name: str, findings: list[Finding], passing: str) -> dg.AssetCheckResult:
    grave = errors_of(findings)
    worth = grave or findings
    more = f"\nand {len(worth) - _MOST_NAMED} more" if len(worth) > _MOST_NAMED else ""
    table = pd.DataFrame([(item.severity, item.path, item.found, item.cure) for item in findings], columns=_COLUMNS)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN if findings and not grave else dg.AssetCheckSeverity.ERROR,
        description="\n".join(finding.words for finding in worth[:_MOST_NAMED]) + more or passing,
        metadata={"count": len(findings), **({"faults": report.table(table)} if findings else {})},
    )


def _result(name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    grave = errors(findings)
    worth = grave or [finding for finding in findings if finding.severity == "warning"]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not worth,
        severity=dg.AssetCheckSeverity.ERROR if grave else dg.AssetCheckSeverity.WARN,
        description="\n".join(in_words(finding) for finding in merged(worth)) or _SAYS[name],
        metadata={"count": len(worth), **({"findings": report.table(_table(findings))} if findings else {})},
    )


def _table(findings: Sequence[Finding]) -> pd.DataFrame:
    columns = ["severity", "band", "step", "file", "found", "cure"]
    lines = [(item.severity, item.band, item.step, item.path, item.found, item.cure) for item in findings]
    return pd.DataFrame(lines, columns=columns)
