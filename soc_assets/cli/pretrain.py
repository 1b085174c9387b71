"""The command `soc pretrain`: says what it will do and how long it will take, pre-trains, and says what came of it."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soc_assets.cli.options import config_option, console, explained, opened
from soc_assets.errors import SocError

if TYPE_CHECKING:
    from soc_assets.project import Project

_LONG = 12 * 3600  # seconds that are not spent without asking


@click.command()
@config_option
@click.option("--images", type=click.IntRange(min=1), help="Length: images seen. Default: [pretraining] images.")
@click.option("--yes", is_flag=True, help="Also where it takes longer than 12 hours, or a published model has no GPU.")
@explained
def pretrain(config: Path | None, images: int | None, yes: bool) -> None:
    """Pre-train an encoder on windows of your own rasters, without labels.

    By SpectralGPT's objective: most tokens of a window are hidden, and the network predicts them. Writes a checkpoint,
    data/results/pretrained_encoder.pth, that `checkpoint` in [embedding] takes, with a loss curve and pictures of
    reconstructions. Says first how long it will take. One that was interrupted goes on where it was.

    Without a GPU set model = "vit_tiny_patch8" in [embedding]: half an hour on two cores is some 250,000 images.
    """
    given = {"IMAGES": images, "ON_CPU": "true" if yes else None}
    os.environ.update({f"SOC_PRETRAINING__{name}": str(value) for name, value in given.items() if value is not None})
    from soc_assets.cli import runner, terminal
    from soc_assets.pretraining.inputs import NAME

    project = opened(config)
    runner.use_project(project, config)
    own = terminal.own_console(console)
    with terminal.showing_progress(own):
        before = runner.run(project, "raster_catalog")
    if before.failures:
        raise SocError("\n".join(before.failures))
    _announce(project, yes)
    with terminal.showing_progress(own):
        outcome = runner.run(project, NAME)
    if outcome.failures:
        raise SocError("\n".join(outcome.failures))
    if not outcome.launched:
        console.print("The encoder is fresh: nothing was computed.")
    _tell(project)
    if images is not None:
        words = f"Set images = {images} in [pretraining] of soc.toml, or the encoder counts as stale by what it says."
        console.print(words, soft_wrap=True, markup=False)


def _announce(project: "Project", yes: bool) -> None:
    """What is to do and how long it will take, unless it is done.

    Raises:
        SocError: it would take very long.
    """
    from soc_assets.pipeline.freshness import assess_results
    from soc_assets.pretraining.inputs import NAME, pretraining_inputs

    if any(item.asset == NAME and item.fresh for item in assess_results(project)):
        return
    from soc_assets.pretraining.session import describe, seconds_needed, state_of
    from soc_assets.runtime import gpus

    inputs = pretraining_inputs(project)
    on_gpu = project.settings.embedding.device != "cpu"
    with gpus.lent(count=project.settings.pretraining.processes) if on_gpu else nullcontext("cpu") as device:
        for line in describe(project):
            console.print(line, soft_wrap=True, markup=False)
        seconds, rate = seconds_needed(project, inputs)
    words = f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
    left = ", of what an interrupted run has left" if state_of(project, inputs).is_file() else ""
    console.print(f"Time      about {words}: {rate:,.0f} images/s on {device}{left}", soft_wrap=True, markup=False)
    if seconds > _LONG and not yes:
        raise SocError(
            f"That is {seconds / 3600:,.0f} hours. Lower `images` in [pretraining] of soc.toml (or --images), take a "
            "smaller `model` in [embedding], or confirm with --yes."
        )


def _tell(project: "Project") -> None:
    """What the network reaches, and what to do with it."""
    from soc_assets.pretraining.inputs import NAME, figures_of, output_of
    from soc_assets.pretraining.summary import in_words, read_summary

    curve, facts = read_summary(project.results / f"{NAME}.parquet")
    console.print(in_words(curve, facts.get("normalise") == "image"), soft_wrap=True, markup=False)
    console.print(
        f"{facts['images_seen']:,} images in {facts['seconds'] / 60:,.1f} min on {facts['device']}", markup=False
    )
    path = output_of(project)
    shown = path.relative_to(project.root) if path.is_relative_to(project.root) else path
    for line in (
        f"Pictures  {figures_of(project)['reconstructions']}, {figures_of(project)['loss'].name}",
        f'Use it    checkpoint = "{shown}" in [embedding] of soc.toml, then `soc run`; whether it helps says '
        "`soc run --to encoder_comparison`.",
    ):
        console.print(line, soft_wrap=True, markup=False)
