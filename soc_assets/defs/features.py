"""The asset `features`: the DuckDB database over the embeddings."""

import dagster as dg
import pandas as pd

from soc_assets import freshness, progress
from soc_assets.defs import report
from soc_assets.defs.conditions import after_the_last_batch
from soc_assets.defs.embedding import embeddings
from soc_assets.defs.resources import ProjectResource
from soc_assets.embedding.batch import write_empty
from soc_assets.embedding.inputs import EmbeddingInputs, load_inputs
from soc_assets.features.database import build_database, read_info, summary
from soc_assets.project import Project


@dg.asset(
    deps=[embeddings, "balanced_samples"],
    group_name="features",
    kinds={"duckdb"},
    automation_condition=after_the_last_batch(),
    code_version=freshness.VERSIONS["features"],
)
def features(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Views over samples, embeddings and folds, and the flattened feature vector (`data/soc.duckdb`).

    The view `features` has one row per studied sample with its split; `feature_index` says what each position means.
    """
    loaded = project.load()
    inputs = load_inputs(loaded)
    assert inputs is not None
    wanted = freshness.features_inputs(loaded, inputs)
    cached = read_info(loaded.database).get("inputs") == wanted
    if not cached:
        _build(loaded, inputs, wanted)
    states = pd.Series(inputs.states(), name="state")
    if not (states == "fresh").all():
        context.log.warning(f"Not all batches are fresh: {states.value_counts().to_dict()}. Materialise `embeddings`.")
    facts = summary(loaded.database)
    progress.emit("features", 1, 1, f"{facts['samples']} samples x {facts['features']} features")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": facts["samples"],
            **{name: value for name, value in facts.items() if name != "samples"},
            "cached": cached,
            "spec": inputs.spec.digest,
            "weights": inputs.spec.weights,
            "batches": report.counts(states, "state"),
            "database": dg.MetadataValue.path(str(loaded.database)),
        },
        data_version=dg.DataVersion(wanted),
    )


def _build(project: Project, inputs: EmbeddingInputs, digest: str) -> None:
    written = [path for path in map(inputs.path, inputs.keys) if path.is_file()]
    batches = written or [write_empty(inputs.folder, inputs.spec)]
    tables = {name: project.samples(name) for name in ("samples", "balanced", "folds", "batches")}
    settings = project.settings
    build_database(project.database, inputs.spec, batches, tables, settings.features, settings.study, digest)
