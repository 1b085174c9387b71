"""Files whose bytes are not what their names say: GDAL must not see them, and no request may leave this machine."""

import importlib
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.vrt import WarpedVRT

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_decimated
from soc_assets.settings import Band, Rasters
from soc_assets_tests.ingest.conftest import write_raster
from soc_assets_tests.listening import listening

BANDS = (Band(name="Elevation", kind="static"), Band(name="LAI"))
VALUES = np.arange(1200, dtype="uint8").reshape(30, 40)
BAND = '<VRTRasterBand dataType="Byte" band="1"{more}>{inside}</VRTRasterBand>'
HEAD = (
    '<VRTDataset rasterXSize="40" rasterYSize="30"><SRS>EPSG:4326</SRS>'
    "<GeoTransform>11, 0.01, 0, 49, 0, -0.01</GeoTransform>{bands}</VRTDataset>"
)
SOURCE = '<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename></SimpleSource>'


def vrt(name: str, relative: int = 0) -> str:
    return HEAD.format(bands=BAND.format(more="", inside=SOURCE.format(relative=relative, name=name)))


def raw(name: str, relative: int = 0) -> str:
    inside = f'<SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><ImageOffset>0</ImageOffset>'
    return HEAD.format(bands=BAND.format(more=' subClass="VRTRawRasterBand"', inside=inside))


def wms(url: str) -> str:
    window = "<UpperLeftX>11</UpperLeftX><UpperLeftY>49</UpperLeftY><LowerRightX>11.4</LowerRightX>"
    size = "<LowerRightY>48.7</LowerRightY><SizeX>40</SizeX><SizeY>30</SizeY>"
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}.png</ServerUrl></Service><DataWindow>{window}{size}'
        "</DataWindow><Projection>EPSG:4326</Projection><BandsCount>1</BandsCount></GDAL_WMS>"
    )


def overviews(name: str) -> str:
    return f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{name}</MDI></Metadata></PAMDataset>'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with listening(tmp_path_factory.mktemp("server")) as listener:
        yield listener


@pytest.fixture
def folder(tmp_path) -> Path:
    write_raster(tmp_path / "static/Elevation.tif", VALUES)
    for year in (2014, 2015):
        write_raster(tmp_path / f"yearly/LAI/LAI_{year}.tif", VALUES)
    return tmp_path


def set_aside(folder: Path, bands=BANDS, **settings) -> list[str]:
    """Problems of a scan, in which the good file is used whatever the bad one holds."""
    found = scan_rasters(Rasters(bands=bands, **settings), folder)
    assert found.frame["path"].str.endswith(("Elevation.tif", "LAI_2014.tif")).all()
    assert len(found.frame) == 2
    return found.problems["problem"].tolist()


def hostile(url: str) -> dict[str, str]:
    return {
        "VRT": vrt(f"/vsicurl/{url}/a.tif"),
        "WMS": wms(url),
        "raw bytes": raw("/etc/passwd"),
        "index": f"<GDALTileIndexDataset><IndexDataset>{url}/i.gpkg</IndexDataset></GDALTileIndexDataset>",
        "STAC": f'{{"stac_version": "1.0.0", "assets": {{"a": {{"href": "{url}/a.tif"}}}}}}',
    }


@pytest.mark.parametrize("kind", ["VRT", "WMS", "raw bytes", "index", "STAC"])
def test_a_tif_that_holds_something_else_is_set_aside(folder, server, kind):
    (folder / "yearly/LAI/LAI_2015.tif").write_text(hostile(server.url)[kind])
    (problem,) = set_aside(folder)
    assert "LAI_2015.tif cannot be read" in problem
    assert server.requests == []


