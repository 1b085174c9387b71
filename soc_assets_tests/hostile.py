"""A small project in which everything that others may name is named to harm: what file systems and settings allow.

16 samples of 2012 in one batch, windows of 16 pixels, two bands. Names hold quotes, newlines, HTML, Markdown, SQL,
formulas of spreadsheets, mathtext, markup of rich, control sequences, and bytes that are not UTF-8.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from soc_assets_tests.small_project import SIZE, SmallProject, write_tiff
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid, reference_transform

HTML = "<img src=x onerror=alert(1)><script>alert(2)</script>"
MARKDOWN = "[a](http://b.invalid)|![c](http://d.invalid/e.png)|**f** `g` _h_"
SQL = "'); DROP TABLE samples; --\""
FORMULA = '=HYPERLINK("http://evil.invalid","x")'
ANSI = "\x1b[31mred\x1b]0;title\x07 [bold]b[/] [/x] :boom: \u202egnp"
MATH = r"_$\frac{1}{$ $x_"
LINES = "two\nlines\r\n| and | more |"
FORGED = "\nerror forged: a line of its own"
NAMES = (HTML, MARKDOWN, SQL, FORMULA, ANSI, MATH, LINES, "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "%s {0} {year}")
EXTRA = (FORMULA, f'{HTML}" {MARKDOWN}', SQL, LINES)
FOLDER = 'it\'s <b>a & [bold] "$x_1$" ; | `c` \u00e4'
SOIL = f"= {HTML} {ANSI} '\"$_;".replace("/", "\u2215") + ".csv"
REGION_COLUMN = f"{SQL} {HTML}"

SETTINGS = """
[rasters]
static_pattern = "static/{{band}}.tif"
bands = [{{ name = "Elevation", kind = "static" }}, {{ name = "LAI", pattern = "LAI/LAI_{{year}}_{{tile}}.tif" }}]

[study]
time_before = 2

[soil]
extra = {extra}

[sampling]
batch_size = 64
block_size = 8
n_folds = 2

[embedding]
image_size = 16
device = "cpu"

[training]
recipe = "net"
hidden = [4]
epochs = 1
device = "cpu"

[evaluation]
schemes = ["block"]
models = ["ridge"]
feature_sets = ["point"]
documented = false
chosen = false
draws = 100
workers = 1
inner_folds = 2
regions = "regions.geojson"
region_column = {column}
strata = {extra}

[[evaluation.recipes]]
name = "net"
features = "point"
hidden = [4]
epochs = 1
members = 1
"""


def write_hostile(folder: Path) -> SmallProject:
    """Write the project into a folder below `folder` whose name is hostile, too."""
    made = SmallProject(folder / FOLDER)
    made.root.mkdir(parents=True)
    extra = json.dumps(list(EXTRA), ensure_ascii=True)
    made.config.write_text(SETTINGS.format(extra=extra, column=json.dumps(REGION_COLUMN)))
    _write_rasters(made.root / "data/rasters")
    _write_soil(made.root / "data/soil")
    _write_regions(made.root / "regions.geojson")
    return made


def _write_rasters(folder: Path) -> None:
    stream = np.random.default_rng(0)
    write_tiff(folder / "static/Elevation.tif", stream.normal(500, 90, (SIZE, SIZE)), reference_transform())
    for year in (2011, 2012):
        tile = f"{FORMULA} {HTML} {ANSI}".replace("/", "\u2215")
        write_tiff(folder / f"LAI/LAI_{year}_{tile}.tif", stream.normal(15, 4, (SIZE, SIZE)), reference_transform())
    for name in (f"LAI_2010_{MATH} {MARKDOWN} {SQL}{FORGED}".replace("/", "\u2215").encode(), b"LAI_2012_bad\xff\xfe"):
        (Path(os.fsdecode(bytes(folder / "LAI") + b"/" + name + b".tif"))).write_bytes(b"no raster")


def _write_soil(folder: Path) -> None:
    folder.mkdir(parents=True)
    table = points(60)
    table["OC"] = np.round(10 + np.arange(len(table)) % 23 * 1.7, 2)
    table.to_csv(folder / SOIL, index=False)
    Path(os.fsdecode(bytes(folder) + b"/worse\xff\xfe.csv")).write_bytes(b"nothing\n")
    (folder / f"{SQL} {MATH}{FORGED}.xlsx").write_bytes(b"no workbook")


def points(n: int) -> pd.DataFrame:
    """Points with hostile ids, sources and further columns."""
    stream = np.random.default_rng(1)
    rows, columns = stream.integers(8, SIZE - 8, (2, n))
    longitude, latitude = coordinates_of_pixels(rows, columns, reference_grid(SIZE))
    table = pd.DataFrame({"longitude": longitude, "latitude": latitude, "survey_date": "2012-07-01"})
    table["id"] = [f"{NAMES[number % len(NAMES)]}{number}" for number in range(n)]
    table["source"] = [NAMES[number % 2 * 3] for number in range(n)]
    for number, name in enumerate(EXTRA):
        table[name] = [NAMES[(number + row % 3) % len(NAMES)] for row in range(n)]
    return table


def _write_regions(path: Path) -> None:
    import geopandas

    from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM

    west, north = ORIGIN
    width = SIZE * PIXEL / 2
    boxes = [shapely.box(west + k * width, north - 2 * width, west + (k + 1) * width, north) for k in (0, 1)]
    frame = geopandas.GeoDataFrame({REGION_COLUMN: [HTML + MATH, LINES + FORMULA]}, geometry=boxes, crs=UTM)
    frame.to_crs("EPSG:4326").to_file(path, driver="GeoJSON")
