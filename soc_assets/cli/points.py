"""Commands about new points: predict."""

from pathlib import Path

import click

from soc_assets.cli.options import config_option, console, explained
from soc_assets.errors import SocError
from soc_assets.project import open_project


@click.command()
@config_option
@click.argument("points", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: POINTS_predicted.csv.")
@click.option("--version", "number", help="Of the registered model. Default: the champion, or else the newest.")
@click.option("--crs", help="CRS of the coordinates, for example EPSG:25832. Default: the layer's own, or WGS84.")
@click.option("--layer", help="Sheet or layer with the points, where several have some.")
@click.option("--separator", help="Between the fields of a CSV file. Default: , ; or tab.")
@click.option("--decimal", type=click.Choice([",", "."]), help="Default: a comma, too, unless commas part the fields.")
@click.option("--encoding", help="Of a CSV file. Default: UTF-8 or UTF-16, else Windows-1252.")
@click.option("--date-format", help="For example %d/%m/%Y. Default: ISO and day first.")
@explained
def predict(
    config: Path | None, points: Path, output: Path | None, number: str | None, layer: str | None, **how: str | None
) -> None:
    """Predict organic carbon at the points of a table, with an interval.

    POINTS is read as soil tables are: CSV, TSV, XLSX, XLS, Parquet, GeoPackage, GeoJSON or a shapefile, with longitude
    and latitude (or points), and a date or a year where bands have time; seasonal bands need a date. The rasters round
    each point are read and embedded as the model's own samples were. Columns added: predicted, lower, upper (g/kg),
    dissimilarity, applicable (yes, no or unknown: whether the model was trained on anything similar), missing_images,
    reason (why there is no prediction) and model (name and version, such as models:/soc_mlp/1).
    """
    from soc_assets.cli import terminal
    from soc_assets.cli.prediction_report import report
    from soc_assets.geo.reference_grid import reference_grid
    from soc_assets.mapping.points import beside, predict_values, read_points
    from soc_assets.reporting.as_text import csv_safe
    from soc_assets.runtime import progress
    from soc_assets.storage import files
    from soc_assets.tracking.registered import load_registered
    from soc_assets.tracking.store import tracking_of

    target = output or points.with_name(f"{points.stem}_predicted.csv")
    if target.suffix.lower() != ".csv":
        raise SocError(f"--output {target}: predictions are written as CSV. Name a file that ends in .csv.")
    files.require_writable(target, "--output")
    project = open_project(config)
    with terminal.showing_progress(console), progress.of("points"):
        table = read_points(points, project.settings.soil, layer, **how)
    registered = load_registered(tracking_of(project), number)
    with terminal.showing_progress(console), progress.of("predict"):
        found = predict_values(project, table, registered)
    with files.replacing(target, "--output") as temporary:
        csv_safe(beside(table, found, registered.uri)).to_csv(temporary, index=False)
    grid = reference_grid(files.read_table(project.catalog), project.settings.rasters)
    for line in [*report(table, found, registered.uri, grid), f"Written: {target}"]:
        console.print(line, soft_wrap=True, markup=False)
    if found["predicted"].isna().all():
        click.secho("No point could be predicted; the column `reason` says why.", fg="yellow", err=True)
