"""Where fine-tuning starts: the encoder of an embedding spec, with its weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.embedding.encoder.architecture import ARCHITECTURES, SMALL
from soc_assets.embedding.layout import Layout
from soc_assets.embedding.spec import Spec
from soc_assets.errors import TrainingError
from soc_assets.settings.evaluation import Recipe

if TYPE_CHECKING:
    from soc_assets.embedding.encoder.network import SpectralEncoder

VERSION = 1  # of the code behind these fits: raise it when the numbers change
_DECISIVE = ("model", "weights", "layer", "arrangement", "t_patch_size", "image_size", "anchor")


@dataclass(frozen=True)
class Start:
    """A frozen spec, whose windows are read and whose encoder is fine-tuned, and its checkpoint (None: random)."""

    spec: Spec
    checkpoint: Path | None

    @property
    def content(self) -> dict[str, Any]:
        """What of it decides a fit, beside the windows themselves."""
        return {name: self.spec.choices[name] for name in _DECISIVE if name in self.spec.choices}

    @property
    def scenes(self) -> list[np.ndarray]:
        """Tables [count, groups] of the slots that the transformer sees together, one per number of groups."""
        layout, tables = Layout(self.spec), {}
        for scene in dict.fromkeys(layout.scene_of(band.name) for band in self.spec.bands):
            table = np.stack(layout.scene_slots(scene), axis=1)  # [lags, groups]
            tables.setdefault(table.shape[1], []).append(table)
        return [np.concatenate(parts) for parts in tables.values()]

    @property
    def neutral(self) -> np.ndarray:
        """What stands for a gap [slots, frames], which windows are relative to."""
        if self.spec.by_image:
            return np.zeros((len(self.spec.slots), self.spec.frames), np.float32)
        normalise, nothing = self.spec.choices["normalise"], np.zeros(1, np.float32)
        of = {name: float(each.apply(nothing, normalise)[0]) for name, each in self.spec.statistics.items()}
        return np.array([[of[band.name] for band in slot.bands] for slot in self.spec.slots], np.float32)

    def load(self) -> "SpectralEncoder":
        """The whole encoder, on the CPU, whatever stage the embeddings are of.

        Raises:
            CheckpointError: the checkpoint does not fit, or is gone.
        """
        from soc_assets.embedding.encoder.weights import load_weights

        choices = self.spec.choices
        return load_weights(
            self.spec.architecture,
            self.checkpoint if "sha256" in choices["weights"] else None,
            choices["weights"].get("seed", 0),
            choices["image_size"],
            "encoder",
            layer=choices["layer"],
            seen_together=Layout(self.spec).seen_together,
        ).encoder


def content_of(recipe: Recipe, start: Start | None) -> list[Any]:
    """What decides a fit on windows, beside the windows and the recipe."""
    return [VERSION, start.content if start and recipe.model == "finetune" else None]


def require_start(recipe: Recipe, start: Start | None, device: str) -> Start:
    """Where a recipe starts; refuses days of work.

    Raises:
        TrainingError: there is no encoder, or a published one would be fine-tuned without a GPU.
    """
    if start is None:
        raise TrainingError(f"The recipe {recipe.name!r} fine-tunes an encoder, and none was given.")
    model = start.spec.choices["model"]
    if device == "cpu" and model not in SMALL:
        width, depth = ARCHITECTURES[model].width, ARCHITECTURES[model].depth
        raise TrainingError(
            f"The recipe {recipe.name!r} fine-tunes {model} ({width} wide, {depth} blocks), which takes days without a "
            f"GPU. Set model = '{SMALL[0]}' in [embedding] of soc.toml, after `soc pretrain` with it; or take the "
            "recipe out of [evaluation]."
        )
    return start
