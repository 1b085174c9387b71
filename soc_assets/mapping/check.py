"""Whether a map, or a change between two, is plausible, and how much of it may be believed."""

from collections.abc import Mapping
from typing import Any

from soc_assets.mapping.quality_classes import INSIDE, UNKNOWN
from soc_assets.reporting.findings import Finding, of_output

CHECKS = ("map_values", "map_applicable")
CHANGE_CHECKS = ("change_values", "change_applicable", "change_uncertainty")
_MOST = 600.0  # g/kg
_FEWEST = 0.5  # share inside the area of applicability below which it is worth a look


def check_map(where: str, facts: Mapping[str, Any]) -> list[Finding]:
    """Everything wrong with a map, or worth a look.

    Args:
        where: its folder.
        facts: map.json.
    """
    values, wrong = facts["statistics"]["organic_carbon"], "no cell has a value"
    if values["count"]:
        wrong = "" if 0 <= values["min"] <= values["max"] <= _MOST else f"organic carbon is {_range(values)}"
    findings = _of_values(where, "map_values", values, wrong)
    return findings + _of_applicability(where, "map_applicable", facts, values["count"], "")


def check_change(where: str, facts: Mapping[str, Any]) -> list[Finding]:
    """Everything wrong with a change between periods, or worth a look.

    Args:
        where: its folder.
        facts: change.json.
    """
    values, wrong = facts["statistics"]["change"], "no cell has a value in both periods"
    if values["count"]:
        wrong = "" if max(-values["min"], values["max"]) <= _MOST else f"organic carbon changes by {_range(values)}"
    findings = _of_values(where, "change_values", values, wrong)
    findings += _of_applicability(where, "change_applicable", facts, values["count"], " in both periods")
    if not facts["members"]:
        words = f"{facts['recipe'] or 'the model'} has no members, so nothing says how certain the change is"
        cure = "Register a model with members (an MLP ensemble or a forest) to have an interval."
        findings.append(of_output("change_uncertainty", "warning", where, words, cure))
    return findings


def _range(values: Mapping[str, Any]) -> str:
    return f"{values['min']:.3g} to {values['max']:.3g} g/kg, which no soil holds"


def _of_values(where: str, check: str, values: Mapping[str, Any], words: str) -> list[Finding]:
    """An error where there are words for it."""
    cure = "Look at the model's scores (`soc status`)."
    if not values["count"]:
        cure = "Look at quality.tif for the reason, and at the rasters of the period with `soc check`."
    return [of_output(check, "error", where, words, cure)] if words else []


def _of_applicability(where: str, check: str, facts: Mapping[str, Any], known: int, when: str) -> list[Finding]:
    """A warning where the training samples resemble few of the `known` cells with a value."""
    inside = facts["counts"][str(INSIDE)]
    if not known or inside >= _FEWEST * known or facts["counts"][str(UNKNOWN)]:
        return []
    words = f"{inside / known:.0%} of the cells are inside the area of applicability{when}"
    cure = "Elsewhere the training samples hold nothing alike: show quality.tif beside it, or sample there."
    return [of_output(check, "warning", where, words, cure)]
