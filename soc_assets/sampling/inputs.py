"""What decides the balanced samples: the samples, and what the study asks of them."""

from soc_assets.geo.polygons import contents_of
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
    """Digest of the settings that decide the split: with others, every place is drawn anew."""
    sampling = project.settings.sampling
    return digest.of_values(
        [sampling.seed, sampling.validation_fraction, sampling.test_fraction, project.settings.study.location]
    )
