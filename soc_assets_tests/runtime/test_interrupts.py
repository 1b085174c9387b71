"""Signals end a command: between steps, in time where it does not listen, at once the second time, children too."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soc_assets.runtime import interrupts
from soc_assets.runtime.interrupts import MESSAGE
from soc_assets_tests.cli.test_supervised import running
from soc_assets_tests.dagster_dev import REPOSITORY

BEGIN = "import os, subprocess, sys, time\nfrom soc_assets.runtime import interrupts\ninterrupts.listen()\n"
COMMAND = f"""{BEGIN}
from soc_assets.cli.options import explained
@explained
def command():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stderr=subprocess.DEVNULL)
    open("working", "w").write(str(child.pid))
    os.rename("working", "ready")
    {{work}}
command()
"""
HEEDING = "[(time.sleep(0.01), interrupts.check()) for _ in range(60_000)]"
DEAF = "time.sleep(600)"
CAPTURED = "os.dup2(os.open('captured', os.O_WRONLY | os.O_CREAT), 2); time.sleep(600)"  # as Dagster does in a step
SWALLOWING = (
    "[os.path.exists('x') for _ in iter(lambda: time.sleep(0.01), 1) if interrupts.requested() and sys.exit(0)]"
)


def started(folder: Path, work: str) -> tuple[subprocess.Popen[str], int]:
    """A command that does some work, once it does, and the number of its child."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(work=work)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "ready").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process, int((folder / "ready").read_text())


@pytest.mark.parametrize(
    ("number", "work"),
    [(signal.SIGINT, HEEDING), (signal.SIGTERM, DEAF), (signal.SIGHUP, SWALLOWING), (signal.SIGTERM, CAPTURED)],
    ids=["Ctrl+C", "deaf", "swallowing", "captured"],
)
def test_command_ends_in_time_with_its_children_and_says_so_once(tmp_path, number, work):
    process, child = started(tmp_path, work)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert words.split("\n", 1)[0] == MESSAGE and words.count(MESSAGE) == 1 and "Traceback" not in words
    if work == DEAF:
        assert not running(child)
    else:
        os.kill(child, signal.SIGKILL) if running(child) else None


def test_second_signal_ends_it_at_once(tmp_path):
    process, child = started(tmp_path, f"setattr(interrupts, 'GRACE', 600), {DEAF}")
    process.terminate()
    time.sleep(0.3)
    process.terminate()
    assert process.wait(60) == 143
    assert not running(child)


def test_work_in_this_process_is_not_touched_without_listening():
    assert interrupts.heeding(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interrupts.heeding(lambda: 1 / 0)
    interrupts.check()
    assert not interrupts.requested()
