"""A pre-training in one process: built from the project, trained or gone on with, and written."""

import json
import logging
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import torch

from soc_assets import __version__
from soc_assets.embedding.encoder.architecture import ARCHITECTURES, SMALL
from soc_assets.pretraining.check import parameters_of, shortages, supply_of
from soc_assets.pretraining.checkpoint import frames_of_start, start_from, write_checkpoint
from soc_assets.pretraining.held_out import HeldOut, draw_held_out
from soc_assets.pretraining.inputs import (
    NAME,
    architecture_of,
    figures_of,
    output_of,
    read_region,
    require_device,
    require_start,
    start_of,
)
from soc_assets.pretraining.network import DecoderSizes, MaskedAutoencoder, initialise
from soc_assets.pretraining.plots import loss_curve
from soc_assets.pretraining.run import Job, Run, begin, resume, steps_of
from soc_assets.pretraining.schedule import PUBLISHED_RATE, SMALL_RATE
from soc_assets.pretraining.summary import FACTS, in_words, picture_of
from soc_assets.pretraining.train import prepared, pretrain, take_step
from soc_assets.pretraining.windows import WindowSampler
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.runtime.device import resolve_device
from soc_assets.storage import files
from soc_assets.storage.vouching import vouch

_log = logging.getLogger(__name__)
# What is written beside the weights: not time and machine, so that the same weights are the same file.
_MADE_OF = ("model", "image_size", "arrangement", "normalise", "images_seen")
_TRIED = 3  # steps that an estimate takes, the first of which warms up


@dataclass(frozen=True)
class Session:
    """Everything of a pre-training in this process: the run, its data and what is held out."""

    run: Run
    job: Job
    sampler: WindowSampler
    held_out: list[HeldOut]


