"""Changes between periods on the page: their layers, colours with zero in the middle, and what a click says."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from soc_assets.mapping.change.classes import CLASS_COLOURS, CLASSES, LESS, MORE
from soc_assets.project import Project
from soc_assets.serving.colours import RAMPS
from soc_assets.serving.export import export
from soc_assets.serving.maps import find_maps
from soc_assets_tests.map_folder import DIGEST, write_change, write_map
from soc_assets_tests.serving.asking import Page, address_of
from soc_assets_tests.small_world import coordinates_of_pixels, project_of, reference_grid, settings_of_world

ID = "change_2015_2023"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """Maps of two periods and the change between them, and a change of a model without maps."""
    made = project_of(settings_of_world(), tmp_path_factory.mktemp("changes"))
    for period in ("2015", "2023"):
        write_map(made.data, period)
    write_change(made.data)
    write_change(made.data, digest="0" * 16)
    return made


@pytest.fixture(scope="module")
def page(project) -> Page:
    return Page(project)


def test_changes_come_after_the_periods_with_layers_of_their_own(page, project):
    [model] = page.ask("/api/view").json["models"]
    assert [each["id"] for each in model["periods"]] == ["2015", "2023"]
    [change] = model["changes"]
    assert (change["id"], change["label"], change["main"]) == (ID, "2023 minus 2015", "change")
    assert change["layers"] == ["change", "change_width", "beyond_uncertainty", "quality"]
    low, high = model["spans"]["change"]
    assert low == -high < -2
    assert change["figures"]["mean"] == pytest.approx(-0.05)
    counts = {number: int(count) for number, count in change["counts"]["beyond_uncertainty"].items()}
    assert change["figures"]["beyond"] == pytest.approx((counts["1"] + counts["2"]) / sum(list(counts.values())[:3]))
    found = find_maps(project.data)[DIGEST, ID]
    assert (found.year, found.season, found.bounds) == (2023, None, find_maps(project.data)[DIGEST, "2023"].bounds)


def test_seasonal_changes_are_those_of_two_periods_and_other_folders_are_none(tmp_path):
    write_change(tmp_path, "2015", "2023_summer")
    for name in (("", "2023"), ("2015", "2023_monsoon")):
        write_change(tmp_path, *name)
    [found] = find_maps(tmp_path).values()
    assert (found.label, found.year, found.season) == ("2023 summer minus 2015", 2023, "summer")


def test_zero_has_the_middle_colour_and_classes_have_those_of_the_file(page):
    [model] = page.ask("/api/view").json["models"]
    stamp, address = model["changes"][0]["stamp"], "{}/{}/{}.png".format(*address_of(11, 32, 32))

    def colours(layer: str) -> set[tuple[int, ...]]:
        answer = page.ask(f"/tiles/map/{DIGEST}/{ID}/{layer}/{stamp}/{address}")
        assert answer.status == 200
        image = np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGBA")).reshape(-1, 4)
        return {tuple(each) for each in image[image[:, 3] == 255][:, :3].tolist()}

    middle = tuple(bytes.fromhex(RAMPS["change"][3][1:]))
    assert min(max(abs(a - b) for a, b in zip(each, middle, strict=True)) for each in colours("change")) <= 6
    assert colours("beyond_uncertainty") >= {CLASS_COLOURS[number][:3] for number in (LESS, MORE)}
    assert page.ask(f"/tiles/map/{DIGEST}/{ID}/hatched/{stamp}/{address}").status == 200
    assert page.ask(f"/tiles/map/{DIGEST}/{ID}/organic_carbon/{stamp}/{address}").status == 404


@pytest.mark.parametrize(
    ("row", "column", "change", "beyond", "applicable"),
    [(30, 12, -2.0, 1, "yes"), (30, 37, 0.5, 0, "yes"), (30, 62, 3.0, 2, "no"), (0, 12, -2.0, 3, "yes")],
)
def test_click_says_difference_interval_and_whether_it_is_more_than_the_uncertainty(
    page, row, column, change, beyond, applicable
):
    longitude, latitude = coordinates_of_pixels([row], [column], reference_grid())
    found = page.ask("/api/at", model=DIGEST, period=ID, longitude=longitude[0], latitude=latitude[0]).json
    assert found["change"] == pytest.approx(change)
    ends = [None, None] if row == 0 else [pytest.approx(change - 1), pytest.approx(change + 1)]
    assert [found["change_lower"], found["change_upper"]] == ends
    assert (found["beyond_uncertainty"], found["applicable"]) == (CLASSES[beyond], applicable)


def test_exported_page_holds_the_change(project, tmp_path):
    export(project, tmp_path / "map.html", with_samples=False)
    text = (tmp_path / "map.html").read_text()
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    names = {name.rpartition("/")[2] for name in data["rasters"] if ID in name}
    assert names == {"change", "change_lower", "change_upper", "beyond_uncertainty", "quality"}
