"""Signals at random moments of a command: `python -m benchmarks.interrupts FOLDER STEP SIGNAL [TIMES]`.

STEP is a key of `STEPS`, SIGNAL one of INT, TERM and KILL. A project is finished undisturbed once; another is signalled
TIMES times (20) in that step, each time looking at the exit code, the seconds, the processes that are left and what was
said. Then it is run to the end, and its numbers are compared with those of the undisturbed one. Prints a line per
signal and a summary; exits with 1 where anything was not as docs/faults.md promises.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.map_files import layers_of, tiles_of
from soc_assets.project import load_project
from soc_assets.regression.inputs import model_inputs
from soc_assets.runtime.interrupts import MESSAGE
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_project import SmallProject, write_project

SECONDS = 5.0
NOTICED = 15.0  # seconds in which the children of a killed process end; those that are still importing see it then
_MARK = "BENCHMARK_MARK"
EVALUATION = """
[evaluation]
schemes = ["location", "block"]
models = ["ridge", "random_forest"]
feature_sets = ["point", "point:1"]
draws = 200
workers = 2
trials = 4

[[evaluation.candidates]]
name = "few"
hidden = [8]
epochs = 60
members = 2
features = "point:1"
"""
STEPS: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "prepare": (["run", "--to", "balanced_samples"], "job prepare", ("data/catalog", "data/samples")),
    "embed": (["run", "--to", "embeddings"], "job embed", ("data/embeddings",)),
    "features": (["run", "--to", "features"], "job learn", ("data/soc.duckdb",)),
    "learn": (["run"], "job learn", ("mlruns",)),
    "evaluation": (["run", "--to", "evaluation"], "job evaluate", ("data/results",)),
    "tune": (["run", "--to", "hyperparameters"], "job tune", ("data/results",)),
    "predict": (["predict", "points.csv"], "", ()),
    "map": (["map", *(f"--year={year}" for year in (2012, 2013, 2014, 2015))], "To do", ("data/maps",)),
    "export": (["export", "--format", "npz", "--overwrite"], "", ()),
    "check": (["check"], "", ()),
    "sql": (["sql", "SELECT count(*) FROM features a, features b, features c, features d, features e"], "", ()),
}
"""By step: the command, what it prints when the step begins, and what is removed first so that there is work again."""


@dataclass(frozen=True)
class Outcome:
    """What a signal did: the exit code, seconds from signal to exit, processes left, and what was printed."""

    code: int
    seconds: float
    left: int
    words: str


def start(made: SmallProject, arguments: list[str], mark: str) -> subprocess.Popen[str]:
    """A `soc` command in a process group of its own, whose processes all carry a mark."""
    own = {_MARK: mark, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "soc_assets", *arguments, "--config", str(made.config)]
    log = (made.root / "said.log").open("w+")
    return subprocess.Popen(
        command, cwd=made.root, env={**os.environ, **own}, stdout=log, stderr=log, text=True, start_new_session=True
    )


def marked(mark: str) -> list[int]:
    """Processes that carry the mark and are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except OSError:  # ended meanwhile
            continue
    return found


def signalled(made: SmallProject, arguments: list[str], begins: str, wait: float, number: int) -> Outcome | None:
    """Start a command, wait until its step begins and then some seconds, and signal it; None where it was quicker."""
    mark, log = uuid.uuid4().hex, made.root / "said.log"
    process = start(made, arguments, mark)
    while begins and begins not in log.read_text() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(wait)
    if process.poll() is not None:
        return None
    began = time.monotonic()
    if number == signal.SIGINT:  # as a terminal does
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    code = process.wait()
    seconds = time.monotonic() - began
    until = time.monotonic() + (NOTICED if number == signal.SIGKILL else 0)
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.2)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return Outcome(code, seconds, len(left), log.read_text())


def faults(outcome: Outcome, number: int) -> list[str]:
    """What is not as promised."""
    found = [f"{outcome.left} processes left"] if outcome.left else []
    if number == signal.SIGKILL:
        return found
    if outcome.code != 128 + number:
        found.append(f"exit code {outcome.code}")
    if outcome.seconds > SECONDS:
        found.append(f"{outcome.seconds:.1f} s")
    if outcome.words.count(MESSAGE) != 1:
        found.append(f"{outcome.words.count(MESSAGE)} messages")
    if "Traceback" in outcome.words or re.search(r"^Error", outcome.words, re.MULTILINE):
        found.append("a traceback or an error")
    return found


