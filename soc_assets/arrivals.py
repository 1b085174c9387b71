"""New, changed and removed input files since the catalog and the samples were made, for whoever watches the folders.

A change is noticed by size and time, and believed when the content's digest differs too. Nothing is written; whether a
table is up to date in every respect (settings, code) is `soc_assets.freshness`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from soc_assets import digest, files, freshness
from soc_assets.ingest.rasters.catalog import content_digest, stamp
from soc_assets.ingest.rasters.files import find_rasters
from soc_assets.ingest.soil.files import find_inputs
from soc_assets.project import Project

_NAMED = 5  # files of a kind named in words


@dataclass(frozen=True)
class Arrivals:
    """Files that are not as they were read last; names as in their folders."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)

    @property
    def words(self) -> str:
        """For example `2 new (LAI_2016.tif, b.csv), 1 changed (a.csv)`."""
        kinds = {"new": self.new, "changed": self.changed, "removed": self.removed}
        return ", ".join(f"{len(names)} {kind} ({_listed(names)})" for kind, names in kinds.items() if names)


def glance(project: Project) -> str:
    """Digest of all input files' names, sizes and times; nothing is opened.

    Raises:
        SocError: a folder is missing or holds nothing to read.
    """
    return digest.of_values([sorted(_raster_stamps(project).items()), sorted(_soil_stamps(project).items())])


def look(project: Project) -> Arrivals:
    """What differs from the catalog and the samples; reads the files whose size or time has changed.

    Raises:
        SocError: a folder is missing or holds nothing to read.
    """
    of_rasters, of_soil = _rasters(project), _soil(project)
    both = {name: getattr(of_rasters, name) + getattr(of_soil, name) for name in ("new", "changed", "removed")}
    return Arrivals(**both)


def _rasters(project: Project) -> Arrivals:
    now = _raster_stamps(project)
    if not project.catalog.is_file():
        return Arrivals(new=[Path(path).name for path in now])
    catalog = pd.read_parquet(project.catalog, columns=["path", "size", "mtime_ns", "digest"]).drop_duplicates("path")
    known: dict[Any, dict[Any, Any]] = catalog.set_index("path").to_dict("index")
    problems = project.catalog.with_name("problems.parquet")
    set_aside = set(pd.read_parquet(problems)["path"]) if problems.is_file() else set()
    scanned = project.catalog.stat().st_mtime_ns
    new, changed = [], []
    for path, (size, time) in now.items():
        row = known.get(path)
        if row is None:
            if path not in set_aside:
                new.append(Path(path).name)
            elif time > scanned:
                changed.append(Path(path).name)
        elif (row["size"], row["mtime_ns"]) != (size, time) and content_digest(path) != row["digest"]:
            changed.append(Path(path).name)
    removed = [Path(path).name for path in {*known, *set_aside} - set(now)]
    return Arrivals(new, changed, sorted(removed))


def _soil(project: Project) -> Arrivals:
    tables = project.samples("tables")
    known: dict[str, str] = json.loads(files.read_metadata(tables).get(freshness.FILES, "{}"))
    contents = freshness.soil_contents(project)
    return Arrivals(
        new=sorted(contents.keys() - known.keys()),
        changed=sorted(name for name in contents.keys() & known.keys() if contents[name] != known[name]),
        removed=sorted(known.keys() - contents.keys()),
    )


def _raster_stamps(project: Project) -> dict[str, tuple[int, int]]:
    found = find_rasters(project.settings.rasters, project.rasters)
    stamps = {file.path: stamp(file.path) for file in found}
    return {path: (of["size"], of["mtime_ns"]) for path, of in stamps.items()}


def _soil_stamps(project: Project) -> dict[str, tuple[int, int]]:
    stats = {path.name: path.stat() for path in find_inputs(project.soil)}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
