"""Running a plan of fits in parallel processes; every finished fit is a file, so a killed run resumes where it stopped.

A fit's file is named by the digest of everything that decides it (data/results/fits/<digest>.parquet) and holds its
predictions; importance, partial dependence and facts are in its metadata. A fit that fails is reported, counted and
retried next time.
"""

import json
import multiprocessing
import multiprocessing.util
import os
import threading
import traceback
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import groupby
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.errors import SocError, SocWarning
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.windows import window_groups
from soc_assets.regression.evaluation.fold import FoldFit, FoldResult, run_fold
from soc_assets.regression.evaluation.kept import note_plan
from soc_assets.regression.finetuning.cost import estimate
from soc_assets.regression.models.fitted import Options
from soc_assets.runtime import interrupts, progress
from soc_assets.settings.evaluation import Recipe
from soc_assets.storage import files

_POLL = 0.5  # seconds between looks at the finished files, and for signals


@dataclass(frozen=True)
class Done:
    """A fit and its result, or the error that stopped it; `cached` where it was there already."""

    fit: FoldFit
    digest: str
    result: FoldResult | None
    error: str | None = None
    cached: bool = False


def run_fits(
    fits: Sequence[FoldFit],
    design: Design,
    folder: Path,
    options: Options,
    workers: int = 0,
    kind: str | None = None,
) -> list[Done]:
    """Run the missing fits, and read all of them.

    How long fits will take that learn from windows is said first.

    Args:
        fits: the plan.
        design: samples and features.
        folder: of results; fits/ in it keeps every fit, inputs/ the features for the processes.
        options: seed, level, device.
        workers: processes; 0 takes as many as there are processors, 1 fits in this process.
        kind: of the plan, whose fits are in use until the next plan of its kind, also where it has none; None is
            `baselines` or `evaluation`.

    Raises:
        TrainingError: an encoder would be fine-tuned that is too large for a CPU.
    """
    digests = [fit.digest(design, options) for fit in fits]
    if fits or kind:
        kind = kind or ("baselines" if all(fit.baseline for fit in fits) else "evaluation")
        note_plan(folder, kind, digests, _inputs(folder, design, options).name, _windows_of(design, fits))
    known = {name: result for name in digests if (result := known_fit(folder, name))}
    due = [(fit, name) for fit, name in zip(fits, digests, strict=True) if name not in known]
    progress.report(len(fits) - len(due), len(fits), f"{len(due)} to fit", unit="fit")
    errors: dict[str, str] = {}
    if words := estimate(_trained(due), design, options.start, options.device)[1]:
        progress.report(len(fits) - len(due), len(fits), words, unit="fit")
    if due:
        groups = [list(part) for _, part in groupby(due, key=lambda item: (item[0].scheme, item[0].number))]
        count = min(workers or os.cpu_count() or 1, len(groups))
        runner = _here if count == 1 else _in_processes
        finished = len(fits) - len(due)
        with closing(runner(groups, design, folder, options, count)) as reports:
            for name, words, error in reports:
                finished += 1
                if error:
                    errors[name] = error
                progress.report(finished, len(fits), words, unit="fit")
    return [_read(fit, name, folder, known.get(name), errors) for fit, name in zip(fits, digests, strict=True)]


def _trained(due: "Sequence[tuple[FoldFit, str]]") -> list[tuple[Recipe, np.ndarray, np.ndarray]]:
    """Each recipe that is fitted, its rows and their inner folds; a choice among several fits all inner folds."""
    return [
        (recipe.model_copy(update={"intervals": True}) if len(fit.recipes) > 1 else recipe, fit.train, fit.inner)
        for fit, _ in due
        for recipe in fit.recipes
    ]


def stored(folder: Path, name: str) -> Path:
    """The file of a fit."""
    return folder / "fits" / f"{name}.parquet"


def _inputs(folder: Path, design: Design, options: Options) -> Path:
    """The folder of the features, named by their content."""
    return (
        (options.scratch or folder) / "inputs" / "-".join(design.digests[group][:6] for group in sorted(design.digests))
    )


def _windows_of(design: Design, fits: Sequence[FoldFit]) -> list[str]:
    """Names of the files of windows that the fits read."""
    groups = window_groups(recipe for fit in fits for recipe in fit.recipes)
    files_of = (getattr(design.matrices[group], "filename", None) for group in groups)
    return [Path(path).stem for path in files_of if path is not None]


