"""From the middles of windows to a few numbers per image: a transformer or convolutions, and a summary per slot.

LoRA after Hu et al. (ICLR 2022), on queries and values; the learned updates are added to the weights once trained.
"""

import math
from abc import ABC, abstractmethod
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.embedding.encoder.architecture import middle_tokens
from soc_assets.embedding.encoder.network import Norm
from soc_assets.pretraining.network import to_patches
from soc_assets.regression.finetuning.start import Start
from soc_assets.settings.evaluation import Recipe

SUMMARY = 8
"""Numbers per image that the head sees: as many as a few thousand samples can bear."""
_CHANNELS = (32, 64, 64)


class Backbone(nn.Module, ABC):
    """Images [n, slots, frames, h, w] to pooled features [n, slots, width], in two parts.

    `stem` holds what is not trained: its result can be kept. `pooled` goes on from there.
    """

    width: int
    frozen: bool  # whether the stem does anything

    def stem(self, images: Tensor) -> Tensor:
        """What does not change while training [n, slots, ...]."""
        return images

    @abstractmethod
    def pooled(self, stem: Tensor) -> Tensor:
        """Pooled features [n, slots, width]."""


class Transformer(Backbone):
    """The encoder on the tokens around each sample, with the positions that these have in a whole window.

    Args:
        start: the encoder; loads its weights.
        recipe: what of it is trained.
        side: of the images, pixels.
    """

    positions: Tensor
    neutral: Tensor
    order: Tensor

    def __init__(self, start: Start, recipe: Recipe, side: int) -> None:
        super().__init__()
        encoder, choices = start.load(), start.spec.choices
        _, places = middle_tokens(choices["image_size"], side, choices["anchor"])
        self.width, self.embed, self.norm = encoder.architecture.width, encoder.patch_embed, encoder.norm
        self.blocks, scenes = encoder.blocks, start.scenes
        self.register_buffer("neutral", torch.from_numpy(start.neutral))
        shape = (encoder.architecture.groups, -1, self.width)
        of_groups = encoder.pos_embed.detach().view(shape)[:, torch.from_numpy(places)]
        group = np.empty(sum(table.size for table in scenes), np.int64)
        for table in scenes:
            group[table] = np.arange(table.shape[1])
        self.register_buffer("positions", of_groups[torch.from_numpy(group)].clone())  # [slots, places, width]
        self.tables = [torch.from_numpy(table) for table in scenes]
        together = np.concatenate([table.ravel() for table in scenes])
        self.register_buffer("order", torch.from_numpy(np.argsort(together)))
        self.trained_blocks = min(recipe.last_blocks, len(self.blocks)) if recipe.tuned == "last" else len(self.blocks)
        self.frozen = recipe.tuned == "last"
        self._choose(recipe)

    def _choose(self, recipe: Recipe) -> None:
        """Which parameters are trained."""
        self.requires_grad_(False)
        if recipe.tuned == "lora":
            for each in self.blocks:
                attention = cast(nn.Module, each.attn)
                attention.qkv = LowRank(cast(nn.Linear, attention.qkv), recipe.rank)
            return
        if recipe.tuned == "all":
            self.embed.requires_grad_(True)
        self.blocks[len(self.blocks) - self.trained_blocks :].requires_grad_(True)
        self.norm.requires_grad_(True)

    def stem(self, images: Tensor) -> Tensor:
        """Tokens [n, slots, places, width] before the blocks that are trained; the images where all may be."""
        if not self.frozen:
            return images
        return self._through(self._tokens(images), self.blocks[: len(self.blocks) - self.trained_blocks])

    def pooled(self, stem: Tensor) -> Tensor:
        """Pooled features [n, slots, width]."""
        first = len(self.blocks) - self.trained_blocks if self.frozen else 0
        tokens = self._through(stem if self.frozen else self._tokens(stem), self.blocks[first:])
        return self.norm(tokens).mean(dim=2)

    def _tokens(self, images: Tensor) -> Tensor:
        n, slots, frames = images.shape[:3]
        absolute = images + self.neutral[:, :, None, None]
        patches = to_patches(absolute.reshape(n * slots, frames, *images.shape[3:]), frames)
        return self.embed.of_patches(patches).view(n, slots, -1, self.width) + self.positions

    def _through(self, tokens: Tensor, blocks: nn.ModuleList) -> Tensor:
        """Tokens through blocks, those of a scene together."""
        places, parts = tokens.shape[2], []
        for table in self.tables:
            count, groups = table.shape
            seen = tokens[:, table.flatten()].reshape(-1, groups * places, self.width)
            for each in blocks:
                seen = each(seen)
            parts.append(seen.reshape(-1, count * groups, places, self.width))
        return torch.cat(parts, dim=1)[:, self.order]

    def merge(self) -> None:
        """Add what LoRA has learned to the weights."""
        for each in self.blocks:
            attention = cast(nn.Module, each.attn)
            if isinstance(attention.qkv, LowRank):
                attention.qkv = attention.qkv.merged()


