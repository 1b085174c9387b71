"""Makes a map in a process of its own, which a test kills: `python -m soc_assets_tests.mapping.make_map <folder>`."""

import sys
from pathlib import Path

from soc_assets.mapping.assemble import assemble
from soc_assets.mapping.engines import engine_for
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.tiles import write_tiles
from soc_assets_tests.mapping.test_tiles import SIZE, YEAR, catalogued, maps_of
from soc_assets_tests.small_world import project_of, settings_of_world, write_world


def inputs_of(root: Path) -> MapInputs:
    """A world as that of `test_tiles`, in four tiles; written where it is not there."""
    if not (root / "data/catalog").exists():
        catalogued(project_of(write_world(root / "data/rasters", SIZE), root))
    return maps_of(project_of(settings_of_world(), root))


def make(inputs: MapInputs) -> list[str]:
    """Bring tiles and map up to date; what became of each tile."""
    outcomes = [tile.outcome for tile in write_tiles(inputs, inputs.keys, engine_for(inputs))]
    assemble(inputs, YEAR)
    return outcomes


if __name__ == "__main__":
    made = inputs_of(Path(sys.argv[1]))
    print("started", flush=True)
    make(made)
