"""The samples on the page: where they are, what was measured, and how far predictions lie from it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.geo.places import on_sphere
from soc_assets.project import Project
from soc_assets.serving.maps import MapFolder
from soc_assets.storage import files

SHOWN = ("sample_id", "longitude", "latitude", "organic_carbon", "year", "season", "source")
_FOLDS = "predicted by models that had not seen the sample ({scheme} folds)"
_FIT = "predicted by the newest model, which was trained on most of the samples"


@dataclass(frozen=True)
class Samples:
    """Samples [n].

    Attributes:
        table: `SHOWN`, split (null where a sample is not studied), and residual (observed minus predicted, g/kg, NaN
            where there is none).
        residual: what the residuals are of; "" where there are none.
    """

    table: pd.DataFrame
    residual: str

    def nearest(self, longitude: float, latitude: float, count: int) -> pd.DataFrame:
        """The samples closest to a point of WGS84 degrees, with distance_km; visits to one place are all listed."""
        here = on_sphere(np.array([longitude]), np.array([latitude]))
        there = on_sphere(self.table["longitude"].to_numpy(), self.table["latitude"].to_numpy())
        kilometres = np.linalg.norm(there - here, axis=1) / 1000
        first = np.argsort(kilometres, kind="stable")[:count]
        return self.table.iloc[first].assign(distance_km=kilometres[first])


def read_samples(project: Project, found: MapFolder | None) -> Samples:
    """The usable samples, with residuals of the map's recipe where the evaluation has some, else of the newest model.

    Raises:
        TableError: a table is damaged.
    """
    path = project.samples("samples")
    if not path.is_file():
        return Samples(pd.DataFrame(columns=[*SHOWN, "split", "residual"]), "")
    table = files.read_table(path)[list(SHOWN)]
    table["split"] = table["sample_id"].map(_splits(project))
    residual, words = _residuals(project, found)
    return Samples(table.assign(residual=table["sample_id"].map(residual).astype(float)), words)


def _splits(project: Project) -> pd.Series:
    path = project.samples("balanced")
    if not path.is_file():
        return pd.Series(dtype="str")
    return files.read_table(path, ["sample_id", "split"]).set_index("sample_id")["split"]


def _residuals(project: Project, found: MapFolder | None) -> tuple[pd.Series, str]:
    """Observed minus predicted by sample, g/kg, and what they are of."""
    scheme, recipe = project.settings.evaluation.primary, found.facts.get("recipe") if found else None
    path = project.results / "out_of_fold.parquet"
    if recipe and path.is_file():
        rows = files.read_table(path, ["scheme", "model", "sample_id", "observed", "predicted"])
        rows = rows[(rows["scheme"] == scheme) & (rows["model"] == recipe)].drop_duplicates("sample_id")
        if len(rows):
            return _by_sample(rows), _FOLDS.format(scheme=scheme)
    path = project.results / "predictions.parquet"
    if path.is_file():
        rows = files.read_table(path, ["sample_id", "observed", "predicted"]).drop_duplicates("sample_id")
        return _by_sample(rows), _FIT
    return pd.Series(dtype=float), ""


def _by_sample(rows: pd.DataFrame) -> pd.Series:
    return pd.Series((rows["observed"] - rows["predicted"]).to_numpy(), rows["sample_id"])