def known_fit(folder: Path, name: str) -> FoldResult | None:
    """What a fit's file holds; None where it is missing, and with a warning where it is damaged or of another fit."""
    path = stored(folder, name)
    rows = files.known_table(path)
    if rows is None:
        return None
    metadata = files.read_metadata(path)
    try:
        record = json.loads(metadata["soc.fit"])
        importance, dependence = (pd.DataFrame(record.get(name, {})) for name in ("importance", "dependence"))
        result = FoldResult(rows, importance, record["facts"], dependence)
    except (KeyError, ValueError):
        result = None
    if result is None or metadata.get("soc.digest", name) != name:
        warnings.warn(f"{path} is not the fit that its name says: it is fitted again.", SocWarning, stacklevel=2)
        return None
    return result


def store_fit(folder: Path, name: str, result: FoldResult) -> None:
    """Write the file of a fit."""
    curves = result.dependence.astype(object).where(result.dependence.notna(), None)
    record = {"importance": result.importance.to_dict("list"), "facts": result.facts}
    record["dependence"] = curves.to_dict("list")
    files.write_table(stored(folder, name), result.predictions, {"soc.fit": json.dumps(record), "soc.digest": name})


Group = list[tuple[FoldFit, str]]
Report = tuple[str, str, str | None]  # digest, words, error
Reports = Generator[Report, None, None]


def _here(groups: list[Group], design: Design, folder: Path, options: Options, _: int) -> Reports:
    for group in groups:
        for fit, name in group:
            interrupts.check()
            yield _fit_and_store(fit, name, design, folder, options)


def _in_processes(groups: list[Group], design: Design, folder: Path, options: Options, count: int) -> Reports:
    """Fits by worker processes that end with this one, or as soon as nobody waits for their results."""
    inputs = _inputs(folder, design, options)
    if not Design.is_saved(inputs):
        design.save(inputs)
    spawn = multiprocessing.get_context("spawn")
    reports, (going_on, stop) = spawn.SimpleQueue(), spawn.Pipe(duplex=False)
    begin = (str(inputs), reports, going_on)
    with closing(stop), ProcessPoolExecutor(count, mp_context=spawn, initializer=_start, initargs=begin) as pool:
        waiting: set[Future[None]] = {pool.submit(_work, group, folder, options) for group in groups}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED)
                interrupts.check()
                for future in done:
                    future.result()
                while not reports.empty():
                    yield reports.get()
        except BaseException:
            stop.close()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker: dict[str, Any] = {}


def _start(inputs: str, reports: Any, going_on: Connection) -> None:
    """In each process once: one thread for every library, and the features mapped into memory."""
    threading.Thread(target=_end_with, args=(going_on,), daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"  # of libraries that are loaded from here on
    import threadpoolctl
    import torch

    torch.set_num_threads(1)
    # leave immediately when everything is done, as the `soc` command does: the interpreter's teardown makes DuckDB
    # report leaks
    multiprocessing.util.Finalize(None, os._exit, (0,), exitpriority=-1)
    _worker.update(design=Design.load(Path(inputs)), reports=reports, limits=threadpoolctl.threadpool_limits(1))


def _end_with(going_on: Connection) -> None:
    """End this process when the other end of the pipe closes, because its process closed it or died."""
    with suppress(EOFError):
        going_on.recv()
    os._exit(1)


def _work(group: Group, folder: Path, options: Options) -> None:
    for fit, name in group:
        _worker["reports"].put(_fit_and_store(fit, name, _worker["design"], folder, options))


def _fit_and_store(fit: FoldFit, name: str, design: Design, folder: Path, options: Options) -> Report:
    words = f"{fit.scheme} fold {fit.number}: {fit.model} on {fit.features}"
    try:
        with progress.silent():
            result = run_fold(fit, design, options)
    except SocError as error:
        return name, f"{words} failed", str(error)
    except Exception as error:  # one model that cannot be fitted is a row of the table, not the end of the evaluation
        last = traceback.extract_tb(error.__traceback__)[-1]
        return name, f"{words} failed", f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
    store_fit(folder, name, result)
    return name, f"{words}, {result.facts['seconds']:.1f} s", None


def _read(fit: FoldFit, name: str, folder: Path, known: FoldResult | None, errors: dict[str, str]) -> Done:
    if result := known or known_fit(folder, name):
        return Done(fit, name, result, cached=known is not None)
    return Done(fit, name, None, errors.get(name, "the process that fitted it ended; see the log"))
