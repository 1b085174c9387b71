"""The asset `embeddings`: one partition per batch of samples, one Parquet file each, cached by digest."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import dagster as dg

from soc_assets.defs.assets.batch_inputs import batch_inputs, observe_before_embedding
from soc_assets.defs.automation.backfill import words_of
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.names import Names
from soc_assets.defs.partition_metadata import add_to_partitions
from soc_assets.defs.partitions import BATCH
from soc_assets.defs.reporting import reporting_as
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.ui import checks, tables
from soc_assets.defs.ui.embedding_report import Pulse, facts, in_words, tell_faults
from soc_assets.embedding import batch as batches
from soc_assets.embedding import spec as specs
from soc_assets.embedding.check import CHECKS
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import Encoder, load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs, freeze_spec, read_inputs
from soc_assets.embedding.manifest import write_manifest
from soc_assets.embedding.plots import BatchMaps
from soc_assets.embedding.write import Failed, write_batches
from soc_assets.errors import SocError, SocWarning
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.reporting.findings import errors
from soc_assets.runtime import progress
from soc_assets.storage import files

_KEYS = ("loaded", "ignored", "interpolated")
"""Lists of a checkpoint's keys in the report of its weights."""


@dg.asset(
    deps=[batch_inputs],
    partitions_def=BATCH,
    group_name="embedding",
    kinds={"pytorch", "parquet"},
    code_version=VERSIONS["embeddings"],
    owners=tables.OWNERS,
    metadata=tables.about("embeddings"),
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
    check_specs=checks.EMBEDDING_SPECS,
)
def embeddings(context: dg.AssetExecutionContext, project: ProjectResource) -> Iterator[Any]:
    """SpectralGPT embeddings of the windows around the samples of a batch; one partition is one batch.

    - **Reads** the samples of the batch and, for each, the window of every band and time step around it.
    - **Writes** one Parquet file per batch in `data/embeddings/<spec>/`: a row per sample, a vector per band and step,
      null where a raster is missing. QGIS, GeoPandas and DuckDB open it; `documentation.md` beside it explains the
      columns.
    - **Decided by** [embedding], [rasters] and [study] in soc.toml. Together they are the *spec*, which names the
      folder; another spec gets another folder.

    A batch whose inputs have not changed is not computed again (`cached`). Pick batches; a run without any is an error.
    Without a checkpoint the weights are random, which `weights` shows.
    """
    if not context.has_partition_key and not context.has_partition_key_range:
        words = "embeddings needs batches: choose partitions (all of them is fine) and materialise again."
        raise dg.Failure(words, allow_retries=False)
    loaded = project.load()
    with reporting_as("embeddings", context), on_device() as device:
        inputs = read_inputs(loaded, freeze_spec(loaded))
        observe_before_embedding(context, inputs)
        done, failed = _write_all(context, loaded, inputs, list(context.partition_keys))
    manifest = write_manifest(inputs.folder, inputs.spec, inputs.paths, inputs.footers())
    findings = [finding for written in done for finding in written.findings]
    results = checks.finding_results(findings, CHECKS, checks.saying(words_of(context.partition_keys), CHECKS))
    failed += [finding.words for finding in errors(findings)]
    sound = [written for written in done if not errors(written.findings)]
    maps = BatchMaps(inputs.samples)
    of_all = {"device_lent": device, **_facts_of_all(inputs, manifest, Names.of(context))}
    of = {written.key: {**facts(written, inputs, maps), **of_all} for written in sound}
    if failed:  # the step fails, but what is done is done: record it
        yield from (dg.AssetMaterialization(context.asset_key, partition=key, metadata=of[key]) for key in of)
        yield from checks.evaluations(results, context.asset_key)
        keys = len(context.partition_keys)
        words = f"{keys - len(sound)} of {keys} batches failed."
        raise dg.Failure("\n".join([words, *failed]), allow_retries=False)
    add_to_partitions(context, of)  # facts of the whole run stand there too, so that those of the batch come first
    yield dg.MaterializeResult(check_results=results)


def _facts_of_all(inputs: EmbeddingInputs, manifest: dict[str, Any], names: Names) -> dict[str, Any]:
    return {
        "weights": inputs.spec.weights,
        "spec": inputs.spec.digest,
        "features_per_sample": inputs.spec.n_features,
        "batches_done": f"{manifest['batches_done']} of {manifest['batches_total']}",
        "folder": dg.MetadataValue.path(str(inputs.folder)),
        "documentation": dg.MetadataValue.path(str(inputs.folder / "documentation.md")),
        **_weights_metadata(inputs.folder),
        **tables.lineage("embeddings", names),
    }


def _write_all(
    context: dg.AssetExecutionContext, project: Project, inputs: EmbeddingInputs, keys: list[str]
) -> tuple[list[batches.Written], list[str]]:
    """Bring the batches up to date; a batch that fails is set aside and the rest goes on."""
    for words in specs.drift(inputs.spec, files.read_table(project.catalog)):
        context.log.warning(f"The rasters have drifted from the spec's frozen statistics: {words}; see `soc refit`.")
    done, failed = [], []
    slots, samples = len(inputs.spec.slots), sum(inputs.rows(key) for key in keys)
    with Pulse(len(keys), samples * slots) as pulse:
        embedder = _embedder_once(context, project, inputs, keys, pulse)
        try:
            for number, result in enumerate(write_batches(inputs, keys, inputs.folder, embedder), start=1):
                if isinstance(result, Failed):
                    failed.append(f"{result.key}: {result.error}")
                    context.log.error(failed[-1])
                    continue
                done.append(result)
                pulse.finished(result.samples * slots, result.images)
                progress.report(number, len(keys), in_words(result), unit="batch")
                tell_faults(context, result)
        except SocError as error:  # of the checkpoint or the device: the same for every batch
            failed.append(str(error))
    return done, failed


def _embedder_once(
    context: dg.AssetExecutionContext, project: Project, inputs: EmbeddingInputs, keys: list[str], pulse: Pulse
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
                pulse.encoder = encoder
                loaded.append(Embedder(inputs.spec, inputs.raster_index, encoder, settings.cache_mb))
            return loaded[0]

    return load


def _tell_weights(context: dg.AssetExecutionContext, encoder: Encoder, inputs: EmbeddingInputs) -> None:
    """Log what was loaded, and write weights.json: every key loaded, ignored and interpolated, and notes."""
    weights = encoder.weights
    files.write_json(
        inputs.folder / "weights.json",
        {"label": weights.label, "sha256": weights.sha256, "precision": str(encoder.precision), **weights.report},
    )
    counts = ", ".join(f"{len(weights.report[what])} keys {what}" for what in _KEYS)
    context.log.info(f"weights: {weights.label} ({counts}), on {encoder.device} in {encoder.precision}")
    for note in weights.report["notes"]:
        context.log.info(f"checkpoint: {note}")


def _weights_metadata(folder: Path) -> dict[str, Any]:
    path = folder / "weights.json"
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        counts = {what: len(record[what]) for what in _KEYS}
        precision, notes = str(record["precision"]), "; ".join(record.get("notes", ()))
    except (ValueError, KeyError, TypeError):
        words = f"{path} is damaged, so it is not shown which weights were loaded; the next batch rewrites it."
        warnings.warn(words, SocWarning, stacklevel=2)
        return {}
    keys = {"weights_keys": counts} if counts["loaded"] else {}  # random weights have none
    keys |= {"checkpoint_notes": notes} if notes else {}
    return {**keys, "precision": precision, "weights_report": dg.MetadataValue.path(str(path))}
