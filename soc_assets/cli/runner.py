"""The main job from the command line: three chained Dagster jobs on the project's instance, launching only what is due.

Freshness is decided before Dagster is even imported, so that a run with nothing to do is quick. What is shown in the
terminal is in `terminal`.
"""

import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soc_assets
from soc_assets.cli.instance import fail_orphaned_runs, give_pool_its_slots, holder_of_the_device, open_instance
from soc_assets.errors import SocWarning, kinds
from soc_assets.pipeline import freshness, repairs
from soc_assets.pipeline.assets import AFTER, ASSETS, JOB_OF, MAPS, RESULTS
from soc_assets.pipeline.freshness import Freshness
from soc_assets.project import Project, is_tracked
from soc_assets.runtime import gpus, interrupts, memory
from soc_assets.runtime.process import marks
from soc_assets.settings.toml_file import CONFIG_VARIABLE
from soc_assets.storage import files
from soc_assets.storage.write_errors import temporary_in

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
    """What a run did: the jobs launched (none where everything was fresh) and the failures as text.

    Attributes:
        launched: names of jobs.
        failures: one text each.
        states: of the assets, where nothing was launched, and so they are still those.
    """

    launched: list[str]
    failures: list[str]
    states: tuple[Freshness, ...] = field(default=(), compare=False)


def use_project(project: Project, config: Path | None) -> None:
    """Make this process and its children use the project's settings and its Dagster instance."""
    if config:
        os.environ[CONFIG_VARIABLE] = str(config.resolve())
    home = project.dagster_home
    os.environ["DAGSTER_HOME"] = str(home.resolve())
    if not (home / "dagster.yaml").exists():
        shipped = Path(soc_assets.__file__).parent / "defs/dagster.yaml"
        files.write_text(home / "dagster.yaml", shipped.read_text(encoding="utf-8"), "DAGSTER_HOME")


def assess(project: Project, to: str = ASSETS[-1]) -> list[Freshness]:
    """State of the assets up to `to`; MLflow is asked only when it matters."""
    return freshness.assess(project, lambda inputs: _model_state(project, inputs), to)


def run(project: Project, to: str) -> Outcome:
    """Materialise what is missing or stale, up to the asset `to`.

    Args:
        project: settings and paths; see `use_project`.
        to: the last asset wanted; for one of `RESULTS` what it reads comes first, then the results up to it; for one of
            `MAPS` the model, and then the maps of [map] years and their changes.

    Raises:
        StorageError: Dagster's instance cannot be written.
    """
    repairs.mend(project)
    if to in RESULTS:
        return _run_results(project, to)
    if to in MAPS:
        from soc_assets.cli import map_runner

        return map_runner.run_maps(project, to)
    states = assess(project, to)
    if all(item.fresh for item in states):
        return Outcome([], [], tuple(states))
    launched: list[str] = []
    for job, last in (("prepare", "balanced_samples"), ("embed", "embeddings"), ("learn", "mlp_model")):
        last = ASSETS[min(ASSETS.index(last), ASSETS.index(to))]
        if JOB_OF[last] != job or all(item.fresh for item in assess(project, last)):
            continue
        _log.info("job %s", job)
        launched.append(job)
        with open_instance() as instance:
            fail_orphaned_runs(instance)
            give_pool_its_slots(instance, project)
            if holder := holder_of_the_device(instance):
                _log.info("waiting for the device: run %s holds it (see the Dagster UI)", holder)
            chosen = _selection(job, last)
            failures = _embed(project, instance) if job == "embed" else _made(project, instance, job, chosen)
        if failures:
            return Outcome(launched, failures)
    return Outcome(launched, [])


def _run_results(project: Project, to: str) -> Outcome:
    """What comes before, as in `run`, and then the job of a result up to `to`."""
    before = run(project, AFTER[to])
    job = JOB_OF[to]
    wanted = [name for name in RESULTS[: RESULTS.index(to) + 1] if JOB_OF[name] == job]
    states = {item.asset: item for item in freshness.assess_results(project)}
    if before.failures or all(states[name].fresh for name in wanted):
        return before
    _log.info("job %s", job)
    with open_instance() as instance:
        fail_orphaned_runs(instance)
        failures = _made(project, instance, job, list(wanted))
    return Outcome([*before.launched, job], failures)


def between(first: str, last: str) -> dict[str, str]:
    """The tags of a run of a range of partitions."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


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
        failures += execute(instance, "embed", ["embeddings"], between(stretch[0], stretch[-1]))
    return failures


def _made(project: Project, instance: "dg.DagsterInstance", job: str, selection: list[str]) -> list[str]:
    """Run a job; where a block of the database proves damaged, rebuild it and run the job again."""
    from soc_assets.features.sql.opening import unreadable

    failures = execute(instance, job, selection)
    if failures and project.database.is_file() and (error := unreadable(project.database)):
        words = f"{str(error).partition(' Delete it')[0]} It is derived: it is rebuilt from the batches."
        warnings.warn(words, SocWarning, stacklevel=2)
        files.remove(project.database)
        failures = execute(instance, "learn", ["features"]) or execute(instance, job, selection)
    return failures


def execute(
    instance: "dg.DagsterInstance", job: str, selection: list[str], tags: dict[str, str] | None = None
) -> list[str]:
    """Run a job in this process; returns its failures as text."""
    import dagster as dg

    from soc_assets.definitions import defs
    from soc_assets.defs.origin import of_the_code_location

    with gpus.shared(), of_the_code_location(instance, job):
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in selection],
            run_config=_QUIET,
            tags={**(tags or {}), **marks(), "dagster/max_retries": "0"},  # whoever started it starts it again
            raise_on_error=False,
        )
    interrupts.check()  # Dagster has reported it as the failure of a step
    blocked = _blocking_findings(result.all_events)
    failed = [event for event in result.all_events if event.is_step_failure]
    words = [f"{event.step_key}: {blocked.get(event.step_key) or _reason(event.step_failure_data)}" for event in failed]
    return words or ([] if result.success else [f"the job {job} failed; see run {result.run_id} in the Dagster UI"])


def _blocking_findings(events: "Sequence[dg.DagsterEvent]") -> dict[str | None, str]:
    """What blocking checks found, by step; not where the step's own failure says it."""
    found: dict[str | None, list[str]] = {}
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking and check.severity.value == "ERROR":
                found.setdefault(event.step_key, []).append(check.description or check.check_name)
    found.pop("embeddings", None)  # reports failed batches too
    way_out = {"raster_catalog": [_STOPPED, _WAY_OUT], "soil_samples": [_STOPPED, _WAY_OUT]}
    return {step: "\n".join([*lines, " ".join(way_out.get(step or "", [_STOPPED]))]) for step, lines in found.items()}


def _reason(failure: Any) -> str:
    """What the user can fix, or for anything else the error's kind and where to read all of it."""
    error = failure.error
    while error is not None and error.cause is not None and not _is_user_error(error):
        error = error.cause
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if error is None:
        return "failed"
    message = error.message.strip()
    if explanation := memory.shortage_in(message) or temporary_in(message):
        return explanation
    return message.partition(": ")[2] if _is_user_error(error) else f"{message} (the Dagster UI has the traceback)"


def _is_user_error(error: Any) -> bool:
    """Whether an error's message is for the user."""
    return error.message.partition(": ")[0].rpartition(".")[2] in kinds()


def _model_state(project: Project, inputs: str) -> str:
    if not is_tracked(project):
        return "missing"
    from soc_assets.tracking.known import state_of_model

    return state_of_model(project, inputs)
