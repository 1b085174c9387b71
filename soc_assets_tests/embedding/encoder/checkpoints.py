"""The official golden checkpoints, as they are and as other trainers would have saved them."""

import argparse
from pathlib import Path

import numpy as np
import torch

from soc_assets.embedding.encoder.architecture import Architecture
from soc_assets.embedding.encoder.weights import LoadedWeights, load_weights

GOLDEN = Path(__file__).parent / "golden"
TINY = Architecture(image_size=32, width=48, depth=2, heads=3)


def official(layout: str = "joint") -> dict[str, torch.Tensor]:
    """Tensors of a golden checkpoint."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(GOLDEN / f"tiny_{layout}_pos_embed.pth", weights_only=True)["model"]


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def loaded(path: Path, stage: str = "encoder", architecture: Architecture = TINY, **options) -> LoadedWeights:
    return load_weights(architecture, path, 0, 32, stage, **options)


def assert_official(weights: LoadedWeights, layout: str = "joint") -> None:
    """The tokens are those that the official code computed."""
    expected = golden(f"tiny_{layout}_pos_embed")
    tokens = weights.encoder(torch.from_numpy(expected["x"]))
    np.testing.assert_allclose(tokens, expected["norm_tokens"], rtol=1e-5, atol=1e-5)
