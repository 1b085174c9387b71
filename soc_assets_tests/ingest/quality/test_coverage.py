"""Coverage of samples: rasters valid in known places, samples at known pixels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.quality.coverage import shares_by_year
from soc_assets.ingest.soil.clean import REJECTED_COLUMNS
from soc_assets.ingest.soil.samples import SoilSamples
from soc_assets.pipeline.inspection import needs, sample_findings
from soc_assets.project import Project
from soc_assets.settings import Band, Embedding, Rasters, Study
from soc_assets.settings.loading import Settings
from soc_assets_tests.small_world import (
    ORIGIN,
    PIXEL,
    UTM,
    reference_grid,
    reference_transform,
    samples_at,
    write_raster,
)

SIZE, WINDOW = 64, 16


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Elevation everywhere; LAI of 2012 everywhere, of 2011 in the western half only, of 2010 not at all."""
    noise = np.random.default_rng(0).normal(100, 9, (SIZE, SIZE)).astype("float32")
    folder = tmp_path / "data/rasters"
    write_raster(folder / "static/Elevation.tif", noise, reference_transform())
    write_raster(folder / "yearly/LAI/LAI_2012.tif", noise + 1, reference_transform())
    half = noise + 2
    half[:, SIZE // 2 :] = -1
    write_raster(folder / "yearly/LAI/LAI_2011.tif", half, reference_transform(), nodata=-1)
    settings = Settings(
        study=Study(year_from=2011, year_to=2012, time_before=2),
        rasters=Rasters(bands=(Band(name="Elevation", kind="static"), Band(name="LAI"))),
        embedding=Embedding(image_size=WINDOW),
    )
    return Project(root=tmp_path, settings=settings)


def with_settings(project: Project, **rasters) -> Project:
    changed = project.settings.rasters.model_copy(update=rasters)
    return Project(project.root, project.settings.model_copy(update={"rasters": changed}))


def inspected(project: Project, samples: pd.DataFrame):
    catalog = scan_rasters(project.settings.rasters, project.rasters).frame
    (project.root / "data/soil").mkdir(exist_ok=True)
    (project.root / "data/soil/a.csv").touch()
    samples = samples.assign(survey_date=pd.NaT, file="a.csv", row=range(2, 2 + len(samples)))
    rejected = pd.DataFrame(columns=list(REJECTED_COLUMNS))
    tables = pd.DataFrame(
        {"file": ["a.csv"], "rows": [len(samples)], "unit": ["g/kg"], "crs": ["WGS84"], "below_detection": ["reject"]}
    )
    return sample_findings(project, catalog, SoilSamples(samples, rejected, tables))


def at(columns, years=2012, rows=32) -> pd.DataFrame:
    n = len(columns)
    return samples_at([rows] * n, columns, [years] * n if isinstance(years, int) else years, reference_grid(SIZE))


def test_needed_steps_are_those_the_embedding_reads(project):
    found = {(need.band, need.year): need.members.tolist() for need in needs(project, at([10, 20], [2011, 2012]))}
    expected = {("Elevation", None): [0, 1], ("LAI", 2010): [0], ("LAI", 2011): [0, 1], ("LAI", 2012): [1]}
    assert {key: sorted(members) for key, members in found.items()} == expected


def test_a_window_counts_where_enough_of_it_is_valid(project):
    # windows reach 8 pixels to either side: valid in the west of column 32, half of it for a sample at 32
    covered, _ = inspected(project, at([10, 28, 31, 35, 50]))
    table = covered.table.set_index(["band", "year"])
    assert table.loc[("LAI", 2012), "present"] == 5
    assert (table.loc[("LAI", 2011), "on_raster"], table.loc[("LAI", 2011), "present"]) == (5, 3)
    assert covered.share.tolist() == pytest.approx([1, 1, 1, 2 / 3, 2 / 3])
    strict, _ = inspected(with_settings(project, min_valid_fraction=0.7), at([10, 28, 31, 35, 50]))
    assert strict.table.set_index(["band", "year"]).loc[("LAI", 2011), "present"] == 2


def test_table_shows_the_share_of_those_who_need_the_step(project):
    covered, _ = inspected(project, at([10, 50, 10], [2012, 2012, 2011]))
    shares = shares_by_year(covered).set_index("band")
    assert list(shares.columns) == ["static", "2010", "2011", "2012"]
    assert shares.loc["LAI"].tolist() == ["", "0%", "67%", "100%"]
    assert shares.loc["Elevation"].tolist() == ["100%", "", "", ""]


def test_coarser_rasters_on_another_grid_are_measured_in_their_own_pixels(project):
    from rasterio.transform import from_origin

    coarse = np.random.default_rng(1).normal(15, 3, (SIZE // 2, SIZE // 2)).astype("float32")
    coarse[:, SIZE // 4 :] = -1
    path = project.rasters / "yearly/LAI/LAI_2011.tif"
    write_raster(path, coarse, from_origin(*ORIGIN, 2 * PIXEL, 2 * PIXEL), UTM, nodata=-1)
    covered, _ = inspected(project, at([10, 28, 36, 50]))
    assert covered.share.tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3])


def test_a_band_that_no_sample_can_use_is_an_error_and_one_sample_is_enough_for_none(project):
    (project.rasters / "yearly/LAI/LAI_2012.tif").unlink()
    _, findings = inspected(project, at([45, 50, 52]))
    assert (findings[0].severity, findings[0].check, findings[0].band) == ("error", "coverage", "LAI")
    assert "every image of the band would be null" in findings[0].found
    _, findings = inspected(project, at([45, 50, 20]))
    assert "error" not in {finding.severity for finding in findings}
    assert "warning" in {finding.severity for finding in findings if finding.check == "coverage"}


def test_sampling_years_without_any_raster_are_named(project):
    study = Study(year_from=2011, year_to=2020, time_before=2)
    later = Project(project.root, project.settings.model_copy(update={"study": study}))
    _, findings = inspected(later, at([10, 20, 20], [2012, 2013, 2014]))
    lacking = [finding for finding in findings if finding.check == "coverage" and finding.step]
    assert [(finding.severity, finding.step) for finding in lacking] == [("warning", "2014")]


def test_samples_near_the_edge_are_counted(project):
    _, findings = inspected(project, at([7, 8, 55, 56, 57, 30]))
    [edge] = [finding for finding in findings if finding.check == "edges"]
    assert (edge.severity, edge.found[:17]) == ("warning", "2 of 6 samples li")
    _, findings = inspected(project, at([8, 20, 56]))
    assert [finding for finding in findings if finding.check == "edges"] == []


def test_no_sample_in_the_years_studied_is_an_error(project):
    covered, [finding] = inspected(project, at([10, 20], [2005, 2030]))
    assert (covered, finding.check, finding.severity) == (None, "samples", "error")
    assert "exclude all 2 samples" in finding.found


def test_accepting_a_finding_about_samples_makes_it_a_note(project):
    (project.rasters / "yearly/LAI/LAI_2012.tif").unlink()
    _, findings = inspected(with_settings(project, accept=("coverage:LAI",)), at([45, 50, 52]))
    assert "error" not in {finding.severity for finding in findings}


def test_previews_are_read_once_and_damaged_ones_again(project):
    inspected(project, at([10]))
    folder = project.catalog.parent / "previews"
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    assert len(kept) == 3  # Elevation and both years of LAI
    (project.rasters / "static/Elevation.tif").touch()  # a new time, the same bytes
    inspected(project, at([10]))
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")} == kept
    damaged = next(iter(kept))
    damaged.write_bytes(b"half a file")
    assert inspected(project, at([10]))[0].share.tolist() == [1.0]


def test_previews_of_rasters_that_are_gone_are_forgotten(project):
    from soc_assets.pipeline.inspection import raster_findings

    folder = project.catalog.parent / "previews"
    raster_findings(project, scan_rasters(project.settings.rasters, project.rasters))
    (project.rasters / "yearly/LAI/LAI_2011.tif").unlink()
    raster_findings(project, scan_rasters(project.settings.rasters, project.rasters))
    assert len(list(folder.glob("*.npz"))) == 2


def test_map_is_a_picture_whose_title_counts(project):
    from soc_assets.ingest.plots import coverage_map

    samples = at([10, 20, 50])
    assert coverage_map(samples, np.array([1.0, 0.5, 0.0]))[:4] == b"\x89PNG"
