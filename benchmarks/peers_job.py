"""Our side of the comparison with peers: the job that they get, and what we compute of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from benchmarks.embed_cpu import time_floor, time_reference, write_all
from benchmarks.peers_measure import Job, measured
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.embedding.windows import corners
from soc_assets.features.images import batch_paths, read_images
from soc_assets.geo.grid import Grid
from soc_assets.project import Project
from soc_assets.rasters.steps import step_numbers, step_of


@dataclass(frozen=True)
class Ours:
    """What we computed, in the order of the samples.

    Attributes:
        took: wall and processor seconds.
        vectors: [n, slots, 768].
        complete: [n, slots], whether every pixel of the window is valid.
        on_grid: [n, slots], whether the raster lies on the reference grid.
    """

    took: dict[str, float]
    vectors: np.ndarray
    complete: np.ndarray
    on_grid: np.ndarray


def job_of(inputs: EmbeddingInputs) -> Job:
    """The windows, rasters and weights of a project's embeddings as plain arrays."""
    spec, grid, samples = inputs.spec, inputs.raster_index.grid, inputs.samples
    rows, columns = corners(samples, grid, spec.choices["image_size"], spec.choices["anchor"])
    mosaics = list(inputs.raster_index.mosaics.items())
    place = {key: number for number, (key, _) in enumerate(mosaics)}
    raster = np.full((len(samples), len(spec.slots)), -1)
    for number, slot in enumerate(spec.slots):
        steps = step_numbers(slot, samples).tolist()
        raster[:, number] = [place.get((slot.name, step_of(step, slot.kind)), -1) for step in steps]
    projection = load_encoder(spec, None, 0, "cpu").weights.encoder.patch_embed.proj
    assert projection.bias is not None
    weight = projection.weight.detach().numpy()
    return Job(
        crs=grid.crs.to_wkt(),
        transform=list(grid.transform)[:6],
        width=grid.width,
        height=grid.height,
        size=spec.choices["image_size"],
        rasters=[_described(step.key(band), band, m.tiles[0].source.path, grid) for (band, step), m in mosaics],
        statistics={band: [each.mean, each.std] for band, each in spec.statistics.items()},
        rows=np.asarray(rows),
        columns=np.asarray(columns),
        raster=raster,
        longitude=samples["longitude"].to_numpy(float),
        latitude=samples["latitude"].to_numpy(float),
        weight=weight.reshape(len(weight), 1, -1, PATCH, PATCH),
        bias=projection.bias.detach().numpy(),
    )


def _described(key: str, band: str, path: object, grid: Grid) -> dict:
    with rasterio.open(path) as dataset:
        same = dataset.crs == grid.crs and dataset.transform.almost_equals(grid.transform)
        return {"key": key, "band": band, "path": str(path), "nodata": dataset.nodata, "on_grid": same}


def embed(inputs: EmbeddingInputs, project: Project, job: Job, folder: Path, repeats: int) -> Ours:
    """`soc run`'s own writer from empty caches, the fastest of some repeats, and the vectors read back."""
    took = []
    for number in range(repeats):
        inputs.spec.save(folder / f"ours{number}")
        with measured() as each:
            seconds = write_all(inputs, project, written(inputs, folder, number))
        took.append({**each, "seconds": seconds})
    vectors, ids = [], []
    for path in batch_paths(written(inputs, folder, 0)):
        for images in read_images(path, inputs.spec):
            vectors.append(images.vectors[:, :, 0])
            ids.extend(images.sample_id)
    place = {sample: number for number, sample in enumerate(ids)}
    order = [place[sample] for sample in inputs.samples["sample_id"]]
    fastest = min(took, key=lambda each: each["seconds"])
    valid = Embedder(inputs.spec, inputs.raster_index, None, project.settings.embedding.cache_mb)(inputs.samples).valid
    return Ours(fastest, np.concatenate(vectors)[order], valid == 1, on_grid(job))


def on_grid(job: Job) -> np.ndarray:
    """Whether each sample's raster [n, slots] lies on the reference grid; False where there is none."""
    return np.array([raster["on_grid"] for raster in job.rasters])[job.raster] & (job.raster >= 0)


def written(inputs: EmbeddingInputs, folder: Path, number: int) -> Path:
    """The folder of a repeat's batches."""
    return folder / f"ours{number}" / inputs.spec.digest


def floor(inputs: EmbeddingInputs, folder: Path, repeats: int) -> dict[str, float]:
    """Read every raster once and write the same Parquet."""
    found = []
    for _ in range(repeats):
        with measured() as each:
            seconds = time_floor(inputs, written(inputs, folder, 0), folder)
        found.append({**each, "seconds": seconds})
    return min(found, key=lambda each: each["seconds"])


def image_loop(inputs: EmbeddingInputs, job: Job, samples: int) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """One window and one call for each image, as public pipelines do it.

    Returns:
        What `samples` samples took, their positions [m], and their vectors [m, slots, 768], NaN where there is none.
    """
    with measured() as each:
        seconds, vectors = time_reference(inputs, samples)
    ids = inputs.samples["sample_id"].to_list()
    positions = np.array([ids.index(sample) for sample in vectors])
    found = np.full((*job.raster[positions].shape, len(job.bias)), np.nan, np.float32)
    for number, (position, own) in enumerate(zip(positions, vectors.values(), strict=True)):
        found[number, job.raster[position] >= 0] = own
    return {**each, "seconds": seconds * len(vectors)}, positions, found


def points(inputs: EmbeddingInputs, project: Project) -> tuple[dict[str, float], np.ndarray]:
    """Means over 1, 3, 9 and 25 pixels of every band and lag [n, slots, 4], standard deviations, without embedding."""
    embedder = Embedder(inputs.spec, inputs.raster_index, None, project.settings.embedding.cache_mb)
    with measured() as took:
        found = embedder(inputs.samples).points
    return took, found
