"""The folder that `soc export --format stac` writes: the batches' files, an item for each, and the collection.

Only batches that are up to date are published: the rasters and labels that the items name are those of their files.
"""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soc_assets.embedding.batch import Batch, state
from soc_assets.embedding.check import check_batch
from soc_assets.embedding.inputs import EmbeddingInputs, read_inputs
from soc_assets.embedding.listing import Listing
from soc_assets.errors import FeaturesError, SocWarning
from soc_assets.exporting.stac import fields
from soc_assets.exporting.stac.collection import make_collection
from soc_assets.exporting.stac.item import make_item
from soc_assets.exporting.stac.reading import reading
from soc_assets.exporting.tables import write_int8_batch
from soc_assets.features import refresh
from soc_assets.project import Project
from soc_assets.rasters.provenance import files_of_step
from soc_assets.reporting.findings import errors
from soc_assets.runtime import progress

_ID = "soc-embeddings"


def write_stac(project: Project, folder: Path, int8: bool) -> int:
    """Write everything into an empty folder, which may be moved: links and addresses in it are relative.

    It is a temporary one, which takes its place when it is complete.

    Args:
        project: settings and paths.
        folder: where to.
        int8: vectors as int8 with a scale each.

    Returns:
        Samples written.

    Raises:
        FeaturesError: there is no batch, one is stale or damaged, or the embeddings were imported.
    """
    if "imported" in refresh.contents_of(project).spec.choices["weights"]:
        raise FeaturesError(
            "These embeddings were imported, and of the rasters they were made from nothing is known: "
            "`soc export --stage embeddings` writes them as Parquet, NPZ or CSV."
        )
    inputs = read_inputs(project)
    spec, grid, name = inputs.spec, inputs.raster_index.grid, f"{_ID}-{inputs.spec.digest}"
    batches = list(_ready(inputs))
    total, written = sum(len(batch.samples) for batch in batches), 0
    items: dict[str, dict[str, Any]] = {}
    for batch in batches:
        path = batch.path(inputs.folder)
        if wrong := errors(check_batch(batch, inputs.folder, spec)):
            raise FeaturesError(f"{path} is damaged ({wrong[0].found}). `soc run --to embeddings` mends it.")
        own = folder / path.name
        write_int8_batch(path, spec, own) if int8 else own.write_bytes(path.read_bytes())
        items[f"{batch.key}.json"] = make_item(batch, spec, grid, own, name, int8)
        _write(folder / f"{batch.key}.json", items[f"{batch.key}.json"])
        written += len(batch.samples)
        progress.report(written, total, "samples")
    (folder / fields.SPEC).write_bytes((inputs.folder / fields.SPEC).read_bytes())
    _write(folder / fields.SOURCES, {"rasters": _sources(project, inputs, batches)})
    page = reading(spec, int8, batches[0].path(folder).name)
    (folder / fields.READING).write_text(page, encoding="utf-8")
    _write(folder / fields.COLLECTION, make_collection(name, items, spec, grid, folder, int8))
    return written


def is_ours(folder: Path) -> bool:
    """Whether a folder was written by `write_stac`, or is empty: only then may it be replaced."""
    if not folder.is_dir():
        return False
    try:
        found = json.loads((folder / fields.COLLECTION).read_text(encoding="utf-8"))
        return str(found["id"]).startswith(_ID)
    except (OSError, ValueError, KeyError, TypeError):
        return not any(folder.iterdir())


def _ready(inputs: EmbeddingInputs) -> Iterator[Batch]:
    """The batches that are embedded; those that are missing are told.

    Raises:
        FeaturesError: one is stale, or none is there.
    """
    listing, missing, found = Listing(inputs.folder), [], 0
    for key in inputs.keys:
        batch = inputs.batch(key)
        if not len(batch.samples):
            continue
        now = state(batch, inputs.folder, listing)
        if now in ("stale", "relabel"):
            what = "its labels" if now == "relabel" else "its samples, rasters or settings"
            raise FeaturesError(f"{key} is not up to date: {what} changed since. First `soc run --to embeddings`.")
        if now == "missing":
            missing.append(key)
            continue
        found += 1
        yield batch
    if not found:
        raise FeaturesError(f"{inputs.folder} holds no batch: `soc run --to embeddings` makes them.")
    if missing:
        words = f"{len(missing)} of {found + len(missing)} batches are not embedded yet, and left out: {missing[0]}"
        warnings.warn(f"{words}{', ...' if len(missing) > 1 else ''}.", SocWarning, stacklevel=3)


def _sources(project: Project, inputs: EmbeddingInputs, batches: list[Batch]) -> list[dict[str, Any]]:
    """The rasters that the batches were made from, by band and step."""
    read = {key for batch in batches for key, content in batch.rasters.items() if content}
    mosaics = {step.key(band): mosaic for (band, step), mosaic in inputs.raster_index.mosaics.items()}
    return [files_of_step(project, key, mosaic) for key, mosaic in mosaics.items() if key in read]


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
