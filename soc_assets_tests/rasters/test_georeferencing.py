"""Rasters in zip files and on object storage are read like those of a folder, and a change is noticed."""

import os
import subprocess
import sys
import zipfile

import boto3
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from soc_assets.errors import RasterError, SettingsError
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.project import load_project
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters
from soc_assets.storage.raster_folder import open_folder
from soc_assets.storage.raster_location import digest_of, stamp_of
from soc_assets_tests import storage_server
from soc_assets_tests.embedding.rasters import ELEVATION, at, numbered, scanned, window, write_reference
from soc_assets_tests.listening import listening
from soc_assets_tests.rasters.test_drivers import vrt, wms
from soc_assets_tests.small_world import write_raster

LAI = Band(name="LAI")
RASTERS = Rasters(bands=(ELEVATION, LAI))


@pytest.fixture
def folder(tmp_path):
    """Elevation and LAI of 2020."""
    write_reference(tmp_path / "rasters")
    write_raster(tmp_path / "rasters/yearly/LAI/LAI_2020.tif", numbered(64, 64) + 1, at(0, 0), nodata=-1)
    return tmp_path / "rasters"


def zipped(folder, target, prefix=""):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.tif")):
            archive.write(path, prefix + path.relative_to(folder).as_posix())
    return target


@pytest.fixture(scope="module")
def storage():
    """An S3 server on this machine."""
    with storage_server.serving() as url:
        yield url


@pytest.fixture
def bucket(folder, storage, monkeypatch):
    """The rasters in a bucket."""
    for name, value in storage_server.environment(storage).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=storage)
    client.create_bucket(Bucket="soil")
    for path in folder.rglob("*.tif"):
        client.put_object(Bucket="soil", Key=f"my/{path.relative_to(folder).as_posix()}", Body=path.read_bytes())
    yield client
    for item in client.list_objects_v2(Bucket="soil")["Contents"]:
        client.delete_object(Bucket="soil", Key=item["Key"])


def same_as_the_folder(place, folder):
    """Scan the place and read a window; both must be those of the folder."""
    (expected, local), (found, there) = scanned(folder, LAI), scanned(place, LAI)
    compared = [name for name in local.frame.columns if name not in ("path", "size", "mtime_ns", "stamp")]
    pd.testing.assert_frame_equal(there.frame[compared], local.frame[compared])
    assert_array_equal(window(found, "LAI", Step(2020)), window(expected, "LAI", Step(2020)))
    return there


@pytest.mark.parametrize("form", ["{0}", "/vsizip/{0}", "/vsizip/{{{0}}}"])
def test_zip_file_is_a_folder(folder, tmp_path, form):
    archive = zipped(folder, tmp_path / "rasters.zip")
    first = same_as_the_folder(form.format(archive), folder)
    assert scan_rasters(RASTERS, form.format(archive), first.frame).read == 0


def test_folder_within_a_zip_file(folder, tmp_path):
    same_as_the_folder(f"/vsizip/{zipped(folder, tmp_path / 'r.zip', 'deep/er/')}/deep/er", folder)


def test_changed_zip_file_is_noticed(folder, tmp_path):
    archive = zipped(folder, tmp_path / "rasters.zip")
    first = scan_rasters(RASTERS, archive)
    write_raster(folder / "yearly/LAI/LAI_2020.tif", numbered(64, 64) + 2, at(0, 0), nodata=-1)
    zipped(folder, archive)
    os.utime(archive, ns=(1, 1))
    second = scan_rasters(RASTERS, archive, first.frame)
    assert second.read == 2  # both are hashed, as the archive has another time
    changed = second.frame["digest"] != first.frame["digest"]
    assert second.frame.loc[changed, "band"].to_list() == ["LAI"]
    assert second.frame["mean"].iloc[1] == first.frame["mean"].iloc[1] + 1


def test_damaged_zip_file_is_named(tmp_path):
    (tmp_path / "rasters.zip").write_bytes(b"no zip")
    with pytest.raises(RasterError, match=r"rasters\.zip is no zip file or damaged"):
        scan_rasters(RASTERS, tmp_path / "rasters.zip")


@pytest.mark.parametrize("url", ["s3://soil/my", "s3://soil/my/", "/vsis3/soil/my"])
def test_bucket_is_a_folder(bucket, folder, url):
    first = same_as_the_folder(url, folder)
    assert first.frame["path"].to_list() == [
        "/vsis3/soil/my/static/Elevation.tif",
        "/vsis3/soil/my/yearly/LAI/LAI_2020.tif",
    ]
    assert scan_rasters(RASTERS, url, first.frame).read == 0


