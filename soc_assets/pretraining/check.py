"""What `soc check` and `soc pretrain` say beforehand: how much there is to learn from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.embedding.encoder.architecture import PATCH, Architecture
from soc_assets.geo.grid import Grid, box_on
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.pretraining.inputs import NAME, architecture_of
from soc_assets.project import Project
from soc_assets.reporting.findings import Finding, Severity
from soc_assets.settings.pretraining import Pretraining

_OVERLAP = 1000  # times that each pixel is seen, cropped and flipped anew, before more hardly helps


@dataclass(frozen=True)
class Supply:
    """What the rasters of the bands hold.

    Attributes:
        rasters: their number.
        pixels: valid ones, of the reference grid.
        windows: that do not overlap, of the size of [embedding].
        parameters: of the encoder.
    """

    rasters: int
    pixels: int
    windows: float
    parameters: int

    @property
    def words(self) -> str:
        """In a sentence."""
        return (
            f"{self.rasters:,} rasters with {self.pixels:,} valid pixels hold {self.windows:,.0f} windows that do not "
            "overlap"
        )


def supply_of(project: Project, catalog: pd.DataFrame) -> Supply:
    """What a pre-training can learn from, in pixels of the reference grid; a file's layer counts once."""
    size, grid = project.settings.embedding.image_size, reference_grid(catalog, project.settings.rasters)
    once = catalog.drop_duplicates(["path", "layer"])
    pixels = 0.0
    for row in once.to_dict("records"):
        box = np.clip(box_on(grid, Grid.of_row(row)), 0, [grid.height, grid.width] * 2)
        pixels += float((box[2] - box[0]) * (box[3] - box[1])) * float(row["valid_share"] or 0)
    return Supply(len(once), round(pixels), pixels / size**2, parameters_of(architecture_of(project)))


def parameters_of(architecture: Architecture) -> int:
    """Parameters of an encoder with separate positions: patch embedding, positions, blocks, norm."""
    width, inner = architecture.width, round(architecture.width * architecture.mlp_ratio)
    patch = architecture.t_patch_size * PATCH**2 * width + width
    block = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    return patch + (architecture.grid**2 + architecture.groups) * width + architecture.depth * block + 2 * width


def pretraining_findings(project: Project, catalog: pd.DataFrame) -> list[Finding]:
    """A note of how much there is, and warnings of too little; nothing where no pre-training is meant.

    It is meant where soc.toml has a table [pretraining], or names its result as the checkpoint.
    """
    settings, checkpoint = project.settings.pretraining, project.settings.embedding.checkpoint or ""
    named = checkpoint.endswith(f"{NAME}.pth")
    if not (settings.model_fields_set or named):
        return []
    supply = supply_of(project, catalog)
    found = [_finding("note", supply.words, "")]
    return [*found, *(_finding("warning", words, cure) for words, cure in shortages(supply, settings))]


def shortages(supply: Supply, settings: Pretraining) -> list[tuple[str, str]]:
    """What is too little for the model or the length, each with what to do about it."""
    found = []
    if supply.parameters > supply.pixels:
        found.append(
            (
                f"the encoder has {supply.parameters:,} parameters, more than the rasters have valid pixels "
                f"({supply.pixels:,}): it can learn them by heart",
                "Take a smaller `model` in [embedding] of soc.toml, or add rasters of other years.",
            )
        )
    if settings.images > _OVERLAP * max(supply.windows, 1):
        times = settings.images / max(supply.windows, 1)
        found.append(
            (
                f"{settings.images:,} images show each pixel {times:,.0f} times, as the rasters hold "
                f"{supply.windows:,.0f} windows that do not overlap",
                "Watch the held-out loss: where it stops falling the run stops ([pretraining] patience). More years or "
                "bands help, more images do not.",
            )
        )
    return found


def _finding(severity: Severity, words: str, cure: str) -> Finding:
    return Finding("pretraining", severity, "pre-training", "", "", words, cure, acceptable=False)
