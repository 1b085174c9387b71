"""Weights for the encoder: from a SpectralGPT checkpoint, or random ones from a seed.

Both layouts of the official checkpoints are converted (joint `pos_embed`, or `pos_embed_spatial` with
`pos_embed_temporal`), and no key is silently missing or left over. How many frames make a group is as the file's
projection has it. Reading a file safely is in `checkpoint_file`, finding the model in it in `checkpoint`.
"""

import hashlib
import math
import re
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.embedding.encoder.architecture import PATCH, Architecture
from soc_assets.embedding.encoder.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from soc_assets.embedding.encoder.conversion import as_projected, convert
from soc_assets.embedding.encoder.positions import interpolate_positions
from soc_assets.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from soc_assets.embedding.encoder.network import SpectralEncoder

# Of the checkpoint, but not of the encoder: decoder and mask token of the pre-training, the classification head, the
# count of an average of weights.
IGNORED = ("decoder", "mask_token", "head.", "fc_norm.", "n_averaged")
_QKV = re.compile(r"\.attn\.[qkv]\.")


@dataclass(frozen=True)
class LoadedWeights:
    """A ready encoder and a report about its weights.

    Attributes:
        encoder: in evaluation mode, on the CPU, without gradients.
        label: `random (seed 42)` or `pretrained (file name)`.
        sha256: of the checkpoint file, or of the random weights' bytes.
        report: keys loaded, ignored and interpolated, and notes: what was unwrapped, and what in the file is not used.
    """

    encoder: "SpectralEncoder"
    label: str
    sha256: str
    report: dict[str, list[str]]


def load_weights(
    architecture: Architecture,
    checkpoint: Path | None,
    seed: int,
    image_size: int,
    stage: str,
    drop_path: float = 0.0,
    layer: int | None = None,
    seen_together: int | None = None,
) -> LoadedWeights:
    """Build the encoder for windows of `image_size` pixels and fill it; only the required blocks.

    Args:
        architecture: sizes of the model, and of the images that its checkpoints were made for; the group size is that
            of the checkpoint's projection.
        checkpoint: the file; None draws weights from `seed`.
        seed: of random weights.
        image_size: of the windows, pixels.
        stage: `patch_embed` or `encoder`.
        drop_path: rate of the blocks.
        layer: the last block; None takes all.
        seen_together: groups of frames that an image fills; None takes all of the model.

    Raises:
        CheckpointError: the file is missing, unsafe, not a checkpoint, or does not fit the architecture; or weights
            that are used are not finite.
    """
    from soc_assets.embedding.encoder.network import SpectralEncoder

    depth = 0 if stage == "patch_embed" else layer or architecture.depth
    if checkpoint is None:
        encoder = SpectralEncoder(replace(architecture, image_size=image_size), drop_path, depth)
        sha256 = _fill_at_random(encoder, seed)
        label, report = f"random (seed {seed})", {"loaded": [], "ignored": [], "interpolated": [], "notes": []}
    else:
        model = open_checkpoint(checkpoint)
        fitting = as_projected(architecture, model.tensors, checkpoint)
        used = 0 if not depth else fitting.groups if seen_together is None else seen_together
        _require_groups(fitting, used, checkpoint)
        encoder = SpectralEncoder(replace(fitting, image_size=image_size), drop_path, depth)
        report = _fill_from(encoder, model, fitting, used, checkpoint)
        if fitting != architecture:
            words = f"groups of {fitting.t_patch_size} frames, as in its projection"
            report["notes"].append(f"{words} (the model's own are of {architecture.t_patch_size})")
        with checkpoint.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        label = f"pretrained ({checkpoint.name})"
    return LoadedWeights(encoder.eval().requires_grad_(False), label, sha256, report)


def frames_per_group(checkpoint: Path, architecture: Architecture) -> int:
    """How many frames a checkpoint's projection takes together: t_patch_size as the file has it.

    Raises:
        CheckpointError: see `load_weights`.
    """
    return as_projected(architecture, read_checkpoint(checkpoint), checkpoint).t_patch_size


def _require_groups(architecture: Architecture, used: int, path: Path) -> None:
    if used > architecture.groups:
        raise CheckpointError(
            f"{path} takes {architecture.t_patch_size} frames together, which makes {architecture.groups} groups of "
            f"{architecture.frames} frames; an image fills {used}. Stack fewer bands, or set "
            'arrangement = "expand" in [embedding] of soc.toml.'
        )


