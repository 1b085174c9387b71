"""Commands about the finished maps: view."""

from pathlib import Path

import click

from soc_assets.cli.options import config_option, console, explained
from soc_assets.errors import SocError
from soc_assets.project import open_project


@click.command()
@config_option
@click.option("--port", type=click.IntRange(1, 65535), default=3001, show_default=True)
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page as one HTML file instead, at preview resolution.",
)
@click.option("--with-samples", is_flag=True, help="Put the samples' coordinates into the file, too.")
@explained
def view(config: Path | None, port: int, target: Path | None, with_samples: bool) -> None:
    """Show the maps in a browser: layers, periods, samples, and what lies behind the value of a cell.

    The page is served on this machine only (127.0.0.1) and asks nobody else for anything. With --export it becomes a
    file of less than 10 MB that can be sent to anybody; the terms of LUCAS forbid publishing the coordinates of its
    samples, which are left out unless --with-samples is given.
    """
    from soc_assets.runtime import ports
    from soc_assets.serving.maps import find_maps

    if with_samples and target is None:
        raise SocError("--with-samples goes with --export FILE.html: the page of `soc view` has the samples anyway.")
    if target is not None and target.suffix.lower() not in (".html", ".htm"):
        raise SocError(f"--export {target}: the page is written as HTML. Name a file that ends in .html.")
    project = open_project(config)
    if not find_maps(project.data):
        raise SocError(f"There is no map in {project.data / 'maps'}: run `soc map` first.")
    if target is not None:
        from soc_assets.cli import terminal
        from soc_assets.runtime import progress
        from soc_assets.serving.export import export

        with terminal.showing_progress(console), progress.of("export"):
            written = export(project, target, with_samples)
        console.print(f"{written / 1e6:,.1f} MB in {target}", soft_wrap=True, markup=False)
        return
    from soc_assets.serving.server import serve

    with ports.bind(port) as listening:
        listening.listen(128)
        console.print(f"The maps are at http://127.0.0.1:{port} (Ctrl+C ends)")
        serve(project, listening)
