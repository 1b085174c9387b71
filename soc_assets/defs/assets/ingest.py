"""The assets `raster_catalog` and `soil_samples`: what is available, and what of it can be used."""

import json
import warnings

import dagster as dg
import pandas as pd

from soc_assets.defs.assets.batch_inputs import observe
from soc_assets.defs.assets.provided import RASTER_FILES, SOIL_FILES
from soc_assets.defs.execution import tags_of_step
from soc_assets.defs.names import Names
from soc_assets.defs.reporting import reporting
from soc_assets.defs.resources import ProjectResource, require
from soc_assets.defs.ui import checks, report, tables
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.errors import SocWarning
from soc_assets.geo.grid import Grid
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.ingest import plots
from soc_assets.ingest.catalog.gaps import gap_table, missing_steps
from soc_assets.ingest.catalog.scan import Catalog, catalog_digest, scan_rasters
from soc_assets.ingest.extent import rasters_without_samples
from soc_assets.ingest.inputs import catalog_inputs, soil_contents, soil_inputs
from soc_assets.ingest.quality.sample_drift import Drift, carbon_drift
from soc_assets.ingest.quality.sample_schema import schema_failures
from soc_assets.ingest.soil.samples import SoilSamples, build_samples
from soc_assets.integrity.tables import complete, siblings_of
from soc_assets.pipeline import inspection
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.rasters.catalog import folder_of_rasters, known_catalog, name_of, read_table, to_keep
from soc_assets.rasters.names import band_names
from soc_assets.reporting.as_text import one_line
from soc_assets.reporting.findings import errors, in_words
from soc_assets.runtime import progress
from soc_assets.settings import RASTER_CHECKS, SAMPLE_CHECKS
from soc_assets.storage import digest, files, vouching
from soc_assets.storage.vouching import vouch


