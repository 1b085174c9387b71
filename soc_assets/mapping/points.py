"""Predicting at new points: read the rasters around them, embed them as the model's samples were, apply the model.

The embedding spec, the feature set and the way that features are put together are those that the registered model was
fitted on, whatever soc.toml says now. A point that cannot be predicted is reported with its reason; the others are
predicted.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.embedding.spec import Spec
from soc_assets.geo.grid import Grid
from soc_assets.ingest.soil.points import Fault, first_fault, free_names, of_the_file, read_point_table, understood
from soc_assets.mapping.predictions import NUMBERS
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.rows import Predictor
from soc_assets.project import Project
from soc_assets.runtime import progress
from soc_assets.settings import Soil

NAMES = (*NUMBERS, "missing_images", "reason", "model")
"""Columns that a prediction adds: those of `predict_values`, and the name and version of the model."""
_AT_ONCE = 2048
_STRANGE = (
    "the model gives no number: the rasters hold infinity or absurd numbers here; is a nodata value not declared?"
)


def read_points(path: Path, soil: Soil | None = None, layer: str | None = None, **how: str | None) -> pd.DataFrame:
    """A table of points, in any format that soil tables may have; see `ingest.soil.points.read_point_table`.

    Raises:
        SoilError: the file or a needed column is missing, or a row does not fit its header.
    """
    return read_point_table(Path(path), soil or Soil(), layer, **how)


def predict_points(project: Project, points: pd.DataFrame, registered: Registered) -> pd.DataFrame:
    """The columns of the points' file, untouched, then `NAMES`, under names that are free."""
    return beside(points, predict_values(project, points, registered), registered.uri)


def beside(points: pd.DataFrame, values: pd.DataFrame, model: str) -> pd.DataFrame:
    """The columns of the points' file with predictions beside them; see `renamed`.

    Args:
        points: from `read_points`.
        values: from `predict_values`.
        model: name and version of the model, as MLflow and the service know it; also where there is no prediction.
    """
    own, values = of_the_file(points).reset_index(drop=True), values.assign(model=model)
    return pd.concat([own, values.rename(columns=renamed(points)).reset_index(drop=True)], axis=1)


def renamed(points: pd.DataFrame) -> dict[str, str]:
    """What `NAMES` are called beside the file's own columns: `soc_predicted` where those have a `predicted`."""
    return free_names(NAMES, list(of_the_file(points).columns))


def predict_values(project: Project, points: pd.DataFrame, registered: Registered) -> pd.DataFrame:
    """Predict organic carbon at points.

    Args:
        project: settings and paths; the rasters are those of its catalog.
        points: from `read_points`.
        registered: the model.

    Returns:
        Per point predicted, lower, upper (g/kg), dissimilarity, applicable (yes, no, unknown, or null without a
        prediction), missing_images, and reason: why there is no prediction, or too few images for an applicable one;
        "" elsewhere.

    Raises:
        SocError: the model's embedding spec or the catalog is gone.
    """
    return values_of(points, Predictor(project, registered))


def values_of(points: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """As `predict_values`, by a predictor that is there already."""
    rows = understood(points).reset_index(drop=True)
    reason = first_fault(faults_of(rows, predictor.spec, predictor.grid), rows["reason"])
    values = pd.DataFrame(index=rows.index, columns=list(NUMBERS), dtype=float)
    values = values.assign(applicable=pd.Series(dtype="str"), missing_images=pd.Series(dtype="Int64"), reason=reason)
    usable = np.flatnonzero(reason == "")
    for start in range(0, len(usable), _AT_ONCE):
        some = usable[start : start + _AT_ONCE]
        values.iloc[some] = _predict(rows.iloc[some], predictor)[values.columns].set_axis(some)
        progress.report(start + len(some), len(usable), f"{start + len(some)} points")
    return values


def faults_of(rows: pd.DataFrame, spec: Spec, grid: Grid) -> list[Fault]:
    """Why points with a known place cannot be predicted by this model."""
    placed = rows["reason"] == ""
    off = pd.Series(False, rows.index)
    off[placed] = ~grid.contains(*grid.pixels(rows["longitude"][placed], rows["latitude"][placed]))
    places = rows["longitude"].round(5).astype("str") + ", " + rows["latitude"].round(5).astype("str")
    kinds = {slot.kind for slot in spec.band_slots if slot.lag is not None}
    alone = rows["year"].astype("str") + " is a year alone, and the model reads bands by season: give the date"
    return [
        ("outside the rasters", off, places),
        ("no date", rows["year"].isna() & bool(kinds), rows["undated"]),
        ("no date", rows["season_year"].isna() & ("seasonal" in kinds), alone),
    ]


def _predict(rows: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """Rounded predictions of rows with their reasons."""
    found, most = predictor(rows), predictor.registered.most_missing
    missing, none = found.missing, np.isnan(found.numbers[:, 0])
    frame = pd.DataFrame(found.numbers, columns=list(NUMBERS)).round(3).assign(missing_images=missing, reason="")
    if most is not None:
        words = [f"images missing: {n} of {found.images}, of training samples at most {most}" for n in missing]
        frame["reason"] = pd.Series(words, dtype="str").where(missing > most, "")
    nothing = missing == found.images
    reason = frame["reason"].mask(none, _STRANGE).mask(nothing, "no image: all are missing here")
    applicable = pd.Series(found.applicable(most)).map({1.0: "yes", 0.0: "no"}).fillna("unknown")
    return frame.assign(reason=reason, applicable=applicable.mask(none))
