import pytest

PRETRAINING = """
[embedding]
model = "vit_tiny_patch8"
stage = "encoder"
"""
SETTINGS = """
[pretraining]
images = 48
batch_size = 8
evaluations = 3
checkpoint_steps = 2
decoder_width = 32
decoder_blocks = 1
"""


@pytest.fixture
def unlabelled(with_a_catalog, monkeypatch):
    """A small project whose rasters are catalogued, for a tiny encoder on windows of 16 pixels."""
    with_a_catalog.set("[embedding]\n", PRETRAINING.lstrip())
    with_a_catalog.config.write_text(with_a_catalog.config.read_text() + SETTINGS)
    return with_a_catalog
