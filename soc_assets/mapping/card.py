"""The card of a map: what it is, what made it, how good the model was, and what the map is not good for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyproj import CRS

from soc_assets.mapping.evidence import Campaign, Evidence, Score
from soc_assets.mapping.quality_classes import INSIDE, OUTSIDE, UNKNOWN
from soc_assets.reporting.as_text import markdown

NAME = "card.md"
_LONGEST = 40  # characters of a CRS that is shown as it is
_LAYERS = {
    "organic_carbon": "predicted organic carbon, g/kg",
    "lower": "lower end of its prediction interval, g/kg",
    "upper": "upper end of its prediction interval, g/kg",
    "dissimilarity": "0 at a training sample, 1 at the mean distance between training samples",
    "quality": "where the map may be believed, see below",
}


def map_card(facts: Mapping[str, Any], evidence: Evidence) -> str:
    """The card, Markdown.

    Args:
        facts: map.json.
        evidence: what is known of the model.
    """
    parts = {
        "What made it": _makers(facts),
        "Samples": _samples(evidence),
        "How good the model is": _scores(evidence.scores),
        "Where it may be believed": _classes(facts),
        "Rasters": _rasters(facts),
        "What it is not good for": limits(facts),
        "Before you pass it on": _passing_on(),
    }
    lines = [f"# Soil organic carbon, {facts['period'].replace('_', ' ')}", "", *_what(facts)]
    for title, part in parts.items():
        lines += ["", f"## {title}", "", *part]
    return "\n".join(lines) + "\n"


def _what(facts: Mapping[str, Any]) -> Iterator[str]:
    values, grid = facts["statistics"]["organic_carbon"], facts["grid"]
    step = grid["step"]
    coarse = f", each the prediction at the middle one of {step} x {step} pixels of the rasters" if step > 1 else ""
    yield (
        "Organic carbon of the topsoil (g/kg) as a model predicts it from rasters, with a prediction interval and the "
        "area in which the model applies. A prediction, not a measurement."
    )
    yield ""
    size = f"{grid['width']:,} x {grid['height']:,} cells of {_size_of(grid)}"
    yield f"- {size} in {_name_of(grid['crs'])}{coarse}"
    if values["count"]:
        low, high = values["quantiles"]["0.05"], values["quantiles"]["0.95"]
        range_of_most = f"9 of 10 within {low:.1f} to {high:.1f}"
        yield f"- {values['count']:,} cells with a value: mean {values['mean']:.1f} g/kg, {range_of_most}"
    else:
        yield "- No cell has a value."
    for name, path in facts["files"].items():
        yield f"- `{path}`: {_LAYERS.get(name, name)}"


def _size_of(grid: Mapping[str, Any]) -> str:
    """The width of a cell with its unit."""
    crs = CRS.from_user_input(grid["crs"])
    unit = "degrees" if crs.is_geographic else crs.axis_info[0].unit_name if crs.axis_info else "units of the CRS"
    return f"{grid['transform'][0]:g} {'m' if unit == 'metre' else unit}"


def _name_of(crs: str) -> str:
    """An EPSG code, or the name in a longer text."""
    return markdown(CRS.from_user_input(crs).name if len(crs) > _LONGEST else crs)


def _makers(facts: Mapping[str, Any]) -> Iterator[str]:
    said = {
        "Model": f"{facts['uri']}, recipe {facts['recipe']} on {facts['features']}",
        "Embeddings": describe_weights(facts["weights"], facts["features"]),
        "Embedding spec": facts["spec"],
        "Model digest": facts["model_digest"],
        "Map digest": facts["digest"],
        "Made": f"{facts['made']} by {facts['software']}",
    }
    for name, words in said.items():
        yield f"- {name}: {markdown(str(words))}"


def describe_weights(weights: str, features: str) -> str:
    """The weights of the encoder, random ones called what they are."""
    if "embedding" not in features:
        return "none; the model reads the values of the rasters"
    if weights.startswith("random"):
        return f"{weights}: the encoder was never trained, and its embeddings are random projections of the rasters"
    return weights


def _samples(evidence: Evidence) -> Iterator[str]:
    if not evidence.campaigns:
        yield "The run of the model says nothing of its samples."
        return
    splits = evidence.splits
    yield f"| campaign | years | {' | '.join(splits)} |"
    yield "|---|---|" + "---|" * len(splits)
    for each in evidence.campaigns:
        counts = " | ".join(f"{each.splits.get(split, 0):,}" for split in splits)
        yield f"| {markdown(each.source)} | {_years(each)} | {counts} |"
    yield ""
    yield "The test split was used for the score below alone, validation for choices and the width of intervals."


def _years(campaign: Campaign) -> str:
    first, last = campaign.year_from, campaign.year_to
    return "" if first is None else str(first) if first == last else f"{first} to {last}"


def _scores(scores: Sequence[Score]) -> Iterator[str]:
    if not scores:
        yield "No scores are known. `soc run --to evaluation`, and then `soc map`, puts them here."
        return
    yield "| by | samples | R2 (95 % interval) | RMSE, g/kg (95 % interval) | inside their interval |"
    yield "|---|---|---|---|---|"
    for each in scores:
        inside = "" if each.coverage is None else f"{each.coverage:.1%} of samples, {each.level:.0%} wanted"
        yield f"| {markdown(each.by)} | {each.n:,} | {_ends(*each.r2, 3)} | {_ends(*each.rmse, 2)} | {inside} |"
    yield ""
    yield (
        "The test split lies among the training samples; away from any sample the scores by block folds count"
        + ("." if any(each.by.startswith("block") for each in scores) else ", which are not known here.")
    )


def _ends(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    if value is None:
        return ""
    interval = "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{value:.{digits}f}{interval}"


def _classes(facts: Mapping[str, Any]) -> Iterator[str]:
    total = max(sum(facts["counts"].values()), 1)
    yield "| quality.tif | meaning | cells | share |"
    yield "|---|---|---|---|"
    for number, cells in facts["counts"].items():
        yield f"| {number} | {facts['classes'][number]} | {cells:,} | {cells / total:.1%} |"
    counts = {int(number): cells for number, cells in facts["counts"].items()}
    predicted, unknown = facts["statistics"]["organic_carbon"]["count"], counts[UNKNOWN]
    yield ""
    if unknown and not counts[INSIDE] + counts[OUTSIDE]:
        yield "The area of applicability is not known: the model was registered without it."
    elif predicted:
        more = f" Of {unknown:,} it is not known." if unknown else ""
        yield f"Of the cells with a value {counts[INSIDE] / predicted:.1%} lie inside the area of applicability.{more}"


def _rasters(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "| step | file | digest |"
    yield "|---|---|---|"
    for each in facts.get("rasters", ()):
        more = f" and {each['files'] - 1:,} more" if each["files"] > 1 else ""
        yield f"| {markdown(each['key'])} | {markdown(each['paths'][0])}{more} | {each['digest']} |"
    if missing := facts["missing_rasters"]:
        yield ""
        yield f"Without a raster: {markdown(', '.join(missing))}."


def limits(facts: Mapping[str, Any]) -> Iterator[str]:
    """What a map is not good for, as items of a list."""
    yield "- A single field, or a decision about one: the interval of one cell is wide. Take a sample there."
    yield (
        "- Cells with quality 1, 3 or 5: no training sample resembles them, or it is not known whether one does, and "
        "neither value nor interval is warranted."
    )
    yield (
        "- Proof that carbon has changed. A difference between two maps follows from the rasters: training samples of "
        "many years and places cannot show that a place has gained or lost carbon."
    )
    yield (
        "- The uncertainty of a mean over an area: errors of neighbouring cells are alike, so it is neither the mean "
        "of the intervals nor their mean divided by the root of the cells."
    )
    yield "- Peat and other soils richer than the training samples: values there are too low as a rule."
    yield "- Stocks (t/ha): for those bulk density, stones and depth are needed, which are not in the map."
    if facts["weights"].startswith("random") and "embedding" in facts["features"]:
        yield "- A statement about a pre-trained encoder: its weights are random here."


def _passing_on() -> Iterator[str]:
    yield (
        "`samples.parquet` in this folder holds the coordinates of the samples, which the terms of LUCAS forbid to "
        "publish: leave it out. No other file names a sample. The catalog (`item.json`, `../../collection.json`) does "
        "not list it, and states no licence: choose one."
    )
