"""The page in a real browser: it works, complains of nothing, and asks nobody but the server that it came from."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from soc_assets.serving.export import export
from soc_assets_tests.chromium import Browser, chromium
from soc_assets_tests.dagster_dev import REPOSITORY
from soc_assets_tests.hostile import HTML, NAMES
from soc_assets_tests.map_folder import DIGEST, plane, write_change, write_map
from soc_assets_tests.ports import free_port
from soc_assets_tests.small_project import SmallProject, copy_of
from soc_assets_tests.small_world import coordinates_of_pixels, project_of, reference_grid, settings_of_world

pytestmark = pytest.mark.slow
CELL = (30, 40)


@pytest.fixture(scope="module")
def mapped(finished, tmp_path_factory) -> SmallProject:
    """Two periods; names of the model and of the samples' sources are hostile."""
    made = copy_of(finished, tmp_path_factory.mktemp("mapped") / f"<b>{HTML[:20]}", "")
    spec = next(made.project.embeddings.glob("*/spec.json")).parent.name
    for year in (2014, 2015):
        write_map(made.project.data, str(year), lambda r, c: plane(r, c) + 1, spec=spec, model=HTML, recipe=NAMES[1])
    return made


@contextmanager
def serving(made: SmallProject) -> Iterator[str]:
    """The address of `soc view`, which ends as told to."""
    port, log = free_port(), made.root / "view.log"
    command = [sys.executable, "-m", "soc_assets", "view", "--port", str(port), "--config", str(made.config)]
    with log.open("w") as said:
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=said, stderr=said, cwd=made.root
        )
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def click_cell(browser: Browser, row: int, column: int) -> None:
    longitude, latitude = coordinates_of_pixels([row], [column], reference_grid())
    at = browser.js(f"(({{x, y}}) => [x, y])(map.latLngToContainerPoint([{latitude[0]}, {longitude[0]}]))")
    browser.click(*at)


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (400, 860)])
def test_page_shows_everything_and_asks_only_its_own_server(mapped, width, height):
    with serving(mapped) as address, chromium(width, height) as browser:
        browser.open(address)
        browser.until("document.body.classList.contains('ready')")
        browser.until("document.querySelectorAll('.leaflet-left-pane img.leaflet-tile-loaded').length > 1")
        assert HTML in browser.js("document.getElementById('subtitle').textContent")
        assert browser.js("document.querySelectorAll('script:not([src]), img[src=x]').length") == 0
        assert browser.js("document.documentElement.scrollWidth <= window.innerWidth")

        click_cell(browser, *CELL)
        browser.until("document.querySelector('#card .big')")
        assert browser.text("#card .big") == f"{plane(*CELL) + 1:.1f} g/kg".replace(".0 ", " ")
        assert "Inside the area of applicability" in browser.text("#card")
        browser.until("document.querySelectorAll('#card h3').length === 3")
        titles = browser.js("[...document.querySelectorAll('#card h3')].map((each) => each.textContent)")
        assert titles == ["Nearest samples", "Most similar samples by their inputs", "Inputs at this pixel"]
        browser.js("closeCard()")

        for box in ("samples", "rasters", "compare"):
            browser.js(f"document.getElementById('{box}').click()")
        browser.until("shown.samples && shown.samples.getLayers().length === 62")
        browser.until("document.querySelectorAll('.leaflet-raster-pane img.leaflet-tile-loaded').length > 1")
        browser.until("document.querySelectorAll('.leaflet-right-pane img.leaflet-tile-loaded').length > 1")
        assert browser.js("getComputedStyle(map.getPane('left')).clip").startswith("rect(")
        before = browser.js("map.getPane('left').style.clip")
        browser.js("document.getElementById('swipe').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
        assert browser.js("map.getPane('left').style.clip") != before
        browser.js("samplesBy = 'residual'; showSamples()")
        browser.until("document.getElementById('samples-note').textContent.startsWith('Residuals')")
        browser.js("Object.assign(document.getElementById('period'), {value: 0}).dispatchEvent(new Event('input'))")
        assert browser.js("document.getElementById('period-label').textContent") == "2014"
        for layer in browser.js("period().layers"):
            browser.js(f"document.querySelector('input[name=layer][value={layer}]').click()")
        browser.until("document.querySelectorAll('.leaflet-left-pane img.leaflet-tile-loaded').length > 1")

        assert browser.problems == []
        assert len(browser.requests) > 20
        assert [url for url in browser.requests if not url.startswith((f"{address}/", "data:"))] == []


def test_exported_file_asks_for_nothing_and_shows_the_preview(mapped, tmp_path):
    target = tmp_path / "map.html"
    export(mapped.project, target, with_samples=False)
    with chromium() as browser:
        browser.open(target.as_uri())
        browser.until("document.body.classList.contains('ready')")
        browser.until("document.querySelectorAll('.leaflet-left-pane img').length > 1")
        browser.until("document.querySelectorAll('.leaflet-relief-pane img').length === 1")
        click_cell(browser, *CELL)
        browser.until("document.querySelector('#card .big')")
        values = plane(*np.mgrid[2:64, :64]) + 1
        shown = float(browser.text("#card .big").removesuffix(" g/kg"))
        assert shown == pytest.approx(plane(*CELL) + 1, abs=np.ptp(values) / 4094 + 0.05)  # and three digits
        browser.js("document.getElementById('compare').click()")
        browser.until("document.querySelectorAll('.leaflet-right-pane img').length > 0")
        assert not browser.js("document.getElementById('samples-section').checkVisibility()")
        assert browser.problems == []
        assert [url for url in browser.requests if not url.startswith("data:")] == [target.as_uri()]


def test_exported_values_are_those_that_were_packed(mapped, tmp_path):
    """What the script unpacks, against the rasters themselves."""
    target = tmp_path / "map.html"
    export(mapped.project, target, with_samples=True)
    with chromium() as browser:
        browser.open(target.as_uri())
        browser.until("document.body.classList.contains('ready')")
        rows, columns = np.random.default_rng(0).integers(1, 63, (2, 40))
        longitude, latitude = coordinates_of_pixels(rows, columns, reference_grid())
        places = [[y, x] for y, x in zip(latitude, longitude, strict=True)]
        ask = "SOURCE.at(state.model, period(), L.latLng(each)).then((told) => [told.organic_carbon, told.quality])"
        found = browser.js(f"Promise.all({places}.map((each) => {ask}))")
        step = np.ptp(plane(*np.mgrid[2:64, :64])) / 4094
        for row, column, (value, quality) in zip(rows, columns, found, strict=True):
            if row < 2:
                assert (value, quality) == (None, "outside the region")
            else:
                assert value == pytest.approx(plane(row, column) + 1, abs=step)
                assert quality == f"{'outside' if column >= 60 else 'inside'} the area of applicability"
        browser.js("document.getElementById('samples').click()")
        browser.until("shown.samples && shown.samples.getLayers().length === 62")
        assert browser.problems == [] and DIGEST in target.read_text()


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (400, 860)])
def test_change_is_chosen_beside_the_periods_and_a_click_says_what_it_is(tmp_path, width, height):
    project = project_of(settings_of_world(), tmp_path / "project")
    for year in ("2015", "2023"):
        write_map(project.data, year)
    write_change(project.data)
    export(project, tmp_path / "map.html", with_samples=False)
    with chromium(width, height) as browser:
        browser.open((tmp_path / "map.html").as_uri())
        browser.until("document.body.classList.contains('ready')")
        browser.js("Object.assign(document.getElementById('change'), {value: '0'}).dispatchEvent(new Event('change'))")
        assert browser.text("#subtitle").startswith("2023 minus 2015")
        assert "cannot prove change" in browser.js("document.getElementById('caution').textContent")
        click_cell(browser, 30, 12)
        browser.until("document.querySelector('#card .big')")
        assert browser.text("#card .big") == "\u22122 g/kg"
        for words in (
            "\u22123 to \u22121 g/kg",
            "decrease, more than the uncertainty",
            "Inside the area of applicability",
        ):
            assert words in browser.text("#card")
        for layer in browser.js("period().layers"):
            browser.js(f"document.querySelector('input[name=layer][value={layer}]').click()")
        browser.js("document.getElementById('compare').click()")
        assert browser.js("state.right.layer") == "organic_carbon"
        browser.js("Object.assign(document.getElementById('period'), {value: 0}).dispatchEvent(new Event('input'))")
        assert browser.text("#subtitle").startswith("2015") and browser.js("state.layer") == "quality"
        assert browser.js("document.documentElement.scrollWidth <= window.innerWidth")
        assert browser.problems == []
