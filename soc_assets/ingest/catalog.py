"""The raster catalog: one row per usable raster, with its grid, its statistics and its digest.

What is kept about a raster, and when it must be read again, belongs here. Finding the files is in `raster_files`,
reading pixels in `raster_io`; writing the catalog is left to the asset.
"""

import contextlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from soc_assets import digest
from soc_assets.errors import RasterError
from soc_assets.ingest.raster_files import RasterFile, find_rasters
from soc_assets.ingest.raster_io import open_raster, small_block_cache
from soc_assets.ingest.raster_statistics import Statistics, of_raster
from soc_assets.settings import Rasters
from soc_assets.side_by_side import side_by_side

_TYPES = {
    **dict.fromkeys(("band", "kind", "season", "path", "crs", "dtype", "digest", "fill_values"), "str"),
    **dict.fromkeys(("transform", "shape", "bounds"), "object"),
    **dict.fromkeys(("nodata", "valid_share", "mean", "std", "min", "max"), "float64"),
    **dict.fromkeys(("height", "width", "valid_count", "size", "mtime_ns"), "int64"),
    "year": "Int32",
}
COLUMNS = (
    *("band", "kind", "year", "season", "path", "crs", "transform", "shape", "height", "width", "dtype", "nodata"),
    *("bounds", "valid_share", "mean", "std", "min", "max", "valid_count", "digest", "size", "mtime_ns"),
    "fill_values",
)
"""Columns of the catalog; `fill_values` are those of the settings with which the statistics were computed."""

_Row = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """What a scan found."""

    frame: pd.DataFrame
    """One row per usable raster (`COLUMNS`), by band in the order of the settings, then year and season."""
    problems: pd.DataFrame
    """Rasters set aside: band, path, problem."""
    read: int
    """Files whose bytes were read in this scan, those set aside included."""
    reused: int
    """Files taken over from the previous catalog without opening them."""


def scan_rasters(
    rasters: Rasters,
    folder: Path,
    previous: pd.DataFrame | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    threads: int | None = None,
) -> Catalog:
    """Catalog the rasters of every band; only new and changed files are read.

    A raster that cannot be used is set aside with its problem, and the scan goes on. Files are read side by side; the
    result does not depend on how many at once.

    Args:
        rasters: bands and where their files lie.
        folder: the folder that the patterns start from.
        previous: the catalog of the last scan; files of the same size, time and fill values are not opened.
        progress: called in this thread after each file, in order, with files done, files in all, and the file's path
            below `folder`.
        threads: files read at once; by default as many as the machine has cores, up to 8.

    Raises:
        RasterError: the folder is missing or holds no raster, or a band, the reference band first, has no usable one.
    """
    files, problems = _one_per_step(find_rasters(rasters, folder))
    files.sort(key=lambda file: file.band.name != rasters.reference)  # stable: an unusable reference stops at once
    known = {} if previous is None else _by_path(previous)
    rows, reused = [], 0
    looks = side_by_side(lambda file: _look(file, known.get(str(file.path))), files, threads)
    with small_block_cache(), contextlib.closing(looks) as outcomes:
        for done, (file, (outcome, again)) in enumerate(zip(files, outcomes, strict=True), start=1):
            if not isinstance(outcome, RasterError):
                rows.append(outcome)
                reused += again
            elif file.band.name == rasters.reference:
                raise RasterError(f"The reference band {file.band.name} cannot be used. {outcome}") from outcome
            else:
                problems.append(_problem(file, str(outcome)))
            if progress:
                progress(done, len(files), str(file.path.relative_to(folder.absolute())))
    _require_every_band(rasters, rows, problems)
    set_aside = pd.DataFrame(problems, columns=["band", "path", "problem"], dtype="str")
    return Catalog(_as_frame(rows, rasters), set_aside, read=len(files) - reused, reused=reused)


def catalog_digest(frame: pd.DataFrame) -> str:
    """Digest of everything in the catalog that decides numbers: not of paths and file times."""
    deciding = frame[["band", "kind", "year", "season", "digest", "fill_values"]].astype("str").fillna("")
    return digest.of_values(sorted(deciding.to_numpy().tolist()))


def gap_table(frame: pd.DataFrame, years: Iterable[int]) -> pd.DataFrame:
    """Bands against years, as text: rasters of the year ("1", up to "4" for seasons), "missing", or "static".

    Returns:
        One row per band in catalog order: `band`, then a column per year.
    """
    counts = frame.groupby(["band", "year"], observed=True).size()
    kinds = dict(zip(frame["band"], frame["kind"], strict=True))
    cells = {
        str(year): [
            "static" if kind == "static" else str(counts.get((band, year), "missing")) for band, kind in kinds.items()
        ]
        for year in years
    }
    return pd.DataFrame({"band": list(kinds), **cells})


def _look(file: RasterFile, before: _Row | None) -> tuple[_Row | RasterError, bool]:
    """The file's row or why it cannot be used, and whether the row is that of the last scan."""
    now = stamp(file.path)
    if before and before["fill_values"] == _fill_values(file) and now.items() <= before.items():
        return before | _identity(file), True
    try:
        return _facts(file, before) | now | _identity(file), False
    except RasterError as error:
        return error, False


