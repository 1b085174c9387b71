"""The collection of all batches of a spec, and what stands beside it: the spec, the rasters, how the files are read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from soc_assets.embedding.spec import Spec
from soc_assets.exporting.stac import fields
from soc_assets.exporting.stac.item import checksum
from soc_assets.geo.grid import Grid

_WORDS = (
    "Embeddings of the {side} x {side} pixels around soil samples, from {images} rasters each, by SpectralGPT "
    "{model} ({stage}, pooling {pooling}) with {weights}. {random}One item per batch of samples; each has a Parquet "
    "file, which holds the samples' organic carbon (g/kg), too. No licence is stated: whoever publishes the "
    "embeddings chooses one, and minds those of the samples and the rasters."
)
_RANDOM = "The encoder was never trained: its embeddings are random projections of the rasters. "
_KEYWORDS = ["soil", "soil organic carbon", "embeddings", "SpectralGPT"]
_BESIDE = {
    fields.SPEC: ("application/json", "the embedding spec: everything that decides the numbers"),
    fields.SOURCES: ("application/json", "the rasters: files of each band and step, and digests of what they hold"),
    fields.READING: ("text/markdown", "how the files are read"),
}


def make_collection(
    identifier: str, items: Mapping[str, dict[str, Any]], spec: Spec, grid: Grid, folder: Path, int8: bool
) -> dict[str, Any]:
    """The collection.

    Args:
        identifier: its id.
        items: by the names of their files.
        spec: the frozen spec.
        grid: the reference grid.
        folder: with the files beside it.
        int8: whether the vectors are int8.
    """
    import pystac

    words, weights = _words(spec), fields.weights_in_words(spec)
    title = f"Embeddings {spec.digest}, {weights}{', int8' if int8 else ''}"
    found = pystac.Collection(
        identifier, words, _extent(list(items.values())), title, license="proprietary", keywords=_KEYWORDS
    )
    found.stac_extensions = [fields.EMBEDDINGS, fields.FILE, fields.PROJECTION, fields.TABLE]
    found.clear_links()
    found.add_link(pystac.Link("root", f"./{fields.COLLECTION}", pystac.MediaType.JSON))
    encoder = f"SpectralGPT {spec.choices['model']}, {weights}"
    found.add_link(pystac.Link("emb:model", f"./{fields.SPEC}", pystac.MediaType.JSON, encoder))
    found.add_link(pystac.Link("emb:source-data", f"./{fields.SOURCES}", pystac.MediaType.JSON, "the rasters"))
    found.add_link(pystac.Link("cite-as", fields.PAPER, title="SpectralGPT (Hong et al., 2024)"))
    for name, item in items.items():
        found.add_link(pystac.Link("item", f"./{name}", pystac.MediaType.GEOJSON, item["properties"]["title"]))
    for name, (media_type, told) in _BESIDE.items():
        more = checksum(folder / name)
        found.add_asset(
            Path(name).stem,
            pystac.Asset(f"./{name}", told, media_type=media_type, roles=["metadata"], extra_fields=more),
        )
    return {
        **found.to_dict(include_self_link=False, transform_hrefs=False),
        **fields.collection_fields(spec, grid, int8),
        "soc:grid": fields.grid_fields(grid)["soc:grid"],
        "summaries": _summaries(grid),
        "stac_version": fields.STAC_VERSION,
        "item_assets": {"embeddings": {"type": fields.PARQUET, "roles": ["data"], "title": "vectors by sample"}},
        "soc:spec": spec.digest,
        "soc:weights": weights,
        "soc:features_per_sample": spec.n_features,
    }


def _summaries(grid: Grid) -> dict[str, Any]:
    code = fields.grid_fields(grid)["proj:code"]
    return {"proj:code": [code]} if code else {}


def _words(spec: Spec) -> str:
    choices, weights = spec.choices, fields.weights_in_words(spec)
    return _WORDS.format(
        side=choices["image_size"],
        images=len(spec.slots),
        weights=weights,
        random=_RANDOM if weights.startswith("random") else "",
        **{name: choices[name] for name in ("model", "stage", "pooling")},
    )


def _extent(items: Sequence[Mapping[str, Any]]) -> Any:
    import pystac

    boxes = [item["bbox"] for item in items]
    box = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    ends = [_ends(item["properties"]) for item in items]
    interval = [min(start for start, _ in ends), max(end for _, end in ends)]
    return pystac.Extent(pystac.SpatialExtent([box]), pystac.TemporalExtent([list(interval)]))


def _ends(properties: Mapping[str, Any]) -> tuple[datetime, datetime]:
    import pystac

    names = ("start_datetime", "end_datetime") if properties.get("datetime") is None else ("datetime", "datetime")
    start, end = (pystac.utils.str_to_datetime(properties[name]) for name in names)
    return start, end
