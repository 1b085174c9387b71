"""A map of a region as large as Bavaria: time against single points, a user's script and the floor, and peak memory.

    python -m benchmarks.map [--size 1050] [--recipe-samples 13000] [--sample 256] [--large 0]

Rasters of size x size pixels (1050: 1.1 million cells), Elevation and five yearly bands over five years, so 26 images a
cell; models have random weights, which take as long as fitted ones. Each map is made by a process of its own, which
says its peak memory.

(a) single points: as `soc predict` does, without its start, on --sample cells. (b) a user's script: read the stack by
blocks with rasterio, quantiles over the trees of a forest of 200, and scikit-learn's nearest neighbours for
dissimilarity, on a sample of cells. (c) the floor: read every raster once, write the outputs, and the matrix products
of the documented MLP at the peak that a large product reaches in the same run.

Targets on two cores: the documented MLP at most 3 (c); the five-member point recipe no slower than (b); peak memory
under 3 GB, also at 16 times the extent (--large 4200).
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import from_origin

from soc_assets.embedding.spec import freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.features.sql.groups import group_columns
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.mapping.assemble import assemble
from soc_assets.mapping.blocks import PointEngine
from soc_assets.mapping.engines import engine_for
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Cells, Period
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project, load_project
from soc_assets.regression.design.design import columns_table, make_design
from soc_assets.regression.design.gaps import Gaps
from soc_assets.settings import Features
from soc_assets.storage import files

BANDS = ("LAI", "LST", "MODIS_NPP", "SoilEvaporation", "TotalEvapotranspiration")
YEARS = range(2019, 2024)
PERIOD = Period(2023)
WEST, NORTH, PIXEL = 500_000, 5_600_000, 250


class Served:
    """A graph as MLflow's wrapper holds it."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def get_raw_model(self) -> Any:
        """The graph."""
        return self._graph

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predictions of raw features."""
        import torch

        with torch.inference_mode():
            return self._graph(torch.from_numpy(np.ascontiguousarray(features))).numpy()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", type=int, default=1050)
    arguments.add_argument("--recipe-samples", type=int, default=13_000)
    arguments.add_argument("--sample", type=int, default=256)
    arguments.add_argument("--large", type=int, default=0)
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
    script = users_script(inputs, options.recipe_samples, 40 * options.sample) * cells
    print(f"{cells:,} cells, 26 images each")
    row("(a) single points", points)
    row(f"(b) a user's script, {options.recipe_samples:,} samples", script)
    row("(c) the floor", floor)
    mlp, memory = run(folder / "region", "documented", options)
    row("documented MLP", mlp, f"{mlp / floor:.2f} (c), 1/{points / mlp:.0f} (a), {memory:,.0f} MB")
    recipe, memory = run(folder / "region", "recipe", options)
    row(f"point recipe, {options.recipe_samples:,} samples", recipe, f"{recipe / script:.2f} (b), {memory:,.0f} MB")
    if options.large:
        write_region(folder / "large", options.large)
        seconds, memory = run(folder / "large", "documented", options)
        row(f"documented MLP, {options.large**2:,} cells", seconds, f"{memory:,.0f} MB")
    print("the encoder on a GPU: not measured here")


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


def write_region(root: Path, size: int) -> Project:
    """Rasters, their catalog, and the frozen spec."""
    root.mkdir(parents=True)
    (root / "soc.toml").write_text('[embedding]\ndevice = "cpu"\n')
    project = load_project(root / "soc.toml")
    stream = np.random.default_rng(0)
    write(root / "data/rasters/static/Elevation.tif", stream, size)
    for band in BANDS:
        for year in YEARS:
            write(root / f"data/rasters/yearly/{band}/{band}_{year}.tif", stream, size)
    catalog = scan_rasters(project.settings.rasters, project.rasters).frame
    files.write_table(project.catalog, catalog)
    freeze(project.embeddings, choices_of(project.settings, None), catalog, settle=lambda spec: "float32")
    return project


def write(path: Path, stream: np.random.Generator, size: int) -> None:
    """A smooth field with noise, stored as whole numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.sin(np.arange(size) / 90 + stream.uniform(0, 6))
    values = 1000 + 300 * np.add.outer(wave, wave) + stream.normal(0, 40, (size, size))
    kind = {"driver": "GTiff", "count": 1, "dtype": "int16", "crs": "EPSG:25832", "nodata": -9999}
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    place = {"width": size, "height": size, "transform": from_origin(WEST, NORTH, PIXEL, PIXEL)}
    with rasterio.open(path, "w", **kind, **tiled, **place) as dataset:
        dataset.write(values.astype(np.int16), 1)


