"""What the comparison of encoders says, in sentences."""

from typing import Any

import numpy as np
import pandas as pd

from soc_assets.regression.encoders.compare import ALONE, BESIDE, POINTS
from soc_assets.regression.encoders.shares import SHARES
from soc_assets.regression.encoders.variants import CONVOLUTION, FINE_TUNED, OWN, PCA, PUBLISHED, RANDOM
from soc_assets.settings.evaluation import ON_WINDOWS

_MODELS = ("ridge", *ON_WINDOWS)

Row = dict[str, Any]


def verdict(table: pd.DataFrame, scheme: str) -> str:
    """Whether pre-training helps beyond its interval: against random weights, beside the points, and against PCA."""
    chosen = table[table["model"].isin(_MODELS) & (table["share"] == SHARES[-1])]
    rows: dict[tuple[str, str], Row] = {
        (str(row["encoder"]), str(row["features"])): {str(name): value for name, value in row.items()}
        for row in chosen.to_dict("records")
    }
    learned = [name for name in (OWN, PUBLISHED) if (name, ALONE) in rows]
    if not learned:
        return (
            f"NO PRE-TRAINED ENCODER TO COMPARE under {scheme} folds: only random weights and PCA of windows. "
            "`soc pretrain` makes one from these rasters."
        )
    return " ".join([*(_sentence(rows, name, scheme) for name in learned), *_trained(rows)])


def _trained(rows: dict[tuple[str, str], Row]) -> list[str]:
    """What training in the folds gives, against the frozen encoder and the point values with the same kind of head."""
    said = []
    scored = {key for key, row in rows.items() if row["r2"] == row["r2"]}
    for name in (FINE_TUNED, CONVOLUTION):
        if (name, ALONE) in rows and not {(name, ALONE), (name, BESIDE)} <= scored:
            said.append(f"Of {name} a fold failed: it has no score.")
    if {(FINE_TUNED, ALONE), (FINE_TUNED, BESIDE)} <= scored:
        alone, beside = rows[FINE_TUNED, ALONE], rows[FINE_TUNED, BESIDE]
        said.append(
            f"Fine-tuned in the folds, the encoder reaches R2 {alone['r2']:.3f} alone, a difference from MLPs on the "
            f"frozen embedding of {_difference(alone, 'over_frozen')}; beside the point values {beside['r2']:.3f}, a "
            f"difference from MLPs on these alone of {_difference(beside, 'over_points')}."
        )
    if {(CONVOLUTION, ALONE), (CONVOLUTION, BESIDE)} <= scored:
        alone, beside = rows[CONVOLUTION, ALONE], rows[CONVOLUTION, BESIDE]
        said.append(
            f"A convolutional encoder without pre-training reaches R2 {alone['r2']:.3f} alone; beside the point values "
            f"{beside['r2']:.3f}, a difference from MLPs on these alone of {_difference(beside, 'over_points')}."
        )
    return said


def _sentence(rows: dict[tuple[str, str], Row], name: str, scheme: str) -> str:
    alone, beside, pca = rows[name, ALONE], rows[name, BESIDE], rows[PCA, ALONE]
    random, points = rows[RANDOM, ALONE], rows[POINTS, "point"]
    adds = "adds to" if beside["over_points_low"] > 0 else "does not surely add to"
    said = (
        f"{_headline(alone)} under {scheme} folds ({name}): the embedding alone has R2 {alone['r2']:.3f}, with random "
        f"weights {random['r2']:.3f}, a difference of {_difference(alone, 'over_random')}. It {adds} the point values: "
        f"R2 {beside['r2']:.3f} beside them, {points['r2']:.3f} of them alone, a difference of "
        f"{_difference(beside, 'over_points')}."
    )
    than = f"PCA of the same windows, without a network (R2 {pca['r2']:.3f}): {_difference(alone, 'over_pca')}"
    if alone["over_pca_low"] > 0:
        return f"{said} It is better than {than}."
    return f"{said} It is {'worse' if alone['over_pca_high'] < 0 else 'not surely better'} than {than}."


def _headline(alone: Row) -> str:
    if alone["over_random_low"] > 0:
        return "PRE-TRAINING HELPS"
    return "PRE-TRAINING HARMS" if alone["over_random_high"] < 0 else "PRE-TRAINING DOES NOT HELP BEYOND THE INTERVAL"


def _difference(row: Row, name: str) -> str:
    """A difference with its interval."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return "unknown size" if np.isnan(value) else f"{value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
