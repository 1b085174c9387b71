"""Fixtures of the embedding tests."""

from dataclasses import replace

import pytest

from soc_assets.embedding.encoder import architecture
from soc_assets_tests.embedding.world import World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def small_base(monkeypatch):
    """vit_base_patch8, made small enough for tests."""
    small = replace(architecture.ARCHITECTURES["vit_base_patch8"], width=48, depth=2, heads=3)
    monkeypatch.setitem(architecture.ARCHITECTURES, "vit_base_patch8", small)
