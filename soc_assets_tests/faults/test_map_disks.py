"""A disk that fills up while a map is made: no half file, a message with a cure, and then the map goes on."""

import shutil

import numpy as np
import pytest
import rasterio

from soc_assets.errors import StorageError
from soc_assets.mapping.assemble import assemble, map_folder, read_map
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.layers import QUALITY
from soc_assets.mapping.tiles import write_tiles
from soc_assets.mapping.write_raster import checksum, open_tiled, require_content
from soc_assets_tests.faults import disks
from soc_assets_tests.mapping.make_map import inputs_of
from soc_assets_tests.mapping.test_tiles import YEAR
from soc_assets_tests.small_world import reference_grid

NO_SPACE = r"Cannot write .*: no space is left on its disk. Free some, .* the same command goes on from there"


@pytest.mark.slow
def test_map_on_a_disk_that_fills_up_is_whole_or_not_there_and_goes_on_where_there_is_space(tmp_path):
    inputs = inputs_of(tmp_path)
    engine, maps = engine_for(inputs), inputs.folder.parent
    with disks.disk(maps, 3):
        with pytest.raises(StorageError, match=NO_SPACE):
            list(write_tiles(inputs, inputs.keys, engine))
        done = {path: path.stat().st_mtime_ns for path in inputs.folder.glob("tiles/*")}
        disks.resize(maps, 64)
        outcomes = [tile.outcome for tile in write_tiles(inputs, inputs.keys, engine)]
        assert outcomes.count("cached") == len(done) and len(outcomes) == 4
        assert all(path.stat().st_mtime_ns == changed for path, changed in done.items())
        before, used = folders(maps), shutil.disk_usage(maps).used
        for beyond in (300e3, 1e6, 3e6, 4.5e6, 5.2e6, 5.9e6):
            disks.resize_bytes(maps, int(used + beyond))
            with pytest.raises(StorageError, match=NO_SPACE):
                assemble(inputs, YEAR)
            assert read_map(map_folder(inputs, YEAR)) is None and folders(maps) == before
        disks.resize(maps, 64)
        again = assemble(inputs, YEAR)
        for path in again.folder.glob("*.tif"):
            with rasterio.open(path) as dataset:
                assert dataset.read(1).shape == inputs.lattice.shape


def folders(maps) -> set[str]:
    return {str(path.relative_to(maps)) for path in maps.rglob("*") if path.suffix != ".lock"}


def test_file_that_does_not_hold_what_was_written_is_refused(tmp_path):
    path, grid, values = tmp_path / "quality.tif", reference_grid(), np.ones((64, 64), np.uint8)
    with open_tiled(path, QUALITY, grid) as dataset:
        dataset.write(values, 1)
    whole = rasterio.windows.Window(0, 0, 64, 64)
    require_content(path, [whole], checksum([values]))
    with pytest.raises(StorageError, match=r"quality.tif does not hold what was written.*Free some space"):
        require_content(path, [whole], checksum([values * 2]))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StorageError, match="does not hold what was written"):
        require_content(path, [whole], checksum([values]))