class LowRank(nn.Module):
    """A fused linear layer for q, k and v with updates of low rank to q and v; it begins as the layer is."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        width = layer.in_features
        self.layer = layer
        self.down = nn.Parameter(torch.empty(2, rank, width).uniform_(-1, 1) / math.sqrt(width))
        self.up = nn.Parameter(torch.zeros(2, width, rank))

    def forward(self, tokens: Tensor) -> Tensor:
        """q, k and v [..., 3 * width] of tokens [..., width]."""
        query, value = (tokens @ (up @ down).mT for up, down in zip(self.up, self.down, strict=True))
        return self.layer(tokens) + torch.cat([query, torch.zeros_like(query), value], dim=-1)

    def merged(self) -> nn.Linear:
        """The layer with the updates in its weights."""
        query, value = self.up.detach() @ self.down.detach()
        with torch.no_grad():
            self.layer.weight += torch.cat([query, torch.zeros_like(query), value])
        return self.layer


class Convolutions(Backbone):
    """Three strided convolutions, the same for every slot, and a mean over what is left of the image.

    Args:
        scale: [slots] standard deviation of the training pixels of each slot.
        frames: of a slot.
    """

    scale: Tensor
    frozen = False

    def __init__(self, scale: np.ndarray, frames: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))
        layers: list[nn.Module] = []
        for before, after in zip((frames, *_CHANNELS[:-1]), _CHANNELS, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.GELU()]
        self.layers, self.width = nn.Sequential(*layers), _CHANNELS[-1]

    def pooled(self, stem: Tensor) -> Tensor:
        """Pooled features [n, slots, width]."""
        n, slots = stem.shape[:2]
        images = stem / self.scale[:, None, None, None]
        return self.layers(images.reshape(n * slots, *stem.shape[2:])).mean(dim=(2, 3)).view(n, slots, -1)


class WindowEncoder(nn.Module):
    """A backbone, and a linear summary of its features for each slot, which knows what band and lag it is."""

    def __init__(self, backbone: Backbone, slots: int) -> None:
        super().__init__()
        self.backbone, self.norm = backbone, Norm(backbone.width, elementwise_affine=False)
        bound = 1 / math.sqrt(backbone.width)
        self.weight = nn.Parameter(torch.empty(slots, backbone.width, SUMMARY).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(slots, 1, SUMMARY))

    def forward(self, images: Tensor) -> Tensor:
        """Summaries [n, slots * SUMMARY] of images [n, slots, frames, h, w]."""
        return self.summarise(self.backbone.stem(images))

    def summarise(self, stem: Tensor) -> Tensor:
        """Summaries [n, slots * SUMMARY] of what the backbone's stem gives."""
        pooled = self.norm(self.backbone.pooled(stem)).transpose(0, 1)  # [slots, n, width]
        return torch.baddbmm(self.bias, pooled, self.weight).transpose(0, 1).flatten(1)
