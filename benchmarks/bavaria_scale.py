"""The first scan of a study as large as Bavaria, its rescan and its soil tables: time against a floor, and memory.

    python -m benchmarks.bavaria_scale [--repeats 5] [--size 1500] [--years 22]

111 rasters of 1,500 x 1,500 pixels (Elevation, and five yearly bands over 22 years, stored as the demo stores them;
smooth fields and noise), once compressed with deflate in tiles and once uncompressed in strips, and 16,500 rows of soil
tables.

(a) catalog: the platform's first scan, statistics and digests; (b) floor: rasterio reads all pixels of the same files,
one after another in one thread. Both find the files in the page cache, turn about, best of several. Prints a/b (at
most 1.5 compressed, 3 uncompressed), a rescan that finds nothing changed (at most 2 s), the samples' table (at most
5 s), and the largest peak memory of a process that does only that (at most 2 GB).
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.warp import transform, transform_bounds

from soc_assets.demo.rasters import REFERENCE_CRS, STORAGE, Storage
from soc_assets.demo.soil import write_combined, write_lucas
from soc_assets.geo.grid import WGS84, Grid
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.soil.samples import build_samples
from soc_assets.settings import Band, Rasters, Soil

WEST, NORTH = 4_280_000, 5_610_000  # upper left corner of the region, metres (EPSG:25832 less 4,000 km)
FIELDS = {  # mean and spread of the smooth field, in stored units
    "Elevation": (559, 300),
    "LAI": (15, 8),
    "LST": (14_340, 300),
    "MODIS_NPP": (4_000, 1_500),
    "SoilEvaporation": (0.33, 0.1),
    "TotalEvapotranspiration": (120, 40),
}
LAYOUTS: dict[str, dict[str, object]] = {
    "deflate": {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"},
    "uncompressed": {},
}
RATIOS = {"deflate": 1.5, "uncompressed": 3.0}
RESCAN_S, SAMPLES_S, PEAK_MB = 2.0, 5.0, 2_000
LUCAS_ROWS, COMBINED_ROWS, PLACES = 6_500, 10_000, 5_148


@dataclass(frozen=True)
class Measured:
    """One line of the table."""

    what: str
    limit: float
    value: float
    unit: str
    detail: str = ""

    def __str__(self) -> str:
        verdict = "ok" if self.value <= self.limit else "MISSED"
        return f"{self.what:<34}{self.limit:>8g}{self.value:>10.2f} {self.unit:<5}{verdict:<8}{self.detail}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--size", type=int, default=1500)
    arguments.add_argument("--years", type=int, default=22)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        write_region(folder, options.size, range(2002, 2002 + options.years))
        soil_files = write_soil(folder / "soil", options.size)
        print(f"{os.cpu_count()} cores; written in {time.perf_counter() - start:.0f} s: {sizes(folder)}")
        print(f"{'':<34}{'limit':>8}{'measured':>10}")
        for layout in LAYOUTS:
            for line in measure_catalog(folder, layout, options.repeats):
                print(line, flush=True)
        for line in measure_samples(folder, soil_files, options.repeats):
            print(line, flush=True)


def settings() -> Rasters:
    """Elevation and the yearly bands of Bavaria."""
    return Rasters(bands=tuple(Band(name=name, kind="static" if name == "Elevation" else "yearly") for name in STORAGE))


def write_region(folder: Path, size: int, years: range) -> None:
    """All rasters of all layouts, in the default folders below deflate/ and uncompressed/."""
    steps = [(name, year) for name in STORAGE for year in (years[:1] if name == "Elevation" else years)]
    textures = {name: texture(number, size) for number, name in enumerate(STORAGE)}

    def write(step: tuple[str, int]) -> None:
        name, year = step
        values = stored(name, year, *textures[name])
        for layout in LAYOUTS:
            path = f"static/{name}.tif" if name == "Elevation" else f"yearly/{name}/{name}_{year}.tif"
            write_raster(folder / layout / path, STORAGE[name], values, LAYOUTS[layout])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, steps))


def texture(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth field and white noise [size, size], both of mean 0 and standard deviation 1."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.linspace(0, 1, size, dtype=np.float32)] * 2)
    field = np.zeros((size, size), np.float32)
    for _ in range(12):
        across, down, phase = *rng.normal(0, 40, 2), rng.uniform(0, 6.3)
        field += np.cos(np.float32(across) * x + np.float32(down) * y + np.float32(phase))
    return (field - field.mean()) / field.std(), rng.standard_normal((size, size), np.float32)


def stored(name: str, year: int, smooth: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """What the file of a year holds: field, noise, a weather of the year, and 4 % without a value."""
    storage, (mean, spread) = STORAGE[name], FIELDS[name]
    weather = np.random.default_rng(year).normal(0, 0.2)
    values = mean + spread * (smooth + np.float32(weather)) + storage.noise * np.roll(noise, 977 * year)
    values = np.round(np.maximum(values, 1), storage.decimals)
    values[smooth > np.quantile(smooth[::16, ::16], 0.96)] = storage.nodata
    return values.astype(storage.dtype)


def write_raster(path: Path, storage: Storage, values: np.ndarray, layout: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    crs, (height, width) = CRS.from_epsg(storage.epsg), values.shape
    west, _, _, north = transform_bounds(REFERENCE_CRS, crs, WEST, NORTH - 250 * height, WEST + 250 * width, NORTH)
    profile = {"crs": crs, "transform": from_origin(west, north, storage.pixel, storage.pixel), "count": 1}
    if "compress" in layout:
        profile["predictor"] = 3 if storage.dtype == "float32" else 2
    profile |= {"height": height, "width": width, "dtype": storage.dtype, "nodata": storage.nodata}
    with rasterio.open(path, "w", driver="GTiff", **profile, **layout) as file:
        file.write(values, 1)


def write_soil(folder: Path, size: int) -> list[Path]:
    """Soil tables of 16,500 rows at 5,148 places, as the demo writes them: LUCAS, and the combined one twice."""
    rng = np.random.default_rng(0)
    reach = 250 * (size - 40)
    x, y = WEST + 5_000 + rng.uniform(0, reach, PLACES), NORTH - 5_000 - rng.uniform(0, reach, PLACES)
    longitude, latitude = transform(REFERENCE_CRS, WGS84, x.tolist(), y.tolist())[:2]
    places = pd.DataFrame({"longitude": longitude, "latitude": latitude}).round(6)
    rows = LUCAS_ROWS + COMBINED_ROWS
    visits = places.take(rng.integers(0, PLACES, rows)).reset_index(names="place")
    days = pd.to_timedelta(rng.integers(0, 22 * 365, rows), unit="D")
    visits = visits.assign(date=pd.Timestamp("2002-01-01") + days, oc=rng.lognormal(2.8, 0.7, rows).round(1))
    workbook, text = folder / "workbook", folder / "text"
    for target in (workbook, text):
        target.mkdir(parents=True)
        write_lucas(target / "LUCAS.csv", visits.head(LUCAS_ROWS - 13), np.random.default_rng(1))
    write_combined(workbook / "combined.xlsx", visits.tail(COMBINED_ROWS - 12), np.random.default_rng(2))
    pd.read_excel(workbook / "combined.xlsx").to_csv(text / "combined.csv", index=False)
    return [workbook, text]


def sizes(folder: Path) -> str:
    """Rasters and megabytes of each layout."""
    files = {layout: list((folder / layout).rglob("*.tif")) for layout in LAYOUTS}
    return ", ".join(
        f"{len(found)} rasters {layout} {sum(file.stat().st_size for file in found) / 1e6:.0f} MB"
        for layout, found in files.items()
    )


def measure_catalog(folder: Path, layout: str, repeats: int) -> list[Measured]:
    """Scan against floor, rescan and peak memory of one layout."""
    files = sorted((folder / layout).rglob("*.tif"))
    scans, floors, processor = [], [], []
    for _ in range(repeats):
        floors.append(seconds(lambda: read_all(files)))
        before = time.process_time()
        scans.append(seconds(lambda: scan_rasters(settings(), folder / layout)))
        processor.append(time.process_time() - before)
    catalog = scan_rasters(settings(), folder / layout)
    assert len(catalog.frame) == len(files)
    rescan = min(seconds(lambda: scan_rasters(settings(), folder / layout, catalog.frame)) for _ in range(repeats))
    peak = peak_mb(scan_rasters, settings(), folder / layout)
    scan, floor = min(scans), min(floors)
    detail = f"{scan:.2f} s (of all cores {min(processor):.2f} s) / {floor:.2f} s"
    return [
        Measured(f"{layout}: scan / floor", RATIOS[layout], scan / floor, "", detail),
        Measured(f"{layout}: rescan", RESCAN_S, rescan, "s"),
        Measured(f"{layout}: peak of the scan", PEAK_MB, peak, "MB"),
    ]


def measure_samples(folder: Path, tables: list[Path], repeats: int) -> list[Measured]:
    """Time and peak memory of `build_samples` on each folder of soil tables."""
    frame = scan_rasters(settings(), folder / "deflate").frame
    grid = Grid.of_catalog(frame, "Elevation")
    lines = []
    for table in tables:
        times = [seconds(lambda table=table: build_table(table, grid)) for _ in range(min(repeats, 3))]
        built = build_table(table, grid)
        detail = f"{len(built.samples)} samples, {len(built.rejected)} rejected"
        lines.append(Measured(f"samples, combined as {table.name}", SAMPLES_S, min(times), "s", detail))
        lines.append(Measured(f"peak, combined as {table.name}", PEAK_MB, peak_mb(build_table, table, grid), "MB"))
    return lines


def build_table(folder: Path, grid: Grid):
    """The samples of a folder of soil tables."""
    return build_samples(folder, Soil(), timed=True, seasonal=False, grid=grid)


def read_all(files: list[Path]) -> None:
    """All pixels of all files, one file after another."""
    for path in files:
        with rasterio.open(path) as dataset:
            dataset.read(1)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_mb(work: Callable, *arguments: object) -> float:
    """Peak memory of a fresh process that does only this, imports included."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=tell_peak, args=(theirs, work, arguments))
    process.start()
    peak = ours.recv()
    process.join()
    return peak


def tell_peak(connection, work: Callable, arguments: tuple) -> None:
    """Work, and tell the peak memory (MB) of this process."""
    work(*arguments)
    connection.send(own_peak_mb())


def own_peak_mb() -> float:
    """Peak memory of this process; where the system tells it, without what its parent held when it was started."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
