"""`batch_inputs`: what each batch is made from, observed, so that Dagster marks a batch stale only for its own inputs.

A new raster catalog or new balanced samples would otherwise mark every batch. An observation carries the digest of one
batch's inputs and labels as its data version; what Dagster need not learn is not reported.
"""

from collections.abc import Sequence

import dagster as dg

from soc_assets.defs.names import Names
from soc_assets.defs.partitions import BATCH, register
from soc_assets.defs.resources import ProjectResource
from soc_assets.embedding.inputs import EmbeddingInputs, known_embeddings

_VERSION = "dagster/data_version"
_NAME = "batch_inputs"
_SPEC = dg.AssetSpec(
    _NAME,
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
    inputs, names = known_embeddings(project.load()), Names.of(context)
    if inputs is None:
        return dg.ObserveResult(metadata={"batches": 0, "note": "No batch was ever embedded with these settings."})
    register(context.instance, inputs.keys, names)
    changed = observe(context.instance, names, inputs)
    states = list(inputs.states().values())
    context.log.info(f"{len(inputs.keys)} batches, {len(changed)} with inputs unlike those seen last")
    counts = {state: states.count(state) for state in ("fresh", "relabel", "stale", "missing")}
    return dg.ObserveResult(metadata={"batches": len(states), "changed": len(changed), **counts})


def observe(
    instance: dg.DagsterInstance, names: Names, inputs: EmbeddingInputs | None, keys: Sequence[str] | None = None
) -> list[str]:
    """Report the batches (by default all) whose inputs Dagster should learn of; returns their keys.

    Those are batches seen before whose digest has changed, and batches never seen that Dagster takes for materialised
    while their file is not fresh. A batch that is computed for the first time costs no event.
    """
    if inputs is None:
        return []
    seen = _seen(instance, names)
    materialised = instance.get_materialized_partitions(names.key("embeddings"))
    known = [key for key in (inputs.keys if keys is None else keys) if key in seen or key in materialised]
    if not known:
        return []
    digests = inputs.digests_of(known)
    states = inputs.states_of({key: digests[key] for key in known if key not in seen}) if set(known) - set(seen) else {}
    changed = [key for key in known if (digests[key].together != seen[key] if key in seen else states[key] != "fresh")]
    for key in changed:
        _report(instance, names, key, digests[key].together)
    return changed


def observe_before_embedding(context: dg.AssetExecutionContext, inputs: EmbeddingInputs) -> None:
    """Report the inputs of this run's batches, and have the run's own record say that it used these."""
    names = Names.of(context)
    changed = observe(context.instance, names, inputs, context.partition_keys)
    if not _seen(
        context.instance, names
    ):  # without any observation Dagster has no point in time to compare later ones with
        first = context.partition_keys[0]
        _report(context.instance, names, first, inputs.digests_of([first])[first].together)
        changed.append(first)
    if changed:
        context.get_step_execution_context().wipe_input_asset_version_info(names.key(_NAME))


def _seen(instance: dg.DagsterInstance, names: Names) -> dict[str, str]:
    """The data version of each batch's inputs that was reported last."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        names.key(_NAME), dg.DagsterEventType.ASSET_OBSERVATION, [_VERSION], asset_partitions=None
    )
    return {key: values[_VERSION] for key, values in tags.items() if _VERSION in values}


def _report(instance: dg.DagsterInstance, names: Names, key: str, version: str) -> None:
    tags = {_VERSION: version}
    instance.report_runless_asset_event(dg.AssetObservation(names.key(_NAME), partition=key, tags=tags))
