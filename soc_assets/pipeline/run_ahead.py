"""What `soc run` is certain to refuse after the ingest stage: reported beforehand, by the code that would refuse it.

Called by `soc check` and by the asset `soil_samples`. What is here stops a run whatever soc.toml accepts; what may
merely be wrong is a finding of `soc_assets.ingest.quality`.
"""

import warnings
from collections.abc import Callable

import pandas as pd

from soc_assets.embedding.spec_choices import choices_of
from soc_assets.errors import SocError, SocWarning
from soc_assets.geo.grid import Grid
from soc_assets.project import Project
from soc_assets.reporting.findings import Finding
from soc_assets.runtime import progress
from soc_assets.sampling.filters import apply_filters
from soc_assets.sampling.folds import with_schemes
from soc_assets.sampling.prepare import prepare_samples


def studied_samples(project: Project, samples: pd.DataFrame) -> pd.DataFrame:
    """The usable samples that the study's filters keep: years, `max_oc`, region.

    Raises:
        SamplingError: the region cannot be read.
    """
    kept, _ = apply_filters(samples, project.settings.study, project.region)
    return samples.loc[kept].reset_index(drop=True)


def sampling_refusals(project: Project, samples: pd.DataFrame, grid: Grid) -> list[Finding]:
    """The error that `balanced_samples` would stop with, or a warning about that of `evaluation`.

    Args:
        project: the settings.
        samples: all usable samples (the columns of samples.parquet).
        grid: the reference grid.
    """
    if said := _refused(lambda: _prepare(project, samples, grid)):
        return [_error(said)]
    return _without_folds(project, samples, grid)


def embedding_refusals(project: Project) -> list[Finding]:
    """The error that `embeddings` would stop with before it reads a raster; an existing checkpoint is not read."""
    missing = project.checkpoint if project.checkpoint and not project.checkpoint.is_file() else None
    said = _refused(lambda: choices_of(project.settings, missing))
    return [_error(said)] if said else []


def _prepare(project: Project, samples: pd.DataFrame, grid: Grid) -> None:
    """The sampling stage up to the split; the folds of one scheme, the cheapest."""
    study, sampling = project.settings.study, project.settings.sampling.model_copy(update={"fold_schemes": ("random",)})
    prepare_samples(samples, study, sampling, grid, project.region, ledger=None)


def _without_folds(project: Project, samples: pd.DataFrame, grid: Grid) -> list[Finding]:
    """Whether the folds of the evaluation's primary scheme can be built."""
    primary = project.settings.evaluation.primary
    if primary == "knndm":
        return []
    cut = with_schemes(project.settings.sampling, project.settings.evaluation).fold_schemes
    if primary not in (cut or ()):
        words = f"the primary scheme {primary!r} of [evaluation] is not among [sampling] fold_schemes"
        cure = "`soc run --to evaluation` would stop: add it, or choose another primary scheme in soc.toml."
        return [Finding("samples", "warning", "", "", "", words, cure, acceptable=False)]
    sampling = project.settings.sampling.model_copy(update={"fold_schemes": (primary,)})
    with warnings.catch_warnings(), progress.silent():
        warnings.simplefilter("ignore", SocWarning)
        made = prepare_samples(samples, project.settings.study, sampling, grid, project.region, ledger=None)
    if len(made.folds):
        return []
    words = f"the samples cannot be cut into folds of the primary scheme {primary!r} of [evaluation]"
    cure = (
        "`soc run --to evaluation` would stop: choose another primary scheme, or for `block` smaller blocks "
        "([sampling] block_size or block_metres in soc.toml)."
    )
    return [Finding("samples", "warning", "", "", "", words, cure, acceptable=False)]


def _refused(step: Callable[[], object]) -> str:
    """What a step would say if it stopped; "" if it would not."""
    try:
        with warnings.catch_warnings(), progress.silent():
            warnings.simplefilter("ignore", SocWarning)
            step()
    except SocError as error:
        return str(error)
    return ""


def _error(said: str) -> Finding:
    return Finding("samples", "error", "", "", "", " ".join(said.split()).rstrip("."), "", acceptable=False)
