"""What Dagster costs with many batches: a backfill through the daemon, the UI's pages, and a run with nothing to do.

    python -m benchmarks.orchestration [--batches 1000] [--per-run 64]
    python -m benchmarks.orchestration --batches 4000 --commands   # without the daemon: `soc status`, `soc run` alone

Batches of two samples, windows of 16 pixels and three small rasters, so that orchestration dominates. `dagster dev`
runs on a fresh instance; the backfill is launched as the UI launches it, over all partitions. Overhead per batch is the
time from launch to the end of the last run, less the seconds in which batches were computed. Pages are timed by the
GraphQL queries that they send. "floor" is the same batches written in one process without Dagster.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform as to_degrees

from soc_assets_tests.dagster_dev import REPOSITORY, DagsterDev

SIDE, PIXEL, WEST, NORTH, CRS = 256, 250.0, 600_000.0, 5_400_000.0, "EPSG:25832"
SETTINGS = """
[study]
time_before = 1
[rasters]
bands = [{{ name = "Elevation", kind = "static" }}, {{ name = "LAI", kind = "yearly" }}]
[sampling]
batch_size = 2
[embedding]
image_size = 16
device = "cpu"
[training]
hidden = [8]
epochs = 1
device = "cpu"
[automation]
active = false
batches_per_run = {per_run}
"""
PAGES = {
    "asset graph": """{ assetNodes { id assetKey { path } groupName computeKind kinds isPartitioned isObservable
      opNames jobNames dependencyKeys { path } dependedByKeys { path } hasMaterializePermission
      partitionStats { numMaterialized numPartitions numFailed numMaterializing } staleStatus
      staleCauses { key { path } reason category }
      assetMaterializations(limit: 1) { timestamp runId } assetChecksOrError { __typename } } }""",
    "partitions of embeddings": """{ assetNodeOrError(assetKey: {path: ["embeddings"]}) { ... on AssetNode { id
      partitionKeys partitionStats { numMaterialized numPartitions }
      assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions
        unmaterializedPartitions materializingPartitions } } } } }""",
    "one batch": """{ assetNodeOrError(assetKey: {path: ["embeddings"]}) { ... on AssetNode { id
      staleStatus(partition: "batch_0500") staleCauses(partition: "batch_0500") { reason }
      latestMaterializationByPartition(partitions: ["batch_0500"]) { timestamp metadataEntries { label } } } } }""",
    "overview of features": """{ assetNodeOrError(assetKey: {path: ["features"]}) { ... on AssetNode { id staleStatus
      dependencies { asset { assetKey { path } } } assetMaterializations(limit: 100) { timestamp runId
        metadataEntries { label description } } } } }""",
    "runs": """{ runsOrError(limit: 30) { ... on Runs { results { id runId status tags { key value } jobName startTime
      endTime assetSelection { path } } } } }""",
}


def write_inputs(root: Path, batches: int, per_run: int) -> None:
    """soc.toml, three rasters and a soil table of two samples for each batch."""
    stream = np.random.default_rng(5)
    (root / "soc.toml").write_text(SETTINGS.format(per_run=per_run))
    names = ("static/Elevation.tif", "yearly/LAI/LAI_2015.tif", "yearly/LAI/LAI_2016.tif")
    place = {"crs": CRS, "transform": from_origin(WEST, NORTH, PIXEL, PIXEL), "width": SIDE, "height": SIDE}
    for name in names:
        path = root / "data/rasters" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(path, "w", driver="GTiff", count=1, dtype="float32", nodata=-9999, **place) as dataset:
            dataset.write(stream.normal(100, 20, (SIDE, SIDE)).astype(np.float32), 1)
    pixels = stream.choice((SIDE - 16) ** 2, size=2 * batches, replace=False)
    rows, columns = pixels // (SIDE - 16) + 8, pixels % (SIDE - 16) + 8
    x, y = WEST + (columns + 0.5) * PIXEL, NORTH - (rows + 0.5) * PIXEL
    longitude, latitude = to_degrees(CRS, "EPSG:4326", x.tolist(), y.tolist())[:2]
    table = pd.DataFrame({"GPS_LONG": longitude, "GPS_LAT": latitude, "OC": stream.gamma(3, 7, 2 * batches).round(2)})
    table["survey_date"] = np.where(stream.random(2 * batches) < 0.5, "2015-06-01", "2016-06-01")
    (root / "data/soil").mkdir(parents=True)
    table.to_csv(root / "data/soil/samples.csv", index=False)


def soc(variables: dict[str, str], *arguments: str) -> float:
    """Seconds of a `soc` command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "soc_assets", *arguments], env=variables, check=True, capture_output=True)
    return time.perf_counter() - start


