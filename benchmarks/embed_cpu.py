"""From open rasters to Parquet on disk: ours against a per-image reference loop and against the floor.

    python -m benchmarks.embed_cpu [--samples 960 4096] [--reference-samples 24] [--repeats 3]

(a) reference: as the public pipelines do it, with every raster open: per sample and image one windowed read, one call
of the patch embedding with batch size 1 on 3 equal frames, mean over tokens, nested lists, pandas to_parquet. Timed on
a few samples.
(b) ours: the platform's own batch writer, from an empty cache, same rasters, same weights.
(c) floor: read every raster that (b) reads once, and write as many bytes of the same schema as Parquet.

The demo region has 80 rasters and 960 samples; further samples are drawn on it, as a real study has more samples for
each raster (Bavaria: 111 rasters, 16,500 samples). Prints the ratios a/b (at least 25) and b/c (at most 2), and the
largest difference between (a) and (b).
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import rasterio
import torch
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from soc_assets.cli import runner
from soc_assets.demo import write_demo
from soc_assets.embedding.batch import Written
from soc_assets.embedding.batch_rows import BatchRows
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs, freeze_spec, read_inputs
from soc_assets.embedding.parquet import PARQUET_OPTIONS
from soc_assets.embedding.windows import corners
from soc_assets.embedding.write import write_batches
from soc_assets.project import Project, load_project
from soc_assets.rasters.steps import step_numbers, step_of

MARGIN = 96  # pixels: windows reach beyond the grid


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--samples", type=int, nargs="+", default=[960, 4096])
    arguments.add_argument("--reference-samples", type=int, default=24)
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = prepare(folder)
        every = read_inputs(project, freeze_spec(project))
        reference, vectors = time_reference(every, options.reference_samples)
        images = len(every.spec.slots)
        print(f"{torch.get_num_threads()} threads; (a) takes {1e3 * reference:.1f} ms for a sample of {images} images")
        print(f"{'samples':>8}{'(a) s':>9}{'(b) s':>9}{'(c) s':>9}{'a/b':>8}{'b/c':>7}{'b, ms a sample':>16}")
        for n in options.samples:
            inputs = draw(every, n)
            ours = min(write_all(inputs, project, folder / f"out{n}_{i}") for i in range(options.repeats))
            floor = min(time_floor(inputs, folder / f"out{n}_0", folder) for _ in range(options.repeats))
            a = reference * n
            print(f"{n:8}{a:9.2f}{ours:9.2f}{floor:9.2f}{a / ours:8.1f}{ours / floor:7.2f}{1e3 * ours / n:16.2f}")
        write_all(every, project, folder / "all")
        check(vectors, folder / "all")


def prepare(folder: Path) -> Project:
    """The demo region up to its batches."""
    (folder / "soc.toml").write_text("")
    write_demo(folder / "data/rasters", folder / "data/soil", survey="demo-960")
    return catalogued(folder)


def catalogued(folder: Path) -> Project:
    """A folder with settings, rasters and soil tables, up to its batches."""
    project = load_project(folder / "soc.toml")
    runner.use_project(project, folder / "soc.toml")
    assert not runner.run(project, "balanced_samples").failures
    return project


def time_reference(inputs: EmbeddingInputs, count: int) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds per sample of the per-image loop, and its vectors by sample."""
    spec, grid = inputs.spec, inputs.raster_index.grid
    network = load_encoder(spec, None, 0, "cpu").weights.encoder
    samples = inputs.samples.iloc[:: len(inputs.samples) // count][:count].reset_index(drop=True)
    rows, columns = corners(samples, grid, 96, "center")
    numbers = [step_numbers(slot, samples) for slot in spec.slots]
    rasters = {key: warped(mosaic.tiles[0].source.path, grid) for key, mosaic in inputs.raster_index.mosaics.items()}
    vectors, records = {}, []
    start = time.perf_counter()
    for n in range(len(samples)):
        images = {}
        for slot, of_slot in zip(spec.slots, numbers, strict=True):
            step = step_of(int(of_slot[n]), slot.kind)
            raster, key = rasters.get((slot.name, step)), step.key(slot.name)
            if raster is None:
                images[key] = None
                continue
            top, left = int(rows[n]) + MARGIN, int(columns[n]) + MARGIN
            window = Window(left, top, 96, 96)
            images[key] = embed_one(raster, window, slot.name, spec, network)
        records.append({"sample_id": samples["sample_id"][n], **images})
        vectors[str(samples["sample_id"][n])] = np.vstack([v for v in images.values() if v is not None])
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pd.DataFrame(records).to_parquet(file.name)
    return (time.perf_counter() - start) / len(samples), vectors


def warped(path, grid) -> WarpedVRT:
    """An open raster, seen on the reference grid with a margin of one window."""
    transform = grid.transform * rasterio.Affine.translation(-MARGIN, -MARGIN)
    size = {"transform": transform, "width": grid.width + 2 * MARGIN, "height": grid.height + 2 * MARGIN}
    return WarpedVRT(
        rasterio.open(path), crs=grid.crs, dtype="float32", resampling=Resampling.bilinear, tolerance=0.001, **size
    )


def embed_one(raster, window, band, spec, network) -> list[list[float]]:
    """One image as the reference does it: read, normalise, embed, pool, list."""
    pixels = raster.read(1, window=window, masked=True)
    values = np.ma.filled(pixels.astype(np.float32), np.nan)
    statistics = spec.statistics[band]
    values = np.nan_to_num((values - statistics.mean) / statistics.std)
    with torch.no_grad():
        tokens = network.patch_embed(torch.from_numpy(values).float().expand(1, 3, 96, 96))[:, 0]
        return tokens.mean(dim=1).tolist()


def draw(inputs: EmbeddingInputs, n: int) -> EmbeddingInputs:
    """The same inputs with n samples: the first ones, or further ones drawn between them, in batches of 256."""
    repeats = -(-n // len(inputs.samples))
    samples = pd.concat([inputs.samples] * repeats, ignore_index=True).iloc[:n]
    stream = np.random.default_rng(0)
    again = np.arange(n) >= len(inputs.samples)
    for name in ("longitude", "latitude"):
        moved = samples[name] + stream.normal(0, 0.02, n) * again
        samples[name] = moved.clip(inputs.samples[name].min(), inputs.samples[name].max())
    samples["sample_id"] = [f"s{number:06}" for number in range(n)]
    samples = samples.sort_values(["year", "longitude"], kind="stable")
    samples["batch"] = [f"batch_{1 + number // 256:04}" for number in range(n)]
    return replace(inputs, samples=samples, keys=sorted(set(samples["batch"])), batch_rows=BatchRows(samples))


def write_all(inputs: EmbeddingInputs, project: Project, folder: Path) -> float:
    """Seconds for all batches, from empty caches of ours; loading the weights is not counted."""
    encoder = load_encoder(inputs.spec, None, 0, "cpu")
    start = time.perf_counter()
    embedder = Embedder(inputs.spec, inputs.raster_index, encoder, project.settings.embedding.cache_mb)
    written = list(write_batches(inputs, inputs.keys, folder, lambda: embedder))
    assert all(isinstance(batch, Written) and batch.outcome == "computed" for batch in written)
    return time.perf_counter() - start


def check(vectors: dict[str, np.ndarray], folder: Path) -> None:
    """Ours must equal the reference but where they resample differently (VRT a window, ours a tile)."""
    frame = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("batch_*"))]).set_index("sample_id")
    worst = 0.0
    for sample, expected in vectors.items():
        row = frame.loc[sample]
        images = [row["elevation_embedding"], *dict(row["channel_time_embeddings"]).values()]
        found = np.vstack([np.vstack(image) for image in images if image is not None])
        if found.shape == expected.shape:
            worst = max(worst, float(np.abs(found - expected).max()))
    print(f"largest difference between (a) and (b), which warp by themselves: {worst:.1e}")


def time_floor(inputs: EmbeddingInputs, written: Path, folder: Path) -> float:
    """Seconds to read every raster once and to write what (b) wrote."""
    tables = [pq.read_table(path) for path in sorted(written.glob("batch_*"))]
    start = time.perf_counter()
    for mosaic in inputs.raster_index.mosaics.values():
        with rasterio.open(mosaic.tiles[0].source.path) as dataset:
            dataset.read(1)
    for table in tables:
        pq.write_table(table, folder / "floor.parquet", **PARQUET_OPTIONS)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
