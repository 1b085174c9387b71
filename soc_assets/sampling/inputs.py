"""What decides the balanced samples: the samples, what the study asks of them, and the splits that are kept."""

import warnings

import pandas as pd

from soc_assets.errors import SocWarning
from soc_assets.geo.polygons import contents_of
from soc_assets.integrity.tables import decision
from soc_assets.project import Project
from soc_assets.sampling.folds import with_schemes
from soc_assets.storage import digest, files
from soc_assets.storage.files import CONTENT

VERSION = "3"  # of the code: raise it when the output changes, and what is on disk becomes stale


def sampling_inputs(project: Project) -> str:
    """Digest of the samples and of what the study asks of them."""
    study = project.settings.study
    sampling = with_schemes(project.settings.sampling, project.settings.evaluation)
    chosen = study.model_dump(
        include={"year_from", "year_to", "max_oc", "region", "location", "id_metres", "location_metres"}
    )
    region = contents_of(project.region)
    samples = files.read_metadata(project.samples("samples")).get(CONTENT)
    grid = files.read_metadata(project.catalog).get("soc.grid")
    return digest.of_inputs(VERSION, chosen, sampling.model_dump(), region, samples, grid)


def split_inputs(project: Project) -> str:
    """Digest of the settings that decide the split: with others, every place is redrawn."""
    sampling = project.settings.sampling
    return digest.of_values(
        [sampling.seed, sampling.validation_fraction, sampling.test_fraction, project.settings.study.location]
    )


def earlier_splits(project: Project) -> pd.DataFrame | None:
    """The splits that are kept: those made under the same settings, or None.

    Raises:
        SamplingError: there were some, and they are lost.
    """
    wanted, path = split_inputs(project), decision(project, "splits")
    if path is None or files.read_metadata(path).get(files.SPLIT) != wanted:
        return None
    splits = files.read_table(path).drop_duplicates("location_id")
    table = project.samples("balanced")
    if files.read_metadata(table).get(files.SPLIT, wanted) != wanted:
        return splits
    studied = files.known_table(table, ["location_id", "split"])
    if studied is None or studied["location_id"].isin(splits["location_id"]).all():
        return splits
    words = (
        f"{path} does not have every place of {table.name}: an older copy? They keep the split that they have there."
    )
    warnings.warn(words, SocWarning, stacklevel=2)
    return pd.concat([splits, studied], ignore_index=True).drop_duplicates("location_id")