def _fill_from(
    encoder: "SpectralEncoder", model: Checkpoint, architecture: Architecture, used: int, path: Path
) -> dict[str, list[str]]:
    """Fill the encoder from a checkpoint whose positions are for images of the architecture's size; the report."""
    target, depth, interpolated = encoder.architecture, len(encoder.blocks), []
    state = convert(model.tensors, architecture, path, target.grid, used)
    wanted, positions = encoder.state_dict(), state.get("pos_embed")
    if depth and positions is not None:  # they are there: `convert` looks at them
        interpolated = [] if positions.shape[1] == target.groups * target.grid**2 else ["pos_embed"]
        state["pos_embed"] = interpolate_positions(positions, target.groups, target.grid)
    else:
        wanted.pop("pos_embed").fill_(float("nan"))  # not zeros, which nobody would notice
    left_over = sorted(set(state) - set(wanted))
    unexpected = [key for key in left_over if not _is_unused(key, depth, target.depth)]
    missing = sorted(set(wanted) - set(state))
    misshapen = [key for key in wanted if key in state and wanted[key].shape != state[key].shape]
    for problem, keys in (("lacks", missing), ("has unknown keys", unexpected), ("has other shapes in", misshapen)):
        if keys:
            more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
            raise CheckpointError(f"{path} does not fit `model` in soc.toml: it {problem} {', '.join(keys[:5])}{more}.")
    _require_finite(_used_tensors(model.tensors, positions, wanted, target.groups, used), path)
    encoder.load_state_dict({key: state[key].float() for key in wanted}, strict=bool(depth))
    ignored = [*left_over, *model.outside]
    return {"loaded": sorted(wanted), "ignored": ignored, "interpolated": interpolated, "notes": model.notes}


def _is_unused(key: str, depth: int, blocks: int) -> bool:
    """Whether a key that is left over belongs to parts that are not built; stage `patch_embed` builds one alone."""
    if not depth:
        return not key.startswith("patch_embed.")
    later = (*(f"blocks.{index}." for index in range(depth, blocks)), "norm.") if depth < blocks else ()
    return key.startswith((*IGNORED, *later))


def _require_finite(used: dict[str, "Tensor"], path: Path) -> None:
    """Refuse NaN and infinity in tensors, by official key."""
    import torch

    found = {key: int((~torch.isfinite(tensor.float())).sum()) for key, tensor in used.items()}
    words = [f"{key} ({count:,} of {used[key].numel():,})" for key, count in found.items() if count]
    if words:
        more = f" and {len(words) - 5} more" if len(words) > 5 else ""
        raise CheckpointError(
            f"{path} holds numbers that are not finite (NaN or infinity) in {', '.join(words[:5])}{more}, so every "
            "embedding would be NaN. The training that wrote it had diverged: take an earlier checkpoint."
        )


def _used_tensors(
    official: dict[str, "Tensor"], positions: "Tensor | None", loaded: Container[str], groups: int, used: int
) -> dict[str, "Tensor"]:
    """The tensors that embeddings depend on, by official key; of the joint positions those of the groups in use."""
    found = {key: value for key, value in official.items() if _QKV.sub(".attn.qkv.", key) in loaded}
    found.pop("pos_embed", None)
    if positions is None or not used:
        return found
    if "pos_embed_spatial" in official and "pos_embed_temporal" in official:
        spatial, temporal = official["pos_embed_spatial"], official["pos_embed_temporal"][:, :used]
        return found | {"pos_embed_spatial": spatial, "pos_embed_temporal": temporal}
    return found | {"pos_embed": positions[:, : positions.shape[1] // groups * used]}


def _fill_at_random(encoder: "SpectralEncoder", seed: int) -> str:
    """Fill each parameter from its own stream (seed, name), so that parts do not depend on each other; its sha256."""
    import torch

    hashed = hashlib.sha256()
    for name, parameter in sorted(encoder.named_parameters()):
        stream = np.random.Generator(
            np.random.PCG64([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])])
        )
        shape = tuple(parameter.shape)
        if name == "patch_embed.proj.weight":  # torch's own range for this convolution
            bound = 1 / math.sqrt(encoder.architecture.t_patch_size * PATCH * PATCH)
            values = stream.uniform(-bound, bound, shape)
        elif "norm" in name:
            values = np.ones(shape) if name.endswith("weight") else np.zeros(shape)
        elif name.endswith("bias"):
            values = np.zeros(shape)
        else:
            values = 0.02 * stream.standard_normal(shape)
        values = values.astype(np.float32)
        hashed.update(values.tobytes())
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values))
    return hashed.hexdigest()
