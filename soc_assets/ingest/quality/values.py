"""Suspicious statistics: rasters of one value, steps that repeat another, and steps unlike the others of their band.

Based on the catalog and, for the spread, on previews; fill values are in `ingest.quality.unmasked_fill`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from soc_assets.ingest.quality.mixed_units import CELSIUS, scaled, two_units
from soc_assets.ingest.quality.previews import Preview
from soc_assets.reporting.findings import Finding, about, step_of_row

_FACTORS = (10.0, 100.0, 1000.0, 10_000.0, 50.0, 0.1, 0.01, 0.001, 0.0001, 0.02)  # scales left out or applied twice
_FEWEST_FOR_SCALE = 3  # minimum steps for a factor between one and the others to be reported
_FEWEST_FOR_SHIFT = 5  # minimum steps for a reliable estimate of their spread
_SPREADS = 6.0
_MOST_LISTED = 6  # steps named in one line
_CURES = {
    True: "Replace the file or take it out of the folder; a missing step is treated as missing.",
    False: "It carries no information about the samples: replace it, or take the band out of [rasters] bands.",
}  # of a constant raster, by whether other steps of its band vary
_Row = Mapping[Any, Any]


def constant(rows: Sequence[_Row]) -> list[Finding]:
    """Rasters in which every valid pixel has one value: an error where other steps of the band vary."""
    findings = []
    for members in _by_band(rows):
        flat = [rows[i] for i in members if rows[i]["min"] == rows[i]["max"]]
        varying = len(flat) < len(members)
        others = f", while {len(members) - len(flat)} other steps vary" if varying else ""
        for row in flat:
            found = f"every valid pixel is {row['min']:g}{others}"
            findings.append(about(row, "constant", "error" if varying else "warning", found, _CURES[varying]))
    return findings


def copies(rows: Sequence[_Row]) -> list[Finding]:
    """Steps whose file holds the same bytes as another of the band: often a year that was copied to fill a gap."""
    findings, first = [], {}
    for row in rows:
        identity = (row["band"], row["digest"], row.get("layer", 1), row.get("tile"))
        before = first.setdefault(identity, row)
        if before is not row:
            findings.append(
                about(
                    row,
                    "copies",
                    "warning",
                    f"the file is the same as that of {step_of_row(before) or before['path']}",
                    "Put the right file there, or remove it: a missing step is treated as missing.",
                )
            )
    return findings


def outliers(rows: Sequence[_Row], previews: Sequence[Preview]) -> list[Finding]:
    """Steps whose values are those of the other steps times a factor, shifted, or spread otherwise.

    Steps are compared with the same season's. Mean and spread are of the previews, where fill values found are masked.
    """
    findings = []
    for members in _by_band_and_season(rows):
        means = np.array([_mean(previews[i]) for i in members])
        spreads = np.array([_std(previews[i]) for i in members])
        alone = []
        for place, i in enumerate(members):
            others = [k for k in range(len(members)) if k != place and np.isfinite(means[k])]
            if len(others) < _FEWEST_FOR_SCALE - 1 or not np.isfinite(means[place]):
                continue
            if words := _unlike(means[place], spreads[place], means[others], spreads[others]):
                found, cure = words
                alone.append(about(rows[i], "outliers", "warning", found, cure))
        findings += alone or _in_two_units([rows[i] for i in members], means, spreads)
    return findings


def _in_two_units(rows: Sequence[_Row], means: np.ndarray, spreads: np.ndarray) -> list[Finding]:
    """Findings about the steps of a band and season that are in another unit than the rest."""
    found = two_units(means, spreads)
    if found is None:
        return []
    steps = [step_of_row(rows[i]) for i in found.others]
    usual = [float(np.median(of[found.others])) for of in (means, spreads)]
    rest = f"{usual[0]:.5g} and {usual[1]:.4g} of {_listed(steps)}"
    return [
        about(
            rows[i],
            "outliers",
            "warning",
            f"mean {means[i]:.5g} and standard deviation {spreads[i]:.4g} against {rest}: {found.words}",
            f"Find out which of them are in the unit that is meant. Where it is the others, {found.cure}",
        )
        for i in found.members
    ]


def _listed(steps: Sequence[str]) -> str:
    return ", ".join(steps[:_MOST_LISTED]) + (" and others" if len(steps) > _MOST_LISTED else "")


def _unlike(mean: float, std: float, means: np.ndarray, stds: np.ndarray) -> tuple[str, str] | None:
    """What sets a step apart from the others, and the fix; None if nothing does."""
    middle, usual = float(np.median(means)), float(np.median(stds))
    if np.abs(means - middle).max() > max(0.5 * abs(middle), 3 * usual):
        return None  # the others do not agree among themselves
    numbers = (
        f"mean {mean:.5g} and standard deviation {std:.4g} against {middle:.5g} and {usual:.4g} of the other steps"
    )
    for factor in _FACTORS if middle and usual else ():
        if abs(mean / middle / factor - 1) < 0.25 and abs(std / usual / factor - 1) < 0.5:
            return f"{numbers}: about {factor:g} times as large", _cure_of_factor(factor)
    for shift, words in ((CELSIUS, "Kelvin"), (-CELSIUS, "degrees Celsius"), (CELSIUS * 50, "Kelvin (times 50)")):
        if abs(mean - middle - shift) < max(0.05 * abs(shift), 2 * usual) and usual < abs(shift) / 10:
            return f"{numbers}: as if in {words}", "Convert the file to the unit of the other steps."
    if len(means) < _FEWEST_FOR_SHIFT - 1:
        return None
    spread = 1.4826 * float(np.median(np.abs(means - middle)))
    if abs(mean - middle) > max(_SPREADS * spread, usual, 0.05 * abs(middle)):
        return f"{numbers}: far beyond what separates them", "Look at the file: another variable, unit or region?"
    if usual > 0 and not 0.25 < std / usual < 4:
        return f"{numbers}: spread {std / usual:.2g} times as wide", "Look at the file: another variable or resolution?"
    return None


def _cure_of_factor(factor: float) -> str:
    cure = scaled(factor)
    return cure[0].upper() + cure[1:]


def _by_band(rows: Sequence[_Row]) -> Iterator[list[int]]:
    yield from _grouped([str(row["band"]) for row in rows])


def _by_band_and_season(rows: Sequence[_Row]) -> Iterator[list[int]]:
    yield from _grouped([f"{row['band']} {row['season']} {row.get('tile', '')}" for row in rows])


def _grouped(names: Sequence[str]) -> Iterator[list[int]]:
    """Positions of equal names, in order of their first."""
    groups: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        groups.setdefault(name, []).append(position)
    yield from groups.values()


def _mean(preview: Preview) -> float:
    valid = preview.values[~np.isnan(preview.values)]
    return float(valid.mean(dtype=np.float64)) if valid.size else float("nan")


def _std(preview: Preview) -> float:
    valid = preview.values[~np.isnan(preview.values)]
    return float(valid.std(dtype=np.float64)) if valid.size else float("nan")
