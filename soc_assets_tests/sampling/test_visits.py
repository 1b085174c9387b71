"""Visits of one point some metres apart are one location, wherever a location matters."""

import numpy as np
import pandas as pd
import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin

from soc_assets.errors import SocWarning
from soc_assets.geo.grid import Grid
from soc_assets.geo.places import on_sphere
from soc_assets.geo.projection import metric_crs, to_metres
from soc_assets.sampling.findings import location_findings
from soc_assets.sampling.inputs import earlier_splits
from soc_assets.sampling.locations import locate
from soc_assets.sampling.prepare import prepare_samples
from soc_assets.sampling.split import split_by_location
from soc_assets.settings import Sampling, Study
from soc_assets.storage.second_copy import copy_of
from soc_assets_tests.small_project import write_project

METRE = 1 / 111_195  # degrees of latitude


@pytest.fixture
def visits() -> pd.DataFrame:
    """60 LUCAS points, three visits each, by GPS 10 to 20 m beside each other."""
    rng = np.random.default_rng(1)
    longitude, latitude = rng.uniform(11.1, 13.9, 60), rng.uniform(47.1, 48.9, 60)
    parts = []
    for year in (2012, 2015, 2018):
        east, north = longitude + rng.normal(0, 1.5e-4, 60), latitude + rng.normal(0, 1e-4, 60)
        parts.append(
            pd.DataFrame({"longitude": east, "latitude": north, "year": year, "own_id": np.arange(60) + 40_000_000})
        )
    table = pd.concat(parts, ignore_index=True).astype({"year": "Int32", "own_id": "str"})
    names = [f"s{i:03d}" for i in range(180)]
    return table.assign(sample_id=names, organic_carbon=rng.uniform(5, 50, 180), source="LUCAS", file="LUCAS.csv")


def prepared(samples, grid, study=None, sampling=None, **more):
    given = {"region": None, "ledger": None} | more
    return prepare_samples(samples, study or Study(), sampling or Sampling(), grid, **given)


@pytest.mark.parametrize("by", ["coordinates", "pixel"])
def test_no_point_is_in_two_splits_or_in_two_folds(visits, grid, by):
    result = prepared(visits, grid, Study(location=by))
    table = result.balanced.merge(visits, on="sample_id")
    assert (table.groupby("own_id")[["split", "location_id"]].nunique() == 1).all().all()
    folds = result.folds.merge(visits, on="sample_id")
    for scheme in ("location", "block"):
        assert (folds[folds["scheme"] == scheme].groupby("own_id")["fold"].nunique() == 1).all()
    assert table["location_id"].nunique() == 60 if by == "coordinates" else table["location_id"].nunique() <= 60


def test_ids_link_within_a_distance_and_never_without_an_id(grid):
    north = np.array([0, 90, 250, 0.0])  # metres: 90 m is a visit, 160 m further is not
    table = pd.DataFrame({"longitude": 11.5, "latitude": 48 + north * METRE, "own_id": ["A", "a ", "A", "B"]})
    table.loc[3, "longitude"] = 11.5003  # 22 m beside, another id
    location = locate(table, Study(), grid).location
    assert location[0] == location[1]
    assert len(set(location)) == 3
    assert len(set(locate(table, Study(id_metres=0), grid).location)) == 4
    assert len(set(locate(table.assign(own_id=None), Study(), grid).location)) == 4
    assert len(set(locate(table.assign(own_id=""), Study(location_metres=30), grid).location)) == 3


def test_metres_are_metres_on_a_grid_of_web_mercator():
    mercator = Grid(CRS.from_epsg(3857), from_origin(1_200_000, 6_300_000, 250, 250), 1000, 1000)
    table = pd.DataFrame({"longitude": 11.5, "latitude": 48 + np.array([0, 99.0, 300, 401]) * METRE, "own_id": "1"})
    location = locate(table, Study(), mercator).location
    assert location[0] == location[1] != location[2] != location[3]


def test_chain_of_neighbours_is_not_one_location_over_a_region(grid):
    chain = pd.DataFrame({"longitude": 11.5, "latitude": 48 + np.arange(2000) * 50 * METRE, "own_id": "1"})
    for study in (Study(), Study(id_metres=0, location_metres=60)):
        located = locate(chain, study, grid)
        assert located.chained == 2000
        xyz = on_sphere(chain["longitude"].to_numpy(), chain["latitude"].to_numpy())
        for name in np.unique(located.location):
            part = xyz[located.location == name]
            assert np.linalg.norm(part.max(axis=0) - part.min(axis=0)) <= 2 * max(
                study.id_metres, study.location_metres
            )
    with pytest.warns(SocWarning, match="2000 places lie in chains"):
        prepared(chain.assign(sample_id=[f"{i:04d}" for i in range(2000)], organic_carbon=9.0, year=2015), grid)


def test_location_does_not_depend_on_the_order_of_rows(visits, grid):
    order = np.random.default_rng(3).permutation(len(visits))
    study = Study(location_metres=200)
    assert (locate(visits.iloc[order], study, grid).location == locate(visits, study, grid).location[order]).all()


