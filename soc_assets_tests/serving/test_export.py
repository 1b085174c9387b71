"""The page as one file: its size, its numbers, what it leaves out, and that it can ask nobody for anything."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import rasterio

from soc_assets.errors import SocError
from soc_assets.geo.grid import Grid
from soc_assets.project import load_project
from soc_assets.serving import export as module
from soc_assets.serving.export import export, pack
from soc_assets.storage import files
from soc_assets_tests.hostile import HTML
from soc_assets_tests.map_folder import DIGEST, plane, write_map
from soc_assets_tests.small_project import SmallProject
from soc_assets_tests.small_world import reference_transform, samples_at


class Page(HTMLParser):
    """Elements with their attributes, and what scripts and styles hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inner: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inner.append((tag, ""))

    def handle_data(self, data):
        if self.cdata_elem:
            self.inner[-1] = (self.inner[-1][0], self.inner[-1][1] + data)

    @property
    def data(self) -> dict:
        number = [dict(attributes).get("id") for tag, attributes in self.elements if tag in ("script", "style")]
        return json.loads(self.inner[number.index("data")][1])


def unpack(packed: dict) -> np.ndarray:
    """As the page does, by the words of `pack`."""
    plain = np.frombuffer(zlib.decompress(base64.b64decode(packed["packed"])), np.uint8).astype(np.int64)
    low, high = plain.reshape(2, -1)
    numbers = np.cumsum(low + 256 * high) % 2**16
    return np.where(numbers > 0, packed["low"] + (numbers - 1) * packed["step"], np.nan)


@pytest.fixture
def made(tmp_path) -> SmallProject:
    """A project with samples and a map, and nothing else."""
    made = SmallProject(tmp_path / "project")
    made.root.mkdir()
    made.config.write_text("")
    data = load_project(made.config).data
    write_map(data, "2015", model=HTML)
    grid = Grid(rasterio.CRS.from_epsg(25832), reference_transform(), 64, 64)
    table = samples_at(range(5, 25), range(15, 35), [2015] * 20, grid)
    files.write_table(data / "samples/samples.parquet", table.assign(source="LUCAS", survey_date=pd.NaT))
    return made


def exported(made: SmallProject, with_samples: bool = False) -> str:
    target = made.root / "map.html"
    assert export(made.project, target, with_samples) == target.stat().st_size
    return target.read_text()


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).gamma(2, 10, (40, 50)),
        np.where(np.eye(30) > 0, np.nan, np.random.default_rng(1).normal(size=(30, 30))),
        np.random.default_rng(2).integers(0, 6, (9, 7)).astype(float),
        np.full((3, 4), np.nan),
        np.full((3, 4), 17.25),
    ],
    ids=["noise", "with gaps", "classes", "nothing", "constant"],
)
def test_packed_numbers_are_right_to_half_a_step(values):
    packed = pack(values)
    found, there = unpack(packed).reshape(values.shape), np.isfinite(values)
    assert (np.isfinite(found) == there).all()
    span = np.ptp(values[there]) if there.any() else 0
    np.testing.assert_allclose(found[there], values[there], atol=span / 4094 / 2 + 1e-9)


def test_classes_stay_whole_numbers():
    values = np.array([[0.0, 1, 5, np.nan]])
    np.testing.assert_array_equal(unpack(pack(values)), values[0])


def test_preview_holds_the_values_of_cells(made):
    page = Page(exported(made))
    found = unpack(page.data["rasters"][f"{DIGEST}/2015/organic_carbon"])
    cells = np.unique(plane(*np.mgrid[2:64, :64]))
    known, step = found[np.isfinite(found)], page.data["rasters"][f"{DIGEST}/2015/organic_carbon"]["step"]
    assert len(known) > 2000
    assert np.abs(known[:, None] - cells).min(axis=1).max() <= step / 2 + 1e-6
    assert set(np.unique(unpack(page.data["rasters"][f"{DIGEST}/2015/quality"]))) >= {0.0, 1.0, 2.0}


def test_without_being_asked_for_no_sample_is_in_it(made):
    table = pd.read_parquet(made.project.samples("samples"))
    without, with_them = exported(made), exported(made, with_samples=True)
    assert Page(without).data["samples"] is None
    assert not any(name in without for name in [*table["sample_id"].map('"{}"'.format), "LUCAS"])
    columns = Page(with_them).data["samples"]["columns"]
    assert columns["longitude"] == table["longitude"].round(6).tolist()
    assert columns["id"] == table["sample_id"].tolist()


def test_policy_lets_nothing_but_its_own_scripts_run_and_nothing_out(made):
    page = Page(exported(made))
    policy = next(attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:" and "connect-src" not in rules
    kinds = [attributes.get("type") for tag, attributes in page.elements if tag in ("script", "style")]
    for (tag, text), kind in zip(page.inner, kinds, strict=True):
        if kind is None:
            known = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{known}'" in rules[f"{tag}-src"]
    for tag, attributes in page.elements:
        assert not any(name in attributes for name in ("src", "action", "style", "onclick")), tag
        assert tag != "link" or attributes["href"] == "data:,"


def test_names_are_data(made):
    text = exported(made)
    assert HTML not in text and HTML in Page(text).data["view"]["models"][0]["title"]
    assert not re.search(r"<img|onerror=alert", text.replace("\\u003cimg src=x onerror=alert", ""))
    assert "Volodymyr Agafonkin" in text  # the licence goes with it


def test_many_maps_are_shown_coarser_until_they_fit(made, monkeypatch):
    def noise(rows, columns):
        return np.random.default_rng(int(rows.sum())).gamma(2, 10, rows.shape)

    for year in (2012, 2013):
        write_map(made.project.data, str(year), noise)
    whole = Page(exported(made)).data["tile"]
    monkeypatch.setattr(module, "MOST_BYTES", len(exported(made)) - 20_000)
    text = exported(made)
    assert len(text.encode()) <= module.MOST_BYTES
    assert Page(text).data["tile"]["pixel"] > whole["pixel"]
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    before = (made.root / "map.html").read_bytes()
    with pytest.raises(SocError, match="The 3 maps do not fit into"):
        exported(made)
    assert (made.root / "map.html").read_bytes() == before
