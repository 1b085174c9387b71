"""Makes maps, or the change between two that are there: in a process of its own, which a test kills."""

from multiprocessing.synchronize import Event
from pathlib import Path

from soc_assets.mapping.assemble import assemble
from soc_assets.mapping.change.changes import Change
from soc_assets.mapping.change.files import assemble_change
from soc_assets.mapping.change.tiles import write_change_tiles
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.tiles import write_tiles
from soc_assets_tests.mapping.test_tiles import SIZE, YEAR, catalogued, maps_of
from soc_assets_tests.small_world import project_of, settings_of_world, write_world

CHANGE = Change(Period(YEAR.year - 1), YEAR)


def inputs_of(root: Path, *periods: Period) -> MapInputs:
    """A world as that of `test_tiles`, in four tiles; written where it is not there."""
    if not (root / "data/catalog").exists():
        catalogued(project_of(write_world(root / "data/rasters", SIZE), root))
    return maps_of(project_of(settings_of_world(), root), *periods)


def make(inputs: MapInputs) -> list[str]:
    """Bring tiles and maps up to date; what became of each tile."""
    outcomes = [tile.outcome for tile in write_tiles(inputs, inputs.keys, engine_for(inputs))]
    for period in inputs.periods:
        assemble(inputs, period)
    return outcomes


def make_change(inputs: MapInputs, evidence: Evidence | None = None) -> list[str]:
    """Bring the change between the maps up to date, as a model without members has it; what became of each tile."""
    outcomes = list(write_change_tiles(inputs, CHANGE, None))
    assemble_change(inputs, CHANGE, 0, evidence)
    return outcomes


def main(folder: Path, what: str, started: Event) -> None:
    """Make `map` or `change`."""
    found = inputs_of(folder, *(CHANGE.periods if what == "change" else ()))
    started.set()
    (make_change if what == "change" else make)(found)
