"""What scripts in the peers' environment share; imports nothing of the platform.

A job is a folder: `job.json` (the reference grid, bands and rasters), `job.npz` (windows of the samples, weights).
"""

import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MARGIN = 96
"""Pixels by which windows may reach beyond the reference grid."""


@dataclass(frozen=True)
class Job:
    """What is to be computed.

    Attributes:
        crs: of the reference grid, WKT.
        transform: its six numbers.
        width: columns of the grid.
        height: its rows.
        size: edge of a window, pixels.
        rasters: [r] key, band, path and whether it lies on the reference grid.
        statistics: mean and standard deviation of each band.
        rows: [n] first row of each sample's window.
        columns: [n] first column.
        raster: [n, slots] which raster each slot reads, -1 where there is none.
        longitude: [n] degrees.
        latitude: [n] degrees.
        weight: [768, 1, 3, 8, 8] of the patch embedding.
        bias: [768].
    """

    crs: str
    transform: list[float]
    width: int
    height: int
    size: int
    rasters: list[dict[str, Any]]
    statistics: dict[str, list[float]]
    rows: np.ndarray
    columns: np.ndarray
    raster: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def save(self, folder: Path) -> None:
        """Write the job's two files."""
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        (folder / "job.json").write_text(json.dumps({k: v for k, v in vars(self).items() if k not in arrays}))
        np.savez(folder / "job.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "Job":
        """Read them."""
        with np.load(folder / "job.npz", allow_pickle=False) as arrays:
            return cls(**json.loads((folder / "job.json").read_text()), **dict(arrays))


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Wall and processor seconds of a block, those of finished child processes included."""
    found: dict[str, float] = {}
    start, used = time.perf_counter(), processor_seconds()
    yield found
    found["seconds"], found["processor_seconds"] = time.perf_counter() - start, processor_seconds() - used


def processor_seconds() -> float:
    """Used so far by this process and its children that have ended."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def answer(folder: Path, name: str, work: Callable[[], dict[str, np.ndarray]]) -> None:
    """Run some work, save its arrays as `name`.npz and print what it took as JSON."""
    with measured() as took:
        arrays = work()
    np.savez(folder / f"{name}.npz", allow_pickle=False, **arrays)
    print(json.dumps({**took, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """Largest resident memory of this program; `ru_maxrss` would count its parent's before it was started."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
