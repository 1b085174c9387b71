"""What `soc check` and the asset checks look at: the project's rasters and samples, before anything is computed.

Which rasters and samples are meant, and which step each sample needs, is decided here; the findings themselves are in
`soc_assets.reporting.findings` and its neighbours. Nothing is written but previews and the coverage map.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.errors import SamplingError, SocWarning, SoilError, StorageError
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.ingest.catalog.scan import Catalog
from soc_assets.ingest.quality.carbon import carbon_findings
from soc_assets.ingest.quality.columns import column_findings
from soc_assets.ingest.quality.coverage import Coverage, Need, coverage, coverage_findings, edge_findings
from soc_assets.ingest.quality.places import place_findings
from soc_assets.ingest.quality.previews import Previews
from soc_assets.ingest.quality.rasters import inspect_rasters
from soc_assets.ingest.quality.sample_schema import schema_findings
from soc_assets.ingest.quality.tables import files_not_read, table_findings
from soc_assets.ingest.quality.unmatched import rasters_not_read
from soc_assets.ingest.soil.files import find_inputs
from soc_assets.ingest.soil.samples import SoilSamples, build_samples
from soc_assets.pipeline import run_ahead
from soc_assets.pipeline.usable_rasters import of_bands, scan_usable
from soc_assets.pretraining.check import pretraining_findings
from soc_assets.project import Project
from soc_assets.rasters.steps import groups, slots, step_numbers
from soc_assets.reporting.findings import Finding, accepting, by_severity
from soc_assets.runtime import progress
from soc_assets.sampling.findings import location_findings
from soc_assets.sampling.inputs import earlier_splits
from soc_assets.settings import Band
from soc_assets.storage import files


@dataclass(frozen=True)
class Inspection:
    """The report of `soc check`."""

    catalog: pd.DataFrame | None
    """The usable rasters; None where there are none."""
    samples: pd.DataFrame | None
    """The samples that the study's filters keep; None where they cannot be read."""
    coverage: Coverage | None
    findings: list[Finding]
    """Most severe first."""
    map: Path | None
    """The coverage map."""


def inspect(project: Project) -> Inspection:
    """Look at the rasters and samples as they are now; problems of either are findings, not exceptions."""
    with progress.of("rasters"):
        catalog, bands, findings = scan_usable(project)
    findings += run_ahead.embedding_refusals(project)
    if catalog is None:
        return Inspection(None, None, None, by_severity(findings), None)
    usable = _with_bands(project, bands)
    whole = len(bands) == len(project.settings.rasters.bands)
    with progress.of("raster checks"):
        findings = [*findings, *raster_findings(usable, catalog, whole=whole)]
    findings += pretraining_findings(project, catalog.frame)
    try:
        soil = _soil(project, catalog.frame)
    except SoilError as error:
        cure = "Put the soil tables right, or set [paths] soil in soc.toml."
        said = f"{error}".rstrip(".")
        unreadable = Finding("samples", "error", "", "", "", said, cure, acceptable=False)
        return Inspection(catalog.frame, None, None, by_severity([*findings, unreadable]), None)
    schema = schema_findings(soil.samples, timed=project.settings.rasters.timed)
    with progress.of("coverage"):
        covered, about_samples = sample_findings(usable, catalog.frame, soil)
    samples = run_ahead.studied_samples(project, soil.samples) if covered else soil.samples
    path = _draw(project, samples, covered) if covered else None
    return Inspection(catalog.frame, samples, covered, by_severity([*findings, *schema, *about_samples]), path)


def raster_findings(project: Project, catalog: Catalog, *, whole: bool = True) -> list[Finding]:
    """All findings about the rasters of a catalog; with `whole` about files of no band, too."""
    rasters = project.settings.rasters
    previews = _previews(project)
    findings = inspect_rasters(catalog.frame, catalog.problems, rasters, project.settings.study, previews)
    previews.forget_others(catalog.frame.to_dict("records"))
    if not whole:
        return findings
    unread = rasters_not_read(project.rasters, catalog.frame, catalog.problems, rasters)
    return by_severity([*findings, *accepting(unread, rasters.accept)])


