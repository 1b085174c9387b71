"""Findings of `soc check` about locations: what is on both sides of the split though it looks like one place.

The split is the one that `balanced_samples` would make now: earlier splits are kept. Nothing is written.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.errors import SamplingError, SocWarning
from soc_assets.geo.grid import Grid
from soc_assets.geo.places import on_sphere, plain_id
from soc_assets.reporting.findings import Finding
from soc_assets.sampling.filters import apply_filters
from soc_assets.sampling.locations import locate
from soc_assets.sampling.split import split_by_location
from soc_assets.settings import Sampling, Study

NEAR = 30.0
"""Metres between GPS positions of visits to one point, seldom exceeded."""
_VICINITY = 5000.0  # metres: farther apart, an id is another point's number, except in surveys whose ids are points
_YEAR = re.compile(r"[\W_]*(?<!\d)(19|20)\d\d(?!\d)[\W_]*")


def location_findings(
    samples: pd.DataFrame,
    study: Study,
    sampling: Sampling,
    grid: Grid,
    region: Path | None,
    previous: pd.DataFrame | None,
    band: str,
) -> list[Finding]:
    """What is wrong with locations.

    Args:
        samples: as for `prepare.prepare_samples`.
        study: filters, and what makes a location.
        sampling: seed and shares of the split.
        grid: the reference grid.
        region: a file of polygons, or None.
        previous: splits made before, or None.
        band: the reference band, to which findings about samples belong.
    """
    try:
        studied = samples.loc[apply_filters(samples, study, region)[0]].reset_index(drop=True)
        studied["location"] = (located := locate(studied, study, grid)).location
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SocWarning)  # the asset reports it
            studied["split"] = split_by_location(located.location, sampling, previous, located.place)
    except SamplingError:
        return []  # too few samples or no region: other findings, and the asset, say so
    xyz = on_sphere(studied["longitude"].to_numpy(), studied["latitude"].to_numpy())
    found = [*_ids(studied, xyz, study), *_pixels(studied, grid, study), *_near(studied, xyz)]
    return [Finding("locations", "warning", band, "", "", words, cure) for words, cure in found]


def _ids(studied: pd.DataFrame, xyz: np.ndarray, study: Study) -> Iterator[tuple[str, str]]:
    """Ids of one survey that are at several locations, in several splits."""
    if "own_id" not in studied:
        return
    family = _family(studied)
    table = studied[["location", "split"]].assign(id=plain_id(studied["own_id"]), family=family)
    table[["x", "y", "z"]] = xyz
    visits = table[table["id"] != ""].groupby(["family", "id"])
    extent = visits[["x", "y", "z"]].max() - visits[["x", "y", "z"]].min()
    facts = visits.agg(splits=("split", "nunique"), locations=("location", "nunique"))
    facts["metres"] = np.sqrt((extent**2).sum(axis=1))
    of_points = facts.index.get_level_values("family") == "lucas"
    wrong = facts[(facts["splits"] > 1) & (facts["locations"] > 1) & (of_points | (facts["metres"] <= _VICINITY))]
    if wrong.empty:
        return
    (name, own), first = wrong.index[0], wrong.iloc[0]
    where = ", ".join(sorted(visits.get_group((name, own))["split"].unique()))
    yield (
        f"{len(wrong)} of {len(facts)} own ids occur at several locations in several splits, for example {own} of "
        f"{name} ({first['metres']:,.0f} m apart: {where}), the farthest {wrong['metres'].max():,.0f} m",
        f"Correct their coordinates, or set [study] id_metres (now {study.id_metres:g}, at most 1000) so that their "
        "visits are one location. Ids that name no point (plots numbered from 1 at each place) are right so.",
    )


def _pixels(studied: pd.DataFrame, grid: Grid, study: Study) -> Iterator[tuple[str, str]]:
    """Held-out samples in one pixel with a training sample: their windows, and so their features, are the same."""
    if study.location == "pixel":
        return
    rows, columns = grid.pixels(studied["longitude"].to_numpy(), studied["latitude"].to_numpy())
    pixel = pd.Series(pd.MultiIndex.from_arrays([rows, columns]).factorize()[0])
    trained = pixel.isin(pixel[studied["split"] == "train"])
    counts = {split: (int((trained & (studied["split"] == split)).sum()), split) for split in ("test", "validation")}
    words = [
        f"{n:,} of {int((studied['split'] == split).sum()):,} {split} samples" for n, split in counts.values() if n
    ]
    if words:
        yield (
            f"{' and '.join(words)} share a pixel of the reference grid with a training sample of another location: "
            "their windows, and so all features of a year, are the same, and scores flatter",
            'Set [study] location = "pixel": samples of one pixel are then one location. That draws a new split.',
        )


def _near(studied: pd.DataFrame, xyz: np.ndarray) -> Iterator[tuple[str, str]]:
    """Test samples nearer to a training sample than visits to one point may lie."""
    from scipy.spatial import KDTree

    test, train = ((studied["split"] == split).to_numpy() for split in ("test", "train"))
    if not test.any() or not train.any():
        return
    distance = KDTree(xyz[train]).query(xyz[test])[0]
    if near := int((distance <= NEAR).sum()):
        yield (
            f"{near:,} of {int(test.sum()):,} test samples lie within {NEAR:g} m of a training sample of another "
            f"location (the nearest {distance.min():.1f} m)",
            f"If these are visits of one point, set [study] location_metres = {NEAR:g}, or give the tables the points' "
            "ids ([soil.columns] id).",
        )


def _family(studied: pd.DataFrame) -> np.ndarray:
    """The survey [n] that a sample's id belongs to: `lucas`, or its source without a year."""
    source = studied["source"].astype("str") if "source" in studied else pd.Series("", studied.index)
    plain = source.str.casefold()
    file = studied["file"].astype("str").str.casefold() if "file" in studied else plain
    of_lucas = plain.str.contains("lucas") | file.str.contains("lucas")
    return plain.str.replace(_YEAR, "", regex=True).mask(of_lucas, "lucas").to_numpy(object)
