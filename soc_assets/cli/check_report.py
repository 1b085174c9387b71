"""What `soc check` prints: the rasters, the coverage of the samples, and the findings with their fixes.

What is found is decided in `soc_assets.pipeline.inspection`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soc_assets.geo.grid import Grid, crs_of_text
from soc_assets.ingest.quality.coverage import shares_by_year
from soc_assets.ingest.quality.georeferencing import ground_size, orientation_of
from soc_assets.pipeline.inspection import Inspection
from soc_assets.rasters.names import BandName
from soc_assets.reporting.findings import SEVERITIES, Finding, merged

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_YEARS_ACROSS = 14


def show(report: Inspection, console: Console, names: Mapping[str, BandName] | None = None) -> None:
    """Print the whole report, with what the bands are called and measured in (`names`)."""
    if report.catalog is not None:
        console.print(rasters_table(report.catalog, names))
    if report.coverage is not None and report.samples is not None:
        for table in coverage_tables(shares_by_year(report.coverage), len(report.samples)):
            console.print(table)
        console.print(f"Map of the coverage: {report.map}", soft_wrap=True, markup=False)
    show_findings(report.findings, console)


def rasters_table(catalog: pd.DataFrame, names: Mapping[str, BandName] | None = None) -> Table:
    """One row per band and grid, tiles of one pixel size together: CRS, resolution on the ground, and the values.

    Labels and units of the bands (`names`) are columns where any is known.
    """
    of_bands = ("rasters", "CRS", "grid", "pixel, m", "rows", "dtype", "nodata", "valid", "min", "mean", "max")
    known = names or {}
    columns = {
        "label": {key: name.label for key, name in known.items() if name.label != key},
        "unit": {key: name.unit for key, name in known.items() if name.unit},
    }
    shown = {title: words for title, words in columns.items() if words}
    table = Table("band", *shown, *of_bands)
    table.title = "rasters"
    tiled = catalog["tile"].notna()
    whole = catalog["transform"].map(str) + catalog["shape"].map(str)
    pixels = pd.Series([str([*six[:2], *six[3:5]]) for six in catalog["transform"]], catalog.index)
    grids = catalog.assign(place=catalog["crs"] + whole.mask(tiled, pixels))
    for (band, _), group in grids.groupby(["band", "place"], sort=False):
        row: dict[Any, Any] = group.iloc[0].to_dict()
        grid = Grid.of_row(row)
        across, down = ground_size(grid)
        weights = group["valid_count"]
        table.add_row(
            str(band),
            *(escape(words.get(str(band), "")) for words in shown.values()),
            str(len(group)),
            escape(_crs_words(str(row["crs"]))),
            f"{grid.width} x {grid.height}" if pd.isna(row["tile"]) else f"{group['tile'].nunique()} tiles",
            f"{across:.0f}" if abs(across - down) < 0.5 else f"{across:.0f} x {down:.0f}",
            orientation_of(grid),
            _one_or_many(group["dtype"]),
            _one_or_many(group["nodata"].map(lambda value: "none" if pd.isna(value) else f"{value:g}")),
            f"{(group['valid_share'].mean()):.1%}",
            f"{group['min'].min():.5g}",
            f"{(group['mean'] * weights).sum() / weights.sum():.5g}",
            f"{group['max'].max():.5g}",
        )
    return table


def coverage_tables(shares: pd.DataFrame, samples: int) -> list[Table]:
    """The coverage by band and year, in as many tables as the years need."""
    years = list(shares.columns[1:])
    tables = []
    for start in range(0, len(years), _YEARS_ACROSS):
        shown = years[start : start + _YEARS_ACROSS]
        table = Table("band", *shown)
        table.title = f"images there, of {samples} samples"
        for line in shares.to_dict("records"):
            table.add_row(str(line["band"]), *(_coloured(str(line[year])) for year in shown))
        tables.append(table)
    return tables


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """The findings by severity, each with its file and fix, and how many there are."""
    for finding in merged(findings):
        label = f"[{_COLOURS[finding.severity]}]{finding.severity}[/] [bold]{finding.check}[/]"
        label = f"{label} {escape(finding.place)}" if finding.place else label
        console.print(f"{label}: {escape(finding.found)}", soft_wrap=True)
        if finding.path:
            console.print(f"    file  {finding.path}", soft_wrap=True, markup=False)
        if finding.cure:
            console.print(f"    cure  {finding.cure}", soft_wrap=True, markup=False)
        if finding.severity != "note" and finding.acceptable:
            accepted = json.dumps(f"{finding.check}:{finding.band}", ensure_ascii=False)
            console.print(f"    or    [rasters] accept = [{accepted}]", soft_wrap=True, markup=False)
    counts = [sum(finding.severity == name for finding in findings) for name in SEVERITIES]
    words = ", ".join(f"{n} {name}{'s' * (n != 1)}" for n, name in zip(counts, SEVERITIES, strict=True))
    console.print(words if findings else "Nothing suspicious was found.")


def _crs_words(crs: str) -> str:
    """The code; for WKT its name, or the projection if it has none."""
    if len(crs) <= 24:
        return crs
    name = crs.split('"')[1] if '"' in crs else crs
    if name.lower() in ("", "unknown", "unnamed"):
        name = f"unnamed {crs_of_text(crs).to_dict().get('proj', '')}"
    return name[:24].strip()


def _one_or_many(values: pd.Series) -> str:
    distinct = list(dict.fromkeys(values.astype("str")))
    return distinct[0] if len(distinct) == 1 else ", ".join(distinct[:3])


def _coloured(cell: str) -> str:
    if not cell:
        return ""
    share = int(cell.rstrip("%"))
    return f"[{'green' if share >= 95 else 'yellow' if share >= 50 else 'red'}]{cell}[/]"
