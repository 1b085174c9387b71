"""The comparison of encoders as sections of a report: the verdict, a forest plot, curves over label fractions, cost."""

import numpy as np
import pandas as pd

from soc_assets.regression.encoders.compare import ALONE, BESIDE, POINTS, EncoderComparison
from soc_assets.regression.encoders.shares import SHARES
from soc_assets.regression.encoders.trained import SIDE
from soc_assets.regression.encoders.variants import CONVOLUTION, FINE_TUNED, OWN, PCA, PUBLISHED, RANDOM
from soc_assets.regression.encoders.words import verdict
from soc_assets.regression.report.forest_plots import forest
from soc_assets.regression.report.sections import Figure, Section, Table, interval, rounded
from soc_assets.regression.words import SCHEMES
from soc_assets.reporting.figures import report_figure, to_png

_COLOURS = ("#9aa5b1", "#3b6ea8", "#e0a030", "#b5403a", "#5b8c5a", "#7d5ba6", "#40a0a0")
_MARKS = {"point": "points alone", ALONE: "alone", BESIDE: "beside the points"}


def encoder_sections(found: EncoderComparison, how: str) -> list[Section]:
    """All sections, in order.

    Args:
        found: the comparison.
        how: a sentence about model, window and pooling.
    """
    table, folds = found.table, SCHEMES.get(found.scheme, found.scheme)
    whole = table[table["share"] == SHARES[-1]]
    best = whole[whole["model"] != "mlp"]
    paragraphs = (
        verdict(table, found.scheme),
        f"{how} Encoders are frozen; ridge regression and an ensemble of MLPs are fitted to their embedding on "
        f"identical folds ({folds}). The fine-tuned and the convolutional encoder are trained on the training part of "
        f"each fold alone, on {SIDE} x {SIDE} pixels around each sample; an inner fold stops them; they are compared "
        "with MLPs. Pre-training and PCA have seen windows of all of the region, no organic carbon. "
        f"Intervals are 95 % bootstrap intervals over {found.unit}; differences are paired.",
    )
    caption = f"R2 out of fold ({folds}) of every encoder, with 95 % intervals. Grey: no embedding, or no training."
    pictured = [
        Figure(
            f"{caption} Ridge regression on frozen embeddings.",
            _forest(best),
            "A forest plot of R2 by encoder.",
            "encoders",
        )
    ]
    curves = table[table["model"] != "mlp"].sort_values("encoder", key=lambda names: names.map(_place), kind="stable")
    said = (
        "R2 by the share of the locations of each training part that is fitted on; ridge regression on what is frozen."
    )
    drawn = [
        Figure(
            f"{said} Dotted: points alone.", _curves(curves), "R2 against the number of locations.", "label_fractions"
        )
    ]
    ridge, mlps = whole[whole["model"] == "ridge"], whole[whole["model"] != "ridge"]
    scores = [
        Table("Ridge regression on all locations: R2 out of fold, and paired differences of R2.", _scores(ridge)),
        Table("Ensembles of MLPs, and encoders that are trained in the folds.", _scores(mlps)),
    ]
    heads = (
        "What is trained in the folds is compared with MLPs on all locations, with ridge regression on shares of them."
    )
    fractions = Table(f"Scores by the share of the locations. {heads}", _scores(curves, by_share=True), folded=True)
    return [
        Section("Does pre-training help?", paragraphs, scores if len(mlps) else scores[:1], pictured, "verdict"),
        Section("How many labels it needs", (), [fractions], drawn),
        Section(
            "What it costs",
            (),
            [
                Table(
                    "Images seen without labels, and seconds on the device; in the folds: of all of them.", _cost(whole)
                )
            ],
        ),
    ]


def _place(name: str) -> int:
    """Where an encoder stands in a legend: points and untrained first, as in the tables."""
    order = (POINTS, RANDOM, PUBLISHED, OWN, PCA, FINE_TUNED, CONVOLUTION)
    return order.index(name)


def _encoder(name: str) -> str:
    """An encoder in words."""
    known = {"random": "Random weights", "pca_window": "PCA of windows", "convolution": "Convolutions"}
    return known.get(name, name.capitalize())


def _name(row: dict) -> str:
    name = _encoder(str(row["encoder"]))
    return name if row["features"] == "point" else f"{name}, {_MARKS[row['features']]}"


def _forest(ridge: pd.DataFrame) -> bytes:
    rows = ridge.sort_values("r2", ascending=False)
    untrained = rows["encoder"].isin(("random", "points alone"))
    names = [_name(row) for row in rows.to_dict("records")]
    ends = {"value": rows["r2"], "low": rows["r2_low"], "high": rows["r2_high"]}
    shown = pd.DataFrame({"model": names, **{key: column.to_numpy() for key, column in ends.items()}})
    return forest(shown.assign(baseline=untrained.to_numpy()), "R2", 0.0, 3)


def _curves(rows: pd.DataFrame) -> bytes:
    """Two panels: each encoder alone, and beside the points; the points alone in both."""
    figure = report_figure(3.9)
    panels = figure.subplots(1, 2, sharey=True)
    encoders = list(dict.fromkeys(rows["encoder"]))
    for panel, features in zip(panels, (ALONE, BESIDE), strict=True):
        for number, encoder in enumerate(encoders):
            line = rows[(rows["encoder"] == encoder) & rows["features"].isin((features, "point"))].sort_values("share")
            style = ":" if "point" in set(line["features"]) else "-"
            drawn = {"color": _COLOURS[number % len(_COLOURS)], "marker": "o", "markersize": 3}
            panel.plot(line["locations"], line["r2"], style, label=_encoder(encoder), **drawn)
        panel.set_title(_MARKS[features], fontsize=9)
        panel.set(xlabel="locations fitted on")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="R2", ylim=(max(float(np.nanmin(rows["r2"])) - 0.05, -0.5), None))
    figure.legend(
        *panels[0].get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=3
    )
    return to_png(figure)


def _scores(table: pd.DataFrame, by_share: bool = False) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Features": _name(row),
                **({"Locations": round(row["locations"])} if by_share else {}),
                "R2": rounded(row["r2"], 3),
                "95 %": interval(row["r2_low"], row["r2_high"], 3),
                "RMSE, g/kg": row["rmse"],
                "Over random weights": _gain(row, "over_random"),
                "Over points alone": _gain(row, "over_points"),
                **({} if by_share else {"Over PCA": _gain(row, "over_pca")}),
                **({"Over frozen": _gain(row, "over_frozen")} if table["over_frozen"].notna().any() else {}),
            }
            for row in table.to_dict("records")
        ]
    )


def _gain(row: dict, name: str) -> str:
    """A paired difference with its interval; empty for what is compared with itself."""
    value = row[name]
    return "" if value != value else f"{value:+.3f} ({row[f'{name}_low']:+.3f} to {row[f'{name}_high']:+.3f})"


def _cost(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["features"] == ALONE].drop_duplicates("encoder")
    return pd.DataFrame(
        {
            "Encoder": [_encoder(name) for name in rows["encoder"]],
            "Images seen in pre-training": [_count(value) for value in rows["images_seen"]],
            "Pre-training, s": [_count(value) for value in rows["pretraining_seconds"]],
            "Embedding, or training in the folds, s": rows["embedding_seconds"].to_numpy(),
        }
    )


def _count(value: float) -> str:
    return "" if value != value else f"{value:,.0f}"
