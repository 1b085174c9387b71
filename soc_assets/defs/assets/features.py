"""The asset `features`: the DuckDB database over the embeddings."""

import dagster as dg
import pandas as pd

from soc_assets.defs.assets.embedding import embeddings
from soc_assets.defs.automation.conditions import after_the_last_batch
from soc_assets.defs.execution import tags_of_step
from soc_assets.defs.names import Names
from soc_assets.defs.reporting import reporting
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.ui import checks, report, tables
from soc_assets.embedding.inputs import EmbeddingInputs, freeze_spec, read_inputs
from soc_assets.errors import TrainingError
from soc_assets.features import refresh
from soc_assets.features.check import CHECKS, check_database
from soc_assets.features.inputs import built_here, features_inputs
from soc_assets.features.plots import vector_layout
from soc_assets.features.sql.database import read_info, summary
from soc_assets.features.sql.vector import segments
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.reporting.findings import errors
from soc_assets.runtime import progress
from soc_assets.storage import files


@dg.asset(
    deps=[embeddings, "balanced_samples"],
    group_name="features",
    kinds={"duckdb"},
    op_tags=tags_of_step(on_device=False),
    automation_condition=after_the_last_batch(ProjectResource()),
    code_version=VERSIONS["features"],
    owners=tables.OWNERS,
    metadata=tables.about("features"),
    check_specs=checks.FEATURE_SPECS,
)
@reporting
def features(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """A DuckDB database over the Parquet files: one feature vector per studied sample, and SQL for everything else.

    - **Reads** the batches of `embeddings` and the tables of every asset before; it copies none of them.
    - **Writes** `data/soc.duckdb`: a view per table, `features` (the columns below) and `embedding_long`; macros such
      as `similar` and `drift`; small tables: `feature_index` (what is at each position of the vector), neighbours
      and principal components.
    - **Decided by** [features] in soc.toml: what a vector holds, and what stands for a missing image.

    Follows when the last batch is done. With 100 batches or more Dagster no longer compares them and shows this asset
    as fresh whatever happened to a batch: then `soc status` is authoritative, and the sensor follows it.

    `soc sql ".views"` lists it, and any DuckDB client opens it.
    """
    loaded = project.on_cpu()
    inputs = read_inputs(loaded, freeze_spec(loaded))
    footers = inputs.footers()
    wanted = features_inputs(loaded, inputs, footers)
    info = read_info(loaded.database)
    cached = info.get("inputs") == wanted and refresh.is_current(loaded, info)
    if not cached:
        refresh.build(loaded, inputs, wanted)
    states = pd.Series(inputs.states(footers), name="state")
    if not (states == "fresh").all():
        context.log.warning(f"Not all batches are fresh: {states.value_counts().to_dict()}. Materialise `embeddings`.")
    facts = summary(loaded.database)
    parts = segments(inputs.spec, loaded.settings.features, loaded.settings.study)
    progress.report(1, 1, f"{facts['samples']} samples x {facts['features']} features")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": facts["samples"],
            **{name: value for name, value in facts.items() if name != "samples"},
            "cached": cached,
            "spec": inputs.spec.digest,
            "weights": inputs.spec.weights,
            "batches": report.counts(states, "state"),
            "vector": report.picture(
                vector_layout(parts), f"{facts['features']:,} features per sample, in this order."
            ),
            "database": dg.MetadataValue.path(str(loaded.database)),
            **report.uri(loaded.database),
            **tables.lineage("features", Names.of(context)),
        },
        data_version=dg.DataVersion(wanted),
        check_results=_check(loaded, inputs, wanted),
    )


def _check(project: Project, inputs: EmbeddingInputs, digest: str) -> list[dg.AssetCheckResult]:
    """Check the database; one that is wrong counts as stale, so that a later run rebuilds it."""
    batches = {key: path for key in inputs.keys if (path := inputs.path(key)).is_file()}
    ledger, balanced = (files.read_table(project.samples(name)) for name in ("batches", "balanced"))
    settings = project.settings
    findings = check_database(
        project.database, inputs.spec, batches, ledger, balanced["sample_id"], settings.features, settings.study
    )
    if errors(findings):
        refresh.build(project, inputs, f"errors in {digest}")
    return checks.finding_results(findings, CHECKS)


def require_fresh_features(project: Project) -> None:
    """The views show the files as they are now: a database built from others would put the wrong digest on a model."""
    refresh.rebuild_database_if_stale(project)
    if built_here(project) != features_inputs(project, read_inputs(project)):
        raise TrainingError("`features` is missing or older than the embeddings: materialise it first.")