@pytest.mark.parametrize("beside", ["LAI_2015.tif.ovr", "LAI_2015.tif.OVR", "LAI_2015.tif.msk", "LAI_2015.aux"])
@pytest.mark.parametrize("kind", ["VRT", "WMS", "raw bytes"])
def test_a_file_beside_a_raster_that_holds_something_else_sets_it_aside(folder, server, beside, kind):
    (folder / "yearly/LAI" / beside).write_text(hostile(server.url)[kind])
    (problem,) = set_aside(folder)
    assert beside in problem
    assert "does not hold what its suffix says" in problem
    assert server.requests == []


@pytest.mark.parametrize("name", ["{url}/o.tif", "/vsicurl/{url}/o.tif", "/etc/passwd"])
def test_metadata_may_not_name_pyramids_elsewhere(folder, server, name):
    target = folder / "yearly/LAI/LAI_2015.tif"
    (folder / "yearly/LAI/LAI_2015.tif.aux.xml").write_text(overviews(name.format(url=server.url)))
    assert "names another file for its pyramids" in set_aside(folder)[0]
    (folder / "yearly/LAI/LAI_2015.tif.aux.xml").unlink()
    with rasterio.open(target, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=name.format(url=server.url))
    assert "names another file for its pyramids" in set_aside(folder)[0]
    assert server.requests == []


def test_pyramids_and_masks_of_their_own_kind_are_no_trouble(folder):
    path = folder / "yearly/LAI/LAI_2015.tif"
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2])
        dataset.write_mask(np.full(VALUES.shape, 255, "uint8"))
    assert path.with_name("LAI_2015.tif.ovr").is_file()
    assert len(scan_rasters(Rasters(bands=BANDS), folder).frame) == 3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (vrt("/vsicurl/URL/a.tif"), "may only name files below its own folder"),
        (vrt("URL/a.tif"), "may only name files below its own folder"),
        (vrt("vrt://URL/a.tif"), "may only name files below its own folder"),
        (vrt("/vsizip//vsicurl/URL/a.zip/a.tif", 1), "may only name files below its own folder"),
        (vrt("/etc/passwd"), "may only name files below its own folder"),
        (vrt("../../../etc/passwd", 1), "may only name files below its own folder"),
        (vrt("../../../static/../../outside.tif", 1), "may only name files below its own folder"),
        (vrt("WMS:URL", 0), "may only name files below its own folder"),
        (vrt("linked.tif", 1), "may only name files below its own folder"),
        (raw("/etc/passwd"), "may only name files below its own folder"),
        (raw("linked.tif", 1), "may only name files below its own folder"),
        (vrt("wms.tif", 1), "does not hold what its suffix says"),
        (vrt("wms.txt", 1), "suffix '.txt'"),
        (vrt("inner.vrt", 1), "may only name files below its own folder"),
        (vrt("LAI_2015.vrt", 1), "names itself"),
        (vrt("gone.tif", 1), "there is no file"),
        (vrt("LAI_2014.tif", 1).replace("SourceFilename", "sourcefilename"), "'sourcefilename' that is not known"),
        (vrt("LAI_2014.tif", 1).replace("<SimpleSource>", '<SimpleSource SourceFilename="/etc/passwd">'), "attribute"),
        ('<!DOCTYPE a [<!ENTITY e "LAI_2014.tif">]>' + vrt("&e;", 1), "declares entities"),
        (vrt("<![CDATA[LAI_2014.tif]]>", 1), "declares entities"),
        (vrt("LAI_2014.tif", 1).replace("</SRS>", "</SRS>" + overviews("URL/a")[12:-13]), "domain 'OVERVIEWS'"),
        (
            HEAD.format(
                bands=BAND.format(
                    more=' subClass="VRTDerivedRasterBand"',
                    inside="<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python"
                    "</PixelFunctionLanguage><PixelFunctionCode>import os</PixelFunctionCode>",
                )
            ),
            "pixel function",
        ),
        (vrt("LAI_2014.tif", 1)[:-20], "is damaged"),
        ("<VRTDataset>" + "<MaskBand>" * 100_000, "that is not known here"),
    ],
)
def test_a_vrt_names_only_files_below_its_folder(folder, server, written, said):
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.*"))
    place = folder / "yearly/LAI"
    (place / "LAI_2015.tif").unlink()
    (place / "wms.tif").write_text(wms(server.url))
    (place / "wms.txt").write_text(wms(server.url))
    (place / "inner.vrt").write_text(vrt("/etc/passwd"))
    (place / "linked.tif").symlink_to("/etc/passwd")
    (place / "LAI_2015.vrt").write_text(written.replace("URL", server.url))
    (problem,) = set_aside(folder, bands)
    assert said in problem
    assert "LAI_2015.vrt" in problem
    assert server.requests == []


