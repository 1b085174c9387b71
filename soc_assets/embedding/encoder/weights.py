"""Weights for the encoder: from a SpectralGPT checkpoint, or random ones from a seed.

Both layouts of the official checkpoints are converted (joint `pos_embed`, or `pos_embed_spatial` with
`pos_embed_temporal`), and no key is silently missing or left over. Files are read with `weights_only=True`:
a checkpoint cannot run code.
"""

import argparse
import hashlib
import math
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.embedding.encoder.architecture import PATCH, Architecture
from soc_assets.embedding.encoder.positions import interpolate_positions, joined_positions, positions_of_groups
from soc_assets.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from soc_assets.embedding.encoder.network import SpectralEncoder

# Of the checkpoint, but not of the encoder: the decoder of the pre-training, its mask token, the classification head.
IGNORED = ("decoder", "mask_token", "head.", "fc_norm.")


@dataclass(frozen=True)
class LoadedWeights:
    """A ready encoder and a report about its weights.

    Attributes:
        encoder: in evaluation mode, on the CPU, without gradients.
        label: `random (seed 42)` or `pretrained (file name)`.
        sha256: of the checkpoint file, or of the random weights' bytes.
        report: keys loaded, ignored and interpolated.
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
        architecture: sizes of the model, and of the images that its checkpoints were made for.
        checkpoint: the file; None draws weights from `seed`.
        seed: of random weights.
        image_size: of the windows, pixels.
        stage: `patch_embed` or `encoder`.
        drop_path: rate of the blocks.
        layer: the last block; None takes all.
        seen_together: groups of frames that an image fills; None takes all of the model.

    Raises:
        CheckpointError: the file is missing, unsafe, not a checkpoint, or does not fit the architecture.
    """
    from soc_assets.embedding.encoder.network import SpectralEncoder

    target = replace(architecture, image_size=image_size)
    depth = 0 if stage == "patch_embed" else layer or architecture.depth
    encoder = SpectralEncoder(target, drop_path, depth)
    if checkpoint is None:
        sha256 = _fill_at_random(encoder, seed)
        label, report = f"random (seed {seed})", {"loaded": [], "ignored": [], "interpolated": []}
    else:
        used = architecture.groups if seen_together is None else seen_together
        state = convert(read_checkpoint(checkpoint), architecture, checkpoint, target.grid, used if depth else 0)
        report = _fill_from(encoder, state, target, depth, checkpoint)
        with checkpoint.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        label = f"pretrained ({checkpoint.name})"
    return LoadedWeights(encoder.eval().requires_grad_(False), label, sha256, report)


def read_checkpoint(path: Path) -> dict[str, "Tensor"]:
    """The model's tensors by key, from a `.pth` file or `.safetensors`."""
    import torch

    if not path.is_file():
        raise CheckpointError(
            f"The checkpoint {path} does not exist. Put the file there, or correct `checkpoint` in [embedding] of "
            "soc.toml (without that line the weights are random)."
        )
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise CheckpointError(
                f"The checkpoint {path} is not a safetensors file: {error}. Download it again."
            ) from None
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"The checkpoint {path} was refused: {reason} Only tensors and plain values are read from it; "
            "nothing in it was run. Download it again from where the authors publish it."
        ) from None
    state = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no model: expected a dict of tensors, or one under the key 'model'.")
    return state


def convert(
    state: dict[str, "Tensor"], architecture: Architecture, path: Path, grid: int, used: int
) -> dict[str, "Tensor"]:
    """Official keys to ours: q, k, v fused, and one joint `pos_embed` [1, groups * places, width].

    Args:
        state: tensors by official key.
        architecture: whose checkpoint it should be.
        path: of the file, for messages.
        grid: tokens along the edge of the windows.
        used: groups whose positions are looked at.
    """
    import torch

    state = dict(state)
    for key in [key for key in state if ".attn.q." in key]:
        parts = [key.replace(".attn.q.", f".attn.{name}.") for name in "qkv"]
        if missing := [part for part in parts if part not in state]:
            raise CheckpointError(f"{path}: {', '.join(missing)} missing beside {key}.")
        state[key.replace(".attn.q.", ".attn.qkv.")] = torch.cat([state.pop(part) for part in parts])
    separate = "pos_embed_spatial" in state and "pos_embed_temporal" in state
    if not separate and "pos_embed" not in state:
        raise CheckpointError(f"{path} has neither pos_embed nor pos_embed_spatial with pos_embed_temporal.")
    width = state["pos_embed_spatial" if separate else "pos_embed"].shape[-1]
    if width != architecture.width:
        raise CheckpointError(
            f"{path} is {width} wide, the `model` in [embedding] of soc.toml {architecture.width}. Correct `model`."
        )
    if separate:
        spatial, temporal = state.pop("pos_embed_spatial"), state.pop("pos_embed_temporal")
        state["pos_embed"] = joined_positions(spatial, temporal, architecture, path)
    else:
        state["pos_embed"] = positions_of_groups(state["pos_embed"], architecture, path, grid, used)
    return state


def _fill_from(
    encoder: "SpectralEncoder", state: dict[str, "Tensor"], target: Architecture, depth: int, path: Path
) -> dict[str, list[str]]:
    tokens = state["pos_embed"].shape[1]
    interpolated = [] if tokens == target.groups * target.grid**2 else ["pos_embed"]
    state["pos_embed"] = interpolate_positions(state["pos_embed"], target.groups, target.grid)
    wanted = encoder.state_dict()
    unused = tuple(f"blocks.{index}." for index in range(depth, target.depth))
    unused += ("norm.",) if depth < target.depth else ()
    left_over = sorted(set(state) - set(wanted))
    unexpected = [key for key in left_over if not key.startswith((*IGNORED, *unused))]
    missing = sorted(set(wanted) - set(state))
    misshapen = [key for key in wanted if key in state and wanted[key].shape != state[key].shape]
    for problem, keys in (("lacks", missing), ("has unknown keys", unexpected), ("has other shapes in", misshapen)):
        if keys:
            more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
            raise CheckpointError(f"{path} does not fit `model` in soc.toml: it {problem} {', '.join(keys[:5])}{more}.")
    loaded = {key: state[key].float() for key in wanted if key in state}
    encoder.load_state_dict(loaded)
    return {"loaded": sorted(loaded), "ignored": left_over, "interpolated": interpolated}


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
