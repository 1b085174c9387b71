"""What the methods paragraph of the report is generated from: counts, settings, covariates, versions.

Facts are read off the project and the comparison; the sentences that are made of them are in `methods`.
"""

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

import soc_assets
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.features.sql.database import read_info
from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.geo.places import on_sphere
from soc_assets.geo.projection import metric_crs
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.names import band_names
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.evaluation.compare import Compared, grid_of_project
from soc_assets.regression.models.recipes import CHOSEN
from soc_assets.settings import Study
from soc_assets.settings.bands import Channel
from soc_assets.settings.evaluation import Evaluation, Recipe

_SOFTWARE = {"soc_assets": "soc-assets", "torch": "torch", "scikit-learn": "scikit-learn"}


@dataclass(frozen=True)
class SchemeFacts:
    """Folds of a scheme: how many, the samples in them, and what the bootstrap draws (`blocks`)."""

    scheme: str
    folds: int
    samples: int
    drawn: str


@dataclass(frozen=True)
class Facts:
    """Facts of an evaluation.

    Attributes:
        samples: studied and embedded: organic_carbon (g/kg), location_id, split, year, block.
        schemes: the primary one first.
        bands: of the predictor table: band, kind, resolution, steps, label and unit by soc.toml or the files' tags.
        pixel: of the reference grid, metres.
        block: edge of a spatial block, metres.
        point_windows: edges of the squares of point values, pixels.
        embedding: how windows are embedded, in words.
        recipes: of the models, each once; the candidates of a choice are not among them.
        candidates: names of the recipes that are chosen from inside each training part; empty where none is.
        settings: of the evaluation.
        buffer: of the scheme `block`, metres.
        regions: a sentence that says how the regions were made.
        fits: how many models were fitted.
        seconds: of work in them.
        provenance: versions, commit, digests and the time, by what they are of.
    """

    samples: pd.DataFrame
    schemes: tuple[SchemeFacts, ...]
    bands: pd.DataFrame
    pixel: float
    block: float
    point_windows: tuple[int, ...]
    embedding: str
    recipes: tuple[Recipe, ...]
    candidates: tuple[str, ...]
    settings: Evaluation
    buffer: float
    regions: str
    fits: int
    seconds: float
    provenance: Mapping[str, str]


def facts_of(project: Project, compared: Compared) -> Facts:
    """Read the facts of an evaluation.

    Args:
        project: settings and paths; its database has the features that were compared.
        compared: what the evaluation found.

    Raises:
        TableError: the raster catalog is missing or damaged.
    """
    settings, info, fits = project.settings, read_info(project.database), compared.plan.fits
    pixel = pixel_metres(grid_of_project(project))
    return Facts(
        samples=compared.design.samples,
        schemes=_schemes(compared, settings.evaluation.primary),
        bands=bands_of(project),
        pixel=pixel,
        block=settings.sampling.block_metres or settings.sampling.block_size * pixel,
        point_windows=POINT_WINDOWS,
        embedding=_embedding(project, info.get("weights", "")),
        recipes=tuple(dict.fromkeys(item.recipes[0] for item in fits if item.model != CHOSEN)),
        candidates=tuple(dict.fromkeys(each.name for item in fits for each in item.recipes if item.model == CHOSEN)),
        settings=settings.evaluation,
        buffer=settings.evaluation.buffer,
        regions=compared.regions,
        fits=len(compared.done),
        seconds=sum(found.seconds for found in compared.models),
        provenance=provenance_of(project.root, info),
    )


