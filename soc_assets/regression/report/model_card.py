"""The model card: what a registered model is, what it was fitted on, how good it is, and where it must not be used."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.regression.evaluation.fit_scores import Evaluation
from soc_assets.reporting.as_text import markdown, percent
from soc_assets.settings.soil import TAIL_THRESHOLD

_CHAMPION = (
    "Whether it is in use: the alias `champion` of the registered model moves only to a version that is better than "
    "the champion and every simpler baseline beyond the interval of the paired difference, and worse than no baseline; "
    "the version's tag `soc.champion_decision` says why."
)


def model_card(
    name: str, facts: Mapping[str, Any], evaluation: Evaluation, board: pd.DataFrame | None, scheme: str
) -> str:
    """The card, Markdown.

    Args:
        name: of the registered model, with its version.
        facts: what it is: recipe, features, weights of the embedding, data digests.
        evaluation: predictions and scores by split.
        board: leaderboard under the primary scheme, or None where there was no evaluation.
        scheme: the primary scheme.
    """
    predictions = evaluation.predictions
    training = predictions[predictions["split"] != "test"]["observed"]
    lines = [
        f"# {name}",
        "",
        "Predicts organic carbon of the topsoil, g/kg, with an interval.",
        "",
        "## What it is",
        "",
    ]
    lines += [f"- {key}: {markdown(str(value))}" for key, value in facts.items()]
    lines += ["", "## Data", "", *_data(predictions), "", "## Scores", "", *_test(evaluation)]
    lines += ["", *_board(board, scheme), "", _CHAMPION, "", "## Limits", "", *_limits(training)]
    return "\n".join(lines) + "\n"


def _data(predictions: pd.DataFrame) -> list[str]:
    lines = ["| split | samples | mean | median | largest |", "|---|---|---|---|---|"]
    for split, part in predictions.groupby("split", sort=False)["observed"]:
        lines.append(f"| {split} | {len(part):,} | {part.mean():.1f} | {part.median():.1f} | {part.max():.1f} |")
    return lines


def _test(evaluation: Evaluation) -> list[str]:
    found, worth = evaluation.scores.get("test"), evaluation.worth
    if found is None or not found.n:
        return ["There is no test split: the scores by folds are all there is."]
    interval = " ({:.3f} to {:.3f})".format(*worth.intervals["test"]) if worth else ""
    place = f" Coordinates alone (a random forest): R2 {worth.by_place:.3f} on the same samples." if worth else ""
    return [
        f"Test split, predicted once ({found.n} samples): R2 {found.r2:.3f}{interval}, RMSE {found.rmse:.2f} g/kg, "
        f"MAE {found.mae:.2f}, bias {found.bias:+.2f}, RPIQ {found.rpiq:.2f} (IQR {found.iqr:.1f}), "
        f"Lin's CCC {found.ccc:.3f}. The test split is mixed with the training samples in "
        f"space: for places far from any sample the scores by block count.{place}"
    ]


def _board(board: pd.DataFrame | None, scheme: str) -> list[str]:
    if board is None:
        return ["No evaluation by folds was made for these features: `soc run --to evaluation` makes one."]
    lines = [
        f"By {scheme} folds, pooled out of fold:",
        "",
        "| model | features | R2 | 95 % | RMSE |",
        "|---|---|---|---|---|",
    ]
    for row in board.head(8).to_dict("records"):
        ends = f"{row['r2_low']:.3f} to {row['r2_high']:.3f}"
        lines.append(f"| {row['model']} | {row['features']} | {row['r2']:.3f} | {ends} | {row['rmse']:.2f} |")
    return lines


def _limits(training: pd.Series) -> list[str]:
    tail = float((training > TAIL_THRESHOLD).mean()) if len(training) else np.nan
    return [
        f"- Peat: {percent(tail, 1)} of the training samples hold more than {TAIL_THRESHOLD:g} g/kg, the largest "
        f"{training.max():.0f}. Predictions above that are too low as a rule, and nothing above the "
        "largest was ever seen.",
        "- Extrapolation: outside the area of applicability (column `applicable` 0, or far from any sample) neither "
        "the prediction nor its interval is warranted.",
        "- Intervals cover what they promise on average over samples like those trained on, not in every stratum.",
        "- One depth and the bands of the study; another raster product is another model.",
    ]
