"""From open rasters to Parquet on disk: ours against a per-image reference loop and against the floor.

    python benchmarks/embed_cpu.py [--repeats 3] [--reference-samples 24]

(a) reference: as the public pipelines do it, with every raster open: per sample and image one windowed read, one call
of the patch embedding with batch size 1 on 3 equal frames, mean over tokens, nested lists, pandas to_parquet. Timed on
a few samples.
(b) ours: the platform's own batch writer, from an empty cache, same rasters, same weights.
(c) floor: read every raster that (b) reads once, and write as many bytes of the same schema as Parquet.

Prints seconds per sample and the ratios a/b (at least 25) and b/c (at most 2), and checks that (a) and (b) agree.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import rasterio
import torch
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from soc_assets import runner
from soc_assets.demo import write_demo
from soc_assets.embedding.batch import PARQUET_OPTIONS, Written
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encode import load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs, load_inputs
from soc_assets.embedding.steps import step_numbers, step_of
from soc_assets.embedding.windows import corners
from soc_assets.embedding.write import write_batches
from soc_assets.project import Project, load_project

MARGIN = 96  # pixels: windows reach beyond the grid


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reference-samples", type=int, default=24)
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = prepare(Path(folder))
        inputs = load_inputs(project)
        assert inputs is not None
        n = len(inputs.samples)
        reference, vectors = time_reference(inputs, options.reference_samples)
        ours = min(time_ours(inputs, project, Path(folder) / f"out{i}") for i in range(options.repeats))
        check(vectors, Path(folder) / "out0")
        floor = min(time_floor(inputs, Path(folder) / "out0", Path(folder)) for _ in range(options.repeats))
    print(
        f"{n} samples x {len(inputs.spec.slots)} images, {len(inputs.keys)} batches, {torch.get_num_threads()} threads"
    )
    print(f"{'':34}{'ms per sample':>14}{'seconds':>10}")
    print(f"{'(a) per-image reference loop':34}{1e3 * reference:14.2f}{reference * n:10.2f}  (extrapolated)")
    print(f"{'(b) ours, rasters to Parquet':34}{1e3 * ours / n:14.2f}{ours:10.2f}")
    print(f"{'(c) floor: read once, write':34}{1e3 * floor / n:14.2f}{floor:10.2f}")
    print(f"a/b {reference * n / ours:.1f} (at least 25)    b/c {ours / floor:.2f} (at most 2)")


def prepare(folder: Path) -> Project:
    """The demo region up to its batches."""
    (folder / "soc.toml").write_text("")
    write_demo(folder / "data/rasters", folder / "data/soil")
    project = load_project(folder / "soc.toml")
    runner.use_project(project, folder / "soc.toml")
    assert not runner.run(project, "balanced_samples", lambda job: None).failures
    return project


def time_reference(inputs: EmbeddingInputs, count: int) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds per sample of the per-image loop, and its vectors by sample."""
    spec, grid = inputs.spec, inputs.atlas.grid
    network = load_encoder(spec, None, 0, "cpu").weights.encoder
    samples = inputs.samples.iloc[:: len(inputs.samples) // count][:count].reset_index(drop=True)
    rows, columns = corners(samples, grid, 96, "center")
    numbers = [step_numbers(slot, samples, spec.choices["first_lag"]) for slot in spec.slots]
    rasters = {key: warped(sheet.source.path, grid) for key, sheet in inputs.atlas.sheets.items()}
    vectors, records = {}, []
    start = time.perf_counter()
    for n in range(len(samples)):
        images = {}
        for slot, of_slot in zip(spec.slots, numbers, strict=True):
            step = step_of(int(of_slot[n]), slot.band.kind)
            raster, key = rasters.get((slot.band.name, step)), step.key(slot.band.name)
            if raster is None:
                images[key] = None
                continue
            top, left = int(rows[n]) + MARGIN, int(columns[n]) + MARGIN
            window = Window(left, top, 96, 96)
            images[key] = embed_one(raster, window, slot.band.name, spec, network)
        records.append({"sample_id": samples["sample_id"][n], **images})
        vectors[str(samples["sample_id"][n])] = np.vstack([v for v in images.values() if v is not None])
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pd.DataFrame(records).to_parquet(file.name)
    return (time.perf_counter() - start) / len(samples), vectors


def warped(path, grid) -> WarpedVRT:
    """An open raster, seen on the reference grid with a margin of one window."""
    transform = grid.transform * rasterio.Affine.translation(-MARGIN, -MARGIN)
    size = {"transform": transform, "width": grid.width + 2 * MARGIN, "height": grid.height + 2 * MARGIN}
    return WarpedVRT(rasterio.open(path), crs=grid.crs, resampling=rasterio.enums.Resampling.bilinear, **size)


def embed_one(raster, window, band, spec, network) -> list[list[float]]:
    """One image as the reference does it: read, normalise, embed, pool, list."""
    pixels = raster.read(1, window=window, masked=True)
    values = np.ma.filled(pixels.astype(np.float32), np.nan)
    statistics = spec.statistics[band]
    values = np.nan_to_num((values - statistics.mean) / statistics.std)
    with torch.no_grad():
        tokens = network.patch_embed(torch.from_numpy(values).float().expand(1, 3, 96, 96))[:, 0]
        return tokens.mean(dim=1).tolist()


def time_ours(inputs: EmbeddingInputs, project: Project, folder: Path) -> float:
    """Seconds for all batches, from cold caches of ours."""
    encoder = load_encoder(inputs.spec, None, 0, "cpu")
    start = time.perf_counter()
    embedder = Embedder(inputs.spec, inputs.atlas, encoder, project.settings.embedding.cache_mb)
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
    print(f"largest difference between (a) and (b): {worst:.1e}")


def time_floor(inputs: EmbeddingInputs, written: Path, folder: Path) -> float:
    """Seconds to read every raster once and to write what (b) wrote."""
    tables = [pq.read_table(path) for path in sorted(written.glob("batch_*"))]
    start = time.perf_counter()
    for sheet in inputs.atlas.sheets.values():
        with rasterio.open(sheet.source.path) as dataset:
            dataset.read(1)
    for table in tables:
        pq.write_table(table, folder / "floor.parquet", **PARQUET_OPTIONS)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
