"""The asset `features`: the DuckDB database over the embeddings."""

import dagster as dg
import pandas as pd

from soc_assets import freshness, progress
from soc_assets.defs import report
from soc_assets.defs.conditions import after_the_last_batch
from soc_assets.defs.embedding import embeddings
from soc_assets.defs.execution import tags_of_step
from soc_assets.defs.resources import ProjectResource
from soc_assets.embedding.inputs import load_inputs
from soc_assets.features import refresh
from soc_assets.features.database import read_info, summary


@dg.asset(
    deps=[embeddings, "balanced_samples"],
    group_name="features",
    kinds={"duckdb"},
    op_tags=tags_of_step(on_device=False),
    automation_condition=after_the_last_batch(),
    code_version=freshness.VERSIONS["features"],
)
def features(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The database `data/soc.duckdb`: views over every table and batch, the feature vector, neighbours and components.

    The view `features` has one row per studied sample with its split; `feature_index` says what each position means;
    `soc sql ".views"` lists the rest.
    """
    loaded = project.on_cpu()
    inputs = load_inputs(loaded)
    assert inputs is not None
    wanted = freshness.features_inputs(loaded, inputs)
    info = read_info(loaded.database)
    cached = info.get("inputs") == wanted and refresh.is_current(loaded, info)
    if not cached:
        refresh.build(loaded, inputs, wanted, lambda done, total: progress.emit("features", done, total, "indexed"))
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
