"""Asset checks of `raster_catalog` and `soil_samples`: their specs, and findings turned into Dagster's results.

What is looked for is in `soc_assets.ingest.check`. A check with an error blocks what comes after, a check with warnings
does not.
"""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from soc_assets.defs import report
from soc_assets.ingest.check.findings import Finding, errors, in_words, merged
from soc_assets.ingest.check.sample_drift import Drift
from soc_assets.settings import RASTER_CHECKS, SAMPLE_CHECKS

_SAYS = {
    "fill_values": 'No number that stands for "no data" enters the statistics.',
    "orientation": "No raster is upside-down against the other steps of its band.",
    "constant": "No raster has one value everywhere.",
    "outliers": "No step is scaled, shifted or spread unlike the others of its band.",
    "copies": "No two steps of a band are the same file.",
    "grid": "The grids fit the reference grid.",
    "gaps": "No step of the study's range is missing.",
    "files": "No raster was set aside.",
    "samples": "There are samples in the years studied.",
    "coverage": "The samples have the images that they need.",
    "edges": "The windows of the samples lie inside the reference grid.",
    "schema": "Types, ranges, missing values and ids of the samples are right.",
    "drift": "Organic carbon is distributed as in the last materialisation.",
}


def _specs(asset: str, names: Sequence[str]) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=asset, blocking=True, description=_SAYS[name]) for name in names]


RASTER_SPECS = _specs("raster_catalog", RASTER_CHECKS)
SAMPLE_SPECS = _specs("soil_samples", (*SAMPLE_CHECKS, "schema", "drift"))


def results(findings: Sequence[Finding], names: Sequence[str]) -> list[dg.AssetCheckResult]:
    """One result per kind of finding, with a table of the findings and their cures."""
    return [_result(name, [finding for finding in findings if finding.check == name]) for name in names]


def schema_result(failures: pd.DataFrame) -> dg.AssetCheckResult:
    """The result of the samples' schema; failure cases name sample, column and value."""
    lines = [
        f"sample {own or '(all)'}: {column} is {value}, expected {rule}"
        for own, column, value, rule in failures.head(5).itertuples(index=False)
    ]
    more = f" and {len(failures) - 5} more" if len(failures) > 5 else ""
    cure = "Check the units and columns of its table ([soil.columns] in soc.toml)."
    return dg.AssetCheckResult(
        check_name="schema",
        passed=failures.empty,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{'; '.join(lines)}{more}. {cure}" if lines else "Every sample fits.",
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


def _result(name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    grave = errors(findings)
    worth = grave or [finding for finding in findings if finding.severity == "warning"]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not worth,
        severity=dg.AssetCheckSeverity.ERROR if grave else dg.AssetCheckSeverity.WARN,
        description="\n".join(in_words(finding) for finding in merged(worth)) or _SAYS[name],
        metadata={"findings": report.table(_table(findings))} if findings else {},
    )


def _table(findings: Sequence[Finding]) -> pd.DataFrame:
    columns = ["severity", "band", "step", "file", "found", "cure"]
    lines = [(item.severity, item.band, item.step, item.path, item.found, item.cure) for item in findings]
    return pd.DataFrame(lines, columns=columns)
