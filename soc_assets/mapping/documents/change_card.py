"""The card of a change between two periods: what it is, how its interval was made, and that it proves no change."""

from collections.abc import Iterator, Mapping
from typing import Any

from soc_assets.mapping.documents.card import NAME as CARD
from soc_assets.mapping.documents.card_parts import as_markdown, cells_of, files_of, makers, samples, scores, shares
from soc_assets.mapping.documents.evidence import Evidence

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
    parts = {
        "Whether it is more than the uncertainty": _beyond(facts),
        "Where it may be believed": shares("quality.tif", facts["counts"], facts["classes"]),
        "What made it": _makers(facts),
        "Samples": samples(evidence),
        "How good the model is": _scores(evidence),
        "What it is not good for": _limits(),
        "Before you pass it on": _passing_on(),
    }
    before, after = (facts[name].replace("_", " ") for name in ("before", "after"))
    return as_markdown(f"Change of predicted soil organic carbon, {before} to {after}", _what(facts), parts)


def _what(facts: Mapping[str, Any]) -> Iterator[str]:
    values = facts["statistics"]["change"]
    yield f"**{facts['caution']}**"
    yield ""
    yield cells_of(facts)
    if values["count"]:
        low, high = values["quantiles"]["0.05"], values["quantiles"]["0.95"]
        of_most = f"9 of 10 within {low:+.1f} to {high:+.1f}"
        yield f"- {values['count']:,} cells with a value: mean difference {values['mean']:+.2f} g/kg, {of_most}"
    else:
        yield "- No cell has a value."
    yield from files_of(facts, _LAYERS)


def _beyond(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from shares("beyond_uncertainty.tif", facts["beyond_uncertainty"], facts["beyond_uncertainty_classes"])
    yield ""
    if facts["members"]:
        yield (
            f"Each of the {facts['members']:,} members of the model predicts both periods. The interval is the "
            f"{facts['level']:.0%} prediction interval of one more member, round the difference of the maps: it says "
            "how far the members disagree. Neither the noise of a visit is in it nor what the rasters do not show."
        )
    else:
        yield "The model has no members that could disagree, so the uncertainty of the difference is unknown."


def _makers(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from makers(facts)
    maps = " and ".join(f"[{facts[name].replace('_', ' ')}](../{facts[name]}/{CARD})" for name in ("before", "after"))
    yield f"- Maps, with the rasters that they were made from: {maps}"


def _scores(evidence: Evidence) -> Iterator[str]:
    yield from scores(evidence.scores)
    yield ""
    yield (
        "These are scores of values at one time. None is known of the difference: that takes places that were sampled "
        "at both periods."
    )


def _limits() -> Iterator[str]:
    yield "- Proof that carbon has changed, as a trend, a loss or a credit: sample the same places again."
    yield "- A single field, or a decision about one."
    yield "- Cells with quality 1, 3 or 5: at one period or both no training sample is known to resemble them."
    yield "- Stocks (t/ha): for those bulk density, stones and depth are needed, which are not in the maps."


def _passing_on() -> Iterator[str]:
    yield "No file in this folder names a sample. The catalog states no licence: choose one."
