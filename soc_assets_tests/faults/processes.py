"""Processes to be killed: `soc` commands, and one that writes the batches of a project."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch  # here, so that the fork server imports it once

from soc_assets.embedding import batch
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.architecture import ARCHITECTURES
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs, freeze_spec, read_inputs
from soc_assets.embedding.write import Failed, write_batches
from soc_assets.project import load_project
from soc_assets_tests.dagster_dev import REPOSITORY
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_project import SmallProject

SECONDS = 300  # after which a test gives up waiting
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


def soc(
    made: SmallProject, *arguments: str, preexec_fn: Callable[[], None] | None = None, said: Path | None = None
) -> subprocess.Popen[str]:
    """A `soc` command of a project, started; what it prints goes to pipes, or into the file `said`."""
    output = subprocess.PIPE if said is None else said.open("w")
    command = [sys.executable, "-m", "soc_assets", *arguments, "--config", str(made.config)]
    return subprocess.Popen(
        command,
        cwd=made.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        preexec_fn=preexec_fn,
        stdout=output,
        stderr=output,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and all that a process printed, once it has ended."""
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out + err


def start_writing(config: Path) -> BaseProcess:
    """A process that brings every batch up to date, in many small row groups, so that writing takes long."""
    process = _SERVER.Process(target=_write_all, args=(config,))
    process.start()
    return process


def embed_with_little_memory(folder: Path, images: int, megabytes: int | None) -> tuple[np.ndarray, int]:
    """Embed images on the CPU in a process that may take so much more memory than it has.

    Args:
        folder: of the world that is made.
        images: all are to go at once.
        megabytes: None for no limit.

    Returns:
        The vectors, and how many images went at once in the end.
    """
    process = _SERVER.Process(target=_embed, args=(folder, images, megabytes))
    process.start()
    process.join(SECONDS)
    assert process.exitcode == 0
    with np.load(folder / "embedded.npz") as found:
        return found["vectors"], int(found["at_once"])


def _embed(folder: Path, images: int, megabytes: int | None) -> None:
    torch.set_num_threads(1)
    small = replace(ARCHITECTURES["vit_base_patch8"], width=48, depth=2, heads=3)
    ARCHITECTURES["vit_base_patch8"] = small
    spec = World(folder, stage="encoder", image_size=64).spec
    encoder = load_encoder(spec, None, 0, "cpu", images_at_once=images, compiling="never")
    scene = np.random.default_rng(3).normal(size=(images, 1, 64, 64)).astype(np.float32)
    list(encoder.stream([scene[:2]]))  # whatever is made once
    if megabytes is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    vectors = np.concatenate(list(encoder.stream([scene])))
    np.savez(folder / "embedded.npz", vectors=vectors, at_once=encoder.images_at_once)


def wait_for(what: Callable[[], bool], while_running: subprocess.Popen[str] | BaseProcess | None = None) -> None:
    """Until something is so, or a process has ended."""
    end = time.monotonic() + SECONDS
    while not what():
        if isinstance(while_running, subprocess.Popen) and while_running.poll() is not None:
            return
        if isinstance(while_running, BaseProcess) and not while_running.is_alive():
            return
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> None:
    """End a process at once."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def inputs_of(config: Path) -> EmbeddingInputs:
    project = load_project(config)
    return read_inputs(project, freeze_spec(project))


def _write_all(config: Path) -> None:
    torch.set_num_threads(1)
    batch._CHUNK_BYTES = 2**20
    inputs = inputs_of(config)
    embedder = Embedder(inputs.spec, inputs.raster_index, load_encoder(inputs.spec, None, 0, "cpu"), 64)
    for written in write_batches(inputs, inputs.keys, inputs.folder, lambda: embedder):
        if isinstance(written, Failed):
            raise written.error
