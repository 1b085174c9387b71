"""Suggesting sites: the places of a region that are least like the samples, where the model is least sure, spread out.

Distances are those of the model's own area of applicability. Every chosen site counts as sampled when the next is
chosen, in that space and by a least distance on the ground. Sampling by covariate space: Brus (Geoderma 338, 2019)
compares designs for mapping; what is chosen here supplements samples that are there already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from soc_assets.errors import MapError
from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.geo.projection import to_metres
from soc_assets.mapping.assemble import map_folder, read_map
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.layer_files import MapFile
from soc_assets.mapping.rows import Inputs
from soc_assets.mapping.suggestion.greedy import choose_sites
from soc_assets.mapping.suggestion.measure import Measure, measure_of
from soc_assets.mapping.suggestion.squares import candidate_cells, same_cells
from soc_assets.mapping.tables import places_of_samples
from soc_assets.runtime import interrupts, progress
from soc_assets.sampling.knndm import nearest

By = Literal["both", "dissimilarity"]
LINEAR, ENCODED = 2000, 400
"""Places that are compared where an embedding is one product, and where each is 26 windows through a transformer."""
COLUMNS = ("rank", "longitude", "latitude", "x", "y", "predicted", "lower", "upper", "width", "dissimilarity")
COLUMNS += ("novelty", "applicable", "nearest_sample_km", "reason")
_DEGREES = ("longitude", "latitude")
_ROWS = 256
_WIDE, _UNLIKE = 0.9, 0.9  # share of the places that are below
_WIDER = 1.1  # times the median width: intervals of constant width differ by rounding


@dataclass(frozen=True)
class Suggestion:
    """What is suggested.

    Attributes:
        sites: a row per site, in order, with `COLUMNS`: x and y in the CRS of the grid; predicted, lower, upper and
            width in g/kg; novelty is the dissimilarity from samples and the sites before it.
        places: all that were compared, the same columns but rank, novelty and reason.
        samples: [m, 2] x and y of the samples.
        apart: least distance between sites, metres.
        facts: how many places were compared, in which space, and the folder of the map ("" where there is none).
    """

    sites: pd.DataFrame
    places: pd.DataFrame
    samples: np.ndarray
    apart: float
    facts: dict[str, str]


def suggest_sites(
    inputs: MapInputs, period: Period, count: int, by: By = "both", apart: float | None = None, most: int | None = None
) -> Suggestion:
    """Suggest where the next samples should be taken.

    Args:
        inputs: with the loaded model, and the cells of the map of the period where there is one.
        period: whose rasters are read.
        count: sites.
        by: dissimilarity from samples and earlier sites, alone or times the width of the interval (`both`).
        apart: metres between two sites, at least; None takes half the edge of the square that each site would have if
            they were spread evenly.
        most: places that are compared; None is 2,000, or 400 where a transformer embeds them.

    Raises:
        MapError: no place can be predicted, or dissimilarity cannot be measured.
    """
    found, measure = map_of(inputs, period), measure_of(inputs)
    compared = most or (LINEAR if inputs.predictor.spec.linear else ENCODED)
    rows, columns = candidate_cells(inputs, found, max(compared, count), by == "both")
    places, space = _predicted(inputs, period, rows, columns, measure)
    reference, samples = inputs.lattice.reference, places_of_samples(inputs).dropna()
    where, metres = _metres(places, reference), _metres(samples, reference)
    places["nearest_sample_km"] = nearest(where, metres) / 1000 if len(metres) else np.nan
    from_samples = measure.to_samples(space)
    places["dissimilarity"] = places["dissimilarity"].fillna(pd.Series(from_samples))
    least = _evenly(inputs, count) if apart is None else apart
    weight = _weight(places["width"].to_numpy(float)) if by == "both" else np.ones(len(places))
    chosen = choose_sites(space, from_samples, weight, where, count, least, measure.unit)
    sites = places.iloc[chosen.positions].assign(novelty=chosen.novelty, rank=np.arange(1, len(chosen.novelty) + 1))
    reasons = [_reason(row, places, by) for row in sites.to_dict("records")]
    sites = sites.assign(reason=reasons)[list(COLUMNS)].reset_index(drop=True)
    facts = {"places": f"{len(places):,}", "space": measure.words, "map": str(found.folder) if found else ""}
    on_grid = np.column_stack(move(WGS84, reference.crs, *(samples[name].to_numpy(float) for name in _DEGREES)))
    return Suggestion(sites, places, on_grid, least, facts)


def map_of(inputs: MapInputs, period: Period) -> MapFile | None:
    """The map of a period on the cells of the lattice, fresh or not; None where there is none."""
    found = read_map(map_folder(inputs, period))
    return found if found and same_cells(found.facts, inputs) else None


def _predicted(
    inputs: MapInputs, period: Period, rows: np.ndarray, columns: np.ndarray, measure: Measure
) -> tuple[pd.DataFrame, np.ndarray]:
    """Cells with their predictions, and where they are in the space of the measure [n, k].

    Those without a prediction, or with more missing images than a training sample has, are left out.
    """
    lattice, most = inputs.lattice, inputs.registered.most_missing
    x, y = lattice.metres(*(values * lattice.step + lattice.offset + 0.5 for values in (rows, columns)))
    longitude, latitude = lattice.degrees(x, y)
    every, frames, spaces = period.rows(longitude, latitude), [], []
    for start in range(0, len(every), _ROWS):
        interrupts.check()
        read = inputs.predictor.read(every.iloc[start : start + _ROWS])
        found = inputs.predictor.predict(read)
        kept = np.isfinite(found.numbers[:, 0])
        kept &= True if most is None else found.missing <= most
        frame = pd.DataFrame(found.numbers[:, :4], columns=["predicted", "lower", "upper", "dissimilarity"])
        at = slice(start, start + _ROWS)
        frame = frame.assign(longitude=longitude[at], latitude=latitude[at], x=x[at], y=y[at])
        frame["applicable"] = pd.Series(found.applicable(most)).map({1.0: "yes", 0.0: "no"}).fillna("unknown")
        frames.append(frame[kept])
        some = Inputs(read.features[kept], read.points[kept], read.missing[kept], read.images)
        spaces.append(measure.places(some) if kept.any() else np.empty((0, measure.seen.shape[1])))
        progress.report(min(start + _ROWS, len(every)), len(every), "places compared", unit="places")
    places = pd.concat(frames, ignore_index=True)
    if places.empty:
        raise MapError(f"No place of the region can be predicted in {period}: images are missing. Take another --year.")
    return places.assign(width=places["upper"] - places["lower"]), np.concatenate(spaces)


def _metres(rows: pd.DataFrame, grid: Grid) -> np.ndarray:
    """Coordinates [n, 2] in metres."""
    longitude, latitude = (rows[name].to_numpy(float) for name in _DEGREES)
    return np.column_stack(to_metres(longitude, latitude, grid))


def _weight(width: np.ndarray) -> np.ndarray:
    """Width over its median [n]; 1 where the model states none."""
    known = width[np.isfinite(width)]
    middle = float(np.median(known)) if len(known) else 0.0
    return np.where(np.isfinite(width), width / middle, 1.0) if middle > 0 else np.ones(len(width))


def _evenly(inputs: MapInputs, count: int) -> float:
    """Half the edge of a site's square, metres, if sites were spread evenly over the cells."""
    lattice = inputs.lattice
    row, column = (size // 2 for size in (lattice.reference.height, lattice.reference.width))
    x, y = lattice.metres(np.array([row, row, row + 1.0]), np.array([column, column + 1.0, column]))
    east, north = to_metres(*lattice.degrees(x, y), lattice.reference)
    one, other = (np.hypot(east[i] - east[0], north[i] - north[0]) for i in (1, 2))
    return float(np.sqrt(inputs.cells * lattice.step**2 * one * other / count) / 2)


def _reason(row: Mapping[Any, Any], places: pd.DataFrame, by: By) -> str:
    """Why a site was chosen, in words; the width of the interval is a reason only where it counts."""
    said = ["outside the area of applicability"] if row["applicable"] == "no" else []
    above = float((places["dissimilarity"] > row["dissimilarity"]).mean())
    if above == 0:
        said.append("least like the samples of all places")
    elif above <= 1 - _UNLIKE:
        said.append(f"among the {max(above, 0.01):.0%} of the places that are least like the samples")
    wider = float((places["width"] > row["width"]).mean())
    if by == "both" and wider <= 1 - _WIDE and row["width"] > _WIDER * places["width"].median():
        said.append(f"among the {max(wider, 0.01):.0%} with the widest interval")
    return "; ".join(said) or f"dissimilarity {row['novelty']:.2f} from samples and earlier sites"