def open_session(project: Project, rank: int = 0, world: int = 1) -> Session:
    """Build the network and the sampler, on this process's device.

    Raises:
        SettingsError: the device is not there, or the model is too large for it.
        CheckpointError: the checkpoint to start from does not fit.
    """
    settings, embedding = project.settings.pretraining, project.settings.embedding
    device = resolve_device(embedding.device)
    if device.type == "cuda" and world > 1:
        device = torch.device("cuda", rank)
    require_device(project, device.type)
    start, published = require_start(project), ARCHITECTURES[embedding.model]
    together = frames_of_start(start, published) if start else published.t_patch_size
    architecture = replace(published, image_size=embedding.image_size, t_patch_size=together)
    model = MaskedAutoencoder(architecture, _decoder_of(project))
    initialise(model, settings.seed)
    for note in start_from(model, start, published) if start else ():
        _log.info("start: %s", note)
    job = Job(settings, _peak(project), together, device, rank, world, embedding.normalise == "image")
    sampler = WindowSampler(read_region(project), embedding.cache_mb // world, settings.seed)
    return Session(begin(model, job), job, sampler, draw_held_out(sampler, job) if rank == 0 else [])


def seconds_needed(project: Project, inputs: str) -> tuple[float, float]:
    """About how long the steps that are left will take, and images per second; some steps are taken, and timed.

    Of several processes the part of one is timed, on the first device. Reading rasters counts where they do not fit in
    [embedding] cache_mb; otherwise it happens once, while the device computes.
    """
    world = project.settings.pretraining.processes
    session = open_session(project)
    resume(session.run, state_of(project, inputs))
    left, run = session.job.steps - session.run.step, begin(deepcopy(session.run.model), session.job)
    part = session.job.settings.model_copy(update={"batch_size": session.job.settings.batch_size // world})
    job, supply = replace(session.job, settings=part), supply_of(project, read_table(project.catalog, project))
    read_each_time = supply.pixels * 5 > project.settings.embedding.cache_mb * 2**20  # a number and a gap
    took = []
    for step in range(_TRIED):
        begun = perf_counter()
        windows = session.sampler.training(step, job.settings.batch_size)
        since = begun if read_each_time else perf_counter()
        take_step(run, run.model, prepared(windows, step, job), job)
        took.append(perf_counter() - since)
    del session, run
    if job.device.type == "cuda":
        torch.cuda.empty_cache()
    return min(took[1:]) * left, part.batch_size * world / min(took[1:])


def describe(project: Project) -> Iterator[str]:
    """Model, data and length, a line each."""
    settings, embedding, region = project.settings.pretraining, project.settings.embedding, read_region(project)
    start = start_of(project)
    begins = f"from {start}" if start else "from random weights"
    yield f"Model     {embedding.model}, {parameters_of(architecture_of(project)):,} parameters, {begins}"
    rasters = sum(len(scenes) for scenes in region.scenes.values())
    size, block = embedding.image_size, region.held_out
    height, width = block.bottom - block.top, block.right - block.left
    yield (
        f"Data      {rasters:,} images of the region ({len(region.scenes)} bands or groups), windows of {size} "
        f"x {size} pixels; held out: {height} x {width} pixels"
    )
    supply = supply_of(project, read_table(project.catalog, project))
    yield f"Supply    {supply.words}"
    for words, cure in shortages(supply, settings):
        yield f"Warning   {words}. {cure}"
    yield f"To do     {steps_of(settings):,} steps of {settings.batch_size} images"


def train(project: Project, inputs: str, session: Session) -> None:
    """Train, or go on where an interrupted run of the same inputs was, and write checkpoint, pictures and table."""
    state = state_of(project, inputs)
    resume(session.run, state)
    pretrain(session.run, session.job, session.sampler, session.held_out, state, partial(_log_evaluation, session.job))
    if session.job.rank == 0:
        write_result(project, inputs, session)


def state_of(project: Project, inputs: str) -> Path:
    """Where the state of a run that is not finished is saved."""
    return project.scratch / "pretraining" / f"{inputs}.pt"


def write_result(project: Project, inputs: str, session: Session) -> None:
    """Write checkpoint and figures, and the table last, which vouches for them; the state is removed."""
    run, path, table = session.run, output_of(project), project.results / f"{NAME}.parquet"
    facts, curve = _facts(project, session), pd.DataFrame(run.curve)
    write_checkpoint(path, run.weights, {key: facts[key] for key in _MADE_OF})
    figures = figures_of(project)
    for name, png in {"loss": loss_curve(curve), "reconstructions": picture_of(session)}.items():
        with files.replacing(figures[name]) as temporary:
            temporary.write_bytes(png)
    stored = {files.INPUTS: inputs, FACTS: json.dumps(facts), **vouch(table, [path])}
    files.write_table(table, curve, stored)
    state = state_of(project, inputs)
    if state.is_file():
        files.remove(state)


def _log_evaluation(job: Job, run: Run) -> None:
    _log.info("step %d: %s", run.step, in_words(pd.DataFrame(run.curve), job.by_image))


def _decoder_of(project: Project) -> DecoderSizes:
    settings = project.settings.pretraining
    return DecoderSizes.of(project.settings.embedding.model, settings.decoder_width, settings.decoder_blocks)


def _peak(project: Project) -> float:
    settings = project.settings.pretraining
    usual = SMALL_RATE if project.settings.embedding.model in SMALL else PUBLISHED_RATE
    return (settings.base_learning_rate or usual) * settings.batch_size / 256


def _facts(project: Project, session: Session) -> dict[str, Any]:
    run, job, embedding = session.run, session.job, project.settings.embedding
    return {
        "model": embedding.model,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "image_size": embedding.image_size,
        "arrangement": embedding.arrangement,
        "normalise": embedding.normalise,
        "images_seen": run.step * job.settings.batch_size,
        "steps": run.step,
        "seconds": round(run.seconds, 1),
        "device": torch.cuda.get_device_name(job.device) if job.device.type == "cuda" else f"{job.device}",
        "version": __version__,
    }
