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
    findings = []
    values, counts = facts["statistics"]["organic_carbon"], {int(n): k for n, k in facts["counts"].items()}
    if not values["count"]:
        cure = "Look at quality.tif for the reason, and at the rasters of the period with `soc check`."
        findings.append(of_output("map_values", "error", where, "no cell has a value", cure))
    elif values["min"] < 0 or values["max"] > _MOST:
        words = f"organic carbon is {values['min']:.3g} to {values['max']:.3g} g/kg, which no soil holds"
        findings.append(of_output("map_values", "error", where, words, "Look at the model's scores (`soc status`)."))
    known = values["count"]
    if known and counts[INSIDE] < _FEWEST * known and counts[UNKNOWN] == 0:
        words = f"{counts[INSIDE] / known:.0%} of the cells are inside the area of applicability"
        cure = "Elsewhere the training samples hold nothing alike: show the map with quality.tif, or sample there."
        findings.append(of_output("map_applicable", "warning", where, words, cure))
    return findings


def check_change(where: str, facts: Mapping[str, Any]) -> list[Finding]:
    """Everything wrong with a change between periods, or worth a look.

    Args:
        where: its folder.
        facts: change.json.
    """
    findings = []
    values, counts = facts["statistics"]["change"], {int(n): k for n, k in facts["counts"].items()}
    if not values["count"]:
        cure = "Look at quality.tif of both maps for the reason, and at the rasters of the periods with `soc check`."
        findings.append(of_output("change_values", "error", where, "no cell has a value at both periods", cure))
    elif max(-values["min"], values["max"]) > _MOST:
        words = f"organic carbon changes by {values['min']:.3g} to {values['max']:.3g} g/kg, which no soil holds"
        findings.append(of_output("change_values", "error", where, words, "Look at the model's scores (`soc status`)."))
    known = values["count"]
    if known and counts[INSIDE] < _FEWEST * known and counts[UNKNOWN] == 0:
        words = f"{counts[INSIDE] / known:.0%} of the cells are inside the area of applicability at both periods"
        cure = "Elsewhere the training samples hold nothing alike: show the change with its quality.tif."
        findings.append(of_output("change_applicable", "warning", where, words, cure))
    if not facts["members"]:
        words = f"{facts['recipe'] or 'the model'} has no members, so nothing says how certain the change is"
        cure = "Register a model with members (an MLP ensemble or a forest) to have an interval."
        findings.append(of_output("change_uncertainty", "warning", where, words, cure))
    return findings