@dg.asset(
    deps=[RASTER_FILES],
    group_name="ingest",
    kinds={"geotiff", "parquet"},
    op_tags=tags_of_step(on_device=False),
    code_version=VERSIONS["raster_catalog"],
    owners=tables.OWNERS,
    metadata=tables.about("raster_catalog"),
    check_specs=checks.RASTER_SPECS,
)
@reporting
def raster_catalog(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """One row per raster: band, step, grid, statistics, digest.

    - **Reads** the folder of rasters; only new and changed files are opened.
    - **Writes** `data/catalog/rasters.parquet`; beside it `problems.parquet` with the rasters set aside and why, and
      `gaps.parquet` with the steps of the study's years that have no raster.
    - **Decided by** [rasters] in soc.toml: bands, file patterns, reference grid.

    Findings with which a run would give wrong numbers block downstream assets, and the catalog stays stale until they
    are mended or accepted ([rasters] accept).
    """
    loaded = project.on_cpu()
    catalog = _scan(loaded)
    inputs = catalog_inputs(loaded, catalog.contents)
    for problem in catalog.problems["problem"]:
        context.log.warning(problem)
    content = catalog_digest(catalog.frame)
    grid = _grid_words(reference_grid(catalog.frame, loaded.settings.rasters))
    findings = inspection.raster_findings(loaded, catalog)
    for finding in findings:
        if finding.check == "files" and finding.step:  # a file that says another step than the settings
            context.log.warning(in_words(finding))
    fresh = f"errors in {inputs}" if errors(findings) else inputs  # what has errors stays stale: a later run stops too
    folder = folder_of_rasters(loaded)
    stored = {files.INPUTS: fresh, files.CONTENT: content, "soc.grid": grid, **folder}
    files.write_table(loaded.catalog.with_name("problems.parquet"), to_keep(catalog.set_aside, loaded), folder)
    study = loaded.settings.study
    years = [year for year, _ in study.raster_steps("yearly")]
    gaps = missing_steps(catalog.frame, study)
    files.write_table(loaded.gaps, gaps, {"soc.years": f"{years[0]}-{years[-1]}"})
    vouched = vouch(loaded.catalog, siblings_of(loaded, "raster_catalog"))
    files.write_table(loaded.catalog, to_keep(catalog.frame, loaded), {**stored, **vouched})
    observe(context.instance, Names.of(context), known_embeddings(loaded))
    return dg.MaterializeResult(
        metadata=_catalog_report(catalog, loaded),
        data_version=dg.DataVersion(content),
        check_results=checks.results(findings, RASTER_CHECKS),
    )


@dg.asset(
    deps=[raster_catalog, SOIL_FILES],
    group_name="ingest",
    kinds={"csv", "parquet"},
    op_tags=tags_of_step(on_device=False),
    code_version=VERSIONS["soil_samples"],
    owners=tables.OWNERS,
    metadata=tables.about("soil_samples"),
    check_specs=checks.SAMPLE_SPECS,
)
@reporting
def soil_samples(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Usable soil samples: place, date and organic carbon in g/kg.

    - **Reads** every table in the folder of soil tables (LUCAS, LfU, LfL or others).
    - **Writes** `data/samples/samples.parquet`; beside it `rejected.parquet` with the rows that are unusable in
      themselves and why, and `tables.parquet` with how each table was read.
    - **Decided by** [soil] in soc.toml: columns, units, depth. The study's own filters (years, region, `max_oc`) come
      later, in `balanced_samples`.
    """
    loaded = project.on_cpu()
    inputs, path = soil_inputs(loaded), loaded.samples("samples")
    require(loaded.catalog, "raster_catalog")
    cached = complete(loaded, "soil_samples") and vouching.is_fresh(path, inputs)
    catalog = read_table(loaded.catalog, loaded)
    former = None if cached else files.known_table(path, ["sample_id", "file", "organic_carbon"])
    drift = None if cached else _build(loaded, catalog, inputs, former)
    samples, rejected = files.read_table(path), files.read_table(loaded.samples("rejected"))
    for name in rasters_without_samples(catalog, samples):
        context.log.warning(f"No sample lies in the raster {name}: is it of another region?")
    soil = SoilSamples(samples, rejected, files.read_table(loaded.samples("tables")))
    _, findings = inspection.sample_findings(loaded, catalog, soil)
    failures = schema_failures(samples, timed=loaded.settings.rasters.timed)
    metadata = {
        **_samples_report(samples, rejected),
        "tables": report.table(soil.tables),
        "cached": cached,
        "file": dg.MetadataValue.path(str(path)),
        **report.uri(path),
    }
    stored = files.read_metadata(path)
    content = stored[files.CONTENT]
    if errors(findings) or len(failures):
        files.write_table(path, samples, {**stored, files.INPUTS: f"errors in {inputs}"})
    lost = _lost_samples(former, samples)
    if lost:
        context.log.warning(f"{lost}. If that is not meant, put the tables back and run again.")
    progress.report(1, 1, f"{len(samples)} samples, {len(rejected)} rows rejected{'; ' if lost else ''}{lost}")
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(content),
        check_results=[
            *checks.results(findings, SAMPLE_CHECKS),
            checks.schema_result(failures, samples),
            checks.drift_result(drift),
        ],
    )


def _lost_samples(former: pd.DataFrame | None, samples: pd.DataFrame) -> str:
    """Which samples of the last run the tables no longer have, by file; empty where none is lost."""
    if former is None:
        return ""
    counts = former.loc[~former["sample_id"].isin(samples["sample_id"]), "file"].value_counts()
    words = ", ".join(f"{count} of {one_line(str(name))}" for name, count in counts.head(5).items())
    return f"{counts.sum()} samples of the last run are no longer there ({words})" if len(counts) else ""


def _build(project: Project, catalog: pd.DataFrame, inputs: str, former: pd.DataFrame | None) -> Drift | None:
    """Write the samples and the rejected rows; returns how organic carbon moved against the former samples."""
    rasters, path = project.settings.rasters, project.samples("samples")
    grid = reference_grid(catalog, rasters)
    need = {"timed": rasters.timed, "seasonal": rasters.seasonal, "grid": grid}
    built = build_samples(project.soil, project.settings.soil, **need)
    stored = {files.INPUTS: inputs, files.CONTENT: digest.of_frame(built.samples)}
    files.write_table(project.samples("rejected"), built.rejected)
    contents = json.dumps(soil_contents(project))
    files.write_table(project.samples("tables"), built.tables, {files.FILES: contents})
    files.write_table(path, built.samples, {**stored, **vouch(path, siblings_of(project, "soil_samples"))})
    return (
        None
        if former is None or former.empty
        else carbon_drift(former["organic_carbon"], built.samples["organic_carbon"])
    )


def _scan(project: Project) -> Catalog:
    previous = known_catalog(project)
    catalog = scan_rasters(project.settings.rasters, project.rasters, previous)
    if previous is not None:
        _warn_of_lost(previous, catalog, project)
    return catalog


def _warn_of_lost(previous: pd.DataFrame, catalog: Catalog, project: Project) -> None:
    """Say which rasters of the bands are no longer there: their images are null from now on."""
    bands = [channel.name for channel in project.settings.rasters.channels]
    known = previous.loc[previous["band"].isin(bands), "path"].unique()
    if lost := [name_of(path, project) for path in known if path not in catalog.contents]:
        some = f"{', '.join(lost[:5])} ... ({len(lost)} in all)" if len(lost) > 5 else ", ".join(lost)
        words = f"Rasters that the last catalog has are no longer there, or no pattern fits them any more: {some}. "
        words += "Their images will be missing; if that is not meant, put them back and run again."
        warnings.warn(words, SocWarning, stacklevel=2)


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
    names = band_names(project.settings.rasters, frame)
    for column in ("unit", "label"):
        overview.insert(0, column, [getattr(names[str(band)], column) for band in overview.index])
    values = {
        "dagster/row_count": dg.MetadataValue.int(len(frame)),
        "cached": dg.MetadataValue.bool(catalog.read == 0),
        "files_read": dg.MetadataValue.int(catalog.read),
        "files_unchanged": dg.MetadataValue.int(catalog.reused),
        "set_aside": report.table(catalog.problems),
        "bands": report.table(overview.round(4).reset_index()),
        "thumbnails": report.picture(plots.thumbnails(frame, project.settings.rasters)),
        "file": dg.MetadataValue.path(str(project.catalog)),
        "dagster/uri": dg.MetadataValue.text(project.catalog.as_uri()),
    }
    if project.settings.rasters.timed:
        values["bands_by_year"] = report.table(gap_table(frame, [year for year, _ in study.raster_steps("yearly")]))
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
