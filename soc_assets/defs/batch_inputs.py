"""`batch_inputs`: what each batch is made from, observed, so that Dagster marks a batch stale only for its own inputs.

A new raster catalog or new balanced samples would otherwise mark every batch. An observation carries the digest of one
batch's inputs and labels as its data version; only digests that have changed are reported.
"""

from collections.abc import Sequence

import dagster as dg

from soc_assets import digest
from soc_assets.defs.partitions import BATCH, register
from soc_assets.defs.resources import ProjectResource
from soc_assets.embedding.batch import Batch
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.freshness import known_embeddings

KEY = dg.AssetKey("batch_inputs")
_VERSION = "dagster/data_version"
_SPEC = dg.AssetSpec(
    KEY,
    deps=["raster_catalog", "balanced_samples"],
    partitions_def=BATCH,
    group_name="embedding",
    kinds={"geotiff", "parquet"},
    owners=["team:soil-carbon"],
    description="""What each batch is made from: its samples, the rasters that their windows read, and the spec.

Nothing is computed here. *Observe* works out a digest for every batch; where it differs from the one that a batch was
embedded with, the batch shows as stale, and only then. `raster_catalog`, `balanced_samples` and `embeddings` observe on
their own. `soc status` reads the files themselves and is always right.""",
)


@dg.multi_observable_source_asset(specs=[_SPEC], name="batch_inputs")
def batch_inputs(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.ObserveResult:
    """Observe every batch; registers batches that the instance does not know."""
    inputs = known_embeddings(project.load())
    if inputs is None:
        return dg.ObserveResult(metadata={"batches": 0, "note": "No batch was ever embedded with these settings."})
    register(context.instance, inputs.keys)
    changed = observe(context.instance, [inputs.batch(key) for key in inputs.keys], known_only=False)
    states = list(inputs.states().values())
    context.log.info(f"{len(inputs.keys)} batches, {len(changed)} with inputs unlike those seen last")
    counts = {state: states.count(state) for state in ("fresh", "relabel", "stale", "missing")}
    return dg.ObserveResult(metadata={"batches": len(states), "changed": len(changed), **counts})


def observe_known(instance: dg.DagsterInstance, inputs: EmbeddingInputs | None) -> list[str]:
    """Report batches seen before whose inputs have changed; a batch never embedded is missing anyway."""
    return [] if inputs is None else observe(instance, [inputs.batch(key) for key in inputs.keys])


def observe(instance: dg.DagsterInstance, batches: Sequence[Batch], known_only: bool = True) -> list[str]:
    """Report the digests of batches where they differ from the last ones reported; returns the keys reported."""
    seen = instance.event_log_storage.get_latest_tags_by_partition(
        KEY, dg.DagsterEventType.ASSET_OBSERVATION, [_VERSION], asset_partitions=None
    )
    changed = []
    for batch in batches:
        version, before = data_version(batch), seen.get(batch.key, {}).get(_VERSION)
        if version != before and (before or not known_only):
            observation = dg.AssetObservation(KEY, partition=batch.key, tags={_VERSION: version})
            instance.report_runless_asset_event(observation)
            changed.append(batch.key)
    return changed


def data_version(batch: Batch) -> str:
    """Digest of everything that a batch's file is made from, its labels included."""
    return digest.of_values([batch.inputs, batch.labels])


def observe_before_embedding(context: dg.AssetExecutionContext, inputs: EmbeddingInputs) -> None:
    """Report the inputs of this run's batches, and have the run's own record say that it used these."""
    batches = [inputs.batch(key) for key in context.partition_keys]
    if observe(context.instance, batches, known_only=False):
        context.get_step_execution_context().wipe_input_asset_version_info(KEY)
