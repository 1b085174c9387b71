"""Cases of growth in samples: each must take time in proportion to their number, or less.

`CASES` gives for each name a function that prepares n samples and returns the call to be timed, and the sizes; whoever
runs them compares the times. Points lie in clusters, as real ones do, so that kNNDM has to search. By itself:

    python -m benchmarks.growth_sampling
"""

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from rasterio.crs import CRS
from rasterio.transform import from_origin

from soc_assets.geo.grid import Grid
from soc_assets.regression.evaluation.bootstrap import Draws, intervals
from soc_assets.sampling.knndm import match_distances
from soc_assets.sampling.locations import locate
from soc_assets.sampling.prepare import prepare_samples
from soc_assets.settings import FOLD_SCHEMES, Sampling, Study

GRID = Grid(CRS.from_epsg(4326), from_origin(5, 55, 0.0025, 0.0025), 4000, 3600)
_LARGEST = 450 * 10**6  # bytes that the bootstrap may take, whatever the number of locations


def samples_of(n: int) -> pd.DataFrame:
    """Samples [n] of a survey that visits each of its points three times, by GPS."""
    rng = np.random.default_rng(0)
    points = -(-n // 3)
    middle = rng.uniform((6, 47), (14, 54), (60, 2))
    place = middle[rng.integers(0, 60, points)] + rng.normal(0, 0.15, (points, 2))
    seen = np.tile(place, (3, 1))[:n] + rng.normal(0, 1e-4, (n, 2))
    number = np.arange(n) % points
    return pd.DataFrame(
        {
            "sample_id": np.char.mod("s%07d", np.arange(n)),
            "longitude": seen[:, 0].clip(5.1, 14.9),
            "latitude": seen[:, 1].clip(46.1, 54.9),
            "organic_carbon": rng.lognormal(3, 0.6, n).clip(1, 149),
            "year": pd.array(2012 + 3 * (np.arange(n) // points), dtype="Int32"),
            "own_id": number.astype(str),
            "source": np.where(number % 2, "LUCAS", "LfU"),
        }
    )


def linking(n: int) -> Callable[[], object]:
    """Samples to locations, by id and by distance."""
    return partial(locate, samples_of(n), Study(location_metres=25), GRID)


def knndm_folds(n: int) -> Callable[[], object]:
    """Folds of n locations by kNNDM."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 4e5, (60, 2))[rng.integers(0, 60, n)] + rng.normal(0, 8000, (n, 2))
    return partial(match_distances, points, rng.uniform(0, 4e5, (2000, 2)), 5, 42)


def bootstrap(n: int) -> Callable[[], object]:
    """Draws of n locations, and intervals of one sample at each."""
    observed = np.random.default_rng(0).lognormal(3, 0.6, n)

    def call() -> None:
        intervals(observed, observed * 1.1, Draws.of(np.arange(n), 42))

    return call


def bootstrap_memory(n: int) -> Callable[[], object]:
    """The same, and that its memory is bounded; tracing slows it down.

    Raises:
        MemoryError: it took more than it may.
    """
    call = bootstrap(n)

    def traced() -> int:
        tracemalloc.start()
        try:
            call()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if peak > _LARGEST:
            raise MemoryError(f"the bootstrap of {n:,} locations took {peak / 1e6:.0f} MB")
        return peak

    return traced


def preparing(n: int) -> Callable[[], object]:
    """Everything that `balanced_samples` computes, kNNDM included."""
    area = np.random.default_rng(1).uniform((6, 47), (14, 54), (2000, 2))
    sampling = Sampling(fold_schemes=FOLD_SCHEMES)
    return partial(prepare_samples, samples_of(n), Study(), sampling, GRID, None, None, area=area)


CASES: dict[str, tuple[Callable[[int], Callable[[], object]], tuple[int, ...]]] = {
    "linking of locations": (linking, (20_000, 40_000, 80_000)),
    "knndm above the hierarchy": (knndm_folds, (10_000, 20_000, 40_000)),
    "bootstrap draws": (bootstrap, (10_000, 20_000, 40_000)),
    "bootstrap memory": (bootstrap_memory, (10_000, 40_000)),
    "prepare samples": (preparing, (30_000, 60_000)),
}


def main() -> None:
    """Print seconds by case and size."""
    for name, (prepare, sizes) in CASES.items():
        for size in sizes:
            call, start = prepare(size), time.perf_counter()
            call()
            print(f"{name:28} {size:>8,} {time.perf_counter() - start:8.2f} s", flush=True)


if __name__ == "__main__":
    main()