def test_changed_object_of_the_same_size_and_second_is_noticed_and_read_anew(bucket, folder):
    first_atlas, first = scanned("s3://soil/my", LAI)
    before = window(first_atlas, "LAI", Step(2020))
    path = write_raster(folder / "yearly/LAI/LAI_2020.tif", numbered(64, 64) + 2, at(0, 0), nodata=-1)
    bucket.put_object(Bucket="soil", Key="my/yearly/LAI/LAI_2020.tif", Body=path.read_bytes())
    second = scan_rasters(RASTERS, "s3://soil/my", first.frame)
    assert second.read == 1
    changed = second.frame["digest"] != first.frame["digest"]
    assert second.frame.loc[changed, ["band", "size"]].values.tolist() == [["LAI", first.frame["size"].iloc[1]]]
    after_atlas, _ = scanned("s3://soil/my", LAI)
    assert_array_equal(window(after_atlas, "LAI", Step(2020)), before + 1)


def test_mask_beside_an_object_counts(bucket, folder):
    location = "/vsis3/soil/my/static/Elevation.tif"
    size, time = stamp_of(location)
    assert size == (folder / "static/Elevation.tif").stat().st_size
    assert time > 10**18
    mask = np.full((64, 64), 255, np.uint8)
    mask[3, 4] = 0
    path = write_raster(folder / "static/Elevation.tif.msk", mask, at(0, 0))
    bucket.put_object(Bucket="soil", Key="my/static/Elevation.tif.msk", Body=path.read_bytes())
    catalog = scan_rasters(RASTERS, "s3://soil/my")
    assert catalog.frame["size"].iloc[0] == size + path.stat().st_size
    assert catalog.frame["digest"].iloc[0] != digest_of(location)


def test_empty_prefix_and_missing_bucket_are_named(bucket):
    with pytest.raises(RasterError, match=r"s3://soil/other does not exist"):
        scan_rasters(RASTERS, "s3://soil/other")
    with pytest.raises(RasterError, match=r"s3://nobody/x"):
        scan_rasters(RASTERS, "s3://nobody/x")


def test_without_s3fs_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(RasterError, match=r'pip install "soc-assets\[s3\]"'):
        scan_rasters(RASTERS, "s3://soil/never")


def test_unknown_kind_of_url_is_refused():
    with pytest.raises(RasterError, match=r"cannot be read from ftp://host/x: known are s3://"):
        open_folder("ftp://host/x")


def test_local_folders_do_not_import_fsspec(folder):
    code = (
        "import sys; from soc_assets.ingest.catalog.scan import scan_rasters; from soc_assets.settings import *; "
        f"scan_rasters(Rasters(bands=(Band(name='Elevation', kind='static'),)), {str(folder)!r}); "
        "assert 'fsspec' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://soil/my", "s3://soil/my"),
        ("/vsis3/soil/my", "/vsis3/soil/my"),
        ("/vsizip/r.zip/sub", "/vsizip/{root}/r.zip/sub"),
        ("/vsizip//there/r.zip", "/vsizip//there/r.zip"),
    ],
)
def test_urls_and_virtual_paths_come_through_the_settings_unharmed(tmp_path, given, expected):
    (tmp_path / "soc.toml").write_text(f'[paths]\nrasters = "{given}"')
    project = load_project(tmp_path / "soc.toml")
    assert project.rasters == expected.format(root=tmp_path.resolve())
    with pytest.raises(SettingsError, match="needs a folder on this machine"):
        _ = project.raster_folder


def test_bytes_of_a_zip_member_have_the_digest_of_the_file(folder, tmp_path):
    archive = zipped(folder, tmp_path / "r.zip")
    place = open_folder(archive)
    assert digest_of(place.location("static/Elevation.tif")) == digest_of(str(folder / "static/Elevation.tif"))


def test_objects_of_a_bucket_are_held_to_the_same_rules(bucket, tmp_path):
    with listening(tmp_path) as listener:
        written = {
            "LAI_2016.vrt": vrt("LAI_2020.tif", 1).replace('"40"', '"64"').replace('"30"', '"64"'),
            "LAI_2017.vrt": vrt(f"/vsicurl/{listener.url}/a.tif"),
            "LAI_2018.vrt": vrt("/etc/passwd"),
            "LAI_2019.tif": wms(listener.url),
        }
        for name, text in written.items():
            bucket.put_object(Bucket="soil", Key=f"my/yearly/LAI/{name}", Body=text.encode())
        lai = Band(name="LAI", pattern="yearly/{band}/{band}_{year}.*")
        found = scan_rasters(Rasters(bands=(ELEVATION, lai)), "s3://soil/my")
        assert found.frame["year"].dropna().tolist() == [2016, 2020]
        assert {path.rpartition("/")[2] for path in found.problems["path"]} == {*written} - {"LAI_2016.vrt"}
        bucket.put_object(Bucket="soil", Key="my/yearly/LAI/LAI_2020.tif.OVR", Body=wms(listener.url).encode())
        pattern = Band(name="LAI", pattern="yearly/{band}/{band}_2020.tif", layers=("2020",))
        with pytest.raises(RasterError, match=r"LAI_2020\.tif\.OVR"):
            scan_rasters(Rasters(bands=(ELEVATION, pattern)), "s3://soil/my")
        assert listener.requests == []
