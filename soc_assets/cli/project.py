"""Commands about a project as such: init, settings."""

import os
import shlex
from pathlib import Path

import click

from soc_assets.cli.options import console, explained
from soc_assets.scaffold.project_files import EXAMPLES, write_scaffold
from soc_assets.settings.toml_file import CONFIG_VARIABLE


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
        console.print(f"written  {made.folder / name}", soft_wrap=True, markup=False)
    for name in made.kept:
        console.print(f"kept     {made.folder / name} (it was there)", soft_wrap=True, markup=False)
    if demo:
        from soc_assets.cli.inputs import report_demo
        from soc_assets.project import load_project

        report_demo(load_project(made.folder / "soc.toml"))
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    where = "data.md says where its data come from; then: " if example else "Next: "
    console.print(f"{where}{there}{'soc run' if demo else 'soc check'}", soft_wrap=True, markup=False)
    if named := os.environ.get(CONFIG_VARIABLE):
        words = (
            f"{CONFIG_VARIABLE} is set: commands use {named}, wherever they are called. Unset it to use this project."
        )
        click.secho(words, fg="yellow", err=True)


@click.command()
def settings() -> None:
    """Print every setting of soc.toml with its type, default and meaning, as Markdown."""
    from soc_assets.settings.reference import reference

    click.echo(reference())
