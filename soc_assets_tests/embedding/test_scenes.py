"""Embedded windows that are kept for later calls."""

import numpy as np

from soc_assets.embedding.scenes import KeptScenes


def test_kept_scenes_stay_within_the_limit_and_the_longest_unused_goes_first():
    kept, scene = KeptScenes(100), np.zeros((5, 1, 1, 2), np.float32)  # 40 bytes
    kept.put("a", scene)
    kept.put("b", scene + 1)
    assert kept.get("a") is scene
    kept.put("c", scene)
    assert (kept.get("b"), kept.get("a"), kept.get("c")) == (None, scene, scene)
    kept.put("a", scene + 2)
    assert kept.get("c") is scene
    kept.put("larger than all", np.zeros((26, 1, 1, 1), np.float32))
    assert kept.get("larger than all") is None and kept.get("c") is scene


def test_limit_of_nothing_keeps_nothing():
    kept = KeptScenes(0)
    kept.put("a", np.zeros((1, 1, 1, 1), np.float32))
    assert kept.get("a") is None
