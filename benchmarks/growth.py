"""How the time of what is done for many rasters, batches and samples grows with their number.

    python -m benchmarks.growth [name...]

Each case is timed at some sizes, in processor seconds, which other work on the machine hardly changes. The exponent
from one size to a larger one is the logarithm of the ratio of the times over that of the sizes: 0 is a cost that does
not grow, 1 one in proportion. Between neighbouring sizes it is noisy; the verdict is that of the smallest against the
largest: flat below 0.3, linear below 1.3, and worse above. Cases of the rasters are here, those of other areas in the
modules that MODULES names.
"""

import argparse
import importlib.util
import math
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from soc_assets.geo.grid import Grid, box_on
from soc_assets.ingest.catalog.find import find_rasters
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.quality import georeferencing as grid_check
from soc_assets.rasters.identity import stamp
from soc_assets.rasters.mosaic import StepMosaic, Tile
from soc_assets.rasters.tiles import Source
from soc_assets.settings import Band, Rasters

Case = Callable[[int], Callable[[], object]]
MODULES = ("growth_sampling", "growth_batches")  # modules of this folder with CASES of their own
FLAT, LINEAR = 0.3, 1.3  # exponents below which a cost counts as such
_REPEATS = 3
_UTM = CRS.from_epsg(25832)
_BANDS = Rasters(bands=(Band(name="Elevation", kind="static", pattern="Elevation_{tile}.tif"),))
_FOLDERS: list[tempfile.TemporaryDirectory] = []  # removed when the process ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name")
    cases = every_case()
    names = parser.parse_args().names or list(cases)
    if unknown := [name for name in names if name not in cases]:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(cases)}")
    print(f"{'name':28} {'n':>8} {'seconds':>9} {'exponent':>9} {'over all':>9}  verdict")
    for name in names:
        for line in measured(name, *cases[name]):
            print(line, flush=True)


def every_case() -> dict[str, tuple[Case, tuple[int, ...]]]:
    """The cases of this module and of those that MODULES names; says which of them are not there."""
    cases = dict(CASES)
    for module in MODULES:
        if importlib.util.find_spec(f"benchmarks.{module}") is None:
            print(f"benchmarks/{module}.py is not there: its cases are left out")
            continue
        cases |= importlib.import_module(f"benchmarks.{module}").CASES
    return cases


def measured(name: str, prepare: Case, sizes: tuple[int, ...]) -> list[str]:
    """A line for each size: its time, the exponent from the size before, and at last that over all sizes."""
    took = [(size, _seconds(prepare(size))) for size in sizes]
    lines = [f"{name:28} {size:8,} {seconds:9.4f}" for size, seconds in took]
    for number in range(1, len(took)):
        lines[number] += f" {_exponent(took[number - 1], took[number]):9.2f}"
    overall = _exponent(took[0], took[-1])
    lines[-1] += f" {overall:9.2f}  {verdict(overall)}"
    return lines


def _exponent(small: tuple[int, float], large: tuple[int, float]) -> float:
    return math.log(large[1] / small[1]) / math.log(large[0] / small[0])


def verdict(exponent: float) -> str:
    """`flat`, `linear` or `worse`."""
    return "flat" if exponent < FLAT else "linear" if exponent < LINEAR else "worse"


