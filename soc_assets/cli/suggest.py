"""The command `soc suggest`: where the next samples should be taken."""

from pathlib import Path

import click

from soc_assets.cli.options import FiniteRange, config_option, console, explained, opened
from soc_assets.errors import SocError

_SHOWN = 10


@click.command()
@config_option
@click.option("--count", type=click.IntRange(min=1), default=50, show_default=True, help="How many sites.")
@click.option("--year", type=int, help="Whose rasters are read. Default: that of the newest map, or [map] years.")
@click.option("--season", type=click.Choice(["winter", "spring", "summer", "autumn"]), help="Default: [map] season.")
@click.option(
    "--minimum-distance",
    type=FiniteRange(min=0),
    help="Metres between two sites. Default: half of what there would be if they were spread evenly.",
)
@click.option(
    "--by",
    type=click.Choice(["both", "dissimilarity"]),
    default="both",
    show_default=True,
    help="Unlike the samples alone, or times the width of the interval.",
)
@click.option(
    "--places", type=click.IntRange(min=1), help="Places to compare. Default: 2000, or 400 where a transformer runs."
)
@click.option("--version", "number", help="Of the registered model. Default: [map] model, the champion, or the newest.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: data/results/sites.csv."
)
@explained
def suggest(
    config: Path | None,
    count: int,
    year: int | None,
    season: str | None,
    minimum_distance: float | None,
    by: str,
    places: int | None,
    number: str | None,
    output: Path | None,
) -> None:
    """Suggest where the next samples should be taken.

    Compares one place of each square of the region ([map] region, or that of the study): its middle, or, where there is
    a map of the year, the cell that the map knows least about. The first site is the place that is least like the
    samples of the registered model and has the widest interval; it then counts as sampled, and the next is chosen.
    Writes a ranked table (CSV), the same as points (GeoJSON) and a picture (PNG).
    """
    from soc_assets.cli import suggestion_report, terminal
    from soc_assets.mapping.suggestion.inputs import suggestion_inputs
    from soc_assets.mapping.suggestion.sites import suggest_sites
    from soc_assets.mapping.suggestion.write import write_suggestion
    from soc_assets.runtime import progress
    from soc_assets.storage import files
    from soc_assets.tracking.registered import load_registered
    from soc_assets.tracking.store import tracking_of

    project = opened(config)
    target = output or project.own / "results" / "sites.csv"
    if target.suffix.lower() != ".csv":
        raise SocError(f"--output {target}: sites are written as CSV. Name a file that ends in .csv.")
    target.parent.mkdir(parents=True, exist_ok=True)
    files.require_writable(target, "--output")
    registered = load_registered(tracking_of(project), number or project.settings.map.model)
    inputs, period = suggestion_inputs(project, registered, year, season)
    with terminal.showing_progress(console), progress.of("suggest"):
        found = suggest_sites(
            inputs, period, count, "both" if by == "both" else "dissimilarity", minimum_distance, places
        )
    written = write_suggestion(found, target)
    console.print(suggestion_report.table(found, _SHOWN))
    said = suggestion_report.lines(found, inputs, period, count)
    for line in [*said, *(f"Written: {path}" for path in written)]:
        console.print(line, soft_wrap=True, markup=False)
