"""Sections of the report about the supplementary analyses, from their tables alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from soc_assets.regression.evaluation.supplement import Supplement
from soc_assets.regression.report import learning_plots as plots
from soc_assets.regression.report.sections import Figure, Section, Table
from soc_assets.regression.words import fit_words
from soc_assets.reporting.as_text import percent

_MOST_MODELS = 12


def sections_of(found: Supplement, primary: str) -> list[Section]:
    """The sections that there is something to say in, in order.

    Args:
        found: the supplementary analyses.
        primary: the scheme that decides.
    """
    made = [_curve(found), _sources(found), _highest(found, primary), _choices(found)]
    return [section for section in made if section is not None]


def _curve(found: Supplement) -> Section | None:
    table = found["learning_curve"]
    known = table.dropna(subset=["r2"])
    if known.empty:
        return None
    whole, paragraphs = known[known["share"] == 1.0], [_how(found, table)]
    if len(whole) and len(less := known[known["share"] < 1]):
        paragraphs.append(_gained(less.iloc[-1], whole.iloc[0]))
    shown = pd.DataFrame(
        {
            "Share of the locations": [percent(value, 0) for value in known["share"]],
            "Locations": known["locations"].round().astype(int),
            "Samples": known["samples"].round().astype(int),
            "R2": _with_interval(known, "r2"),
            "RMSE, g/kg": _with_interval(known, "rmse", 2),
            "R2 that all locations add": _with_interval(known, "gain"),
        }
    )
    caption = "Scores by the number of locations fitted on, pooled over the same test folds, with 95 % intervals."
    alternative = "with error bars against the number of locations fitted on."
    panels = [(plots.curve_plot(table, metric), f"{words} {alternative}") for metric, words in plots.CURVES.items()]
    figure = Figure(f"{caption} (a) R2, (b) RMSE.", *panels[0], "learning_curve", beside=tuple(panels[1:]))
    return Section("How much is enough", paragraphs, [Table(caption, shown)], [figure])


def _how(found: Supplement, table: pd.DataFrame) -> str:
    first = table.iloc[0]
    return (
        f"The best recipe, fitted on nested random parts of the locations of each training part of the "
        f"{first['scheme']} folds and scored on the same test folds. {found.words}".strip()
    )


def _gained(less: pd.Series, whole: pd.Series) -> str:
    """What the last step of the curve says."""
    step = (
        f"From {percent(less['share'], 0)} to all locations R2 goes from {less['r2']:.3f} to {whole['r2']:.3f}, by "
        f"{less['gain']:.3f} (95 % interval {less['gain_low']:.3f} to {less['gain_high']:.3f})"
    )
    if less["gain_low"] > 0:
        return f"{step}: the curve still rises, and more locations would raise it further."
    if less["gain_high"] < 0:
        return f"{step}: more of these locations make it worse, so that not their number is what is lacking."
    return f"{step}: it does not rise beyond the interval, so that more locations of this kind promise little."


def _sources(found: Supplement) -> Section | None:
    table = found["source_offsets"]
    if table.empty:
        return None
    single = table.iloc[:-1]  # the last row is of all samples
    sure = single[(single["offset_low"] > 0) | (single["offset_high"] < 0)]
    said = [_offset_words(row) for row in sure.to_dict("records")]
    paragraphs = [
        "The offset of a source is the mean of observed - predicted of its samples, out of fold: how much more it "
        "measures than its neighbours at equal covariates. Method, depth and choice of places all show in it, and the "
        "model has seen other samples of the source, which may make it smaller.",
        f"Beyond its interval: {'; '.join(said)}." if said else "No source differs from zero beyond its interval.",
    ]
    columns = {
        "Source": single["source"].tolist(),
        "Samples": single["n"].tolist(),
        str(single["unit"].iloc[0]).capitalize(): single["units"].tolist(),
        "Mean, g/kg": single["observed"].map("{:.1f}".format).tolist(),
        "Offset, g/kg": _with_interval(single, "offset", 2).tolist(),
        "Offset as a factor": _with_interval(single, "factor").tolist(),
    }
    if single["left_out_r2"].notna().any():
        columns["R2, left out"] = _with_interval(single, "left_out_r2").tolist()
        columns["Offset, left out, g/kg"] = _with_interval(_as_offset(single), "left_out_offset", 2).tolist()
    caption = "Sources: offset (observed minus predicted) under the primary folds"
    if single["left_out_r2"].notna().any():
        caption += ", and R2 and offset where the whole source was left out of the fit"
        caption += _drawn(str(single["unit"].iloc[0]))
    caption += "."
    figure = Figure(
        "Mean residual of each source with its 95 % interval; samples in brackets.",
        plots.offset_plot(table),
        "Mean of observed minus predicted by source, with error bars.",
        "source_offsets",
    )
    return Section("Laboratories and programmes", paragraphs, [Table(caption, pd.DataFrame(columns))], [figure])


def _offset_words(row: Mapping[Any, Any]) -> str:
    more, sign = ("more", 1) if row["offset"] > 0 else ("less", -1)
    low, high = sorted(sign * row[f"offset_{end}"] for end in ("low", "high"))
    unsure = ", which includes 1" if row["factor_low"] <= 1 <= row["factor_high"] else ""
    return (
        f"{row['source']} measures {abs(row['offset']):.1f} g/kg {more} (95 % interval {low:.1f} to {high:.1f}), as a "
        f"factor {row['factor']:.2f} ({row['factor_low']:.2f} to {row['factor_high']:.2f}{unsure})"
    )


def _as_offset(table: pd.DataFrame) -> pd.DataFrame:
    """With `left_out_offset`, observed minus predicted as all offsets are, instead of the bias of the opposite sign."""
    ends = {"": "", "_low": "_high", "_high": "_low"}
    return table.assign(**{f"left_out_offset{end}": 0 - table[f"left_out_bias{other}"] for end, other in ends.items()})


def _drawn(unit: str) -> str:
    """What the bootstrap draws, where it is another unit for a source that is left out (`units_of` its samples)."""
    if unit == "locations":
        return ""
    own = "blocks, or locations where it has fewer than 10 blocks"
    if unit == "years":
        own = f"years, or where it has fewer than 10 of these {own}"
    return f". Intervals draw {unit}; those of a source that was left out draw its {own}"


def _highest(found: Supplement, primary: str) -> Section | None:
    table = found["highest_values"]
    shown = table[table["scheme"] == primary].head(_MOST_MODELS)
    if shown.empty:
        return None
    best = shown.iloc[0]
    count, share = int(best["highest"]), percent(best["highest"] / best["n"], 0)
    which = f"{count} highest observations" if count > 1 else "highest observation"
    make, them, their = ("make", "them", "their") if count > 1 else ("makes", "it", "its")
    paragraphs = [
        f"The {which} of {best['n']:,} ({share}, from {best['from_value']:.0f} g/kg) {make} "
        f"{percent(best['error_share'], 0)} of the squared error of {_title(best)}; without {them} its R2 is "
        f"{best['r2_without']:.3f} instead of {best['r2']:.3f} and its RMSE {best['rmse_without']:.2f} instead of "
        f"{best['rmse']:.2f} g/kg. Its median absolute error is {best['medae_without']:.2f} instead of "
        f"{best['medae']:.2f} g/kg."
    ]
    pairs = {"r2": "R2", "rmse": "RMSE, g/kg", "bias": "Bias, g/kg", "medae": "Median absolute error, g/kg"}
    columns: dict[str, Sequence[object]] = {"Model": [_title(row) for _, row in shown.iterrows()]}
    for name, words in pairs.items():
        columns[words] = shown[name].tolist()
        columns[f"{words}, without"] = shown[f"{name}_without"].tolist()
    columns["Share of the error"] = [percent(value, 0) for value in shown["error_share"]]
    caption = f"Scores with and without the {which} ({share}), and {their} share of the squared error."
    title = "The highest one per cent" if share == "1 %" else "The highest observations"
    return Section(title, paragraphs, [Table(caption, pd.DataFrame(columns))], [])


def _choices(found: Supplement) -> Section | None:
    table = found["network_choices"]
    if table.empty:
        return None
    documented, varied = table.iloc[0], table.iloc[1:]
    paragraphs = [
        f"In {_folds(documented)} ({documented['n']:,} samples) the documented "
        f"network has R2 {_interval(documented, 'r2')}. Each row changes one of its choices and nothing "
        "else; the difference is paired on the same draws. The MLPs by current practice, below, change most of them."
    ]
    if len(unknown := varied[varied["model"].isna()]):
        words = "; ".join(f"{row['choice']} ({row['instead'].replace(': ', ', ')})" for _, row in unknown.iterrows())
        paragraphs.append(f"Not measured here: {words}. The point values are the comparison without an encoder.")
    shown = pd.DataFrame(
        {
            "Choice": table["choice"],
            "Documented": table["documented"],
            "Instead": table["instead"],
            "R2": _with_interval(table, "r2"),
            "Difference of R2": _with_interval(table, "difference"),
            "RMSE, g/kg": table["rmse"],
        }
    )
    caption = "The documented MLP and variants of it that change one choice each, with 95 % intervals."
    figure = Figure(
        "R2 of each variant minus that of the documented MLP, with the 95 % interval of the paired difference; "
        "grey squares: MLPs by current practice.",
        plots.choices_plot(table),
        "Paired differences of R2 from the documented network, with error bars.",
        "network_choices",
    )
    drawn = [figure] if table["difference"].notna().any() else []
    return Section("What each choice of the documented network costs", paragraphs, [Table(caption, shown)], drawn)


def _folds(row: pd.Series) -> str:
    return f"one {row['scheme']} fold" if row["folds"] == 1 else f"{row['folds']} {row['scheme']} folds"


def _title(row: pd.Series) -> str:
    return fit_words(str(row["model"]), str(row["features"]))


def _with_interval(table: pd.DataFrame, name: str, digits: int = 3) -> pd.Series:
    """`0.447 (0.401 to 0.489)` by row; empty where there is no value."""
    return pd.Series([_interval(row, name, digits) for _, row in table.iterrows()], table.index, dtype="str")


def _interval(row: pd.Series, name: str, digits: int = 3) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return "" if pd.isna(value) else f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
