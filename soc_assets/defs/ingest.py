"""The assets `raster_catalog` and `soil_samples`: what is there, and what of it can be used."""

import dagster as dg
import pandas as pd

from soc_assets import digest, files, freshness, progress
from soc_assets.defs import report
from soc_assets.defs.resources import ProjectResource, require
from soc_assets.ingest import plots
from soc_assets.ingest.catalog import Catalog, catalog_digest, scan_rasters
from soc_assets.ingest.coverage import rasters_without_samples
from soc_assets.ingest.gaps import gap_table, missing_steps
from soc_assets.ingest.grid import Grid, reference_grid
from soc_assets.ingest.samples import build_samples
from soc_assets.project import Project


@dg.asset(group_name="ingest", kinds={"geotiff", "parquet"}, code_version=freshness.VERSIONS["raster_catalog"])
def raster_catalog(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """One row per raster: band, step, grid, statistics, digest (`data/catalog/rasters.parquet`).

    Only new and changed files are read. A raster that cannot be used is set aside with the reason
    (`data/catalog/problems.parquet`) and the rest goes on; steps of the study's years that have no raster are listed
    in `data/catalog/gaps.parquet`.
    """
    loaded = project.load()
    inputs = freshness.catalog_inputs(loaded)
    catalog = _scan(loaded)
    for problem in catalog.problems["problem"]:
        context.log.warning(problem)
    content = catalog_digest(catalog.frame)
    grid = _grid_words(reference_grid(catalog.frame, loaded.settings.rasters))
    stored = {freshness.INPUTS: inputs, freshness.CONTENT: content, "soc.grid": grid}
    files.write_table(loaded.catalog.with_name("problems.parquet"), catalog.problems)
    years = loaded.settings.study.raster_years
    files.write_table(loaded.gaps, missing_steps(catalog.frame, years), {"soc.years": f"{years[0]}-{years[-1]}"})
    files.write_table(loaded.catalog, catalog.frame, stored)
    return dg.MaterializeResult(metadata=_catalog_report(catalog, loaded), data_version=dg.DataVersion(content))


@dg.asset(
    deps=[raster_catalog],
    group_name="ingest",
    kinds={"csv", "parquet"},
    code_version=freshness.VERSIONS["soil_samples"],
)
def soil_samples(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Usable soil samples, organic carbon in g/kg (`data/samples/samples.parquet`).

    Rows that are unusable in themselves are kept with their reason in `rejected.parquet`; the study's own filters come
    later, in `balanced_samples`.
    """
    loaded = project.load()
    inputs, path = freshness.soil_inputs(loaded), loaded.samples("samples")
    require(loaded.catalog, "raster_catalog")
    cached = freshness.is_fresh(path, inputs) and freshness.complete(loaded, "soil_samples")
    catalog = pd.read_parquet(loaded.catalog)
    if not cached:
        rasters = loaded.settings.rasters
        grid = reference_grid(catalog, rasters)
        built = build_samples(
            loaded.soil, loaded.settings.soil, timed=rasters.timed, seasonal=rasters.seasonal, grid=grid
        )
        content = digest.of_frame(built.samples)
        files.write_table(loaded.samples("rejected"), built.rejected)
        files.write_table(path, built.samples, {freshness.INPUTS: inputs, freshness.CONTENT: content})
    samples, rejected = pd.read_parquet(path), pd.read_parquet(loaded.samples("rejected"))
    for name in rasters_without_samples(catalog, samples):
        context.log.warning(f"No sample lies in the raster {name}: is it of another region?")
    metadata = {**_samples_report(samples, rejected), "cached": cached, "file": dg.MetadataValue.path(str(path))}
    version = dg.DataVersion(files.read_metadata(path)[freshness.CONTENT])
    progress.emit("soil_samples", 1, 1, f"{len(samples)} samples, {len(rejected)} rows rejected")
    return dg.MaterializeResult(metadata=metadata, data_version=version)


def _scan(project: Project) -> Catalog:
    previous = pd.read_parquet(project.catalog) if project.catalog.is_file() else None
    return scan_rasters(
        project.settings.rasters,
        project.rasters,
        previous,
        lambda done, total, name: progress.emit("raster_catalog", done, total, name),
    )


def _grid_words(grid: Grid) -> str:
    return f"{grid.crs.to_wkt()} {tuple(grid.transform)} {grid.height} x {grid.width}"


def _catalog_report(catalog: Catalog, project: Project) -> dict[str, dg.MetadataValue]:
    study, frame = project.settings.study, catalog.frame
    overview = frame.groupby("band", sort=False).agg(
        kind=("kind", "first"),
        rasters=("path", "nunique"),
        crs=("crs", "first"),
        mean=("mean", "mean"),
        valid=("valid_share", "mean"),
    )
    values = {
        "dagster/row_count": dg.MetadataValue.int(len(frame)),
        "cached": dg.MetadataValue.bool(catalog.read == 0),
        "files_read": dg.MetadataValue.int(catalog.read),
        "files_unchanged": dg.MetadataValue.int(catalog.reused),
        "set_aside": report.table(catalog.problems),
        "bands": report.table(overview.round(4).reset_index()),
        "thumbnails": report.picture(plots.thumbnails(frame, project.settings.rasters)),
        "file": dg.MetadataValue.path(str(project.catalog)),
    }
    if project.settings.rasters.timed:
        values["bands_by_year"] = report.table(gap_table(frame, study.raster_years))
    return values


def _samples_report(samples: pd.DataFrame, rejected: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    return {
        "dagster/row_count": dg.MetadataValue.int(len(samples)),
        "rejected": dg.MetadataValue.int(len(rejected)),
        "rejected_by_reason": report.counts(rejected["reason"], "reason"),
        "samples_by_source": report.counts(samples["source"], "source"),
        "organic_carbon": report.picture(plots.oc_histogram(samples)),
        "map": report.picture(plots.sample_map(samples)),
    }
