"""SpectralGPT's masked autoencoder as a torch module: the encoder on visible tokens, and a small decoder on all.

Follows the official pre-training class (Hong et al., IEEE TPAMI 2024): separate learnable spatial and temporal
positions on both sides, a linear layer between them, a mask token, LayerNorm eps 1e-6. The parameters have the official
names, but for q, k and v, which are fused here; `soc_assets.pretraining.checkpoint` converts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from soc_assets.embedding.encoder.architecture import PATCH, SMALL, Architecture
from soc_assets.embedding.encoder.network import Norm, PatchEmbed, block


@dataclass(frozen=True)
class DecoderSizes:
    """Sizes of the decoder; the official ones are 512 wide, 4 blocks, 16 heads."""

    width: int = 512
    depth: int = 4
    heads: int = 16

    @classmethod
    def of(cls, model: str, width: int | None = None, depth: int | None = None) -> "DecoderSizes":
        """The sizes for a model by its name, or those that are asked for; heads are 32 numbers wide as published."""
        small = model in SMALL
        width, depth = width or (128 if small else cls.width), depth or (2 if small else cls.depth)
        heads = max(1, width // 32)
        return cls(width, depth, heads if width % heads == 0 else 1)


class MaskedAutoencoder(nn.Module):
    """Patches in, predicted patches out; only the tokens that are kept are seen."""

    def __init__(self, architecture: Architecture, decoder: DecoderSizes) -> None:
        super().__init__()
        places, groups, width = architecture.grid**2, architecture.groups, architecture.width
        self.architecture = architecture
        self.patch_embed = PatchEmbed(architecture)
        self.pos_embed_spatial = nn.Parameter(torch.zeros(1, places, width))
        self.pos_embed_temporal = nn.Parameter(torch.zeros(1, groups, width))
        self.blocks = nn.ModuleList(block(architecture) for _ in range(architecture.depth))
        self.norm = Norm(width)
        self.decoder_embed = nn.Linear(width, decoder.width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        self.decoder_pos_embed_spatial = nn.Parameter(torch.zeros(1, places, decoder.width))
        self.decoder_pos_embed_temporal = nn.Parameter(torch.zeros(1, groups, decoder.width))
        inner = Architecture(architecture.image_size, decoder.width, decoder.depth, decoder.heads)
        self.decoder_blocks = nn.ModuleList(block(inner) for _ in range(decoder.depth))
        self.decoder_norm = Norm(decoder.width)
        self.decoder_pred = nn.Linear(decoder.width, architecture.t_patch_size * PATCH**2)

    def forward(self, patches: Tensor, kept: Tensor) -> Tensor:
        """Predict all patches from those that are kept.

        Args:
            patches: [n, groups, places, k] of the first groups; k is 64 for single bands, t_patch_size * 64 for frames.
            kept: [n, m] indices of the visible tokens, group by group.

        Returns:
            [n, groups, places, t_patch_size * 64], ordered frame, row, column.
        """
        n, groups, places, _ = patches.shape
        return self.decode(self.encode(patches, kept), kept, groups).view(n, groups, places, -1)

    def encode(self, patches: Tensor, kept: Tensor) -> Tensor:
        """Normalised tokens [n, m, width] of the patches that are kept."""
        groups = patches.shape[1]
        visible = _take(patches.flatten(1, 2), kept)
        positions = _positions(self.pos_embed_spatial, self.pos_embed_temporal, groups)
        tokens = self.patch_embed.of_patches(visible) + positions[kept]
        for each in self.blocks:
            tokens = each(tokens)
        return self.norm(tokens)

    def decode(self, tokens: Tensor, kept: Tensor, groups: int) -> Tensor:
        """Predicted patches [n, groups * places, t_patch_size * 64] of encoded tokens [n, m, width]."""
        positions = _positions(self.decoder_pos_embed_spatial, self.decoder_pos_embed_temporal, groups)
        seen = self.decoder_embed(tokens)
        every = self.mask_token.to(seen.dtype).expand(len(seen), len(positions), -1)
        every = every.scatter(1, kept.unsqueeze(-1).expand(-1, -1, seen.shape[-1]), seen) + positions
        for each in self.decoder_blocks:
            every = each(every)
        return self.decoder_pred(self.decoder_norm(every))


def initialise(model: MaskedAutoencoder, seed: int) -> None:
    """Fill the weights: Xavier per matrix, also of q, k and v; N(0, 0.02) for mask token and temporal positions.

    That is what the official code does, but for the spatial positions: they are learned here too, and begin as sines
    and cosines of row and column (as those of He et al., CVPR 2022, which stay so) instead of N(0, 0.02), which took
    many times as many images until the network made use of places (docs/pretraining.md).
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if "pos_embed_spatial" in name:
                parameter.copy_(_waves(model.architecture.grid, parameter.shape[-1]))
            elif "pos_embed" in name or name == "mask_token":
                parameter.normal_(0, 0.02, generator=generator)
            elif name == "patch_embed.proj.weight":
                nn.init.xavier_uniform_(parameter.view(len(parameter), -1), generator=generator)
            elif name.endswith("qkv.weight"):
                for part in parameter.chunk(3):
                    nn.init.xavier_uniform_(part, generator=generator)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)  # norms and biases


def to_patches(frames: Tensor, together: int) -> Tensor:
    """Frames [n, f, h, w] as patches [n, groups, places, k]: one band as [n, 1, places, 64].

    Args:
        frames: one band, or a multiple of `together`.
        together: frames of a group.
    """
    n, count, height, width = frames.shape
    depth = 1 if count == 1 else together
    cut = frames.view(n, count // depth, depth, height // PATCH, PATCH, width // PATCH, PATCH)
    return cut.permute(0, 1, 3, 5, 2, 4, 6).reshape(n, count // depth, -1, depth * PATCH**2)


def from_patches(patches: Tensor, shape: torch.Size, together: int) -> Tensor:
    """Predicted patches [n, groups, places, together * 64] as images of a shape [n, frames, h, w].

    Of a single band the frames that were predicted for it are averaged.
    """
    n, count, height, width = shape
    cut = patches.view(n, -1, height // PATCH, width // PATCH, together, PATCH, PATCH)
    frames = cut.permute(0, 1, 4, 2, 5, 3, 6).reshape(n, -1, height, width)
    return frames.mean(dim=1, keepdim=True) if count == 1 else frames


def _waves(grid: int, width: int) -> Tensor:
    """Sines and cosines [1, grid * grid, width] of row and column, at wavelengths from 2 pi to 20,000 pi tokens."""
    rates = 10_000 ** -(torch.arange(-(-width // 4)) * 4 / width)
    along = torch.arange(grid)[:, None] * rates
    waves = torch.cat([along.sin(), along.cos()], dim=1)  # [grid, half]
    down, across = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    return torch.cat([down, across], dim=2).reshape(1, grid * grid, -1)[:, :, :width]


def _positions(spatial: Tensor, temporal: Tensor, groups: int) -> Tensor:
    """Joint positions [groups * places, width] of the first groups."""
    return (temporal[0, :groups, None] + spatial).flatten(0, 1)


def _take(tokens: Tensor, kept: Tensor) -> Tensor:
    return tokens.gather(1, kept.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
