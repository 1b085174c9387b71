"""Shared by the tests of imports."""

from pathlib import Path

import pytest


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """The folder of tiles of the static band Elevation."""
    folder = tmp_path / "tiles/StaticValue/Elevation"
    folder.mkdir(parents=True)
    return folder
