"""The project's database, brought up to date: what it shows, when it must be rebuilt, and building it.

It can be built at any time: before there are samples its views are empty. The asset `features` builds it with the
digest of its inputs, which `soc status` compares; `soc sql` builds what is missing or was made elsewhere.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

from soc_assets.embedding.inputs import EmbeddingInputs, known_embeddings
from soc_assets.embedding.spec import Spec, all_specs, find_spec
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.errors import CheckpointError, SocWarning
from soc_assets.features import by_band as copies
from soc_assets.features import refresh
from soc_assets.features.inputs import built_here, features_inputs
from soc_assets.features.sql import by_band
from soc_assets.features.sql.database import build_database, index_of, read_batch_inputs, read_info, write_schemas
from soc_assets.features.sql.tables import SCHEMAS, columns_of
from soc_assets.features.sql.views import Contents
from soc_assets.integrity.schemas import TABLES
from soc_assets.integrity.tables import TABLE_ASSETS, complete, last_of, siblings_of
from soc_assets.project import Project, is_url
from soc_assets.runtime import progress
from soc_assets.storage import digest, files
from soc_assets.storage.one_look import one_look
from soc_assets.storage.vouching import missing_tables, warn_of, wrong

VERSION = 2  # of views, macros and tables: raise it when their SQL changes

_RESULTS = (("evaluation", "out_of_fold"), ("predictions", "runs"))  # a table and what is written just before it


def contents_of(project: Project) -> Contents:
    """What the project's database shows: the embeddings of the settings' spec, whether they were made or not.

    If it was never used, an imported run is shown, if there is one; if the checkpoint is missing, the newest spec.
    """
    settings = project.settings
    try:
        choices = choices_of(settings, project.checkpoint)
        spec = find_spec(project.embeddings, choices) or _imported(project) or Spec(choices, {}, "")
    except CheckpointError:
        newest = max(all_specs(project.embeddings), key=lambda spec: spec.created, default=None)
        spec = newest or Spec(choices_of(settings, None), {}, "")
    return Contents(project.data, spec, settings.features, settings.study)


def _imported(project: Project) -> Spec | None:
    specs = [spec for spec in all_specs(project.embeddings) if "imported" in spec.choices["weights"]]
    return max(specs, key=lambda spec: spec.created, default=None)


def identity(contents: Contents) -> dict[str, str]:
    """What build_info keeps of a database's making: digests of what decides the vectors, and of all of its SQL."""
    columns = {name: list(columns_of(contents.data, name).items()) for name in TABLES}
    study = contents.study.model_dump(include={"year_from", "year_to", "first_lag", "time_before"})
    there = contents.folder.is_dir()
    vectors = digest.of_values([contents.spec.digest, contents.features.model_dump(), study])
    return {
        "vectors": vectors,
        "sql": digest.of_values([VERSION, vectors, columns, there, contents.features.by_band_gb]),
    }


def build(
    project: Project,
    inputs: EmbeddingInputs,
    wanted: str,
) -> None:
    """Build the database for the asset `features`.

    Args:
        project: settings and paths.
        inputs: of the embeddings.
        wanted: digest of the asset's inputs.
    """
    settings = project.settings
    contents = Contents(project.data, inputs.spec, settings.features, settings.study)
    digests = {key: (each.inputs, each.labels) for key, each in inputs.digests.items()}
    info = {"inputs": wanted, **identity(contents)}
    build_database(project.database, contents, info, digests)
    tell_others(project, inputs, wanted)


def tell_others(project: Project, inputs: EmbeddingInputs, built: str) -> None:
    """Let the hosts that share the data on storage know what the database was built from; see `built_elsewhere`."""
    if is_url(project.settings.paths.data) and built_elsewhere(project) != built:
        files.write_json(_elsewhere_file(project), {"inputs": built, "spec": inputs.spec.digest})


def built_elsewhere(project: Project) -> str | None:
    """What the asset `features` built a database from last, on any of the hosts that share the data folder."""
    try:
        return json.loads(_elsewhere_file(project).read_text(encoding="utf-8"))["inputs"]
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _elsewhere_file(project: Project) -> Path:
    """Shared by all hosts, while each has its own database: its paths are absolute."""
    return project.data / "features" / "soc.duckdb.json"


