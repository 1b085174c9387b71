"""The card of a change between two periods: what it is, how its interval was made, and that it proves no change."""

from collections.abc import Iterator, Mapping
from typing import Any

from soc_assets.mapping.documents import card_parts as parts
from soc_assets.mapping.documents.card import NAME as CARD
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.reporting.as_text import percent

_LAYERS = {
    "change": "difference of the predictions, later minus earlier, g/kg",
    "change_lower": "lower end of its interval, g/kg",
    "change_upper": "upper end of its interval, g/kg",
    "beyond_uncertainty": "whether the difference is more than the uncertainty, see below",
    "quality": "where it may be believed, see below",
}


def change_card(facts: Mapping[str, Any], evidence: Evidence) -> str:
    """The card, Markdown.

    Args:
        facts: change.json.
        evidence: what is known of the model.
    """
    content = {
        "Whether it is more than the uncertainty": _beyond(facts),
        "Where it may be believed": parts.shares("quality.tif", facts["counts"], facts["classes"]),
        "What made it": _makers(facts),
        "Samples": parts.samples(evidence),
        "How good the model is": _scores(evidence),
        "What it is not good for": _limits(facts),
        "Before you pass it on": _passing_on(),
    }
    before, after = (facts[name].replace("_", " ") for name in ("before", "after"))
    return parts.as_markdown(f"Change of predicted soil organic carbon, {before} to {after}", _what(facts), content)


def _what(facts: Mapping[str, Any]) -> Iterator[str]:
    values = facts["statistics"]["change"]
    yield f"**{facts['caution']}**"
    yield ""
    yield parts.cells_of(facts)
    yield parts.values_of(values, "mean difference", "+.2f")
    yield from parts.files_of(facts, _LAYERS)


def _beyond(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from parts.shares("beyond_uncertainty.tif", facts["beyond_uncertainty"], facts["beyond_uncertainty_classes"])
    yield ""
    if facts["members"]:
        yield (
            f"Each of the {facts['members']:,} members of the model predicts both periods. The interval is the "
            f"{percent(facts['level'])} prediction interval of one more member, around the difference of the maps: it "
            "says how far the members disagree. It includes neither the noise of a single visit nor anything that the "
            "rasters do not show."
        )
    else:
        yield (
            "The model has no members that could disagree, so the uncertainty of the difference is unknown, and "
            "`change_lower.tif` and `change_upper.tif` have no values."
        )


def _makers(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from parts.makers(facts)
    maps = " and ".join(f"[{facts[name].replace('_', ' ')}](../{facts[name]}/{CARD})" for name in ("before", "after"))
    yield f"- Maps, with the rasters that they were made from: {maps}"


def _scores(evidence: Evidence) -> Iterator[str]:
    yield from parts.scores(evidence.scores)
    yield ""
    yield (
        "These are scores of values at one time. The difference itself has no score: that would take places sampled in "
        "both periods."
    )


def _limits(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "- Proof that carbon has changed, as a trend, a loss or a credit: sample the same places again."
    yield "- A single field, or a decision about one."
    yield "- Cells with quality 1, 3 or 5: in one period or both no training sample is known to resemble them."
    yield "- Stocks (t/ha): for those bulk density, stones and depth are needed, which are not in the maps."
    yield from parts.of_random_weights(facts)


def _passing_on() -> Iterator[str]:
    yield "No file in this folder names a sample. The catalog states no licence: choose one."
