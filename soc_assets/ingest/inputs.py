"""What decides the raster catalog and the soil samples: digests of the files read and of how they are read."""

from collections.abc import Mapping

from soc_assets.ingest.catalog.find import find_rasters
from soc_assets.ingest.soil.files import find_inputs
from soc_assets.project import Project
from soc_assets.rasters import catalog
from soc_assets.runtime import progress
from soc_assets.settings import Soil, SoilLimits
from soc_assets.storage import digest, files
from soc_assets.storage.names import nfc

CATALOG_VERSION = "3"  # of the code: raise it when the output changes, and what is on disk becomes stale
SOIL_VERSION = "4"


def catalog_inputs(project: Project, contents: Mapping[str, str] | None = None) -> str:
    """Digest of the rasters' places and bytes, and of how they are read; not of the folder that the project is in.

    Args:
        project: settings and paths.
        contents: digest of each raster by its path; None takes `raster_contents`.
    """
    contents = raster_contents(project) if contents is None else contents
    placed = sorted((catalog.name_of(path, project), content) for path, content in contents.items())
    return digest.of_inputs(CATALOG_VERSION, project.settings.rasters.deciding(), placed)


def raster_contents(project: Project) -> dict[str, str]:
    """Digest of each raster's bytes by its path; only those are read whose stamps differ from all known of them."""
    found = find_rasters(project.settings.rasters, project.rasters)
    with progress.of("rasters"):
        return catalog.contents_now([file.path for file in found], project.catalog, project)


def soil_inputs(project: Project) -> str:
    """Digest of the soil files' bytes, of how they are read, and of the reference grid."""
    settings = project.settings
    contents = list(soil_contents(project).items())
    grid = files.read_metadata(project.catalog).get("soc.grid")
    return digest.of_inputs(
        SOIL_VERSION,
        _as_configured(settings.soil),
        settings.rasters.timed,
        settings.rasters.seasonal,
        contents,
        grid,
    )


def _as_configured(soil: Soil) -> dict[str, object]:
    """[soil] without limits that are the usual ones: a file within them reads the same under any."""
    usual = SoilLimits().model_dump()
    return {name: value for name, value in soil.model_dump(mode="json").items() if usual.get(name, ...) != value}


def soil_contents(project: Project) -> dict[str, str]:
    """Digest of each soil file's bytes, by name."""
    return {nfc(path.name): digest.of_file(path) for path in find_inputs(project.soil)}