def maps_of(project: Project, registered: Registered) -> MapInputs:
    """What the map is made from."""
    return read_map_inputs(project, registered, [PERIOD])


def bare(project: Project, features: str) -> Registered:
    """A model without a graph."""
    from soc_assets.embedding.spec import all_specs

    [spec] = all_specs(project.embeddings)
    vector = Features.model_validate({"missing": "zero"})
    return Registered(None, "models:/m/1", spec.digest, features, 1, vector, project.settings.study, files=features)


def gaps_of(project: Project, group: str) -> Gaps:
    """Which columns of a group are an image."""
    from soc_assets.embedding.spec import all_specs

    [spec] = all_specs(project.embeddings)
    named = group_columns(spec, project.settings.features, project.settings.study)[group]
    return Gaps.fit(columns_table(named), (), ("embedding", "point"))


def documented(project: Project) -> Registered:
    """The documented MLP, 19,968 -> 512 -> 256 -> 1."""
    from soc_assets.regression.models.mlp import SocMlp
    from soc_assets.regression.models.served import WithInterval

    network = SocMlp(19_968)
    network.target_mean.fill_(25.0)
    network.target_scale.fill_(10.0)
    served = WithInterval(network, 8.0, 20.0, gaps_of(project, "embedding"))
    return replace(bare(project, "embedding"), model=exported(served, 19_968))


def recipe(project: Project, samples: int) -> Registered:
    """Five members on the point values, with interval and dissimilarity."""
    from soc_assets.regression.evaluation.fold import applicability_of
    from soc_assets.regression.models.fitted import Options, fit_recipe
    from soc_assets.regression.models.served import ServedRecipe
    from soc_assets.settings.evaluation import Recipe

    stream, width = np.random.default_rng(1), 4 * 26
    places = {"x": stream.uniform(0, 1, samples), "y": stream.uniform(0, 1, samples)}
    table = pd.DataFrame({**places, "organic_carbon": np.exp(stream.normal(3, 0.5, samples)), "multiplicity": 1})
    table = table.assign(weight=1.0, split="train", sample_id=[f"s{n}" for n in range(samples)])
    matrix = stream.normal(0, 1, (samples, width)).astype(np.float32)
    named = columns_table([("point", "b", 0, window) for window in (1, 3, 9, 25)] * 26)
    design = make_design(table, {"point": matrix}, {"point": named})
    rows, fold = np.arange(samples), np.arange(samples) % 2
    model = fit_recipe(Recipe(name="ens", epochs=1, members=5), design, rows, fold, Options())
    area = applicability_of(model, design, rows, fold, 0)
    served = ServedRecipe(model, area, gaps_of(project, "point"))
    return replace(bare(project, "point"), model=exported(served, width))


def exported(module: Any, width: int) -> Served:
    """The module as a graph of any number of rows."""
    import torch

    shapes = ({0: torch.export.Dim("rows", min=1)},)
    return Served(torch.export.export(module.eval(), (torch.ones(2, width),), dynamic_shapes=shapes).module())


def single_points(inputs: MapInputs, n: int) -> float:
    """Seconds per cell of the way of single points."""
    [first, *_] = inputs.places
    block = PointEngine(inputs).open(PERIOD, first)
    block(Cells(0, 0, 1, 2))
    start = time.perf_counter()
    block(Cells(100, 0, 100 + n // 32, 32))
    return (time.perf_counter() - start) / n


def users_script(inputs: MapInputs, samples: int, cells: int) -> float:
    """Seconds per cell of a forest's quantiles and nearest neighbours on the point values of the stack."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.neighbors import NearestNeighbors

    stream = np.random.default_rng(2)
    x, y = stream.normal(0, 1, (samples, 4 * 26)), np.exp(stream.normal(3, 0.5, samples))
    forest = RandomForestRegressor(200, min_samples_leaf=5, max_features=0.33, n_jobs=-1).fit(x, y)
    near = NearestNeighbors(n_neighbors=1, n_jobs=-1).fit(x)
    rows = stream.normal(0, 1, (cells, x.shape[1]))
    start = time.perf_counter()
    trees = np.stack([tree.predict(rows) for tree in forest.estimators_])
    np.quantile(trees, (0.05, 0.5, 0.95), axis=0)
    near.kneighbors(rows)
    asked = time.perf_counter() - start
    return asked / cells + read_all(inputs.project) / inputs.cells


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
