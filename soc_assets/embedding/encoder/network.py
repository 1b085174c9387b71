"""SpectralGPT's encoder as a torch module: patch embedding, position embedding, transformer blocks, norm.

Follows the official fine-tuning class (Hong et al., IEEE TPAMI 2024): no class token, one joint position embedding over
groups x places, LayerNorm eps 1e-6. Blocks are timm's, with fused q/k/v and scaled-dot-product attention. Loading
weights is in `weights`, sizes are in `architecture`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from soc_assets.embedding.encoder.architecture import PATCH, Architecture
from soc_assets.embedding.encoder.torchvision_ops import declare_missing_operators


class PatchEmbed(nn.Module):
    """Frames [n, frames, h, w] to tokens [n, groups, places, width] by a convolution over patches of frames."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        size = (architecture.t_patch_size, PATCH, PATCH)
        self.proj = nn.Conv3d(1, architecture.width, kernel_size=size, stride=size)

    def forward(self, frames: Tensor) -> Tensor:
        """All groups of frames."""
        tokens = self.proj(frames.unsqueeze(1))  # [n, width, groups, h/8, w/8]
        return tokens.flatten(3).permute(0, 2, 3, 1)  # [n, groups, places, width]

    def expanded(self, patches: Tensor) -> Tensor:
        """Patches [..., 64] of single bands to tokens [..., width], as if each band were t_patch_size equal frames.

        The frames are equal, so the kernel may be summed over time; and as this is linear, the mean of tokens is the
        token of the mean patch.
        """
        kernel = self.proj.weight.sum(dim=2).flatten(1)  # [width, 64]
        return nn.functional.linear(patches, kernel, self.proj.bias)

    def of_patches(self, patches: Tensor) -> Tensor:
        """Patches [..., frames * 64] of one band, or of a whole group of frames, to tokens [..., width]."""
        if patches.shape[-1] == PATCH * PATCH:
            return self.expanded(patches)
        return nn.functional.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class Norm(nn.LayerNorm):
    """Layer norm with the official epsilon."""

    def __init__(self, width: int, **options: Any) -> None:
        super().__init__(width, **{"eps": 1e-6, **options})


class SpectralEncoder(nn.Module):
    """The encoder; `depth` 0 leaves only the patch embedding, and short of all blocks there is no final norm."""

    def __init__(self, architecture: Architecture, drop_path: float = 0.0, depth: int | None = None) -> None:
        super().__init__()
        depth = architecture.depth if depth is None else depth
        rates = [drop_path * index / max(depth - 1, 1) for index in range(depth)]
        self.architecture = architecture
        self.patch_embed = PatchEmbed(architecture)
        self.pos_embed = nn.Parameter(torch.zeros(1, architecture.groups * architecture.grid**2, architecture.width))
        self.blocks = nn.ModuleList(block(architecture, rate) for rate in rates)
        self.norm = Norm(architecture.width) if depth == architecture.depth else nn.Identity()

    def forward(self, frames: Tensor) -> Tensor:
        """Frames [n, frames, h, w] to normalised tokens [n, groups * places, width]."""
        return self.transform(self.patch_embed(frames))

    def grouped(self, frames: Tensor) -> Tensor:
        """Single bands [n, 1, h, w], or frames [n, groups * t_patch_size, h, w], to tokens [n, groups, places, width].

        A single band is expanded to equal frames. Without blocks these are the tokens of the patch embedding.
        """
        n, count = frames.shape[:2]
        if count == 1:
            tokens = self.patch_embed.expanded(to_patches(frames[:, 0])).unsqueeze(1)
        else:
            tokens = self.patch_embed(frames)
        return self.transform(tokens).view(n, -1, *tokens.shape[2:]) if len(self.blocks) else tokens

    def transform(self, tokens: Tensor) -> Tensor:
        """Tokens [n, groups, places, width] (the first groups) jointly through positions, blocks and norm."""
        _, groups, places, width = tokens.shape
        grid = self.architecture.grid
        positions = self.pos_embed.view(1, self.architecture.groups, grid * grid, width)[:, :groups]
        tokens = (tokens + positions[:, :, :places]).flatten(1, 2)  # [n, groups * places, width]
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


def to_patches(images: Tensor) -> Tensor:
    """Images [n, h, w] cut into patches [n, places, 64], row-major."""
    n, height, width = images.shape
    patches = images.view(n, height // PATCH, PATCH, width // PATCH, PATCH).transpose(2, 3)
    return patches.reshape(n, -1, PATCH * PATCH)


def block(architecture: Architecture, drop_path: float = 0.0) -> nn.Module:
    """A transformer block; timm takes seconds to import, and the patch embedding alone does without."""
    declare_missing_operators()
    from timm.models.vision_transformer import Block

    width, heads, ratio = architecture.width, architecture.heads, architecture.mlp_ratio
    return Block(width, heads, ratio, True, drop_path=drop_path, norm_layer=Norm)
