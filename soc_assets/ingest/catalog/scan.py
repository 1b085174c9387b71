"""The raster catalog: one row per usable raster, with its grid, its statistics and its digest.

When a raster must be read again, and what happens to one that cannot be used, is decided here. Finding the files is
in `ingest.catalog.find`, what a file tells about itself in `ingest.catalog.facts`; writing the catalog is left to the
asset.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pandas as pd

from soc_assets.errors import RasterError, StorageError
from soc_assets.ingest.catalog.facts import read_facts, reading_of, with_tags
from soc_assets.ingest.catalog.find import RasterFile, find_rasters
from soc_assets.integrity.schemas import RASTERS, pandas_type
from soc_assets.rasters.identity import content_digest, readable_digest, stamp
from soc_assets.rasters.names import COLUMNS as TAGS
from soc_assets.rasters.opening import small_block_cache
from soc_assets.reporting.as_text import one_line
from soc_assets.runtime import progress
from soc_assets.runtime.threads import threaded_map
from soc_assets.settings import Channel, Rasters, channels_of
from soc_assets.settings.seasons import season_rank
from soc_assets.storage import digest

_TYPES = {column.name: pandas_type(column) for column in RASTERS}
COLUMNS = RASTERS.names
HELD_TWICE = "holds the same step as"  # the problem of a file whose step another file holds: no step is missing
_SET_ASIDE = ("band", "path", "problem", "stamp", "digest")
_Row = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """What a scan found."""

    frame: pd.DataFrame
    """One row per usable raster: per file and, where a file holds several steps, per step (`COLUMNS`); by band in the
    order of the settings, then year, season and path. A class raster has rows for each class."""
    problems: pd.DataFrame
    """Rasters set aside: band, path, problem."""
    set_aside: pd.DataFrame
    """The same, with the stamp and the digest of each file."""
    read: int
    """Files whose bytes were read in this scan, those set aside included."""
    reused: int
    """Files carried over from the previous catalog without opening them."""

    @property
    def contents(self) -> dict[str, str]:
        """Digest of each file, those set aside included, by its path; empty text where it could not be read."""
        both = pd.concat([self.set_aside[["path", "digest"]], self.frame[["path", "digest"]]])
        return dict(zip(both["path"], both["digest"], strict=True))


def scan_rasters(
    rasters: Rasters,
    folder: Path | str,
    previous: pd.DataFrame | None = None,
    threads: int | None = None,
) -> Catalog:
    """Catalog the rasters of every band; only new and changed files are read.

    A raster that cannot be used is set aside with its problem, and the scan goes on. Files are read in parallel; the
    result does not depend on how many at once.

    Args:
        rasters: bands and where their files lie.
        folder: what the patterns start from: a path, a zip file, a `/vsi...` path or a URL.
        previous: the catalog of the last scan; files of the same stamp and reading are not opened.
        progress: called in this thread after each file, in order: files done, files in all, its path below `folder`.
        threads: files read at once; by default one a core, up to 8.

    Raises:
        RasterError: the folder is missing or holds no raster, or a band, the reference band first, has no usable one.
    """
    files = find_rasters(rasters, folder)
    files.sort(key=lambda file: file.band.name != rasters.reference)  # stable: an unusable reference stops at once
    known = {} if previous is None else _by_path(previous)
    digests = _Digests()
    rows, problems, reused = [], [], 0
    looks = threaded_map(lambda file: _look(file, known, digests), files, threads)
    with small_block_cache(), contextlib.closing(looks) as outcomes:
        for done, (file, outcome) in enumerate(zip(files, outcomes, strict=True), start=1):
            if not isinstance(outcome, RasterError):
                found, unread = outcome
                rows.extend(found)
                reused += unread
            elif file.band.name == rasters.reference:
                raise RasterError(
                    f"The reference band {file.band.name} cannot be used. {one_line(str(outcome))}"
                ) from outcome
            else:
                problems.append(_problem(file.band.name, file.path, str(outcome), digests))
            progress.report(done, len(files), file.name)
    rows, twice = _one_per_step(rows, rasters, digests)
    _require_every_band(rasters, rows, problems)
    set_aside = pd.DataFrame(problems + twice, columns=list(_SET_ASIDE), dtype="str")
    counts = {"read": len(files) - reused, "reused": reused}
    return Catalog(_as_frame(rows, rasters), set_aside[["band", "path", "problem"]], set_aside, **counts)


def catalog_digest(frame: pd.DataFrame) -> str:
    """Digest of everything in the catalog that decides numbers: not paths or file times, but the order of tiles."""
    step = ["band", "kind", "year", "season"]
    deciding = frame[[*step, "layer", "digest", "reading"]].astype("str").fillna("")
    deciding["order"] = deciding.groupby(step).cumcount().astype("str")
    return digest.of_values(sorted(deciding.to_numpy().tolist()))


def _one_per_step(rows: list[_Row], rasters: Rasters, digests: "_Digests") -> tuple[list[_Row], list[dict[str, str]]]:
    """The first row of each step, and a problem for each further file (LAI_2007_winter.tif, LAI_2007_Winter.tif).

    Where the pattern has {tile} all files of a step belong together.
    """
    tiled = {channel.name for channel in rasters.channels if "{tile}" in rasters.pattern_of(channel)}
    first: dict[tuple[str, int | None, str | None], _Row] = {}
    kept, problems = [], []
    for row in rows:
        used = first.setdefault((row["band"], row["year"], row["season"]), row)
        if used is row or row["band"] in tiled:
            kept.append(row)
        else:
            words = f"The raster {row['path']} {HELD_TWICE} {used['path']}, which is used. "
            words += "If both are parts of it, put {tile} into the pattern."
            problems.append(_problem(row["band"], row["path"], words, digests))
    return kept, problems


def _problem(band: str, path: str, problem: str, digests: "_Digests") -> dict[str, str]:
    mark, content = digests.marked(path)
    return {"band": band, "path": path, "problem": one_line(problem), "stamp": mark, "digest": content}


def _by_path(previous: pd.DataFrame) -> dict[tuple[str, str], list[_Row]]:
    """Rows of the last catalog by path and band, as plain values; none where it lacks a column."""
    previous = previous if "stamp" in previous.columns else previous.assign(stamp="")  # of an older version
    if not set(COLUMNS) - set(TAGS) <= set(previous.columns):
        return {}
    had = [name for name in COLUMNS if name in previous.columns]
    lists = [name for name, kind in _TYPES.items() if kind == "object"]
    empty = [name for name in ("year", "season", "tile", *TAGS) if name in had]
    plain = previous[had].astype(dict.fromkeys(empty, object))
    known: dict[tuple[str, str], list[_Row]] = {}
    rows: list[_Row] = plain.to_dict("records")  # type: ignore[reportCallIssue, reportAssignmentType] - as documented
    for row in rows:
        missing = {name: None for name in empty if pd.isna(row[name])}
        known.setdefault((row["path"], row["band"]), []).append(
            {**row, **missing, **{name: list(row[name]) for name in lists}}
        )
    return known


class _Digests:
    """Digests of files, each computed once in a scan, however many bands and threads need it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}
        self._found: dict[str, tuple[str, str]] = {}

    def of(self, path: str) -> str:
        """The digest of a file and of what it takes values from."""
        return self.marked(path)[1] or content_digest(path)  # says why it cannot be read

    def marked(self, path: str) -> tuple[str, str]:
        """The file's stamp, and its digest then; empty text where it could not be read."""
        with self._lock:
            own = self._locks.setdefault(path, Lock())
        with own:
            if path not in self._found:
                mark = ""  # first: a file that changes meanwhile is read again next time
                with contextlib.suppress(RasterError, OSError, MemoryError):
                    mark = stamp(path)["stamp"]
                self._found[path] = mark, readable_digest(path)
            return self._found[path]


