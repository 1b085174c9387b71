"""What decides a pre-trained encoder: the rasters, what an image is, and the settings of the training."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from soc_assets.embedding.encoder.architecture import ARCHITECTURES, SMALL, Architecture
from soc_assets.embedding.spec import Spec, pooled_statistics
from soc_assets.embedding.spec_choices import OWN_CHECKPOINT, choices_of
from soc_assets.errors import CheckpointError, EmbeddingError, SettingsError
from soc_assets.pretraining.region import Region, region_of
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.index import RasterIndex
from soc_assets.storage import digest

NAME = "pretrained_encoder"  # of the asset, its table and its checkpoint
VERSION = "1"  # of the code: raise it when the weights change
_ELSEWHERE = {"processes", "accumulate", "checkpoint_steps", "on_cpu"}  # do not decide the weights
_IMAGES = ("model", "image_size", "anchor", "arrangement", "normalise")


def pretraining_inputs(project: Project) -> str:
    """Digest of everything that decides the weights."""
    settings = project.settings
    rasters = read_table(project.catalog, project)
    start = start_of(project)
    return digest.of_inputs(
        VERSION,
        settings.pretraining.model_dump(mode="json", exclude={*_ELSEWHERE, "start"}),
        digest.of_file(start) if start and start.is_file() else None,
        settings.embedding.model_dump(mode="json", include=set(_IMAGES)),
        settings.rasters.model_dump(mode="json", include={"reference", "grid", "min_valid_fraction"}),
        [band.deciding() for band in settings.rasters.channels],
        _contents(rasters),
    )


def _contents(rasters: pd.DataFrame) -> list[list[str]]:
    """Band, step, layer and content of every raster; in the order of the files, by which overlapping tiles are laid."""
    ordered = rasters.sort_values(["band", "year", "season", "path", "layer"])
    return ordered[["band", "year", "season", "layer", "digest"]].astype(str).to_numpy().tolist()


def read_region(project: Project) -> Region:
    """The scenes to learn from, normalised by the statistics of today's rasters.

    Raises:
        EmbeddingError: the rasters are not catalogued.
        SettingsError: the rasters are not normalised.
    """
    settings = project.settings
    if not project.catalog.is_file():
        raise EmbeddingError(f"{project.catalog} does not exist: materialise raster_catalog first (`soc run`).")
    if settings.embedding.normalise == "none":
        raise SettingsError(
            "normalise = 'none' in [embedding] of soc.toml: an encoder cannot learn from raw values, among which the "
            "band with the largest numbers counts alone. Set 'band', or 'image' as SpectralGPT was trained."
        )
    catalog = read_table(project.catalog, project)
    random = settings.model_copy(update={"embedding": settings.embedding.model_copy(update={"checkpoint": None})})
    spec = Spec(choices_of(random, None), pooled_statistics(catalog), "")
    index = RasterIndex.of_catalog(catalog, spec.bands, spec.choices["reference"], spec.grid)
    chosen = settings.pretraining
    return region_of(spec, index, chosen.held_out, chosen.seed)


def architecture_of(project: Project) -> Architecture:
    """The encoder's sizes, for windows of [embedding] image_size."""
    embedding = project.settings.embedding
    return replace(ARCHITECTURES[embedding.model], image_size=embedding.image_size)


def start_of(project: Project) -> Path | None:
    """The checkpoint to go on from, whether it is there or not, or None."""
    given = project.settings.pretraining.start
    return project.path(given) if given else None


def require_start(project: Project) -> Path | None:
    """The checkpoint to go on from, or None.

    Raises:
        CheckpointError: it does not exist.
    """
    path, given = start_of(project), project.settings.pretraining.start or ""
    if "://" in given:
        raise CheckpointError(
            f"`start` in [pretraining] of soc.toml is {given}: copy the file here, and name the copy."
        )
    if path and path.resolve() == output_of(project).resolve():
        raise CheckpointError(
            f"`start` in [pretraining] of soc.toml is {path}, which the pre-training itself writes. Copy the file, for "
            "example to data/checkpoints, and name the copy."
        )
    if path and not path.is_file():
        raise CheckpointError(
            f"The checkpoint {path} does not exist. Put the file there, or correct `start` in [pretraining] of "
            "soc.toml (without that line the pre-training starts from random weights)."
        )
    return path


def output_of(project: Project) -> Path:
    """The checkpoint that is written."""
    return project.results / OWN_CHECKPOINT


def figures_of(project: Project) -> dict[str, Path]:
    """The pictures that are written beside it."""
    return {name: project.results / f"{NAME}_{name}.png" for name in ("loss", "reconstructions")}


def require_device(project: Project, device: str) -> None:
    """Refuse days of work that nobody has asked for.

    Raises:
        SettingsError: a published architecture would be trained without a GPU.
    """
    model = project.settings.embedding.model
    if device == "cpu" and model not in SMALL and not project.settings.pretraining.on_cpu:
        raise SettingsError(
            f"Pre-training {model} without a GPU takes days: it sees some 8 images a second on two cores. Set model = "
            f"'{SMALL[0]}' in [embedding] of soc.toml; or say that you mean it: `soc pretrain --yes`, or on_cpu = true "
            "in [pretraining]."
        )
