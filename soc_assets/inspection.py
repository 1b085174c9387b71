"""What `soc check` and the asset checks look at: the project's rasters and samples, before anything is computed.

Which rasters and samples are meant, and which step each sample needs, is decided here; the findings themselves are in
`soc_assets.ingest.check.findings` and its neighbours. Nothing is written but previews and the picture of the coverage.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets import files
from soc_assets.embedding.steps import groups, slots, step_numbers
from soc_assets.errors import RasterError, SoilError
from soc_assets.ingest.check.columns import column_findings
from soc_assets.ingest.check.coverage import Coverage, Need, coverage, coverage_findings, edge_findings
from soc_assets.ingest.check.findings import Finding, accepting, by_severity, inspect_rasters
from soc_assets.ingest.check.pixels import Previews
from soc_assets.ingest.grid import reference_grid
from soc_assets.ingest.rasters.catalog import Catalog, scan_rasters
from soc_assets.ingest.soil.samples import SoilSamples, build_samples
from soc_assets.project import Project

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Inspection:
    """The report of `soc check`."""

    catalog: pd.DataFrame | None
    """The usable rasters; None where there are none."""
    samples: pd.DataFrame | None
    """The samples of the study's years; None where they cannot be read."""
    coverage: Coverage | None
    findings: list[Finding]
    """Gravest first."""
    map: Path | None
    """The picture of the coverage."""


def inspect(project: Project, progress: Progress | None = None) -> Inspection:
    """Look at the rasters and samples as they are now; problems of either are findings, not exceptions."""
    catalog, findings = _usable(project, progress)
    if catalog is None:
        return Inspection(None, None, None, findings, None)
    findings = [*findings, *raster_findings(project, catalog)]
    try:
        built = _samples(project, catalog.frame)
    except SoilError as error:
        cure = "Put the soil tables right, or set [paths] soil in soc.toml."
        unreadable = Finding(
            "samples", "error", project.settings.rasters.reference, "", "", f"{error}".rstrip("."), cure
        )
        return Inspection(catalog.frame, None, None, by_severity([*findings, unreadable]), None)
    samples = in_study_years(project, built.samples)
    covered, about_samples = sample_findings(project, catalog.frame, samples, built.tables)
    path = _draw(project, samples, covered) if covered else None
    return Inspection(catalog.frame, samples, covered, by_severity([*findings, *about_samples]), path)


def raster_findings(project: Project, catalog: Catalog) -> list[Finding]:
    """All findings about the rasters of a catalog."""
    rasters = project.settings.rasters
    previews = _previews(project)
    findings = inspect_rasters(catalog.frame, catalog.problems, rasters, project.settings.study, previews)
    previews.forget_others(catalog.frame.to_dict("records"))
    return findings


def sample_findings(
    project: Project, catalog: pd.DataFrame, samples: pd.DataFrame, tables: pd.DataFrame | None = None
) -> tuple[Coverage | None, list[Finding]]:
    """Coverage of the samples (of the study's years) by the rasters, and the findings about it and the soil tables."""
    settings = project.settings
    about_tables = [] if tables is None else column_findings(tables, settings.rasters.reference)
    if samples.empty:
        study = settings.study
        found = f"no sample was taken in the study's years {study.year_from} to {study.year_to}"
        cure = "Set [study] year_from and year_to in soc.toml."
        nothing = Finding("samples", "error", settings.rasters.reference, "", "", found, cure)
        return None, by_severity(accepting([nothing, *about_tables], settings.rasters.accept))
    size = settings.embedding.image_size
    covered = coverage(catalog, samples, needs(project, samples), settings.rasters, size, _previews(project))
    grid = reference_grid(catalog, settings.rasters)
    years = samples["year"].reset_index(drop=True)
    findings = [
        *about_tables,
        *coverage_findings(covered, years),
        *edge_findings(samples, grid, settings.rasters.reference, size),
    ]
    return covered, by_severity(accepting(findings, settings.rasters.accept))


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


def in_study_years(project: Project, samples: pd.DataFrame) -> pd.DataFrame:
    """The samples whose year is studied; all where no band has time."""
    study = project.settings.study
    if not project.settings.rasters.timed:
        return samples.reset_index(drop=True)
    return samples[samples["year"].between(study.year_from, study.year_to)].reset_index(drop=True)


def _previews(project: Project) -> Previews:
    return Previews(project.catalog.parent / "previews", project.settings.rasters)


def _usable(project: Project, progress: Progress | None) -> tuple[Catalog | None, list[Finding]]:
    """The catalog of the rasters; where a band cannot be used at all, of the other bands, with a finding."""
    rasters = project.settings.rasters
    previous = pd.read_parquet(project.catalog) if project.catalog.is_file() else None
    try:
        return scan_rasters(rasters, project.rasters, previous, progress), []
    except RasterError as error:
        first = error
    base = next(band for band in rasters.bands if band.name == rasters.reference)
    usable, findings = [], []
    for band in rasters.bands:
        bands = tuple({item.name: item for item in (base, band)}.values())
        try:
            scanned = scan_rasters(rasters.model_copy(update={"bands": bands}), project.rasters, previous, progress)
            previous = scanned.frame if previous is None else pd.concat([previous, scanned.frame], ignore_index=True)
            usable.append(band)
        except RasterError as error:
            if band is base:
                return None, [Finding("files", "error", band.name, "", "", f"{first}".rstrip("."), "")]
            findings.append(Finding("files", "error", band.name, "", "", f"{error}".rstrip("."), ""))
    return scan_rasters(rasters.model_copy(update={"bands": tuple(usable)}), project.rasters, previous), findings


def _samples(project: Project, catalog: pd.DataFrame) -> SoilSamples:
    rasters = project.settings.rasters
    grid = reference_grid(catalog, rasters)
    soil = project.settings.soil
    return build_samples(project.soil, soil, timed=rasters.timed, seasonal=rasters.seasonal, grid=grid)


def _draw(project: Project, samples: pd.DataFrame, covered: Coverage) -> Path:
    from soc_assets.ingest.plots import coverage_map

    path = project.catalog.with_name("coverage.png")
    with files.replacing(path) as temporary:
        temporary.write_bytes(coverage_map(samples, covered.share))
    return path
