"""The main job from the command line: three chained Dagster jobs on the project's instance, launching only what is due.

Freshness is decided before Dagster is even imported, so that a run with nothing to do is quick. What is shown in the
terminal is in `terminal`.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soc_assets
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.errors import SocError
from soc_assets.pipeline import freshness, repairs
from soc_assets.pipeline.assets import ASSETS, JOB_OF, RESULTS
from soc_assets.pipeline.freshness import Freshness
from soc_assets.project import Project, is_tracked
from soc_assets.runtime import gpus, interrupts, memory
from soc_assets.runtime.process import MACHINE_TAG, is_gone, marks, this_machine
from soc_assets.settings.toml_file import CONFIG_VARIABLE
from soc_assets.storage import files
from soc_assets.storage.write_errors import translate_write_errors

if TYPE_CHECKING:
    import dagster as dg

_log = logging.getLogger(__name__)
_STOPPED = "What comes after was not computed."
_WAY_OUT = (
    "Mend what was found, or accept a finding about rasters that is right "
    '([rasters] accept = ["kind:band"] in soc.toml); `soc check` shows all findings.'
)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """What a run did: the jobs launched (none where all was fresh) and the failures, in words."""

    launched: list[str]
    failures: list[str]


def use_project(project: Project, config: Path | None) -> None:
    """Make this process and its children use the project's settings and its Dagster instance."""
    if config:
        os.environ[CONFIG_VARIABLE] = str(config.resolve())
    home = project.dagster_home
    os.environ["DAGSTER_HOME"] = str(home.resolve())
    if not (home / "dagster.yaml").exists():
        shipped = Path(soc_assets.__file__).parents[1] / "dagster.yaml"
        files.write_text(home / "dagster.yaml", shipped.read_text(encoding="utf-8") if shipped.is_file() else "")


def assess(project: Project, to: str = ASSETS[-1]) -> list[Freshness]:
    """State of the assets up to `to`; MLflow is asked only when it matters."""
    return freshness.assess(project, lambda inputs: _model_state(project, inputs), to)


def run(project: Project, to: str) -> Outcome:
    """Materialise what is missing or stale, up to the asset `to`.

    Args:
        project: settings and paths; see `use_project`.
        to: the last asset wanted; for one of `RESULTS` features come first, and then the results up to it.

    Raises:
        StorageError: Dagster's instance cannot be written.
    """
    repairs.mend(project)
    if to in RESULTS:
        return _run_results(project, to)
    if all(item.fresh for item in assess(project, to)):
        return Outcome([], [])
    launched: list[str] = []
    for job, last in (("prepare", "balanced_samples"), ("embed", "embeddings"), ("learn", "mlp_model")):
        last = ASSETS[min(ASSETS.index(last), ASSETS.index(to))]
        if JOB_OF[last] != job or all(item.fresh for item in assess(project, last)):
            continue
        _log.info("job %s", job)
        launched.append(job)
        with _instance() as instance:
            _fail_orphaned_runs(instance)
            _set_pool_limit(instance, project)
            if holder := _holder_of_the_device(instance):
                _log.info("waiting for the device: run %s holds it (see the Dagster UI)", holder)
            failures = _embed(project, instance) if job == "embed" else _execute(instance, job, _selection(job, last))
        if failures:
            return Outcome(launched, failures)
    return Outcome(launched, [])


def _run_results(project: Project, to: str) -> Outcome:
    """What comes before, as in `run`, and then the job `evaluate` up to `to`."""
    before = run(project, "features")
    job, wanted = ("tune", [to]) if to == "hyperparameters" else ("evaluate", RESULTS[: RESULTS.index(to) + 1])
    states = {item.asset: item for item in freshness.assess_results(project)}
    if before.failures or all(states[name].fresh for name in wanted):
        return before
    _log.info("job %s", job)
    with _instance() as instance:
        _fail_orphaned_runs(instance)
        failures = _execute(instance, job, list(wanted))
    return Outcome([*before.launched, job], failures)


def _selection(job: str, last: str) -> list[str]:
    return [name for name in ASSETS[: ASSETS.index(last) + 1] if JOB_OF[name] == job]


def _embed(project: Project, instance: "dg.DagsterInstance") -> list[str]:
    from soc_assets.defs.partitions import contiguous_ranges, register
    from soc_assets.embedding.inputs import freeze_spec, read_inputs

    inputs = read_inputs(project, freeze_spec(project))
    register(instance, inputs.keys)
    due = {key for key, state in inputs.states().items() if state != "fresh"}
    failures = []
    for stretch in contiguous_ranges(inputs.keys, due, longest=len(inputs.keys)):
        ends = {"dagster/asset_partition_range_start": stretch[0], "dagster/asset_partition_range_end": stretch[-1]}
        failures += _execute(instance, "embed", ["embeddings"], ends)
    return failures


