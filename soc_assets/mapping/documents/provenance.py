"""The rasters that a map was made from: by band and step the files, and a digest of what they hold."""

import re
from typing import Any

from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.project import Project
from soc_assets.rasters.catalog import name_of
from soc_assets.storage import digest

_NAMED = 12  # files of a step whose names are kept; of a mosaic of hundreds their number and digest say enough


def rasters_of(inputs: MapInputs, period: Period) -> list[dict[str, Any]]:
    """Of every step that the cells of a period read (`LAI_2012`): key, files (number), paths (the first) and digest."""
    found = []
    for key, mosaic in inputs.rasters(period).items():
        if mosaic is None:
            continue
        names = list(dict.fromkeys(_name(inputs.project, tile.source.path) for tile in mosaic.tiles))
        content = [tile.digest for tile in mosaic.tiles]
        whole = content[0] if len(content) == 1 else digest.of_values(content)
        found.append({"key": key, "files": len(names), "paths": names[:_NAMED], "digest": whole})
    return found


def _name(project: Project, path: str) -> str:
    """A raster's path below the folder of rasters; of an address neither query nor user, which may hold secrets."""
    named = name_of(path, project).partition("?")[0].removeprefix(f"{str(project.rasters).rstrip('/')}/")
    return re.sub("//[^/@]*@", "//", named)
