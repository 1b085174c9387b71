"""The files of one step of a band, for documents that are published: their names, and a digest of what they hold."""

import re
from typing import Any

from soc_assets.project import Project
from soc_assets.rasters.catalog import name_of
from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.storage import digest

_NAMED = 12  # files of a step whose names are kept; of a mosaic of hundreds their number and digest say enough


def files_of_step(project: Project, key: str, mosaic: StepMosaic) -> dict[str, Any]:
    """Of a step (`LAI_2012`): key, files (their number), paths (the first) and digest of what they hold.

    Paths are those below the folder of rasters; of an address neither query nor user, which may hold secrets.
    """
    names = list(dict.fromkeys(_name(project, tile.source.path) for tile in mosaic.tiles))
    content = [tile.digest for tile in mosaic.tiles]
    whole = content[0] if len(content) == 1 else digest.of_values(content)
    return {"key": key, "files": len(names), "paths": names[:_NAMED], "digest": whole}


def _name(project: Project, path: str) -> str:
    named = name_of(path, project).partition("?")[0].removeprefix(f"{str(project.rasters).rstrip('/')}/")
    return re.sub("//[^/@]*@", "//", named)
