"""What `soc map` says before it starts and when it is done."""

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from soc_assets.mapping.assemble import map_folder, read_map
from soc_assets.mapping.inputs import MapInputs, missing_steps
from soc_assets.mapping.lattice import of_key


def due(inputs: MapInputs) -> list[str]:
    """The tiles that are missing or stale."""
    return [key for key, state in inputs.states().items() if state != "fresh"]


def time_needed(inputs: MapInputs, keys: list[str]) -> str:
    """How long the tiles will take; measures a few cells.

    Args:
        inputs: with the loaded model.
        keys: the tiles, at least one.

    Raises:
        TrainingError: the model was fitted on other features than the project makes.
    """
    from soc_assets.mapping.engine.engines import engine_for
    from soc_assets.mapping.estimate import estimate
    from soc_assets.mapping.fitting import require_fitting_model

    require_fitting_model(inputs)
    found = estimate(inputs, keys, engine_for(inputs))
    words = f"{found.seconds:,.0f} s" if found.seconds < 90 else f"{found.seconds / 60:,.0f} min"
    return f"Time      about {words}, from {found.cells:,} cells of {found.tile} ({found.engine})"


def plan(inputs: MapInputs) -> Iterator[str]:
    """How much there is to do."""
    model, to_do = inputs.registered, due(inputs)
    cells = sum(int(inputs.places[of_key(key)[1]].sum()) for key in to_do)
    yield f"Model     {model.uri}: {model.recipe} on {model.features}; embeddings with weights: {model.weights}"
    height, width = inputs.lattice.shape
    step, periods = inputs.lattice.step, ", ".join(map(str, inputs.periods))
    coarse = f", one per {step} x {step} pixels" if step > 1 else ""
    yield f"Map       {width} x {height} cells{coarse}, {inputs.cells:,} of them wanted; {periods}"
    yield f"To do     {len(to_do)} of {len(inputs.keys)} tiles: {cells:,} cells, {inputs.images(to_do):,} images"
    for period in inputs.periods:
        if missing := missing_steps(inputs, period):
            share = len(missing) / len(inputs.rasters(period))
            yield f"Missing   {period}: {len(missing)} images ({share:.0%}) have no raster: {', '.join(missing)}"


def tables(inputs: MapInputs) -> Iterator[Table]:
    """What the maps hold."""
    values = Table("map", "mean g/kg", "5 %", "median", "95 %", "inside area", "cells with value")
    classes = Table("map", "quality", "cells", "share")
    for period in inputs.periods:
        found = read_map(map_folder(inputs, period))
        if found is None:
            continue
        facts = found.facts
        carbon, counts = facts["statistics"]["organic_carbon"], facts["counts"]
        numbers = ["", "", "", ""]
        if carbon["count"]:
            quantiles = carbon["quantiles"]
            numbers = [f"{value:.2f}" for value in (carbon["mean"], *(quantiles[q] for q in ("0.05", "0.5", "0.95")))]
        known = counts["0"] + counts["1"]
        inside = f"{counts['0'] / known:.1%}" if known else "unknown"
        values.add_row(facts["period"], *numbers, inside, f"{carbon['count']:,}")
        total = sum(counts.values())
        for number, cells in counts.items():
            if cells:
                classes.add_row(facts["period"], facts["classes"][number], f"{cells:,}", f"{cells / total:.1%}")
    yield values
    yield classes


def where_to_look(inputs: MapInputs) -> Iterator[str]:
    """Folders of the maps."""
    for period in inputs.periods:
        yield f"Map of {period}: {map_folder(inputs, period)}"


def zonal_tables(inputs: MapInputs, zones: Path, name_column: str | None = None) -> Iterator[str]:
    """Write the figures of every map by polygon; yields where they are.

    Args:
        inputs: whose maps are there.
        zones: a file of polygons; see `zonal_table`.
        name_column: with their names.
    """
    from soc_assets.mapping.zones import write_zonal_table

    for period in inputs.periods:
        yield f"Zones of {period}: {write_zonal_table(map_folder(inputs, period), zones, name_column)} (view map_zones)"
