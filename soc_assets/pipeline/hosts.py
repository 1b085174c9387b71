"""A project on several hosts: opened with what the others wrote, and a database of one's own built from it.

Where folders are on this machine nothing of it does anything. Copying is in `soc_assets.storage.mirror`.
"""

from collections.abc import Callable
from pathlib import Path

from soc_assets.embedding.inputs import known_embeddings
from soc_assets.errors import CheckpointError
from soc_assets.features import refresh
from soc_assets.features.inputs import built_here, features_inputs
from soc_assets.project import Project, is_url, load_project
from soc_assets.runtime import progress
from soc_assets.storage.mirror import Remote


def open_project(config: Path | None = None) -> Project:
    """The project; what of it is on object storage is fetched first, so that everything that follows is as it is now.

    Raises:
        SettingsError: see `load_project`; or a copy belongs to another URL.
        StorageError: storage cannot be reached, or a copy cannot be written.
        CheckpointError: the checkpoint is not on the storage that the settings name.
    """
    project = load_project(config)
    fetch(project)
    return project


def is_shared(project: Project) -> bool:
    """Whether something of the project has a copy on this host."""
    paths = project.settings.paths
    return any(map(is_url, (paths.data, paths.soil, project.settings.embedding.checkpoint or "")))


def fetch(project: Project) -> None:
    """Bring the copies up to date; see `open_project`."""
    paths = project.settings.paths
    if is_url(paths.data):
        Remote(paths.data, project.data).fetch(_telling(paths.data))
    if is_url(paths.soil):
        Remote(paths.soil, project.soil, None).fetch(_telling(paths.soil))
    if (checkpoint := project.checkpoint) and is_url(given := project.settings.embedding.checkpoint or ""):
        folder, _, name = given.rpartition("/")
        Remote(folder, checkpoint.parent, None, name).fetch(_telling(given))
        if not checkpoint.is_file():
            raise CheckpointError(
                f"The checkpoint {given} does not exist. Correct `checkpoint` in [embedding] of soc.toml."
            )


def follow(project: Project, tell: Callable[[int, int], None] = lambda done, total: None) -> bool:
    """Build the database here where another host's `features` built one of the same batches, samples and settings.

    Where nobody has told of one, and this host's is fresh (the folder was local before), the others are told of it.

    Args:
        project: from `open_project`.
        tell: told batches indexed and their number.

    Returns:
        Whether it was built.
    """
    if not is_url(project.settings.paths.data):
        return False
    told = refresh.built_elsewhere(project)
    if told and refresh.shows(project, told):
        return False
    embeddings = known_embeddings(project)
    wanted = features_inputs(project, embeddings) if embeddings else None
    if embeddings is None or wanted is None or wanted != (told or built_here(project)):
        return False
    if told is None:
        refresh.tell_others(project, embeddings, wanted)
        return False
    refresh.build(project, embeddings, wanted, tell)
    return True


def _telling(url: str) -> Callable[[int, int], None]:
    return lambda done, total: progress.emit("files", done, total, url)
