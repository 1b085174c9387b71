"""Ctrl+C, SIGTERM and kill -9 while a model is trained, or models compared: ended in time, nothing lost or doubled."""

import random
import signal
import time

import pandas as pd
import pytest

from soc_assets.runtime.interrupts import MESSAGE
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.faults import processes
from soc_assets_tests.small_project import SmallProject, copy_of, model_record

pytestmark = pytest.mark.slow

SECONDS = 5.0
SETTINGS = """
[evaluation]
schemes = ["location"]
models = ["ridge", "random_forest"]
feature_sets = ["point"]
candidates = []
draws = 100
workers = 2
network_choices = 0
"""
BEGINS = {
    "mlp_model": "mlp_model: 1 of",
    "evaluation": "feature sets, ",
}  # the first line: later ones come every two seconds


@pytest.fixture
def made(finished, tmp_path) -> SmallProject:
    """A project with features and no model yet."""
    return copy_of(finished, tmp_path / "project", SETTINGS)


def hit(made: SmallProject, to: str, number: int) -> tuple[int, float, str]:
    """Signal `soc run` once it trains or fits, at a random moment: exit code, seconds, and what was said."""
    log = made.root / "said.log"
    running = processes.soc(made, "run", "--to", to, said=log)
    processes.wait_for(lambda: BEGINS[to] in log.read_text(), running)
    time.sleep(random.Random(number).uniform(0, 0.5))
    began = time.monotonic()
    running.send_signal(number)
    running.wait(processes.SECONDS)
    return running.returncode, time.monotonic() - began, log.read_text()


@pytest.mark.parametrize("to", ["mlp_model", "evaluation"])
def test_run_that_is_interrupted_or_killed_is_taken_up_by_the_next_and_gives_the_same(made, finished, to):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        code, seconds, words = hit(made, to, number)
        assert "Traceback" not in words
        if number == signal.SIGKILL:
            assert code == -number
            continue
        assert code == 128 + number, words
        assert seconds < SECONDS
        assert words.count(MESSAGE) == 1
    assert made.run(to).failures == []
    assert list(made.root.rglob("*.tmp")) == []
    runs = [(run.info.status, model) for run, model in tracking_of(made.project).all_runs()]
    assert {status for status, model in runs if model} <= {"FINISHED"}
    assert "RUNNING" not in {status for status, _ in runs}
    if to == "mlp_model":
        timed = ("seconds", "time")
        expected, got = (
            {k: v for k, v in model_record(p).metrics.items() if not any(t in k for t in timed)}
            for p in (finished, made)
        )
        assert got == expected
    else:
        table = pd.read_parquet(made.project.results / "evaluation.parquet")
        assert not table["failed"].any() if "failed" in table else len(table)
