"""Small worlds, designs of windows with a known signal, and quick recipes."""

import numpy as np

from soc_assets.regression.design.windows import window_columns
from soc_assets.regression.finetuning.fit import fit_encoder
from soc_assets.regression.finetuning.start import Start
from soc_assets.regression.models.recipes import NAMED
from soc_assets.settings.evaluation import Recipe
from soc_assets_tests.embedding.world import World
from soc_assets_tests.regression.designs import make

QUICK = {"epochs": 3, "members": 2, "hidden": (8,), "batch_size": 16}


def world_of(folder, **embedding) -> World:
    return World(folder, **{"model": "vit_tiny_patch8", "stage": "encoder", "image_size": 32, **embedding})


def start_of(world) -> Start:
    return Start(world.spec, None)


def recipe_of(name, features="window:16", **changes) -> Recipe:
    return NAMED[name].model_copy(update={"features": features, **QUICK, **changes})


def design_of(spec, side=16, n=120, signal=1.0):
    """Windows of noise, brighter in the middle of the first slot where there is more carbon."""
    design, rng = make(n), np.random.default_rng(5)
    windows = rng.normal(size=(n, len(spec.slots), spec.frames, side, side)).astype(np.float32)
    windows[:, 0] += signal * (np.log(design.samples["organic_carbon"].to_numpy()) - 2.8)[:, None, None, None]
    windows[3, 1] = np.nan
    return design.with_group(f"window:{side}", windows.reshape(n, -1), window_columns(spec, f"window:{side}"))


def parts(n=120):
    rows = np.arange(n - 30)
    return rows, rows // 2 % 3, np.arange(n - 30, n)


def fitted_on(design, recipe, start=None, device="cpu"):
    rows, inner, _ = parts(len(design.samples))
    y = np.log1p(design.samples["organic_carbon"].to_numpy()[rows])
    return fit_encoder(recipe, design, rows, inner, y, np.ones(len(rows)), start, 1, device)
