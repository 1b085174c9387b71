"""Whether the tables of an asset are complete, undamaged and consistent, and the two that cannot be recomputed.

Tables of one asset are written together, and the last one vouches for the others (`soc_assets.storage.vouching`). Those
of an earlier version are read, and must satisfy `soc_assets.integrity.invariants`. The ledger of batches and the splits
are decisions, not results: each has a second copy (`soc_assets.storage.second_copy`), and the loss of both is an error.
"""

import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd

from soc_assets.errors import SamplingError, SocWarning, TableError
from soc_assets.integrity import invariants
from soc_assets.project import Project
from soc_assets.storage import access, files, second_copy, vouching
from soc_assets.storage.second_copy import Repair

TABLE_ASSETS = ("raster_catalog", "soil_samples", "balanced_samples")
DECISIONS = {"batches": "sample_id", "splits": "location_id"}
"""What cannot be recomputed -> the column that is unique in it."""
_MEANING = {
    "batches": "which batch embeds which sample. Batches would be divided again, and every sample be embedded again",
    "splits": "which places are held out for testing. They would be drawn again: places of the test split would "
    "move into training, and no score could be compared with those of models trained before",
}


def last_of(project: Project, asset: str) -> Path:
    """The table of an asset that is written last."""
    named = {"raster_catalog": project.catalog, "soil_samples": project.samples("samples")}
    return named.get(asset) or project.samples("balanced")


def siblings_of(project: Project, asset: str) -> list[Path]:
    """The other tables of an asset."""
    if asset == "raster_catalog":
        return [project.catalog.with_name("problems.parquet"), project.gaps]
    names = ("rejected", "tables") if asset == "soil_samples" else ("excluded", "folds", "batches", "splits")
    return [project.samples(name) for name in names]


def complete(project: Project, asset: str) -> bool:
    """Whether every table that an asset writes is there and can be trusted; a warning says why not."""
    last, others = last_of(project, asset), siblings_of(project, asset)
    if not last.is_file():
        return False
    wrong = vouching.wrong(last) or next((f"{path} is missing" for path in others if not path.is_file()), "")
    if not wrong and vouching.vouched(last) is None:
        wrong = next(_unvouched(project, asset), "")
    return vouching.warn_of(wrong, files.cure_of(last))


def decision(project: Project, name: str) -> Path | None:
    """The file of the ledger (`batches`) or of the `splits`, or its copy; None where there is none, nor `balanced`.

    A warning tells where there must have been one: somebody may have deleted all of them on purpose, or by mistake.

    Raises:
        SamplingError: both are lost.
    """
    path = project.samples(name)
    chosen = second_copy.choose(path, _readable, _known(project, name))
    left = [each for each in (path, second_copy.copy_of(path), project.samples("balanced")) if each.is_file()]
    if chosen is None and left:
        raise SamplingError(_lost(path, name, left))
    if chosen is None and (trace := _trace(project, name)):
        warnings.warn(_forgotten(path, name, trace), SocWarning, stacklevel=2)
    return chosen


def read_ledger(project: Project) -> pd.DataFrame | None:
    """sample_id and batch of every sample that was ever put into one; None where there are no batches yet.

    Raises:
        SamplingError: the ledger and its copy are lost.
    """
    path = decision(project, "batches")
    return _each_once(files.read_table(path), DECISIONS["batches"], path) if path else None


def versions_of_decisions(project: Project) -> dict[str, str | None]:
    """Which versions of the ledger and the splits there are; for `write_sampling`."""
    return {name: access.version(project.samples(name)) for name in DECISIONS}


def write_sampling(
    project: Project,
    tables: Mapping[str, pd.DataFrame],
    stored: Mapping[str, str],
    of_splits: Mapping[str, str],
    since: Mapping[str, str | None] | None = None,
) -> None:
    """Write the tables of `balanced_samples`: first the decisions, each with its copy, and `balanced` last.

    Args:
        project: its paths.
        tables: splits, batches, excluded, folds and balanced.
        stored: metadata of `balanced`: its digests.
        of_splits: metadata of `splits`, and of `balanced` too.
        since: from `versions_of_decisions`, before they were read.

    Raises:
        ConflictError: another host has written the ledger or the splits since.
    """
    for name in ("splits", "batches"):
        metadata = of_splits if name == "splits" else None
        write = partial(files.write_table, frame=tables[name], metadata=metadata)
        second_copy.write(project.samples(name), write, (since or {}).get(name, ""))
    files.write_table(project.samples("excluded"), tables["excluded"])
    if not _equal(project.samples("folds"), tables["folds"]):  # an evaluation identifies the file by its bytes
        files.write_table(project.samples("folds"), tables["folds"])
    path = project.samples("balanced")
    vouching_for = vouching.vouch(path, siblings_of(project, "balanced_samples"))
    files.write_table(path, tables["balanced"], {**stored, **of_splits, **vouching_for})


