"""From finished fits to the long table: every score of every model, overall and by stratum, with its interval.

Scopes: `pooled` scores all out-of-fold predictions together (the headline), `fold` each fold, `fold_mean` their mean;
`oc_stratum`, `region`, `year`, `source` and the columns of [evaluation] strata (`land_cover`) parts of the pooled ones,
`predicted` fifths of the predicted values (the lowest first), in which coverage shows whether intervals hold,
`applicability` inside and outside,
`block` the coverage in each block; a sample that lies in no region is in no part of that scope. R2 is low inside a
stratum of organic carbon by construction: little is left to explain; read RMSE and bias there. A model with a failed
fold has no pooled score: a missing fold must not flatter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas.results import EVALUATION
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.bootstrap import Draws, intervals, percentile
from soc_assets.regression.evaluation.distribution import COLUMNS as DISTRIBUTION
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.metrics import scores
from soc_assets.regression.models.conformal import coverage
from soc_assets.runtime import progress
from soc_assets.settings.soil import TAIL_THRESHOLD

STRATA = (0.0, 15.0, 30.0, TAIL_THRESHOLD, 150.0)  # g/kg; the study's max_oc ends the last
COLUMNS = list(EVALUATION.names)
_FEWEST = 10  # samples of a part that is scored
_FIFTHS = 5
_FEWEST_IN_BLOCK = 20
_MOST_NUMBERS = 12  # distinct numbers up to which each is a part by itself


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of one model under one scheme: [n] rows of the fits' columns with fold, and what failed."""

    scheme: str
    model: str
    features: str
    rows: pd.DataFrame
    failed: int
    errors: tuple[str, ...]
    seconds: float
    baseline: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Scheme, model and features."""
        return self.scheme, self.model, self.features


def out_of_fold(done: Sequence[Done]) -> list[OutOfFold]:
    """The fits of each model put together, sorted by sample_id."""
    parts: dict[tuple[str, str, str], list[Done]] = {}
    for item in done:
        parts.setdefault((item.fit.scheme, item.fit.model, item.fit.features), []).append(item)
    result = []
    for key, items in parts.items():
        good = [(item.fit.number, item.result) for item in items if item.result]
        frames = [_with_distribution(found.predictions.assign(fold=number)) for number, found in good]
        rows = pd.concat(frames).sort_values("sample_id", ignore_index=True) if frames else pd.DataFrame()
        errors = tuple(dict.fromkeys(item.error for item in items if item.error))
        seconds = sum(found.facts["seconds"] for _, found in good)
        result.append(OutOfFold(*key, rows, len(items) - len(good), errors, seconds, items[0].fit.baseline))
    return result


def _with_distribution(predictions: pd.DataFrame) -> pd.DataFrame:
    """The same with the scores of predicted distributions, which fits of earlier releases lack."""
    return predictions.assign(**{name: np.nan for name in DISTRIBUTION if name not in predictions})


def score_table(
    every: Sequence[OutOfFold],
    design: Design,
    draws: int,
    seed: int,
    max_oc: float = STRATA[-1],
    *,
    columns: Sequence[str] = (),
) -> pd.DataFrame:
    """The long table.

    Args:
        every: predictions by scheme and model.
        design: gives location, year, source, region, block and strata of each sample.
        draws: of the bootstrap.
        seed: of the bootstrap; models that predict the same samples share their draws.
        max_oc: largest organic carbon of the study, g/kg: where the strata end.
        columns: further columns of the design's samples for whose parts there are scores.
    """
    known, lines = design.samples.set_index("sample_id"), []
    drawn: tuple[np.ndarray, Draws] | None = None
    for done, found in enumerate(every):
        progress.report(done, len(every), f"models scored, {draws} draws each")
        if found.rows.empty:
            lines.append(
                (*found.key, "pooled", "", "g/kg", "r2", np.nan, np.nan, np.nan, 0, found.failed, found.baseline)
            )
            continue
        samples = known.loc[found.rows["sample_id"]].reset_index()
        units, _ = units_of(found.scheme, samples)
        if drawn is None or not np.array_equal(units, drawn[0]):  # equal numbers of rows need not be the same rows
            drawn = units, Draws.of(units, seed, draws)
        for line in _scores_of(found, samples, drawn[1], strata(max_oc), columns):
            lines.append((*found.key, *line, found.failed, found.baseline))
    return pd.DataFrame(lines, columns=COLUMNS)


Line = tuple[str, str, str, str, float, float, float, int]  # scope, part, scale, metric, value, low, high, n


def strata(max_oc: float) -> tuple[float, ...]:
    """Edges of the strata of organic carbon up to that of the study, g/kg: 50-150, and 150-400 if 400 is studied."""
    return (*(edge for edge in STRATA if edge < max_oc), max_oc)


def _scores_of(
    found: OutOfFold, samples: pd.DataFrame, draws: Draws, edges: tuple[float, ...], columns: Sequence[str]
) -> Iterator[Line]:
    rows, everything = found.rows, np.ones(len(found.rows), bool)
    if found.failed:
        yield "pooled", "", "g/kg", "r2", np.nan, np.nan, np.nan, len(rows)
    else:
        yield from _part("pooled", "", rows, draws)
        yield from _scored("pooled", "", "transformed", rows["target"], rows["transformed"], draws)
        yield from _scored("pooled", "", "g/kg", rows["observed"], rows["plain"], draws, suffix="_plain", only=("r2",))
    folds = []
    for number in np.unique(rows["fold"]):
        inside = (rows["fold"] == number).to_numpy()
        of_fold = list(_part("fold", str(number), rows[inside], draws.part(inside), drawn=False))
        folds.append({metric: value for _, _, _, metric, value, *_ in of_fold})
        yield from of_fold
    for metric, values in pd.DataFrame(folds).items():
        yield (
            "fold_mean",
            "",
            "g/kg",
            str(metric),
            float(values.mean()),
            float(values.min()),
            float(values.max()),
            len(rows),
        )
    for scope, part in _parts(rows, samples, edges, columns):
        for value in sorted(part.dropna().unique()):
            inside = everything & (part == value).fillna(False).to_numpy(bool)
            if inside.sum() >= _FEWEST:
                yield from _part(scope, str(value), rows[inside], draws.part(inside))
    yield from _by_block(rows, samples)


def _parts(
    rows: pd.DataFrame, samples: pd.DataFrame, edges: tuple[float, ...], columns: Sequence[str]
) -> Iterator[tuple[str, pd.Series]]:
    names = [f"{low:g}-{high:g}" for low, high in pairwise(edges)]
    stratum = pd.cut(rows["observed"], [*edges[:-1], np.inf], labels=names, right=False)
    yield "oc_stratum", stratum.astype("str")
    if rows["lower"].notna().all() and len(rows) >= _FIFTHS * _FEWEST:
        fifth = pd.qcut(rows["predicted"].rank(method="first"), _FIFTHS, labels=False)
        yield "predicted", fifth.map(lambda number: f"fifth {number + 1}")
    if "region" in samples:
        yield "region", samples["region"]
    for column in dict.fromkeys(("year", "source", *columns)):
        if column in samples and samples[column].nunique() > 1:
            yield column, _quarters(samples[column]) if column in columns else samples[column]
    if rows["dissimilarity"].notna().any():
        yield "applicability", pd.Series(np.where(rows["inside"], "inside", "outside"))


def _quarters(values: pd.Series) -> pd.Series:
    """Numbers with many distinct values as quartiles, named by their range; everything else as it is."""
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= _MOST_NUMBERS:
        return values
    numbers = values.astype("float64")
    parts, edges = pd.qcut(numbers, 4, labels=False, retbins=True, duplicates="drop")
    names = {number: f"{low:g}-{high:g}" for number, (low, high) in enumerate(pairwise(edges))}
    return parts.map(names).astype("str")


def _part(scope: str, part: str, rows: pd.DataFrame, draws: Draws, drawn: bool = True) -> Iterator[Line]:
    """Scores in g/kg of some predictions, and of their intervals."""
    yield from _scored(scope, part, "g/kg", rows["observed"], rows["predicted"], draws, drawn=drawn)
    if rows["lower"].isna().any():
        return
    observed, lower, upper = (rows[name].to_numpy() for name in ("observed", "lower", "upper"))
    inside = ((observed >= lower) & (observed <= upper)).astype(float)
    measured = {"coverage": inside, "width": upper - lower}
    for name in ("interval_score", "crps"):
        if name in rows and rows[name].notna().all():
            measured[name] = rows[name].to_numpy()
    for metric, values in measured.items():
        low, high = percentile(_drawn_mean(values, draws)) if drawn else (np.nan, np.nan)
        yield scope, part, "g/kg", metric, float(values.mean()), float(low), float(high), len(rows)
    if rows["dissimilarity"].notna().any():  # the documented MLP has no area of applicability: unknown, not all
        yield scope, part, "g/kg", "share_applicable", float(rows["inside"].mean()), np.nan, np.nan, len(rows)


def _scored(
    scope: str,
    part: str,
    scale: str,
    observed: pd.Series,
    predicted: pd.Series,
    draws: Draws,
    suffix: str = "",
    only: tuple[str, ...] = (),
    drawn: bool = True,
) -> Iterator[Line]:
    y, p = observed.to_numpy(float), predicted.to_numpy(float)
    found, ends = vars(scores(y, p)), intervals(y, p, draws) if drawn else {}
    for metric, value in found.items():
        known = metric != "n" and (metric != "r2_log" or scale == "g/kg")  # logarithms are of g/kg
        if known and (not only or metric in only):
            low, high = ends.get(metric, (np.nan, np.nan))
            yield scope, part, scale, metric + suffix, float(value), float(low), float(high), len(y)


def _drawn_mean(values: np.ndarray, draws: Draws) -> np.ndarray:
    total, count = draws.totals(np.column_stack([values, np.ones(len(values))])).T
    with np.errstate(invalid="ignore"):
        return total / count


def _by_block(rows: pd.DataFrame, samples: pd.DataFrame) -> Iterator[Line]:
    """Coverage in every block of enough samples: intervals that hold overall may fail somewhere."""
    if "block" not in samples or rows["lower"].isna().any():
        return
    for block, members in rows.groupby(samples["block"].to_numpy()):
        if len(members) >= _FEWEST_IN_BLOCK:
            share = coverage(*(members[name].to_numpy() for name in ("observed", "lower", "upper")))
            yield "block", str(block), "g/kg", "coverage", share, np.nan, np.nan, len(members)
