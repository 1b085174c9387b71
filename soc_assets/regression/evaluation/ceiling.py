"""The ceiling of R2: the share of variance that no model of these covariates at this resolution can explain.

Two estimates. Replicates: samples of one pixel and one step have equal covariates, so what they differ by is pure error
for every model of these (Draper and Smith, "Applied Regression Analysis", 3rd ed. 1998, section 2.1); its variance is
the pooled one within places, which is unbiased for places of unequal size. Samples of one pixel but of different steps
have different covariates and are no replicates; where every band is static there is one step. The nugget of the
residuals' semivariogram: variation over distances shorter than any pair's, measurement error included.

Neither is exact. Places with several samples may vary more, or less, than others: hence two shares, of the variance of
all samples and of that of the replicated ones. A record that is in the tables twice makes pure error look smaller.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.geo.grid import Grid
from soc_assets.regression.bootstrap_units import FEWEST, units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.bootstrap import LEVEL, Draws, percentile
from soc_assets.regression.evaluation.plan import merged
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.evaluation.variogram import Exponential, PairSums, fit_exponential, pair_sums
from soc_assets.regression.metrics import in_logs, r_squared
from soc_assets.settings import Rasters, Study

ALL = "replicates, of the variance of all samples"
ALONE = "replicates, of the variance of these samples"
NUGGET = "nugget of the residuals"
PIXEL_STEP = "pixel_step"  # column of a design's samples
_GROUPS = 30  # of blocks that the jackknife leaves out one by one


@dataclass(frozen=True)
class Limit:
    """One estimate.

    Attributes:
        source: what it is from, and which samples' variance it is a share of.
        scale: `g/kg`, or `log` (of log1p).
        share: of the variance, that cannot be explained.
        low: end of its 95 % interval; NaN where there is none.
        high: likewise.
        places: pixels with several samples; for the nugget, groups of blocks that the jackknife leaves out.
        samples: in these places; for the nugget, all that are scored.
    """

    source: str
    scale: str
    share: float
    low: float
    high: float
    places: int
    samples: int

    @property
    def ceiling(self) -> float:
        """The largest R2 that it leaves."""
        return max(0.0, 1 - self.share)


@dataclass(frozen=True)
class Ceiling:
    """What R2 of the best model can reach at most.

    Attributes:
        r2: of the model, by scale.
        limits: the estimates; without replicates those of the nugget alone.
        variograms: of the residuals, by scale: the sums over pairs, and the model where one can be fitted.
        words: a sentence for the report.
    """

    r2: dict[str, float]
    limits: tuple[Limit, ...]
    variograms: dict[str, tuple[PairSums, Exponential | None]]
    words: str

    def as_json(self) -> dict[str, Any]:
        """R2, limits and words for the metadata of a table."""
        return {"words": self.words, "r2": self.r2, "limits": [asdict(limit) for limit in self.limits]}


def pixel_steps(samples: pd.DataFrame, grid: Grid, rasters: Rasters, study: Study) -> np.ndarray:
    """The pixel [n] of the reference grid and the step that each sample's covariates are read at, as text.

    Args:
        samples: [n] rows with longitude and latitude; year, and with seasonal bands season and season_year.
        grid: the reference grid.
        rasters: which bands there are.
        study: how many steps are read.
    """
    rows, columns = grid.pixels(samples["longitude"].to_numpy(), samples["latitude"].to_numpy())
    key = pd.Series(rows).astype("str") + "," + pd.Series(columns).astype("str")
    if study.time_before and any(band.kind != "static" for band in rasters.bands):
        for name in ("year", "season_year", "season") if rasters.seasonal else ("year",):
            key = key + "/" + samples[name].astype("str").fillna("").reset_index(drop=True)
    return key.to_numpy(object)


def find_ceiling(found: OutOfFold, design: Design, draws: int, seed: int) -> Ceiling:
    """The ceiling beside the R2 of the best model.

    Args:
        found: its out-of-fold predictions, g/kg.
        design: has x, y, block and `pixel_step` of each sample.
        draws: of the bootstrap over places.
        seed: of the bootstrap, and of the draw of pairs.
    """
    samples = design.samples.set_index("sample_id").loc[found.rows["sample_id"]]
    observed, predicted = found.rows["observed"].to_numpy(float), found.rows["predicted"].to_numpy(float)
    places, blocks = samples[["x", "y"]].to_numpy(float), units_of("block", samples.reset_index())[0]
    limits, variograms, r2 = [], {}, {}
    for scale, y, p in (("g/kg", observed, predicted), ("log", in_logs(observed), in_logs(predicted))):
        r2[scale] = r_squared(y, p)
        if PIXEL_STEP in samples:
            limits += replicate_limits(y, samples[PIXEL_STEP].to_numpy(), scale, draws, seed)
        limit, sums, model = nugget_limit(y, y - p, places, blocks, scale, seed)
        variograms[scale] = sums, model
        limits += [limit] if limit else []
    return Ceiling(r2, tuple(limits), variograms, _words(r2["g/kg"], limits, len(observed)))


def replicate_limits(values: np.ndarray, place: np.ndarray, scale: str, draws: int, seed: int) -> list[Limit]:
    """Pure error over the variance of all values [n], and of those that share a place [n] with others.

    Empty with fewer than 10 places of several values. The interval is from a bootstrap of places.
    """
    number = pd.factorize(place)[0]
    size = np.bincount(number)[number]
    several, n_places = size > 1, int((np.bincount(number) > 1).sum())
    if n_places < FEWEST:
        return []
    inside = values - (np.bincount(number, values) / np.bincount(number))[number]
    y, ones = values - values.mean(), np.ones(len(values))
    columns = [ones, y, y**2, several, several * y, several * y**2, inside**2, 1 - 1 / size]
    sums = np.column_stack(columns).astype(float)
    whole, drawn = _shares(sums.sum(axis=0)[None]), _shares(Draws.of(place, seed, draws).totals(sums))
    limits = []
    for source, share, column in zip((ALL, ALONE), whole[0], drawn.T, strict=True):
        low, high = percentile(column)
        limits.append(Limit(source, scale, float(share), float(low), float(high), n_places, int(several.sum())))
    return limits


def nugget_limit(
    values: np.ndarray, residuals: np.ndarray, places: np.ndarray, blocks: np.ndarray, scale: str, seed: int
) -> tuple[Limit | None, PairSums, Exponential | None]:
    """The nugget of residuals [n] at places [n, 2] (metres) over the variance of the values [n], and the variogram.

    The interval is from a jackknife over blocks [n], merged into at most 30 groups. There is none where there are fewer
    than 10, nor where the nugget is 0, its bound, at which a jackknife says nothing; and no limit where no model can be
    fitted.
    """
    from scipy.stats import t

    groups = merged(pd.factorize(blocks)[0], _GROUPS)
    sums = pair_sums(places, residuals, groups, seed=seed)
    model = fit_exponential(sums.estimate())
    variance = float(values.var()) if len(values) else 0.0
    if model is None or not variance:
        return None, sums, model
    without = [fit_exponential(sums.estimate(without=number)) for number in range(int(groups.max()) + 1)]
    known = [left.nugget / float(values[groups != at].var()) for at, left in enumerate(without) if left]
    share, count, low, high = model.nugget / variance, len(known), np.nan, np.nan
    if count >= FEWEST and share:
        deviation = np.sqrt((count - 1) / count * ((np.array(known) - np.mean(known)) ** 2).sum())
        half = float(t.ppf((1 + LEVEL) / 2, count - 1) * deviation)
        low, high = max(0.0, share - half), min(max(1.0, share), share + half)
    return Limit(NUGGET, scale, share, float(low), float(high), count, len(values)), sums, model


def _shares(sums: np.ndarray) -> np.ndarray:
    """Pure error over both variances [b, 2], from sums [b, 8] of the columns of `replicate_limits`."""
    n, y, squares, m, z, z_squares, within, freedom = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        pure = within / freedom
        variances = squares / n - (y / n) ** 2, z_squares / m - (z / m) ** 2
        return np.column_stack([np.where(each > 0, pure / each, np.nan) for each in variances])


def _words(r2: float, limits: list[Limit], n: int) -> str:
    in_grams = {limit.source: limit for limit in limits if limit.scale == "g/kg"}
    nugget, every, alone = (in_grams.get(source) for source in (NUGGET, ALL, ALONE))
    if every and alone:
        low, high = sorted(limit.ceiling for limit in (every, alone))
        said = (
            f"R2 of the best model is {r2:.2f} of at most {low:.2f} to {high:.2f}: samples with equal covariates (one "
            f"pixel, one step) differ by {every.share:.2f}{_ends(every, '95 % interval ')} of the variance of all "
            f"{n:,} scored samples, and by {alone.share:.2f}{_ends(alone)} of the variance of the {alone.samples:,} "
            f"samples in the {alone.places:,} places that hold several."
        )
        if r2 > low:
            rough = ": replicates are too few, or too unlike the other samples, for a reliable one"
            above = f"both of these ceilings{rough}" if r2 > high else "the lower of these ceilings"
            said += f" R2 itself is above {above}."
    else:
        said = (
            f"R2 of the best model is {r2:.2f}. Fewer than {FEWEST} places (one pixel, one step) hold several samples, "
            "so that replicates set no ceiling."
        )
    if not nugget:
        return said
    if not nugget.share:
        return f"{said} The model of its residuals' variogram has no nugget and sets none, either."
    left = ""
    if not np.isnan(nugget.low):
        left = f" ({max(0.0, 1 - nugget.high):.2f} to {max(0.0, 1 - nugget.low):.2f})"
    share = f"{nugget.share:.2f} of the variance{_ends(nugget, '95 % interval ')}"
    said += f" The nugget of its residuals is {share}, which leaves {nugget.ceiling:.2f}{left}."
    below = " R2 itself is above that: the nugget is estimated too roughly here to be a ceiling."
    return said + below if nugget.ceiling < r2 else said


def _ends(limit: Limit, words: str = "") -> str:
    """The interval of a share in brackets; empty where there is none."""
    return "" if np.isnan(limit.low) else f" ({words}{limit.low:.2f} to {limit.high:.2f})"
