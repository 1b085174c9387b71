"""What `benchmarks.map` maps: rasters of any size, and models with random weights on their features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import from_origin

from soc_assets.embedding.spec import all_specs, freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.features.sql.groups import group_columns
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.mapping.registered import Registered
from soc_assets.project import Project, load_project
from soc_assets.regression.design.design import columns_table, make_design
from soc_assets.regression.design.gaps import Gaps
from soc_assets.settings import Features
from soc_assets.storage import files

BANDS = ("LAI", "LST", "MODIS_NPP", "SoilEvaporation", "TotalEvapotranspiration")
YEARS = range(2019, 2024)
WEST, NORTH, PIXEL = 500_000, 5_600_000, 250


def write_region(root: Path, size: int, embedding: str = 'device = "cpu"') -> Project:
    """Rasters, their catalog, and the frozen spec of the settings of [embedding]."""
    root.mkdir(parents=True)
    (root / "soc.toml").write_text(f"[embedding]\n{embedding}\n")
    project = load_project(root / "soc.toml")
    stream = np.random.default_rng(0)
    write(root / "data/rasters/static/Elevation.tif", stream, size)
    for band in BANDS:
        for year in YEARS:
            write(root / f"data/rasters/yearly/{band}/{band}_{year}.tif", stream, size)
    catalog = scan_rasters(project.settings.rasters, project.rasters).frame
    files.write_table(project.catalog, catalog)
    precision = "bfloat16" if project.settings.embedding.device.startswith("cuda") else "float32"
    freeze(project.embeddings, choices_of(project.settings, None), catalog, settle=lambda spec: precision)
    return project


def write(path: Path, stream: np.random.Generator, size: int) -> None:
    """A smooth field with noise, stored as whole numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.sin(np.arange(size) / 90 + stream.uniform(0, 6))
    values = 1000 + 300 * np.add.outer(wave, wave) + stream.normal(0, 40, (size, size))
    kind = {"driver": "GTiff", "count": 1, "dtype": "int16", "crs": "EPSG:25832", "nodata": -9999}
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    place = {"width": size, "height": size, "transform": from_origin(WEST, NORTH, PIXEL, PIXEL)}
    with rasterio.open(path, "w", **kind, **tiled, **place) as dataset:
        dataset.write(values.astype(np.int16), 1)


def bare(project: Project, features: str) -> Registered:
    """A model without a graph."""
    [spec] = all_specs(project.embeddings)
    vector = Features.model_validate({"missing": "zero"})
    return Registered(None, "models:/m/1", spec.digest, features, 1, vector, project.settings.study, files=features)


def gaps_of(project: Project, group: str) -> Gaps:
    """Which columns of a group are an image."""
    [spec] = all_specs(project.embeddings)
    named = group_columns(spec, project.settings.features, project.settings.study)[group]
    return Gaps.fit(columns_table(named), (), ("embedding", "point"))


def documented(project: Project) -> Registered:
    """The documented MLP, 19,968 -> 512 -> 256 -> 1, with dissimilarity to 300 rows of noise."""
    from soc_assets.regression.models.conformal import Calibration
    from soc_assets.regression.models.documented import area_of_network
    from soc_assets.regression.models.mlp import SocMlp
    from soc_assets.regression.models.served import ServedDocumented
    from soc_assets_tests.mapping.small_maps import export

    rows = np.random.default_rng(1).normal(0, 1, (300, 19_968)).astype(np.float32)
    network = SocMlp(rows.shape[1]).eval()
    network.target_mean.fill_(25.0)
    network.target_scale.fill_(10.0)
    area = area_of_network(network, rows, np.arange(len(rows)), np.arange(len(rows)) % 3, 0)
    calibration = Calibration((2.0, 4.0), ((0.8, 0.5), (0.6, 1.0)), 0.5, 0.9)
    served = ServedDocumented(network, calibration, area, gaps_of(project, "embedding"))
    return replace(bare(project, "embedding"), model=export(served, rows[:2]))


def recipe(project: Project, samples: int) -> Registered:
    """Five members on the point values, with interval and dissimilarity."""
    from soc_assets.regression.evaluation.fold import applicability_of
    from soc_assets.regression.models.fitted import Options, fit_recipe
    from soc_assets.regression.models.served import ServedRecipe
    from soc_assets.settings.evaluation import Recipe
    from soc_assets_tests.mapping.small_maps import export

    stream, width = np.random.default_rng(1), 4 * 26
    places = {"x": stream.uniform(0, 1, samples), "y": stream.uniform(0, 1, samples)}
    table = pd.DataFrame({**places, "organic_carbon": np.exp(stream.normal(3, 0.5, samples)), "multiplicity": 1})
    table = table.assign(weight=1.0, split="train", sample_id=[f"s{n}" for n in range(samples)])
    matrix = stream.normal(0, 1, (samples, width)).astype(np.float32)
    named = columns_table([("point", "b", 0, window) for window in (1, 3, 9, 25)] * 26)
    design = make_design(table, {"point": matrix}, {"point": named})
    rows, fold = np.arange(samples), np.arange(samples) % 2
    model = fit_recipe(Recipe(name="ens", epochs=1, members=5), design, rows, fold, Options())
    area = applicability_of(model, design, rows, fold, 0)
    served = ServedRecipe(model, area, gaps_of(project, "point"))
    return replace(bare(project, "point"), model=export(served, matrix[:2]))