def sample_findings(
    project: Project, catalog: pd.DataFrame, soil: SoilSamples
) -> tuple[Coverage | None, list[Finding]]:
    """Coverage of the samples of the study by the rasters, and all findings about the samples but the schema's.

    Args:
        project: the settings.
        catalog: the raster catalog.
        soil: usable samples, rejected rows and how the tables were read, before the study's filters.

    Returns:
        None as coverage where the study has no sample: then one of the findings is an error.
    """
    settings, grid = project.settings, reference_grid(catalog, project.settings.rasters)
    findings = [
        *run_ahead.sampling_refusals(project, soil.samples, grid),
        *table_findings(soil.rejected, soil.tables),
        *_files_not_read(project),
        *column_findings(soil.tables, settings.rasters.reference),
        *carbon_findings(soil.samples, soil.tables),
        *place_findings(soil.samples, soil.tables, grid),
    ]
    covered = None
    samples = _studied(project, soil.samples)
    if len(samples):
        size = settings.embedding.image_size
        covered = coverage(catalog, samples, needs(project, samples), settings.rasters, size, _previews(project))
        findings += coverage_findings(covered, samples["year"])
        findings += edge_findings(samples, grid, settings.rasters.reference, size)
        earlier, lost = _earlier_splits(project)
        arguments = (settings.study, settings.sampling, grid, project.region, earlier, settings.rasters.reference)
        findings += [*lost, *location_findings(samples, *arguments)]
    return covered, by_severity(accepting(findings, settings.rasters.accept))


def _earlier_splits(project: Project) -> tuple[pd.DataFrame | None, list[Finding]]:
    """The splits that are kept; where they are lost, the error that `soc run` would stop with."""
    try:
        return earlier_splits(project), []
    except SamplingError as error:
        return None, [Finding("samples", "error", "", "", "", f"{error}".rstrip("."), "", acceptable=False)]


def _studied(project: Project, samples: pd.DataFrame) -> pd.DataFrame:
    """The samples that the filters keep; none where the region cannot be read, which `run_ahead` has reported."""
    try:
        return run_ahead.studied_samples(project, samples)
    except SamplingError:
        return samples.head(0)


def _files_not_read(project: Project) -> list[Finding]:
    """What lies in the folder of soil tables and is not read; a missing folder is not reported here."""
    try:
        used = find_inputs(project.soil)
    except SoilError:
        return []
    return files_not_read(project.soil, used)


def needs(project: Project, samples: pd.DataFrame) -> Iterator[Need]:
    """The steps that the embedding of these samples will read."""
    rasters, study = project.settings.rasters, project.settings.study
    merged: dict[tuple[str, int | None, str | None], list[Need]] = {}
    for slot in slots(rasters.channels, rasters.reference, study.time_before, study.first_lag):
        for step, members in groups(step_numbers(slot, samples), slot.kind):
            need = Need(slot.name, step.year, step.season, members)
            merged.setdefault((slot.name, step.year, step.season), []).append(need)
    for (band, year, season), parts in merged.items():
        yield Need(band, year, season, np.concatenate([part.members for part in parts]))


def _previews(project: Project) -> Previews:
    return Previews(project.own / "catalog" / "previews", project.settings.rasters)


def _with_bands(project: Project, bands: tuple[Band, ...]) -> Project:
    """The project as if it had only these bands."""
    rasters = of_bands(project.settings.rasters, bands)
    return Project(project.root, project.settings.model_copy(update={"rasters": rasters}))


def _soil(project: Project, catalog: pd.DataFrame) -> SoilSamples:
    rasters = project.settings.rasters
    grid = reference_grid(catalog, rasters)
    need = {"timed": rasters.timed, "seasonal": rasters.seasonal, "grid": grid}
    with progress.of("soil tables"):
        return build_samples(project.soil, project.settings.soil, **need)


def _draw(project: Project, samples: pd.DataFrame, covered: Coverage) -> Path | None:
    """The map of the coverage; None where this user may look, but not write."""
    from soc_assets.ingest.plots import coverage_map

    path = project.catalog.with_name("coverage.png")
    try:
        with files.replacing(path) as temporary:
            temporary.write_bytes(coverage_map(samples, covered.share))
    except StorageError as error:
        warnings.warn(f"The map of the coverage is not drawn. {error}", SocWarning, stacklevel=2)
        return None
    return path
