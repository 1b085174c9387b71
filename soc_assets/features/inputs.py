"""What decides the features: the batches as they are on disk, the splits, and how missing images are treated."""

from collections.abc import Mapping

from soc_assets.embedding.footers import Footer
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.features.sql.database import read_info
from soc_assets.project import Project
from soc_assets.storage import digest, files
from soc_assets.storage.files import CONTENT, INPUTS

VERSION = "2"  # of the code: raise it when the output changes, and what is on disk becomes stale


def features_inputs(project: Project, embeddings: EmbeddingInputs, footers: Mapping[str, Footer] | None = None) -> str:
    """Digest of the batches as they are on disk, the samples' splits, and how missing images are treated.

    Args:
        project: settings and paths.
        embeddings: inputs of the batches.
        footers: of their files, where they were read already.
    """
    footers = embeddings.footers() if footers is None else footers
    batches = [(key, *_stored(footers.get(embeddings.path(key).name))) for key in embeddings.keys]
    tables = [files.read_metadata(project.samples(name)).get(CONTENT) for name in ("samples", "balanced")]
    study = project.settings.study.model_dump(include={"year_from", "year_to", "first_lag"})
    chosen = project.settings.features.model_dump()
    return digest.of_inputs(VERSION, embeddings.spec.digest, batches, tables, chosen, study)


def built_here(project: Project) -> str | None:
    """Digest of what the database was built from; "moved" where its paths point to another folder."""
    info = read_info(project.database)
    return info.get("inputs") if info.get("data", str(project.data)) == str(project.data) else "moved"


def _stored(footer: Footer | None) -> tuple[str | None, str | None]:
    return (footer.stored.get(INPUTS), footer.stored.get("soc.labels")) if footer else (None, None)
