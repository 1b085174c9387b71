"""Commands about new points: predict."""

from pathlib import Path

import click

from soc_assets.commands.options import config_option, console, explained
from soc_assets.hosts import open_project


@click.command()
@config_option
@click.argument("points", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: POINTS_predicted.csv.")
@click.option("--version", "number", help="Of the registered model. Default: the champion, or else the newest.")
@explained
def predict(config: Path | None, points: Path, output: Path | None, number: str | None) -> None:
    """Predict organic carbon at the points of a CSV file, with an interval.

    POINTS needs longitude and latitude (WGS84 degrees) and, where bands have time, a date or a year. The rasters round
    each point are read and embedded as the model's own samples were. Columns added: predicted, lower, upper (g/kg),
    dissimilarity and applicable (whether the model was shown anything like it), missing_images.
    """
    from soc_assets import files, progress, terminal
    from soc_assets.defs.registered import load_registered
    from soc_assets.defs.resources import tracking_of
    from soc_assets.prediction import predict_points, read_points

    project = open_project(config)
    table = read_points(points)
    registered = load_registered(tracking_of(project), number)
    with terminal.showing_progress(console):
        found = predict_points(project, table, registered, lambda *now: progress.emit("predict", *now))
    target = output or points.with_name(f"{points.stem}_predicted.csv")
    with files.replacing(target) as temporary:
        found.to_csv(temporary, index=False)
    outside = int((found["applicable"] == "no").sum())
    console.print(
        f"{len(found)} points by {registered.uri}, {outside} outside its area of applicability: {target}",
        soft_wrap=True,
    )
