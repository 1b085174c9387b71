"""What `soc map --change` says before it starts and when it is done."""

from collections.abc import Iterator

from rich.table import Table

from soc_assets.mapping.change.changes import change_folder, require_maps, wanted_changes
from soc_assets.mapping.change.classes import CAUTION, LESS, MORE, NOT_KNOWN
from soc_assets.mapping.change.files import read_change, state_of_change
from soc_assets.mapping.inputs import MapInputs


def plan(inputs: MapInputs) -> Iterator[str]:
    """How much there is to do.

    Raises:
        MapError: there is no map of one of the periods.
    """
    changes = wanted_changes(inputs.project)
    require_maps(inputs, changes)
    yield f"Model     {inputs.registered.uri}: {inputs.registered.recipe} on {inputs.registered.features}"
    for change in changes:
        tiles = "1 tile" if len(inputs.places) == 1 else f"{len(inputs.places):,} tiles"
        words = f"{inputs.cells:,} cells in {tiles}; {state_of_change(inputs, change)}"
        yield f"Change    {change.after} minus {change.before}: {words}"


def table(inputs: MapInputs) -> Table:
    """What the changes hold."""
    made = Table(
        *("change", "mean g/kg", "5 %", "median", "95 %", "decrease beyond", "increase beyond", "inside area", "cells")
    )
    for change in wanted_changes(inputs.project):
        found = read_change(change_folder(inputs, change))
        if found is None:
            continue
        facts = found.facts
        values, counts = facts["statistics"]["change"], facts["counts"]
        numbers = [""] * 4
        if values["count"]:
            quantiles = values["quantiles"]
            numbers = [f"{value:+.2f}" for value in (values["mean"], *(quantiles[q] for q in ("0.05", "0.5", "0.95")))]
        beyond = {int(number): cells for number, cells in facts["beyond_uncertainty"].items()}
        known = values["count"] - beyond[NOT_KNOWN]
        shares = [f"{beyond[number] / known:.1%}" if known else "unknown" for number in (LESS, MORE)]
        inside = f"{counts['0'] / (counts['0'] + counts['1']):.1%}" if counts["0"] + counts["1"] else "unknown"
        made.add_row(f"{change.after} minus {change.before}", *numbers, *shares, inside, f"{values['count']:,}")
    return made


def where_to_look(inputs: MapInputs) -> Iterator[str]:
    """Folders of the changes, and what they cannot say."""
    for change in wanted_changes(inputs.project):
        yield f"Change {change.after} minus {change.before}: {change_folder(inputs, change)}"
    yield CAUTION
