"""The commands that `benchmarks.damage` tries, each in a process of its own with a time limit, and their outcomes."""

import importlib
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.damage_project import POINTS, Kept

COMMANDS = ("status", "run", "sql", "predict")
QUERY = """SELECT (SELECT count(*) FROM samples) studied, (SELECT count(*) FROM rasters) rasters,
(SELECT count(*) FROM rejected) rejected, (SELECT count(*) FROM excluded) excluded, (SELECT count(*) FROM runs) runs,
(SELECT count(*) FROM gaps) gaps, (SELECT count(*) FROM folds) folds, (SELECT count(*) FROM batches) batches,
(SELECT round(fsum(predicted), 6) FROM predictions) predicted,
(SELECT round(fsum(predicted), 6) FROM out_of_fold) out_of_fold, (SELECT count(*) FROM evaluation) scores,
(SELECT bit_xor(hash(n)) FROM neighbour_index n) neighbours, count(*) n, round(fsum(organic_carbon), 6) oc,
round(fsum(list_sum(features)), 2) f, count(DISTINCT split) splits FROM features"""
_OUTPUT = "answer.csv"
_MODULES = "modules.txt"
_FOR_THE_MODEL = ("data/samples/", "data/embeddings/", "data/soc.duckdb", "mlruns/")  # read when it is trained again
_FAILED = 70
_SAYING = ("Warning: ", "The answer is from", "│ set aside", "no longer there")


@dataclass(frozen=True)
class Trial:
    """What one command made of one damage."""

    outcome: str
    said: str
    seconds: float


@dataclass(frozen=True)
class Answer:
    """Exit code (None: out of time), standard output and everything that was said."""

    code: int | None
    out: str
    said: str
    seconds: float


def baseline(kept: Kept) -> dict[str, str]:
    """What each command gives where nothing is damaged.

    Every command runs in a fork of this process; what the first one of its kind imports is then imported here, too.
    """
    for name in list(os.environ):
        if name.upper().startswith(("SOC_", "DAGSTER_", "MLFLOW_")):
            del os.environ[name]
    usual = {}
    for command in ("run", "status", "sql", "predict"):
        kept.put_back()
        answer = call(kept, command, "", 600)
        if answer.code != 0:
            raise SystemExit(f"soc {command} fails on the whole project:\n{answer.said}")
        usual[command] = _numbers(kept, command, answer)
        for name in (kept.folder / _MODULES).read_text().splitlines():
            with suppress(Exception):  # made while the command ran, not imported
                importlib.import_module(name)
    return usual


def try_command(kept: Kept, name: str, command: str, usual: dict[str, str], seconds: float) -> Trial:
    """Run a command on the damaged project and judge it."""
    path = kept.project / name
    spoilt = path.read_bytes() if path.is_file() else None
    answer = call(kept, command, name, seconds)
    now = path.read_bytes() if path.is_file() else None
    outcome = _failure(answer, path)
    if outcome is None:
        named = path.name in answer.said or (path.parent.name in answer.said and command == "run")
        warned = ", warned" if "Warning: " in answer.said and named else ""
        if command == "run":
            same = True
            for each in ("sql", *(["predict"] if name.startswith(_FOR_THE_MODEL) else []), "status"):
                found = call(kept, each, name, seconds)
                if failure := _failure(found, path):
                    return Trial(f"exit 0, then soc {each}: {failure}", found.said, answer.seconds)
                same &= each == "status" or _numbers(kept, each, found) == usual[each]
        else:
            same = _numbers(kept, command, answer) == usual[command]
        rebuilt = now is not None and now != spoilt
        if command == "status" and not same:
            outcome = "stale" + warned
        elif not same:
            said = any(words in answer.said for words in _SAYING)
            outcome = "other points" if name == POINTS else f"said{warned}" if said else "DIFFERENT NUMBER"
        else:
            outcome = ("rebuilt" if rebuilt and not _opened(name) else "same") + warned
    return Trial(outcome, answer.said, answer.seconds)


def _opened(name: str) -> bool:
    """Whether a file changes whenever it is opened."""
    return name.startswith(".dagster/") or name.endswith(".lock")


def _failure(answer: Answer, path: Path) -> str | None:
    if answer.code is None:
        return "HANG"
    if "Traceback (most recent call last)" in answer.said or "has the traceback)" in answer.said:
        return "TRACEBACK"
    if answer.code:
        return "refused" if path.name in answer.said else "NO FILE NAMED"
    return None


def _numbers(kept: Kept, command: str, answer: Answer) -> str:
    if command == "predict":
        path = kept.project / _OUTPUT
        return path.read_text() if path.is_file() else "none"
    rows = [line for line in answer.out.splitlines() if line.startswith(("│", "┃"))]
    return "\n".join(rows)


def call(kept: Kept, command: str, name: str, seconds: float) -> Answer:
    """Run a command in a fork, in a process group of its own."""
    result = name.startswith("data/results/") or name.endswith("folds.parquet")
    asked = "hyperparameters" if "hyperparameters" in name else "evaluation"
    arguments = {
        "status": ["status"],
        "run": ["run", *(["--to", asked] if result and "predictions" not in name and "runs." not in name else [])],
        "sql": ["sql", QUERY],
        "predict": ["predict", str(kept.project / POINTS), "-o", str(kept.project / _OUTPUT)],
    }[command]
    if command == "predict":  # of the last one the file is still to be read
        (kept.project / _OUTPUT).unlink(missing_ok=True)
    config = ["--config", str(kept.project / "soc.toml")]
    streams = [kept.folder / "stdout.txt", kept.folder / "stderr.txt"]
    begun = time.monotonic()
    code = _forked(lambda: _soc([*arguments, *config]), streams, seconds)
    out, told = (path.read_text(errors="replace") for path in streams)
    words = re.sub(r"\s+", " ", told) if command != "x" else told
    return Answer(code, out, out + told + words, time.monotonic() - begun)


def _soc(arguments: list[str]) -> int:
    from soc_assets.cli.main import main

    try:
        main.main(arguments, prog_name="soc")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return _FAILED
    return 0


def _forked(work: Callable[[], int], streams: list[Path], seconds: float) -> int | None:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, path in enumerate(streams, start=1):
            os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644), number)
        code = work()
        streams[0].with_name(_MODULES).write_text("\n".join(sys.modules))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
