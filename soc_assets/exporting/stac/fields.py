"""The fields of the STAC extension for embeddings (`emb:`) that an embedding spec decides.

Source: https://github.com/geo-embeddings/embeddings-stac-specification, version 0.0.1, a proposal. Its schema refers to
STAC 1.0.0, so that the documents are of that version and not of 1.1, as those of the maps are.
"""

from typing import Any

from soc_assets.embedding.spec import Spec
from soc_assets.geo.grid import Grid

STAC_VERSION = "1.0.0"
_EXTENSION = "https://stac-extensions.github.io"
EMBEDDINGS = f"{_EXTENSION}/embeddings/v0.0.1/schema.json"
FILE = f"{_EXTENSION}/file/v2.1.0/schema.json"
PROJECTION = f"{_EXTENSION}/projection/v2.0.0/schema.json"
TABLE = f"{_EXTENSION}/table/v1.2.0/schema.json"
PARQUET = "application/vnd.apache.parquet"
COLLECTION, SOURCES, SPEC, READING = "collection.json", "sources.json", "spec.json", "reading.md"
PAPER = "https://doi.org/10.1109/TPAMI.2024.3362475"  # Hong et al., SpectralGPT, IEEE TPAMI 2024
_RUN = (
    *("model", "stage", "layer", "pooling", "anchor", "arrangement", "image_size", "normalise", "precision"),
    *("t_patch_size", "min_valid_fraction", "reference", "time_before", "first_lag", "seasonal"),
)
_RESOLUTIONS = {"yearly": "annual", "seasonal": "quarterly"}


def weights_in_words(spec: Spec) -> str:
    """`random weights (seed 42)`, `pretrained weights (sha256 ...)`."""
    return spec.weights.replace(" (", " weights (", 1)


def data_type_of(spec: Spec, int8: bool) -> str:
    """Of the vectors as they are stored."""
    return "int8" if int8 else spec.choices["storage"]


def collection_fields(spec: Spec, grid: Grid, int8: bool) -> dict[str, Any]:
    """Type, dimensions, chip layout, data type and resolution; each vector is of the window around a sample."""
    side = spec.choices["image_size"]
    found: dict[str, Any] = {
        "emb:type": "chip",
        "emb:dimensions": spec.shape[1],
        "emb:chip_layout": {"layout_type": "variable_grid", "chip_size": [side, side]},
        "data_type": data_type_of(spec, int8),
    }
    kinds = {slot.kind for slot in spec.slots} - {"static"}
    if kinds:
        found["emb:temporal_resolution"] = _RESOLUTIONS[kinds.pop()] if len(kinds) == 1 else "multi_temporal"
    if grid.crs.is_projected:
        found["gsd"] = round(abs(grid.transform.determinant) ** 0.5 * grid.crs.linear_units_factor[1], 6)
    return found


def run_parameters(spec: Spec) -> dict[str, Any]:
    """What the encoder was run with (`emb:runtime_parameters`); the statistics are in the bands' own units."""
    chosen = {name: spec.choices[name] for name in _RUN if spec.choices.get(name) is not None}
    statistics = {name: {"mean": each.mean, "std": each.std} for name, each in spec.statistics.items()}
    return {
        **chosen,
        "bands": [band.name for band in spec.bands],
        "images": [slot.name if slot.lag is None else f"{slot.name} lag {slot.lag}" for slot in spec.slots],
        "vectors_per_image": spec.shape[0],
        "statistics": statistics,
        "weights": weights_in_words(spec),
    }


def quantization(spec: Spec, int8: bool) -> dict[str, Any]:
    """How the numbers are stored (`emb:quantization`)."""
    if int8:
        link = {"rel": "about", "href": f"./{READING}", "type": "text/markdown", "title": "how floats are restored"}
        return {"method": "linear", "original_dtype": "float32", "quantized_dtype": "int8", "link": link}
    if spec.choices["storage"] == "float16":
        return {"method": "cast", "original_dtype": "float32", "quantized_dtype": "float16"}
    return {"method": "none", "original_dtype": "float32"}


def grid_fields(grid: Grid) -> dict[str, Any]:
    """The reference grid, whose pixels the windows are cut from (`proj:`); `soc:grid` has its transform and size."""
    code = grid.crs.to_epsg(confidence_threshold=100)  # below 100 another datum may pass for one that is known
    named = (
        {"proj:code": f"EPSG:{code}"}
        if code
        else {"proj:code": None, "proj:wkt2": grid.crs.to_wkt(version="WKT2_2019")}
    )
    facts = {"crs": f"EPSG:{code}" if code else grid.crs.to_wkt(), "transform": list(grid.transform[:6])}
    return {**named, "soc:grid": {**facts, "width": grid.width, "height": grid.height}}
