"""Kriging of many samples: fitted with its interval, registered as a graph, and predicted for the cells of a map.

    python -m benchmarks.kriging                       # 100,000 samples, 1 million cells
    python -m benchmarks.kriging --samples 20000 --peer 2000

Seconds of each step and peak memory; beside them, in the same run, the peer pykrige (moving window of 64 neighbours, on
`--peer` cells; `pip install pykrige`) and the physical limit, the cost of solving a 64 x 64 system for each cell alone.
"""

import argparse
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch

from soc_assets.mapping.engine.forms import Dense
from soc_assets.mapping.engine.graph import cut_graph
from soc_assets.regression.design.design import Design, columns_table, make_design
from soc_assets.regression.evaluation.plan import merged
from soc_assets.regression.final import fit_final
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.recipes import NAMED

SIDE = 350_000.0  # metres: about Bavaria
BLOCK = 1024  # cells at once, as in a map


def samples_of(n: int) -> Design:
    """Samples of a random field: a sum of waves whose ranges are 2 to 80 km, and noise."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, SIDE, (2, n))
    value = 2.8 + 0.4 * field(x, y) + rng.normal(0, 0.35, n)
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{number:06d}" for number in range(n)],
            "location_id": [f"l{number:06d}" for number in range(n)],
            "split": "train",
            "longitude": 10 + x / 75e3,
            "latitude": 48 + y / 111e3,
            "year": 2020,
            "source": "synthetic",
            "organic_carbon": np.expm1(value).clip(0.5, 150),
            "multiplicity": 1,
            "weight": 1.0,
            "x": x,
            "y": y,
        }
    )
    empty = {group: np.empty((n, 0), np.float32) for group in ("embedding", "point")}
    return make_design(frame, empty, {group: columns_table([]) for group in empty})


def field(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The truth behind the samples, of mean 0 and variance 1."""
    rng, total = np.random.default_rng(1), np.zeros(len(x))
    for wavelength in np.geomspace(2e3, 80e3, 60):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        total += np.sqrt(2 / 60) * np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength + phase)
    return total


def cells(n: int) -> np.ndarray:
    """Coordinates [n, 2] of a square map, km."""
    edge = int(np.sqrt(n))
    axis = (np.arange(edge) + 0.5) * SIDE / edge / 1000
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)


def predicted(served: torch.nn.Module, places: np.ndarray) -> np.ndarray:
    """What a map says of the cells: the graph, cut as for a map, by two threads."""
    shapes = ({0: torch.export.Dim("rows", min=1)},)
    graph = torch.export.export(served.eval(), (torch.from_numpy(places[:2]),), dynamic_shapes=shapes).module()
    cut = cut_graph(graph)
    assert cut is not None

    def block(start: int) -> np.ndarray:
        rows = places[start : start + BLOCK]
        with torch.inference_mode():
            inputs = [torch.from_numpy(of(form, rows)) for form in cut.forms]
            counted = [torch.zeros(len(rows), dtype=torch.int64)] if cut.counts_missing else []
            answer = cut.rest(*inputs, *counted)
        return (answer[0] if isinstance(answer, (tuple, list)) else answer).numpy()

    torch.set_num_threads(1)
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(block, range(0, len(places), BLOCK))))


def of(form: Dense, rows: np.ndarray) -> np.ndarray:
    """An affine form of raw features [n, d] without gaps."""
    scaled = rows[:, form.diagonal.columns] * form.diagonal.scale + form.diagonal.offset
    return (scaled @ form.matrix + form.constant).astype(np.float32)


def limit(n: int) -> float:
    """Seconds to solve a 64 x 64 system for each of n cells and nothing else, two threads."""
    matrix = torch.eye(64, dtype=torch.float64).expand(BLOCK, 64, 64) * 2 + 0.5
    right = torch.ones(BLOCK, 64, 1, dtype=torch.float64)
    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        solve = lambda _: torch.cholesky_solve(right, torch.linalg.cholesky(matrix))  # noqa: E731
        list(pool.map(solve, range(0, n, BLOCK)))
    return time.perf_counter() - start


def peer(design: Design, places: np.ndarray) -> float | None:
    """Seconds of pykrige's moving window on these places, without fitting; None where it is not installed."""
    try:
        from pykrige.ok import OrdinaryKriging
    except ImportError:
        return None
    x, y = design.samples[["x", "y"]].to_numpy().T / 1000
    target = np.log1p(design.samples["organic_carbon"].to_numpy())
    parameters = {"psill": 0.16, "range": 20.0, "nugget": 0.12}
    kriging = OrdinaryKriging(x, y, target, "exponential", parameters)
    start = time.perf_counter()
    kriging.execute("points", *places.astype(float).T, backend="loop", n_closest_points=64)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--peer", type=int, default=0, help="cells that pykrige predicts; 0 leaves it out")
    arguments = parser.parse_args()
    design, places = samples_of(arguments.samples), cells(arguments.cells)
    start = time.perf_counter()
    fold = np.random.default_rng(0).permutation(arguments.samples) % 5
    fit = fit_final((NAMED["kriging"],), design, fold, lambda own: merged(own, 3), Options())
    fitted = time.perf_counter() - start
    found = predicted(fit.served, places)
    mapped = time.perf_counter() - start - fitted
    truth = np.expm1(2.8 + 0.4 * field(*(1000 * places.astype(float)).T))
    inside = fit.evaluation.predictions.eval("observed >= lower and observed <= upper").mean()
    print(f"{arguments.samples:,} samples fitted with interval and applicability: {fitted:.0f} s")
    print(f"{len(places):,} cells predicted: {mapped:.0f} s, {mapped / limit(len(places)):.1f} times the systems alone")
    print(f"correlation with the truth {np.corrcoef(found[:, 0], truth)[0, 1]:.3f}; 90 % interval covers {inside:.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")
    if arguments.peer and (seconds := peer(design, places[: arguments.peer])) is not None:
        print(f"pykrige, prediction alone: {seconds / arguments.peer * 1e6:.0f} s per million cells")


if __name__ == "__main__":
    main()
