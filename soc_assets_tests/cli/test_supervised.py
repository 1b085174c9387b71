"""Commands that are ended with all their processes, on small scripts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soc_assets_tests.dagster_dev import REPOSITORY

CHILD = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
DEAF = f"""
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
{{first}}
time.sleep(1)
open("started", "w").write(f"{{{{os.getpid()}}}} {{{{child.pid}}}}")
os.rename("started", "ready")
time.sleep(600)
"""


def start(folder: Path, first: str = "", grace: float = 30.0) -> tuple[subprocess.Popen, list[int]]:
    """A supervised script with a child that ignores the interrupt, once both run; and their numbers."""
    script = DEAF.format(first=first)
    code = (
        "import sys; from soc_assets.cli.supervised import run; "
        f"sys.exit(run([sys.executable, '-c', {script!r}], {grace}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    while not (folder / "ready").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process, [int(word) for word in (folder / "ready").read_text().split()]


def running(process: int) -> bool:
    """Whether it is there and no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_signal_is_an_interrupt_of_the_command_and_what_it_leaves_is_killed(tmp_path, number):
    first = "signal.signal(signal.SIGINT, lambda *_: (open('interrupted', 'w').close(), sys.exit(3)))"
    process, numbers = start(tmp_path, first)
    assert all(running(each) for each in numbers)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert (tmp_path / "interrupted").exists()
    assert not any(running(each) for each in numbers)


def test_command_that_does_not_end_is_killed(tmp_path):
    process, numbers = start(tmp_path, "signal.signal(signal.SIGINT, signal.SIG_IGN)", grace=0.5)
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not any(running(each) for each in numbers)


def test_second_signal_kills_at_once(tmp_path):
    process, numbers = start(tmp_path, "signal.signal(signal.SIGINT, signal.SIG_IGN)", grace=600.0)
    process.terminate()
    time.sleep(0.5)
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not any(running(each) for each in numbers)


def test_command_that_ends_by_itself_gives_its_exit_code():
    command = [sys.executable, "-m", "soc_assets.cli.supervised", sys.executable, "-c", "import sys; sys.exit(5)"]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}).returncode == 5
