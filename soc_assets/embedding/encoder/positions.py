"""Position embeddings of a checkpoint: which groups of frames they are for, and interpolating them to another window.

The number of positions alone does not say how many groups there are: 144 may be one group of 12 x 12 or four of 6 x 6.
So they are read as groups of the size of image that the model, the windows or a published checkpoint has, and never
silently as more or fewer groups than the model's. Groups that a checkpoint lacks are NaN, so that they cannot be used.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from soc_assets.embedding.encoder.architecture import ARCHITECTURES, Architecture
from soc_assets.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

_PUBLISHED = tuple(dict.fromkeys(known.grid for known in ARCHITECTURES.values()))  # tokens along an edge


def joined_positions(spatial: "Tensor", temporal: "Tensor", architecture: Architecture, path: Path) -> "Tensor":
    """Separate positions [1, places, width] and [1, groups, width] as joint ones [1, groups * places, width].

    Raises:
        CheckpointError: there are not as many temporal rows as the model has groups, or the places form no square.
    """
    rows, groups, places = temporal.shape[1], architecture.groups, spatial.shape[1]
    if rows != groups:
        raise CheckpointError(
            f"{path}: pos_embed_temporal has {_counted(rows, 'row')}, one per group of frames; "
            f"{_of_model(architecture)}. Correct `model` in [embedding] of soc.toml, or take a checkpoint of this one."
        )
    if math.isqrt(places) ** 2 != places:
        raise CheckpointError(f"{path}: the {places} positions of pos_embed_spatial do not form a square.")
    return (temporal.unsqueeze(2) + spatial.unsqueeze(1)).flatten(1, 2)


def positions_of_groups(joint: "Tensor", architecture: Architecture, path: Path, grid: int, used: int) -> "Tensor":
    """Joint positions [1, tokens, width] as [1, groups * places, width] of the model's groups.

    Args:
        joint: of the checkpoint.
        architecture: whose checkpoint it should be.
        path: of the file, for messages.
        grid: tokens along the edge of the windows.
        used: groups whose positions are used.

    Raises:
        CheckpointError: they are those of another number of groups, or of none.
    """
    import torch

    tokens, groups = joint.shape[1], architecture.groups
    found, edge = _read(tokens, architecture, grid)
    if found == groups:
        return joint
    if not found:
        raise CheckpointError(f"{path}: {tokens} positions do not form {groups} square groups. Correct `model`.")
    if found == 1 and used <= 1:
        lacking = torch.full((1, (groups - 1) * tokens, joint.shape[2]), torch.nan, dtype=joint.dtype)
        return torch.cat([joint, lacking], dim=1)
    first = ', or set arrangement = "expand" there, which uses the first group alone' if found == 1 else ""
    raise CheckpointError(
        f"{path}: pos_embed holds the {tokens} positions of {_counted(found, 'group')} of {edge} x {edge}; "
        f"{_of_model(architecture)}. Correct `model` in [embedding] of soc.toml, take a checkpoint of this one{first}."
    )


def _read(tokens: int, architecture: Architecture, grid: int) -> tuple[int, int]:
    """Groups and tokens along the edge of each; (0, 0) where the number of positions fits nothing."""
    groups = architecture.groups
    if tokens == groups * architecture.grid**2:
        return groups, architecture.grid
    for edge in (architecture.grid, grid, *_PUBLISHED):
        if tokens % edge**2 == 0:
            return tokens // edge**2, edge
    edge = math.isqrt(tokens // groups)
    return (groups, edge) if groups * edge**2 == tokens else (0, 0)


def _of_model(architecture: Architecture) -> str:
    frames, together = architecture.frames, architecture.t_patch_size
    return f"the model has {_counted(architecture.groups, 'group')} ({frames} frames, {together} in each)"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def interpolate_positions(pos_embed: "Tensor", groups: int, grid: int) -> "Tensor":
    """Position embeddings [1, groups * m * m, width] as [1, groups * grid * grid, width], bicubic per group."""
    import torch

    _, tokens, width = pos_embed.shape
    edge = math.isqrt(tokens // groups)
    if edge == grid:
        return pos_embed
    places = pos_embed.view(groups, edge, edge, width).permute(0, 3, 1, 2)
    places = torch.nn.functional.interpolate(places, size=(grid, grid), mode="bicubic", align_corners=False)
    return places.permute(0, 2, 3, 1).reshape(1, groups * grid * grid, width)