def _seconds(work: Callable[[], object]) -> float:
    """Processor seconds of the shortest of some calls; of one that takes long, of a single call."""
    best = math.inf
    for _ in range(_REPEATS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
        if best > 10:
            break
    return max(best, 1e-6)


def _folder() -> Path:
    _FOLDERS.append(tempfile.TemporaryDirectory())
    return Path(_FOLDERS[-1].name)


def _grids(count: int, size: int = 64, apart: float = 0.0) -> list[Grid]:
    """Tiles of a mosaic in rows; `apart` moves each by a part of a pixel more than the one before."""
    across = math.ceil(math.sqrt(count))
    return [
        Grid(
            _UTM,
            from_origin(4e5 + 250 * (size * (n % across) + apart * n), 5.9e6 - 250 * size * (n // across), 250, 250),
            size,
            size,
        )
        for n in range(count)
    ]


def _zip_of_rasters(count: int) -> Path:
    """A zip of `count` rasters of 4 x 4 pixels."""
    folder = _folder()
    with zipfile.ZipFile(folder / "rasters.zip", "w") as zipped:
        for n, grid in enumerate(_grids(count, size=4)):
            place = {"crs": grid.crs, "transform": grid.transform, "dtype": "uint8", "count": 1}
            with rasterio.MemoryFile() as memory:
                with memory.open(driver="GTiff", width=4, height=4, **place) as dataset:
                    dataset.write(np.full((4, 4), n % 250, np.uint8), 1)
                zipped.writestr(f"Elevation_{n:05}.tif", memory.read())
    return folder / "rasters.zip"


def zip_listing(count: int) -> Callable[[], object]:
    """Finding and stamping all rasters of a zip, as `soc status` does."""
    archive = _zip_of_rasters(count)
    return lambda: [stamp(file.path) for file in find_rasters(_BANDS, archive)]


def zip_catalog(count: int) -> Callable[[], object]:
    """The catalog of all rasters of a zip, each read for the first time."""
    archive = _zip_of_rasters(count)
    return lambda: scan_rasters(_BANDS, archive, threads=1)


def folder_catalog_known(count: int) -> Callable[[], object]:
    """The catalog of a folder in which nothing has changed."""
    folder = _folder()
    with zipfile.ZipFile(_zip_of_rasters(count)) as zipped:
        zipped.extractall(folder)
    known = scan_rasters(_BANDS, folder).frame
    return lambda: scan_rasters(_BANDS, folder, known, threads=1)


def check_tiles(count: int) -> Callable[[], object]:
    """The checks of the grids of one step in `count` tiles."""
    rows = _rows(_grids(count))
    grid = Grid(_UTM, from_origin(4e5, 5.9e6, 250, 250), 6400, 6400)

    def check() -> object:
        box_on.cache_clear()
        return grid_check.grids(rows, "Elevation", grid)

    return check


def check_tiles_in_another_crs(count: int) -> Callable[[], object]:
    """Likewise on a reference grid in another CRS."""
    rows = _rows(_grids(count))
    grid = Grid(CRS.from_epsg(3035), from_origin(4e6, 3.5e6, 250, 250), 6400, 6400)

    def check() -> object:
        box_on.cache_clear()
        return grid_check.grids(rows, "Elevation", grid)

    return check


def _rows(grids: list[Grid]) -> list[dict]:
    shared = {"band": "Elevation", "kind": "static", "year": pd.NA, "season": None, "crs": "EPSG:25832"}
    return [
        shared
        | {"path": f"/r/{n}.tif", "tile": str(n), "transform": list(grid.transform[:6])}
        | {"height": grid.height, "width": grid.width}
        for n, grid in enumerate(grids)
    ]


def _tiles(count: int, reference: Grid, apart: float) -> list[Tile]:
    tiles = []
    for n, grid in enumerate(_grids(count, apart=apart)):
        box = box_on(reference, grid)
        tiles.append(Tile(Source(f"/r/{n}.tif", box=box), grid, str(n), box))
    return tiles


def mosaic_of_one_grid(count: int) -> Callable[[], object]:
    """Putting the tiles of a step together, all on one pixel grid."""
    reference = Grid(_UTM, from_origin(4e5, 5.9e6, 250, 250), 6400, 6400)
    tiles = _tiles(count, reference, 0.0)
    return lambda: StepMosaic.of(tiles, reference)


def mosaic_of_many_grids(count: int) -> Callable[[], object]:
    """Likewise where each tile has pixels of its own."""
    reference = Grid(_UTM, from_origin(4e5, 5.9e6, 250, 250), 6400, 6400)
    tiles = _tiles(count, reference, 0.00317)
    return lambda: StepMosaic.of(tiles, reference)


def mosaic_digests(count: int) -> Callable[[], object]:
    """Which tiles 100 batches of 256 windows read."""
    reference = Grid(_UTM, from_origin(4e5, 5.9e6, 250, 250), 6400, 6400)
    mosaic = StepMosaic.of(_tiles(count, reference, 0.0), reference)
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 60, (2, 256)) * 64 // 4 for _ in range(100)]
    return lambda: [mosaic.digest_of(rows, columns, 96) for rows, columns in batches]


CASES: dict[str, tuple[Case, tuple[int, ...]]] = {
    "zip_listing": (zip_listing, (500, 1000, 2000)),
    "zip_catalog": (zip_catalog, (50, 100, 200)),
    "folder_catalog_known": (folder_catalog_known, (100, 200, 400)),
    "check_tiles": (check_tiles, (500, 1000, 2000, 4000)),
    "check_tiles_in_another_crs": (check_tiles_in_another_crs, (500, 1000, 2000, 4000)),
    "mosaic_of_one_grid": (mosaic_of_one_grid, (500, 1000, 2000, 4000)),
    "mosaic_of_many_grids": (mosaic_of_many_grids, (500, 1000, 2000, 4000)),
    "mosaic_digests": (mosaic_digests, (500, 1000, 2000, 4000)),
}

if __name__ == "__main__":
    main()
