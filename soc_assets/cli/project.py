"""`soc init`: a new project."""

from pathlib import Path

import click

from soc_assets.cli.options import console, explained
from soc_assets.scaffold.project_files import EXAMPLES, write_scaffold


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--demo", is_flag=True, help="Write the synthetic region of `soc demo`, too.")
@click.option("--example", type=click.Choice(EXAMPLES), help="The settings of a real study, and where its data are.")
@explained
def init(folder: Path, demo: bool, example: str | None) -> None:
    """Begin a project in FOLDER (this one by default): soc.toml, data folders, README, files for Dagster and git.

    What is there already stays as it is: no file is written over.
    """
    if demo and example:
        raise click.UsageError("--demo and --example cannot be combined: an example has data of its own.")
    made = write_scaffold(folder, example)
    for name in made.written:
        console.print(f"written  {made.folder / name}", soft_wrap=True)
    for name in made.kept:
        console.print(f"kept     {made.folder / name} (it was there)", soft_wrap=True)
    if demo:
        from soc_assets.cli.inputs import report_demo
        from soc_assets.project import load_project

        report_demo(load_project(made.folder / "soc.toml"))
    there = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    then = "soc run" if demo else "soc check"
    where = "data.md says where its rasters and profiles come from; then: " if example else "Next: "
    console.print(f"{where}{there}{then}", soft_wrap=True)
