"""Findings about soil tables as files: those set aside, those not read, and how many rows of each are rejected.

Which rows are usable was decided in `ingest.soil.clean`; here it is counted. What the values look like is in
`ingest.quality.carbon`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from soc_assets.ingest.soil.samples import CURES
from soc_assets.reporting.as_text import one_line
from soc_assets.reporting.findings import Finding, Severity
from soc_assets.storage.names import nfc

_MANY = 0.1  # share of rejected rows from which a table is worth a warning
_EXPECTED = (
    "duplicate",
    "depth not topsoil",
    "outside the rasters",
    "joined to its profile",
    "hidden row",
    "summary row",
)
"""Reasons that whole campaigns come with: horizons below the first, a continent's points, a table in two formats."""
_CHOSEN = ("sheet not asked for", "hidden")
_MORE_CURES = {
    "fields do not match the header": "Quote fields that hold the separator, or give the file's separator in "
    "[[soil.tables]] of soc.toml.",
    "organic carbon missing": "Name the column of organic carbon in [soil.columns] of soc.toml if another holds it.",
    "organic carbon not a number": "Give the decimal sign by decimal in [[soil.tables]] of soc.toml, or mend the rows.",
    "organic carbon negative": "Empty the cells that stand for a missing value.",
}
_DATA_ENDINGS = (
    *(".txt", ".dat", ".asc", ".prn", ".gz", ".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".xlsm", ".xlsb"),
    *(".json", ".jsonl", ".xml", ".gml", ".kmz", ".fgb", ".feather", ".arrow", ".orc", ".sqlite", ".db", ".rds"),
    *(".rda", ".rdata", ".sav", ".dta", ".sas7bdat", ".mat", ".nc", ".h5", ".tab", ".numbers", ".ods", ".mdb"),
    *(
        ".accdb",
        ".kml",
        ".gdb",
        ".gpx",
        ".csv",
        ".tsv",
        ".xlsx",
        ".xls",
        ".parquet",
        ".gpkg",
        ".geojson",
        ".shp",
        ".dbf",
    ),
)
"""Suffixes of files that may hold samples and are not read, or are read only in the folder itself."""
_BESIDE = (
    *(".prj", ".shx", ".cpg", ".sbn", ".sbx", ".qix", ".qpj", ".qmd", ".qml", ".lock", ".gpkg-wal", ".gpkg-shm"),
    *(".md", ".pdf", ".doc", ".docx", ".htm", ".html", ".png", ".jpg", ".jpeg", ".ini", ".bak", ".rst"),
)
_DOCUMENTS = ("readme", "licence", "license", "metadata", "citation", "changelog")
_MOST_NAMED = 6
_MOST_SEEN = 2000  # files of subfolders that are listed


def table_findings(rejected: pd.DataFrame, tables: pd.DataFrame) -> list[Finding]:
    """Tables set aside, and rows rejected by table and reason.

    Args:
        rejected: file, row (null for a table that cannot be used), reason, detail.
        tables: how each table was read: file, rows.
    """
    whole = rejected[rejected["row"].isna()]
    used = {str(name).partition("[")[0] for name in tables["file"]}
    aside = [_set_aside(line, used) for line in whole.to_dict("records")]
    rows = rejected[rejected["row"].notna()]
    counts = dict(zip(tables["file"], tables["rows"], strict=True))
    return [
        *aside,
        *(_rejected(str(file), part, int(counts.get(file, len(part)))) for file, part in rows.groupby("file")),
    ]


def files_not_read(folder: Path, used: Sequence[Path]) -> list[Finding]:
    """Files in the folder of soil tables, and below it, that nothing reads.

    Args:
        folder: of the soil tables.
        used: the files that are read, those that belong to a shapefile included.
    """
    data, others = [], []
    for name, path in _not_read(folder, {path.resolve() for path in used}):
        ending, stem = path.suffix.lower(), path.stem.lower()
        if ending == ".txt" and stem.startswith(_DOCUMENTS):
            continue
        if ending in _DATA_ENDINGS:
            data.append(name)
        elif ending not in _BESIDE and not stem.startswith(_DOCUMENTS) and not name.lower().endswith(".xml"):
            others.append(name)
    cure = (
        "Put tables into the folder itself, unpacked, as CSV, TSV, XLSX, XLS, Parquet, GeoPackage, GeoJSON or "
        "shapefile; move the rest elsewhere."
    )
    parts: list[tuple[Severity, list[str]]] = [("warning", data), ("note", others)]
    return [
        Finding(
            "samples", severity, folder.name, "", str(folder), f"{_files(names)} not looked at: {_listed(names)}", cure
        )
        for severity, names in parts
        if names
    ]


def _set_aside(line: Mapping[Any, Any], used: set[str]) -> Finding:
    """A table or a sheet that cannot be used: a further sheet of a workbook that is used is rarely one."""
    file, reason = str(line["file"]), str(line["reason"])
    further = "[" in file and file.partition("[")[0] in used
    severity: Severity = "note" if further or reason in _CHOSEN else "warning"
    detail = str(line["detail"]).removeprefix(f"{one_line(file)}: ").rstrip(".")
    cure = "Its rows are no samples until then."
    return Finding("samples", severity, file, "", "", f"it is set aside, {reason}: {detail}", cure)


def _rejected(file: str, rejected: pd.DataFrame, rows: int) -> Finding:
    """How many rows of a table are rejected, and why."""
    counts = {str(reason): int(count) for reason, count in rejected["reason"].value_counts().items()}
    troubles = [reason for reason in counts if reason not in _EXPECTED]
    serious = sum(counts[reason] for reason in troubles)
    nothing_left = len(rejected) >= rows and set(counts) != {"duplicate"}
    severity: Severity = "warning" if serious > _MANY * rows or nothing_left else "note"
    first = {reason: rejected.loc[rejected["reason"] == reason, "row"].min() for reason in counts}
    parts = ", ".join(f"{count} {reason} (first: row {first[reason]})" for reason, count in counts.items())
    share = f"{max(len(rejected) / rows, 0.01):.0%}" if len(rejected) >= 0.01 * rows else "under 1%"
    found = f"{len(rejected)} of {rows} rows ({share}) are rejected: {parts}"
    cures = {**CURES, **_MORE_CURES}
    helpful = [cures[reason] for reason in troubles or counts if reason in cures]
    listed = "Each row is in rejected.parquet, beside the samples, after `soc run`."
    return Finding(
        "samples", severity, file, "", "", found, " ".join([*(helpful if severity != "note" else []), listed])
    )


def _not_read(folder: Path, used: set[Path]) -> Iterator[tuple[str, Path]]:
    """Name and path of what lies in the folder and below it and is not used; a file geodatabase is one thing."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith((".", "~$", "Thumbs.db")) or path.resolve() in used:
            continue
        if path.is_file() or path.suffix.lower() == ".gdb":
            yield nfc(path.name), path
        elif path.is_dir():
            for seen, inside in enumerate(path.rglob("*")):
                if seen >= _MOST_SEEN:
                    break
                hidden = any(part.startswith((".", "~$", "__")) for part in inside.relative_to(folder).parts)
                if inside.is_file() and not hidden:
                    yield nfc(inside.relative_to(folder).as_posix()), inside


def _files(names: Sequence[str]) -> str:
    return "1 file is" if len(names) == 1 else f"{len(names)} files are"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
