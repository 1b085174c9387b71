"""The digests of all batches in one pass are those of each batch by itself, bit by bit."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.embedding.batch_rows import BatchRows
from soc_assets.embedding.digests import digests_of_batches
from soc_assets.embedding.inputs import read_inputs
from soc_assets.errors import EmbeddingError
from soc_assets.geo.grid import Grid
from soc_assets.rasters.mosaic import StepMosaic, Tile
from soc_assets.rasters.tiles import Source
from soc_assets.rasters.touched import digests_of_groups

SIZES = (1, 7, 2, 1, 31, 3)


def tile(name: str, box: tuple[float, float, float, float]) -> Tile:
    from affine import Affine
    from rasterio.crs import CRS

    grid = Grid(CRS.from_epsg(25832), Affine(1, 0, box[1], 0, -1, -box[0]), 10, 10)
    return Tile(Source(name, "bilinear", (), box, 1, None, None, None, None), grid, name, box)


def test_files_that_groups_of_windows_read_are_those_of_each_group():
    stream = np.random.default_rng(3)
    boxes = [(row, column, row + 40, column + 25) for row in range(0, 200, 40) for column in range(0, 200, 25)]
    boxes += [(-np.inf, -np.inf, np.inf, np.inf)]
    tiles = tuple(tile(f"digest {number}", box) for number, box in enumerate(boxes))
    counts = np.array(SIZES)
    rows, columns = stream.integers(-60, 260, (2, counts.sum()))
    rows[-3:] = -(2**31)  # nowhere on the grid
    for some in (tiles, tiles[:-1], tiles[:1]):
        mosaic = StepMosaic(some, ())
        found = digests_of_groups(mosaic, rows, columns, counts, 16)
        parts = np.split(np.arange(counts.sum()), np.cumsum(counts)[:-1])
        assert found == [mosaic.digest_of(rows[part], columns[part], 16) for part in parts]
    assert None in found


def test_digests_of_all_batches_are_those_of_each(embedded):
    inputs = read_inputs(embedded.project)
    for key, found in inputs.digests.items():
        batch = inputs.batch(key)
        assert (found.inputs, found.labels) == (batch.inputs, batch.labels)
    some = inputs.keys[::-2]
    assert inputs.digests_of(some) == {key: inputs.digests[key] for key in some}
    with pytest.raises(EmbeddingError, match="There is no batch 'batch_9999'"):
        inputs.digests_of(["batch_9999"])


def test_digests_of_batches_of_awkward_sizes_and_with_gaps_are_those_of_each(embedded):
    from soc_assets.embedding.batch import describe

    inputs = read_inputs(embedded.project)
    samples = inputs.samples.iloc[: sum(SIZES)].copy()
    samples["batch"] = np.repeat([f"batch_{number:04}" for number in range(len(SIZES), 0, -1)], SIZES)
    samples.loc[samples.index[::5], "location_id"] = None
    samples.loc[samples.index[1::4], "season"] = None
    samples.loc[samples.index[::6], "organic_carbon"] = np.nan
    samples["longitude"] = samples["longitude"].where(np.arange(len(samples)) % 9 > 0, 170.0)  # far from every raster
    rows = BatchRows(samples.sample(frac=1, random_state=1))
    keys = [*sorted(samples["batch"].unique()), "batch_0100"]  # and one without samples
    found = digests_of_batches(keys, rows, inputs.spec, inputs.raster_index)
    for key in keys:
        batch = describe(key, rows.of(key), inputs.spec, inputs.raster_index)
        assert (found[key].inputs, found[key].labels) == (batch.inputs, batch.labels), key


def test_rows_of_a_batch_keep_their_order_and_are_numbered_from_zero():
    samples = pd.DataFrame({"batch": ["b", "a", "b", "a"], "n": [1, 2, 3, 4]})
    rows = BatchRows(samples)
    assert rows.of("a").equals(pd.DataFrame({"batch": ["a", "a"], "n": [2, 4]}))
    assert [rows.count(key) for key in ("a", "b", "c")] == [2, 2, 0]
    assert ("b" in rows, "c" in rows, len(rows.of("c"))) == (True, False, 0)
    several, counts = rows.of_several(["b", "c", "a"])
    assert (several["n"].tolist(), counts.tolist()) == ([1, 3, 2, 4], [2, 0, 2])
