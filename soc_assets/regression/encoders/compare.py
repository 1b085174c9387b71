"""The comparison of encoders: each alone and beside the point values, on the folds of the primary scheme.

Encoders are frozen, as is usual where representations are compared (linear probing): what is fitted to them is a ridge
regression and the MLP ensemble of the leaderboard, on components that each training part decides. Beside them stand
encoders that are trained in the training part of each fold (`trained`). Rasters have no labels, so that pre-training
and PCA may see windows of the test folds, too; nothing sees organic carbon of a test fold.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.embedding.inputs import read_inputs
from soc_assets.project import Project
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.encoders.embed import embedded_by, forget_others
from soc_assets.regression.encoders.shares import SHARES, mean_locations, parts_by_share
from soc_assets.regression.encoders.trained import plain, trained_in_folds
from soc_assets.regression.encoders.variants import (
    OWN,
    PCA,
    PUBLISHED,
    RANDOM,
    variants_of,
)
from soc_assets.regression.evaluation.bootstrap import Draws, intervals, paired_difference
from soc_assets.regression.evaluation.compare import load_design, load_folds, options_of
from soc_assets.regression.evaluation.engine import run_fits
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.evaluation.plan import fold_of_samples
from soc_assets.regression.evaluation.scoring import OutOfFold, out_of_fold
from soc_assets.regression.metrics import scores
from soc_assets.settings.evaluation import ON_WINDOWS, Evaluation

POINTS = "points alone"
ALONE, BESIDE = "embedding", "point+embedding"
Key = tuple[str, str, str, float]
"""Encoder, features, model and share of the locations."""
_KIND = "encoder_comparison"  # of the plan whose fits are in use


@dataclass(frozen=True)
class EncoderComparison:
    """What was found.

    Attributes:
        table: a row per encoder, features, model and share of the locations; see `COLUMNS`.
        scheme: of the folds.
        unit: that the bootstrap draws.
    """

    table: pd.DataFrame
    scheme: str
    unit: str


COLUMNS = (
    *("encoder", "features", "model", "share", "locations", "n", "failed"),
    *("r2", "r2_low", "r2_high", "rmse", "rmse_low", "rmse_high"),
    *("over_random", "over_random_low", "over_random_high"),
    *("over_points", "over_points_low", "over_points_high", "over_pca", "over_pca_low", "over_pca_high"),
    *("over_frozen", "over_frozen_low", "over_frozen_high"),
    *("images_seen", "pretraining_seconds", "embedding_seconds"),
)


def compare_encoders(project: Project) -> EncoderComparison:
    """Embed the samples in every way, fit, and compare.

    Raises:
        TrainingError: features or folds are missing, or the embeddings are not those of an encoder.
        CheckpointError: a checkpoint does not fit.
    """
    settings, inputs = project.settings.evaluation, read_inputs(project)
    design, folds = load_design(project), load_folds(project)
    fold = fold_of_samples(folds, settings.primary, design)
    found: dict[Key, OutOfFold] = {}
    cost: dict[str, dict[str, float]] = {POINTS: {}}
    kept: set[Path | None] = set()
    variants = variants_of(project, inputs.spec)
    for variant in variants:
        embedded = embedded_by(project, inputs, design, variant)
        kept.add(embedded.path)
        cost[variant.name] = variant.cost | {"embedding_seconds": embedded.seconds}
        sets = (ALONE, BESIDE, "point") if variant.name == RANDOM else (ALONE, BESIDE)
        fits = [fit for features in sets for fit in _fits(embedded.design, fold, features, settings)]
        kind = f"{_KIND} {variant.name}"
        done = run_fits(fits, embedded.design, project.results, options_of(project), settings.workers, kind)
        for each in out_of_fold(done):
            model, _, share = each.model.partition(" on ")
            name = POINTS if each.features == "point" else variant.name
            found[name, each.features, model, float(share)] = each
    forget_others(project, kept)
    for name, done, facts in trained_in_folds(project, inputs, design, fold, variants):
        scored = out_of_fold(done)
        whole = sum(each.seconds for each in scored if each.model.endswith(f" on {SHARES[-1]}"))
        cost[name] = {**facts, "embedding_seconds": whole}
        for each in scored:
            model, _, share = each.model.partition(" on ")
            found[name, BESIDE if "point" in each.features else ALONE, model, float(share)] = each
    locations = {share: mean_locations(design, fold, share, settings) for share in SHARES}
    rows = [_row(key, found, design, settings) | cost[key[0]] | {"locations": locations[key[3]]} for key in found]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    _, unit = units_of(settings.primary, design.samples)
    return EncoderComparison(_ordered(table, list(cost)), settings.primary, unit)


def _row(key: Key, found: dict[Key, OutOfFold], design: Design, settings: Evaluation) -> dict[str, object]:
    """A row of the table; what is trained in the folds is compared with MLPs, on shares of the locations with ridge."""
    name, features, model, share = key
    line: dict[str, object] = {"encoder": name, "features": features, "model": model, "share": share}
    in_folds = model in ON_WINDOWS
    like = model if not in_folds else "mlp" if share == SHARES[-1] else "ridge"
    others = {
        "over_random": found.get((RANDOM, features, like, share)),
        "over_points": found[POINTS, "point", like, share],
        "over_pca": found.get((PCA, features, like, share)),
    }
    if in_folds:
        frozen = [(each, features, like, share) for each in (OWN, PUBLISHED, RANDOM)]
        others["over_frozen"] = next((found[each] for each in frozen if each in found), None)
    return line | _scored(found[key], others, design, settings)


def _ordered(table: pd.DataFrame, encoders: list[str]) -> pd.DataFrame:
    """Sorted for reading: by model and share, points first, each encoder alone and then beside the points."""
    names = [*encoders, "mlp", *ON_WINDOWS, "ridge", "point", ALONE, BESIDE]
    place = {name: number for number, name in enumerate(names)}

    def rank(column: pd.Series) -> pd.Series:
        return -column if column.name == "share" else column.map(place)

    return table.sort_values(["model", "share", "features", "encoder"], key=rank, ignore_index=True)


def _fits(design: Design, fold: np.ndarray, features: str, settings: Evaluation) -> list[FoldFit]:
    """Ridge on each share of the locations, and the MLP on all of them, in every fold."""
    ridge, mlp = (plain(name, features) for name in ("ridge", "mlp"))
    fits = []
    for number, share, part in parts_by_share(design, fold, settings):
        fits.append(FoldFit(settings.primary, number, f"ridge on {share}", (ridge,), *part))
        if share == SHARES[-1]:
            fits.append(FoldFit(settings.primary, number, f"mlp on {share}", (mlp,), *part))
    return fits


def _scored(
    each: OutOfFold, others: dict[str, OutOfFold | None], design: Design, settings: Evaluation
) -> dict[str, object]:
    """R2 and RMSE with intervals, and the paired differences of R2 from others (random weights, points alone)."""
    if each.failed or each.rows.empty:
        return {"n": 0, "failed": each.failed}
    units, _ = units_of(settings.primary, design.samples.set_index("sample_id").loc[each.rows["sample_id"]])
    draws = Draws.of(units, settings.seed, settings.draws)
    y, p = (each.rows[name].to_numpy(float) for name in ("observed", "predicted"))
    values, ends = vars(scores(y, p)), intervals(y, p, draws)
    line: dict[str, object] = {"n": len(y), "failed": 0}
    for metric in ("r2", "rmse"):
        line |= {metric: values[metric], f"{metric}_low": ends[metric][0], f"{metric}_high": ends[metric][1]}
    for name, other in others.items():
        if other is not None and other is not each and not other.failed:
            gain = paired_difference(y, p, other.rows["predicted"].to_numpy(float), draws)
            line |= {name: gain.value, f"{name}_low": gain.low, f"{name}_high": gain.high}
    return line