def is_up_to_date(project: Project, wanted: str) -> bool:
    """Whether the database was built here, from inputs of this digest, and shows the batches as they are."""
    contents, info = contents_of(project), read_info(project.database)
    index = index_of(contents, info)["index"]
    return _agrees(info, {"inputs": wanted, "data": str(project.data), "index": index, **identity(contents)})


def is_current(project: Project, info: Mapping[str, str]) -> bool:
    """Whether the database that `info` describes has the project's views and was built in this place."""
    return _agrees(info, {"data": str(project.data), **identity(contents_of(project))})


def moved(project: Project) -> bool:
    """Whether the database was built when the project's folder was elsewhere."""
    built_in = read_info(project.database).get("data")
    return built_in is not None and built_in != str(project.data)


@one_look()
def ensure(project: Project) -> bool:
    """Build the database where it is missing, was built elsewhere or for other settings, or where batches changed.

    What the asset `features` said of its inputs is kept only where vectors and batches are the same.

    Returns:
        Whether it was built.

    Raises:
        TableError: a table that the database shows is damaged.
    """
    require_tables(project)
    contents, info = contents_of(project), read_info(project.database)
    schemas = [contents.data / SCHEMAS / f"{name}.parquet" for name in TABLES]
    schemas += [contents.without_rows(name) for name in ("embeddings", by_band.SCHEMA)]
    if contents.folder.is_dir():
        schemas.append(contents.folder / "_schema.parquet")
    if not all(map(files.is_whole, schemas)):
        write_schemas(contents)
    copies.drop_cut(contents.by_band)
    index = index_of(contents, info)
    now = identity(contents)
    if _agrees(info, {"data": str(project.data), **index, **now}):
        return False
    stored = info.get("inputs", "")
    if not _agrees(info, {"index": index["index"], "vectors": now["vectors"]}):
        stored = "changed" if stored else ""
    batch_inputs = read_batch_inputs(project.database) if info else {}
    with progress.of("database"):
        build_database(project.database, contents, {"inputs": stored, **now}, batch_inputs)
    return True


def require_tables(project: Project) -> None:
    """Refuse damaged tables, because DuckDB compares no checksums; warn of those missing or out of step with others.

    Raises:
        TableError: one is damaged.
    """
    for table in TABLES.values():
        path = project.data / table.path
        if path.is_file():
            files.require_whole(path)
    for asset in TABLE_ASSETS:
        complete(project, asset)
    results = {project.results / f"{one}.parquet": [project.results / f"{other}.parquet"] for one, other in _RESULTS}
    for path in results:
        warn_of(wrong(path), files.cure_of(path))
    together = {last_of(project, asset): siblings_of(project, asset) for asset in TABLE_ASSETS} | results
    for path, siblings in together.items():
        lost = not path.is_file() and any(each.is_file() for each in siblings)
        for gone in [path] if lost else missing_tables(path):
            warnings.warn(f"{gone} is missing: its view is empty. {files.cure_of(path)}", SocWarning, stacklevel=2)


def _agrees(info: Mapping[str, str], with_these: Mapping[str, str]) -> bool:
    return all(info.get(key) == value for key, value in with_these.items())


@one_look()
def rebuild_database_if_stale(project: Project) -> bool:
    """Build the database here where another host's `features` built one of the same batches, samples and settings.

    Where no host has announced one, and this host's is fresh (the folder was local before), it is announced to the
    others.

    Args:
        project: from `open_project`.

    Returns:
        Whether it was built.
    """
    if not is_url(project.settings.paths.data):
        return False
    elsewhere = refresh.built_elsewhere(project)
    if elsewhere and refresh.is_up_to_date(project, elsewhere):
        return False
    embeddings = known_embeddings(project)
    wanted = features_inputs(project, embeddings) if embeddings else None
    if embeddings is None or wanted is None or wanted != (elsewhere or built_here(project)):
        return False
    if elsewhere is None:
        refresh.tell_others(project, embeddings, wanted)
        return False
    with progress.of("database"):
        refresh.build(project, embeddings, wanted)
    return True
