"""Files that came, changed or went since they were read: noticed by size and time, believed by content."""

import os
import shutil

import pytest

from soc_assets.errors import SocError
from soc_assets.ingest import arrivals
from soc_assets_tests.small_project import SmallProject, sheet, write_tiff

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.fixture
def made(templates, tmp_path) -> SmallProject:
    """A project whose files have been read."""
    return templates.copy("read", tmp_path / "project")


def test_nothing_has_come_after_everything_was_read(made):
    found = arrivals.diff(made.project)
    assert not found
    assert found.words == ""


def test_before_anything_was_read_everything_is_new(fresh):
    found = arrivals.diff(fresh.project)
    assert len(found.new) == 1 + 5 * 8 - 1 + 2
    assert found.words.startswith("42 new (Elevation.tif, ")
    assert "and 37 more" in found.words


def test_new_changed_and_removed_files_are_named(made):
    before = arrivals.fingerprint(made.project)
    values, transform, crs = sheet("LST", 2009, seed=2)
    write_tiff(made.raster("LST", 2009), values + 3, transform, crs)
    shutil.copy(made.raster("LAI", 2015), made.raster("LAI", 2016))
    made.raster("MODIS_NPP", 2008).unlink()
    soil = made.root / "data/soil"
    (soil / "c.csv").write_bytes((soil / "a.csv").read_bytes())
    (soil / "b.csv").write_text((soil / "b.csv").read_text().replace("2015-07-01", "2015-07-02"))
    assert arrivals.fingerprint(made.project) != before
    found = arrivals.diff(made.project)
    assert (found.new, found.changed) == (["LAI_2016.tif", "c.csv"], ["LST_2009.tif", "b.csv"])
    assert found.removed == ["MODIS_NPP_2008.tif"]
    assert "1 removed (MODIS_NPP_2008.tif)" in found.words


def test_touched_file_is_noticed_but_has_not_changed(made):
    before = arrivals.fingerprint(made.project)
    for path in (made.raster("LAI", 2012), made.root / "data/soil/a.csv"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert arrivals.fingerprint(made.project) != before
    assert not arrivals.diff(made.project)


def test_raster_that_was_set_aside_counts_as_changed_once_it_is_mended(made):
    path = made.raster("LAI", 2012)
    content = path.read_bytes()
    path.write_bytes(b"not a raster")
    assert made.run("soil_samples").failures == []
    assert not arrivals.diff(made.project)
    path.write_bytes(content)
    assert arrivals.diff(made.project).changed == ["LAI_2012.tif"]


def test_missing_folder_is_told_in_the_words_of_the_reader(made):
    shutil.rmtree(made.root / "data/soil")
    with pytest.raises(SocError, match="data/soil"):
        arrivals.fingerprint(made.project)
