"""The learning curve: the best recipe fitted on a part of the locations of each training part, on the same test folds.

Locations are drawn, not samples, as visits to one place say little more than one visit. The parts are nested (one
random order of all locations), so the curve compares a data set with more of itself; another order would give another
curve. Sample size and accuracy: Figueroa et al. (BMC Medical Informatics and Decision Making 12:8, 2012); of soil
spectra Ng et al. (Soil 6, 2020).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas.results import LEARNING_CURVE
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.best import Best, whole_fits
from soc_assets.regression.evaluation.bootstrap import Draws, intervals, paired_difference
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.evaluation.plan import merged, part_of
from soc_assets.regression.evaluation.scoring import OutOfFold, out_of_fold
from soc_assets.regression.metrics import scores
from soc_assets.settings.evaluation import Evaluation


def some_locations(location: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which samples [n] belong to a share of the locations, rounded up; those of a smaller share are among them.

    Args:
        location: [n] of each sample.
        share: above 0, up to 1.
        seed: of the order of the locations.
    """
    unique, index = np.unique(np.asarray(location).astype(str), return_inverse=True)
    rank = np.random.default_rng(seed).permutation(len(unique))
    return rank[index] < np.ceil(share * len(unique) - 1e-9)


def curve_fits(
    best: Best, done: Sequence[Done], design: Design, folds: dict[str, np.ndarray], settings: Evaluation
) -> list[FoldFit]:
    """The fits of the curve: each share of the locations in each fold of the primary scheme, and all locations.

    Args:
        best: what is fitted.
        done: the evaluation's fits, of which those of the recipe are used again.
        design: samples and features.
        folds: by scheme the fold [n] of each sample.
        settings: shares, inner folds, buffer and seed.
    """
    scheme, location = settings.primary, design.samples["location_id"].to_numpy()
    fold, fits, known = folds[scheme], [], whole_fits(best, done, scheme)
    for number in np.unique(fold[fold >= 0]):
        train, inner, test = part_of(design, scheme, fold, int(number), settings)
        for share in sorted(set(settings.learning_curve)):
            rows = train[some_locations(location[train], share, settings.seed)]
            parts = merged(fold[rows], settings.inner_folds)
            fits.append(FoldFit(scheme, int(number), _name(best, share), (best.recipe,), rows, parts, test))
        whole = FoldFit(scheme, int(number), _name(best, 1.0), (best.recipe,), train, inner, test)
        fits.append(known.get(int(number), whole))
    return fits


def learning_curve(best: Best, done: Sequence[Done], design: Design, settings: Evaluation) -> pd.DataFrame:
    """Scores by share of the locations: a row each, the whole last.

    Args:
        best: what was fitted.
        done: the fits of `curve_fits`.
        design: gives location and block of each sample.
        settings: primary scheme, draws and seed.

    Returns:
        The columns of `LEARNING_CURVE`; scores are NaN where a fold failed.
    """
    location, shares = design.samples["location_id"].to_numpy(), [*sorted(set(settings.learning_curve)), 1.0]
    by_number: dict[int, list[Done]] = {}
    for item in done:
        by_number.setdefault(item.fit.number, []).append(item)
    of_share = [[items[place] for items in by_number.values()] for place in range(len(shares))]
    models = [out_of_fold(items)[0] for items in of_share]
    lines = []
    for share, items, found in zip(shares, of_share, models, strict=True):
        sizes = [(len(np.unique(location[item.fit.train])), len(item.fit.train)) for item in items]
        places, samples = np.mean(sizes, axis=0)
        line = {"scheme": settings.primary, "model": best.model, "features": best.features, "share": share}
        line |= {"recipe": best.recipe.name, "locations": places, "samples": samples}
        line |= {"failed": found.failed, "seconds": found.seconds}
        lines.append(line | _scored(found, models[-1], design, settings))
    return pd.DataFrame(lines, columns=list(LEARNING_CURVE.names))


def _scored(found: OutOfFold, whole: OutOfFold, design: Design, settings: Evaluation) -> dict[str, object]:
    """R2 and RMSE with their intervals, and how much more R2 all locations give, paired."""
    if found.failed or found.rows.empty:
        return {"n": 0, "unit": ""}
    units, unit = units_of(settings.primary, design.samples.set_index("sample_id").loc[found.rows["sample_id"]])
    draws = Draws.of(units, settings.seed, settings.draws)
    y, p = (found.rows[name].to_numpy(float) for name in ("observed", "predicted"))
    values, ends = vars(scores(y, p)), intervals(y, p, draws)
    line: dict[str, object] = {"n": len(y), "unit": unit}
    for metric in ("r2", "rmse"):
        low, high = ends[metric]
        line |= {metric: values[metric], f"{metric}_low": float(low), f"{metric}_high": float(high)}
    if found is whole or whole.failed:
        return line
    gain = paired_difference(y, whole.rows["predicted"].to_numpy(float), p, draws)
    return line | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}


def _name(best: Best, share: float) -> str:
    return f"{best.model}, {share:.0%} of the locations"
