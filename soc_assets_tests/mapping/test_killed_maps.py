"""A process that makes a map is killed twenty times: no file is ever half written, and nothing is done twice."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio

from soc_assets.mapping.assemble import map_folder, read_map
from soc_assets.mapping.lattice import of_key
from soc_assets.mapping.tile_files import read_tile
from soc_assets_tests.mapping.make_map import inputs_of, make
from soc_assets_tests.mapping.test_tiles import YEAR

pytestmark = pytest.mark.slow


def test_killed_twenty_times_a_map_goes_on_where_it_was(tmp_path):
    first = inputs_of(tmp_path)
    stream, done = np.random.default_rng(0), 0
    for _ in range(20):
        killed_after(tmp_path, float(stream.uniform(0, 4)))
        whole = [key for key in first.keys if first.tile_path(key).is_file()]
        for key in whole:
            assert read_tile(first.tile_path(key), first.tile_inputs(*of_key(key))) is not None
        assert len(whole) >= done  # what is done stays
        done = len(whole)
        found = read_map(map_folder(first, YEAR))
        if found is not None:
            with rasterio.open(found.folder / "quality.tif") as dataset:
                assert dataset.checksum(1) >= 0
    assert make(first).count("cached") == done
    assert not [path for path in first.folder.rglob(".*") if path.name.endswith(".tmp")]


def killed_after(root: Path, seconds: float) -> None:
    command = [sys.executable, "-m", "soc_assets_tests.mapping.make_map", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()
