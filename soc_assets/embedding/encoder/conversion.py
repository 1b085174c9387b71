"""Official keys of a checkpoint to those of the encoder, and the group size that its projection has."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from soc_assets.embedding.encoder.architecture import PATCH, Architecture
from soc_assets.embedding.encoder.checkpoint import PROJECTION
from soc_assets.embedding.encoder.positions import joined_positions, positions_of_groups
from soc_assets.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor


def as_projected(architecture: Architecture, state: dict[str, "Tensor"], path: Path) -> Architecture:
    """The architecture with the group size of the file's projection [width, 1, frames of a group, 8, 8]."""
    shape = tuple(state[PROJECTION].shape)
    if len(shape) != 5 or shape[1] != 1 or shape[3:] != (PATCH, PATCH) or not 1 <= shape[2] <= architecture.frames:
        raise CheckpointError(
            f"{path}: {PROJECTION} has the shape {list(shape)}; in a SpectralGPT model it is [width, 1, frames of a "
            f"group, {PATCH}, {PATCH}], with 1 to {architecture.frames} frames. Take a checkpoint of SpectralGPT."
        )
    if shape[0] != architecture.width:
        raise CheckpointError(
            f"{path} is {shape[0]} wide, the `model` in [embedding] of soc.toml {architecture.width}. Correct `model`."
        )
    return replace(architecture, t_patch_size=shape[2])


def convert(
    state: dict[str, "Tensor"], architecture: Architecture, path: Path, grid: int, used: int
) -> dict[str, "Tensor"]:
    """Official keys to ours: q, k, v fused, and one joint `pos_embed` [1, groups * places, width].

    Args:
        state: tensors by official key.
        architecture: whose checkpoint it should be.
        path: of the file, for messages.
        grid: tokens along the edge of the windows.
        used: groups whose positions are used; 0 where only the patch embedding is.

    Raises:
        CheckpointError: q, k or v is missing or of another shape; the positions are missing or do not fit.
    """
    state = dict(state)
    if not used:
        return state
    for key in [key for key in state if ".attn.q." in key]:
        state[key.replace(".attn.q.", ".attn.qkv.")] = _fused(state, key, path)
    separate = "pos_embed_spatial" in state and "pos_embed_temporal" in state
    if not separate and "pos_embed" not in state:
        raise CheckpointError(f"{path} has neither pos_embed nor pos_embed_spatial with pos_embed_temporal.")
    for key in ("pos_embed_spatial", "pos_embed_temporal") if separate else ("pos_embed",):
        shape = tuple(state[key].shape)
        if len(shape) != 3 or (shape[0], shape[2]) != (1, architecture.width):
            raise CheckpointError(f"{path}: {key} has the shape {list(shape)}, not [1, n, {architecture.width}].")
    if separate:
        spatial, temporal = state.pop("pos_embed_spatial"), state.pop("pos_embed_temporal")
        state["pos_embed"] = joined_positions(spatial, temporal, architecture, path)
    else:
        state["pos_embed"] = positions_of_groups(state["pos_embed"], architecture, path, grid, used)
    return state


def _fused(state: dict[str, "Tensor"], key: str, path: Path) -> "Tensor":
    """Query, key and value of a block as one matrix or vector; they are taken out of the state."""
    import torch

    parts = [key.replace(".attn.q.", f".attn.{name}.") for name in "qkv"]
    if missing := [part for part in parts if part not in state]:
        raise CheckpointError(f"{path}: {', '.join(missing)} missing beside {key}.")
    shapes = [tuple(state[part].shape) for part in parts]
    if len(set(shapes)) > 1 or not shapes[0]:
        words = ", ".join(f"{part} {list(shape)}" for part, shape in zip(parts, shapes, strict=True))
        raise CheckpointError(f"{path}: query, key and value are of unequal shape ({words}).")
    return torch.cat([state.pop(part) for part in parts])