def provenance_of(folder: Path, info: Mapping[str, str]) -> dict[str, str]:
    """Versions of the software, commit of a folder, digests of spec and features, and the time."""
    versions = {name: _version(package) for name, package in _SOFTWARE.items()}
    return {
        **{name: found for name, found in versions.items() if found},
        "Python": platform.python_version(),
        "Commit of soc_assets": _own_commit() or "",
        "Commit of the project": commit_of(folder) or "",
        "Embedding spec (digest)": info.get("spec", ""),
        "Features (digest)": info.get("inputs", ""),
        "Written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _own_commit() -> str | None:
    """The commit of this package where it runs from a checkout of its repository, and not from an installed copy."""
    package = Path(soc_assets.__file__).parent
    tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py")
    return commit_of(package) if tracked else None


def commit_of(folder: Path) -> str | None:
    """The commit that is checked out in the git work tree that a folder lies in; None without one."""
    return _git(folder, "rev-parse", "--verify", "HEAD")


def _git(folder: Path, *command: str) -> str | None:
    """What git answers in a folder; None where it fails or answers nothing."""
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), *command], check=True, capture_output=True, timeout=10, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def bands_of(project: Project) -> pd.DataFrame:
    """The predictor table: Band, Kind, Resolution, Windows, Steps and, where any is known, Label and Unit."""
    catalog, settings = read_table(project.catalog, project), project.settings
    windows, rows = f"{', '.join(map(str, POINT_WINDOWS))}; {settings.embedding.image_size}", []
    names = band_names(settings.rasters, catalog)
    for band in settings.rasters.channels:
        rasters = catalog[catalog["band"] == band.of].to_dict("records")
        first = rasters[0] if rasters else None
        resolution = _resolution(Grid.of_row(first)) if first else ""
        label = "" if names[band.name].label == band.name else names[band.name].label
        steps, unit = _steps(band, settings.study), names[band.name].unit
        rows.append((band.name, label, band.kind, resolution, windows, steps, unit))
    columns = ["Band", "Label", "Kind", "Resolution", "Windows, px", "Steps before sampling", "Unit"]
    table = pd.DataFrame(rows, columns=columns)
    return table.drop(columns=[name for name in ("Label", "Unit") if not table[name].any()])


def pixel_metres(grid: Grid) -> float:
    """Edge of a pixel in metres: that of the CRS where it counts in metres, else on the ground in the grid's middle."""
    if metric_crs(grid) == grid.crs:
        return float(np.sqrt(abs(grid.transform.determinant)))
    t, (x, y) = grid.transform, grid.transform * (grid.width / 2, grid.height / 2)
    corners = move(grid.crs, WGS84, np.array([x, x + t.a, x + t.b]), np.array([y, y + t.d, y + t.e]))
    origin, right, down = on_sphere(*corners)
    return float(np.mean([np.linalg.norm(right - origin), np.linalg.norm(down - origin)]))


def _schemes(compared: Compared, primary: str) -> tuple[SchemeFacts, ...]:
    found = []
    for scheme, fold in compared.plan.folds.items():
        samples = compared.design.samples[fold >= 0]
        found.append(SchemeFacts(scheme, len(np.unique(fold[fold >= 0])), len(samples), units_of(scheme, samples)[1]))
    return tuple(sorted(found, key=lambda each: each.scheme != primary))


def _steps(band: Channel, study: Study) -> str:
    if band.kind == "static":
        return ""
    first, last = study.first_lag, study.first_lag + study.time_before - 1
    unit = "seasons" if band.kind == "seasonal" else "years"
    return "none" if last < first else f"{first} to {last} {unit}"


def _embedding(project: Project, weights: str) -> str:
    chosen = project.settings.embedding
    stage = "after the patch embedding" if chosen.stage == "patch_embed" else "after the transformer blocks"
    return (
        f"windows of {chosen.image_size} × {chosen.image_size} pixels embedded by SpectralGPT ({chosen.model}; tokens "
        f"{stage}, pooling {chosen.pooling}; weights: {weights or 'unknown'})"
    )


def _resolution(grid: Grid) -> str:
    if grid.crs.is_geographic:
        return f"{abs(grid.transform.a) * 3600:.4g} arc seconds"
    return f"{pixel_metres(grid):.0f} m"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
