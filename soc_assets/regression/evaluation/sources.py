"""Laboratories and programmes: how each differs from what a model says, and how well it is predicted by the others.

The offset of a source is its mean out-of-fold residual (observed - predicted) under the primary scheme. A method that
recovers more carbon, another depth and another way of choosing places all look like it: it is a difference at equal
covariates as far as the model has them, not the proof of an error. The model was trained on samples of the same source
in other folds, which may make the offset smaller than the difference between laboratories; that of a model without any
of them (`leave_source_out`) is not damped.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas.results import SOURCE_OFFSETS
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.best import Best, whole_fits
from soc_assets.regression.evaluation.bootstrap import Draws, percentile, resampled
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.evaluation.plan import part_of
from soc_assets.regression.evaluation.scoring import out_of_fold
from soc_assets.regression.metrics import scores
from soc_assets.settings.evaluation import Evaluation

LEAVE_OUT = "leave_source_out"
FEWEST = 10
"""Samples of a source that is scored."""
MOST = 20
"""Sources that are left out, those with the most samples."""
ALL = "all"


def sources_of(design: Design, fold: np.ndarray) -> list[str]:
    """Sources with enough samples among those with a fold, the largest first; none where there are fewer than two.

    Args:
        design: has `source`.
        fold: [n] of the primary scheme, -1 for samples without one.
    """
    if "source" not in design.samples:
        return []
    counts = design.samples.loc[fold >= 0, "source"].value_counts()
    names = sorted(counts.index[counts >= FEWEST], key=lambda name: (-counts[name], str(name)))
    return [str(name) for name in names] if len(names) > 1 else []


def leave_out_fits(
    best: Best, done: Sequence[Done], design: Design, fold: np.ndarray | None, sources: Sequence[str], at: Evaluation
) -> list[FoldFit]:
    """A fit of the best recipe without each of the largest sources; none where the scheme was not cut.

    Args:
        best: what is fitted.
        done: the evaluation's fits, of which those of the recipe are used again.
        design: samples and features.
        fold: [n] of leave_source_out, or None.
        sources: of `sources_of`.
        at: the settings.
    """
    if fold is None:
        return []
    known, fits = whole_fits(best, done, LEAVE_OUT), []
    names = design.samples["source"].astype("str").to_numpy()
    for source in sources[:MOST]:
        numbers = np.unique(fold[(names == source) & (fold >= 0)])
        if len(numbers) != 1:  # the folds are of an earlier table of sources
            continue
        number = int(numbers[0])
        parts = part_of(design, LEAVE_OUT, fold, number, at)
        if len(parts[0]):
            fit = FoldFit(LEAVE_OUT, number, f"{best.model}, without a source", (best.recipe,), *parts)
            fits.append(known.get(number, fit))
    return fits


def source_offsets(
    best: Best, primary: Sequence[Done], left_out: Sequence[Done], design: Design, at: Evaluation
) -> pd.DataFrame:
    """A row per source, the largest first, and one of all samples: offset, and scores where the source is left out.

    Args:
        best: what was fitted.
        primary: its fits, or those of the choice that made it, under the primary scheme.
        left_out: fits of `leave_out_fits`.
        design: gives source, location and block of each sample.
        at: the settings.

    Returns:
        The columns of `SOURCE_OFFSETS`; intervals of offsets draw `unit`, those of left-out scores what `units_of`
        takes for the samples of the source alone. Empty with fewer than two sources.
    """
    empty = pd.DataFrame(columns=list(SOURCE_OFFSETS.names))
    frames = [item.result.predictions for item in primary if item.result]
    if not frames:
        return empty
    known = design.samples.set_index("sample_id")
    rows = pd.concat(frames).sort_values("sample_id", ignore_index=True)
    names = known.loc[rows["sample_id"], "source"].astype("str").to_numpy()
    counts = pd.Series(names).value_counts()
    listed = sorted(counts.index[counts >= FEWEST], key=lambda name: (-counts[name], name))
    if len(listed) < 2:
        return empty
    units, unit = units_of(at.primary, known.loc[rows["sample_id"]])
    draws = Draws.of(units, at.seed, at.draws)
    held_out = _held_out(left_out, known, at)
    first = {"scheme": at.primary, "model": best.model, "features": best.features, "recipe": best.recipe.name}
    lines = []
    for source in (*listed, ALL):
        inside = names == source if source != ALL else np.ones(len(rows), bool)
        drawn = len(np.unique(units[inside]))
        line = first | {"source": source, "n": int(inside.sum()), "units": drawn, "unit": unit}
        lines.append(line | _offset(rows[inside], draws.part(inside)) | held_out.get(source, {}))
    return pd.DataFrame(lines, columns=list(SOURCE_OFFSETS.names))


def _offset(rows: pd.DataFrame, draws: Draws) -> dict[str, float]:
    """Mean residual in g/kg and as a factor of organic carbon + 1, with intervals; and the mean observed."""
    y, p, plain = (rows[name].to_numpy(float) for name in ("observed", "predicted", "plain"))
    line = {"observed": float(y.mean())}
    for name, observed, predicted, back in (("offset", y, p, None), ("factor", np.log1p(y), np.log1p(plain), np.exp)):
        values = np.array([np.mean(observed - predicted), *percentile(-resampled(observed, predicted, draws)["bias"])])
        value, low, high = values if back is None else back(values)
        line |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
    return line


def _held_out(done: Sequence[Done], known: pd.DataFrame, at: Evaluation) -> dict[str, dict[str, float]]:
    """R2 and bias (predicted - observed) of each source, predicted by the others.

    Only units of the source are drawn: with fewer than 10 blocks in it, its locations.
    """
    found = {}
    for item in out_of_fold(done):
        if item.rows.empty:
            continue
        for source, rows in item.rows.groupby(known.loc[item.rows["sample_id"], "source"].astype("str").to_numpy()):
            draws = Draws.of(units_of(at.primary, known.loc[rows["sample_id"]])[0], at.seed, at.draws)
            y, p = (rows[name].to_numpy(float) for name in ("observed", "predicted"))
            values, drawn = vars(scores(y, p)), resampled(y, p, draws)
            line = {}
            for metric in ("r2", "bias"):
                low, high = percentile(drawn[metric])
                line |= {f"left_out_{metric}": values[metric]}
                line |= {f"left_out_{metric}_low": float(low), f"left_out_{metric}_high": float(high)}
            found[str(source)] = line
    return found
