"""Every engine predicts at every cell what `soc predict` predicts at its centre."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.mapping.engine.affine import AffineEngine
from soc_assets.mapping.engine.blocks import PointEngine
from soc_assets.mapping.engine.columns import ColumnEngine
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.engine.ensemble import ensemble_of
from soc_assets.mapping.lattice import Cells, Period
from soc_assets.mapping.registered import Registered
from soc_assets.regression.models.kriging import projected
from soc_assets.settings import Features
from soc_assets.storage import files
from soc_assets_tests.mapping.small_maps import (
    YEAR,
    Served,
    inputs_of,
    registered_model,
    registered_recipe,
    spec_of,
    with_settings,
    write_region,
)
from soc_assets_tests.small_project import SmallProject, clean_environment

SOME = [Cells(13, 12, 17, 26), Cells(30, 60, 34, 64)]  # beside a hole; at the edge of the grid
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "documented": ({}, {"features": "embedding", "documented": True}),
    "parts, points and nulls": (
        {"pooling": "mean_center", "anchor": "token"},
        {"features": "point+embedding+coordinates", "missing": "null"},
    ),
    "stack, nearest lags, raw": (
        {"arrangement": "stack", "pooling": "center", "normalise": "none"},
        {"features": "embedding+point:1:9", "missing": "nearest_lag"},
    ),
    "parts by image, nulls": (
        {"pooling": "mean_center", "normalise": "image"},
        {"features": "embedding+point:1:9", "missing": "null"},
    ),
    "stack by image, token": (
        {"arrangement": "stack", "pooling": "center", "anchor": "token", "normalise": "image"},
        {"features": "embedding", "missing": "nearest_lag"},
    ),
    "forest": ({}, {"features": "point", "model": "random_forest", "trees": 7}),
    "boosting": ({}, {"features": "embedding+coordinates", "model": "gradient_boosting", "trees": 7}),
    "ridge": ({}, {"features": "point:1:9", "missing": "nearest_lag", "model": "ridge"}),
    "kriging": ({}, {"features": "coordinates", "model": "kriging"}),
    "process": ({}, {"features": "point:1+coordinates", "model": "gaussian_process"}),
    "kriged forest": (
        {},
        {"features": "point+coordinates", "model": "regression_kriging", "trend": "extra_trees", "trees": 7},
    ),
}
MEMBERS = dict.fromkeys(("documented", "boosting", "ridge", "kriging", "process", "kriged forest")) | {"forest": 7}
"""Of the models that are no ensemble of two networks."""


@pytest.fixture(scope="module")
def region(tmp_path_factory) -> SmallProject:
    with clean_environment():
        return write_region(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="module")
def models(region) -> Callable[[str], Registered]:
    """The models by name, each made once."""

    @cache
    def made(name: str) -> Registered:
        embedding, how = MODELS[name]
        project = with_settings(region.project, embedding=embedding)
        return registered_recipe(project, **how)[0] if "model" in how else registered_model(project, **how)

    return made


@pytest.mark.parametrize("name", MODELS)
def test_engines_agree_with_single_points(region, models, name):
    registered = models(name)
    inputs = inputs_of(with_settings(region.project, embedding=MODELS[name][0]), registered)
    engine = engine_for(inputs)
    assert isinstance(engine, AffineEngine)
    found = ensemble_of(registered.model)
    assert (found and found.members) == MEMBERS.get(name, 2)
    [place] = inputs.places
    engines = (PointEngine(inputs), ColumnEngine(inputs), engine)
    for cells in SOME:
        points, columns, affine = (each.open(Period(YEAR), place)(cells) for each in engines)
        assert len(np.unique(points.missing)) > 1 or cells is not SOME[0]
        for found, tolerance in ((columns, 1e-6), (affine, 1e-5)):
            np.testing.assert_array_equal(found.missing, points.missing)
            np.testing.assert_allclose(found.numbers, points.numbers, rtol=tolerance, atol=tolerance)
        assert np.isfinite(points.numbers[:, 0]).any()


@pytest.mark.parametrize("features", ["coordinates", "point:1+coordinates"])
def test_engines_agree_where_there_are_more_samples_than_are_solved_at_once(region, features, monkeypatch):
    monkeypatch.setattr(projected, "DENSE", 40)
    kind = "kriging" if features == "coordinates" else "gaussian_process"
    inputs = inputs_of(region.project, registered_recipe(region.project, features, model=kind)[0])
    [place] = inputs.places
    points, affine = (made.open(Period(YEAR), place)(SOME[0]) for made in (PointEngine(inputs), engine_for(inputs)))
    np.testing.assert_allclose(affine.numbers, points.numbers, rtol=2e-5, atol=2e-5)


def test_model_that_is_no_graph_is_asked_for_raw_features(region):
    class Sum(Served):
        def predict(self, features):
            return np.column_stack([features[:, :5].sum(axis=1)] * 3)

    registered = Registered(Sum(None), "models:/m/1", spec_of(region.project).digest, "point")
    inputs = inputs_of(region.project, registered)
    engine = engine_for(inputs)
    assert isinstance(engine, ColumnEngine)
    [place] = inputs.places
    found, points = (each.open(Period(YEAR), place)(SOME[1]) for each in (engine, PointEngine(inputs)))
    np.testing.assert_allclose(found.numbers, points.numbers, rtol=1e-6)


def test_absurd_pixels_are_left_to_the_checks_of_the_model(region, models, tmp_path):
    wild = SmallProject(Path(shutil.copytree(region.root, tmp_path / "wild")))
    files.write_table(wild.project.catalog, scan_rasters(wild.project.settings.rasters, wild.project.rasters).frame)
    with rasterio.open(wild.raster("MODIS_NPP", YEAR), "r+") as dataset:
        values = dataset.read(1)
        values[40:, 40:] = 1e20  # after the statistics were frozen
        dataset.write(values, 1)
    inputs = inputs_of(wild.project, models("documented"))
    [place] = inputs.places
    engines = (PointEngine(inputs), engine_for(inputs))
    points, found = (each.open(Period(YEAR), place)(Cells(43, 43, 46, 50)) for each in engines)
    assert np.isnan(points.numbers[:, 0]).any()
    np.testing.assert_allclose(found.numbers, points.numbers, rtol=1e-5)


def test_what_is_not_linear_takes_whole_windows_and_steps_by_calendar_the_way_of_single_points(region):
    for embedding in ({"stage": "encoder"}, {"pooling": "max"}):
        project = with_settings(region.project, embedding=embedding)
        bare = Registered(Served(None), "models:/m/1", spec_of(project).digest, "embedding")
        engine = engine_for(inputs_of(project, bare))
        assert (type(engine), engine.together, engine.name) == (ColumnEngine, True, "encoder")
        assert isinstance(engine_for(inputs_of(project, replace(bare, features="point"))), ColumnEngine)
    absolute = Features.model_validate({"alignment": "absolute"})
    assert isinstance(engine_for(inputs_of(project, replace(bare, features="point", vector=absolute))), PointEngine)