@pytest.mark.parametrize("written", [vrt("LAI_2014.tif", 1), vrt("../../static/Elevation.tif", 1), vrt("in.vrt", 1)])
def test_a_vrt_over_files_of_the_rasters_folder_is_read(folder, written):
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.vrt"))
    (folder / "yearly/LAI/in.vrt").write_text(vrt("LAI_2014.tif", 1))
    (folder / "yearly/LAI/LAI_2015.vrt").write_text(written)
    found = scan_rasters(Rasters(bands=bands), folder)
    assert found.frame["mean"].tolist() == pytest.approx([VALUES.mean()] * 2)


def test_what_gdal_writes_as_a_vrt_is_read(folder):
    source = folder / "yearly/LAI/LAI_2014.tif"
    with rasterio.open(source, "r+") as dataset:
        dataset.units, dataset.descriptions, dataset.scales, dataset.nodata = ["m"], ["x"], [2.0], 3
        dataset.update_tags(1, a="b")
        dataset.build_overviews([2])
        dataset.write_mask(np.full(VALUES.shape, 255, "uint8"))
    with rasterio.open(source) as dataset, WarpedVRT(dataset, crs="EPSG:25832") as warped:
        rasterio.shutil.copy(dataset, folder / "yearly/LAI/LAI_2015.vrt", driver="VRT")
        rasterio.shutil.copy(warped, folder / "yearly/LAI/LAI_2016.vrt", driver="VRT")
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.vrt"))
    found = scan_rasters(Rasters(bands=bands), folder)
    assert found.problems.empty
    assert found.frame["mean"].tolist() == pytest.approx([VALUES.mean(), 244.26, 244.26], abs=1)


def test_a_setting_lets_a_vrt_name_files_of_another_folder(folder, tmp_path_factory):
    other = write_raster(tmp_path_factory.mktemp("other") / "a.tif", VALUES)
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.vrt"))
    (folder / "yearly/LAI/LAI_2015.vrt").write_text(vrt(str(other)))
    with pytest.raises(RasterError, match=r"vrt_folders of soc\.toml.*rio convert"):
        scan_rasters(Rasters(bands=bands), folder)
    assert len(scan_rasters(Rasters(bands=bands, vrt_folders=(str(other.parent),)), folder).frame) == 2


def test_a_raw_band_over_a_file_of_the_folder_is_read(folder):
    (folder / "yearly/LAI/raw.bin").write_bytes(VALUES.tobytes())
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.vrt"))
    (folder / "yearly/LAI/LAI_2015.vrt").write_text(raw("raw.bin", 1))
    assert scan_rasters(Rasters(bands=bands), folder).frame["mean"].iloc[1] == pytest.approx(VALUES.mean())


def test_a_suffix_without_a_driver_is_refused_until_a_setting_names_one(folder):
    shutil.move(folder / "yearly/LAI/LAI_2015.tif", folder / "yearly/LAI/LAI_2015.xyz")
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.*"))
    (problem,) = set_aside(folder, bands)
    assert '[rasters] drivers = { ".xyz" = ["NAME"] }' in problem
    found = scan_rasters(Rasters(bands=bands, drivers={".xyz": ("GTiff",)}), folder)
    assert len(found.frame) == 3


