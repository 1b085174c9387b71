"""What the daemon should launch next: runs of `prepare`, `embed` and `learn` for what is missing or stale by digest.

Schedules and sensors say when; this says what. Batches of runs that have not ended are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from soc_assets.defs.names import BARE, Names
from soc_assets.defs.partitions import contiguous_ranges
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.integrity.tables import read_ledger
from soc_assets.pipeline import freshness
from soc_assets.pipeline.assets import assets_of
from soc_assets.project import Project
from soc_assets.storage import digest

TABLES = assets_of("prepare")
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
SPEC, BATCHES, REASON = "soc/spec", "soc/batches", "soc/reason"  # tags of runs
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Due:
    """Batches to be embedded.

    Attributes:
        keys: every batch, in order.
        inputs: digest of a due batch's inputs, by key; empty text where no spec was frozen yet.
        spec: digest of the spec, or None before its first use.
    """

    keys: list[str]
    inputs: dict[str, str]
    spec: str | None


def tables_are_fresh(project: Project) -> bool:
    """Whether catalog, samples and batches follow from the files as they are."""
    states = {item.asset: item.fresh for item in freshness.assess(project, to=TABLES[-1])}
    return all(states[name] for name in TABLES)


def due_batches(project: Project) -> Due:
    """Batches that are missing or stale; needs the tables."""
    inputs = known_embeddings(project)
    if inputs is None:  # the spec is frozen by the first run, which may measure on the device
        ledger = read_ledger(project)
        keys = sorted(ledger["batch"].unique()) if ledger is not None else []
        return Due(keys, dict.fromkeys(keys, ""), None)
    states = inputs.states()
    due = {key: inputs.digests[key].together for key in inputs.keys if states[key] != "fresh"}
    return Due(inputs.keys, due, inputs.spec.digest)


def embed_requests(
    due: Due, under_way: set[str], longest: int, reason: str, run_key: str | None = None, names: Names = BARE
) -> Iterator[dg.RunRequest]:
    """One run per contiguous range of due batches that are not in progress.

    Args:
        due: from `due_batches`.
        under_way: batches of runs that have not ended.
        longest: most batches in a run.
        reason: why, for the run's tags.
        run_key: makes runs distinct from earlier ones of the same batches and inputs; None for a schedule.
        names: of the study.
    """
    for stretch in contiguous_ranges(due.keys, set(due.inputs) - under_way, longest):
        content = digest.of_values([run_key, due.spec, [(key, due.inputs[key]) for key in stretch]])
        tags = {
            RANGE_START: stretch[0],
            RANGE_END: stretch[-1],
            BATCHES: words_of(stretch),
            SPEC: due.spec or "new",
            REASON: reason,
        }
        yield dg.RunRequest(run_key=content, job_name=names.flat("embed"), tags=tags)


def words_of(stretch: Sequence[str]) -> str:
    """`batch_0003` or `batch_0003 to batch_0009 (7)`."""
    return stretch[0] if len(stretch) == 1 else f"{stretch[0]} to {stretch[-1]} ({len(stretch)})"


def under_way(instance: dg.DagsterInstance, keys: Sequence[str], names: Names = BARE) -> set[str]:
    """Partitions of the study's runs that are queued or running."""
    position = {key: number for number, key in enumerate(keys)}
    found: set[str] = set()
    for run in filter(names.owns, instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))):
        first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
        if first in position and last in position:
            found |= set(keys[position[first] : position[last] + 1])
        elif (key := run.tags.get("dagster/partition")) in position:
            found.add(key)
    return found


def running(instance: dg.DagsterInstance, assets: Sequence[str], names: Names = BARE) -> bool:
    """Whether a run of one of these assets is queued or running."""
    wanted = set(names.keys(assets))
    jobs = {names.flat("prepare")} if set(assets) & set(TABLES) else set()
    return any(
        run.job_name in jobs or wanted & set(run.asset_selection or ())
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    )
