import os
from pathlib import Path

import pytest

from soc_assets.mapping.map_section import map_section
from soc_assets.project import Project
from soc_assets.settings.loading import Settings
from soc_assets_tests.map_folder import write_map

FILES = {name: f"{name}.tif" for name in ("organic_carbon", "lower", "upper", "quality")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, Settings())


def test_newest_map_is_shown_with_its_interval_and_what_made_it(project):
    older, newer = (write_map(project.data, period, features="point", files=FILES) for period in ("2022", "2023"))
    os.utime(older / "map.json", (1, 1))
    [figure] = map_section(project).figures
    assert figure.caption.startswith(
        "Map of predicted organic carbon in 2023 (a) and the width of its prediction interval"
    )
    assert "version 3 of the registered model soc_mlp (Net on point values)" in figure.caption
    assert len(figure.panels) == 2 and all(png.startswith(b"\x89PNG") for png, _ in figure.panels)
    assert all("2023" in alt for _, alt in figure.panels)
    os.utime(newer / "map.json", (0, 0))
    assert "in 2022" in map_section(project).figures[0].caption


def test_no_map_or_one_without_its_interval_gives_no_section(project):
    assert not map_section(project)
    folder = write_map(project.data, files=FILES)
    assert map_section(project)
    (folder / "lower.tif").unlink()
    assert not map_section(project)
