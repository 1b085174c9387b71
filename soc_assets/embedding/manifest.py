"""manifest.json and documentation.md next to the batches: what is in the folder, from the files themselves.

Both are derived from the Parquet files' metadata each time, and so right however many processes wrote batches.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soc_assets.embedding.footers import Footer, read_footers
from soc_assets.embedding.parquet import SCHEMA
from soc_assets.embedding.spec import Spec
from soc_assets.integrity.schemas import EMBEDDINGS
from soc_assets.reporting.as_text import markdown
from soc_assets.storage import digest, files

_MANIFEST, _DOCUMENTATION = "manifest.json", "documentation.md"
_NORMALISED = {
    "band": "(pixel - mean) / standard deviation, gaps 0",
    "none": "raw, gaps the mean",
    "image": "each window by its own range to 0..1, gaps its mean; point values by mean and standard deviation",
}


def write_manifest(
    folder: Path, spec: Spec, batches: Sequence[Path], footers: Mapping[str, Footer] | None = None
) -> dict[str, Any]:
    """Write both files; returns the manifest.

    Args:
        folder: of the spec.
        spec: the frozen spec.
        batches: the files of all batches, there or not.
        footers: of the files in the folder, by name; None reads them.
    """
    footers = read_footers(folder) if footers is None else footers
    rows = [_describe(path, footer) for path in batches if (footer := footers.get(path.name)) and footer.facts()]
    manifest = {
        "spec": spec.digest,
        "created": spec.created,
        "weights": spec.weights,
        "weights_sha256": rows[0]["weights_sha256"] if rows else None,
        "features_per_sample": spec.n_features,
        "settings": spec.choices,
        "statistics": {name: {"mean": value.mean, "std": value.std} for name, value in spec.statistics.items()},
        "batches_total": len(batches),
        "batches_done": len(rows),
        "samples": sum(row["samples"] for row in rows),
        "missing_images": sum(row["missing_images"] for row in rows),
        "batches": rows,
    }
    text = _documentation(spec, manifest)
    manifest["documentation"] = digest.of_bytes(text.encode())
    files.write_text(folder / _DOCUMENTATION, text)
    files.write_json(folder / _MANIFEST, {**manifest, "checksum": digest.of_values(manifest)})
    return manifest


def wrong(folder: Path) -> str | None:
    """What is wrong with the files in a spec's folder; empty where they only lack what was done since, else None."""
    path, there = folder / _MANIFEST, {each.name: each.stat().st_size for each in folder.glob("batch_*_size_*.parquet")}
    if not path.is_file():
        return "" if there else None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        whole = stored.pop("checksum", None) in (None, digest.of_values(stored))
        listed = {row["file"]: row["bytes"] for row in stored["batches"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{path} is damaged"
    if not whole:
        return f"{path} is damaged"
    text = folder / _DOCUMENTATION
    if not text.is_file() or stored.get("documentation") not in (None, digest.of_bytes(text.read_bytes())):
        return f"{text} is {'damaged' if text.is_file() else 'missing'}"
    return None if listed == there else ""


def _describe(path: Path, footer: Footer) -> dict[str, Any]:
    metadata = footer.stored
    return {
        "file": path.name,
        "samples": footer.rows,
        "bytes": path.stat().st_size,
        "inputs": metadata["soc.inputs"],
        "labels": metadata["soc.labels"],
        "missing_images": int(metadata["soc.missing_images"]),
        "seconds": float(metadata["soc.seconds"]),
        "device": metadata["soc.device"],
        "weights_sha256": metadata["soc.weights_sha256"],
        "software": metadata["soc.version"],
    }


def _documentation(spec: Spec, manifest: dict[str, Any]) -> str:
    rows, width = spec.shape
    choices = spec.choices
    columns = "\n".join(f"| `{field.name}` | {field.type} | {EMBEDDINGS[field.name].description} |" for field in SCHEMA)
    length = rows * width
    slots = "\n".join(
        f"| {n * length} | {(n + 1) * length - 1} | {slot.name} | {'-' if slot.lag is None else slot.lag} |"
        for n, slot in enumerate(spec.slots)
    )
    normalised = _NORMALISED[choices["normalise"]]
    grouped = f", groups of {choices['t_patch_size']} frames as in the checkpoint" if "t_patch_size" in choices else ""
    statistics = "\n".join(f"| {name} | {s.mean:.6g} | {s.std:.6g} |" for name, s in spec.statistics.items())
    return f"""# Embeddings {spec.digest}

{manifest["samples"]} samples in {manifest["batches_done"]} of {manifest["batches_total"]} batches;
{manifest["missing_images"]} images are missing (null). **Weights: {markdown(spec.weights)}.**

SpectralGPT `{choices["model"]}`{grouped}, stage `{choices["stage"]}`, pooling `{choices["pooling"]}`,
anchor `{choices["anchor"]}`, windows of {choices["image_size"]} pixels squared of the grid of {choices["reference"]}.
Each image is {rows} x {width}, each sample {spec.n_features} features.

## Columns

| column | type | |
|---|---|---|
{columns}

## Feature vector (view `features`)

| from | to | band | lag |
|---|---|---|---|
{slots}

## Normalisation, frozen {spec.created}: {normalised}

| band | mean | standard deviation |
|---|---|---|
{statistics}
"""
