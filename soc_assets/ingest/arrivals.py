"""New, changed and removed input files since the catalog and the samples were made, for the sensors.

A change is detected by a file's stamp (size, times and inode), and confirmed when the content's digest differs too.
Whether a table is up to date in every respect (settings, code) is `soc_assets.pipeline.freshness`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from soc_assets.ingest.catalog.find import find_rasters
from soc_assets.ingest.inputs import raster_contents, soil_contents
from soc_assets.ingest.soil.files import find_inputs
from soc_assets.project import Project
from soc_assets.rasters.catalog import known_contents
from soc_assets.rasters.identity import stamp
from soc_assets.storage import digest, files
from soc_assets.storage.names import nfc

_NAMED = 5  # files of a kind that are named


@dataclass(frozen=True)
class Arrivals:
    """Files that differ from when they were last read; names as in their folders."""

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


def fingerprint(project: Project) -> str:
    """Digest of all input files' names and stamps; nothing is opened.

    Raises:
        SocError: a folder is missing or holds nothing to read.
    """
    return digest.of_values([sorted(_raster_stamps(project).items()), sorted(_soil_stamps(project).items())])


def diff(project: Project) -> Arrivals:
    """What differs from the catalog and the samples; reads the files whose stamp has changed.

    Raises:
        SocError: a folder is missing or holds nothing to read.
    """
    of_rasters, of_soil = _rasters(project), _soil(project)
    both = {name: getattr(of_rasters, name) + getattr(of_soil, name) for name in ("new", "changed", "removed")}
    return Arrivals(**both)


def _rasters(project: Project) -> Arrivals:
    now = raster_contents(project)
    known = known_contents(project.catalog, project) if project.catalog.is_file() else {}
    return Arrivals(
        new=[Path(path).name for path in now if path not in known],
        changed=[Path(path).name for path in now if path in known and known[path] != now[path]],
        removed=sorted(Path(path).name for path in known.keys() - now.keys()),
    )


def _soil(project: Project) -> Arrivals:
    tables = project.samples("tables")
    known: dict[str, str] = json.loads(files.table_metadata(tables).get(files.FILES, "{}"))
    contents = soil_contents(project)
    return Arrivals(
        new=sorted(contents.keys() - known.keys()),
        changed=sorted(name for name in contents.keys() & known.keys() if contents[name] != known[name]),
        removed=sorted(known.keys() - contents.keys()),
    )


def _raster_stamps(project: Project) -> dict[str, str]:
    found = find_rasters(project.settings.rasters, project.rasters)
    return {file.path: stamp(file.path)["stamp"] for file in found}


def _soil_stamps(project: Project) -> dict[str, tuple[int, ...]]:
    return {nfc(path.name): files.stamp(path) for path in find_inputs(project.soil)}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
