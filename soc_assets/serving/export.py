"""The page as one file: the same page over rasters at preview resolution, packed into it, below 10 MB.

It asks nobody for anything, which its policy makes sure of. Coordinates of samples are in it only on request: the terms
of LUCAS forbid to publish them.
"""

import base64
import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.warp import transform_bounds

from soc_assets.errors import SocError
from soc_assets.project import Project
from soc_assets.runtime import interrupts, progress
from soc_assets.serving import content, rasters
from soc_assets.serving.app import STATIC, static_file
from soc_assets.serving.colours import Picture
from soc_assets.serving.maps import MapFolder, opened
from soc_assets.serving.relief import relief
from soc_assets.serving.state import State
from soc_assets.serving.tiles import Tile, read_tile
from soc_assets.storage import files

MOST_BYTES = 9_800_000
_LONGEST = 1200  # pixels along the longer edge of the preview, where all maps fit
_SMALLEST = 16
_LEVELS = 4095  # steps between the lowest and the highest value of a raster
_GREYS = 8  # levels of the relief that become one
_SCRIPTS = ("leaflet.js", "file.js", "view.js")


def export(project: Project, target: Path, with_samples: bool) -> int:
    """Write the page of all maps as one HTML file; returns its bytes.

    Args:
        project: whose maps.
        target: the file; replaced where it is there.
        with_samples: whether the samples with their coordinates are in it.

    Raises:
        SocError: so many maps that not even the coarsest preview fits.
    """
    state = State(project)
    tile = _whole(state.maps().values())
    while max(tile.height, tile.width) >= _SMALLEST:
        page = _page(state, tile, with_samples)
        if len(page) <= MOST_BYTES:
            with files.replacing(target, "--export") as temporary:
                temporary.write_bytes(page)
            return len(page)
        tile = _coarser(tile, max(1.1, math.sqrt(len(page) / MOST_BYTES)))
    raise SocError(
        f"The {len(state.maps())} maps do not fit into {MOST_BYTES / 1e6:.0f} MB, however coarse their preview. Move "
        f"some of the periods in {project.data / 'maps'} to another folder."
    )


def _page(state: State, tile: Tile, with_samples: bool) -> bytes:
    maps = list(state.maps().values())
    data = {
        "view": _view(state, tile),
        "tile": {name: getattr(tile, name) for name in ("left", "top", "pixel", "height", "width")},
        "rasters": _rasters(maps, tile),
        "samples": content.samples(state.samples(maps[0])) if with_samples else None,
    }
    return _inlined(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))


def _rasters(maps: list[MapFolder], tile: Tile) -> dict[str, dict[str, Any]]:
    """The packed values of all rasters, by model, period and name."""
    packed = {}
    for number, each in enumerate(maps, start=1):
        interrupts.check()
        for name in filter(each.has, each.names):
            packed[f"{each.model}/{each.period}/{name}"] = pack(_values(each, name, tile))
        progress.report(number, len(maps), f"{each.period} at {tile.width} x {tile.height} pixels")
    return packed


def _whole(maps: Iterable[MapFolder]) -> Tile:
    """The part of the web map that holds all maps; its pixels are not smaller than those of the finest map."""
    boxes, finest = [], math.inf
    for each in maps:
        with opened(each.raster(each.names[0])) as dataset:
            box = transform_bounds(dataset.crs, "EPSG:3857", *dataset.bounds)
            finest = min(finest, (box[2] - box[0]) / dataset.width, (box[3] - box[1]) / dataset.height)
            boxes.append(box)
    (left, bottom), (right, top) = np.min(boxes, axis=0)[:2].tolist(), np.max(boxes, axis=0)[2:].tolist()
    pixel = max(finest, (right - left) / _LONGEST, (top - bottom) / _LONGEST)
    return Tile(left, top, pixel, math.ceil((top - bottom) / pixel), math.ceil((right - left) / pixel))


def _coarser(tile: Tile, times: float) -> Tile:
    """The same part of the web map with larger pixels."""
    return Tile(tile.left, tile.top, tile.pixel * times, math.ceil(tile.height / times), math.ceil(tile.width / times))


def _view(state: State, tile: Tile) -> dict[str, Any]:
    terrain = rasters.terrain(state.rasters().values(), state.project.settings.rasters.reference)
    shaded = relief(terrain, tile) if terrain else None
    return {
        "project": state.project.root.name,
        "layers": content.layers(),
        "models": content.models(state.maps().values()),
        "rasters": [],
        "relief": _shaded(shaded) if shaded else None,
    }


def _values(found: MapFolder, name: str, tile: Tile) -> np.ndarray:
    with opened(found.raster(name)) as dataset:
        values = read_tile(dataset, tile)
    return np.full((tile.height, tile.width), np.nan, np.float32) if values is None else values


def pack(values: np.ndarray) -> dict[str, Any]:
    """Values [h, w], NaN where there is none, as text: whole numbers from 1 on, `low` and `step` apart, 0 for NaN.

    Of each its difference to the one before is written, all low bytes before all high ones, deflated, in base64.
    """
    there = np.isfinite(values)
    low, high = (float(values[there].min()), float(values[there].max())) if there.any() else (0.0, 0.0)
    whole = bool((values[there] == np.rint(values[there])).all()) and high - low < _LEVELS
    step = 1.0 if whole or high == low else (high - low) / (_LEVELS - 1)
    numbers = np.where(there, 1 + np.rint((np.where(there, values, low) - low) / step), 0).astype(np.uint16).ravel()
    steps = np.diff(numbers, prepend=np.uint16(0)).astype("<u2").view(np.uint8)
    packed = zlib.compress(np.concatenate([steps[0::2], steps[1::2]]).tobytes(), 9)
    return {"packed": base64.b64encode(packed).decode("ascii"), "low": low, "step": step}


def _shaded(picture: Picture) -> str:
    """A relief as data URL, in few greys."""
    coarse = np.where(picture.index > 0, 1 + (picture.index - 1) // _GREYS * _GREYS, 0).astype(np.uint8)
    packed = base64.b64encode(Picture(coarse, picture.palette).png()).decode("ascii")
    return f"data:image/png;base64,{packed}"


def _inlined(data: str) -> bytes:
    """The page with its styles, scripts and data in it, and a policy that lets only these run."""
    page = static_file("index.html").decode()
    scripts = [_script(name) for name in _SCRIPTS]
    styles = [_style(name) for name in re.findall(r'<link rel="stylesheet" href="static/([\w.]+)">', page)]
    page = re.sub(r'<(link rel="stylesheet" href|script src)="static/[\w.]+">(</script>)?\n?', "", page)
    policy = (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    head += "\n".join(f"<style>{style}</style>" for style in styles)
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{head}')
    body = f'<script type="application/json" id="data">{data}</script>\n'
    body += "\n".join(f"<script>{script}</script>" for script in scripts)
    licence = static_file(STATIC["LICENSE.txt"]).decode()
    return page.replace("</body>", f"{body}\n<!-- Leaflet:\n{licence}-->\n</body>").encode()


def _script(name: str) -> str:
    return re.sub(r"\n//# sourceMappingURL=.*", "", _text(STATIC.get(name, name)))


def _style(name: str) -> str:
    return re.sub(r"url\([^)]*\)", "none", _text(STATIC[name]))


def _text(name: str) -> str:
    """A file of the page as a browser reads it out of HTML: lines end in one way, or their digest is another."""
    return static_file(name).decode().replace("\r\n", "\n")


def _hashes(texts: list[str]) -> str:
    """What a policy calls them."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in texts)
    return " ".join(f"'sha256-{each}'" for each in digests)
