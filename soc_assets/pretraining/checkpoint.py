"""Weights of a masked autoencoder in SpectralGPT's pre-training layout, and back; the same tensors give the same bytes.

The official code loads what is written here: a dict with `model`, whose keys and shapes are those of the published
pre-training class, q, k and v apart, decoder and mask token included.
"""

import io
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from soc_assets.embedding.encoder.architecture import Architecture
from soc_assets.embedding.encoder.checkpoint import open_checkpoint
from soc_assets.embedding.encoder.conversion import as_projected, convert
from soc_assets.embedding.encoder.positions import interpolate_positions
from soc_assets.errors import CheckpointError
from soc_assets.pretraining.network import MaskedAutoencoder
from soc_assets.storage import files

_DECODER = ("decoder", "mask_token")
_FUSED = re.compile(r"(.*\.attn\.)qkv\.(weight|bias)")


def official_state(state: Mapping[str, Tensor]) -> "OrderedDict[str, Tensor]":
    """Official keys: each fused q, k, v in three."""
    found: OrderedDict[str, Tensor] = OrderedDict()
    for key, value in state.items():
        value = value.detach().cpu().float()
        if match := _FUSED.fullmatch(key):
            for name, part in zip("qkv", value.chunk(3), strict=True):
                found[f"{match[1]}{name}.{match[2]}"] = part.clone()
        else:
            found[key] = value.clone()
    return found


def write_checkpoint(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write the file atomically.

    Args:
        path: of the file.
        state: of the network, by its own keys.
        facts: plain values that say how it was made, under the key `soc`.
    """
    content = io.BytesIO()  # not a path: torch writes the file's name into the file
    torch.save({"model": official_state(state), "epoch": 0, "soc": dict(facts)}, content)
    with files.replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def start_from(model: MaskedAutoencoder, path: Path, published: Architecture) -> list[str]:
    """Fill a network from a checkpoint in either published layout; returns what is worth knowing, in sentences.

    A file without a decoder of the same sizes leaves the decoder as it is. Joint positions are split into their means
    over groups (spatial) and what is left of their means over places (temporal). Positions of another size of image are
    interpolated.

    Args:
        model: whose weights are set already; its groups of frames are those of the file (`frames_of_start`).
        path: of the checkpoint.
        published: whose checkpoint it should be, with the size of image that it was made for.

    Raises:
        CheckpointError: the file does not fit the encoder, or holds values that are not finite.
    """
    opened = open_checkpoint(path)
    given = dict(opened.tensors)
    published = as_projected(published, given, path)
    separate = {key: given[key] for key in ("pos_embed_spatial", "pos_embed_temporal") if key in given}
    grid = model.architecture.grid
    state = convert(given, published, path, grid, published.groups)
    joint = state.pop("pos_embed")
    state |= separate if len(separate) == 2 else _separated(joint, published)
    for key in ("pos_embed_spatial", "decoder_pos_embed_spatial"):
        if key in state:
            state[key] = interpolate_positions(state[key].float(), 1, grid)
    own = model.state_dict()
    kept = [key for key in own if key not in state or state[key].shape != own[key].shape]
    if wrong := [key for key in kept if not key.startswith(_DECODER)]:
        raise CheckpointError(
            f"{path} does not fit the `model` in [embedding] of soc.toml: it lacks {', '.join(wrong[:5])}, or has them "
            "in other shapes. Correct `model`, or leave `start` in [pretraining] away."
        )
    if kept:  # half of a decoder is worse than a new one
        kept = [key for key in own if key.startswith(_DECODER)]
    taken = {key: state[key].float() for key in own if key not in kept}
    if odd := [key for key, value in taken.items() if not bool(value.isfinite().all())]:
        raise CheckpointError(
            f"{path} has values that are not finite in {', '.join(odd[:5])}: its training ended in NaN. Take another."
        )
    model.load_state_dict({**own, **taken})
    new = [f"{path.name} has no decoder of this size: the decoder begins with new weights"] if kept else []
    return [*opened.notes, *new]


def frames_of_start(path: Path, published: Architecture) -> int:
    """Frames of a group, as the projection of a checkpoint has them."""
    return as_projected(published, dict(open_checkpoint(path).tensors), path).t_patch_size


def _separated(joint: Tensor, architecture: Architecture) -> dict[str, Tensor]:
    """Spatial and temporal positions whose sums are nearest to joint ones [1, groups * places, width]."""
    each = joint.view(architecture.groups, -1, joint.shape[-1]).float()
    groups = each[~each.isnan().any(dim=2).any(dim=1)]
    spatial = groups.mean(dim=0, keepdim=True)
    temporal = (each - spatial).mean(dim=1)[None].nan_to_num(0.0)
    return {"pos_embed_spatial": spatial, "pos_embed_temporal": temporal}
