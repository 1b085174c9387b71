"""A process that makes a map or a change is killed twenty times: no file is half written, and nothing is done twice."""

import multiprocessing
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from soc_assets.mapping.assemble import map_folder, read_map
from soc_assets.mapping.change.changes import change_folder, tile_inputs, tile_path
from soc_assets.mapping.change.files import read_change
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import of_key
from soc_assets.mapping.layer_files import MapFile
from soc_assets.mapping.tile_files import read_tile
from soc_assets_tests.mapping import make_map
from soc_assets_tests.mapping.make_map import CHANGE, inputs_of, make, make_change
from soc_assets_tests.mapping.test_tiles import YEAR

pytestmark = pytest.mark.slow


def test_killed_twenty_times_a_map_goes_on_where_it_was(tmp_path):
    first = inputs_of(tmp_path)
    tiles = {first.tile_path(key): first.tile_inputs(*of_key(key)) for key in first.keys}
    done = killed_twenty_times(tmp_path, "map", 4.0, tiles, lambda: read_map(map_folder(first, YEAR)))
    assert make(first).count("cached") == done
    nothing_is_left(first)


def test_killed_twenty_times_a_change_goes_on_where_it_was(tmp_path):
    inputs = inputs_of(tmp_path, *CHANGE.periods)
    make(inputs)
    folder = change_folder(inputs, CHANGE)
    tiles = {tile_path(inputs, CHANGE, place): tile_inputs(inputs, CHANGE, place) for place in inputs.places}
    make_change(inputs)
    undisturbed = layers_of(folder)
    for path in tiles:
        path.unlink()
    shutil.rmtree(folder)
    done = killed_twenty_times(tmp_path, "change", 2.5, tiles, lambda: read_change(folder))
    assert make_change(inputs).count("cached") == done
    for name, values in layers_of(folder).items():
        np.testing.assert_array_equal(values, undisturbed[name])
    nothing_is_left(inputs)


def killed_twenty_times(
    root: Path, what: str, longest: float, tiles: dict[Path, str], read: Callable[[], MapFile | None]
) -> int:
    """Kill what makes it at random moments; every file that is there is whole, each time. Tiles that are there."""
    stream, done = np.random.default_rng(0), 0
    for _ in range(20):
        killed_after(root, what, float(stream.uniform(0, longest)))
        whole = [path for path in tiles if path.is_file()]
        assert all(read_tile(path, tiles[path]) is not None for path in whole)
        assert len(whole) >= done  # what is done stays
        done = len(whole)
        if (found := read()) is not None:
            layers_of(found.folder)
    return done


def killed_after(root: Path, what: str, seconds: float) -> None:
    """Start it, wait until it has begun and then some seconds, and kill it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([make_map.__name__])  # libraries are imported once and not twenty times
    started = context.Event()
    process = context.Process(target=make_map.main, args=(root, what, started))
    process.start()
    assert started.wait(120)
    time.sleep(seconds)
    process.kill()
    process.join()


def layers_of(folder: Path) -> dict[str, np.ndarray]:
    """Every layer, read whole."""
    found = {}
    for path in folder.glob("*.tif"):
        with rasterio.open(path) as dataset:
            found[path.stem] = dataset.read(1)
    return found


def nothing_is_left(inputs: MapInputs) -> None:
    assert not [path for path in inputs.folder.rglob(".*") if path.name.endswith(".tmp")]
