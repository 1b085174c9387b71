"""The card of a map: what it is, what made it, how good the model was, and what the map is not good for."""

from collections.abc import Iterator, Mapping
from typing import Any

from soc_assets.mapping.documents import card_parts as parts
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.quality_classes import INSIDE, OUTSIDE, UNKNOWN
from soc_assets.reporting.as_text import markdown, percent

NAME = "card.md"
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
    content = {
        "What made it": parts.makers(facts),
        "Samples": parts.samples(evidence),
        "How good the model is": parts.scores(evidence.scores),
        "Where it may be believed": _classes(facts),
        "Rasters": _rasters(facts),
        "What it is not good for": limits(facts),
        "Before you pass it on": _passing_on(),
    }
    return parts.as_markdown(f"Soil organic carbon, {facts['period'].replace('_', ' ')}", _what(facts), content)


def _what(facts: Mapping[str, Any]) -> Iterator[str]:
    values = facts["statistics"]["organic_carbon"]
    yield (
        "Organic carbon of the topsoil (g/kg) as a model predicts it from rasters, with a prediction interval and the "
        "area in which the model applies. A prediction, not a measurement."
    )
    yield ""
    yield parts.cells_of(facts)
    yield parts.values_of(values, "mean", ".1f")
    yield from parts.files_of(facts, _LAYERS)


def _classes(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from parts.shares("quality.tif", facts["counts"], facts["classes"])
    counts = {int(number): cells for number, cells in facts["counts"].items()}
    predicted, unknown = facts["statistics"]["organic_carbon"]["count"], counts[UNKNOWN]
    yield ""
    if unknown and not counts[INSIDE] + counts[OUTSIDE]:
        yield "The area of applicability is not known: the model was registered without it."
    elif predicted:
        more = f" Of {unknown:,} it is not known." if unknown else ""
        inside = percent(counts[INSIDE] / predicted, 1)
        yield f"Of the cells with a value {inside} lie inside the area of applicability.{more}"


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
    yield from parts.of_random_weights(facts)


def _passing_on() -> Iterator[str]:
    yield (
        "`samples.parquet` in this folder holds the coordinates of the samples, which the terms of LUCAS forbid to "
        "publish: leave it out. No other file names a sample. The catalog (`item.json`, `../../collection.json`) does "
        "not list it, and states no licence: choose one."
    )
