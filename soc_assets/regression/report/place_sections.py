"""Sections on places: predictions and residuals, the ceiling with the residual variogram, folds and distances."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from soc_assets.regression.evaluation.ceiling import NUGGET, Ceiling, Limit
from soc_assets.regression.evaluation.leaderboard import target_by_fold
from soc_assets.regression.metrics import in_logs
from soc_assets.regression.report.evaluation_plots import predicted_hexagons
from soc_assets.regression.report.results import Results, name_of
from soc_assets.regression.report.sections import Figure, Section, Table, interval, rounded
from soc_assets.regression.report.spatial_plots import distance_curves, fold_map, residual_map, variogram_plot
from soc_assets.regression.words import scheme_words
from soc_assets.sampling.knndm import held_out_distances, nearest, nearest_other

_SCALES = {"g/kg": "g/kg", "log": "log(1 + OC)"}
_TO_MAP, _AMONG = "map to samples", "samples to samples"
_LEAST_SILL = 0.01  # share of nugget and partial sill below which a range says nothing
_FOLD_COLUMNS = {
    "fold": "Fold",
    "n": "n",
    "mean": "Mean, g/kg",
    "sd": "SD, g/kg",
    "median": "Median, g/kg",
    "share_above_50": "Share above 50 g/kg",
}


def predictions_section(results: Results) -> Section:
    """Predicted against observed, and where residuals lie, of the best model and the best baseline."""
    found = results.shown()
    if not found:
        return Section("")
    placed = [results.placed(each) for each in found]
    most = 1.04 * max(float(rows[["observed", "predicted"]].to_numpy().max()) for rows in placed)
    errors = np.concatenate([(rows["predicted"] - rows["observed"]).abs().to_numpy() for rows in placed])
    limit = float(np.quantile(errors, 0.95)) or 1.0
    names, folds, n = [name_of(each) for each in found], scheme_words(results.primary), len(placed[0])
    which = "; ".join(f"({'ab'[at]}) {name}" for at, name in enumerate(names)) if len(names) > 1 else names[0]
    hexagons = [
        (predicted_hexagons(rows, most), f"Predicted against observed organic carbon of {name}: {len(rows):,} samples.")
        for name, rows in zip(names, placed, strict=True)
    ]
    maps = [
        (residual_map(rows, limit), f"Map of the residuals of {name} at {len(rows):,} samples.")
        for name, rows in zip(names, placed, strict=True)
    ]
    said = f"Predicted against observed organic carbon, out of fold with {folds} (n = {n:,}): {which}. Line: 1:1."
    where = (
        f"Residuals (predicted minus observed) out of fold with {folds} (n = {n:,}): {which}. The colours end at the "
        f"95th percentile of the absolute residual, {rounded(limit, 1)} g/kg."
    )
    figures = [_figure(said, hexagons, "observed_predicted"), _figure(where, maps, "residual_map")]
    return Section("Predictions and residuals", figures=figures)


def ceiling_section(results: Results) -> Section:
    """The share of variance that no model of these covariates explains, and the variogram of the residuals."""
    found, best = results.ceiling, results.best()
    if found is None or best is None:
        return Section("")
    words = (
        "Replicates are samples whose covariates are equal: those of one pixel of the reference grid and, where bands "
        "have time, of one year (and season); samples of other years in the pixel have other covariates. What "
        "replicates differ by is pure error for every model of these covariates, estimated by the pooled variance "
        "within places. The nugget of the residuals is variation over distances shorter than those between samples, "
        "measurement error included: more samples or a finer resolution may explain a part of it."
    )
    caption = (
        f"The share of the variance of organic carbon that cannot be explained, and the R2 that it leaves, beside R2 "
        f"of {name_of(best)} with {scheme_words(results.primary)}. Intervals are 95 %: for replicates by a bootstrap "
        "of places, for the nugget by a jackknife over groups of blocks."
    )
    tables = [Table(caption, _limits(found))] if found.limits else []
    return Section("The ceiling of R2", [found.words, words], tables, list(_variograms(results, found)), "verdict")


def folds_section(results: Results) -> Section:
    """Where the folds lie, how far predictions must reach, and organic carbon in each fold."""
    whole = list(results.whole())
    if not whole:
        return Section("")
    maps, words = [], []
    for letter, found in zip("abcdef", whole, strict=False):
        rows, folds = results.placed(found), scheme_words(found.scheme)
        words.append(f"({letter}) {folds}, {rows['fold'].nunique()} folds, n = {len(rows):,}")
        maps.append((fold_map(rows), f"Map of {len(rows):,} samples coloured by fold: {folds}."))
    where = _figure(f"Where the folds lie, a colour per fold: {'; '.join(words)}.", maps, "folds")
    carbon = target_by_fold(results.models).rename(columns=_FOLD_COLUMNS)
    carbon.insert(0, "Folds", carbon.pop("scheme").map(scheme_words))
    table = Table("Organic carbon of the samples in each fold (SD: standard deviation).", carbon, folded=True)
    return Section("Folds and distances", tables=[table], figures=[where, _distances(results)])


def _figure(caption: str, panels: list[tuple[bytes, str]], name: str) -> Figure:
    [(png, alt), *others] = panels
    return Figure(caption, png, alt, name, tuple(others))


def _limits(found: Ceiling) -> pd.DataFrame:
    return pd.DataFrame([_limit(each, found.r2[each.scale]) for each in found.limits])


def _limit(limit: Limit, r2: float) -> dict[str, object]:
    unit = "groups of blocks" if limit.source == NUGGET else "places"
    return {
        "Estimated from": limit.source[:1].upper() + limit.source[1:],
        "Scale": _SCALES[limit.scale],
        "Not explainable": limit.share,
        "95 % interval": interval(limit.low, limit.high),
        "R2 at most": limit.ceiling,
        "R2 now": r2,
        "Samples": f"{limit.samples:,} in {limit.places:,} {unit}",
    }


def _variograms(results: Results, found: Ceiling) -> Iterator[Figure]:
    best = results.best()
    if best is None:
        return
    observed, panels, words = best.rows["observed"].to_numpy(float), [], []
    for scale, (sums, model) in found.variograms.items():
        empirical = sums.estimate()
        if not len(empirical.pairs):
            continue
        values, unit = (observed, "(g/kg)²") if scale == "g/kg" else (in_logs(observed), "of log(1 + OC)")
        alt = f"Semivariance of the residuals in {_SCALES[scale]} in {len(empirical.pairs)} classes of distance."
        panels.append((variogram_plot(empirical, model, float(values.var()), unit), alt))
        if model is not None:
            sill = model.nugget + model.partial_sill
            reach = f", range {model.range / 1000:.1f} km" if model.partial_sill > _LEAST_SILL * sill else ""
            numbers = f"nugget {model.nugget:.3g}, partial sill {model.partial_sill:.3g}{reach}"
            words.append(f"({'ab'[len(panels) - 1]}) {_SCALES[scale]}: {numbers}")
    if panels:
        n = f"{len(observed):,}"
        caption = (
            f"Semivariogram of the out-of-fold residuals of {name_of(best)} with {scheme_words(results.primary)} (n = "
            f"{n}) and its model, a nugget and an exponential; larger points have more pairs, and the range is where "
            "95 % of the sill is reached. "
        )
        yield _figure(caption + "; ".join(words) + ("." if words else ""), panels, "residual_variogram")


def _distances(results: Results) -> Figure:
    places = results.design.samples.groupby("location_id")[["x", "y"]].mean().to_numpy()
    found = {_AMONG: nearest_other(places)}
    if len(results.area):
        found[_TO_MAP] = nearest(results.area, places)
    for each in results.whole():
        rows = results.placed(each)
        distances = held_out_distances(rows[["x", "y"]].to_numpy(), rows["fold"].to_numpy())
        found[f"test to training, {scheme_words(each.scheme)}"] = distances
    caption = (
        f"Distances that a prediction must bridge: cumulative share of the distances to the nearest sample, from "
        f"places of the map ({len(results.area):,}, black), from test to training samples of each scheme, and among "
        f"the {len(places):,} locations (dashed). A scheme is as hard as the map where its curve follows the black one."
    )
    alt = f"Cumulative distributions of {len(found)} kinds of nearest-neighbour distance."
    return Figure(caption, distance_curves(found, _TO_MAP, _AMONG), alt, "distances")
