"""The command `soc figures`: figures for a publication."""

from pathlib import Path

import click

from soc_assets.cli.options import config_option, console, explained, opened
from soc_assets.reporting.figures import FORMATS

_SUBJECTS = ("rasters", "samples", "model", "evaluation", "maps")


@click.command("figures")
@config_option
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("pdf",),
    show_default=True,
    help="May be given several times.",
)
@click.option("--of", "subjects", type=click.Choice(_SUBJECTS), multiple=True, help="Only these. Default: all.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@explained
def figures(
    config: Path | None, folder: Path | None, formats: tuple[str, ...], subjects: tuple[str, ...], overwrite: bool
) -> None:
    """Write figures for a publication to FOLDER (data/figures by default): PDF, SVG, or PNG at 300 dpi.

    \b
    rasters      the latest step of each band
    samples      organic carbon, its places, the splits
    model        observed against predicted, residuals of the registered model
    evaluation   every figure of the report: scores, calibration, importance, residuals, folds
    maps         every map and change on disk

    They are those of the UI and the report, drawn again from what is on disk: fonts embedded, axes with units, rasters
    finer. Nothing is fitted. captions.md has a caption for each.
    """  # noqa: D301 - click wants the sign itself
    from soc_assets.cli import terminal
    from soc_assets.pipeline.publication import SUBJECTS, write_figures
    from soc_assets.runtime import progress

    project = opened(config)
    target = (folder or project.own / "figures").expanduser().resolve()
    with terminal.showing_progress(console), progress.of("figures"):
        written = write_figures(project, target, tuple(dict.fromkeys(formats)), subjects or SUBJECTS, overwrite)
    console.print(f"{len(written) - 1} files and their captions in {target}", soft_wrap=True, markup=False)