def repairs(project: Project) -> Iterator[Repair]:
    """What can be repaired of the ledger and the splits."""
    for name in DECISIONS:
        yield from second_copy.repairs(project.samples(name), _readable, _known(project, name))


def require_once(samples: pd.DataFrame, ledger: pd.DataFrame, balanced: pd.DataFrame, project: Project) -> None:
    """Refuse duplicate samples, and a ledger that does not have every studied sample exactly once.

    Raises:
        TableError: they do, or it has not.
    """
    for name, found in (
        ("samples", invariants.of_samples(samples)),
        ("batches", invariants.of_batches(ledger, balanced)),
    ):
        if wrong := next(found, ""):
            path = project.samples(name)
            raise TableError(f"{path} is not to be believed: {wrong}. {files.cure_of(path)}")


def _equal(path: Path, table: pd.DataFrame) -> bool:
    """Whether a file holds this table, whichever version wrote it."""
    try:
        return files.read_table(path).equals(table)
    except TableError:
        return False


def _unvouched(project: Project, asset: str) -> Iterator[str]:
    """What is wrong with tables of an earlier version."""
    try:
        tables = {path.stem: files.read_table(path) for path in (last_of(project, asset), *siblings_of(project, asset))}
        samples = files.read_table(project.samples("samples")) if asset == "balanced_samples" else pd.DataFrame()
        if asset == "balanced_samples":
            yield from invariants.of_sampling(samples, tables)
        elif asset == "soil_samples":
            yield from (f"samples.parquet: {words}" for words in invariants.of_samples(tables["samples"]))
        else:
            yield from (f"rasters.parquet: {words}" for words in invariants.of_rasters(tables["rasters"]))
    except TableError as error:
        yield str(error).removesuffix(". `soc run` makes it again.")
    except KeyError as error:
        yield f"{last_of(project, asset)} or a table beside it has no column {error}"


def _known(project: Project, name: str) -> str | None:
    """Digest of the file that belongs there, where balanced.parquet vouches for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SocWarning)  # told by `complete`
        return (vouching.vouched(project.samples("balanced")) or {}).get(f"{name}.parquet")


def _readable(path: Path) -> bool:
    try:
        table = files.read_table(path)
    except TableError:
        return False
    key = DECISIONS[path.name.partition(".")[0]]
    return key in table and bool(table.notna().all(axis=None))


def _each_once(table: pd.DataFrame, key: str, path: Path) -> pd.DataFrame:
    """The table with the first of rows that repeat one: it is where a sample was embedded first."""
    again = table[key].duplicated()
    if again.any():
        words = (
            f"{path} has {again.sum()} rows again (for example {table.loc[again, key].iloc[0]}): the first one counts."
        )
        warnings.warn(words, SocWarning, stacklevel=3)
    return table.loc[~again].reset_index(drop=True)


def _trace(project: Project, name: str) -> Path | None:
    """Something that is only made after a decision was; None in a new project, also where its first run was killed."""
    later = ("excluded", "folds", *(("batches",) if name == "splits" else ()))
    copies = (each for other in later for each in (project.samples(other), second_copy.copy_of(project.samples(other))))
    results = (project.results / f"{table}.parquet" for table in ("predictions", "evaluation", "baselines"))
    embedded = project.embeddings.glob("[!.]*/batch_*_size_*.parquet")
    models = project.root.glob(
        "mlruns/artifacts/models/*/artifacts/MLmodel"
    )  # those elsewhere may be of other projects
    return next((path for path in chain(copies, results, embedded, models) if path.is_file()), None)


def _forgotten(path: Path, name: str, trace: Path) -> str:
    return (
        f"{path} and its copy {second_copy.copy_of(path).name} are gone, and so is balanced.parquet, but {trace} was "
        f"made after them. They say {_MEANING[name]}: `soc run` does that. If it is not meant, put the folder "
        f"{path.parent} back from a backup, as a whole, also after such a run."
    )


def _lost(path: Path, name: str, left: list[Path]) -> str:
    copy = second_copy.copy_of(path).name
    return (
        f"{path} and its copy {copy} are lost: neither is there and whole. They say {_MEANING[name]}. Put one of them "
        f"back from a backup; or, knowing that, delete {' and '.join(each.name for each in left)} in {path.parent} and "
        "`soc run`."
    )
