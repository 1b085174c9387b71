"""Findings: what is suspicious in what goes in or wrong with what comes out, its severity, and its fix.

What each check looks for is in `soc_assets.ingest.quality`, in `soc_assets.sampling.findings`, and for outputs in the
module `check` of each stage. Findings about inputs that are right as they are can be accepted in `[rasters] accept`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_MOST_STEPS = 6  # steps named in one line


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing before computing."""

    check: str
    """Its kind: one of `settings.RASTER_CHECKS` or `settings.SAMPLE_CHECKS`, `schema`, or the check of an output."""
    severity: Severity
    """error: a run would give wrong numbers or nothing; warning: worth a look; note: good to know."""
    band: str
    """The band, or the soil table; "" where a setting or the study as a whole is meant."""
    step: str
    """`2012`, `2012_winter`; "" where it concerns the band as a whole."""
    path: str
    """The file, or "" where none alone is meant."""
    found: str
    cure: str
    acceptable: bool = True
    """Whether `[rasters] accept` may turn it into a note: not where the run stops all the same."""

    @property
    def place(self) -> str:
        """What is meant, for people: `LAI 2012`, `lab.csv`."""
        return f"{self.band} {self.step}".strip()

    @property
    def key(self) -> str:
        """What `[rasters] accept` names: `constant:LAI_2012`."""
        return f"{self.check}:{self.band}" + (f"_{self.step}" if self.step else "")

    @property
    def words(self) -> str:
        """File, what was found and the fix, in one paragraph."""
        return f"{self.path}: {self.found}. {self.cure}"


def of_output(check: str, severity: Severity, path: str, found: str, cure: str) -> Finding:
    """A finding about an output: a file, a table or a run, named so that it can be found. It cannot be accepted."""
    return Finding(check, severity, "", "", path, found, cure, acceptable=False)


def step_of_row(row: Mapping[Any, Any]) -> str:
    """The step of a catalog row in words: `2012`, `2012_winter`, "" if static."""
    return "_".join(str(row[name]) for name in ("year", "season") if not pd.isna(row[name]))


def about(row: Mapping[Any, Any], check: str, severity: Severity, found: str, cure: str) -> Finding:
    """A finding about the raster of a catalog row."""
    return Finding(check, severity, str(row["band"]), step_of_row(row), str(row["path"]), found, cure)


def accepting(findings: Iterable[Finding], accept: Sequence[str]) -> list[Finding]:
    """The findings, with those that the user accepts turned into notes that say so."""
    return [
        replace(finding, severity="note", found=f"{finding.found} (accepted in soc.toml)")
        if {finding.key, f"{finding.check}:{finding.band}"} & {*accept}
        and finding.severity != "note"
        and finding.acceptable
        else finding
        for finding in findings
    ]


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Most severe first, otherwise in the order given."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that block downstream steps: a run would give wrong numbers or nothing."""
    return [finding for finding in findings if finding.severity == "error"]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for steps of a band that have the same problem and the same fix, for tables."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        own = "" if finding.step or finding.path else finding.found  # findings without a step are kept separate
        groups.setdefault((finding.check, finding.severity, finding.band, finding.cure, own), []).append(finding)
    return [_as_one(members) for members in groups.values()]


def in_words(finding: Finding) -> str:
    """A finding as one paragraph: where, what was found, and the fix."""
    place = f"{finding.place} ({finding.path})" if finding.path else finding.place
    return f"{finding.check}: {place + ': ' if place else ''}{finding.found}. {finding.cure}".rstrip()


def _as_one(members: list[Finding]) -> Finding:
    first = members[0]
    if len(members) == 1:
        return first
    steps = [member.step for member in members if member.step]
    shown = ", ".join(steps[:_MOST_STEPS]) + (
        f" and {len(steps) - _MOST_STEPS} more" if len(steps) > _MOST_STEPS else ""
    )
    return replace(first, step=shown, found=f"{first.found}; likewise in {len(members) - 1} more")
