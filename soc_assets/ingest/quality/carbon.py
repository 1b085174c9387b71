"""Findings about the numbers of organic carbon in a soil table: codes for "missing", misplaced decimal points, units.

Each table is assessed separately, all its usable rows together, before any filter of the study.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from soc_assets.reporting.findings import Finding

_CODES = (0.0, 9.0, 9.9, 9.99, 99.0, 99.9, 99.99, 100.0, 999.0, 999.9, 999.99)
_FEWEST = 10  # minimum rows for a table to be assessed
_CODE_SHARE, _SHARE = 0.005, 0.02  # of a table's rows from which a code, any other number, stands out
_TIMES = 5  # how much more often than its neighbours a number occurs that stands for something else
_TIMES_OF_ZERO = 3  # no soil is without carbon
_NEIGHBOURS = 10
_MOST_SPIKES = 3  # more come from a laboratory that rounds
_GAP, _FAR = 3.0, 20.0  # factors: empty between the rest and what is far off; from the median
_SIGMAS = 5.0
_PURE = 580.0  # g/kg: organic matter itself
_PERCENT_MEDIAN, _PERCENT_MOST = (0.5, 5.0), 60.0
_MASS_FRACTION = 0.6  # kg/kg: largest that there is


def carbon_findings(samples: pd.DataFrame, tables: pd.DataFrame) -> list[Finding]:
    """Numbers that are far too frequent or far off, and tables that seem to be in another unit.

    Args:
        samples: all usable rows: `organic_carbon` (g/kg), `file`, `row`.
        tables: how each table was read: `file`, `unit`, `below_detection`.
    """
    how = tables.drop_duplicates("file").set_index("file")
    findings = []
    for file, rows in samples.groupby("file", sort=True):
        carbon, name = rows["organic_carbon"].to_numpy(float), str(file)
        unit = str(how["unit"].get(file, "g/kg"))
        halves = how["below_detection"].get(file) == "half_limit"
        if len(carbon) >= _FEWEST:
            findings += [*_too_often(name, carbon, halves=halves), *_unit(name, carbon, unit)]
        findings += _far_off(name, rows, carbon)
    return findings


def _too_often(file: str, carbon: np.ndarray, *, halves: bool) -> Iterator[Finding]:
    """A number that occurs far more often than its neighbours."""
    values, counts = np.unique(carbon, return_counts=True)
    spikes = [i for i in range(len(values)) if _stands_out(values, counts, i)]
    codes = [i for i in spikes if np.isclose(values[i], _CODES).any()]
    if halves and spikes and values[spikes[0]] > 0 and spikes[0] == 0:
        spikes = spikes[1:]  # half of the detection limit
    chosen = spikes if len(spikes) <= _MOST_SPIKES else [i for i in codes if values[i] in (values[0], values[-1])]
    if not chosen:
        return
    parts = " and ".join(f"{values[i]:g} in {counts[i]}" for i in chosen)
    cure = 'If it stands for "missing" or "below detection", empty these cells; if it is measured, accept the finding.'
    found = f"organic carbon is {parts} of {len(carbon)} rows, far more often than neighbouring values (g/kg)"
    yield Finding("carbon", "warning", file, "", "", found, cure)


def _stands_out(values: np.ndarray, counts: np.ndarray, place: int) -> bool:
    count, share = counts[place], counts[place] / counts.sum()
    code = np.isclose(values[place], _CODES).any()
    if share < (_CODE_SHARE if code else _SHARE) or count < (3 if values[place] == 0 else 5):
        return False
    times = _TIMES if values[place] else _TIMES_OF_ZERO
    near = [*range(max(place - _NEIGHBOURS // 2, 0), place), *range(place + 1, place + 1 + _NEIGHBOURS // 2)]
    beside = counts[[i for i in near if i < len(counts)]]
    return bool(len(beside) >= _NEIGHBOURS // 2) and bool(count >= times * max(float(np.quantile(beside, 0.75)), 1))


def _far_off(file: str, rows: pd.DataFrame, carbon: np.ndarray) -> Iterator[Finding]:
    """A few numbers far from all others of the table, with a gap; and more carbon than organic matter contains."""
    far = np.zeros(len(carbon), bool)
    positive = carbon > 0
    if positive.sum() >= _FEWEST:
        logs = np.log(carbon[positive])
        middle = float(np.median(logs))
        sigma = 1.4826 * float(np.median(np.abs(logs - middle)))
        least = max(_SIGMAS * sigma, float(np.log(_FAR)))
        for side in (-1, 1):
            away = side * (logs - middle)
            order = np.sort(away)
            gaps = np.flatnonzero((np.diff(order) > np.log(_GAP)) & (order[1:] > least))
            if len(gaps) and len(order) - 1 - gaps[0] <= max(1, 0.01 * len(order)):
                far[np.flatnonzero(positive)[away >= order[gaps[0] + 1]]] = True
    for chosen, words in (
        (far, f"far from the median of {np.median(carbon):.3g}, with nothing between"),
        ((carbon > _PURE) & ~far, f"more than the {_PURE:g} g/kg of organic matter itself"),
    ):
        if chosen.any():
            named = ", ".join(
                f"{value:g} (row {row})" for value, row in zip(carbon[chosen][:5], rows["row"][chosen][:5], strict=True)
            )
            found = f"organic carbon of {int(chosen.sum())} of {len(carbon)} rows is {words}: {named} g/kg"
            cure = "Compare these rows with the laboratory's report: a slip of the decimal sign, or another unit?"
            yield Finding("carbon", "warning", file, "", "", found, cure)


def _unit(file: str, carbon: np.ndarray, unit: str) -> Iterator[Finding]:
    """A table read as g/kg whose numbers are those of per cent, or of a mass fraction."""
    median, most = float(np.median(carbon)), float(carbon.max())
    if unit != "g/kg":
        return
    numbers = f"organic carbon is read as g/kg, but its median is {median:.3g} and its maximum {most:.3g}"
    if most <= _MASS_FRACTION:
        cure = "Multiply the column by 1000 if it is in kg/kg."
        yield Finding("carbon", "warning", file, "", "", f"{numbers}: it looks like kg/kg", cure)
    elif _PERCENT_MEDIAN[0] <= median <= _PERCENT_MEDIAN[1] and most < _PERCENT_MOST and _short(carbon):
        cure = (
            f'If it is per cent: [[soil.tables]] file = "{file.partition("[")[0]}", unit = "%" in soc.toml (or '
            '"organic_matter_%"). Soils so poor in carbon do exist: then accept the finding.'
        )
        yield Finding("carbon", "warning", file, "", "", f"{numbers}: it looks like per cent", cure)


def _short(numbers: np.ndarray) -> bool:
    """Whether nearly all numbers have at most three decimal places, as written by a laboratory."""
    return bool(np.isclose(numbers, numbers.round(3), rtol=0, atol=1e-7).mean() >= 0.9)