def processor_seconds(variables: dict[str, str], *arguments: str) -> tuple[float, float]:
    """Seconds of a `soc` command, and those of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, after = soc(variables, *arguments), resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(root: Path, variables: dict[str, str]) -> None:
    """`soc status` and `soc run` with nothing to do, over batches that were written in one process."""
    from soc_assets.embedding.inputs import read_inputs
    from soc_assets.project import load_project

    print(f"the batches in one process: {floor(root, in_place=True):.1f} s")
    print(f"soc run, features and model missing: {soc(variables, 'run'):.1f} s")
    print(f"soc status, for the first time: {_pair(processor_seconds(variables, 'status'))}")
    time.sleep(3)  # what was written just now is not yet kept
    soc(variables, "status")
    for command in ("status", "run"):
        found = min((processor_seconds(variables, command) for _ in range(5)), key=lambda pair: pair[1])
        print(f"soc {command}, nothing to do, the best of 5: {_pair(found)}")
    inputs = read_inputs(load_project(root / "soc.toml"))
    for share in (4, 1):
        keys, start = inputs.keys[: len(inputs.keys) // share], time.process_time()
        inputs.digests_of(keys)
        print(f"digests of {len(keys)} batches: {time.process_time() - start:.2f} s of the processor")


def _pair(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:.1f} s, {seconds[1]:.1f} s of the processor"


def floor(root: Path, in_place: bool = False) -> float:
    """Seconds to write the same batches in this process, without Dagster, elsewhere or in their place."""
    from soc_assets.embedding.embed import Embedder
    from soc_assets.embedding.encoder.encoder import load_encoder
    from soc_assets.embedding.inputs import freeze_spec, read_inputs
    from soc_assets.embedding.write import write_batches
    from soc_assets.project import load_project

    project = load_project(root / "soc.toml")
    inputs = read_inputs(project, freeze_spec(project))
    embedder = Embedder(inputs.spec, inputs.raster_index, load_encoder(inputs.spec, None, 0.1, "cpu", 0), 256)
    start = time.perf_counter()
    for _ in write_batches(inputs, inputs.keys, inputs.folder if in_place else root / "floor", lambda: embedder):
        pass
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batches", type=int, default=1000)
    arguments.add_argument("--per-run", type=int, default=64)
    arguments.add_argument("--commands", action="store_true", help="time commands alone, without the daemon")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_inputs(root, options.batches, options.per_run)
        own = {"SOC_CONFIG": str(root / "soc.toml"), "DAGSTER_HOME": str(root / ".dagster")}
        variables = {**os.environ, **own, "PYTHONPATH": str(REPOSITORY)}
        prepared = soc(variables, "run", "--to", "balanced_samples")
        print(f"soc run --to balanced_samples: {prepared:.1f} s")
        if options.commands:
            return commands(root, variables)
        keys = sorted(pd.read_parquet(root / "data/samples/batches.parquet")["batch"].unique())
        dev = DagsterDev(root)
        try:
            dev.wait_until_up()
            start = time.perf_counter()
            dev.backfill(keys)
            wall = time.perf_counter() - start
            files = sorted((root / "data/embeddings").glob("*/batch_*_size_*.parquet"))
            computing = sum(float((pq.read_metadata(path).metadata or {})[b"soc.seconds"]) for path in files)
            each = (wall - computing) / len(keys)
            print(
                f"backfill of {len(files)} batches, {options.per_run} a run: {wall:.0f} s, computing {computing:.0f} s"
            )
            print(f"overhead per batch: {each:.3f} s; floor, the same without Dagster: {floor(root):.1f} s in all")
            print(f"soc run, features and model missing: {soc(variables, 'run'):.1f} s")
            for page, query in PAGES.items():
                dev.ask(query)
                seconds = [_timed(dev, query) for _ in range(5)]
                print(f"page {page:26} {statistics.median(seconds):6.2f} s  (worst {max(seconds):.2f})")
        finally:
            dev.stop()
        print(f"soc run, nothing to do: {soc(variables, 'run'):.1f} s;  soc status: {soc(variables, 'status'):.1f} s")
        load = [sys.executable, "-X", "importtime", "-c", "import soc_assets.definitions"]
        told = subprocess.run(load, env=variables, capture_output=True, text=True, check=True).stderr.splitlines()
        [line] = [line for line in told if line.endswith(" soc_assets.definitions")]
        print(f"definitions load (python -X importtime): {int(line.split('|')[1]) / 1e6:.2f} s")


def _timed(dev: DagsterDev, query: str) -> float:
    start = time.perf_counter()
    dev.ask(query)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
