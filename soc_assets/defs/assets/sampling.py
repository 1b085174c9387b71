"""The asset `balanced_samples`: filter, split, balance, folds and batches, and the partitions of `embeddings`."""

import dagster as dg
import numpy as np
import pandas as pd

from soc_assets.defs.assets.batch_inputs import observe
from soc_assets.defs.execution import tags_of_step
from soc_assets.defs.names import Names
from soc_assets.defs.overrides import SamplingConfig, overridden
from soc_assets.defs.partitions import register
from soc_assets.defs.reporting import reporting
from soc_assets.defs.resources import ProjectResource, require
from soc_assets.defs.ui import checks, report, tables
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.integrity.tables import complete, read_ledger, versions_of_decisions, write_sampling
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.regression.metrics import target_summary
from soc_assets.reporting.findings import errors
from soc_assets.runtime import progress
from soc_assets.sampling import plots
from soc_assets.sampling.area import prediction_area
from soc_assets.sampling.balance import tail_share
from soc_assets.sampling.check import CHECKS, check_tables
from soc_assets.sampling.folds import with_schemes
from soc_assets.sampling.inputs import earlier_splits, sampling_inputs, split_inputs
from soc_assets.sampling.prepare import Prepared, prepare_samples
from soc_assets.storage import digest, files, vouching


@dg.asset(
    deps=["raster_catalog", "soil_samples"],
    group_name="sampling",
    kinds={"parquet"},
    op_tags=tags_of_step(on_device=False),
    code_version=VERSIONS["balanced_samples"],
    owners=tables.OWNERS,
    metadata=tables.about("balanced_samples"),
    check_specs=checks.SAMPLING_SPECS,
)
@reporting
def balanced_samples(
    context: dg.AssetExecutionContext, project: ProjectResource, config: SamplingConfig
) -> dg.MaterializeResult:
    """The samples of the study with their split, balanced in the training split, their folds and batches.

    - **Reads** `soil_samples`, and the grid of `raster_catalog`.
    - **Writes** `balanced.parquet` in `data/samples`; beside it `excluded.parquet` (samples that the study leaves out,
      and by which filter), `folds.parquet` and `batches.parquet`. Registers one partition of `embeddings` per batch.
    - **Decided by** [study] (years, `max_oc`, region) and [sampling] (split, balancing, folds) in soc.toml. The
      Launchpad overrides [sampling] for one run; the next run without overrides goes back to soc.toml.

    Nothing of one location is in two splits: equal coordinates, and visits to one point by its own id. Batches are
    append-only: new samples go into new batches.
    """
    loaded, overrides = overridden(project.on_cpu(), "sampling", config)
    inputs, path = sampling_inputs(loaded), loaded.samples("balanced")
    require(loaded.samples("samples"), "soil_samples")
    cached = complete(loaded, "balanced_samples") and vouching.is_fresh(path, inputs)
    if not cached:
        since = versions_of_decisions(loaded)
        _write(_prepare(loaded), loaded, inputs, since)
    frames = {name: files.read_table(loaded.samples(name)) for name in ("balanced", "excluded", "folds", "batches")}
    keys = sorted(frames["batches"]["batch"].unique())
    names = Names.of(context)
    register(context.instance, keys, names)
    observe(context.instance, names, known_embeddings(loaded))
    samples = frames["balanced"].merge(files.read_table(loaded.samples("samples")), on="sample_id")
    metadata = {
        **_sampling_report(samples, frames),
        "cached": cached,
        "overrides": overrides,
        "sampling": loaded.settings.sampling.model_dump(mode="json"),
        "file": dg.MetadataValue.path(str(path)),
        **report.uri(path),
        **tables.lineage("balanced_samples", names),
    }
    progress.report(1, 1, f"{len(samples)} samples in {len(keys)} batches")
    return dg.MaterializeResult(
        metadata=metadata, data_version=dg.DataVersion(inputs), check_results=_check(frames, loaded, inputs)
    )


def _check(frames: dict[str, pd.DataFrame], project: Project, inputs: str) -> list[dg.AssetCheckResult]:
    """Check the tables; where they are wrong they count as stale, so that a later run makes them again."""
    balanced, folds = project.samples("balanced"), project.samples("folds")
    findings = check_tables(frames["balanced"], frames["folds"], balanced, folds)
    if errors(findings):
        stored = {**files.table_metadata(balanced), files.INPUTS: f"errors in {inputs}"}
        files.write_table(balanced, frames["balanced"], stored)
    return checks.finding_results(findings, CHECKS)


def _prepare(project: Project) -> Prepared:
    settings, sampling = project.settings, with_schemes(project.settings.sampling, project.settings.evaluation)
    catalog = read_table(project.catalog, project)
    grid, wide = reference_grid(catalog, settings.rasters), "knndm" in (sampling.fold_schemes or ())
    return prepare_samples(
        files.read_table(project.samples("samples")),
        settings.study,
        sampling,
        grid,
        project.region,
        ledger=read_ledger(project),
        previous=earlier_splits(project),
        area=prediction_area(grid, project.region, catalog, settings.rasters) if wide else None,
    )


def _write(prepared: Prepared, project: Project, inputs: str, since: dict[str, str | None] | None = None) -> None:
    """Write the tables; what was decided for places that are not studied now stays in `splits`."""
    known = earlier_splits(project)
    every = prepared.splits if known is None else pd.concat([prepared.splits, known], ignore_index=True)
    splits = every.drop_duplicates("location_id", keep="first")  # new first: held out now stays so
    tables = {name: getattr(prepared, name) for name in ("batches", "excluded", "folds", "balanced")}
    content = digest.of_frame(prepared.balanced)  # not of the folds: another scheme changes no feature and no model
    stored = {files.INPUTS: inputs, files.CONTENT: content}
    decided = {files.SPLIT: split_inputs(project)}
    write_sampling(project, {**tables, "splits": splits}, stored, decided, since)


def _sampling_report(samples: pd.DataFrame, frames: dict[str, pd.DataFrame]) -> dict[str, dg.MetadataValue]:
    train = samples[samples["split"] == "train"]
    oc, times = train["organic_carbon"].to_numpy(), (train["multiplicity"] * train["weight"]).to_numpy()
    summary = target_summary(samples["organic_carbon"].to_numpy(), samples["split"].to_numpy())
    locations = samples.groupby("split")["location_id"].nunique().rename("locations").reset_index()
    folds = frames["folds"].groupby(["scheme", "fold"]).size().rename("samples").reset_index()
    return {
        "dagster/row_count": dg.MetadataValue.int(len(samples)),
        "batches": dg.MetadataValue.int(frames["batches"]["batch"].nunique()),
        "excluded": dg.MetadataValue.int(len(frames["excluded"])),
        "excluded_by_filter": report.counts(frames["excluded"]["filter"], "filter"),
        "splits": report.table(summary.merge(locations, on="split").round(3)),
        "train_rows_balanced": dg.MetadataValue.int(int(train["multiplicity"].sum())),
        "tail_share_before": dg.MetadataValue.float(float(tail_share(oc, np.ones(len(oc))))),
        "tail_share_after": dg.MetadataValue.float(float(tail_share(oc, times))),
        "folds": report.table(folds),
        "organic_carbon": report.picture(plots.oc_before_after(samples)),
        "map": report.picture(plots.split_map(samples)),
        "filters": report.picture(plots.filter_counts(len(samples), frames["excluded"])),
    }