def test_points_that_an_earlier_split_had_parted_are_never_moved_from_test_into_training(visits, grid):
    before = prepared(visits, grid, Study(id_metres=0))
    old = before.balanced.merge(visits, on="sample_id")
    assert (old.groupby("own_id")["split"].nunique() > 1).sum() > 20
    with pytest.warns(SocWarning, match=r"of 60 locations .*in several splits.*Another seed"):
        after = prepared(visits, grid, previous=before.splits)
    new = after.balanced.merge(visits, on="sample_id")
    held_out = {"train": 0, "validation": 1, "test": 2}
    was = old["split"].map(held_out).groupby(old["own_id"]).max()
    assert (new["split"].map(held_out).groupby(new["own_id"]).agg(["min", "max"]).eq(was, axis=0)).all().all()
    again = prepared(visits, grid, previous=after.splits)  # remembered: nobody warns again
    assert (again.balanced["split"] == after.balanced["split"]).all()
    apart = prepared(visits, grid, Study(id_metres=0), previous=after.splits)
    assert (apart.balanced["split"] == after.balanced["split"]).all()  # the link has gone, what was held out stays so


def test_a_new_visit_of_a_known_point_gets_its_split(visits, grid):
    first = prepared(visits[visits["year"] != 2018], grid)
    after = prepared(visits, grid, previous=first.splits).balanced.merge(visits, on="sample_id")
    known = first.balanced.merge(visits, on="sample_id").groupby("own_id")["split"].first()
    assert (after.groupby("own_id")["split"].nunique() == 1).all()
    assert (after.groupby("own_id")["split"].first() == known).all()


def test_splits_known_by_the_names_of_before_are_kept():
    before = pd.DataFrame({"location_id": ["a", "b", "c", "d"], "split": ["train", "test", "validation", "train"]})
    location, place = np.array(["a", "a", "c", "c", "e"]), np.array(["a", "b", "c", "d", "e"])
    with pytest.warns(SocWarning, match="2 of 2 locations"):
        split = split_by_location(location, Sampling(), before, place)
    assert split.tolist() == ["test", "test", "validation", "validation", "train"]


def found(samples, grid, study=None):
    return location_findings(samples, study or Study(), Sampling(), grid, None, None, "Elevation")


def test_ids_at_several_locations_in_several_splits_are_a_finding(visits, grid):
    assert not [item for item in found(visits, grid) if "own ids" in item.found]
    moved = visits.assign(latitude=visits["latitude"] + np.where(visits["year"] == 2018, 300 * METRE, 0))
    (finding,) = [item for item in found(moved, grid) if "own ids" in item.found]
    assert finding.severity == "warning"
    assert "of lucas" in finding.found
    assert "id_metres (now 100" in finding.cure
    cured = found(moved, grid, Study(id_metres=400))
    assert not [item for item in cured if "own ids" in item.found]
    plots = moved.assign(source="trial", file="trial.csv", own_id=(np.arange(180) % 4).astype(str))
    assert not [item for item in found(plots, grid) if "own ids" in item.found]  # plot numbers, far apart


def test_test_samples_that_share_a_pixel_with_training_are_a_finding_that_its_cure_mends(visits, grid):
    (finding,) = [item for item in found(visits, grid, Study(id_metres=0)) if "share a pixel" in item.found]
    table = prepared(visits, grid, Study(id_metres=0)).balanced.merge(visits, on="sample_id")
    table["pixel"] = list(zip(*grid.pixels(table["longitude"], table["latitude"]), strict=True))
    trained = set(table.loc[table["split"] == "train", "pixel"])
    test = table[table["split"] == "test"]
    assert finding.found.startswith(f"{int(test['pixel'].isin(trained).sum())} of {len(test)} test samples and ")
    assert 'location = "pixel"' in finding.cure
    assert not [item for item in found(visits, grid, Study(location="pixel")) if "share a pixel" in item.found]


def test_revisits_without_ids_are_a_finding_that_its_cure_mends(visits, grid):
    nameless = visits.assign(own_id="")
    (finding,) = [item for item in found(nameless, grid) if "lie within 30 m" in item.found]
    assert "location_metres = 30" in finding.cure
    assert not [item for item in found(nameless, grid, Study(location_metres=30)) if "lie within" in item.found]


def test_file_of_splits_remembers_places_and_what_is_held_out_now(visits, grid, tmp_path):
    from soc_assets.defs.assets.sampling import _write

    project = write_project(tmp_path).project
    assert earlier_splits(project) is None
    before = prepared(visits, grid, Study(id_metres=0))
    _write(before, project, "inputs")
    with pytest.warns(SocWarning, match="nothing that was held out is trained on"):
        after = prepared(visits[visits["year"] > 2012], grid, previous=earlier_splits(project))
    _write(after, project, "inputs")
    kept = earlier_splits(project)
    assert len(kept) == 180  # also the places of 2012, which have left the study
    both = after.splits.merge(kept, on="location_id")
    assert len(both) == 120
    assert (both["split_x"] == both["split_y"]).all()
    project.samples("splits").unlink()
    assert kept.equals(earlier_splits(project)), "deleted, it is in the second copy"
    for path in (copy_of(project.samples("splits")), project.samples("balanced")):
        path.unlink()
    with pytest.warns(SocWarning, match="places of the test split would move into training"):
        assert earlier_splits(project) is None


def test_blocks_are_metres_on_the_ground_on_a_grid_of_web_mercator():
    mercator = Grid(CRS.from_epsg(3857), from_origin(1_200_000, 6_300_000, 250, 250), 1000, 1000)
    x, y = to_metres(np.array([11.5, 11.5]), np.array([48.0, 48.0 + 10_000 * METRE]), mercator)
    assert np.hypot(*np.diff([x, y])[:, 0]) == pytest.approx(10_000, rel=0.01)
    utm = Grid(CRS.from_epsg(25832), from_origin(600_000, 5_400_000, 250, 250), 1000, 1000)
    assert metric_crs(utm) == utm.crs
