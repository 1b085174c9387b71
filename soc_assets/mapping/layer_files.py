"""What a map and a change between two have in common: layers written tile by tile into a folder that appears whole.

Each layer is written as a tiled GeoTIFF and translated once by GDAL's own driver, since that can write no windows. A
JSON file in the folder says what made them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from soc_assets import __version__
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells, Place
from soc_assets.mapping.layers import Layer
from soc_assets.mapping.quality_classes import BEYOND, NODATA
from soc_assets.mapping.tile_files import TileLayers
from soc_assets.mapping.write_raster import as_cog, checksum, open_tiled, require_content, window_of
from soc_assets.runtime import progress
from soc_assets.storage import folders
from soc_assets.storage.access import local_lock
from soc_assets.storage.write_errors import translate_write_errors

Facts = dict[str, Any]


@dataclass(frozen=True)
class MapFile:
    """A map, or a change, on disk: its folder, and what its JSON file says."""

    folder: Path
    facts: Facts


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Whoever writes the folder of a map, or into it, does so alone: another process of this machine waits.

    Raises:
        StorageError: the disk is full or read-only.
    """
    from filelock import FileLock

    lock = FileLock(local_lock(folder))
    with translate_write_errors(Path(lock.lock_file)):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing(folder: Path, last: str) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of a map, here and where other hosts find it.

    Args:
        folder: of the map.
        last: the file that says that all are there.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with alone(folder), folders.replacing_folder(folder, last=last) as temporary:
        yield temporary


def read_folder(folder: Path, name: str) -> MapFile | None:
    """What the JSON file `name` of a folder describes; None where it, or one of its layers, is missing."""
    try:
        facts = json.loads((folder / name).read_text(encoding="utf-8"))
        whole = all((folder / layer).is_file() for layer in facts["files"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return MapFile(folder, facts) if whole else None


def state_of(found: MapFile | None, inputs: str) -> str:
    """missing, stale or fresh; `inputs` is the digest of all that decides the files now."""
    if found is None:
        return "missing"
    return "fresh" if found.facts.get("digest") == inputs else "stale"


def facts_of(inputs: MapInputs, layers: list[Layer], classes: Mapping[int, str], counts: Mapping[int, int]) -> Facts:
    """What made the files, and how they are cut; `counts` are cells by class of quality."""
    model, grid = inputs.registered, inputs.lattice.grid
    return {
        "model": model.name,
        "version": model.version,
        "uri": model.uri,
        "recipe": model.recipe,
        "features": model.features,
        "weights": model.weights,
        "spec": model.spec,
        "model_digest": model.digest,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": f"soc_assets {__version__}",
        "grid": {
            "crs": grid.crs.to_string(),
            "transform": list(grid.transform[:6]),
            "width": grid.width,
            "height": grid.height,
            "step": inputs.lattice.step,
        },
        "files": {layer.name: f"{layer.name}.tif" for layer in layers},
        "units": {layer.name: layer.unit for layer in layers if layer.unit},
        "counts": {str(number): cells for number, cells in counts.items()},
        "classes": {str(number): words for number, words in classes.items()},
    }


def tiles_of(inputs: MapInputs, layers: int, read: Callable[[Place], TileLayers]) -> Iterator[tuple[Cells, TileLayers]]:
    """All tiles of the lattice, `read` where a cell is wanted; the others are empty, with numbers [layers, h, w]."""
    for place in inputs.lattice.places():
        cells = inputs.lattice.cells(place)
        if place in inputs.places:
            yield cells, read(place)
        else:
            empty = np.full((layers, *cells.shape), np.nan, np.float32)
            yield cells, TileLayers(empty, np.full(cells.shape, BEYOND, np.uint8))


def write_layers(
    folder: Path,
    inputs: MapInputs,
    layers: list[Layer],
    tiles: Iterator[tuple[Cells, Mapping[str, np.ndarray]]],
    describe: Callable[[], tuple[Facts, dict[str, str], str]],
) -> Facts:
    """Write the layers, and compare what each file holds with what was written into it.

    Args:
        folder: where to.
        inputs: of the maps.
        layers: in the order in which they are written.
        tiles: cells, and by name of the layer the numbers [h, w] as they are stored.
        describe: asked after the last tile for the facts, tags of every file, and the period in words.

    Raises:
        OSError: a file cannot be written.
        StorageError: a file does not hold what was written.
    """
    written, windows = {layer.name: 0 for layer in layers}, []
    with ExitStack() as stack:
        opened = [stack.enter_context(open_tiled(_part(folder, layer), layer, inputs.lattice.grid)) for layer in layers]
        for cells, stored in tiles:
            windows.append(window_of(cells))
            for layer, dataset in zip(layers, opened, strict=True):
                dataset.write(stored[layer.name], 1, window=windows[-1])
                written[layer.name] = checksum([stored[layer.name]], written[layer.name])
        facts, tags, period = describe()
        for layer, dataset in zip(layers, opened, strict=True):
            dataset.update_tags(**_tags_of(facts), **tags, TIFFTAG_IMAGEDESCRIPTION=f"{layer.description}, {period}")
            dataset.update_tags(1, **_statistics_tags(facts["statistics"].get(layer.name, {})))
    for number, layer in enumerate(layers, start=1):
        path = folder / f"{layer.name}.tif"
        as_cog(_part(folder, layer), path, layer)
        require_content(path, windows, written[layer.name])
        progress.report(number, len(layers), f"{path.name} of {period}")
    return facts


def write_facts(folder: Path, name: str, facts: Facts) -> None:
    """Write the JSON file of a folder."""
    (folder / name).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def count_classes(values: np.ndarray, counts: dict[int, int]) -> None:
    """Add the cells of each class; nodata is none."""
    classes, found = np.unique(values, return_counts=True)
    for number, cells in zip(classes.tolist(), found.tolist(), strict=True):
        if number != NODATA:
            counts[number] += cells


def _part(folder: Path, layer: Layer) -> Path:
    return folder / f"{layer.name}.part"


def _tags_of(facts: Facts) -> dict[str, str]:
    """Tags that every file has."""
    step = facts["grid"]["step"]
    tags = {
        "TIFFTAG_SOFTWARE": facts["software"],
        "SOC_MODEL": f"{facts['uri']} ({facts['recipe']}; embeddings with weights: {facts['weights']})",
        "SOC_SPEC": facts["spec"],
        "SOC_DIGEST": facts["digest"],
    }
    return tags | (
        {"SOC_STEP": f"one cell per {step} x {step} pixels, predicted at the middle one"} if step > 1 else {}
    )


def _statistics_tags(statistics: Mapping[str, Any]) -> dict[str, str]:
    """Statistics as GDAL names them."""
    names = {"MINIMUM": "min", "MAXIMUM": "max", "MEAN": "mean", "STDDEV": "std"}
    return {f"STATISTICS_{tag}": f"{statistics[name]:.9g}" for tag, name in names.items() if name in statistics}