def _look(
    file: RasterFile, known: dict[tuple[str, str], list[_Row]], digests: "_Digests"
) -> tuple[list[_Row], bool] | RasterError:
    """`_rows_of` a file, or why it cannot be used."""
    try:
        return _rows_of(file, known, digests)
    except StorageError:
        raise
    except Exception as error:  # of whatever library: the file is set aside, and the others are read
        if isinstance(error, RasterError):
            return error
        return RasterError(f"The raster {file.path} cannot be read ({type(error).__name__}: {error}). Copy it again.")


def _rows_of(
    file: RasterFile, known: dict[tuple[str, str], list[_Row]], digests: "_Digests"
) -> tuple[list[_Row], bool]:
    """Rows of a file, and whether all are those of the last catalog."""
    if file.problem:
        raise RasterError(file.problem)
    now, rows, unread = stamp(file.path), [], True
    for channel in channels_of(file.band):
        reading = reading_of(channel, file.steps_in_file, file.path)
        before = [row for row in known.get((file.path, channel.name), []) if row["reading"] == reading]
        if not before or any(row["stamp"] != now["stamp"] for row in before):
            unread = False
            content = digests.of(file.path)
            if channel.variable:
                content = digest.of_values([content, channel.variable])
            if not before or any(row["digest"] != content for row in before):
                before = read_facts(file, channel, content, reading)
        before = before if set(TAGS) <= set(before[0]) else with_tags(before, file, channel)
        rows += [row | now | _identity(file, channel, row) for row in before]
    return rows, unread


def _identity(file: RasterFile, channel: Channel, row: _Row) -> _Row:
    return {
        "band": channel.name,
        "kind": channel.kind,
        "year": file.year if file.year is not None else row["year"],
        "season": file.season or row["season"],
        "path": file.path,
        "tile": file.tile,
    }


def _require_every_band(rasters: Rasters, rows: list[_Row], problems: list[dict[str, str]]) -> None:
    usable = {row["band"] for row in rows}
    if empty := [band for band in rasters.bands if next(channels_of(band)).name not in usable]:
        lines = [
            f"No raster of the band {band.name} (pattern {rasters.pattern_of(band)}) can be used. The first problem: "
            + next(item["problem"] for item in problems if item["band"] == band.name)
            for band in empty
        ]
        raise RasterError("\n".join([*lines, "Mend the files, or take the band out of [[rasters.bands]] in soc.toml."]))


def _as_frame(rows: list[_Row], rasters: Rasters) -> pd.DataFrame:
    """Rows as a typed table, in order whatever order they were read in."""
    order = {channel.name: number for number, channel in enumerate(rasters.channels)}
    ordered: list[_Row] = sorted(
        rows, key=lambda row: (order[row["band"]], row["year"] or 0, season_rank(row["season"]), row["path"])
    )
    return pd.DataFrame(ordered, columns=list(COLUMNS)).astype(_TYPES)
