"""What each step of a project on object storage downloads and uploads, counted in front of a local S3 server.

    python -m benchmarks.object_storage [--survey demo-960]

The synthetic region of `soc demo`, its data, rasters and soil tables on S3 (moto, on this machine), each step in a
process of its own, which has nothing of the data but its soc.duckdb. Bytes are those of the objects: rasters, the small
tables (catalog and samples), embeddings, and what results from them. "Blocks" are the compressed blocks of the rasters
that the windows of a batch touch: what a step must read at least.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import transform_bounds

from soc_assets.demo import write_demo
from soc_assets.embedding.inputs import EmbeddingInputs, read_inputs
from soc_assets.embedding.windows import corners
from soc_assets.project import load_project
from soc_assets.rasters.steps import steps_read
from soc_assets_tests import storage_server
from soc_assets_tests.storage import faulty_proxy
from soc_assets_tests.storage.faulty_proxy import FaultyProxy

SETTINGS = """
[paths]
data = "s3://soil/project"
soil = "s3://soil/soil"
rasters = "s3://soil/rasters"
[training]
device = "cpu"
[embedding]
device = "cpu"
"""
STEPS: dict[str, Sequence[str]] = {
    "raster_catalog": ("run", "--to", "raster_catalog"),
    "soil_samples": ("run", "--to", "soil_samples"),
    "balanced_samples": ("run", "--to", "balanced_samples"),
    "embeddings, all batches": ("run", "--to", "embeddings"),
    "embeddings, one batch again": (),  # after its file was removed
    "features": ("run", "--to", "features"),
    "mlp_model": ("run",),
    "run with nothing to do": ("run",),
    "status": ("status",),
    "sql, one row of predictions": ("sql", "FROM predictions LIMIT 1"),
    "sql, counts of batches": ("sql", "SELECT state, count(*) FROM batches GROUP BY ALL"),
    "sql, one band of all": ("sql", "SELECT avg(vector[1]) FROM embedding_long WHERE band = 'LAI' AND lag = 0"),
    "sql, features of one sample": ("sql", "SELECT features[1] FROM features WHERE sample_id = getvariable('one')"),
    "another host, run with nothing to do": ("run",),
}
PARTS = ("rasters/", "project/catalog/", "project/samples/", "project/embeddings/", "project/")
MARGIN = 2  # pixels around a window that resampling reads


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--survey", default="demo-960", help="Of `soc demo`.")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, storage_server.serving() as url, faulty_proxy.in_front_of(url) as proxy:
        root = Path(name)
        write_demo(root / "local/rasters", root / "local/soil", survey=options.survey)
        os.environ.update(storage_server.environment(url))
        upload(root / "local", url)
        os.environ.update(storage_server.environment(proxy.url))
        measure(root, proxy)


def upload(folder: Path, url: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="soil")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "soil", path.relative_to(folder).as_posix())


def measure(root: Path, proxy: FaultyProxy) -> None:
    """Every step once, in order, with what it read and wrote."""
    hosts = [root / "one", root / "other"]
    for host in hosts:
        host.mkdir()
        (host / "soc.toml").write_text(
            f"{SETTINGS}\n[tracking]\n\n".replace("[paths]", f'[paths]\nmlruns = "{root}/m"')
        )
    print(
        f"{'step':<38}{'s':>6}{'requests':>10}{'rasters':>9}{'catalog':>9}{'samples':>9}{'embedd.':>9}{'other':>8}{'up':>8}"
    )
    for step, command in STEPS.items():
        host, key = hosts["another" in step], "batch_0002"
        if not command:
            inputs = read_inputs(load_project(hosts[0] / "soc.toml"))
            inputs.path(key).unlink()
            command = ("run", "--to", "embeddings")
        if "getvariable" in command[-1]:
            sample = read_inputs(load_project(hosts[0] / "soc.toml")).samples["sample_id"].iloc[0]
            command = (*command[:-1], command[-1].replace("getvariable('one')", f"'{sample}'"))
        proxy.forget()
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "soc_assets", *command, "--config", str(host / "soc.toml")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report(step, time.perf_counter() - start, proxy)
        if step == "embeddings, one batch again":
            report_least(proxy, load_project(hosts[0] / "soc.toml"), key, root / "local/rasters")


def report(step: str, seconds: float, proxy: FaultyProxy) -> None:
    """A row of the table, MB."""
    requests, down = proxy.requests(), {part: proxy.downloaded(f"soil/{part}") / 1e6 for part in PARTS}
    down["project/"] -= sum(down[part] for part in PARTS[1:-1])
    sizes = "".join(f"{down[part]:>{9 if part != PARTS[-1] else 8}.2f}" for part in PARTS)
    print(f"{step:<38}{seconds:>6.1f}{len(requests):>10}{sizes}{proxy.uploaded('soil/') / 1e6:>8.2f}", flush=True)


def report_least(proxy: FaultyProxy, project: object, key: str, rasters: Path) -> None:
    """What a batch must read, against what it read."""
    inputs = read_inputs(project)  # type: ignore[arg-type]
    least, tables = blocks_of(inputs, key, rasters) / 1e6, proxy.downloaded("soil/project/") / 1e6
    read = proxy.downloaded("soil/rasters/") / 1e6
    ratio = (read + tables) / (least + tables)
    print(f"    its blocks {least:.2f} MB and tables {tables:.2f} MB: {ratio:.2f} times that was read (at most 1.2)")


def blocks_of(inputs: EmbeddingInputs, key: str, rasters: Path) -> int:
    """Bytes of the compressed blocks that the windows of a batch touch, each once."""
    samples, size, grid = inputs.samples_of(key), inputs.spec.choices["image_size"], inputs.raster_index.grid
    rows, columns = corners(samples, grid, size, inputs.spec.choices["anchor"])
    touched: dict[str, set[tuple[int, int]]] = {}
    for slot, step, positions in steps_read(inputs.spec.band_slots, samples):
        mosaic = inputs.raster_index.mosaics.get((slot.name, step))
        for tile in mosaic.tiles if mosaic else ():
            name = str(tile.source.path).rpartition("/rasters/")[2]
            with rasterio.open(rasters / name) as dataset:
                found = touched.setdefault(name, set())
                for row, column in zip(rows[positions], columns[positions], strict=True):
                    found |= blocks_under(dataset, grid, row, column, size)
    total = 0
    for name, blocks in touched.items():
        with rasterio.open(rasters / name) as dataset:
            total += sum(dataset.block_size(1, i, j) for i, j in blocks)
    return total


def blocks_under(
    dataset: rasterio.DatasetReader, grid: object, row: int, column: int, size: int
) -> set[tuple[int, int]]:
    """The blocks (row, column) of a raster under one window of the reference grid."""
    west, north = grid.transform @ (column, row)  # type: ignore[attr-defined]
    east, south = grid.transform @ (column + size, row + size)  # type: ignore[attr-defined]
    bounds = transform_bounds(grid.crs, dataset.crs, west, south, east, north)  # type: ignore[attr-defined]
    top, left = dataset.index(bounds[0], bounds[3])
    bottom, right = dataset.index(bounds[2], bounds[1])
    height, width = dataset.block_shapes[0]
    rows = np.arange(max(0, top - MARGIN) // height, min(dataset.height - 1, bottom + MARGIN) // height + 1)
    columns = np.arange(max(0, left - MARGIN) // width, min(dataset.width - 1, right + MARGIN) // width + 1)
    return {(int(i), int(j)) for i in rows for j in columns}


if __name__ == "__main__":
    main()
