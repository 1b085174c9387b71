"""What of the settings decides the numbers of an embedding: the choices that a spec is found by."""

from pathlib import Path
from typing import Any

from soc_assets.embedding.encoder.architecture import ARCHITECTURES
from soc_assets.embedding.spec import VERSION
from soc_assets.errors import CheckpointError, SettingsError
from soc_assets.settings import Channel
from soc_assets.settings.loading import Settings
from soc_assets.storage import digest

OWN_CHECKPOINT = "pretrained_encoder.pth"  # that a pre-training writes


def choices_of(settings: Settings, checkpoint: Path | None) -> dict[str, Any]:
    """The settings that decide the numbers; hashes the checkpoint.

    Raises:
        CheckpointError: the checkpoint does not exist.
    """
    embedding, study, rasters = settings.embedding, settings.study, settings.rasters
    if checkpoint and not checkpoint.is_file():
        make = "Run `soc pretrain`, which makes it" if checkpoint.name == OWN_CHECKPOINT else "Put the file there"
        raise CheckpointError(
            f"The checkpoint {checkpoint} does not exist. {make}, or correct `checkpoint` in [embedding] "
            "of soc.toml (without that line the weights are random)."
        )
    _require_fit(settings)
    decisive = (
        *("model", "stage", "layer", "pooling", "anchor"),
        *("arrangement", "image_size", "normalise", "precision", "storage"),
    )
    return {
        **{name: getattr(embedding, name) for name in decisive},
        "weights": {"sha256": digest.of_file(checkpoint, 64)} if checkpoint else {"seed": embedding.weights_seed},
        "reference": rasters.reference,
        "bands": [_deciding(channel) for channel in rasters.channels],
        **({"grid": rasters.grid.model_dump(mode="json")} if rasters.grid else {}),
        "min_valid_fraction": rasters.min_valid_fraction,
        "time_before": study.time_before,
        "first_lag": study.first_lag,
        "seasonal": rasters.seasonal,
        "version": VERSION,
    }


def with_group_size(choices: dict[str, Any], checkpoint: Path | None) -> dict[str, Any]:
    """The choices with `t_patch_size`, frames of a group, where that of the checkpoint is not the architecture's.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is not of this architecture.
    """
    if checkpoint is None:
        return choices
    from soc_assets.embedding.encoder.weights import frames_per_group

    architecture = ARCHITECTURES[choices["model"]]
    frames = frames_per_group(checkpoint, architecture)
    return choices if frames == architecture.t_patch_size else {**choices, "t_patch_size": frames}


def _deciding(channel: Channel) -> dict[str, Any]:
    """What of a band decides the numbers, its files apart; what was added later only where it is set."""
    always = channel.model_dump(mode="json", include={"name", "kind", "resampling", "fill_values"})
    added = channel.model_dump(mode="json", include={"valid_range", "value", "scale", "offset"}, exclude_none=True)
    return always | added


def _require_fit(settings: Settings) -> None:
    """Refuse a layer or a stack of bands that the architecture has no room for."""
    embedding, architecture = settings.embedding, ARCHITECTURES[settings.embedding.model]
    if embedding.layer is not None and (embedding.stage != "encoder" or embedding.layer > architecture.depth):
        raise SettingsError(
            f"layer = {embedding.layer} in [embedding] of soc.toml: it needs stage = 'encoder' and a number from 1 to "
            f"{architecture.depth}, the blocks of {embedding.model}."
        )
    timed = [band for band in settings.rasters.channels if band.kind != "static"]
    if embedding.arrangement == "stack" and (len(timed) > architecture.frames or len({b.kind for b in timed}) > 1):
        raise SettingsError(
            f"arrangement = 'stack' in [embedding] of soc.toml takes at most {architecture.frames} bands with time, "
            f"all yearly or all seasonal; there are {len(timed)}, {', '.join(sorted({band.kind for band in timed}))}."
        )