def _one_per_step(files: list[RasterFile]) -> tuple[list[RasterFile], list[dict[str, str]]]:
    """The first file of each step, and a problem for each further one (LAI_2007_winter.tif, LAI_2007_Winter.tif)."""
    first: dict[tuple[str, int | None, str | None], RasterFile] = {}
    problems = []
    for file in files:
        used = first.setdefault((file.band.name, file.year, file.season), file)
        if used is not file:
            problems.append(
                _problem(file, f"The raster {file.path} holds the same step as {used.path}, which is used.")
            )
    return list(first.values()), problems


def _problem(file: RasterFile, problem: str) -> dict[str, str]:
    return {"band": file.band.name, "path": str(file.path), "problem": problem}


def _by_path(previous: pd.DataFrame) -> dict[str, _Row]:
    """Rows of the last catalog by path, as plain values; none where it lacks a column."""
    if not set(COLUMNS) <= set(previous.columns):
        return {}
    lists = [name for name, kind in _TYPES.items() if kind == "object"]
    rows: list[_Row] = previous[list(COLUMNS)].to_dict("records")  # type: ignore[reportCallIssue] - as pandas documents
    return {row["path"]: {**row, **{name: list(row[name]) for name in lists}} for row in rows}


def stamp(path: Path) -> dict[str, int]:
    """Size and time by which a change is noticed without reading; files that the raster is made of count too."""
    stats = [file.stat() for file in _files(path) if file.is_file()]
    return {"size": sum(item.st_size for item in stats), "mtime_ns": max(item.st_mtime_ns for item in stats)}


def _files(path: Path) -> list[Path]:
    """The raster and what it takes values from: a mask beside it, and the sources of a format that only describes."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        with contextlib.suppress(RasterError), open_raster(path) as dataset:
            return sorted({path, *(Path(name) for name in dataset.files if Path(name).is_file())})
    mask = path.with_name(path.name + ".msk")
    return [path, mask] if mask.is_file() else [path]


def _fill_values(file: RasterFile) -> str:
    return str(list(file.band.fill_values))


def _digest(path: Path) -> str:
    digests = [digest.of_file(file) for file in _files(path)]
    return digests[0] if len(digests) == 1 else digest.of_values(digests)


def _facts(file: RasterFile, before: _Row | None) -> _Row:
    """Everything about the file's content; taken from `before` where only the file's time has changed."""
    content, fill_values = _digest(file.path), _fill_values(file)
    if before and (before["digest"], before["fill_values"]) == (content, fill_values):
        return before
    with open_raster(file.path) as dataset:
        _require_one_band(dataset, file.path)
        statistics = of_raster(dataset, file.band.fill_values)
        if not statistics.count:
            raise RasterError(
                f"The raster {file.path} has no valid pixel (nodata tag {dataset.nodata}, fill values {fill_values}). "
                "Replace the file, or mend its nodata tag or the band's fill_values in soc.toml."
            )
        return {**_grid(dataset), **_values(statistics, dataset), "digest": content, "fill_values": fill_values}


def _require_one_band(dataset: DatasetReader, path: Path) -> None:
    bands = sum(meaning != ColorInterp.alpha for meaning in dataset.colorinterp)
    if bands != 1:
        raise RasterError(
            f"The raster {path} holds {bands} bands where one is expected. "
            f"Take one out: gdal_translate -b 1 {path.name} one_band.tif"
        )


def _grid(dataset: DatasetReader) -> _Row:
    code = dataset.crs.to_epsg()
    return {
        "crs": f"EPSG:{code}" if code else dataset.crs.to_wkt(),
        "transform": [float(value) for value in dataset.transform[:6]],
        "shape": [dataset.height, dataset.width],
        "height": dataset.height,
        "width": dataset.width,
        "dtype": dataset.dtypes[0],
        "nodata": math.nan if dataset.nodata is None else float(dataset.nodata),
        "bounds": [float(value) for value in dataset.bounds],
    }


def _values(statistics: Statistics, dataset: DatasetReader) -> _Row:
    return {
        "valid_share": statistics.count / (dataset.height * dataset.width),
        "mean": statistics.mean,
        "std": statistics.std,
        "min": statistics.low,
        "max": statistics.high,
        "valid_count": statistics.count,
    }


def _identity(file: RasterFile) -> _Row:
    return {
        "band": file.band.name,
        "kind": file.band.kind,
        "year": file.year,
        "season": file.season,
        "path": str(file.path),
    }


def _require_every_band(rasters: Rasters, rows: list[_Row], problems: list[dict[str, str]]) -> None:
    usable = {row["band"] for row in rows}
    if empty := [band for band in rasters.bands if band.name not in usable]:
        lines = [
            f"No raster of the band {band.name} (pattern {rasters.pattern_of(band)}) can be used. The first problem: "
            + next(item["problem"] for item in problems if item["band"] == band.name)
            for band in empty
        ]
        raise RasterError("\n".join([*lines, "Mend the files, or take the band out of [[rasters.bands]] in soc.toml."]))


def _as_frame(rows: list[_Row], rasters: Rasters) -> pd.DataFrame:
    """Rows as a typed table; `rows` come in order but for the reference band, which was read first."""
    order = {band.name: number for number, band in enumerate(rasters.bands)}
    ordered: list[_Row] = sorted(rows, key=lambda row: order[row["band"]])
    return pd.DataFrame(ordered, columns=list(COLUMNS)).astype(_TYPES)
