"""The index of a zip is read once while it does not change, and again when it does."""

import zipfile

from soc_assets.storage import raster_folder, raster_location, zips


def test_the_index_is_read_once_until_the_zip_changes(tmp_path, monkeypatch):
    archive, reads = tmp_path / "rasters.zip", []

    class Counted(zipfile.ZipFile):
        def __init__(self, *arguments, **options):
            reads.append(arguments)
            super().__init__(*arguments, **options)

    def pack(*names):
        with zipfile.ZipFile(archive, "w") as zipped:
            for name in names:
                zipped.writestr(name, name)

    pack("a.tif")
    monkeypatch.setattr(zips.zipfile, "ZipFile", Counted)
    place = raster_folder.open_folder(archive)
    where = [place.location(name) for name in ("a.tif", "b.tif")]
    assert [raster_location.exists(location) for location in where * 20] == [True, False] * 20
    first = raster_location.digest_of(where[0])
    assert len(reads) == 1
    monkeypatch.undo()
    pack("a.tif", "b.tif")
    assert all(map(raster_location.exists, where))
    assert (raster_location.digest_of(where[0]) == first, raster_location.digest_of(where[1]) == first) == (True, False)
    assert sorted(raster_folder.open_folder(archive).names()) == ["a.tif", "b.tif"]
