"""The asset `embeddings`: one partition per batch of samples, one Parquet file each, cached by digest."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import dagster as dg
import pandas as pd

from soc_assets import files, progress
from soc_assets.defs.batch_inputs import KEY, observe_before_embedding
from soc_assets.defs.partitions import BATCH
from soc_assets.defs.resources import ProjectResource
from soc_assets.embedding import batch as batches
from soc_assets.embedding import spec as specs
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encode import Encoder, load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs, load_inputs
from soc_assets.embedding.manifest import write_manifest
from soc_assets.embedding.write import Failed, write_batches
from soc_assets.errors import SocError
from soc_assets.project import Project


@dg.asset(
    deps=[KEY],
    partitions_def=BATCH,
    group_name="embedding",
    kinds={"pytorch", "parquet"},
    code_version=str(specs.VERSION),
    pool="gpu",
)
def embeddings(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """SpectralGPT embeddings of the windows round the samples of a batch.

    One file per batch in `data/embeddings/<spec>/`, with the spec, its digests and the weights' label in its metadata.
    A batch whose inputs have not changed is not computed again (`cached`). Pick batches; a run without any is an error.
    """
    if not context.has_partition_key and not context.has_partition_key_range:
        raise dg.Failure("embeddings needs batches: choose partitions (all of them is fine) and materialise again.")
    loaded = project.load()
    inputs = load_inputs(loaded)
    assert inputs is not None
    observe_before_embedding(context, inputs)
    done, failed = _write_all(context, loaded, inputs, list(context.partition_keys))
    manifest = write_manifest(inputs.folder, inputs.spec, [inputs.path(key) for key in inputs.keys])
    for written in done:
        _report(context, written, inputs.spec, failed=bool(failed))
    keys = len(context.partition_keys)
    if failed:
        raise dg.Failure("\n".join([f"{keys - len(done)} of {keys} batches failed.", *failed]))
    return dg.MaterializeResult(
        metadata={
            "spec": inputs.spec.digest,
            "weights": inputs.spec.weights,
            "features_per_sample": inputs.spec.n_features,
            "folder": dg.MetadataValue.path(str(inputs.folder)),
            **_weights_metadata(inputs.folder),
            "batches_done": f"{manifest['batches_done']} of {manifest['batches_total']}",
        },
    )


def _write_all(
    context: dg.AssetExecutionContext, project: Project, inputs: EmbeddingInputs, keys: list[str]
) -> tuple[list[batches.Written], list[str]]:
    """Bring the batches up to date; a batch that fails is set aside and the rest goes on."""
    for words in specs.drift(inputs.spec, pd.read_parquet(project.catalog)):
        context.log.warning(f"The rasters have drifted from the spec's frozen statistics: {words}; see `soc refit`.")
    done, failed = [], []
    embedder, start, samples = _embedder_once(context, project, inputs, keys), time.perf_counter(), 0
    try:
        for number, result in enumerate(write_batches(inputs, keys, inputs.folder, embedder), start=1):
            if isinstance(result, Failed):
                failed.append(f"{result.key}: {result.error}")
                context.log.error(failed[-1])
                continue
            done.append(result)
            samples += result.samples
            words = f"{result.key} {result.outcome}, {samples / (time.perf_counter() - start):.0f} samples/s"
            progress.emit("embeddings", number, len(keys), words)
            context.log.info(f"batch {number} of {len(keys)}: {words}, {result.missing} images missing")
    except SocError as error:  # of the checkpoint or the device: the same for every batch
        failed.append(str(error))
    return done, failed


def _embedder_once(
    context: dg.AssetExecutionContext, project: Project, inputs: EmbeddingInputs, keys: list[str]
) -> Callable[[], Embedder]:
    """Loads the weights at the first call, from whichever thread, and keeps them for the run."""
    lock, settings = Lock(), project.settings.embedding
    loaded: list[Embedder] = []

    def load() -> Embedder:
        with lock:
            if not loaded:
                encoder = load_encoder(
                    inputs.spec,
                    project.checkpoint,
                    settings.drop_path,
                    settings.device,
                    settings.images_at_once,
                    images_expected=sum(inputs.rows(key) for key in keys) * len(inputs.spec.slots),
                    compiling=settings.compile,
                )
                _tell_weights(context, encoder, inputs)
                loaded.append(Embedder(inputs.spec, inputs.atlas, encoder, settings.cache_mb))
            return loaded[0]

    return load


def _tell_weights(context: dg.AssetExecutionContext, encoder: Encoder, inputs: EmbeddingInputs) -> None:
    """Log what was loaded, and write weights.json: every key loaded, ignored and interpolated."""
    weights = encoder.weights
    files.write_json(
        inputs.folder / "weights.json",
        {"label": weights.label, "sha256": weights.sha256, "precision": str(encoder.precision), **weights.report},
    )
    counts = ", ".join(f"{len(keys)} keys {what}" for what, keys in weights.report.items())
    context.log.info(f"weights: {weights.label} ({counts}), on {encoder.device} in {encoder.precision}")


def _weights_metadata(folder: Path) -> dict[str, Any]:
    path = folder / "weights.json"
    if not path.is_file():
        return {}
    told = json.loads(path.read_text())
    counts = {what: len(told[what]) for what in ("loaded", "ignored", "interpolated")}
    return {"weights_keys": counts, "precision": told["precision"], "weights_report": dg.MetadataValue.path(str(path))}


def _report(context: dg.AssetExecutionContext, written: batches.Written, spec: specs.Spec, failed: bool) -> None:
    metadata: dict[str, Any] = {
        "batch": written.key,
        "cached": written.outcome == "cached",
        "outcome": written.outcome,
        "inputs": written.inputs,
        "samples": written.samples,
        "images_embedded": written.images,
        "missing_images": written.missing,
        "seconds": round(written.seconds, 3),
        "images_per_second": round(written.images / max(written.seconds, 1e-9)),
        "weights": spec.weights,
        "spec": spec.digest,
        "file": dg.MetadataValue.path(str(written.path)),
    }
    if failed:  # the step fails, but what is done is done: record it
        context.log_event(dg.AssetMaterialization("embeddings", partition=written.key, metadata=metadata))
    else:
        context.add_asset_metadata(metadata, asset_key="embeddings", partition_key=written.key)
