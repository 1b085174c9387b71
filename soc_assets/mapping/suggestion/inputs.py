"""Which period sites are suggested for, and the cells: those of its map, where there is one."""

from dataclasses import replace
from pathlib import Path

from soc_assets.errors import MapError
from soc_assets.mapping.assemble import NAME, read_map
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.registered import Registered
from soc_assets.project import Project


def suggestion_inputs(
    project: Project, registered: Registered, year: int | None = None, season: str | None = None
) -> tuple[MapInputs, Period]:
    """What sites are suggested from.

    Args:
        project: settings and paths.
        registered: the loaded model.
        year: whose rasters are read; None is that of the newest map of the model, or else the last of [map] years.
        season: None is that of [map].

    Raises:
        MapError: no year is known, or there are no rasters of it.
    """
    settings = project.settings.map
    season, folder = season or settings.season, project.data / "maps" / registered.digest
    year = year or max(_mapped(folder, season) or settings.wanted_years, default=None)
    if year is None:
        raise MapError(
            "Which year? `soc suggest --year 2020`, years = [2020] in [map] of soc.toml, or a map: `soc map --year "
            "2020`."
        )
    period = Period(year, season)
    found = read_map(folder / str(period))
    step = found.facts["grid"]["step"] if found else settings.step
    with_step = settings.model_copy(update={"step": step})
    same = replace(project, settings=project.settings.model_copy(update={"map": with_step}))
    return read_map_inputs(same, registered, [period]), period


def _mapped(folder: Path, season: str | None) -> list[int]:
    """The years of which there is a map in this season."""
    periods = (Period.of(path.parent.name) for path in folder.glob(f"*/{NAME}"))
    return [period.year for period in periods if period.season == season]
