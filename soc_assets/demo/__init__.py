"""The demo: a synthetic piece of Bavaria, so that the platform runs before a user has data of their own.

Everything in it is synthetic and labelled so (GeoTIFF tag DESCRIPTION, column source). Here is only the writing into
empty folders; the landscape, its rasters and its soil tables are in the modules of this package.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soc_assets.demo.attainable import NOISE_SD, expected, r2_of, write_note
from soc_assets.demo.landscape import Landscape
from soc_assets.demo.rasters import write_rasters
from soc_assets.demo.soil import COMBINED_FILE, LUCAS_FILE, SURVEYS, draw_visits, write_combined, write_lucas
from soc_assets.errors import SocError
from soc_assets.settings import Study


@dataclass(frozen=True)
class DemoReport:
    """What was written, and how well anything could predict it.

    Attributes:
        rasters: GeoTIFFs written.
        megabytes: their size.
        soil_files: the soil tables.
        soil_rows: their rows together, blemished ones included.
        locations: places sampled.
        noise_sd: standard deviation of the noise in log organic carbon (log g/kg): of the place and of the visit.
        r2_log: R2 in log organic carbon of the noiseless function itself, over the samples the default study keeps.
        r2: the same in g/kg, of the noiseless conditional mean exp(function + noise_sd**2 / 2): no model can do better,
            but by chance.
    """

    rasters: int
    megabytes: float
    soil_files: tuple[Path, ...]
    soil_rows: int
    locations: int
    noise_sd: float
    r2_log: float
    r2: float


def write_demo(raster_folder: Path, soil_folder: Path, seed: int = 42, survey: str = "demo") -> DemoReport:
    """Write the synthetic region: rasters of 2008 to 2023 in the default layout and two soil tables.

    log organic carbon = a smooth function of terrain, wetness (evapotranspiration), greenness (LAI) and the weather of
    the five years up to sampling, with a tail of peat, + noise of the place + noise of the visit. LAI of 2009 is left
    out, so that a gap is there to be seen.

    Args:
        raster_folder: receives static/ and yearly/; created if need be.
        soil_folder: receives the soil tables; created if need be.
        seed: decides everything.
        survey: of `SURVEYS`: how many samples are taken.

    Raises:
        SocError: one of the folders holds a visible file, or is a file; nothing is ever written over a user's files.
    """
    for folder in (raster_folder, soil_folder):
        _refuse_files(folder)
    landscape = Landscape(seed)
    lucas, other = draw_visits(landscape, SURVEYS[survey])
    with _moved_when_complete(raster_folder) as hidden, _moved_when_complete(soil_folder) as hidden_soil:
        rasters = write_rasters(hidden, landscape)
        megabytes = sum(path.stat().st_size for path in rasters) / 1e6
        rows = write_lucas(hidden_soil / LUCAS_FILE, lucas.table, landscape.rng("lucas blemishes"))
        rows += write_combined(hidden_soil / COMBINED_FILE, other.table, landscape.rng("combined blemishes"))
        write_note(hidden_soil, seed, (LUCAS_FILE, COMBINED_FILE))
    r2_log, r2 = _attainable(
        np.concatenate([lucas.table["oc"], other.table["oc"]]),
        np.concatenate([lucas.log_carbon, other.log_carbon]),
        np.concatenate([lucas.table["year"], other.table["year"]]),
    )
    return DemoReport(
        rasters=len(rasters),
        megabytes=megabytes,
        soil_files=(soil_folder / LUCAS_FILE, soil_folder / COMBINED_FILE),
        soil_rows=rows,
        locations=sum(len(np.unique(visits.table["place"])) for visits in (lucas, other)),
        noise_sd=NOISE_SD,
        r2_log=r2_log,
        r2=r2,
    )


def _attainable(oc: np.ndarray, log_carbon: np.ndarray, year: np.ndarray) -> tuple[float, float]:
    study = Study()
    kept = (year >= study.year_from) & (year <= study.year_to) & (oc <= study.max_oc)
    oc, log_carbon = oc[kept], log_carbon[kept]
    return r2_of(np.log(oc), log_carbon), r2_of(oc, expected(log_carbon))


def _refuse_files(folder: Path) -> None:
    if file := next((path for path in (folder, *folder.parents) if path.is_file()), None):
        raise SocError(
            f"{file} is a file where the demo needs a folder. Move it away, or name other folders in paths.rasters and "
            "paths.soil."
        )
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    visible = [path for path in found if not any(part.startswith(".") for part in path.parts)]
    if visible:
        raise SocError(
            f"{folder} holds {len(visible)} file(s), for example {visible[0]}; the demo is only written into empty "
            "folders. Move the files away, or name other folders in paths.rasters and paths.soil."
        )


@contextmanager
def _moved_when_complete(folder: Path) -> Iterator[Path]:
    """A hidden folder whose files move into `folder` when all are written: a broken-off demo leaves nothing behind."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".demo.", dir=folder))
    try:
        yield hidden
        for file in sorted(path for path in hidden.rglob("*") if path.is_file()):
            target = folder / file.relative_to(hidden)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    finally:
        shutil.rmtree(hidden)
