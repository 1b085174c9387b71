"""A small region to map, and models of it that are fitted and exported as registered ones are.

64 x 64 cells; the raster of SoilEvaporation of 2010 is missing, and LAI of 2011 has a hole and so has Elevation.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import torch

from soc_assets.embedding.parquet import to_table
from soc_assets.embedding.spec import Spec, freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Cells, Lattice, Period
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.rows import Predictor, _as_samples
from soc_assets.project import Project
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.fold import applicability_of
from soc_assets.regression.final import gaps_of, raw_features
from soc_assets.regression.models.conformal import Calibration
from soc_assets.regression.models.documented import area_of_network
from soc_assets.regression.models.fitted import FittedModel, Options, fit_recipe
from soc_assets.regression.models.mlp import SocMlp
from soc_assets.regression.models.served import ServedDocumented, ServedRecipe
from soc_assets.settings import Features
from soc_assets.settings.evaluation import Recipe
from soc_assets.storage import files
from soc_assets_tests.small_project import SIZE, SmallProject, write_project

CALIBRATION = Calibration((2.0, 4.0), ((0.8, 0.5), (0.6, 1.0)), 0.5, 0.9)
YEAR = 2011
BANDS = ("Elevation", "LAI", "SoilEvaporation", "MODIS_NPP")
TINY: dict[str, Any] = {"hidden": (8, 4), "epochs": 3, "members": 2, "batch_size": 16, "pca": 6}


class Served:
    """A graph as MLflow's wrapper holds it."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def get_raw_model(self) -> Any:
        return self._graph

    def predict(self, features: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._graph(torch.from_numpy(np.ascontiguousarray(features, np.float32))).numpy()


def write_region(root: Path) -> SmallProject:
    """A project with a catalog, with four bands and steps of two years; two rasters have a hole."""
    made = write_project(root)
    kinds = [f'{{ name = "{name}", kind = "{"static" if name == "Elevation" else "yearly"}" }}' for name in BANDS]
    made.set("[sampling]", f"[study]\ntime_before = 2\n\n[rasters]\nbands = [{', '.join(kinds)}]\n\n[sampling]")
    for path in (made.raster("LAI", YEAR), root / "data/rasters/static/Elevation.tif"):
        with rasterio.open(path, "r+") as dataset:
            values = dataset.read(1)
            values[4:16, 2:20] = -9999
            dataset.write(values, 1)
    project = made.project
    files.write_table(project.catalog, scan_rasters(project.settings.rasters, project.rasters).frame)
    return made


def with_settings(project: Project, **sections: dict[str, Any]) -> Project:
    """The project with other settings: `map={"step": 2}`."""
    changed = {name: getattr(project.settings, name).model_copy(update=values) for name, values in sections.items()}
    return Project(project.root, project.settings.model_copy(update=changed))


def spec_of(project: Project) -> Spec:
    catalog = files.read_table(project.catalog)
    return freeze(project.embeddings, choices_of(project.settings, None), catalog, settle=lambda spec: "float32")


def fitted_design(project: Project, registered: Registered, n: int = 60) -> Design:
    """Features of cells here and there over three years, as samples have them, with organic carbon."""
    predictor = Predictor(project, registered)
    stream = np.random.default_rng(1)
    rows, columns = stream.integers(0, SIZE, (2, n))
    lattice = Lattice(predictor.grid)
    places = [lattice.coordinates(Cells(r, c, r + 1, c + 1)) for r, c in zip(rows, columns, strict=True)]
    longitude, latitude = (np.concatenate(values) for values in zip(*places, strict=True))
    years = pd.array(2010 + np.arange(n) % 3, "Int32")
    samples = _as_samples(Period(YEAR).rows(longitude, latitude).assign(year=years, season_year=years))
    design = predictor._design(samples, to_table(samples, predictor.spec, predictor.embedder(samples)))
    carbon = np.exp(stream.normal(3, 0.5, n))
    more = design.samples.assign(organic_carbon=carbon, multiplicity=1, weight=1.0, split="train")
    return replace(design, samples=more.assign(location_id=samples["sample_id"]))


def export(module: torch.nn.Module, example: np.ndarray) -> Served:
    """The module as a graph of any number of rows."""
    rows = torch.from_numpy(np.ascontiguousarray(example, np.float32))
    shapes = ({0: torch.export.Dim("rows", min=1)},)
    return Served(torch.export.export(module.eval(), (rows,), dynamic_shapes=shapes).module())


def registered_model(project: Project, features: str, missing: str = "zero", documented: bool = False) -> Registered:
    """A model of a feature set: a recipe with two members, or the documented network."""
    if not documented:
        return registered_recipe(project, features, missing)[0]
    bare, _, rows, gaps, raw = _fitted_to(project, features, missing)
    torch.manual_seed(0)
    network = SocMlp(raw.shape[1], (8, 4))
    network.feature_mean.copy_(torch.from_numpy(np.nanmean(raw, axis=0)))
    network.feature_scale.copy_(torch.from_numpy(np.maximum(np.nanstd(raw, axis=0), 1e-3)))
    network.target_mean.fill_(30.0)
    network.target_scale.fill_(10.0)
    area = area_of_network(network.eval(), raw, rows, rows % 3, 0)
    return replace(bare, model=export(ServedDocumented(network, CALIBRATION, area, gaps), raw[:2]), files="documented")


def registered_recipe(
    project: Project, features: str, missing: str = "zero", **recipe: Any
) -> tuple[Registered, FittedModel]:
    """A recipe as it is registered, and as it was fitted."""
    bare, design, rows, gaps, raw = _fitted_to(project, features, missing)
    fold = rows % 2
    model = fit_recipe(Recipe(name="m", features=features, **{**TINY, **recipe}), design, rows, fold, Options())
    graph = export(ServedRecipe(model, applicability_of(model, design, rows, fold, 0), gaps), raw[:2])
    return replace(bare, model=graph, files=f"{features} {missing} {recipe or ''}"), model


def _fitted_to(project: Project, features: str, missing: str) -> tuple[Registered, Design, np.ndarray, Any, np.ndarray]:
    """What a model is fitted to: its description without a graph, samples, rows, gaps and raw features."""
    vector = Features.model_validate({"missing": missing})
    bare = Registered(None, "models:/m/1", spec_of(project).digest, features, 4, vector, project.settings.study, "tiny")
    design, rows = fitted_design(project, bare), np.arange(60)
    zeros = () if missing == "null" else ("embedding", "point")
    gaps = gaps_of(design, features, rows, zeros)
    return bare, design, rows, gaps, raw_features(design, features, rows)


def inputs_of(project: Project, registered: Registered, *years: int) -> MapInputs:
    return read_map_inputs(project, registered, [Period(year) for year in years or (YEAR,)])