def _execute(
    instance: "dg.DagsterInstance", job: str, selection: list[str], tags: dict[str, str] | None = None
) -> list[str]:
    """Run a job in this process; returns its failures in words."""
    import dagster as dg

    from soc_assets.definitions import defs

    with gpus.shared():
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in selection],
            run_config=_QUIET,
            tags={**(tags or {}), **marks()},
            raise_on_error=False,
        )
    interrupts.check()  # Dagster has told it as the failure of a step
    blocked = _blocking_findings(result.all_events)
    failed = [event for event in result.all_events if event.is_step_failure]
    words = [f"{event.step_key}: {blocked.get(event.step_key) or _reason(event.step_failure_data)}" for event in failed]
    return words or ([] if result.success else [f"the job {job} failed; see run {result.run_id} in the Dagster UI"])


def _blocking_findings(events: "Sequence[dg.DagsterEvent]") -> dict[str | None, str]:
    """What failed checks found, by step, where it stops what comes after; not where the step's failure says it."""
    found: dict[str | None, list[str]] = {}
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking and check.severity.value == "ERROR":
                found.setdefault(event.step_key, []).append(check.description or check.check_name)
    found.pop("embeddings", None)  # tells of failed batches too
    way_out = {"raster_catalog": [_STOPPED, _WAY_OUT], "soil_samples": [_STOPPED, _WAY_OUT]}
    return {step: "\n".join([*lines, " ".join(way_out.get(step or "", [_STOPPED]))]) for step, lines in found.items()}


def _fail_orphaned_runs(instance: "dg.DagsterInstance") -> None:
    """A `soc run` that was killed must not keep the device: end its run and free its slot, as the daemon would."""
    import dagster as dg

    under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={MACHINE_TAG: this_machine()})
    for record in instance.get_run_records(under_way):
        run = record.dagster_run
        if is_gone(run.tags, record.start_time):  # of others the daemon asks its launcher
            instance.report_run_failed(run, "The process of this run was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _set_pool_limit(instance: "dg.DagsterInstance", project: Project) -> None:
    from soc_assets.defs.execution import set_pool_limit

    set_pool_limit(instance, project.settings.execution)


def prepare_instance(project: Project) -> None:
    """Make the project's instance ready for the daemon: a slot of the pool `gpu` per device, and the known batches."""
    from soc_assets.defs.partitions import register

    with _instance() as instance:
        _set_pool_limit(instance, project)
        if (inputs := known_embeddings(project)) is not None:
            register(instance, inputs.keys)


def _holder_of_the_device(instance: "dg.DagsterInstance") -> str | None:
    info = instance.event_log_storage.get_concurrency_info("gpu")
    return info.claimed_slots[0].run_id[:8] if info.active_slot_count >= max(info.slot_count, 1) else None


def _reason(failure: Any) -> str:
    """What the user can mend, or for anything else the error's kind and where to read all of it."""
    error = failure.error
    while error is not None and error.cause is not None and not _is_told(error):
        error = error.cause
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if error is None:
        return "failed"
    message = error.message.strip()
    if told := memory.shortage_in(message):
        return told
    return message.partition(": ")[2] if _is_told(error) else f"{message} (the Dagster UI has the traceback)"


def _is_told(error: Any) -> bool:
    """Whether an error's message is for the user."""
    kind = error.message.partition(": ")[0].rpartition(".")[2]
    return kind in {kind.__name__ for kind in SocError.__subclasses__()}


def _model_state(project: Project, inputs: str) -> str:
    if not is_tracked(project):
        return "missing"
    from soc_assets.tracking.results import state_of_model

    return state_of_model(project, inputs)


@contextmanager
def _instance() -> Iterator["dg.DagsterInstance"]:
    """The instance of `use_project`; what is damaged is set aside, what cannot be read or written is told."""
    from filelock import FileLock

    from soc_assets.defs import history

    home = Path(os.environ["DAGSTER_HOME"])
    with translate_write_errors(home, "DAGSTER_HOME"), history.told_of(home):
        with FileLock(home / ".opening.lock"):  # two first processes at once would make its databases twice, and fail
            history.set_damaged_aside(home)
            instance = history.opened(home)
            instance.get_dynamic_partitions("batch")
        with instance:
            yield instance


def failed_assets(project: Project) -> set[str]:
    """Assets whose last Dagster run failed."""
    if not (project.dagster_home / "history").is_dir():
        return set()
    import dagster as dg

    with _instance() as instance:
        failed = set()
        for record in instance.get_asset_records([dg.AssetKey(name) for name in ASSETS]):
            run_id = record.asset_entry.last_run_id
            name = record.asset_entry.asset_key.to_user_string()
            steps = instance.get_run_step_stats(run_id, [name]) if run_id else []
            if any(step.status is not None and step.status.value == "FAILURE" for step in steps):
                failed.add(name)
        return failed
