"""A map of the demo against the surface that the demo was made of: R2, and coverage of the interval.

    soc demo && soc run && soc map --year 2020
    python -m benchmarks.map_truth data/maps/*/2020 [--seed 42]

R2 is of the mapped organic carbon against the conditional mean of the true function at each cell (g/kg) and, in the
logarithm, against the function itself. Coverage is the share of cells whose organic carbon, with the demo's noise of
place and visit drawn, lies in the mapped interval: 85 to 95 % is aimed at for 90 %. Also for the cells inside the area
of applicability alone.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import rasterio

from soc_assets.demo.landscape import PLACE_NOISE, VISIT_NOISE, Landscape
from soc_assets.mapping.quality import INSIDE


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--seed", type=int, default=42)
    options = arguments.parse_args()
    print(f"{'map':<34}{'cells':>9}{'R2':>8}{'R2 log':>8}{'coverage':>10}")
    for folder in options.folders:
        compare(folder, options.seed)


def compare(folder: Path, seed: int) -> None:
    """Print a line for all cells with a value, and one for those inside the area of applicability."""
    facts = json.loads((folder / "map.json").read_text())
    carbon, lower, upper, quality = (
        read(folder / f"{name}.tif") for name in ("organic_carbon", "lower", "upper", "quality")
    )
    with rasterio.open(folder / "organic_carbon.tif") as dataset:
        rows, columns = np.mgrid[: dataset.height, : dataset.width] + 0.5
        x, y = dataset.transform * (columns.ravel(), rows.ravel())
    function = Landscape(seed).log_carbon(x, y, np.full(x.size, facts["year"])).reshape(carbon.shape)
    noise = np.hypot(PLACE_NOISE, VISIT_NOISE)
    drawn = np.exp(function + np.random.default_rng(seed).normal(0, noise, carbon.shape))
    covered, mean = (lower <= drawn) & (drawn <= upper), np.exp(function + noise**2 / 2)
    name = f"{facts['recipe']} on {facts['features']} {facts['period']}"
    for words, cells in ((name, np.isfinite(carbon)), ("  inside the area", quality == INSIDE)):
        if cells.any():
            scores = r2(mean[cells], carbon[cells]), r2(function[cells], np.log(np.maximum(carbon[cells], 0.1)))
            print(f"{words:<34}{cells.sum():>9,}{scores[0]:>8.3f}{scores[1]:>8.3f}{covered[cells].mean():>10.3f}")


def read(path: Path) -> np.ndarray:
    """Values, NaN where there is none."""
    with rasterio.open(path) as dataset:
        return np.ma.filled(dataset.read(1, masked=True).astype(float) * dataset.scales[0], np.nan)


def r2(truth: np.ndarray, found: np.ndarray) -> float:
    """Coefficient of determination."""
    return float(1 - ((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


if __name__ == "__main__":
    main()
