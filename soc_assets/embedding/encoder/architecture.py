"""The sizes of the SpectralGPT variants and the geometry of their tokens; no torch here.

Source: Hong et al., "SpectralGPT: Spectral Remote Sensing Foundation Model", IEEE TPAMI 2024, and its official code.
"""

from dataclasses import dataclass

import numpy as np

PATCH = 8  # pixels along a token's edge


@dataclass(frozen=True)
class Architecture:
    """Sizes of one variant.

    Attributes:
        image_size: edge, in pixels, of the images that the position embeddings were made for.
        frames: input bands; groups of `t_patch_size` of them become one set of spatial tokens.
        width: length of a token.
        depth: transformer blocks.
        heads: attention heads.
    """

    image_size: int
    width: int
    depth: int
    heads: int
    frames: int = 12
    t_patch_size: int = 3
    mlp_ratio: float = 4.0

    @property
    def groups(self) -> int:
        """Groups of frames."""
        return self.frames // self.t_patch_size

    @property
    def grid(self) -> int:
        """Tokens along the image edge."""
        return self.image_size // PATCH


SMALL = ("vit_tiny_patch8", "vit_small_patch8")  # ours, for pre-training on a laptop; the others are published
ARCHITECTURES = {
    "vit_tiny_patch8": Architecture(image_size=96, width=192, depth=6, heads=3),
    "vit_small_patch8": Architecture(image_size=96, width=384, depth=8, heads=6),
    "vit_base_patch8": Architecture(image_size=96, width=768, depth=12, heads=12),
    "vit_base_patch8_128": Architecture(image_size=128, width=768, depth=12, heads=12),
    "vit_large_patch8_128": Architecture(image_size=128, width=1024, depth=24, heads=16),
    "vit_huge_patch8_128": Architecture(image_size=128, width=1280, depth=32, heads=16, t_patch_size=12),
}


def anchor_index(image_size: int, anchor: str) -> int:
    """Where the sample's pixel is in the window: 48 of 96 at `center`, 52 (inside one token) at `token`."""
    return image_size // 2 + (PATCH // 2 if anchor == "token" else 0)


def pooled_tokens(image_size: int, pooling: str, anchor: str) -> list[np.ndarray]:
    """Which tokens (row-major indices) are averaged into each part of the pooled vector.

    `mean` gives one part of all tokens, `center` one part of the four tokens that meet at the sample (with the anchor
    `token` of the one around it), `mean_center` both parts, `max` the part of `mean`. `none` gives one part per token.
    """
    edge = image_size // PATCH
    middle = edge // 2
    around = [middle] if anchor == "token" else [middle - 1, middle]
    everything = np.arange(edge * edge)
    center = np.array([row * edge + column for row in around for column in around])
    parts = {"mean": [everything], "max": [everything], "center": [center], "mean_center": [everything, center]}
    return parts[pooling] if pooling != "none" else [np.array([token]) for token in everything]


def middle_tokens(image_size: int, side: int, anchor: str) -> tuple[int, np.ndarray]:
    """The square of tokens around the sample's pixel, `side` pixels along its edge.

    Returns:
        Its first token along both axes, and the indices (row-major) of all.

    Raises:
        ValueError: the square is not of whole tokens, or larger than the window.
    """
    edge, count = image_size // PATCH, side // PATCH
    if side % PATCH or not 0 < count <= edge:
        raise ValueError(f"a square of {side} pixels: whole tokens of {PATCH} are needed, at most {image_size} pixels")
    first = min(max(round((anchor_index(image_size, anchor) - side / 2) / PATCH), 0), edge - count)
    rows = np.arange(first, first + count)
    return first, (rows[:, None] * edge + rows).ravel()
