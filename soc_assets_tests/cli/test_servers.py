"""`soc ui` answers, and told to end it leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from soc_assets.cli import servers
from soc_assets.errors import SettingsError
from soc_assets_tests.dagster_dev import REPOSITORY
from soc_assets_tests.ports import free_port
from soc_assets_tests.small_project import SmallProject

WAITING = "print('waiting', flush=True); input()"


def processes_of(made: SmallProject) -> dict[int, str]:
    """Processes of this machine whose Dagster instance is the project's, by number: all that `soc ui` has started."""
    marker, found = f"DAGSTER_HOME={made.root / '.dagster'}".encode(), {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
    return found


def wait_until_up(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_ui_told_to_end_leaves_no_process(fresh, number):
    fresh.config.write_text(fresh.config.read_text() + "\n[automation]\nactive = false\n")
    port, log = free_port(), fresh.root / "ui.log"
    command = [sys.executable, "-m", "soc_assets", "ui", "--port", str(port), "--config", str(fresh.config)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with log.open("w") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        wait_until_up(port, process, log)
        started = " ".join(processes_of(fresh).values())
        assert "dagster_webserver" in started and "dagster._daemon" in started
        process.send_signal(number)
        assert process.wait(90) == 128 + number, log.read_text()
        assert processes_of(fresh) == {}
    finally:
        for left in processes_of(fresh):
            os.kill(left, signal.SIGKILL)
        process.wait()


def test_second_ui_of_a_project_is_refused_and_told_where_the_first_one_is(tmp_path):
    """Also where the first one has become another program, as `soc ui` does."""
    code = "import os, sys; from pathlib import Path; from soc_assets.cli.servers import _require_alone as alone; "
    code += f"alone(Path({str(tmp_path)!r}), 3123); os.execv(sys.executable, [sys.executable, '-c', {WAITING!r}])"
    first = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None and first.stdout.readline() == "waiting\n"
    with pytest.raises(SettingsError, match=r"running on .* already: see http://127\.0\.0\.1:3123, or end that one"):
        servers._require_alone(tmp_path, 3124)
    first.communicate("end")
    servers._require_alone(tmp_path, 3124)
    with pytest.raises(SettingsError, match="3124"):
        servers._require_alone(tmp_path, 3125)
