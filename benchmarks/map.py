"""A map of a region as large as Bavaria: time against single points, a user's script and the floor, and peak memory.

    python -m benchmarks.map [--size 1050] [--recipe-samples 13000] [--sample 256] [--large 0]

Rasters of size x size pixels (1050: 1.1 million cells), Elevation and five yearly bands over five years, so 26 images a
cell; models have random weights, which take as long as fitted ones. Each map is made by a process of its own, which
says its peak memory.

(a) single points: as `soc predict` does, without its start, on --sample cells. (b) a user's script: read the stack by
blocks with rasterio, a quantile forest of 200 trees (`map_peer`: the package quantile-forest where it is installed),
and scikit-learn's nearest neighbours for dissimilarity, on a sample of cells. (c) the floor: read every raster once,
write the outputs, and the matrix products of the documented MLP at the peak that a large product reaches in the same
run.

Targets on two cores: the documented MLP at most 3 (c); the five-member point recipe no slower than (b); peak memory
under 3 GB, also at 16 times the extent (--large 4200). Where there is a GPU, --encoder-size pixels (squared) are mapped
through the whole encoder: at least 0.8 of the rate that `benchmarks/encoder.py` reaches in the same run.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from benchmarks.map_encoder import encoder_rates
from benchmarks.map_peer import quantile_forest
from benchmarks.map_region import documented, recipe, write_region
from soc_assets.mapping.assemble import assemble
from soc_assets.mapping.engine.blocks import PointEngine
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Cells, Period
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project, load_project

PERIOD = Period(2023)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", type=int, default=1050)
    arguments.add_argument("--recipe-samples", type=int, default=13_000)
    arguments.add_argument("--sample", type=int, default=256)
    arguments.add_argument("--large", type=int, default=0)
    arguments.add_argument("--encoder-size", type=int, default=128)
    arguments.add_argument("--device", default="cuda", help="of the encoder; cpu only tries the code out")
    arguments.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.child:
        make_map(Path(options.child[0]), options.child[1], int(options.child[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Print every row."""
    project, cells = write_region(folder / "region", options.size), options.size**2
    inputs = maps_of(project, documented(project))
    floor = read_all(project) + write_outputs(folder, options.size) + products(cells)
    points = single_points(inputs, options.sample) * cells
    forest, script = users_script(inputs, options.recipe_samples, 40 * options.sample)
    script *= cells
    print(f"{cells:,} cells, 26 images each")
    row("(a) single points", points)
    row(f"(b) a user's script, {options.recipe_samples:,} samples", script, forest)
    row("(c) the floor", floor)
    mlp, memory = run(folder / "region", "documented", options)
    row("documented MLP", mlp, f"{mlp / floor:.2f} (c), 1/{points / mlp:.0f} (a), {memory:,.0f} MB")
    recipe, memory = run(folder / "region", "recipe", options)
    row(f"point recipe, {options.recipe_samples:,} samples", recipe, f"{recipe / script:.2f} (b), {memory:,.0f} MB")
    if options.large:
        write_region(folder / "large", options.large)
        for model, words in (("documented", "documented MLP"), ("recipe", "point recipe")):
            seconds, memory = run(folder / "large", model, options)
            row(f"{words}, {options.large**2:,} cells", seconds, f"{memory:,.0f} MB")
    print_encoder(folder / "encoder", options)


def print_encoder(folder: Path, options: argparse.Namespace) -> None:
    """The encoder's images per second in a map against those of its own benchmark, where there is a GPU."""
    import torch

    if options.device != "cpu" and not torch.cuda.is_available():
        print("the encoder on a GPU: not measured, there is none")
        return
    mapped, alone = encoder_rates(folder, options.encoder_size, options.device)
    share = f"{mapped / alone:.2f} of benchmarks/encoder.py (at least 0.8)"
    print(f"{'the encoder in a map, ' + options.device:<44}{mapped:>10.1f} images/s  {share}")


def row(what: str, seconds: float, detail: str = "") -> None:
    """One line."""
    print(f"{what:<44}{seconds:>10.1f} s  {detail}", flush=True)


def run(folder: Path, model: str, options: argparse.Namespace) -> tuple[float, float]:
    """A map in a process of its own: seconds from the loaded model to the files, and its peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.map", "--child", str(folder), model, str(options.recipe_samples)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(said[-2]), float(said[-1])


def make_map(folder: Path, model: str, samples: int) -> None:
    """Predict and assemble; print seconds and peak memory in MB."""
    project = load_project(folder / "soc.toml")
    registered = documented(project) if model == "documented" else recipe(project, samples)
    inputs = maps_of(project, registered)
    start = time.perf_counter()
    for _ in write_tiles(inputs, inputs.keys, engine_for(inputs)):
        pass
    assemble(inputs, PERIOD)
    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def maps_of(project: Project, registered: Registered) -> MapInputs:
    """What the map is made from."""
    return read_map_inputs(project, registered, [PERIOD])


def single_points(inputs: MapInputs, n: int) -> float:
    """Seconds per cell of the way of single points."""
    [first, *_] = inputs.places
    block = PointEngine(inputs).open(PERIOD, first)
    block(Cells(0, 0, 1, 2))
    start = time.perf_counter()
    block(Cells(100, 0, 100 + n // 32, 32))
    return (time.perf_counter() - start) / n


def users_script(inputs: MapInputs, samples: int, cells: int) -> tuple[str, float]:
    """Which forest it is, and seconds per cell of its quantiles and of nearest neighbours on the point values."""
    from sklearn.neighbors import NearestNeighbors

    stream = np.random.default_rng(2)
    x, y = stream.normal(0, 1, (samples, 4 * 26)), np.exp(stream.normal(3, 0.5, samples))
    name, quantiles = quantile_forest(x, y)
    near = NearestNeighbors(n_neighbors=1, n_jobs=-1).fit(x)
    rows = stream.normal(0, 1, (cells, x.shape[1]))
    start = time.perf_counter()
    quantiles(rows)
    near.kneighbors(rows)
    asked = time.perf_counter() - start
    return name, asked / cells + read_all(inputs.project) / inputs.cells


def read_all(project: Project) -> float:
    """Seconds to read every raster once."""
    start = time.perf_counter()
    for path in sorted(Path(str(project.rasters)).rglob("*.tif")):
        with rasterio.open(path) as dataset:
            dataset.read(1)
    return time.perf_counter() - start


def write_outputs(folder: Path, size: int) -> float:
    """Seconds to write the five layers."""
    values = np.random.default_rng(0).normal(20, 5, (size, size)).astype(np.float32)
    start = time.perf_counter()
    for number in range(5):
        kind = {"driver": "GTiff", "count": 1, "dtype": "float32", "tiled": True, "compress": "deflate"}
        path = folder / f"out_{number}.tif"
        with rasterio.open(path, "w", **kind, width=size, height=size, blockxsize=512, blockysize=512) as dataset:
            dataset.write(values, 1)
    return time.perf_counter() - start


def products(cells: int) -> float:
    """Seconds that the products of the documented MLP take at the peak of a large one."""
    import torch

    a, b = torch.randn(4096, 2048), torch.randn(2048, 2048)
    best = min(_timed(lambda: a @ b) for _ in range(5))
    peak = 2 * 4096 * 2048 * 2048 / best
    return 2 * cells * (26 * 64 * 512 + 512 * 256 + 256) / peak


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