def numbers(made: SmallProject, step: str) -> dict[str, Any]:
    """What a step has made, comparable between projects."""
    data = made.root / "data"
    if step == "map":
        return layers_of(data / "maps") | {str(path): "left behind" for path in (data / "maps").rglob(".*.tmp")}
    if step == "prepare":
        return {name: made.table(name).to_csv() for name in ("samples", "balanced", "folds", "splits", "batches")}
    if step == "embed":
        return {path.name: pq.read_table(path) for path in (data / "embeddings").rglob("batch_*.parquet")}
    with duckdb.connect(str(data / "soc.duckdb"), read_only=True) as connection:
        rows = connection.sql("SELECT * FROM features ORDER BY sample_id").to_arrow_table()
    found: dict[str, Any] = {"features": rows}
    if step == "learn":
        project = load_project(made.config)
        record = tracking_of(project).find_run(model_inputs(project))
        assert record is not None
        timed = ("seconds", "time")
        found |= {name: value for name, value in record.metrics.items() if not any(word in name for word in timed)}
        found |= {"alive": _alive(made)}
    for name in ("evaluation", "baselines", "out_of_fold") if step == "evaluation" else ():
        table = pd.read_parquet(data / f"results/{name}.parquet")
        found[name] = table.drop(columns=[c for c in table.columns if "seconds" in c]).to_csv()
    if step == "tune":
        found["tuned"] = _tuned(data / "results")
    for left in (made.root / "data").rglob("*.tmp"):
        found[str(left)] = "left behind"
    return found


def _tuned(results: Path) -> str:
    return (results / "hyperparameters.json").read_text() if (results / "hyperparameters.json").is_file() else ""


def _alive(made: SmallProject) -> list[str]:
    """MLflow runs that count as running, and versions of the registered model whose run is not finished."""
    tracking = tracking_of(load_project(made.config))
    wrong = []
    for run, model in tracking.all_runs():
        if run.info.status == "RUNNING" or (model and run.info.status != "FINISHED"):
            wrong.append(f"{run.info.run_id} {run.info.status} {model}")
    return wrong


def prepared(folder: Path, step: str) -> SmallProject:
    """A project that has run up to just before the step."""
    made = write_project(folder)
    made.set("epochs = 2", "epochs = 40\npatience = 40")
    made.config.write_text(made.config.read_text() + EVALUATION)
    before = {"prepare": "", "embed": "balanced_samples", "features": "embeddings", "check": "", "predict": "mlp_model"}
    before["map"] = "mlp_model"
    if to := before.get(step, "features"):
        subprocess.run([sys.executable, "-m", "soc_assets", "run", "--to", to, "--config", made.config], check=True)
    samples = pd.read_csv(folder / "data/soil/a.csv").drop(columns="OC")
    pd.concat([samples] * 10).to_csv(folder / "points.csv", index=False)
    return made


def main(folder: Path, step: str, name: str, times: int) -> int:
    """Signal a step; returns the number of promises broken."""
    number, moments = getattr(signal, f"SIG{name}"), random.Random(int(time.time()))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it would be ignored by all
    arguments, begins, remade = STEPS[step]
    shutil.rmtree(folder, ignore_errors=True)
    calm = prepared(folder / "calm", step)
    shutil.copytree(calm.root, folder / "hit", symlinks=True)
    hit, began = SmallProject(folder / "hit"), time.monotonic()
    process = start(calm, arguments, "calm")
    while begins and begins not in (calm.root / "said.log").read_text() and process.poll() is None:
        time.sleep(0.02)
    began = began if not begins else time.monotonic()
    if step != "sql":
        assert process.wait() == 0, (calm.root / "said.log").read_text()
    else:
        time.sleep(20)
        process.kill()
    lasts, bad, done, longest = time.monotonic() - began, 0, 0, 0.0
    for _ in range(3 * times):
        tiles = tiles_of(hit)
        if moments.random() < 0.3:
            for path in remade:
                shutil.rmtree(hit.root / path) if (hit.root / path).is_dir() else None
            tiles = {}
        early = moments.random() < 0.2
        wait = moments.uniform(0, 6) if early else moments.uniform(0, lasts)
        outcome = signalled(hit, arguments, "" if early else begins, wait, number)
        if outcome is None:
            for path in remade:
                shutil.rmtree(hit.root / path, ignore_errors=True)
                (hit.root / path).is_file() and (hit.root / path).unlink()
            continue
        done, longest, found = done + 1, max(longest, outcome.seconds), faults(outcome, number)
        if tiles.items() - tiles_of(hit).items():
            found.append("tiles computed twice")
        bad += len(found)
        print(f"{step} SIG{name} at {wait:.2f} s: {outcome.code} in {outcome.seconds:.2f} s {found or ''}", flush=True)
        if found:
            print(outcome.words[-2000:])
        if done == times:
            break
    if step != "sql":
        finish = [sys.executable, "-m", "soc_assets", *arguments, "--config", hit.config]
        subprocess.run(finish, check=True, cwd=hit.root)
    if step not in ("predict", "export", "check", "sql"):
        expected, got = numbers(calm, step), numbers(hit, step)
        differing = [key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key)]
        bad += len(differing) + len(got.get("alive", []))
        print(f"numbers that differ from the undisturbed run: {differing}; alive: {got.get('alive')}")
    print(f"{step} SIG{name}: {done} signals, at most {longest:.2f} s, {bad} promises broken")
    return bad


if __name__ == "__main__":
    where, what, which, *rest = sys.argv[1:]
    sys.exit(main(Path(where), what, which, int(rest[0]) if rest else 20) > 0)