def test_previews_read_no_pyramid_of_a_source_that_is_something_else(folder, server):
    place = folder / "yearly/LAI"
    write_raster(place / "big.tif", np.ones((600, 800), "uint8"))
    (place / "big.tif.ovr").write_text(wms(server.url))
    (place / "LAI_2015.vrt").write_text(vrt("big.tif", 1).replace('"40"', '"800"').replace('"30"', '"600"'))
    with pytest.raises(RasterError, match=r"big\.tif\.ovr"), open_raster(place / "LAI_2015.vrt") as dataset:
        read_decimated(dataset, 32)
    assert server.requests == []


def test_files_in_a_zip_are_held_to_the_same(folder, server, tmp_path_factory):
    place = tmp_path_factory.mktemp("zips")
    with zipfile.ZipFile(place / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "static/Elevation.tif", "static/Elevation.tif")
        archive.write(folder / "yearly/LAI/LAI_2014.tif", "yearly/LAI/LAI_2014.tif")
        archive.write(folder / "yearly/LAI/LAI_2015.tif", "yearly/LAI/LAI_2010.tif")
        archive.writestr("yearly/LAI/LAI_2010.tif.ovr", wms(server.url))
        archive.write(folder / "yearly/LAI/LAI_2015.tif", "../yearly/LAI/LAI_2011.tif")
        archive.writestr("yearly/LAI/LAI_2012.tif", wms(server.url))
        archive.writestr("yearly/LAI/LAI_2013.vrt", vrt("LAI_2014.tif", 1))
        archive.writestr("yearly/LAI/LAI_2015.vrt", vrt("/etc/passwd"))
        archive.writestr("yearly/LAI/LAI_2016.vrt", vrt("../../../../etc/passwd", 1))
        archive.writestr("yearly/LAI/LAI_2017.tif", bytes(3 * 10**7))
    bands = (BANDS[0], Band(name="LAI", pattern="yearly/{band}/{band}_{year}.*"))
    found = scan_rasters(Rasters(bands=bands, max_unpacked_gb=0.01), place / "r.zip")
    assert found.frame["year"].dropna().tolist() == [2013, 2014]
    told = {
        Path(path).stem: problem
        for path, problem in zip(found.problems["path"], found.problems["problem"], strict=True)
    }
    assert set(told) - {"LAI_2010.tif"} == {f"LAI_{year}" for year in (2010, 2012, 2015, 2016, 2017)}
    assert "LAI_2010.tif.ovr" in told["LAI_2010"]
    assert "max_unpacked_gb" in told["LAI_2017"]
    assert server.requests == []


@pytest.mark.parametrize("error", [MemoryError("no room"), RecursionError("deep"), ValueError("odd"), KeyError("gone")])
@pytest.mark.parametrize(
    "where", ["rasters.opening.rasterio.open", "ingest.catalog.facts.of_raster", "ingest.catalog.facts.layers_of"]
)
def test_whatever_a_library_raises_names_the_file_and_the_rest_goes_on(folder, monkeypatch, error, where):
    module, _, name = f"soc_assets.{where}".rpartition(".")
    right = getattr(importlib.import_module(module.removesuffix(".rasterio")), name, None) or rasterio.open

    def raising(first, *more, **options):
        if "LAI_2015" in str(getattr(first, "name", first)):
            raise error
        return right(first, *more, **options)

    monkeypatch.setattr(f"{module}.{name}", raising)
    (problem,) = set_aside(folder)
    assert f"The raster {folder / 'yearly/LAI/LAI_2015.tif'} cannot be read" in problem
    assert str(error) in problem


def test_an_encrypted_or_cut_member_of_a_zip_is_named(folder, tmp_path_factory):
    archive = tmp_path_factory.mktemp("zips") / "r.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in folder.rglob("*.tif"):
            out.write(path, path.relative_to(folder).as_posix())
        at = out.getinfo("yearly/LAI/LAI_2015.tif").header_offset
    content = bytearray(archive.read_bytes())
    content[at + 80 : at + 140] = bytes(60)
    archive.write_bytes(content)
    (problem,) = set_aside(archive)
    assert "LAI_2015.tif" in problem
