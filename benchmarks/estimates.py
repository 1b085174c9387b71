"""The tables of docs/scaling.md: bytes, hours and dollars of a million and a hundred million points, and of Europe.

    python -m benchmarks.estimates

Arithmetic on what other benchmarks have measured, not a measurement: rates are taken to hold at any size.
"""

import math
from collections.abc import Callable, Iterator, Sequence

IMAGES = 26  # a sample: Elevation, and five bands of five years
WINDOW = 96 * 96 * 4  # bytes of an image in memory
VECTOR = 768 * 4  # bytes of an embedding
STORED = 80_000  # bytes of a sample in Parquet (docs/performance.md, Storing a batch)
HALF = 9.8 / 16.2  # of them with storage = "float16" (there, too)
MEAN_PATCH = 0.16 / 256  # seconds a sample on two cores (benchmarks.scaling)
ON_CPU, ON_H200 = 6.8, 9_550  # images a second: two cores (benchmarks.encoder), one H200 (docs/performance.md)
MAP_MLP, MAP_RECIPE = 41.2 / 1_102_500, 79.3 / 1_102_500  # seconds a cell on two cores (benchmarks.map)
MAP_FILE = 4 * 4 + 1  # bytes of a cell: carbon, both ends, dissimilarity in float32, quality
TILE = 512 * 512  # cells
PER_BATCH = 0.196  # seconds of Dagster (benchmarks.orchestration)
EVENTS = 13_000  # bytes a batch in Dagster's event log, 60 batches in a run
DIGEST = 0.003  # seconds of `soc status` (benchmarks.orchestration)
LISTED = 1_000  # objects a request
GPU_HOUR = 41.61 / 8  # p5en.48xlarge in EC2 Capacity Blocks, January 2026
CPU_HOUR = 2 * 0.8064 / 16  # two vCPUs of an m7i.4xlarge, us-east-1, on demand
STORAGE = 0.023  # a GB and month, S3 Standard, us-east-1
CELL = 0.25 * 0.25  # km2
AREAS = {"EU-27": 4.23e6, "Europe": 10.2e6}  # km2


def main() -> None:
    for rows in (points(), granularity(), maps()):
        print("\n".join(rows), end="\n\n")


def points() -> Iterator[str]:
    """A million and a hundred million points."""
    sizes = (10**6, 10**8)

    def row(name: str, value: Callable[[int], str]) -> str:
        return line([name, *(value(size) for size in sizes)])

    yield from header(["", "1 million points", "100 million points"])
    yield row("images", lambda n: number(n * IMAGES))
    yield row("Parquet, float32 (80 kB a sample)", lambda n: stored(n * STORED))
    yield row('Parquet, `storage = "float16"`', lambda n: stored(n * STORED * HALF))
    yield row("`patch_embed`, mean, on two cores", lambda n: spent(n * MEAN_PATCH, CPU_HOUR))
    yield row("`encoder` on two CPU cores", lambda n: spent(n * IMAGES / ON_CPU, CPU_HOUR))
    yield row("`encoder` on one H200, bfloat16", lambda n: spent(n * IMAGES / ON_H200, GPU_HOUR))
    yield row("`encoder` on a host with eight", lambda n: spent(n * IMAGES / ON_H200 / 8, 8 * GPU_HOUR))
    yield row("features of the MLP in memory", lambda n: size(n * IMAGES * VECTOR))
    yield row("point values in memory", lambda n: size(n * IMAGES * 4))


def granularity() -> Iterator[str]:
    """What the number of batches costs where; each row is one choice of [sampling] batch_size."""
    names = ["points", "`batch_size`", "batches", "Dagster", "event log", "`soc status`", "listing", "a file", "a step"]
    yield from header(names)
    for total, samples in ((10**6, 256), (10**8, 256), (10**8, 4096), (10**8, 8192)):
        batches = math.ceil(total / samples)
        cells = [number(total), f"{samples:,}", f"{batches:,}", time(batches * PER_BATCH), size(batches * EVENTS)]
        cells += [time(batches * DIGEST), f"{math.ceil(batches / LISTED):,} requests", size(samples * STORED)]
        yield line([*cells, size(samples * IMAGES * (WINDOW + VECTOR))])


def maps() -> Iterator[str]:
    """A map of one year at 250 m."""

    def row(name: str, value: Callable[[float], str]) -> str:
        return line([name, *(value(area / CELL) for area in AREAS.values())])

    yield from header(["", *(f"{name}, {area / 1e6:.3g} million km2" for name, area in AREAS.items())])
    yield row("cells", number)
    yield row("tiles of 512 x 512 cells, if all were land", lambda cells: f"{math.ceil(cells / TILE):,}")
    yield row("rasters of 26 images, float32, not compressed", lambda cells: size(cells * IMAGES * 4))
    yield row("tiles and files, float32, not compressed", lambda cells: stored(2 * cells * MAP_FILE))
    yield row("documented MLP on two cores", lambda cells: spent(cells * MAP_MLP, CPU_HOUR))
    yield row("point recipe of five members on two cores", lambda cells: spent(cells * MAP_RECIPE, CPU_HOUR))
    yield row("`encoder` on one H200, every window another", lambda cells: spent(cells * IMAGES / ON_H200, GPU_HOUR))


def header(names: Sequence[str]) -> Iterator[str]:
    yield line(names)
    yield "|" + "---|" * len(names)


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |" if cells[0] else "| | " + " | ".join(cells[1:]) + " |"


def number(value: float) -> str:
    return f"{value / 1e9:.1f} billion" if value >= 1e9 else f"{value / 1e6:.4g} million"


def size(given: float) -> str:
    """Bytes, decimal units."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if given >= scale:
            return f"{given / scale:.2g} {unit}" if given < 10 * scale else f"{given / scale:.0f} {unit}"
    return f"{given / 1e3:.0f} kB"


def time(seconds: float) -> str:
    for unit, scale in (("years", 365 * 86_400), ("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * scale or (unit in ("h", "min") and seconds >= scale):
            return f"{seconds / scale:.2g} {unit}" if seconds < 10 * scale else f"{seconds / scale:.0f} {unit}"
    return f"{seconds:.0f} s"


def spent(seconds: float, hourly: float) -> str:
    return f"{time(seconds)}, {dollars(seconds / 3_600 * hourly)}"


def stored(given: float) -> str:
    return f"{size(given)}, {dollars(given / 1e9 * STORAGE)} a month"


def dollars(value: float) -> str:
    return f"${value:.2f}" if value < 10 else f"${value:,.0f}"


if __name__ == "__main__":
    main()
