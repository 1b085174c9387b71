"""Figures for a publication: what there is on disk, in the formats that are asked for, over nobody's files."""

import io

import pytest
from PIL import Image

from soc_assets.errors import StorageError, TableError
from soc_assets.pipeline.publication import write_figures
from soc_assets.project import Project
from soc_assets.settings.loading import Settings
from soc_assets_tests import figures
from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.map_folder import write_map

FILES = {name: f"{name}.tif" for name in ("organic_carbon", "lower", "upper", "quality")}


@pytest.fixture
def mapped(tmp_path) -> Project:
    project = Project(tmp_path / "project", Settings())
    write_map(project.data, "2023", features="point", files=FILES)
    return project


def test_maps_are_written_in_every_format_with_captions_and_replace_files_only_on_request(mapped, tmp_path):
    written = write_figures(mapped, tmp_path / "out", ("pdf", "svg", "png"), ("maps",))
    names = [path.name for path in written]
    assert len(names) == 10 and names[-1] == "captions.md"
    stems = {path.stem for path in written[:-1]}
    assert {stem.partition("_2023")[2] for stem in stems} == {"", "_carbon", "_width"}
    for path in written[:-1]:
        content = path.read_bytes()
        assert content.startswith({".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}[path.suffix])
        if path.suffix == ".png":
            assert Image.open(io.BytesIO(content)).info["dpi"] == pytest.approx((300, 300), abs=0.1)
        if path.suffix == ".pdf":
            assert b"/FontFile2" in content  # embedded, as TrueType
        if path.suffix == ".svg":
            assert b"<text" not in content  # glyphs are outlines: every viewer shows them
    captions = written[-1].read_text()
    assert "Predicted organic carbon in 2023, and where the model applies (version 3 of soc_mlp)." in captions
    assert all(f"**{stem}.**" in captions for stem in stems)
    with pytest.raises(StorageError, match=r"captions.md is there already: name another folder, or add --overwrite"):
        write_figures(mapped, tmp_path / "out", ("svg",), ("maps",))
    first = {path: path.read_bytes() for path in written if path.suffix == ".svg"}
    write_figures(mapped, tmp_path / "out", ("svg",), ("maps",), overwrite=True)
    assert {path: path.read_bytes() for path in first} == first  # the same each time


def test_nothing_to_draw_is_an_error_and_writes_nothing(tmp_path):
    with pytest.raises(TableError, match="There is nothing to draw of rasters, maps yet"):
        write_figures(Project(tmp_path, Settings()), tmp_path / "out", ("pdf",), ("rasters", "maps"))
    assert not (tmp_path / "out").exists()


def test_command_draws_what_a_run_has_made(finished, tmp_path):
    with figures.undrawn():
        done = soc("figures", tmp_path / "out", "--of", "samples", "--of", "model", "--format", "png", at=finished)
    assert done.exit_code == 0, done.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {"organic_carbon", "samples", "splits", "model_observed_predicted", "model_residuals"}
    assert names == {f"{name}.png" for name in pictures} | {"captions.md"}
    assert "models:/soc_mlp/1" in (tmp_path / "out/captions.md").read_text()
    assert "5 files and their captions in" in done.stdout
    (tmp_path / "out/captions.md").unlink()
    with figures.undrawn():
        said = refused("figures", tmp_path / "out", "--of", "samples", "--format", "png", at=finished)
    assert "organic_carbon.png is there already: name another folder, or add --overwrite" in said
