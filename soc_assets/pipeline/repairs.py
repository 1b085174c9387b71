"""What can be repaired on disk without computing: second copies restored, manifests written from the batches.

`soc run` does it before it checks what is stale, `soc status` says what it would do.
"""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from soc_assets.embedding import manifest, spec_file
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.errors import SamplingError, SocWarning, StorageError
from soc_assets.features.images import batch_paths
from soc_assets.integrity import tables
from soc_assets.project import Project
from soc_assets.storage.second_copy import Repair


def mend(project: Project) -> None:
    """Repair what can be repaired; a warning for each item says what was wrong.

    Raises:
        StorageError: something essential cannot be written.
    """
    for repair in _found(project):
        if repair.urgent:
            repair.act()
        else:
            with suppress(StorageError):  # a read-only project
                repair.act()
        if repair.words:
            warnings.warn(f"{repair.words}: it was put right.", SocWarning, stacklevel=2)


def warn_of_repairs(project: Project) -> None:
    """Warn of what `mend` would repair."""
    for repair in _found(project):
        if repair.words:
            warnings.warn(f"{repair.words}: `soc run` puts it right.", SocWarning, stacklevel=2)
    for name in tables.DECISIONS:
        with suppress(SamplingError):  # losses are reported where the data are needed
            tables.decision(project, name)


def _found(project: Project) -> Iterator[Repair]:
    yield from tables.repairs(project)
    yield from spec_file.repairs(project.embeddings)
    for spec in all_specs(project.embeddings):
        wrong = manifest.wrong(project.embeddings / spec.digest)
        if wrong is not None:
            yield Repair(wrong, partial(_write_manifest, project, spec), urgent=False)


def _write_manifest(project: Project, spec: Spec) -> None:
    folder, embeddings = project.embeddings / spec.digest, known_embeddings(project)
    current = embeddings is not None and embeddings.spec.digest == spec.digest
    if current and embeddings and embeddings.keys:
        manifest.write_manifest(folder, spec, embeddings.paths, embeddings.footers())
    else:
        manifest.write_manifest(folder, spec, batch_paths(folder))
