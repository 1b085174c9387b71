"""Runs in the peers' environment: embeddings of the demo's samples by rioxarray and by torchgeo, as their docs say.

    python -m benchmarks.peers_embed FOLDER rioxarray|torchgeo SAMPLES

Both normalise by the same statistics, embed by torch in batches of 32 samples, with three equal frames as the model
takes them, average the tokens and write Parquet. Sources: rioxarray's "Reproject" page (`rio.reproject` with the grid's
transform and shape) and torchgeo's "Custom Raster Datasets" (a `RasterDataset` per band with a file pattern and a date
in it, asked for a bounding box and a time, and a `DataLoader` with workers).
"""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.peers_measure import MARGIN, Job, answer

AT_ONCE = 32  # samples
WORKERS = 2


def main() -> None:
    folder, way, samples = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    job, ways = Job.load(folder), {"rioxarray": windows_of_rioxarray, "torchgeo": windows_of_torchgeo}
    if way == "torchgeo":
        import_torchgeo()
    else:
        importlib.import_module("rioxarray")
    answer(folder, way, lambda: {"vectors": embed(job, ways[way](job, samples), folder / f"{way}.parquet")})


def embed(job: Job, blocks: Iterator[np.ndarray], path: Path) -> np.ndarray:
    """Vectors [n, slots, 768] of normalised windows [b, slots, h, w], written to Parquet, too."""
    weight, bias = torch.from_numpy(job.weight), torch.from_numpy(job.bias)
    found = []
    for windows in blocks:
        images = torch.from_numpy(np.nan_to_num(windows)).flatten(0, 1)
        frames = images[:, None, None].expand(-1, 1, 3, -1, -1)
        with torch.inference_mode():
            tokens = torch.nn.functional.conv3d(frames, weight, bias, stride=weight.shape[2:])
            found.append(tokens.flatten(2).mean(dim=2).reshape(*windows.shape[:2], -1).numpy())
    vectors = np.concatenate(found)
    write(vectors, path)
    return vectors


def write(vectors: np.ndarray, path: Path) -> None:
    """A column of vectors for each slot."""
    columns = {
        f"slot_{slot}": pa.FixedSizeListArray.from_arrays(pa.array(vectors[:, slot].ravel()), vectors.shape[2])
        for slot in range(vectors.shape[1])
    }
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False)


def normalise(job: Job, raster: int, values: np.ndarray) -> np.ndarray:
    """Values of a raster in standard deviations."""
    mean, std = job.statistics[job.rasters[raster]["band"]]
    return (values - np.float32(mean)) / np.float32(std)


def windows_of_rioxarray(job: Job, samples: int) -> Iterator[np.ndarray]:
    """Every raster is brought to the grid in memory, then windows are sliced."""
    from affine import Affine
    from rasterio.enums import Resampling

    open_rasterio = importlib.import_module("rioxarray").open_rasterio
    transform = Affine(*job.transform) * Affine.translation(-MARGIN, -MARGIN)
    shape = job.height + 2 * MARGIN, job.width + 2 * MARGIN
    rasters = []
    for number, raster in enumerate(job.rasters):
        opened = open_rasterio(raster["path"], masked=True)
        there = opened.squeeze("band", drop=True).astype("float32")
        there = there.rio.reproject(job.crs, transform=transform, shape=shape, resampling=Resampling.bilinear)
        rasters.append(normalise(job, number, there.to_numpy()))
    slots = job.raster.shape[1]
    for first in range(0, samples, AT_ONCE):
        block = np.zeros((min(AT_ONCE, samples - first), slots, job.size, job.size), np.float32)
        for n in range(len(block)):
            top, left = int(job.rows[first + n]) + MARGIN, int(job.columns[first + n]) + MARGIN
            for slot, raster in enumerate(job.raster[first + n]):
                if raster >= 0:
                    block[n, slot] = rasters[raster][top : top + job.size, left : left + job.size]
        yield block


def import_torchgeo() -> None:
    """Import torchgeo, where need be without torchvision's own operators (a CPU torch beside another torchvision)."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        sys.modules.pop("torchvision", None)
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_torchgeo.kept = library  # type: ignore[attr-defined]  # it ends with the object
    importlib.import_module("torchgeo.datasets")


class SampleWindows(torch.utils.data.Dataset):
    """The windows of one sample: a bounding box and a year, asked of the dataset of each band."""

    def __init__(self, job: Job, samples: int) -> None:
        self.job, self.samples = job, samples
        bands = dict.fromkeys(raster["band"] for raster in job.rasters)
        self.bands = {band: raster_dataset(job, band) for band in bands}

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, n: int) -> np.ndarray:
        """Normalised windows [slots, h, w]."""
        job = self.job
        width, _, left, _, height, top = job.transform
        x, y = left + width * job.columns[n], top + height * job.rows[n]
        windows = np.zeros((job.raster.shape[1], job.size, job.size), np.float32)
        for slot, raster in enumerate(job.raster[n]):
            if raster >= 0:
                image = self.bands[job.rasters[raster]["band"]][
                    slice(x, x + job.size * width), slice(y + job.size * height, y), times(job.rasters[raster])
                ]["image"]
                values = image[0].numpy()
                nodata = job.rasters[raster]["nodata"]
                values = np.where(values == nodata, np.nan, values) if nodata is not None else values
                windows[slot] = normalise(job, raster, values)
        return windows


def times(raster: dict[str, Any]) -> slice:
    """The year of a raster; all times where it has none."""
    import pandas as pd

    year = re.search(r"_(\d{4})", raster["key"])
    return slice(pd.Timestamp(f"{year[1]}-01-01"), pd.Timestamp(f"{year[1]}-12-31")) if year else slice(None)


def raster_dataset(job: Job, band: str) -> Any:
    """A band's files as a dataset of torchgeo, on the reference grid."""
    from pyproj import CRS

    paths = [raster["path"] for raster in job.rasters if raster["band"] == band]
    dated = re.search(r"_\d{4}", Path(paths[0]).stem)
    pattern = {"filename_regex": r".*_(?P<date>\d{4})" if dated else ".*", "date_format": "%Y"}
    kind = type(
        band, (importlib.import_module("torchgeo.datasets").RasterDataset,), {"filename_glob": "*.tif", **pattern}
    )
    return kind(paths, crs=CRS.from_wkt(job.crs), res=(job.transform[0], -job.transform[4]))


def windows_of_torchgeo(job: Job, samples: int) -> Iterator[np.ndarray]:
    """A loader with two workers."""
    loader = torch.utils.data.DataLoader(SampleWindows(job, samples), batch_size=AT_ONCE, num_workers=WORKERS)
    for block in loader:
        yield block.numpy()


if __name__ == "__main__":
    main()
