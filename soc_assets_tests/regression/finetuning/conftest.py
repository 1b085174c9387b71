"""The encoder of these tests, small enough for a processor."""

from dataclasses import replace
from unittest import mock

import pytest

from soc_assets.embedding.encoder import architecture


@pytest.fixture(autouse=True)
def small_encoder():
    """vit_tiny_patch8, made smaller."""
    small = replace(architecture.ARCHITECTURES["vit_tiny_patch8"], width=24, depth=3, heads=2)
    with mock.patch.dict(architecture.ARCHITECTURES, {"vit_tiny_patch8": small}):
        yield
